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
  access:
    description: The nodes, and how each is talked to. It is C(access) of the slice of a plan, or a part of it.
    type: list
    elements: dict
    default: []
    suboptions:
      node:
        description: Name of the node.
        type: str
        required: true
      type:
        description: What it is.
        type: str
        choices: [container, vm]
        required: true
      name:
        description: Name of the container or of the libvirt domain.
        type: str
        required: true
      readiness:
        description: How it is told that the node is ready, as in M(archetype.lab.lab_ready). One that is not is not asked for anything.
        type: dict
        suboptions:
          probe:
            description: What is looked at.
            type: str
            choices: [none, log, console, tcp, ssh]
            default: none
          pattern:
            description: Regular expression of what its log or the screen of its console shows then.
            type: str
            default: ""
          address:
            description: Where V(tcp) and V(ssh) connect to.
            type: str
            default: ""
          port:
            description: Port for V(tcp) and V(ssh).
            type: int
            default: 0
          timeout:
            description: Seconds that the node has from its start.
            type: int
            default: 120
          boot_markers:
            description: Regular expressions for what it writes while it is on its way.
            type: list
            elements: str
            default: []
          failure_markers:
            description: Regular expressions for what it writes when it never will be ready.
            type: list
            elements: str
            default: []
      save:
        description: How its configuration is read.
        type: dict
        suboptions:
          method:
            description:
              - V(exec) is a command in the container, V(file) a file of it. V(console) is the serial console of a virtual machine.
              - Of other methods the result says that they cannot be used.
            type: str
            choices: [none, exec, console, ssh, file]
            default: none
          command:
            description: The command, or the path of the file. Words of a command in a container are split as in a shell.
            type: str
            default: ""
          prompt:
            description: Regular expression of the prompt of its console where the command may be given.
            type: str
            default: ""
          pager_off:
            description: Command that turns the pager off.
            type: str
            default: ""
          enable:
            description: Command that leads to that prompt from any other. Where it asks for a password, it is given the one of the node.
            type: str
            default: ""
          volatile:
            description: Regular expressions of lines that are no part of the configuration, or differ each time. They are left out.
            type: list
            elements: str
            default: []
      post_boot:
        description: Commands for its console after a boot. Not used here.
        type: list
        elements: str
        default: []
      username:
        description: For a login on its console.
        type: str
        default: ""
      password:
        description: For a login on its console.
        type: str
        default: ""
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
    path: {description: With O(dest), the file., type: str}
    changed: {description: With O(dest), whether the file was written., type: bool}
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
