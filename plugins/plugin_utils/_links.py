# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Links of a topology: brief and extended forms of every type, canonical keys, and the segments that nodes of kind bridge stand for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._link_ends import End, EndReader
from ansible_collections.archetype.lab.plugins.plugin_utils._link_types import (
    COMMON_KEYS,
    JOINING,
    TYPES,
    dropped_of,
    far_key,
    link_type,
)
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, Far, Place, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import link_key, segment_key
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, did_you_mean, plain_data, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Scalar, Value

MIN_MTU = 68
MAX_MTU = 65535


@dataclass(frozen=True)
class _Common:
    """What all types of links have."""

    mtu: int | None
    vars: dict[str, t.Any]
    labels: dict[str, str]


@dataclass
class _Segment:
    place: Place
    ends: list[EndpointRef] = field(default_factory=list)
    mtu: int | None = None
    mtu_line: int = 0
    vars: dict[str, t.Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


class LinkReader(Reader):
    """Reads the links. kinds: node -> its kind, None where it is not known; every node of the file is in it.

    networks: node -> its network-mode, of those that have one.
    """

    def __init__(self, problems: Problems, kinds: t.Mapping[str, Kind | None], networks: t.Mapping[str, str] | None = None) -> None:
        super().__init__(problems)
        self.ends = EndReader(problems, kinds, networks or {})
        self.links: dict[str, TopologyLink] = {}
        self.segments: dict[str, _Segment] = {}
        self.notes: list[str] = []
        self._written: dict[str, tuple[int, str]] = {}
        self._used: dict[str, int] = {}

    def read(self, value: Value | None) -> dict[str, TopologyLink]:
        """Key -> link, sorted by key."""
        for item in self.items(value, "links"):
            link = self.mapping(item, "a link")
            if link is not None:
                self._link(link)
            elif isinstance(item, Scalar) and item.is_null:
                self.problems.add(item, "a link is empty", "Give it two endpoints")
        for name, segment in self.segments.items():
            key = segment_key(name)
            ends = tuple(sorted(segment.ends))
            self.links[key] = TopologyLink(key, ends, segment.place, segment.mtu, name, None, segment.vars, segment.labels)
        return dict(sorted(self.links.items()))

    def _link(self, link: MapValue) -> None:
        kind = link_type(self.text(link.get("type"), "type of a link"))
        if kind not in TYPES:
            remedy = did_you_mean(kind, TYPES) or "Leave it out for a link between two nodes"
            self.problems.add(link.get("type"), f"unknown link type {quote(kind)}", remedy)
        elif kind in JOINING:
            self._joining(link)
        else:
            self._one_ended(link, kind)

    def _common(self, link: MapValue) -> _Common:
        mtu = self.integer(link.get("mtu"), "mtu of a link", MIN_MTU, MAX_MTU)
        variables = self.mapping(link.get("vars"), "vars of a link")
        labels = self.scalar_map(link.get("labels"), "labels of a link")
        return _Common(mtu, plain_data(variables) if variables else {}, {key: one.text for key, one in labels.items()})

    # the forms

    def _joining(self, link: MapValue) -> None:
        """C(endpoints), two of them. One may be a far end: C(host:eth5)."""
        if link.get("impairment") is not None:
            self.problems.add(link.get("impairment"), "impairment of a link is not supported: no node is put in between", "Use tc")
        self.known_keys(link, (*COMMON_KEYS, "endpoints", "impairment"), "a link")
        common = self._common(link)
        items = self.items(link.get("endpoints"), "endpoints of a link")
        if len(items) != 2:
            what = f"a link has {len(items)} endpoints"
            self.problems.add(link.get("endpoints") or link, what, "Give it two; use a node of kind bridge for more")
            return
        read = [self.ends.end(item) for item in items]
        if read[0] is None or read[1] is None:
            return
        one, two = self.ends.pairs(link, (read[0], read[1]))
        if one.far and two.far:
            what = f"a link joins {quote(one.written)} and {quote(two.written)}, and neither is a node of the lab"
            self.problems.add(link, what, "One end must be node:interface")
        elif one.far or two.far:
            near, away = (two, one) if one.far else (one, two)
            self._add_far(link, near, t.cast(Far, away.far), common, f"{one.written}, {two.written}")
        elif self._is_new(link, one, two):
            self._add(link, one, two, common)

    def _one_ended(self, link: MapValue, kind: str) -> None:
        """C(endpoint), and keys for what is at the far end."""
        if link.get("endpoints") is not None:
            what = f"a link of type {kind} has endpoints"
            self.problems.add(link.get("endpoints"), what, "Give it endpoint, with node and interface")
            return
        common, far = self._common(link), self.ends.far.extended(link, kind)
        item = link.get("endpoint")
        if item is None:
            self.problems.add(link, f"a link of type {kind} has no endpoint", "Give it endpoint, with node and interface")
            return
        near = self.ends.end(item)
        if near is None or far is None:
            return
        near = self.ends.pairs(link, (near,))[0]
        if near.far:
            what = f"a link of type {kind} begins at {quote(near.written)}, which is no node of the lab"
            self.problems.add(item, what, "Its endpoint must be a node and an interface")
            return
        self._add_far(link, near, far, common, f"{near.written}, {far_key('', far).removeprefix('--')}")

    # what is new, and what is there already

    def _is_new(self, link: MapValue, one: End, two: End) -> bool:
        """Whether no endpoint of the link is in use; else a problem that names the other line."""
        if one.ref.name == two.ref.name:
            self.problems.add(two.at, f"a link joins {word(one.ref.name)} with itself", "Give it two interfaces")
            return False
        key = link_key((one.ref.name, two.ref.name))
        return self._first(link, key, f"{one.written}, {two.written}") and self._free(link, one, two)

    def _first(self, link: MapValue, key: str, words: str) -> bool:
        if key in self._written:
            line, first = self._written[key]
            what = f"link {word(key)} is there twice, here as {quote(words)} and on line {line} as {quote(first)}"
            self.problems.add(link, what, "Keep one of the two")
            return False
        self._written[key] = (link.line, words)
        return True

    def _free(self, link: MapValue, *ends: End) -> bool:
        free = True
        for end in ends:
            if end.ref.name in self._used:
                what = f"interface {word(end.ref.name)} is in two links, first on line {self._used[end.ref.name]}"
                self.problems.add(end.at, what, "Use another interface in one of them")
                free = False
            self._used.setdefault(end.ref.name, link.line)
        return free

    # the links

    def _add(self, link: MapValue, one: End, two: End, common: _Common) -> None:
        place = self._place(link)
        if one.is_segment and two.is_segment:
            self.problems.add(link, f"a link joins the bridges {one.ref.node} and {two.ref.node}", "Make one node of kind bridge of them")
        elif one.is_segment or two.is_segment:
            bridge, end = (one, two) if one.is_segment else (two, one)
            segment = self.segments.setdefault(bridge.ref.node, _Segment(place))
            segment.ends.append(end.ref)
            segment.vars.update(common.vars)
            segment.labels.update(common.labels)
            self._segment_mtu(link, bridge.ref.node, segment, common.mtu)
        else:
            key = link_key((one.ref.name, two.ref.name))
            ends = tuple(sorted((one.ref, two.ref)))
            self.links[key] = TopologyLink(key, ends, place, common.mtu, vars=common.vars, labels=common.labels)

    def _add_far(self, link: MapValue, near: End, far: Far, common: _Common, words: str) -> None:
        if near.is_segment:
            what = f"a link joins the bridge {near.ref.node} and {far_key('', far).removeprefix('--')}"
            self.problems.add(link, what, "A bridge is on no server of its own: join a node with it, and that node with the far end")
            return
        key = far_key(near.ref.name, far)
        if not self._first(link, key, words) or not self._free(link, near):
            return
        self.links[key] = TopologyLink(key, (near.ref,), self._place(link), common.mtu, "", far, common.vars, common.labels)
        dropped = list(dropped_of(far))
        if dropped:
            self.notes.append(f"link {key}: {', '.join(dropped)} {'is' if len(dropped) == 1 else 'are'} not honoured")

    def _place(self, link: MapValue) -> Place:
        return Place(self.problems.file, link.line, link.column)

    def _segment_mtu(self, link: MapValue, name: str, segment: _Segment, mtu: int | None) -> None:
        """A segment is one wire, and has one MTU."""
        if mtu is None:
            return
        if segment.mtu is not None and segment.mtu != mtu:
            what = f"segment {name} has mtu {mtu} here and {segment.mtu} on line {segment.mtu_line}"
            self.problems.add(link.get("mtu"), what, "All links of a bridge have the same mtu")
            return
        segment.mtu, segment.mtu_line = mtu, link.line
