# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""How what is there differs from what is declared: a word for every link and node, from what a pass would change, or could not.

There is no comparison here: what no layer would change is in sync. An object has a link or a node by its name, or else by its label.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change, shown
from ansible_collections.archetype.lab.plugins.module_utils._container_settings import volume_names
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, ForeignError, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._firewall import LINK as MANAGEMENT

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared

Sort = t.Literal["link", "node", "server"]
Word = t.Literal["in sync", "missing", "wrong", "orphan", "foreign", "unreadable"]
Key = tuple[Sort, str]

IN_SYNC: Word = "in sync"
ORPHAN: Word = "orphan"

_OF_LINKS = ("port", "tunnel")
_OF_NODES = ("container", "sandbox", "vm", "exec", "file", "volume", "disk", "medium")
_THINGS = ("container", "sandbox", "vm", "port", "tunnel")
"""What a link or a node is missing without. A node that lacks a file is there, and wrong."""
_CARRIED = {"links", "trunks"}
"""Fields of a shared tunnel that are other ones when it carries other links."""


class Item(t.NamedTuple):
    """detail: what differs, C(tag: 118 -> 112) (have -> want), or why it is not known."""

    sort: Sort
    name: str
    word: Word
    detail: str = ""


class _Part(t.NamedTuple):
    """One object that differs. kind: of the object. thing: the object in words. what: how it differs; empty where it is not there."""

    kind: str
    thing: str
    what: str

    def told(self) -> str:
        return f"{self.thing}: {self.what}" if self.what else self.thing


@dataclass
class _Found:
    """What is known of one item."""

    unreadable: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    missing: bool = False
    parts: list[_Part] = field(default_factory=list)

    def item(self, key: Key) -> Item:
        for word, texts in (("unreadable", self.unreadable), ("foreign", self.foreign), ("wrong", self.errors)):
            if texts:
                return Item(*key, t.cast("Word", word), "; ".join(dict.fromkeys(texts)))
        # What is made or started anyhow has its commands due, and what is made its files: they are told where they are all that is.
        parts = [part for part in self.parts if part.kind != "exec"] or self.parts
        if self.missing and key[0] == "node":
            parts = [part for part in parts if part.kind in _THINGS]
        return Item(*key, "missing" if self.missing else "wrong" if parts else IN_SYNC, _joined(parts))


def drift(declared: Declared, changes: t.Sequence[Change], errors: t.Sequence[LabError]) -> tuple[Item, ...]:
    """Every link and node that is declared, once and in that order; then what is the server's own, and what is there and not declared."""
    sorter = _Sorter(declared)
    for error in _each(errors):
        sorter.note_error(error)
    for change in changes:
        sorter.note(change)
    return sorter.items()


Layers = t.Mapping[str, t.Sequence[Change]]


def as_dicts(declared: Declared, planned: Layers, left: Layers, errors: t.Sequence[LabError]) -> list[dict[str, str]]:
    """The same for a result. planned, left: layer -> changes that would be made, and that are left out, as their objects are left alone."""
    seen = [change for layers in (planned, left) for layer, changes in layers.items() if layer != "state" for change in changes]
    return [item._asdict() for item in drift(declared, seen, errors)]


def _each(errors: t.Iterable[LabError]) -> t.Iterator[LabError]:
    for error in errors:
        if isinstance(error, Errors):
            yield from _each(error.errors)
        else:
            yield error


