# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What netlab says of a lab (C(netlab create -o json=FILE)), as the topology that it would be as a containerlab file.

Nothing is decided here: values move to the keys that a containerlab file has for them, with the lines they came from, and the readers of
containerlab files do the rest. What netlab itself does to devices (C(netlab initial)) is no part of a topology, and is told in notes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._netlab_links import LinkConverter
from ansible_collections.archetype.lab.plugins.plugin_utils._netlab_nodes import NodeConverter
from ansible_collections.archetype.lab.plugins.plugin_utils._netlab_tree import made_list, made_map
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import ListValue, MapValue, Problems, Scalar, Value

COMMAND = "netlab create -o json:nodefault=FILE"
_TO_DO = f"Run {COMMAND}, and name that file"
_OWN_KEYS = ("tools", "validate")
"""What netlab does beside the lab: other programs, and tests."""


def is_netlab(root: Value) -> bool:
    """Whether a file is what netlab makes of its topologies, or a part of that, or one of netlab's topologies itself."""
    return _is_whole(root) or bool(_part(root))


def _is_whole(root: Value) -> bool:
    if not isinstance(root, MapValue) or "topology" in root.entries:
        return False
    nodes, links = root.get("nodes"), root.get("links")
    return _are_nodes(nodes) and (links is None or _are_links(links))


def _are_nodes(value: Value | None) -> bool:
    """Whether these are nodes after netlab's transformation: one that has its device and its interfaces."""
    entries = value.entries.values() if isinstance(value, MapValue) else ()
    return any(isinstance(one.value, MapValue) and {"device", "interfaces"} <= one.value.entries.keys() for one in entries)


def _are_links(value: Value | None) -> bool:
    items = value.items if isinstance(value, ListValue) else ()
    return any(isinstance(one, MapValue) and {"linkindex", "interfaces"} <= one.entries.keys() for one in items)


def _part(root: Value) -> str:
    """What else of netlab's a file is, as words for a message; empty where it is not netlab's."""
    if _are_nodes(root):
        return "netlab's nodes without its links"
    if _are_links(root):
        return "netlab's links without its nodes"
    if isinstance(root, MapValue) and "topology" not in root.entries and "nodes" in root.entries:
        return "a topology of netlab's own, which netlab must transform first"
    return ""


def convert_netlab(root: Value, problems: Problems, exists: t.Callable[[str], bool]) -> tuple[Value, list[str]]:
    """The same lab as a containerlab file has it, and what is to be told. exists: whether there is such a path beside the file."""
    return _Converter(problems, exists).convert(root)


class _Converter(Reader):
    def __init__(self, problems: Problems, exists: t.Callable[[str], bool]) -> None:
        super().__init__(problems)
        self.exists = exists
        self.notes: list[str] = []

    def convert(self, root: Value) -> tuple[Value, list[str]]:
        if not isinstance(root, MapValue) or not _is_whole(root):
            self.problems.add(root, f"this file is {_part(root)}", _TO_DO)
            return made_map(root, {}), []
        nodes = NodeConverter(self.problems, self.exists, self.text(root.get("provider"), "provider") or "")
        links = LinkConverter(self.problems)
        found = nodes.convert(self.mapping(root.get("nodes"), "nodes"), self.mapping(root.get("groups"), "groups"))
        wires, segments = links.convert(self.items(root.get("links"), "links"), nodes.known, nodes.left_out)
        topology = made_map(root, {"nodes": made_map(root, {**found, **segments}), "links": made_list(root, wires)})
        self._own(root, nodes, links)
        names = {"name": root.get("name"), "prefix": self._prefix(root), "mgmt": self._management(root), "topology": topology}
        return made_map(root, names), [*self.notes, *nodes.notes, *links.notes]

    def _prefix(self, root: MapValue) -> Value | None:
        """Of the names of containers; only where the file has netlab's defaults, else it is containerlab's, which netlab's is too."""
        value: Value | None = root
        for key in ("defaults", "providers", "clab", "lab_prefix"):
            entry = value.entries.get(key) if isinstance(value, MapValue) else None
            value = entry.value if entry else None
        return value if isinstance(value, Scalar) else None

    def _management(self, root: MapValue) -> Value | None:
        addressing = self.mapping(root.get("addressing"), "addressing")
        pool = addressing.get("mgmt") if addressing else None
        if not isinstance(pool, MapValue):
            return None
        subnets = {
            "network": pool.get("_network"),
            "bridge": pool.get("_bridge"),
            "ipv4-subnet": pool.get("ipv4"),
            "ipv6-subnet": pool.get("ipv6"),
        }
        return made_map(pool, {key: one for key, one in subnets.items() if isinstance(one, Scalar) and one.text.lower() != "false"})

    def _own(self, root: MapValue, nodes: NodeConverter, links: LinkConverter) -> None:
        """One note each for what netlab does to the devices of a lab, and beside it."""
        modules = [one.text for one in self.scalars(root.get("module"), "module")]
        todo = sorted({*modules, *(["loopbacks"] if nodes.loopbacks else []), *(["unnumbered interfaces"] if links.unnumbered else [])})
        if todo:
            self.notes.append(f"netlab: {', '.join(todo)}: devices are not configured; netlab initial does that")
        for key in _OWN_KEYS:
            if root.get(key) is not None:
                self.notes.append(f"netlab: {key} is not honoured")
