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
  - Puts together what M(archetype.lab.lab_info), M(archetype.lab.lab_converge) or M(archetype.lab.lab_reconcile), and
    M(archetype.lab.lab_certify) returned on every server, decides the state of every link and node, shows it as a table, and fails when
    the lab is not as declared.
  - A link is C(up) only when frames of every kind arrived from each of its endpoints at every other, and nothing leaked.
  - Runs on the controller; touches no server.
extends_documentation_fragment:
  - archetype.lab.attributes.report
options:
  plan:
    description:
      - The plan, as P(archetype.lab.plan#lookup) made it.
      - Without it, what is declared is what the servers keep, as M(archetype.lab.lab_reconcile) returned it. Halves of links that do not
        fit are errors then.
    type: dict
  lab:
    description: Name of the lab, where there is no O(plan).
    type: str
  reconciliation:
    description: Name of the variable in which every server has the result of M(archetype.lab.lab_reconcile), where it ran.
    type: str
    default: lab_reconciliation
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
  hold:
    description: Links and nodes that are left alone, and so are no errors. Without it, those that the servers tell of.
    type: list
    elements: str
  journal:
    description: How many entries of the servers' journals are in the report; see O(archetype.lab.lab_info#module:journal).
    type: int
  patient:
    description: Whether a node that takes longer than its kind gives it is C(starting). Else it is an error.
    type: bool
    default: false
  show:
    description:
      - Whether the table is shown.
      - Then the report is also given as a custom stat C(archetype_lab_report), as M(ansible.builtin.set_stats) does, for workflows of AWX.
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

- name: Show a lab as its servers keep it
  archetype.lab.lab_report:
    lab: demo
  run_once: true
"""

RETURN = r"""
report:
  description: The state of every link and node, as JSON.
  returned: always
  type: dict
  contains:
    lab: {description: Name of the lab., type: str}
    at: {description: When it was made., type: str}
    ok: {description: Whether everything is as declared and proven., type: bool}
    summary: {description: How many links and nodes are in which state., type: dict}
    links:
      description:
        - One entry for each link - C(state) and C(reason), C(since) and how it was C(proven) (C(by), C(at)), and where it was compared in
          this run its C(word) and C(detail).
      type: list
      elements: dict
    nodes: {description: One entry for each node., type: list, elements: dict}
    notes: {description: What the user should know., type: list, elements: str}
    servers: {description: "Each server with its C(state) and C(reason), its C(watcher) and its C(last_pass).", type: dict}
    busy: {description: "Who else works on the lab and since when, as C(by root on host since TIME); empty where nobody does.", type: str}
    mended: {description: What M(archetype.lab.lab_reconcile) put right., type: list, elements: dict}
    orphans: {description: What belongs to the lab and is not declared., type: list, elements: dict}
    waiting: {description: What could not be mended and is tried again later., type: list, elements: dict}
    held: {description: Links and nodes that are left alone., type: list, elements: str}
    journal: {description: "The last entries of all servers, oldest first. Only with O(journal).", type: list, elements: dict}
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
