#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_ready
short_description: Wait until the nodes of a server are ready
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Looks at all given nodes of a server at once, containers and virtual machines, and tells which of them are ready, as their kinds say
    how that is told - by what they write (a container's log, a machine's first serial port), by the screen of a machine's console, or by an
    answer over TCP or SSH.
  - What was found to be ready stays ready for its boot, whatever becomes of the log. A boot is one process of a container, or of QEMU.
    This is kept in C(/var/lib/archetype-lab).
  - While it waits, the controller shows who is waited for, since when, how long that may take, and the last line of each.
  - A node that fails, or is late, is no failure of this module; M(archetype.lab.lab_report) makes one of it.
  - Commands for the console of a machine (O(access[].post_boot)) run once a boot, when it is ready.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.access
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  wait:
    description:
      - Seconds that may be waited until all nodes are ready, failed or late. V(0) looks once.
      - With V(-1) only the nodes' own time-outs end the waiting.
    type: int
    default: 0
  interval:
    description: Seconds between two looks.
    type: float
    default: 2.0
"""

EXAMPLES = r"""
- name: Wait until all nodes of this server are ready
  archetype.lab.lab_ready:
    lab: demo
    access: "{{ lab_plan.slices[inventory_hostname].access }}"
    wait: -1
  register: lab_readiness
"""

RETURN = r"""
plan:
  description: How many commands ran, as C(run).
  returned: always
  type: dict
  sample: {run: 1}
changes:
  description: Every command that ran on a console.
  returned: always
  type: list
  elements: dict
  sample: [{action: run, kind: exec, name: clab-demo-r1, label: r1, fields: {}, reason: terminal length 0}]
ready:
  description: Whether all nodes are ready.
  returned: always
  type: bool
  sample: false
nodes:
  description: Every node, in the order in which they were given.
  returned: always
  type: list
  elements: dict
  contains:
    node: {description: Its name., type: str}
    type: {description: C(container) or C(vm)., type: str}
    state: {description: 'C(ready), C(starting), C(failed) or C(stopped).', type: str}
    since: {description: When its present process was started; empty where it does not run., type: str}
    waited: {description: Seconds since then., type: int}
    timeout: {description: Seconds that it has., type: int}
    late: {description: Whether it should be ready by now and is not., type: bool}
    reason: {description: Why it is not ready., type: str}
    last: {description: 'The last line that it wrote, for people: without control characters.', type: str}
    marker: {description: 'What was seen last of what the markers of its kind are for, such as C(Kernel panic).', type: str}
    foreign: {description: 'Whether what has its name is not the lab''s. It is C(stopped) then, and left alone.', type: bool}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils import _ready
from ansible_collections.archetype.lab.plugins.module_utils._argspec import access_options, lab_option
from ansible_collections.archetype.lab.plugins.module_utils._changes import result_of
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access
from ansible_collections.archetype.lab.plugins.module_utils._ready_commands import Runner
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **lab_option(),
            "access": {"type": "list", "elements": "dict", "default": [], "options": access_options()},
            "wait": {"type": "int", "default": 0},
            "interval": {"type": "float", "default": 2.0},
        },
        supports_check_mode=True,
    )
    access = [Access.from_params(one) for one in module.params["access"]]
    limit = module.params["wait"] if module.params["wait"] >= 0 else None

    def work() -> dict[str, object]:
        with Server() as server:
            watch = _ready.Watch(server, module.params["lab"], access, write=not module.check_mode)
            if watch.memory.told:
                module.warn(watch.memory.told)
            states = _ready.wait(watch, limit, max(0.1, module.params["interval"]))
            runner = Runner(server, module.params["lab"], watch.memory)
            states = runner.run(access, watch.boots, states)
        return {
            **result_of(runner.changes, diff=module._diff),  # noqa: SLF001
            "ready": all(one.state == "ready" for one in states),
            "nodes": [one.to_dict() for one in states],
        }

    run_module(module, work)


if __name__ == "__main__":
    main()
