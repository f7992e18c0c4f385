# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whose carrier is off: the near end of a link whose far node does not run, as with a cable whose other end has no power.

It is laid over the declared state for a pass, and never becomes part of it. Which nodes of other servers run is what their watchers told
last, in C(far.json); of whom nothing was told is taken to run.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils import _run_files

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared, Link

FILE = "far.json"
_SHARED = ("management", "segment:")
"""Links that are a switch and no cable: what is at another end of them shows nowhere."""


def is_cable(link: Link) -> bool:
    """Whether what is at one end of a link shows at the other."""
    return len(link.endpoints) == 2 and not link.key.startswith(_SHARED)


def stopped_ends(links: t.Sequence[Link], stopped: t.Collection[str]) -> dict[str, str]:
    """The links with two ends of which a node does not run, with that node; of two such, the first."""
    found: dict[str, str] = {}
    for link in links:
        if not is_cable(link):
            continue
        off = [one.node for one in link.endpoints if one.node in stopped]
        if off:
            found[link.key] = off[0]
    return found


def overlay(declared: Declared, stopped: t.Collection[str]) -> Declared:
    """The same with the near ends of such links down: those at nodes that run. An end at a node that does not run is left."""
    ends = stopped_ends(declared.links, stopped)
    if not ends:
        return declared
    ports = (
        replace(port, enabled=False) if port.enabled and port.link in ends and port.node not in stopped else port for port in declared.ports
    )
    return replace(declared, ports=tuple(ports))


def down_links(declared: Declared, stopped: t.Collection[str]) -> dict[str, str]:
    """Links that are meant to be down, with the reason."""
    found = {port.link: "it is declared down" for port in declared.ports if port.link and not port.enabled}
    found.update(dict.fromkeys(declared.taken_back, "its far half failed"))
    ends = stopped_ends(declared.links, stopped)
    return {**found, **{key: f"node {node} does not run" for key, node in ends.items()}}


def load_far(lab: str) -> dict[str, bool]:
    """Which nodes of other servers run, as far as that was told. What is damaged counts as nothing told: it is told again in seconds."""
    return {str(node): value for node, value in _run_files.read(lab, FILE)[0].items() if isinstance(value, bool)}


def save_far(lab: str, nodes: t.Mapping[str, bool]) -> bool:
    """Keep what was told; whether it is another state than before. Raises ApplyError."""
    with _run_files.exclusive(lab):
        have, damage = _run_files.read(lab, FILE)
        if damage is None and have == dict(nodes):
            return False
        _run_files.write(lab, FILE, dict(nodes))
    return True
