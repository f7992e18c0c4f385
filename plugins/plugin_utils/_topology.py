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
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Inheritance, Level, Settings, read_level
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._links import LinkReader
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, check_lab, check_node, check_prefix, container_name
from ansible_collections.archetype.lab.plugins.plugin_utils._netlab import convert_netlab, is_netlab
from ansible_collections.archetype.lab.plugins.plugin_utils._nodes import NodeReader
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, did_you_mean, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Scalar, Value, load_yaml

_FILE_KEYS = ("debug", "mgmt", "name", "prefix", "settings", "topology")
_FILE_NOT_HONOURED = ("debug", "mgmt", "settings")
_TOPOLOGY_KEYS = ("defaults", "groups", "kinds", "links", "nodes")
_MAGIC = "__git"
"""C(__gitBranch__) and C(__gitHash__): a lab whose name changes with each commit would be another lab each time."""
IMPORT_ENVIRONMENT = "__IMPORT_ENVS"
_SEGMENT_KEYS = ("group", "kind", "labels")


def load_topology(path: str, environment: t.Mapping[str, str] | None = None, catalog: Catalog | None = None) -> Topology:
    """A topology file. environment: where C($NAME) comes from, None for this process's. catalog: its kinds, None for the collection's.

    Raises LabFileError with all problems.
    """
    path = os.path.abspath(path)
    root = load_yaml(path, os.environ if environment is None else environment)
    return _read_netlab(root, path, catalog) if is_netlab(root) else read_topology(root, path, catalog)


def _read_netlab(root: Value, path: str, catalog: Catalog | None) -> Topology:
    """What netlab wrote: it knows no C($NAME), and so is read once more where it has a dollar sign."""
    with open(path, "rb") as stream:
        root = load_yaml(path) if b"$" in stream.read() else root
    problems, folder = Problems(path), os.path.dirname(path)
    converted, notes = convert_netlab(root, problems, lambda name: os.path.exists(os.path.join(folder, name)))
    problems.raise_if_any()
    topology = read_topology(converted, path, catalog)
    return replace(topology, notes=(*notes, *topology.notes))


def read_topology(root: Value, file: str, catalog: Catalog | None = None) -> Topology:
    """A topology that was parsed already. Relative paths in it are beside the file."""
    problems = Problems(file)
    topology = _TopologyReader(problems, catalog or Catalog()).read(root)
    problems.raise_if_any()
    return topology


