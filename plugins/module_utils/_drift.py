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


class Item(t.NamedTuple):
    """detail: what differs, C(tag: 118 -> 112) (have -> want), or why it is not known."""

    sort: Sort
    name: str
    word: Word
    detail: str = ""


@dataclass
class _Found:
    """What is known of one item. parts: object -> what differs on it."""

    unreadable: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    missing: bool = False
    parts: list[tuple[str, str, str]] = field(default_factory=list)

    def item(self, key: Key) -> Item:
        for word, texts in (("unreadable", self.unreadable), ("foreign", self.foreign), ("wrong", self.errors)):
            if texts:
                return Item(*key, t.cast("Word", word), "; ".join(dict.fromkeys(texts)))
        # What is made or started anyhow has its commands due: they are told where they are all that is.
        parts = [part for part in self.parts if part[0] != "exec"] or self.parts
        return Item(*key, "missing" if self.missing else "wrong" if parts else IN_SYNC, _joined(parts))


def drift(declared: Declared, changes: t.Sequence[Change], errors: t.Sequence[LabError]) -> tuple[Item, ...]:
    """Every link and node that is declared, once and in that order; then what is the server's own, and what is there and not declared."""
    sorter = _Sorter(declared)
    for error in _each(errors):
        sorter.note_error(error)
    for change in changes:
        sorter.note(change)
    return sorter.items()


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
        if not keys:
            self._orphan(change)
        for key in keys:
            found = self.found.setdefault(key, _Found())
            found.missing = found.missing or (change.action == "create" and (change.kind in _THINGS or key[0] == "server"))
            found.parts.append((change.kind, _who(change), _what(change)))

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
        if change.name in self.port_nodes:
            node = self.port_nodes[change.name]
            return [("node", node)] if ("node", node) in self.found else [("server", change.name)]
        return []

    def _of_tunnel(self, change: Change) -> list[Key]:
        """Of a shared tunnel that only carries other links than before, those that come, go or have another tag."""
        keys = self.tunnels.get(change.name, [])
        if change.action == "update" and len(change.fields) == 1 and "links" in change.fields:
            have, want = (set(value or ()) for value in change.fields["links"])
            differing = [str(text).rpartition(" (")[0] for text in sorted(have ^ want, key=str)]
            keys = [key for key in keys if key in differing] or keys
        return [("link", key) for key in keys]

    def _of_node(self, change: Change) -> list[Key]:
        if change.action == "delete" and change.kind in ("container", "sandbox", "vm") and change.name not in self.objects:
            return []
        if change.name in self.objects:
            return [("node", node) for node in self.objects[change.name]]
        label = self.objects.get(change.label, [])
        return [("node", node) for node in label if node == change.label]

    def _orphan(self, change: Change) -> None:
        """By what its label says it is of, where that is not declared; by its own name otherwise."""
        sort: Sort = "link" if change.kind in _OF_LINKS else "node"
        known = change.kind == "port" or not change.label or change.label.endswith(" links") or (sort, change.label) in self.found
        name = change.name if known else change.label
        if change.action != "delete":
            self.found.setdefault(("server", change.name), _Found()).parts.append((change.kind, _who(change), _what(change)))
            return
        self.orphans.setdefault((sort, name), []).append(_who(change))

    # errors

    def note_error(self, error: LabError) -> None:
        keys = self._concerned(error)
        for key in keys:
            found = self.found.setdefault(key, _Found())
            kind = found.unreadable if isinstance(error, ReadError) else found.foreign if isinstance(error, ForeignError) else found.errors
            kind.append(str(error))

    def _concerned(self, error: LabError) -> list[Key]:
        keys = list(dict.fromkeys(key for name in error.objects for key in self._named(name)))
        if keys:
            return keys
        if isinstance(error, ReadError) and not self._elsewhere(error):
            return [*self.found] or [("server", self.declared.server)]
        return [("server", error.objects[0] if error.objects else self.declared.server)]

    def _elsewhere(self, error: ReadError) -> bool:
        """Whether what cannot be read is none of what is declared, such as the disk of a machine that is declared no more."""
        return bool(error.objects) and self.declared.lab not in error.objects and self.declared.bridge.name not in error.objects

    def _named(self, name: str) -> t.Iterator[Key]:
        """All that an object of an error may be, by its name."""
        if name in self.ports:
            yield ("link", self.ports[name])
        elif name in self.port_nodes and ("node", self.port_nodes[name]) in self.found:
            yield ("node", self.port_nodes[name])
        yield from (("link", key) for key in self.tunnels.get(name, ()))
        if ("link", name) in self.found:
            yield ("link", name)
        yield from (("node", node) for node in self.objects.get(name, ()))
        yield from (("node", one.node) for one in self.declared.containers if one.image == name)
        yield from (("node", one.node) for one in self.declared.vms if one.image == name)


def _who(change: Change) -> str:
    return (
        f"{change.kind} {change.name} ({change.label})" if change.label and change.label != change.name else f"{change.kind} {change.name}"
    )


def _what(change: Change) -> str:
    """What differs on one object; empty where it is not there at all."""
    if change.action == "run":
        return "commands are due"
    told = [f"{name}: {shown(have)} -> {shown(want)}" for name, (have, want) in change.fields.items() if change.action != "create"]
    if change.reason:
        told.append(change.reason)
    if not told and change.action != "create":
        told.append(
            _WITHOUT_FIELDS.get(change.action, "differs") if change.kind != "file" or change.action != "delete" else "is not declared"
        )
    return ", ".join(told)


_WITHOUT_FIELDS = {
    "start": "not running",
    "stop": "running",
    "restart": "not running as it should",
    "delete": "is not declared",
}


def _joined(parts: t.Sequence[tuple[str, str, str]]) -> str:
    """Where only one object differs, what differs; else each with its name."""
    if len(parts) == 1 and parts[0][2]:
        kind, who, what = parts[0]
        return what if kind in (*_THINGS, "exec") else f"{who}: {what}"
    return "; ".join(dict.fromkeys(f"{who}: {what}" if what and kind != "exec" else what or who for kind, who, what in parts))
