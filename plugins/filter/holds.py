# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: holds
short_description: Look which links and nodes of a lab are to be left alone
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Takes links and nodes as people name them, and gives them the names that the lab has for them. The ends of a link may be in any order.
  - Tells of names that are none, with those that are near.

positional: _input, links, nodes, held, silent
options:
  _input:
    description: The names - a list, or a text with commas.
    type: raw
    required: true
  links:
    description: The keys of the lab's links.
    type: list
    elements: str
    required: true
  nodes:
    description: The names of the lab's nodes.
    type: list
    elements: str
    required: true
  held:
    description: What is held now. It may be held further, also where it is of a server that cannot be asked.
    type: list
    elements: str
    default: []
  silent:
    description: Servers that could not be asked for their links and nodes, for the complaint.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Leave a link alone
  archetype.lab.lab_reconcile:
    lab: demo
    hold: "{{ ('r2:eth1--r1:eth1' | archetype.lab.holds(['r1:eth1--r2:eth1'], ['r1', 'r2'])).names }}"
"""

RETURN = r"""
_value:
  description: C(names), sorted, and C(complaint), which is empty where all are links or nodes of the lab.
  type: dict
  sample: {names: ["r1:eth1--r2:eth1"], complaint: ""}
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._holds import find_holds
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain


def _holds(
    names: t.Any, links: t.Iterable[str], nodes: t.Iterable[str], held: t.Iterable[str] = (), silent: t.Iterable[str] = ()
) -> dict[str, t.Any]:
    return find_holds(plain(names), plain(list(links)), plain(list(nodes)), plain(list(held)), plain(list(silent)))


class FilterModule:
    """C(archetype.lab.holds)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"holds": _holds}
