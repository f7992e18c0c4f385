# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: saved
short_description: Tell what became of saving the configurations of a lab's nodes
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Puts together what M(archetype.lab.lab_config) returned on every server. A node of a server that failed as a whole is a failed one.

positional: _input, plan, nodes
options:
  _input:
    description: Server to what M(archetype.lab.lab_config) returned there.
    type: dict
    required: true
  plan:
    description: The plan, as P(archetype.lab.plan#lookup) made it.
    type: dict
    required: true
  nodes:
    description: The nodes that were asked for; all whose configuration can be read, where it is empty.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Show what was saved
  ansible.builtin.debug:
    msg: "{{ lab_savings | archetype.lab.saved(lab_plan) }}"
"""

RETURN = r"""
_value:
  description:
    - C(saved) and C(unchanged) are names of nodes, C(failed) is node to reason.
    - C(without) are the nodes whose configuration cannot be read, as their kinds do not say how.
    - C(text) is a line with all of it, and C(unknown) what is wrong with O(nodes).
  type: dict
  sample: {saved: [r1], unchanged: [], failed: {}, without: [h1], unknown: [], text: "saved 1 (r1); no way to read it 1 (h1)"}
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._saved import summary, unknown


def _saved(results: t.Mapping[str, t.Any], plan: t.Mapping[str, t.Any], nodes: t.Sequence[str] = ()) -> dict[str, t.Any]:
    whole, asked = plain(plan), [str(node) for node in plain(nodes)]
    return {**summary(whole, plain(results), asked), "unknown": unknown(whole, asked)}


class FilterModule:
    """C(archetype.lab.saved)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"saved": _saved}
