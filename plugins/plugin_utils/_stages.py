# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""In which waves nodes start, from what their stages wait for.

containerlab holds back one stage of one node until one stage of another is over. Servers know nothing of each other, so here whole nodes
wait: a node starts when the nodes that it waits for are as they must be, and all the others of their waves too. Links are there before
any node starts.
"""

from __future__ import annotations

import graphlib
import typing as t
from dataclasses import dataclass, field

HOLDS = {"healthy": "healthy", "exit": "exit"}
"""Stage that is waited for -> what the wave of its node is held for. For the others it is enough that the node runs."""

JOINS = "joins"
"""In place of a stage: the node has the network or the processes of the other one, and starts after it, in its wave or a later one."""
MAX_CYCLES = 20


@dataclass(frozen=True)
class Dependency:
    """Node waits for another, until it is over with a stage. at: its place in the file, for whoever tells of it."""

    node: str
    on: str
    stage: str
    at: t.Any = None


@dataclass
class Waves:
    """order: wave and hold of each node.

    cycles: dependencies that close a circle, with the nodes in it; not more than MAX_CYCLES. torn: those that want two things of one node.
    """

    order: dict[str, tuple[int, str]]
    cycles: list[tuple[Dependency, list[str]]] = field(default_factory=list)
    torn: list[tuple[Dependency, Dependency]] = field(default_factory=list)


def waves(nodes: t.Iterable[str], dependencies: t.Sequence[Dependency]) -> Waves:
    """The waves of these nodes. What a dependency names must be among them."""
    found = Waves({})
    order = _Depths(nodes, dependencies, found).all()
    holds: dict[str, Dependency] = {}
    for one in dependencies:
        hold, before = HOLDS.get(one.stage, ""), holds.get(one.on)
        if hold and before is None:
            holds[one.on] = one
        elif hold and before is not None and before.stage != one.stage:
            found.torn.append((one, before))
    found.order = {name: (depth, HOLDS[holds[name].stage] if name in holds else "") for name, depth in order.items()}
    return found


def closed(waits: t.Mapping[str, t.Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Node -> what it waits for, and what that waits for, and so on. What goes in a circle was refused before."""
    found: dict[str, tuple[str, ...]] = {}
    for name in graphlib.TopologicalSorter(waits).static_order():
        own = set(waits.get(name, ()))
        found[name] = tuple(sorted(own.union(*(found[one] for one in own))))
    return found


class _Depths:
    """The longest chain of dependencies below each node, without recursion: chains are as long as the user writes them."""

    def __init__(self, nodes: t.Iterable[str], dependencies: t.Sequence[Dependency], found: Waves) -> None:
        self.found = found
        self.below: dict[str, list[Dependency]] = {name: [] for name in nodes}
        for one in dependencies:
            self.below[one.node].append(one)
        self.depths: dict[str, int] = {}
        self.path: dict[str, None] = {}

    def all(self) -> dict[str, int]:
        for name in self.below:
            if name not in self.depths:
                self._visit(name)
        return self.depths

    def _visit(self, start: str) -> None:
        stack = [(start, iter(self.below[start]))]
        self.path[start] = None
        while stack:
            name, rest = stack[-1]
            for one in rest:
                if one.on in self.path:
                    self._circle(one)
                elif one.on not in self.depths:
                    self.path[one.on] = None
                    stack.append((one.on, iter(self.below[one.on])))
                    break
            else:
                stack.pop()
                del self.path[name]
                self.depths[name] = max((self.depths.get(one.on, 0) + (one.stage != JOINS) for one in self.below[name]), default=0)

    def _circle(self, one: Dependency) -> None:
        if len(self.found.cycles) < MAX_CYCLES:
            members = list(self.path)
            self.found.cycles.append((one, members[members.index(one.on) :]))
