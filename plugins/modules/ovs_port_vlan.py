#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_port_vlan
short_description: Put the interfaces of nodes on the bridge, each with its VLAN tag
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Makes any number of ports at once - for each a pair of devices, one end on the bridge with its tag, the other one an interface in the
    network namespace of a node's sandbox, with exactly the name, the MAC and the MTU that are asked for.
  - Also puts devices on the bridge that are there already (O(ports[].device=none)), and makes interfaces that are not on the bridge - one
    that leads to the server itself, one on a device of the server, or one that leads nowhere.
  - Puts addresses and routes on interfaces, and limits or disturbs what they send.
  - What is right is left alone, and what differs is changed in place - another tag, a lost MTU, a device that is down.
    A pair is made again only when it is gone or leads to another interface.
  - A device or an OVS port of a wanted name that is not of this lab, and a tag that a port which is not of this lab uses on the bridge,
    are errors that name the owner. They are found before anything is touched.
  - Everything is one batch of netlink requests and one OVSDB transaction, and is read back afterwards. No process is started.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.layer
  - archetype.lab.layer.bridge
  - archetype.lab.layer.ovs
  - archetype.lab.layer.netlink
options:
  ports:
    description: The ports.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the device on the server, 15 bytes at most. It is the name of the OVS port too.
        type: str
        required: true
      device:
        description:
          - V(veth) makes a pair of devices between the server and the sandbox, with the server's end on the bridge.
          - V(none) puts a device on the bridge that something else makes, and never deletes it.
          - V(host) makes a pair too, but the server's end is not on the bridge; it is for the server itself.
          - V(macvlan) makes a device on the server's device O(ports[].parent), V(dummy) one that leads nowhere. Both are in the sandbox
            only; O(ports[].name) is the name of the port in results.
          - V(tap) makes a tap device on the bridge for a virtual machine to open. It stays, with all that is set on it, when the machine
            does not run; it has a carrier while the machine has it open.
            One that a machine has open is never made again and never gets another owner; that is done once it is free.
        type: str
        choices: [none, veth, host, macvlan, dummy, tap]
        default: none
      link:
        description: Key of the link that the port belongs to; written on the OVS port.
        type: str
        default: ""
      node:
        description: Node that the port belongs to; written on the OVS port and on the device.
        type: str
        default: ""
      interface:
        description:
          - Name of the node's interface in its sandbox. Needed, except with O(ports[].device=none) and O(ports[].device=tap), where it is
            only written on the OVS port and on the device.
        type: str
        default: ""
      sandbox:
        description:
          - Container whose network namespace takes the node's end. Needed, except with O(ports[].device=none) and O(ports[].device=tap).
          - With O(ports[].device=veth) and without O(ports[].node), nothing means the server's own namespace. The interface is then the
            server's own end of a segment.
          - A value that begins with a slash is the path of a network namespace instead, such as V(/run/netns/r1).
        type: str
        default: ""
      mac:
        description:
          - MAC address of the node's interface. Empty leaves it to the kernel.
          - With O(ports[].device=tap) it is that of the machine's NIC, which the device does not have.
        type: str
        default: ""
      mtu:
        description: MTU of the device, and of the node's interface. Left out, a new pair has 1500, and an MTU that is there is kept.
        type: int
      tag:
        description: VLAN tag of the port.
        type: int
      trunks:
        description: VLANs that a trunk carries; none means all.
        type: list
        elements: int
        default: []
      vlan_mode:
        description:
          - V(dot1q-tunnel) is a wire - whatever the node sends arrives unchanged, tagged or not.
          - V(access) drops frames that the node sends with a tag. V(trunk) carries the node's own tags.
        type: str
        choices: [access, trunk, dot1q-tunnel]
        default: dot1q-tunnel
      group:
        description:
          - Link group of the device on the server; V(0) is none.
          - Only with O(ports[].device=veth), O(ports[].device=host) and O(ports[].device=tap).
        type: int
        default: 0
      enabled:
        description:
          - With V(false) the device is down and not on the bridge. The node keeps its interface and sees no carrier.
          - Of no meaning where the device is in the sandbox only.
        type: bool
        default: true
      parent:
        description: Device of the server that a O(ports[].device=macvlan) is on. It must be there.
        type: str
        default: ""
      mode:
        description: Mode of a O(ports[].device=macvlan); nothing is V(bridge). V(passthru) has the MAC address of the device below.
        type: str
        choices: ["", private, vepa, bridge, passthru, source]
        default: ""
      addresses:
        description:
          - Addresses of the interface, with the lengths of their prefixes.
          - They are marked, so that those which are not asked for any more are taken away. Others on the interface are left alone.
        type: list
        elements: str
        default: []
      routes:
        description: Routes over the interface. Where the namespace has another route to the same prefix, that one is left.
        type: list
        elements: dict
        default: []
        suboptions:
          to:
            description: A prefix, or V(default).
            type: str
            required: true
          via:
            description: Address of the gateway.
            type: str
            required: true
      impairment:
        description:
          - What is done to frames that the interface sends. A rate alone takes C(tbf), anything else C(netem), which the kernel must have.
          - A queueing discipline at the root of the interface that the lab did not make is an error, and is left alone.
          - Not with O(ports[].device=tap), as only the machine could do that to what it sends; neither are O(ports[].addresses) and
            O(ports[].routes).
        type: dict
        suboptions:
          delay:
            description: Milliseconds that each frame is held.
            type: float
            default: 0.0
          jitter:
            description: Milliseconds by which the delay varies.
            type: float
            default: 0.0
          loss:
            description: Percent of frames that are lost.
            type: float
            default: 0.0
          corrupt:
            description: Percent of frames that are damaged.
            type: float
            default: 0.0
          duplicate:
            description: Percent of frames that are sent twice.
            type: float
            default: 0.0
          reorder:
            description: Percent of frames that overtake others. Needs a delay.
            type: float
            default: 0.0
          rate:
            description: Most that is sent, in kbit/s; V(0) is no limit.
            type: int
            default: 0
      queues:
        description: Queues of a O(ports[].device=tap). With more than V(1) a machine can open it several times, and must be set to do so.
        type: int
        default: 1
  tap_owner:
    description: User id that may open the taps, as QEMU does. Left out, it is asked of libvirt when there are taps.
    type: int
  state:
    description:
      - V(absent) removes the named ports, both the OVS port and the device, also where only one of them is left.
      - Together with O(prune=true) it removes all ports of the lab.
    type: str
    choices: [present, absent]
    default: present
