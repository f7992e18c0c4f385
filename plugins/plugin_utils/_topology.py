# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""From a containerlab file, unchanged, to a C(_model.Topology): everything inherited, named canonically, found and checked."""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.plugin_utils._cards import with_cards
from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog
from ansible_collections.archetype.lab.plugins.plugin_utils._collector import uncollected
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Inheritance, Level, LevelReader, Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._links import LinkReader
from ansible_collections.archetype.lab.plugins.plugin_utils._magic import Magic, lab_name
from ansible_collections.archetype.lab.plugins.plugin_utils._mgmt_reader import MgmtReader
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Management, Node, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, check_lab, check_node, check_prefix, container_name
from ansible_collections.archetype.lab.plugins.plugin_utils._netlab import convert_netlab, is_netlab
from ansible_collections.archetype.lab.plugins.plugin_utils._node_network import check_ends
from ansible_collections.archetype.lab.plugins.plugin_utils._nodes import NodeReader
from ansible_collections.archetype.lab.plugins.plugin_utils._noted import notes_of, unused_of
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Scalar, Value, load_yaml

FILE_KEYS = ("debug", "mgmt", "name", "prefix", "settings", "topology")
NOTED = {
    "debug": "it is a switch of containerlab itself",
    "settings": "no certificates are made",
}
"""Keys of the file that have no effect, and why."""
MAX_INHERITED = 1_000_000
"""Most entries of lists and mappings that all nodes together take from defaults, kinds and groups: a small file can say very many."""
TOPOLOGY_KEYS = ("defaults", "groups", "kinds", "links", "nodes")
NO_DEVICE = {"external": "external container", "host": "host", "segment": "segment"}
"""Providers of nodes that the lab makes no container for, and the word for such a node."""
_WORDS = ("group", "kind", "labels", "position")
"""Keys that are words for people: a node that is no device may have them."""


@uncollected
def load_topology(path: str, environment: t.Mapping[str, str] | None = None, catalog: Catalog | None = None) -> Topology:
    """A topology file. environment: where C($NAME) comes from, None for this process's. catalog: its kinds, None for the collection's.

    Raises LabFileError with all problems.
    """
    path = os.path.abspath(path)
    environment = os.environ if environment is None else environment
    root = load_yaml(path, environment)
    return _read_netlab(root, path, catalog) if is_netlab(root) else read_topology(root, path, catalog, environment)


def _read_netlab(root: Value, path: str, catalog: Catalog | None) -> Topology:
    """What netlab wrote: it knows no C($NAME), and so is read once more where it has a dollar sign."""
    with open(path, "rb") as stream:
        root = load_yaml(path) if b"$" in stream.read() else root
    problems, folder = Problems(path), os.path.dirname(path)
    converted, notes = convert_netlab(root, problems, lambda name: os.path.exists(os.path.join(folder, name)))
    problems.raise_if_any()
    topology = read_topology(converted, path, catalog)
    return replace(topology, notes=(*notes, *topology.notes))


def read_topology(root: Value, file: str, catalog: Catalog | None = None, environment: t.Mapping[str, str] | None = None) -> Topology:
    """A topology that was parsed already. Relative paths in it are beside the file. environment: see load_topology."""
    problems = Problems(file)
    topology = _TopologyReader(problems, catalog or Catalog(), os.environ if environment is None else environment).read(root)
    problems.raise_if_any()
    return topology


