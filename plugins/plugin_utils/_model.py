# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The values that flow through the controller side: what a topology means, before anything is placed or allocated.

Everything is resolved here: inheritance applied, names canonical, files found. Nothing knows of a server.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Place:
    """Where in a file something was written; line and column count from 1."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True)
class Bind:
    """A bind mount of a node. source: an absolute path on the controller (local) or on the server.

    local: the source is a file or folder beside the topology, which is brought to the server; else it must be there already.
    content: the text of the file itself (then local, and source is empty); None where source names it.
    """

    source: str
    target: str
    options: str = ""
    local: bool = False
    content: str | None = None


@dataclass(frozen=True)
class Node:
    """A device of the lab. settings beyond these are in the kind."""

    name: str
    kind: str
    image: str
    place: Place
    container: str
    group: str = ""
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str = ""
    env: t.Mapping[str, str] = field(default_factory=dict)
    labels: t.Mapping[str, str] = field(default_factory=dict)
    binds: tuple[Bind, ...] = ()
    exec: tuple[tuple[str, ...], ...] = ()
    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    privileged: bool = False
    system_paths: str = "default"
    memory: int = 0
    cpu: float = 0.0


@dataclass(frozen=True, order=True)
class EndpointRef:
    """One end of a link: a node, and the Linux name of its interface. mac: what the user fixed, else empty."""

    node: str
    interface: str
    mac: str = field(default="", compare=False)
    vendor_name: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        return f"{self.node}:{self.interface}"


@dataclass(frozen=True)
class TopologyLink:
    """A wire: two endpoints, or any number for a segment (a node of kind bridge in the file).

    key: the canonical link key. mtu: what was asked for, None where the file is silent.
    """

    key: str
    endpoints: tuple[EndpointRef, ...]
    place: Place
    mtu: int | None = None
    segment: str = ""


@dataclass(frozen=True)
class Topology:
    """What one topology file says. nodes and links are sorted by name and key, so that the file's order does not matter."""

    name: str
    nodes: t.Mapping[str, Node]
    links: t.Mapping[str, TopologyLink]
    file: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabFile:
    """A lab file (C(*.lab.yml)): the topology, and how it is to be laid over servers.

    servers: the name of a group, or server -> host variables. pins: node -> server. lock_file: path of C(<name>.lock.yml).
    """

    path: str
    topology: Topology
    servers: str | t.Mapping[str, t.Mapping[str, t.Any]]
    pins: t.Mapping[str, str] = field(default_factory=dict)
    images: t.Mapping[str, str] = field(default_factory=dict)
    overlay_mode: str = "per_link"
    local_tags: tuple[int, int] = (100, 2999)
    cross_tags: tuple[int, int] = (3000, 4094)
    link_mtu: int = 9500
    lock_file: str = ""
