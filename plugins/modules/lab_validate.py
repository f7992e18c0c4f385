#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_validate
short_description: Check topologies and lab files, without a server
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Reads files as P(archetype.lab.topology#inventory) does, and plans each as M(archetype.lab.lab_plan) does, but asks no server. All
    that is wrong is told at once, each with file, line and column, what is wrong, and what to do.
  - What only servers know (images, what is there already, the path MTU) is not checked.
  - Runs on the controller; touches no server, and writes nothing.
extends_documentation_fragment:
  - archetype.lab.attributes.report
options:
  files:
    description:
      - Paths of topologies (containerlab files, JSON of C(netlab create -o json)) and lab files, relative to the current folder. Patterns
        such as C(labs/*.clab.yml) are allowed.
      - Without any, all lab files of the inventory, and those among its sources that Ansible could not read.
    type: list
    elements: str
    default: []
  show:
    description: Whether the outcome is shown as text.
    type: bool
    default: true
  fail:
    description:
      - Whether a file with problems, or no file at all, is a failure.
      - Ansible shows the whole result of a task that fails; see RV(complaint).
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Check all topologies of a folder
  archetype.lab.lab_validate:
    files: [labs/*.clab.yml]

- name: Check the lab files of the inventory, and use what comes of it
  archetype.lab.lab_validate:
    show: false
    fail: false
  register: outcome

- name: Show how many nodes there are of each kind
  ansible.builtin.debug:
    msg: "{{ outcome.files | items2dict(key_name='path', value_name='nodes') }}"
"""

RETURN = r"""
ok:
  description: Whether no file has a problem.
  returned: always
  type: bool
files:
  description: What came of each file.
  returned: always
  type: list
  elements: dict
  contains:
    path: {description: Absolute path of the file., type: str}
    sort: {description: "What it is: V(lab file) or V(topology).", type: str}
    lab: {description: Name of the lab; empty where the file cannot be read., type: str}
    ok: {description: Whether it has no problem., type: bool}
    problems:
      description: What is wrong, in the order of the file.
      type: list
      elements: dict
      contains:
        file: {description: Absolute path; another one where the problem is in the topology of a lab file., type: str}
        line: {description: "Line, from 1; 0 where it is the whole file.", type: int}
        column: {description: "Column, from 1; 0 where it is the whole line.", type: int}
        what: {description: What is wrong., type: str}
        remedy: {description: "What to do; may be empty.", type: str}
    notes: {description: What the user should know all the same., type: list, elements: str}
    unchecked: {description: "What could not be checked, and why.", type: list, elements: str}
    nodes: {description: How many nodes there are of each kind., type: dict}
    links: {description: How many links there are of each type; a segment is one., type: dict}
    servers: {description: How many nodes go to each server; empty where the servers are not known., type: dict}
text:
  description: The same as text.
  returned: always
  type: str
complaint:
  description: Which files have problems, in a line, or nothing.
  returned: always
  type: str
"""
