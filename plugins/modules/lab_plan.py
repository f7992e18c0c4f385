#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_plan
short_description: Decide everything about a lab before any server is touched
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Makes the plan of a lab from its lab file and from what M(archetype.lab.lab_info) returned on every server, as
    P(archetype.lab.plan#lookup) does, and fails with everything that is in the way, one line for each problem.
  - Every server of the lab must have been observed, unless O(complete=false). What could not be read is not taken for nothing.
  - Runs on the controller; touches no server.
extends_documentation_fragment:
  - archetype.lab.attributes.report
options:
  lab_file:
    description: Path of the lab file (C(*.lab.yml)).
    type: path
    required: true
  servers:
    description: Server to underlay address, the address at which the other servers reach it.
    type: dict
    required: true
  observation:
    description: Name of the variable in which every server has the result of M(archetype.lab.lab_info).
    type: str
    default: lab_observation
  complete:
    description:
      - Whether a server that could not be observed is a failure.
      - With V(false) the plan is for looking only, as M(archetype.lab.lab_report) does. Never converge with it.
      - Such a plan is not refused for what is in the way on servers, such as a foreign container with the name of a node.
    type: bool
    default: true
seealso:
  - plugin: archetype.lab.plan
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Observe the servers
  archetype.lab.lab_info:
    lab: demo
    server: "{{ inventory_hostname }}"
  register: lab_observation

- name: Plan
  archetype.lab.lab_plan:
    lab_file: "{{ lab_files.demo }}"
    servers: "{{ dict(ansible_play_hosts_all | zip(ansible_play_hosts_all | map('extract', hostvars, 'lab_underlay_address'))) }}"
  register: planning
  run_once: true
"""

RETURN = r"""
plan:
  description: The plan, as P(archetype.lab.plan#lookup) describes it.
  returned: success
  type: dict
lock_writable:
  description: Whether the lock file can be written into the folder of the topology, or is there already as it would be written.
  returned: success
  type: bool
"""