class _Sorter:
    """Finds the place of each change and each error. Links are also those that only a port or a tunnel names: such that were taken back."""

    def __init__(self, declared: Declared) -> None:
        self.declared = declared
        self.ports = {port.name: port.link for port in declared.ports if port.link}
        self.port_nodes = {port.name: port.node for port in declared.ports if port.node}
        self.tunnels = {one.name: [link.key for link in one.links] or [one.link] for one in declared.tunnels if one.links or one.link}
        nodes = [*(one.node for one in declared.containers), *(one.node for one in declared.vms)]
        links = [link.key for link in declared.links]
        links += [*self.ports.values(), *(key for keys in self.tunnels.values() for key in keys)]
        self.found: dict[Key, _Found] = {}
        self.found.update({("link", key): _Found() for key in links})
        self.found.update({("node", node): _Found() for node in nodes})
        self.orphans: dict[Key, list[str]] = {}
        self.declared_keys = tuple(self.found)
        self.objects = self._objects()

    def _objects(self) -> dict[str, list[str]]:
        """The nodes that have an object, by its name."""
        found: dict[str, list[str]] = {}
        for one in self.declared.containers:
            names = [one.name, one.node, *volume_names(one), *(file.path for file in one.files)]
            for name in (*names, one.sandbox) if one.owns_sandbox else names:
                found.setdefault(name, []).append(one.node)
        for vm in self.declared.vms:
            for name in dict.fromkeys((vm.name, vm.node)):
                found.setdefault(name, []).append(vm.node)
        return found

    def items(self) -> tuple[Item, ...]:
        sorts = ("link", "node", "server")
        told = sorted(self.found.items(), key=lambda pair: (sorts.index(pair[0][0]), pair[0][1] if pair[0][0] == "server" else ""))
        orphans = sorted(self.orphans.items(), key=lambda pair: (sorts.index(pair[0][0]), pair[0][1]))
        return (
            *(found.item(key) for key, found in told),
            *(Item(*key, ORPHAN, ", ".join(dict.fromkeys(parts))) for key, parts in orphans),
        )

    # changes

    def note(self, change: Change) -> None:
        keys = self._places(change)
        gone = [key for key in _other_links(change) if ("link", key) not in self.found] if change.name in self.tunnels else []
        for link in gone:
            self._add_orphan(("link", link), f"tunnel {change.name}")
        if not keys and not gone:
            self._orphan(change)
        for key in keys:
            found = self.found.setdefault(key, _Found())
            found.missing = found.missing or (change.action == "create" and (change.kind in _THINGS or key[0] == "server"))
            found.parts.append(_part(change, key))

    def _places(self, change: Change) -> list[Key]:
        """What a change is of; nothing where its object is not declared."""
        if change.kind == "port":
            return self._of_port(change)
        if change.kind == "tunnel":
            return self._of_tunnel(change)
        if change.kind in _OF_NODES:
            return self._of_node(change)
        return [("server", change.name)]

    def _of_port(self, change: Change) -> list[Key]:
        if change.name in self.ports:
            return [("link", self.ports[change.name])]
        node: Key = ("node", self.port_nodes.get(change.name, ""))
        return [node] if node in self.found else []

    def _of_tunnel(self, change: Change) -> list[Key]:
        """Of a shared tunnel that only carries other links than before, those that come, go or have another tag."""
        others = _other_links(change)
        keys = [key for key in others if ("link", key) in self.found] if others else self.tunnels.get(change.name, [])
        return [("link", key) for key in keys] if change.name in self.tunnels else []

    def _of_node(self, change: Change) -> list[Key]:
        if change.action == "delete" and change.kind in ("container", "sandbox", "vm") and change.name not in self.objects:
            return []
        nodes = self.objects.get(change.name) or [node for node in self.objects.get(change.label, []) if node == change.label]
        return [("node", node) for node in nodes]

    def _orphan(self, change: Change) -> None:
        """By what its label says it is of, where that is not declared; by its own name otherwise."""
        sort: Sort = "link" if change.kind in _OF_LINKS else "node"
        known = change.kind == "port" or not change.label or change.label.endswith(" links") or (sort, change.label) in self.found
        key: Key = (sort, change.name if known else change.label)
        if change.action == "delete" and key not in self.found:
            self._add_orphan(key, _thing(change, key))
            return
        key = ("server", change.name)
        self.found.setdefault(key, _Found()).parts.append(_part(change, key))

    def _add_orphan(self, key: Key, thing: str) -> None:
        self.orphans.setdefault(key, []).append(thing)

    # errors

    def note_error(self, error: LabError) -> None:
        for key in self._concerned(error):
            found = self.found.setdefault(key, _Found())
            texts = found.unreadable if isinstance(error, ReadError) else found.foreign if isinstance(error, ForeignError) else found.errors
            texts.append(str(error))

    def _concerned(self, error: LabError) -> list[Key]:
        if isinstance(error, ReadError):
            wide = self._behind(error)
            if wide:
                return wide
        keys = list(dict.fromkeys(key for name in error.objects for key in self._named(name)))
        return keys or [("server", error.objects[0] if error.objects else self.declared.server)]

    def _behind(self, error: ReadError) -> list[Key]:
        """All of which nothing is known when this cannot be read; nothing where it says itself of what."""
        if not error.objects or self.declared.lab in error.objects:
            return list(self.declared_keys)
        if self.declared.bridge.name in error.objects:
            return [key for key in self.declared_keys if key[0] == "link"]
        if any(name.startswith("/") and name not in self.objects for name in error.objects):  # what an image is based on
            images = {vm.image for vm in self.declared.vms}
            return [] if images & set(error.objects) else [("node", vm.node) for vm in self.declared.vms]
        return []

    def _named(self, name: str) -> t.Iterator[Key]:
        """All that an object of an error may be, by its name."""
        if name in self.ports:
            yield ("link", self.ports[name])
        elif ("node", self.port_nodes.get(name, "")) in self.found:
            yield ("node", self.port_nodes[name])
        yield from (("link", key) for key in self.tunnels.get(name, ()))
        if name != MANAGEMENT and ("link", name) in self.found:
            yield ("link", name)
        yield from (("node", node) for node in self.objects.get(name, ()))
        yield from (("node", one.node) for one in self.declared.containers if one.image == name)
        yield from (("node", one.node) for one in self.declared.vms if one.image == name)


