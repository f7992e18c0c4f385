#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_info
short_description: Observe what a server has of a lab
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Returns what a server really has of a lab, in the shape of the declared state, so that drift is a plain comparison.
  - Also returns what a plan must know of the server - what others have taken there, the images and paths it has, the path MTU to the
    other servers, and who holds the lab's lock on it.
  - Fails when anything cannot be read, with all the reasons at once.
extends_documentation_fragment:
  - archetype.lab.attributes.info_module
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.containers
  - archetype.lab.layer.ovs
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  server:
    description: Name of this server, for the result and for messages.
    type: str
    default: ""
  bridge:
    description: Name of the Open vSwitch bridge.
    type: str
    default: arch-ovs
  peers:
    description:
      - Underlay addresses of the other servers, to each of which the path MTU is measured with ICMP echo requests.
      - A peer that does not answer is an error, unless O(peers_needed=false).
    type: list
    elements: str
    default: []
  peers_needed:
    description: Whether each of O(peers) must answer. One that does not is left out of the result otherwise.
    type: bool
    default: true
  images:
    description: References of images to look up.
    type: list
    elements: str
    default: []
  binds:
    description: Paths on the server of which is told whether they exist.
    type: list
    elements: path
    default: []
  containers:
    description: Names of containers that are wanted; those that are not the lab's are returned as claims. Without it, all names are.
    type: list
    elements: str
    default: []
  management:
    description:
      - Whether to look at what a management network could clash with - the subnets of this server, the ports that are listened on or
        published by other labs, and whether nftables is there.
    type: bool
    default: false
  vms:
    description: Whether the lab is to have virtual machines. Then it is looked at what libvirt can do there, and what others have of it.
    type: bool
    default: false
  disks:
    description: Paths of disk images to look at.
    type: list
    elements: path
    default: []
  journal:
    description: How many entries of the journal, in which it is written what was seen and mended of the lab, the last ones.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: Observe a lab on every server
  archetype.lab.lab_info:
    lab: demo
    server: "{{ inventory_hostname }}"
    peers: [198.51.100.2, 198.51.100.3]
    images: [alpine:3.20]
  register: lab_observation
"""

RETURN = r"""
observed:
  description: The observed state.
  returned: success
  type: dict
  contains:
    format:
      description: Version of the format.
      type: int
    server:
      description: As O(server).
      type: str
    lab:
      description: As O(lab).
      type: str
    bridge:
      description: The bridge, as M(archetype.lab.ovs_bridge) takes it, or null.
      type: dict
    containers:
      description:
        - Nodes of the lab, with their state as Docker tells it. The status is V(absent) where only a sandbox is there.
        - C(exit_code) is that of a node that ended, else null.
      type: list
      elements: dict
    ports:
      description: Ports of the lab, as M(archetype.lab.ovs_port_vlan) takes them, with C(lab), C(carrier) and C(ofport).
      type: list
      elements: dict
    tunnels:
      description: Tunnels of the lab, as M(archetype.lab.ovs_vxlan_tunnel) takes them, with C(lab) and C(ofport).
      type: list
      elements: dict
    claims:
      description:
        - What is on the server and is not the lab's - C(tags), C(vnis), C(devices), C(macs), C(containers), each with whose it is.
        - With O(management=true) also C(subnets) and C(published), which is protocol, port and address.
        - With O(vms=true) also C(domains) and C(consoles), which is TCP ports of serial consoles.
      type: dict
    images:
      description: Each of O(images) with its id, or null.
      type: dict
    binds:
      description: Each of O(binds), and whether it exists. A device may be asked for as well.
      type: dict
    lacking:
      description: What the server cannot give to a node, as it is itself confined - C(capabilities).
      type: dict
    underlay:
      description: The address that this server uses towards its peers, and the path MTU to each.
      type: dict
    lock:
      description: Who holds the lock of the lab on this server (C(owner), C(lab), C(since), C(token)), or null.
      type: dict
    versions:
      description: Versions of C(ovs), C(docker), C(kernel) and C(python).
      type: dict
    nft:
      description: Whether nftables is there; null without O(management=true).
      type: bool
    vms:
      description:
        - Virtual machines of the lab, as M(archetype.lab.lab_vm) returns them. What one needs a restart for is by its own definition.
      type: list
      elements: dict
    disks:
      description: Each of O(disks) with its C(format) (qcow2, raw or unknown) and C(size), or null.
      type: dict
    libvirt:
      description:
        - Of libvirt C(version), C(qemu), C(kvm), which is whether machines really start with it, and else C(why_not). Where there is none,
          only C(missing), which is the reason.
        - Null without O(vms=true).
      type: dict
    watcher:
      description:
        - Whether the server keeps itself as declared - C(state), which is V(running), V(stopped) or V(absent) (not installed), C(pid),
          C(since), and C(version) of what is installed.
      type: dict
    reconciler:
      description:
        - What is known of passes over the lab - C(report), the last one as M(archetype.lab.lab_reconcile) returns it, without its changes,
          or null; C(held), links and nodes that are left alone; C(journal), the last entries, oldest first.
      type: dict
  sample:
    format: 1
    server: srv1
    lab: demo
    bridge: {name: arch-ovs, datapath_type: netdev, fail_mode: standalone, forward_bpdu: true, vlan_limit: 1}
    containers: []
    ports: []
    tunnels: []
    claims: {tags: {"112": "lab other"}, vnis: {}, devices: {eth0: "device eth0 (foreign)"}, macs: {}, containers: {}}
    images: {"alpine:3.20": null}
    binds: {}
    underlay: {address: 198.51.100.1, mtu: {198.51.100.2: 1500}}
    lock: null
    versions: {ovs: 3.1.0, docker: 20.10.24, kernel: 6.1.0, python: 3.11.2}
    nft: null
    vms: []
    disks: {}
    libvirt: null
    watcher: {state: running, pid: 812, since: "2026-11-21T10:00:00+00:00", version: 3f2a9c1d5e7b8f60}
    reconciler: {report: null, held: [], journal: []}
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils import _argspec
from ansible_collections.archetype.lab.plugins.module_utils._observe import Query, observe
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    lists = ("peers", "images", "binds", "containers", "disks")
    module = AnsibleModule(
        argument_spec={
            **_argspec.lab_option(),
            **_argspec.layer_options(),
            "server": {"type": "str", "default": ""},
            "peers": {"type": "list", "elements": "str", "default": []},
            "peers_needed": {"type": "bool", "default": True},
            "images": {"type": "list", "elements": "str", "default": []},
            "binds": {"type": "list", "elements": "path", "default": []},
            "containers": {"type": "list", "elements": "str", "default": []},
            "management": {"type": "bool", "default": False},
            "vms": {"type": "bool", "default": False},
            "disks": {"type": "list", "elements": "path", "default": []},
            "journal": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted: dict[str, t.Any] = {name: tuple(params[name]) for name in lists}
    flags = {name: params[name] for name in ("peers_needed", "management", "vms", "journal")}
    query = Query(params["lab"], params["server"], params["bridge"], **{**wanted, **flags})

    def work() -> dict[str, object]:
        with Server() as server:
            return {"changed": False, "observed": observe(server, query)}

    run_module(module, work)


if __name__ == "__main__":
    main()
