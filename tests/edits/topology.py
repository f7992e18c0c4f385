# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology as a value that edits make another of, and the files that say it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

HOST = "archetype-lab/host:1"
FRR = "archetype-lab/frr:1"
IMAGES = (HOST, FRR)
LOCAL = (100, 2999)
CROSS = (3000, 4094)


@dataclasses.dataclass(frozen=True)
class Node:
    server: str
    image: str = HOST
    env: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Link:
    """number: of its subnet, which it keeps. ends: (node, interface); they have addresses .1 and .2. mtu: 0 where none is given."""

    number: int
    ends: tuple[tuple[str, str], tuple[str, str]]
    mtu: int = 0

    @property
    def key(self) -> str:
        return "--".join(sorted(self.endpoints))

    @property
    def endpoints(self) -> tuple[str, str]:
        first, second = (f"{node}:{interface}" for node, interface in self.ends)
        return first, second

    @property
    def nodes(self) -> tuple[str, str]:
        return self.ends[0][0], self.ends[1][0]

    def address(self, end: int) -> str:
        return f"10.{self.number // 250}.{self.number % 250}.{end + 1}"


@dataclasses.dataclass(frozen=True)
class Topology:
    """links: by their numbers. local, cross: the ranges of tags."""

    name: str
    nodes: Mapping[str, Node]
    links: tuple[Link, ...]
    local: tuple[int, int] = LOCAL
    cross: tuple[int, int] = CROSS

    @property
    def by_key(self) -> dict[str, Link]:
        return {one.key: one for one in self.links}

    def of(self, node: str) -> tuple[Link, ...]:
        return tuple(one for one in self.links if node in one.nodes)

    def crosses(self, link: Link) -> bool:
        first, second = link.nodes
        return self.nodes[first].server != self.nodes[second].server

    def range_of(self, link: Link) -> tuple[int, int]:
        return self.cross if self.crosses(link) else self.local

    def free_interface(self, node: str) -> str:
        """The first that the node has no link at: one that was given up is soon taken again."""
        used = {interface for link in self.links for one, interface in link.ends if one == node}
        return next(name for name in (f"eth{number}" for number in range(1, 100)) if name not in used)

    def document(self) -> dict[str, Any]:
        """The topology file."""
        nodes = {name: {"kind": "linux", "image": one.image, "env": dict(one.env)} for name, one in self.nodes.items()}
        return {"name": self.name, "topology": {"nodes": nodes, "links": [_written(one) for one in self.links]}}

    def options(self) -> dict[str, Any]:
        """What the lab file says."""
        return {
            "placement": {name: one.server for name, one in self.nodes.items()},
            "tags": {"local": list(self.local), "cross": list(self.cross)},
        }


def _written(link: Link) -> dict[str, Any]:
    text: dict[str, Any] = {"endpoints": list(link.endpoints), "ipv4": [f"{link.address(end)}/24" for end in (0, 1)]}
    return {**text, "mtu": link.mtu} if link.mtu else text


def first(name: str, servers: Iterable[str]) -> Topology:
    """What editing begins with: two nodes on each server, in a ring, and a link across it. Some links are inside a server."""
    nodes = {f"n{number}": Node(server) for number, server in enumerate([one for one in servers for _twice in (0, 1)], 1)}
    names = list(nodes)
    pairs = [*zip(names, [*names[1:], names[0]], strict=True), (names[0], names[len(names) // 2])]
    topology = Topology(name, nodes, ())
    for number, pair in enumerate(pairs, 1):
        one, other = ((node, topology.free_interface(node)) for node in pair)
        topology = dataclasses.replace(topology, links=(*topology.links, Link(number, (one, other))))
    return topology
