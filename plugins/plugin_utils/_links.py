# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Links of a topology: brief and extended forms, canonical keys, and the segments that nodes of kind bridge stand for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, Place, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import (
    RESERVED_NODES,
    NameFault,
    check_interface,
    link_key,
    linux_name,
    mac_address,
    segment_key,
    vendor_name,
)
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, did_you_mean, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Scalar, Value

MIN_MTU = 68
MAX_MTU = 65535
MAX_GUESSES = 50
NOT_SUPPORTED = ("dummy", "host", "macvlan", "mgmt-net", "veth-stitch", "vxlan", "vxlan-stitch")
_LINK_KEYS = ("endpoints", "ipv4", "ipv6", "labels", "mtu", "type", "vars")
_END_KEYS = ("interface", "ipv4", "ipv6", "mac", "node", "vars")
_NOT_HONOURED = ("ipv4", "ipv6", "labels", "vars")


@dataclass(frozen=True)
class End:
    """One end of a link as it was written, its interface made canonical. kind: None where the kind is not known."""

    at: Value
    written: str
    ref: EndpointRef
    kind: Kind | None

    @property
    def is_segment(self) -> bool:
        return self.kind is not None and self.kind.is_segment


@dataclass
class _Segment:
    place: Place
    ends: list[EndpointRef] = field(default_factory=list)
    mtu: int | None = None
    mtu_line: int = 0


