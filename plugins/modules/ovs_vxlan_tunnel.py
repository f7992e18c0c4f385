#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_vxlan_tunnel
short_description: Make the tunnels of a lab on one server - VXLAN devices on an Open vSwitch bridge
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Makes VXLAN devices of the kernel, with the DF bit unset, and puts them on the bridge with the tag of their link.
  - A tunnel with one link (O(tunnels[].tag)) passes every frame of it unchanged. A tunnel with several links (O(tunnels[].links)) carries
    each of them with its tag; it is counted by its links, and removed with the last one.
  - A tunnel with several remotes has one flood entry for each of them, and learns who is where, so that a segment has no loop.
  - Repairs what is not as declared. Tag, MTU, group and marks are changed in place; for another VNI, remote, local address or UDP port
    the device is made anew.
  - A tunnel of the same lab that is not in the list, but has a VNI or a tag of one that is, is removed. One that belongs to another lab or
    to nobody is an error that names it, before anything is changed.
  - Every tunnel is read back afterwards, from the kernel and from Open vSwitch; what differs is an error that names it.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.layer
  - archetype.lab.layer.bridge
  - archetype.lab.layer.ovs
  - archetype.lab.layer.netlink
options:
  tunnels:
    description: The tunnels.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the device and of its port, 15 bytes at most.
        type: str
        required: true
      vni:
        description: VXLAN network identifier, 1-16777215.
        type: int
        required: true
      local:
        description: Underlay address of this server, IPv4 or IPv6.
        type: str
        required: true
      remotes:
        description: Underlay addresses of the far servers.
        type: list
        elements: str
        required: true
      mtu:
        description:
          - MTU of the device; that of the underlay path less 50 over IPv4, or less 70 over IPv6.
          - The links of a shared tunnel have an MTU that is lower by another 4, for the tag that each frame has in it.
        type: int
        required: true
      link:
        description: Key of the link, for a tunnel with one.
        type: str
        default: ""
      tag:
        description: VLAN tag of the link on this server, for a tunnel with one.
        type: int
      links:
        description:
          - The links that share the tunnel.
          - With O(state=present) they are added to those that it carries, or replace them with O(prune=true). With O(state=absent) they
            are taken away, and the tunnel is removed with the last one; no links means the whole tunnel.
        type: list
        elements: dict
        default: []
        suboptions:
          key:
            description: Key of the link.
            type: str
            required: true
          tag:
            description: VLAN tag of the link, in the tunnel and on this server.
            type: int
            required: true
      dst_port:
        description: UDP port.
        type: int
        default: 4789
      group:
        description: Link group of the device; V(0) is none.
        type: int
        default: 0
  state:
    description: Whether the tunnels are there. V(absent) with O(prune=true) removes all tunnels of the lab.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: One tunnel for one link
  archetype.lab.ovs_vxlan_tunnel:
    lab: demo
    tunnels:
      - name: at7k2m9x
        vni: 4711
        local: 198.51.100.1
        remotes: [198.51.100.2]
        mtu: 1450
        link: r1:eth1--r2:eth1
        tag: 3001

- name: One tunnel that two links share, and nothing else of this lab
  archetype.lab.ovs_vxlan_tunnel:
    lab: demo
    prune: true
    tunnels:
      - name: at-srv2
        vni: 4712
        local: 198.51.100.1
        remotes: [198.51.100.2]
        mtu: 1450
        links:
          - key: r1:eth1--r2:eth1
            tag: 3001
          - key: r1:eth2--r2:eth2
            tag: 3002

- name: Remove all tunnels of the lab
  archetype.lab.ovs_vxlan_tunnel:
    lab: demo
    state: absent
    prune: true
"""

RETURN = r"""
tunnels:
  description: The tunnels as they are after the run, or would be; empty with O(state=absent).
  returned: always
  type: list
  elements: dict
  sample:
    - name: at7k2m9x
      vni: 4711
      local: 198.51.100.1
      remotes: [198.51.100.2]
      mtu: 1450
      link: "r1:eth1--r2:eth1"
      tag: 3001
      links: []
      dst_port: 4789
      group: 0
      lab: demo
      ofport: 7
plan:
  description: How many tunnels are changed, by action.
  returned: always
  type: dict
  sample: {create: 2, update: 1}
changes:
  description: Every tunnel that is changed, with the fields that differ, or the reason.
  returned: always
  type: list
  elements: dict
  sample:
    - {action: update, kind: tunnel, name: at7k2m9x, label: "r1:eth1--r2:eth1", fields: {tag: {have: 3007, want: 3001}}, reason: ""}
errors:
  description: Every error, with the objects that it concerns.
  returned: on failure
  type: list
  elements: dict
  sample: [{type: ForeignError, msg: "tunnel at7k2m9x: tag 3001 is taken by eth9", hint: remove eth9, objects: [at7k2m9x, eth9]}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils._argspec import lab_option, layer_options, state_options, tunnel_options
from ansible_collections.archetype.lab.plugins.module_utils._declared import Tunnel
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from ansible_collections.archetype.lab.plugins.module_utils._tunnels import converge


def main() -> None:
    tunnels = {"type": "list", "elements": "dict", "default": [], "options": tunnel_options()}
    module = AnsibleModule(
        argument_spec={"tunnels": tunnels, **lab_option(), **layer_options(), **state_options()},
        supports_check_mode=True,
    )

    def work() -> dict[str, t.Any]:
        params = module.params
        with Server() as server:
            result = converge(
                server,
                [Tunnel.from_params(one) for one in params["tunnels"]],
                lab=params["lab"],
                bridge=params["bridge"],
                state=params["state"],
                prune=params["prune"],
                check_mode=module.check_mode,
            )
        return result.to_result("tunnels", diff=module._diff)  # noqa: SLF001

    run_module(module, work)


if __name__ == "__main__":
    main()
