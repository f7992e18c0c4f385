#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_config
short_description: Read the running configurations of the nodes of a server
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Reads the running configurations of all given nodes of a server in one task, as their kinds say how that is done - by a command in the
    container, from a file of it, or over the serial console of a virtual machine.
  - Over a console it looks at the screen before it sends a key, logs in where a login is asked for and logs out again, turns the pager off
    and goes on where one shows all the same. It answers no other question. One process at a time talks over a console.
  - With O(dest) the configurations are written to files on the controller, and are not part of the result, as they hold secrets.
  - A node whose configuration cannot be read is told in the result and is no failure of this module; it does not stop the others.
    A node that is not ready is not touched.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.access
attributes:
  check_mode:
    description: Can run in check mode. It then reads the configurations as well, tells which files would change, and writes none.
  diff_mode:
    description: With O(dest), returns the content of the files before and after. They hold secrets.
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  state:
    description: V(gathered) reads the configurations; nodes are not changed.
    type: str
    choices: [gathered]
    default: gathered
  timeout:
    description: Seconds that a node has to show its configuration.
    type: float
    default: 180.0
  dest:
    description:
      - Folder on the controller. The configuration of a node is written there as C(<node>.cfg), readable by its owner alone, where it
        differs from what is there.
    type: path
"""

EXAMPLES = r"""
- name: Save the configurations of all nodes of this server
  archetype.lab.lab_config:
    lab: demo
    access: "{{ lab_plan.slices[inventory_hostname].access }}"
    dest: demo-configs

- name: Read the configuration of one container
  archetype.lab.lab_config:
    lab: demo
    access:
      - node: r1
        type: container
        name: clab-demo-r1
        save: {method: exec, command: "vtysh -c 'show running-config no-header'"}
  register: lab_configuration
  no_log: true
"""

RETURN = r"""
configs:
  description: Every node, in the order in which they were given.
  returned: success
  type: list
  elements: dict
  contains:
    node: {description: Its name., type: str}
    config: {description: Its configuration. Not where O(dest) is given., type: str}
    error: {description: Why there is none., type: str}
    hint: {description: What to do about it., type: str}
    path:
      description: With O(dest), the file.
      type: str
    changed:
      description: With O(dest), whether the file was written.
      type: bool
"""

import dataclasses

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils._argspec import access_options, lab_option
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._save import TIMEOUT, configurations
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **lab_option(),
            "state": {"type": "str", "choices": ["gathered"], "default": "gathered"},
            "access": {"type": "list", "elements": "dict", "default": [], "options": access_options()},
            "timeout": {"type": "float", "default": TIMEOUT},
            "dest": {"type": "path"},
        },
        supports_check_mode=True,
    )
    nodes = [Access.from_params(one) for one in module.params["access"]]

    def work() -> dict[str, object]:
        with Server() as server:
            found = configurations(server, module.params["lab"], nodes, module.params["timeout"])
        return {"changed": False, "configs": [dataclasses.asdict(one) for one in found]}

    run_module(module, work)


if __name__ == "__main__":
    main()
