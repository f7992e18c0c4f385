# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Endpoints of links, brief and extended: which node, which interface under its one name, and what the interface is given."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.archetype.lab.plugins.plugin_utils._impairment import ImpairmentReader
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._link_types import BRIEF, EXTENDED, FarReader, extended_example
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, Far, Impairment
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, check_interface, linux_name, mac_address, vendor_name
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, did_you_mean, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import ListValue, MapValue, Problems, Scalar, Value, is_null

MAX_GUESSES = 50
_END_KEYS = ("interface", "ipv4", "ipv6", "mac", "node", "tc", "vars")
_FAMILIES = {"ipv4": 4, "ipv6": 6}
NO_NETWORK = "none"
"""The network-mode of a node without a management network, whose management interface a link may then have."""


@dataclass(frozen=True)
class End:
    """One end of a link as it was written, its interface made canonical. kind: None where the kind is not known.

    far: what it is in place of a node, else None; node and interface of ref are then what was written.
    """

    at: Value
    written: str
    ref: EndpointRef
    kind: Kind | None = None
    far: Far | None = None

    @property
    def is_segment(self) -> bool:
        return self.kind is not None and self.kind.is_segment


class EndReader(Reader):
    """Reads endpoints. kinds: node -> its kind, None where it is not known; every node of the file is in it.

    networks: node -> its network-mode, of those that have one.
    """

    def __init__(self, problems: Problems, kinds: t.Mapping[str, Kind | None], networks: t.Mapping[str, str]) -> None:
        super().__init__(problems)
        self.kinds = kinds
        self.networks = networks
        self.far = FarReader(problems)
        self._impairments = ImpairmentReader(problems)
        self._macs: dict[str, int] = {}
        self._nearest: dict[str, str] = {}

    def end(self, item: Value) -> End | None:
        """One endpoint, as C(node:interface) or as a mapping; None where it is a problem."""
        if isinstance(item, MapValue):
            return self._mapping(item)
        text = self.text(item, "an endpoint") or ""
        node, colon, interface = text.partition(":")
        if not colon or not node or not interface:
            if isinstance(item, Scalar):
                self.problems.add(item, f"{quote(text)} is not an endpoint", "Write it as node:interface")
            return None
        return self._resolve(item, node, interface)

    def _mapping(self, item: MapValue) -> End | None:
        self.known_keys(item, _END_KEYS, "an endpoint")
        node = self.text(item.get("node"), "node of an endpoint")
        interface = self.text(item.get("interface"), "interface of an endpoint")
        mac = self._mac(item.get("mac"))
        given = {key: self.address(item.get(key), key, "an endpoint") for key in _FAMILIES}
        impairment = self.impairment(item.get("tc"), "tc of an endpoint")
        self.mapping(item.get("vars"), "vars of an endpoint")
        if not node or not interface:
            self.problems.add(item, "an endpoint needs node and interface", "Give both")
            return None
        end = self._resolve(item, node, interface)
        if end is None:
            return None
        return replace(end, ref=replace(end.ref, mac=mac, ipv4=given["ipv4"], ipv6=given["ipv6"], impairment=impairment))

    def impairment(self, value: Value | None, what: str) -> Impairment | None:
        return self._impairments.read(value, what)

    def _resolve(self, item: Value, node: str, interface: str) -> End | None:
        written = f"{node}:{interface}"
        if node not in self.kinds:
            return self._no_node(item, node, interface, written)
        kind = self.kinds[node]
        try:
            if kind is None or kind.provider in ("segment", "host"):
                check_interface(interface if kind else "eth1")
                far = Far("host", interface) if kind and kind.provider == "host" else None
                return End(item, written, EndpointRef(node, interface, vendor_name=interface), kind, far)
            name = linux_name(kind, interface, management=self.networks.get(node) == NO_NETWORK)
        except NameFault as exc:
            self.problems.add(item, f"node {node}: {exc.what}", exc.remedy)
            return None
        return End(item, written, EndpointRef(node, name, vendor_name=vendor_name(kind, name)), kind)

    def _no_node(self, item: Value, node: str, interface: str, written: str) -> End | None:
        """A name that is no node's: a type of link, or a slip of the pen."""
        special = node.strip().lower()
        if special in BRIEF:
            far = self.far.brief(item, special, interface)
            return End(item, written, EndpointRef(special, interface), far=far) if far else None
        if special in EXTENDED:
            self.problems.add(item, f"{quote(written)}: links of type {special} have no brief form", extended_example(special))
        else:
            self.problems.add(item, f"unknown node {quote(node)} in a link", self._near(node))
        return None

    def _near(self, node: str) -> str:
        """What to do about an unknown node. Looking for near names takes time, so that it ends after some."""
        if node not in self._nearest:
            near = did_you_mean(node, self.kinds) if len(self._nearest) < MAX_GUESSES else ""
            self._nearest[node] = near or "Add it under nodes, or correct its name"
        return self._nearest[node]

    # what an interface is given

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

    def address(self, value: Value | None, key: str, what: str) -> str:
        """An address with the length of its prefix; empty where there is none, and where it is a problem."""
        text = self.text(value, f"{key} of {what}")
        if not text:
            return ""
        example = "198.51.100.1/24" if key == "ipv4" else "2001:db8::1/64"
        try:
            found = ipaddress.ip_interface(text) if "/" in text else None
        except ValueError:
            found = None
        if found is None or found.version != _FAMILIES[key] or found.ip.is_multicast or found.ip.is_unspecified:
            self.problems.add(value, f"{key} of {what} is {quote(text)}, which is no {key} address with a prefix", f"Write it as {example}")
            return ""
        return str(found)

    def pairs(self, link: MapValue, ends: t.Sequence[End]) -> list[End]:
        """The ends with the addresses and the impairment that are written at the link."""
        both = self.impairment(link.get("tc"), "tc of a link")
        found = [replace(end, ref=replace(end.ref, impairment=end.ref.impairment or both)) for end in ends]
        for key in _FAMILIES:
            for place, address in enumerate(self._pair(link.get(key), key, len(ends))):
                ref = found[place].ref
                if address and getattr(ref, key) not in ("", address):
                    what = f"{key} of {word(ref.name)} is {getattr(ref, key)} at the endpoint and {address} at the link"
                    self.problems.add(link.get(key), what, "Keep one of the two")
                elif address:
                    given = replace(ref, ipv4=address) if key == "ipv4" else replace(ref, ipv6=address)
                    found[place] = replace(found[place], ref=given)
        return found

    def _pair(self, value: Value | None, key: str, count: int) -> list[str]:
        """One address for each end, in their order; the empty text for none."""
        if is_null(value):
            return []
        if not isinstance(value, ListValue):
            self.wrong(value, f"{key} of a link", "a list of two addresses")
            return []
        if len(value.items) > count:
            self.problems.add(value, f"{key} of a link has {len(value.items)} addresses for {count} endpoints", 'Give one each; "" is none')
            return []
        return [self.address(item, key, "a link") for item in value.items]