class _TopologyReader(Reader):
    def __init__(self, problems: Problems, catalog: Catalog) -> None:
        super().__init__(problems)
        self.catalog = catalog
        self.notes: list[str] = []
        self.kinds: dict[str, Kind | None] = {}
        self.settings: dict[str, Settings] = {}

    def read(self, root: Value) -> Topology:
        file = self.mapping(root, "a topology file")
        if file is None:
            if not self.problems.found:
                self.problems.add(root, "the file is empty", "Give it name and topology")
            raise LabFileError(self.problems.found)
        self.known_keys(file, _FILE_KEYS, "a topology file")
        self.notes += [f"{key} is not honoured yet" for key in _FILE_NOT_HONOURED if file.get(key) is not None]
        lab, prefix = self._lab(file), self._prefix(file)
        topology = self.mapping(file.get("topology"), "topology")
        if topology is None:
            if file.get("topology") is None:
                self.problems.add(file, "topology is missing", "Put nodes and links under it")
            return Topology(lab, {}, {}, self.problems.file)
        self.known_keys(topology, _TOPOLOGY_KEYS, "topology")
        nodes = self._nodes(topology, lab, prefix)
        links = LinkReader(self.problems, self.kinds, self._networks())
        found = links.read(topology.get("links"))
        self._unlinked_segments(links)
        return Topology(lab, dict(sorted(nodes.items())), found, self.problems.file, tuple(self.notes + links.notes))

    def _networks(self) -> dict[str, str]:
        """Node -> its network-mode, of those that have one: on it depends which interfaces a link may have."""
        modes = {name: settings.scalar("network-mode") for name, settings in self.settings.items()}
        return {name: mode.text for name, mode in modes.items() if mode is not None}

    def _lab(self, file: MapValue) -> str:
        value = file.get("name")
        if value is None:
            self.problems.add(file, "name is missing", "Give the lab a name")
        name = self.text(value, "name")
        if name and _MAGIC in name:
            self.problems.add(value, f"name: {quote(name)} has a variable of containerlab's, which is not supported", "Write the name out")
            return ""
        try:
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

    def _levels(self, topology: MapValue, key: str, level: str) -> dict[str, Level]:
        levels = self.mapping(topology.get(key), key)
        return {name: read_level(self, entry.value, f"{level} {word(name)}") for name, entry in levels.entries.items()} if levels else {}

    def _nodes(self, topology: MapValue, lab: str, prefix: str | None) -> dict[str, Node]:
        inheritance = Inheritance(
            defaults=read_level(self, topology.get("defaults"), "defaults"),
            kinds=self._levels(topology, "kinds", "kind"),
            groups=self._levels(topology, "groups", "group"),
        )
        nodes = self.mapping(topology.get("nodes"), "nodes")
        if nodes is None or not nodes.entries:
            if nodes is not None or topology.get("nodes") is None:
                self.problems.add(nodes or topology, "there are no nodes", "Put them under topology, nodes")
            return {}
        reader, found = NodeReader(self.problems, os.path.dirname(self.problems.file)), {}
        for name, entry in nodes.entries.items():
            level = read_level(self, entry.value, f"node {word(name)}")
            settings = inheritance.settings(level)
            kind = self._kind(name, entry.key, settings)
            if kind is None:
                continue
            if kind.is_segment:
                self._segment(name, level)
                continue
            found[name] = reader.node(name, entry.key, settings, kind, container_name(lab, name, prefix))
            self.kinds[name] = with_cards(kind, found[name].components)
            self._not_honoured(name, settings, kind)
        self._unused_kinds(inheritance)
        return found

    def _kind(self, name: str, at: Scalar, settings: Settings) -> Kind | None:
        """The node's kind; a problem and None where it cannot be said. The name is checked on the way."""
        self.kinds[name] = None
        self.settings[name] = settings
        try:
            check_node(name)
        except NameFault as exc:
            self.problems.add(at, exc.what, exc.remedy)
            return None
        if settings.kind is None:
            self.problems.add(at, f"node {name} has no kind", "Give it one, or give one to its group or the defaults")
            return None
        found, image = self.catalog.find(settings.kind.text), settings.scalar("image")
        if found is not None:
            self.kinds[name] = self.catalog.resolve(found, image.text if image else "")
        else:
            self.problems.add(settings.kind, f"unknown kind {quote(settings.kind.text)}", self.catalog.remedy(settings.kind.text))
        return self.kinds[name]

    def _segment(self, name: str, level: Level) -> None:
        """A bridge is no device: of the settings of a node it has only its kind and words for people."""
        keys = {*level.scalars, *level.lists, *level.maps, *level.not_honoured}
        self._note(f"segment {name}", sorted(keys.difference(_SEGMENT_KEYS)))

    def _not_honoured(self, name: str, settings: Settings, kind: Kind) -> None:
        keys = settings.not_honoured
        if IMPORT_ENVIRONMENT in settings.mapping("env"):
            keys = [f"env {IMPORT_ENVIRONMENT}", *keys]
        if settings.scalar("startup-config") and not kind.startup_config.path:
            keys = sorted([*keys, "startup-config"])
        self._note(f"node {name}", keys)

    def _note(self, what: str, keys: t.Sequence[str]) -> None:
        if keys:
            self.notes.append(f"{what}: {', '.join(keys)} {'is' if len(keys) == 1 else 'are'} not honoured yet")

    def _unused_kinds(self, inheritance: Inheritance) -> None:
        """Settings of a kind that does not exist are most often a slip of the pen."""
        used = {settings.kind.text for settings in self.settings.values() if settings.kind}
        for name in inheritance.kinds:
            if name not in used and self.catalog.find(name) is None:
                remedy = did_you_mean(name, used)
                self.notes.append(f"kinds: {quote(name)} is not a known kind, and no node uses it. {remedy}".strip())

    def _unlinked_segments(self, links: LinkReader) -> None:
        for name, kind in self.kinds.items():
            if kind is not None and kind.is_segment and name not in links.segments:
                self.notes.append(f"segment {name}: no link ends at it")