class _TopologyReader(Reader):
    def __init__(self, problems: Problems, catalog: Catalog, environment: t.Mapping[str, str]) -> None:
        super().__init__(problems)
        self.catalog = catalog
        self.levels = LevelReader(self, environment)
        self.missing = Problems(problems.file)
        self.folder = os.path.dirname(problems.file)
        self.notes: list[str] = []
        self.kinds: dict[str, Kind | None] = {}
        self.settings: dict[str, Settings] = {}

    def read(self, root: Value) -> Topology:
        file = self.mapping(root, "a topology file")
        if file is None:
            if not self.problems.found:
                self.problems.add(root, "the file is empty", "Give it name and topology")
            raise LabFileError(self.problems.found)
        self.known_keys(file, FILE_KEYS, "a topology file")
        self.notes += [f"{key} has no effect: {why}" for key, why in NOTED.items() if file.get(key) is not None]
        lab, prefix = self._lab(file), self._prefix(file)
        mgmt = MgmtReader(self.problems)
        management = mgmt.read(file.get("mgmt"))
        self.notes += mgmt.notes
        topology = self.mapping(file.get("topology"), "topology")
        if topology is None:
            if file.get("topology") is None:
                self.problems.add(file, "topology is missing", "Put nodes and links under it")
            return Topology(lab, {}, {}, self.problems.file)
        self.known_keys(topology, TOPOLOGY_KEYS, "topology")
        nodes = self._nodes(topology, lab, prefix, management)
        links = LinkReader(self.problems, self.kinds, self._networks())
        found = links.read(topology.get("links"))
        check_ends(self.problems, nodes, found.values())
        self._unlinked_segments(links)
        return Topology(
            lab,
            dict(sorted(nodes.items())),
            found,
            self.problems.file,
            tuple(self.notes + links.notes),
            management,
            tuple(sorted(set(self.missing.found))),
        )

    def _networks(self) -> dict[str, str]:
        """Node -> its network-mode, of those that have one: on it depends which interfaces a link may have."""
        modes = {name: settings.scalar("network-mode") for name, settings in self.settings.items()}
        return {name: mode.text for name, mode in modes.items() if mode is not None}

    def _lab(self, file: MapValue) -> str:
        value = file.get("name")
        if value is None:
            self.problems.add(file, "name is missing", "Give the lab a name")
        name = self.text(value, "name")
        try:
            name = lab_name(name, self.folder) if name else name
            check_lab("x" if name is None else name)
        except NameFault as exc:
            self.problems.add(value, exc.what, exc.remedy)
        return name or ""

    def _prefix(self, file: MapValue) -> str | None:
        prefix = self.text(file.get("prefix"), "prefix")
        try:
            check_prefix(prefix or "")
        except NameFault as exc:
            self.problems.add(file.get("prefix"), exc.what, exc.remedy)
        return prefix

    def _above(self, topology: MapValue, key: str, level: str) -> dict[str, Level]:
        levels = self.mapping(topology.get(key), key)
        return {name: self.levels.read(entry.value, f"{level} {word(name)}") for name, entry in levels.entries.items()} if levels else {}

    def _nodes(self, topology: MapValue, lab: str, prefix: str | None, management: Management) -> dict[str, Node]:
        """Kinds first: what a node says of another one depends on what that is."""
        inheritance = Inheritance(
            defaults=self.levels.read(topology.get("defaults"), "defaults"),
            kinds=self._above(topology, "kinds", "kind"),
            groups=self._above(topology, "groups", "group"),
        )
        self._not_inherited(inheritance)
        nodes = self.mapping(topology.get("nodes"), "nodes")
        if nodes is None or not nodes.entries:
            if nodes is not None or topology.get("nodes") is None:
                self.problems.add(nodes or topology, "there are no nodes", "Put them under topology, nodes")
            return {}
        inherited = 0
        for name, entry in nodes.entries.items():
            level = self.levels.read(entry.value, f"node {word(name)}", node=True)
            settings = inheritance.settings(level)
            self._kind(name, entry.key, settings)
            inherited += sum(one.size for one in settings.levels[:-1])
            if inherited > MAX_INHERITED:
                what = f"what all nodes inherit together is more than {MAX_INHERITED} values"
                self.problems.add(topology, what, "Put long lists of commands into a script, and bind it")
                raise LabFileError(self.problems.found)
        containers = {name: container_name(lab, name, prefix) for name in nodes.entries}
        magic = Magic(lab, self.folder)
        reader = NodeReader(self.problems, self.missing, magic, management, self.kinds, containers, self.catalog.images)
        found = {name: node for name, entry in nodes.entries.items() if (node := self._node(reader, name, entry.key)) is not None}
        self.notes += reader.finish(found)
        self.notes += notes_of({name: self.settings[name] for name in found}, {name for name, node in found.items() if node.native})
        self._unused_kinds(inheritance)
        self._near_groups(inheritance)
        return found

    def _node(self, reader: NodeReader, name: str, at: Scalar) -> Node | None:
        """A node that is a container, or one that is there already; None where it is something else, or a problem."""
        kind, settings = self.kinds[name], self.settings[name]
        if kind is None:
            return None
        if kind.provider in NO_DEVICE:
            keys = sorted(settings.levels[-1].keys.difference(_WORDS))
            self._note(f"{NO_DEVICE[kind.provider]} {name}", keys)
            return reader.external(name, at, settings, kind) if kind.provider == "external" else None
        node = reader.node(name, at, settings, kind)
        self._note(f"node {name}", unused_of(kind, settings, native=node.native), f" with kind {kind.name}")
        return node

    def _kind(self, name: str, at: Scalar, settings: Settings) -> None:
        """Note the node's kind; a problem and None where it cannot be said. The name is checked on the way."""
        self.kinds[name] = None
        self.settings[name] = settings
        try:
            check_node(name)
        except NameFault as exc:
            self.problems.add(at, exc.what, exc.remedy)
            return
        if settings.kind is None:
            self.problems.add(at, f"node {name} has no kind", "Give it one, or give one to its group or the defaults")
            return
        found = self.catalog.find(settings.kind.text)
        if found is not None:
            kind = self.catalog.resolve(found, settings.text("image"))
            self.kinds[name] = with_cards(kind, settings.block("components") or ())
        else:
            self.problems.add(settings.kind, f"unknown kind {quote(settings.kind.text)}", self.catalog.remedy(settings.kind.text))

    def _not_inherited(self, inheritance: Inheritance) -> None:
        for where, level in inheritance.named():
            self._note(where, sorted(level.above), ": only a node itself can have it")

    def _note(self, what: str, keys: t.Sequence[str], why: str = "") -> None:
        if keys:
            self.notes.append(f"{what}: {', '.join(keys)} {'has' if len(keys) == 1 else 'have'} no effect{why}")

    def _unused_kinds(self, inheritance: Inheritance) -> None:
        """Settings of a kind that does not exist are most often a slip of the pen."""
        used = {settings.kind.text for settings in self.settings.values() if settings.kind}
        for name in inheritance.kinds:
            if name not in used and self.catalog.find(name) is None:
                remedy = self.near(name, used)
                self.notes.append(f"kinds: {quote(name)} is not a known kind, and no node uses it. {remedy}".strip())

    def _near_groups(self, inheritance: Inheritance) -> None:
        """A group needs no settings; one that is nearly called like one that has some, is most often a slip of the pen."""
        for group in sorted({settings.group for settings in self.settings.values()} - {"", *inheritance.groups}):
            near = self.near(group, inheritance.groups)
            if near:
                self.notes.append(f"group {quote(group)} has no settings under groups. {near}")

    def _unlinked_segments(self, links: LinkReader) -> None:
        for name, kind in self.kinds.items():
            if kind is not None and kind.is_segment and name not in links.segments:
                self.notes.append(f"segment {name}: no link ends at it")
