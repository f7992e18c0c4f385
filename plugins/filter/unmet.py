# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: unmet
short_description: Tell which nodes others cannot go on waiting for
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - A wave begins when the one before it is over on every server. This tells which nodes failed or are not as they must be, so that those
    that wait for them are not started.

positional: _input, placement
options:
  _input:
    description: Server to what M(archetype.lab.lab_converge) returned there.
    type: dict
    required: true
  placement:
    description: Node to server, as the plan has it. Where a server failed as a whole, this tells which nodes were on it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Start the next wave
  archetype.lab.lab_converge:
    declared: "{{ lab_plan.slices[inventory_hostname] }}"
    wave: 1
    blocked: "{{ lab_convergences | archetype.lab.unmet(lab_plan.placement) }}"
"""

RETURN = r"""
_value:
  description: Each of these nodes with the reason, for O(archetype.lab.lab_converge#module:blocked); empty where all are as they must be.
  type: dict
  sample: {r1: is not healthy}
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._waves import unmet


def _unmet(results: t.Mapping[str, t.Any], placement: t.Mapping[str, t.Any]) -> dict[str, str]:
    return unmet(plain(results), plain(placement))


class FilterModule:
    """C(archetype.lab.unmet)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"unmet": _unmet}
