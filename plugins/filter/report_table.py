# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: report_table
short_description: Show a report as text
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Makes tables for the terminal, plain and aligned, of links, nodes, and what is wrong with them.

positional: _input, width
options:
  _input:
    description: The report, as P(archetype.lab.report#filter) made it.
    type: dict
    required: true
  width:
    description: Columns of the terminal. Reasons are wrapped to it; names, keys and commands are never broken.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Show the lab
  ansible.builtin.debug:
    msg: "{{ (lab_plan | archetype.lab.report(lab_results) | archetype.lab.report_table).splitlines() }}"
"""

RETURN = r"""
_value:
  description: The text.
  type: str
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._table import render_report


def _report_table(report: t.Mapping[str, t.Any], width: int = 120) -> str:
    return render_report(plain(report), int(width))


class FilterModule:
    """C(archetype.lab.report_table)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"report_table": _report_table}