notes:
  - On a userspace datapath the checksum offload of the node's interface is turned off, without which TCP does not work there.
"""

EXAMPLES = r"""
- name: Wire the interfaces of two nodes
  archetype.lab.ovs_port_vlan:
    lab: demo
    ports:
      - name: ap4kx01
        device: veth
        link: r1:eth1--r2:eth1
        node: r1
        interface: eth1
        sandbox: demo-r1-sandbox
        mac: "02:3a:11:5c:00:01"
        mtu: 9500
        tag: 112
      - name: ap9zq73
        device: veth
        link: r1:eth1--r2:eth1
        node: r2
        interface: eth1
        sandbox: demo-r2-sandbox
        mtu: 9500
        tag: 112

- name: Make a tap for a virtual machine, which names it as its own with C(managed='no')
  archetype.lab.ovs_port_vlan:
    lab: demo
    tap_owner: 64055
    ports:
      - name: ap7vm01
        device: tap
        link: r1:eth2--vm1:eth1
        node: vm1
        interface: eth1
        mtu: 9500
        tag: 114

- name: Put a tap of a virtual machine on the bridge that something else makes
  archetype.lab.ovs_port_vlan:
    lab: demo
    ports:
      - name: tap17
        node: vm1
        interface: eth1
        tag: 113

- name: An interface on the server's uplink, and the server's own end of a segment
  archetype.lab.ovs_port_vlan:
    lab: demo
    ports:
      - name: r1-uplink
        device: macvlan
        node: r1
        interface: eth3
        sandbox: demo-r1-sandbox
        parent: ens3
        addresses: [198.51.100.9/24]
      - name: ap1gw
        device: veth
        interface: demo-gw
        tag: 112
        addresses: [198.51.100.1/24]

- name: Remove one port
  archetype.lab.ovs_port_vlan:
    lab: demo
    ports:
      - name: ap4kx01
    state: absent

- name: Remove all ports of the lab
  archetype.lab.ovs_port_vlan:
    lab: demo
    state: absent
    prune: true
"""

RETURN = r"""
plan:
  description: How many ports are changed, by action.
  returned: always
  type: dict
  sample: {create: 2, update: 1}
changes:
  description: Every port that is changed, in order.
  returned: always
  type: list
  elements: dict
  sample: [{action: update, kind: port, name: ap4kx01, label: "r1:eth1", fields: {tag: {have: 112, want: 118}}, reason: ""}]
ports:
  description: The ports of O(ports), in the same order, with what was found afterwards.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Name of the port., type: str}
    lab: {description: The lab., type: str}
    carrier: {description: Whether the device has a carrier., type: bool}
    ofport: {description: "OpenFlow number of the port, or null where it is not on the bridge.", type: int}
  sample: [{name: ap4kx01, lab: demo, node: r1, interface: eth1, tag: 112, carrier: true, ofport: 5}]
errors:
  description: Everything that failed; the other ports are done.
  returned: failure
  type: list
  elements: dict
  contains:
    type: {description: Sort of error., type: str}
    msg: {description: What is wrong., type: str}
    hint: {description: What to do., type: str}
    objects: {description: Names of the objects concerned., type: list, elements: str}
"""

from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils._argspec import lab_option, layer_options, port_options, state_options
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._ports import converge
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def tap_owner(server: Server, want: Request, given: int | None) -> int:
    """libvirt is only asked where it matters."""
    if given is not None or want.absent or not any(port.device == "tap" for port in want.ports):
        return given or 0
    return server.virt.host().uid


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **lab_option(),
            **layer_options(),
            **state_options(),
            "ports": {"type": "list", "elements": "dict", "default": [], "options": port_options()},
            "tap_owner": {"type": "int"},
        },
        supports_check_mode=True,
    )
    params = module.params
    want = Request(
        lab=params["lab"],
        ports=tuple(Port.from_params(port) for port in params["ports"]),
        bridge=params["bridge"],
        absent=params["state"] == "absent",
        prune=params["prune"],
    )

    def work() -> dict[str, object]:
        with Server() as server:
            owned = replace(want, tap_owner=tap_owner(server, want, params["tap_owner"]))
            return converge(server, owned, check=module.check_mode).to_result("ports", diff=module._diff)  # noqa: SLF001

    run_module(module, work)


if __name__ == "__main__":
    main()
