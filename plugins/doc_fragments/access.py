# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How modules get at the nodes themselves."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
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
        description: How it is told that the node is ready. Until it is, it is not asked for its configuration.
        type: dict
        suboptions:
          probe:
            description:
              - V(none) - when it runs. V(log) - when its log has the pattern. V(console) - when the screen of its console has the pattern;
                Enter is sent where nothing is going on and nothing is asked.
              - V(tcp) - when the port answers. V(ssh) - when SSH greets there.
            type: str
            choices: [none, log, console, tcp, ssh]
            default: none
          pattern:
            description: Regular expression for V(log) and V(console). Without one the node is ready when it runs.
            type: str
            default: ""
          address:
            description: Where V(tcp) and V(ssh) connect to, from the server.
            type: str
            default: ""
          port:
            description: Port for V(tcp) and V(ssh); V(0) is 22.
            type: int
            default: 0
          timeout:
            description: Seconds that the node has from its start. After that it is late.
            type: int
            default: 120
          boot_markers:
            description: Regular expressions for what it writes while it is on its way.
            type: list
            elements: str
            default: []
          failure_markers:
            description:
              - Regular expressions for what it writes when it never will be ready, unless a boot marker follows.
              - It has failed when it is silent for 12 seconds then, as it may start again by itself.
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
        description: Commands for the console of a machine, once a boot, when it is ready.
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
"""