def _other_links(change: Change) -> list[str]:
    """The links that a shared tunnel carries otherwise than before, where it is that alone which differs."""
    if change.kind != "tunnel" or change.action != "update" or not {"links"} <= set(change.fields) <= _CARRIED:
        return []
    have, want = (set(value or ()) for value in change.fields["links"])
    keys = (str(text).rpartition(" (")[0] for text in sorted(have ^ want, key=str))
    return list(dict.fromkeys(key for key in keys if key))


def _thing(change: Change, key: Key) -> str:
    label = f" ({change.label})" if change.label not in ("", change.name, key[1]) and key[0] != "server" else ""
    return f"{change.kind} {change.name}{label}"


def _part(change: Change, key: Key) -> _Part:
    thing = _thing(change, key)
    if change.action == "run":
        return _Part(change.kind, "commands are due", "")
    told = [f"{name}: {shown(have)} -> {shown(want)}" for name, (have, want) in change.fields.items() if change.action != "create"]
    told += [change.reason] if change.reason else []
    if told or change.kind in _THINGS:
        told = told or [_STEPS[change.action]] if change.action != "create" else told
        return _Part(change.kind, thing, ", ".join(told))
    if change.action == "create" and key[0] == "server":
        return _Part(change.kind, thing, "")
    return _Part(change.kind, f"{thing} {_LACKS[change.action]}", "")


_STEPS: dict[str, str] = {
    "update": "differs",
    "recreate": "differs",
    "delete": "is not declared",
    "start": "not running",
    "stop": "running",
    "restart": "not running as it should",
}
_LACKS: dict[str, str] = {
    **_STEPS,
    "create": "is missing",
    "update": "is another",
    "recreate": "is another",
    "start": "is not running",
    "stop": "is running",
    "restart": "is not running as it should",
}


def _joined(parts: t.Sequence[_Part]) -> str:
    """Where only one object differs, what differs; else each with its name."""
    if len(parts) == 1 and parts[0].what and parts[0].kind not in ("file", "volume", "disk", "medium"):
        return parts[0].what
    return "; ".join(dict.fromkeys(part.told() for part in parts))
