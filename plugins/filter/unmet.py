# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: unmet
short_description: Tell what keeps the next wave of nodes from starting
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - A wave begins when the one before it is over on every server. This tells, in words, what failed or is not as it must be.

positional: _input
options:
  _input:
    description: Server to what M(archetype.lab.lab_converge) returned there.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Start the next wave
  archetype.lab.lab_converge:
    declared: "{{ lab_plan.slices[inventory_hostname] }}"
    wave: 1
    blocked: "{{ lab_convergences | archetype.lab.unmet }}"
"""

RETURN = r"""
_value:
  description: What it is, for O(archetype.lab.lab_converge#module:blocked); empty where nothing keeps it.
  type: list
  elements: str
  sample: ["node r1, which is not healthy"]
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._waves import unmet


def _unmet(results: t.Mapping[str, t.Any]) -> list[str]:
    return unmet(plain(results))


class FilterModule:
    """C(archetype.lab.unmet)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"unmet": _unmet}
