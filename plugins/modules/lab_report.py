#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_report
short_description: Say how a lab is, from the results of the other modules
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Puts together what M(archetype.lab.lab_info), M(archetype.lab.lab_converge) and M(archetype.lab.lab_certify) returned on every
    server, decides the state of every link and node, shows it as a table, and fails when the lab is not as declared.
  - A link is C(up) only when frames of every kind arrived from each of its endpoints at every other, and nothing leaked.
  - Runs on the controller; touches no server.
extends_documentation_fragment:
  - archetype.lab.attributes.report
options:
  plan:
    description: The plan, as P(archetype.lab.plan#lookup) made it.
    type: dict
    required: true
  observation:
    description: Name of the variable in which every server has the result of M(archetype.lab.lab_info).
    type: str
    default: lab_observation
  convergence:
    description: Names of the variables in which every server has results of M(archetype.lab.lab_converge), the last one last.
    type: list
    elements: str
    default: [lab_convergence, lab_taking_back]
  certification:
    description: Names of the variables in which every server has results of M(archetype.lab.lab_certify), that of its last step last.
    type: list
    elements: str
    default: [lab_listening, lab_sending, lab_certification]
  readiness:
    description: Name of the variable in which every server has the result of M(archetype.lab.lab_ready), where nodes are waited for.
    type: str
    default: lab_readiness
  patient:
    description: Whether a node that takes longer than its kind gives it is C(starting). Else it is an error.
    type: bool
    default: false
  show:
    description: Whether the table is shown.
    type: bool
    default: true
  fail:
    description: Whether a lab that is not as declared is a failure. Ansible shows the whole result of a task that fails; see RV(complaint).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Show the lab, and fail when a link is not proven
  archetype.lab.lab_report:
    plan: "{{ lab_plan }}"
  run_once: true
"""

RETURN = r"""
report:
  description: The state of every link and node, as JSON.
  returned: always
  type: dict
  contains:
    lab: {description: Name of the lab., type: str}
    ok: {description: Whether everything is as declared and proven., type: bool}
    summary: {description: How many links and nodes are in which state., type: dict}
    links: {description: One entry for each link., type: list, elements: dict}
    nodes: {description: One entry for each node., type: list, elements: dict}
    notes: {description: What the user should know., type: list, elements: str}
table:
  description: The same as text.
  returned: always
  type: str
complaint:
  description: What is not as declared, one line for each object, or nothing.
  returned: always
  type: str
take_back:
  description: For each server, the keys of the links whose far half failed.
  returned: always
  type: dict
lock:
  description: The content of the lock file, which records where the nodes are.
  returned: always
  type: str
lock_changed:
  description: Whether the lock file has another content, or is not there.
  returned: always
  type: bool
"""
