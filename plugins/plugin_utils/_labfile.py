# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The lab file (C(*.lab.yml)): which topology, on which servers, with which pins and images."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog, check_part
from ansible_collections.archetype.lab.plugins.plugin_utils._disk_image import without_digest
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._links import MAX_MTU, MIN_MTU
from ansible_collections.archetype.lab.plugins.plugin_utils._model import LabFile, Place, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, plain_data, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology, read_topology
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Scalar, Value, load_yaml

PLUGIN = "archetype.lab.topology"
SUFFIXES = (".lab.yml", ".lab.yaml")
DEFAULT_SERVERS = "lab_servers"
OVERLAY_MODES = ("per_link", "shared")
MAX_TAG = 4094
_KEYS = (
    "image_settings",
    "images",
    "kind_settings",
    "kinds_path",
    "lab",
    "link_mtu",
    "links_down",
    "management",
    "overlay_mode",
    "placement",
    "plugin",
    "servers",
    "tags",
    "topology",
)
OF_MACHINES = frozenset({"cpu", "hardware", "link_apply_mode", "memory", "native"})
"""Parts of kinds that have no effect on containers."""
_SERVER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,252}")
_EMPTY = Topology("", {}, {}, "")


def load_lab_file(path: str, environment: t.Mapping[str, str] | None = None) -> LabFile:
    """A lab file and the topology it names. environment: see load_topology. Raises LabFileError with the problems of both files."""
    path = os.path.abspath(path)
    return _LabFileReader(Problems(path), os.environ if environment is None else environment).read(load_yaml(path))


