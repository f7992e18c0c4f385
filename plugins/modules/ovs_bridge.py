#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_bridge
short_description: Make the Open vSwitch bridge of a server, on which every link is a wire
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Makes Open vSwitch bridges, and asserts on every run what makes a link on them a wire - C(fail_mode), C(forward-bpdu) and C(vlan-limit).
  - A bridge is shared by all labs of the server, and belongs to none. It is marked with C(external_ids:archetype-bridge=1); a bridge of
    the same name without this mark is foreign, and left alone with an error.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.layer.ovs
options:
  bridges:
    description: The bridges.
    type: list
    elements: dict
    default: [{}]
    suboptions:
      name:
        description: Name of the bridge, 15 characters at most.
        type: str
        default: arch-ovs
      datapath_type:
        description:
          - V(system) is the kernel's datapath, V(netdev) the one in C(ovs-vswitchd).
          - V(auto) takes the kernel's where there is one. An existing bridge keeps the one that it has.
        type: str
        choices: [auto, system, netdev]
        default: auto
      fail_mode:
        description: What the bridge does without a controller. V(secure) forwards nothing by itself.
        type: str
        choices: [standalone, secure]
        default: standalone
      forward_bpdu:
        description: Whether frames to reserved addresses (STP, LACP, LLDP and the like) are forwarded.
        type: bool
        default: true
      vlan_limit:
        description:
          - How many VLAN tags of a frame Open vSwitch reads; V(0) is without a limit.
          - With more than V(1) it loses the inner tag of frames that the nodes send with two tags.
          - This is one setting for all bridges of a server. Changing a value that somebody else had set is said in the diff.
        type: int
        default: 1
  state:
    description: V(absent) removes the bridges. It fails, and names them, while there are ports on them. The VLAN limit is left as it is.
    type: str
    choices: [present, absent]
    default: present
requirements:
  - pyroute2 >= 0.9.4 (only to find out whether the kernel has a datapath)
"""

EXAMPLES = r"""
- name: Make the bridge of this server
  archetype.lab.ovs_bridge:

- name: Make a bridge with the userspace datapath
  archetype.lab.ovs_bridge:
    bridges:
      - name: arch-ovs
        datapath_type: netdev

- name: Remove the bridge when no lab is left
  archetype.lab.ovs_bridge:
    state: absent
"""

RETURN = r"""
bridges:
  description: The bridges as they are after the run, or would be; empty with O(state=absent).
  returned: always
  type: list
  elements: dict
  sample: [{name: arch-ovs, datapath_type: netdev, fail_mode: standalone, forward_bpdu: true, vlan_limit: 1}]
plan:
  description: How many bridges are changed, by action.
  returned: always
  type: dict
  sample: {create: 1}
changes:
  description: Every bridge that is changed, with the fields that differ.
  returned: always
  type: list
  elements: dict
  sample: [{action: update, kind: bridge, name: arch-ovs, label: "", fields: {fail_mode: {have: secure, want: standalone}}, reason: ""}]
errors:
  description: Every error, with the objects that it concerns.
  returned: on failure
  type: list
  elements: dict
  sample: [{type: ForeignError, msg: bridge br0 is foreign, hint: use another bridge name, objects: [br0]}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils._argspec import bridge_options
from ansible_collections.archetype.lab.plugins.module_utils._bridge import converge
from ansible_collections.archetype.lab.plugins.module_utils._declared import Bridge
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "bridges": {"type": "list", "elements": "dict", "default": [{}], "options": bridge_options()},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )

    def work() -> dict[str, t.Any]:
        want = [Bridge.from_params(one) for one in module.params["bridges"]]
        with Server() as server:
            result = converge(server, want, state=module.params["state"], check_mode=module.check_mode)
        return result.to_result("bridges", diff=module._diff)  # noqa: SLF001

    run_module(module, work)


if __name__ == "__main__":
    main()
