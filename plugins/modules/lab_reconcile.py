#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_reconcile
short_description: Bring one server back to what was declared for it
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Compares what one server has of a lab with what was declared for it, tells every difference per link and node, and mends it.
  - It is what the watcher C(archetype-lab-watch) does on each server by itself. Without O(declared), it goes by the declared state that
    the server keeps since the last deployment.
  - In check mode it only tells what is not as declared, and writes nothing.
  - What cannot be mended for one link or node, such as a foreign object in its way, does not keep the others from being mended.
  - Where something cannot be read, nothing is changed at all.
  - What is not declared, and belongs to the lab by its marks, is removed. What belongs to others is never touched.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  declared:
    description: The slice of a plan for this server, which is kept from then on. Without it, what is kept is what counts.
    type: dict
  hold:
    description:
      - Keys of links, and nodes, that are left alone from now on, by this and by the watcher, until a call that does not name them.
      - Without it, what is held stays held.
    type: list
    elements: str
  owner:
    description: Who runs this, for the journal.
    type: str
    default: someone
  token:
    description: What tells this run from others; see P(archetype.lab.run#lookup). A lab that another run works on is left alone.
    type: str
    default: ""
  patient:
    description:
      - Whether links and nodes that could not be mended lately wait for their time. Otherwise everything is tried.
      - Nodes that take their time to become ready are not waited for then, but left to the next pass.
    type: bool
    default: false
  retries:
    description: How often it is tried again where another process was at work on the server, or something could not be read.
    type: int
    default: 3
  delay:
    description: Seconds before it is tried again.
    type: int
    default: 2
"""

EXAMPLES = r"""
- name: Mend what is not as declared
  archetype.lab.lab_reconcile:
    lab: demo

- name: Tell what is not as declared
  archetype.lab.lab_reconcile:
    lab: demo
  check_mode: true
  register: lab_drift

- name: Mend all but a link that somebody experiments with
  archetype.lab.lab_reconcile:
    lab: demo
    hold: ["r1:eth1--r2:eth1"]
"""

RETURN = r"""
plan:
  description: How many objects are changed, by action.
  returned: always
  type: dict
  sample: {update: 1}
changes:
  description: Every object that is changed, in order.
  returned: always
  type: list
  elements: dict
  sample: [{action: update, kind: port, name: ap5x2m, label: "r1:eth1", fields: {tag: {have: 118, want: 112}}, reason: ""}]
server:
  description: The server, as the plan calls it.
  returned: always
  type: str
at:
  description: When the pass began.
  returned: always
  type: str
  sample: "2026-11-21T11:04:05.123+00:00"
ms:
  description: Milliseconds that it took.
  returned: always
  type: int
links:
  description:
    - Every declared link with a C(word) (C(in sync), C(missing), C(wrong), C(foreign), C(unreadable)) and its C(detail); afterwards, or in
      check mode now.
    - Its C(state) as this server knows it, with C(reason), C(since), and how it was C(proven).
  returned: always
  type: list
  elements: dict
  sample:
    - key: "r1:eth1--r2:eth1"
      word: wrong
      detail: "tag: 118 -> 112"
      state: up
      reason: ""
      since: "2026-11-21T10:00:00+00:00"
      proven: {by: frames, at: "2026-11-21T10:00:00+00:00"}
nodes:
  description: Every declared node, with its word, and its status as Docker or libvirt tells it.
  returned: always
  type: list
  elements: dict
  sample: [{name: r1, type: container, kind: linux, word: in sync, detail: "", status: running}]
orphans:
  description: What belongs to the lab, and was not declared.
  returned: always
  type: list
  elements: dict
server_items:
  description: What is not as declared of the server itself, such as its bridge.
  returned: always
  type: list
  elements: dict
waiting:
  description: Links and nodes that could not be mended, with how often that failed, when they are tried next, and the reason.
  returned: always
  type: list
  elements: dict
coming:
  description: Nodes that are on their way, with O(patient), where they are not waited for.
  returned: always
  type: list
  elements: str
held_before:
  description: In check mode, links and nodes that were left alone until now, as the server keeps them.
  returned: in check mode
  type: list
  elements: str
locked_by:
  description: Who else works on the lab, C(owner) and C(since), where nothing was done for that.
  returned: when another run works on the lab
  type: dict
held:
  description: Links and nodes that are left alone.
  returned: always
  type: list
  elements: str
declared:
  description: What is declared, as far as a report needs it.
  returned: always
  type: dict
errors:
  description: Everything that failed.
  returned: always
  type: list
  elements: dict
  contains:
    type: {description: Sort of error., type: str}
    msg: {description: What is wrong., type: str}
    hint: {description: What to do., type: str}
    objects: {description: Names of the objects concerned., type: list, elements: str}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils import _state
from ansible_collections.archetype.lab.plugins.module_utils._argspec import lab_option, run_options
from ansible_collections.archetype.lab.plugins.module_utils._pass_report import Pass
from ansible_collections.archetype.lab.plugins.module_utils._reconcile import reconcile
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult, run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **lab_option(),
            **run_options(),
            "patient": {"type": "bool", "default": False},
            "retries": {"type": "int", "default": 3},
            "delay": {"type": "int", "default": 2},
        },
        supports_check_mode=True,
    )
    params = module.params
    todo = Pass(
        params["lab"],
        params["owner"],
        params["token"],
        trigger=f"reconciled by {params['owner']}",
        check=module.check_mode,
        diff=module._diff,  # noqa: SLF001
        patient=params["patient"],
        hold=params["hold"],
    )

    def work() -> dict[str, object]:
        with Server() as server:
            if not todo.check:
                return reconcile(server, todo, params["declared"])
            before = {"held_before": (_state.load(todo.lab) or {}).get("hold") or []}
            try:
                return {**reconcile(server, todo, params["declared"]), **before}
            except PartialResult as error:
                raise PartialResult(error.errors, {**error.result, **before}) from error

    run_module(module, work)


if __name__ == "__main__":
    main()
