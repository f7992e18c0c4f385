# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Containers that nodes share a network with and that are not the lab's: on which servers they are, and so where the nodes can be."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json


def is_foreign(node: Node) -> bool:
    """Whether a node is such a container itself: nothing of the lab is made for it but its interfaces."""
    return node.profile.provider == "external"


def foreign_of(node: Node) -> str:
    """The name of the container that is not the lab's and whose network a node has; empty where there is none."""
    return node.shares if node.network_mode.startswith("container:") else ""


def bound_nodes(topology: Topology, pins: t.Mapping[str, str], observed: t.Mapping[str, Json]) -> tuple[dict[str, str], list[Problem]]:
    """Node -> the server that has its container, as far as servers were observed; and what is in the way."""
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for name in sorted(topology.nodes) if observed else ():
        node = topology.nodes[name]
        container = foreign_of(node)
        if not container:
            continue
        there = [server for server in sorted(observed) if container in ((observed[server].get("claims") or {}).get("containers") or {})]
        pin = pins.get(name, "")
        if pin in there or len(there) == 1:
            found[name] = pin if pin in there else there[0]
        if not there:
            guess = did_you_mean(container, set(topology.nodes) - {name})
            remedy = f"{guess} Else start it there" if guess else "Start it there"
            problems.append(_at(node, f"no server has a container {container}, whose network node {name} has", remedy))
        elif pin and pin not in there and pin in observed:
            what = f"node {name} is pinned to server {pin}, but container {container}, whose network it has, is on {' and '.join(there)}"
            problems.append(_at(node, what, "Correct placement"))
        elif not pin and len(there) > 1:
            what = f"servers {' and '.join(there)} have a container {container}, whose network node {name} has"
            problems.append(_at(node, what, f"Pin node {name} to one of them"))
    return found, problems


def _at(node: Node, what: str, remedy: str) -> Problem:
    return Problem(node.place.file, node.place.line, node.place.column, what, remedy)