class LinkReader(Reader):
    """Reads the links. kinds: node -> its kind, None where it is not known; every node of the file is in it."""

    def __init__(self, problems: Problems, kinds: t.Mapping[str, Kind | None]) -> None:
        super().__init__(problems)
        self.kinds = kinds
        self.links: dict[str, TopologyLink] = {}
        self.segments: dict[str, _Segment] = {}
        self.notes: list[str] = []
        self._written: dict[str, tuple[int, str]] = {}
        self._used: dict[str, int] = {}
        self._macs: dict[str, int] = {}
        self._nearest: dict[str, str] = {}

    def read(self, value: Value | None) -> dict[str, TopologyLink]:
        """Key -> link, sorted by key."""
        for item in self.items(value, "links"):
            link = self.mapping(item, "a link")
            if link is not None and self._is_veth(link):
                self._link(link)
            elif link is None and isinstance(item, Scalar) and item.is_null:
                self.problems.add(item, "a link is empty", "Give it two endpoints")
        for name, segment in self.segments.items():
            key = segment_key(name)
            self.links[key] = TopologyLink(key, tuple(sorted(segment.ends)), segment.place, segment.mtu, name)
        return dict(sorted(self.links.items()))

    def _is_veth(self, link: MapValue) -> bool:
        """Whether the link is one between two nodes; other types are problems."""
        kind = self.text(link.get("type"), "type of a link")
        if kind is None or kind == "veth":
            return True
        if kind in NOT_SUPPORTED:
            self._not_supported(link.get("type"), kind)
        else:
            remedy = did_you_mean(kind, ("veth", *NOT_SUPPORTED)) or "Leave it out for a link between two nodes"
            self.problems.add(link.get("type"), f"unknown link type {quote(kind)}", remedy)
        return False

    def _not_supported(self, at: Value | None, kind: str) -> None:
        self.problems.add(at, f"links of type {kind} are not supported yet", "Links join two nodes, or a node and a node of kind bridge")

    def _link(self, link: MapValue) -> None:
        self.known_keys(link, _LINK_KEYS, "a link")
        mtu = self.integer(link.get("mtu"), "mtu of a link", MIN_MTU, MAX_MTU)
        items = self.items(link.get("endpoints"), "endpoints of a link")
        if len(items) != 2:
            self.problems.add(
                link.get("endpoints") or link, f"a link has {len(items)} endpoints", "Give it two; use a node of kind bridge for more"
            )
            return
        ends = [self._end(item) for item in items]
        if ends[0] is None or ends[1] is None or not self._is_new(link, ends[0], ends[1]):
            return
        self._add(link, ends[0], ends[1], mtu)
        dropped = [
            key for key in _NOT_HONOURED if link.get(key) is not None or any(isinstance(one, MapValue) and one.get(key) for one in items)
        ]
        if dropped:
            key = link_key(end.ref.name for end in (ends[0], ends[1]))
            self.notes.append(f"link {key}: {', '.join(dropped)} {'is' if len(dropped) == 1 else 'are'} not honoured yet")

    def _end(self, item: Value) -> End | None:
        """One endpoint, as C(node:interface) or as a mapping."""
        mac = ""
        if isinstance(item, MapValue):
            self.known_keys(item, _END_KEYS, "an endpoint")
            node, interface = (
                self.text(item.get("node"), "node of an endpoint"),
                self.text(item.get("interface"), "interface of an endpoint"),
            )
            mac = self._mac(item.get("mac"))
            if not node or not interface:
                self.problems.add(item, "an endpoint needs node and interface", "Give both")
                return None
        else:
            text = self.text(item, "an endpoint") or ""
            node, colon, interface = text.partition(":")
            if not colon or not node or not interface:
                if isinstance(item, Scalar):
                    self.problems.add(item, f"{quote(text)} is not an endpoint", "Write it as node:interface")
                return None
        return self._resolve(item, node, interface, mac)

    def _resolve(self, item: Value, node: str, interface: str, mac: str) -> End | None:
        if node not in self.kinds:
            if node.lower() in RESERVED_NODES:
                self._not_supported(item, node.lower())
            else:
                self.problems.add(item, f"unknown node {quote(node)} in a link", self._near(node))
            return None
        kind, written = self.kinds[node], f"{node}:{interface}"
        try:
            if kind is None or kind.is_segment:
                check_interface(interface if kind else "eth1")
                return End(item, written, EndpointRef(node, interface, mac, interface), kind)
            name = linux_name(kind, interface)
        except NameFault as exc:
            self.problems.add(item, f"node {node}: {exc.what}", exc.remedy)
            return None
        return End(item, written, EndpointRef(node, name, mac, vendor_name(kind, name)), kind)

    def _near(self, node: str) -> str:
        """What to do about an unknown node. Looking for near names takes time, so that it ends after some."""
        if node not in self._nearest:
            near = did_you_mean(node, self.kinds) if len(self._nearest) < MAX_GUESSES else ""
            self._nearest[node] = near or "Add it under nodes, or correct its name"
        return self._nearest[node]

    def _mac(self, value: Value | None) -> str:
        text = self.text(value, "mac of an endpoint")
        if not text:
            return ""
        try:
            mac = mac_address(text)
        except NameFault as exc:
            self.problems.add(value, exc.what, exc.remedy)
            return ""
        if mac in self._macs:
            self.problems.add(value, f"MAC address {mac} is given twice, first on line {self._macs[mac]}", "Give each interface its own")
        self._macs.setdefault(mac, t.cast(Value, value).line)
        return mac

    def _is_new(self, link: MapValue, one: End, two: End) -> bool:
        """Whether no endpoint of the link is in use; else a problem that names the other line."""
        key, words = link_key((one.ref.name, two.ref.name)), f"{one.written}, {two.written}"
        if one.ref.name == two.ref.name:
            self.problems.add(two.at, f"a link joins {word(one.ref.name)} with itself", "Give it two interfaces")
            return False
        if key in self._written:
            line, first = self._written[key]
            self.problems.add(
                link, f"link {word(key)} is there twice, here as {quote(words)} and on line {line} as {quote(first)}", "Keep one of the two"
            )
            return False
        self._written[key] = (link.line, words)
        free = True
        for end in (one, two):
            if end.ref.name in self._used:
                line = self._used[end.ref.name]
                self.problems.add(
                    end.at, f"interface {word(end.ref.name)} is in two links, first on line {line}", "Use another interface in one of them"
                )
                free = False
            self._used.setdefault(end.ref.name, link.line)
        return free

    def _add(self, link: MapValue, one: End, two: End, mtu: int | None) -> None:
        place = Place(self.problems.file, link.line, link.column)
        if one.is_segment and two.is_segment:
            self.problems.add(link, f"a link joins the bridges {one.ref.node} and {two.ref.node}", "Make one node of kind bridge of them")
        elif one.is_segment or two.is_segment:
            bridge, end = (one, two) if one.is_segment else (two, one)
            segment = self.segments.setdefault(bridge.ref.node, _Segment(place))
            segment.ends.append(end.ref)
            self._segment_mtu(link, bridge.ref.node, segment, mtu)
        else:
            key = link_key((one.ref.name, two.ref.name))
            self.links[key] = TopologyLink(key, tuple(sorted((one.ref, two.ref))), place, mtu)

    def _segment_mtu(self, link: MapValue, name: str, segment: _Segment, mtu: int | None) -> None:
        """A segment is one wire, and has one MTU."""
        if mtu is None:
            return
        if segment.mtu is not None and segment.mtu != mtu:
            what = f"segment {name} has mtu {mtu} here and {segment.mtu} on line {segment.mtu_line}"
            self.problems.add(link.get("mtu"), what, "All links of a bridge have the same mtu")
            return
        segment.mtu, segment.mtu_line = mtu, link.line