class _LabFileReader(Reader):
    def __init__(self, problems: Problems, environment: t.Mapping[str, str]) -> None:
        super().__init__(problems)
        self.environment = environment
        self.notes: list[str] = []

    def read(self, root: Value) -> LabFile:
        file = self.mapping(root, "a lab file")
        if file is None:
            if not self.problems.found:
                self.problems.add(root, "the file is empty", "Give it plugin, topology and servers")
            raise LabFileError(self.problems.found)
        self.known_keys(file, _KEYS, "a lab file")
        self._plugin(file)
        images = {name: one.text for name, one in self.scalar_map(file.get("images"), "images").items()}
        self.catalog = self._catalog(file, images)
        topology = self._topology(file)
        servers = self._servers(file.get("servers"))
        pins = self._pins(file.get("placement"), topology, servers)
        self._check_images(topology, file.get("images"))
        self._note_machines(file, topology, images)
        self._unused_image_settings(topology, images, file.get("image_settings"))
        if self.boolean(file.get("management"), "management") is False:
            topology = replace(topology, management=replace(topology.management, enabled=False))
        topology = self._links_down(topology, file.get("links_down"))
        local, cross = self._tags(file.get("tags"))
        lab_file = LabFile(
            path=self.problems.file,
            topology=replace(topology, notes=(*topology.notes, *self.notes)),
            servers=servers,
            pins=pins,
            images=images,
            overlay_mode=self._overlay_mode(file.get("overlay_mode")),
            local_tags=local,
            cross_tags=cross,
            link_mtu=self.integer(file.get("link_mtu"), "link_mtu", MIN_MTU, MAX_MTU) or LabFile.link_mtu,
            lock_file=os.path.join(os.path.dirname(topology.file), f"{topology.name}.lock.yml"),
            pin_places=self._places(file.get("placement")),
        )
        self.problems.raise_if_any()
        return lab_file

    def _plugin(self, file: MapValue) -> None:
        name = self.text(file.get("plugin"), "plugin")
        if name != PLUGIN:
            what = "plugin is missing" if name is None else f"plugin is {quote(name)}"
            self.problems.add(file.get("plugin") or file, what, f"Write plugin: {PLUGIN}")

    def _catalog(self, file: MapValue, images: t.Mapping[str, str]) -> Catalog:
        """The kinds of this lab."""
        folders = [folder for item in self.scalars(file.get("kinds_path"), "kinds_path") if (folder := self._folder(item))]
        by_kind, by_image = self._parts(file, "kind_settings"), self._parts(file, "image_settings")
        catalog = Catalog(folders, by_kind, by_image, images)
        self.problems.found += catalog.problems
        for name in by_kind:
            if catalog.find(name) is None:
                at = t.cast(MapValue, file.get("kind_settings")).entries[name].key
                self.problems.add(at, f"kind_settings: unknown kind {quote(name)}", catalog.remedy(name))
        return catalog

    def _folder(self, item: Scalar) -> str:
        """A folder with kinds, relative to the lab file."""
        path = os.path.join(os.path.dirname(self.problems.file), os.path.expanduser(item.text))
        if os.path.isdir(path):
            return os.path.normpath(path)
        self.problems.add(item, f"kinds_path: there is no folder {quote(item.text)}", "Relative paths are beside the lab file")
        return ""

    def _parts(self, file: MapValue, key: str) -> dict[str, MapValue]:
        """Name -> what it changes of a kind. A part with problems is left out, so that it is told once."""
        parts: dict[str, MapValue] = {}
        values = self.mapping(file.get(key), key)
        for name, entry in values.entries.items() if values else ():
            problems = Problems(self.problems.file)
            check_part(problems, entry.value)
            self.problems.found += problems.found
            if isinstance(entry.value, MapValue) and not problems.found:
                parts[name] = entry.value
        return parts

    def _note_machines(self, file: MapValue, topology: Topology, images: t.Mapping[str, str]) -> None:
        """What is said of machines where there is none."""
        machines = [node for node in topology.nodes.values() if node.native]
        named = {
            "kind_settings": {name for node in machines for name in (node.kind, *node.profile.aliases)},
            "image_settings": {without_digest(name) for one in machines for name in (one.reference, images.get(one.reference, ""))},
        }
        for key, names in named.items():
            values = file.get(key)
            for name, entry in values.entries.items() if isinstance(values, MapValue) else ():
                unused = sorted(OF_MACHINES.intersection(entry.value.entries)) if isinstance(entry.value, MapValue) else []
                if unused and without_digest(name.lower() if key == "kind_settings" else name) not in names:
                    have = "has" if len(unused) == 1 else "have"
                    self.notes.append(
                        f"{key} of {word(name)}: {', '.join(unused)} {have} no effect: no node of it is a virtual machine from a disk"
                    )

    def _unused_image_settings(self, topology: Topology, images: t.Mapping[str, str], value: Value | None) -> None:
        references = {node.reference for node in topology.nodes.values()}
        used = {images.get(one, one) for one in references} | references | {name for name, image in images.items() if image}
        for name in value.entries if isinstance(value, MapValue) and topology is not _EMPTY else ():
            if name not in used:
                self.notes.append(f"image_settings: no node has the image {quote(name)}. {self.near(name, used)}".strip())

    def _topology(self, file: MapValue) -> Topology:
        """The topology, or an empty one after problems, so that the rest of the lab file is checked as well."""
        named, inline = file.get("topology"), file.get("lab")
        if (named is None) == (inline is None):
            what = "there is no topology" if named is None else "topology and lab are both there"
            self.problems.add(file if named is None else inline, what, "Give either topology, the path of a file, or lab, its content")
            return _EMPTY
        try:
            if inline is not None:
                return self._inline()
            path = self.text(named, "topology")
            if path is None:
                return _EMPTY
            return self._named(t.cast(Value, named), path)
        except LabFileError as exc:
            self.problems.found += exc.problems
            return _EMPTY

    def _named(self, at: Value, path: str) -> Topology:
        if path.endswith(".gotmpl"):
            self.problems.add(at, "Go templates are not supported", "Name the file that the template was rendered to")
            return _EMPTY
        whole = os.path.join(os.path.dirname(self.problems.file), os.path.expanduser(path))
        if not os.path.isfile(whole):
            self.problems.add(at, f"there is no topology file {quote(path)}", f"Relative paths are looked for in {os.path.dirname(whole)}")
            return _EMPTY
        return load_topology(whole, self.environment, self.catalog)

    def _inline(self) -> Topology:
        """The topology under C(lab), read once more with the environment's variables in it; the lab file itself has none."""
        root = load_yaml(self.problems.file, self.environment)
        inline = root.get("lab") if isinstance(root, MapValue) else None
        return read_topology(inline or root, self.problems.file, self.catalog, self.environment)

    def _servers(self, value: Value | None) -> str | dict[str, dict[str, t.Any]]:
        if value is None:
            return DEFAULT_SERVERS
        if isinstance(value, Scalar):
            return value.text
        if not isinstance(value, MapValue):
            self.wrong(value, "servers", "the name of a group, or a mapping of servers")
            return DEFAULT_SERVERS
        if not value.entries:
            self.problems.add(value, "there are no servers", "Name at least one")
        found: dict[str, dict[str, t.Any]] = {}
        for name, entry in value.entries.items():
            if not _SERVER.fullmatch(name):
                self.problems.add(entry.key, f"{quote(name)} cannot name a server", "Use letters, digits, '.', '_' and '-'")
            variables = self.mapping(entry.value, f"variables of server {word(name)}")
            found[name] = plain_data(variables) if variables else {}
            self._variables(variables)
        return found

    def _variables(self, variables: MapValue | None) -> None:
        for name, entry in variables.entries.items() if variables else ():
            if not (name.isascii() and name.isidentifier()):
                self.problems.add(entry.key, f"{quote(name)} cannot name a variable", "Use letters, digits and '_'")

    def _pins(self, value: Value | None, topology: Topology, servers: str | t.Mapping[str, t.Any]) -> dict[str, str]:
        pins = self.scalar_map(value, "placement")
        segments = {link.segment for link in topology.links.values() if link.segment}
        for node, server in pins.items():
            if not server.text:
                self.problems.add(server, f"node {word(node)} is pinned to no server", "Name one, or take the line out")
            elif topology is not _EMPTY and node not in topology.nodes:
                if node in segments:
                    self.problems.add(server, f"{word(node)} is a segment, which runs on no server", "Take the line out")
                else:
                    remedy = self.near(node, topology.nodes) or "Correct its name, or take the line out"
                    self.problems.add(server, f"unknown node {quote(node)} in placement", remedy)
            elif not isinstance(servers, str) and server.text not in servers:
                remedy = self.near(server.text, servers) or f"Servers are: {', '.join(servers)}"
                self.problems.add(server, f"node {word(node)} is pinned to the unknown server {quote(server.text)}", remedy)
        return {node: server.text for node, server in pins.items()}

    def _places(self, value: Value | None) -> dict[str, Place]:
        """Node -> where its pin is written."""
        entries = value.entries.items() if isinstance(value, MapValue) else ()
        return {node: Place(self.problems.file, one.value.line, one.value.column) for node, one in entries}

    def _check_images(self, topology: Topology, value: Value | None) -> None:
        """The catalog has put them in place of the topology's, by exact reference."""
        used = {node.reference for node in topology.nodes.values()}
        for name, image in self.scalar_map(value, "images").items() if isinstance(value, MapValue) else ():
            if not image.text:
                self.problems.add(image, f"images: {quote(name)} has no replacement", "Name one, or take the line out")
            if topology is not _EMPTY and name not in used:
                self.notes.append(f"images: no node has the image {quote(name)}. {self.near(name, used)}".strip())

    def _links_down(self, topology: Topology, value: Value | None) -> Topology:
        """The topology with these links down. Those whose interface is no device on its server have nothing that could be."""
        links = dict(topology.links)
        for item in self.scalars(value, "links_down"):
            link = links.get(item.text)
            if link is None and topology is not _EMPTY:
                remedy = self.near(item.text, links) or "Write the key of a link as status_lab shows it: r1:eth1--r2:eth1"
                self.problems.add(item, f"links_down: unknown link {quote(item.text)}", remedy)
            elif link is not None and link.far is not None and link.far.type in ("macvlan", "dummy"):
                what = f"links_down: link {word(link.key)} cannot be down: its interface is a device inside the node"
                self.problems.add(item, what, "Take the line out, or the link")
            elif link is not None:
                links[item.text] = replace(link, enabled=False)
        return replace(topology, links=links)

    def _overlay_mode(self, value: Value | None) -> str:
        mode = self.text(value, "overlay_mode")
        if mode is not None and mode not in OVERLAY_MODES:
            self.problems.add(value, f"overlay_mode is {quote(mode)}", f"It is one of {', '.join(OVERLAY_MODES)}")
        return mode or LabFile.overlay_mode

    def _tags(self, value: Value | None) -> tuple[tuple[int, int], tuple[int, int]]:
        tags = self.mapping(value, "tags")
        if tags is None:
            return LabFile.local_tags, LabFile.cross_tags
        self.known_keys(tags, ("cross", "local"), "tags")
        local = self._range(tags, "local") or LabFile.local_tags
        cross = self._range(tags, "cross") or LabFile.cross_tags
        if local[0] <= cross[1] and cross[0] <= local[1]:
            what = f"the tags of local links ({local[0]}-{local[1]}) and of cross links ({cross[0]}-{cross[1]}) overlap"
            self.problems.add(tags, what, "Give them ranges without a common tag")
        return local, cross

    def _range(self, tags: MapValue, key: str) -> tuple[int, int] | None:
        items = self.items(tags.get(key), f"tags, {key}")
        numbers = [self.integer(item, f"tags, {key}", 1, MAX_TAG) for item in items]
        if not items or None in numbers:
            return None
        if len(numbers) != 2 or t.cast(int, numbers[0]) > t.cast(int, numbers[1]):
            self.problems.add(tags.get(key), f"tags, {key} must be the lowest and the highest tag", f"Write it as [1, {MAX_TAG}]")
            return None
        return t.cast(int, numbers[0]), t.cast(int, numbers[1])
