# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The types of links that have one node and a far end: what their extended forms say of the far end, and how it is named in a link key."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._model import Far
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, check_interface
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, did_you_mean, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Value

JOINING = ("veth", "veth-stitch")
"""Types of links between two nodes. A stitched one is the same to the nodes: a wire."""
BRIEF = ("host", "macvlan", "mgmt-net")
"""Types that the brief form can say, in place of a node."""
EXTENDED = ("dummy", "vxlan", "vxlan-stitch")
"""Types that only the extended form can say."""
TYPES = (*JOINING, *BRIEF, *EXTENDED)
MODES = ("bridge", "passthru", "private", "source", "vepa")
DEFAULT_MODE = "bridge"
DEFAULT_DST_PORT = 14789
MAX_VNI = 2**24 - 1
MAX_PORT = 65535

COMMON_KEYS = ("ipv4", "ipv6", "labels", "mtu", "tc", "type", "vars")
_FAR_KEYS: dict[str, tuple[str, ...]] = {
    "host": ("host-interface",),
    "mgmt-net": ("host-interface",),
    "macvlan": ("host-interface", "mode"),
    "dummy": (),
    "vxlan": ("remote", "vni", "dst-port", "src-port", "udp-port", "parent-interface"),
    "vxlan-stitch": ("remote", "vni", "dst-port", "src-port", "udp-port", "parent-interface"),
}


def link_type(text: str | None) -> str:
    """The type as this collection names it. C(brief) is what a link without a type is."""
    word = (text or "").strip().lower()
    return "veth" if word in ("", "brief") else word


def far_key(endpoint: str, far: Far) -> str:
    """The canonical key of a link between an endpoint and a far end; the endpoint comes first, as it is what can be looked for."""
    if far.type == "dummy":
        return f"{endpoint}--dummy"
    if far.type == "vxlan":
        return f"{endpoint}--vxlan:{far.remote}/{far.vni}"
    return f"{endpoint}--{far.type}:{far.interface}"


def extended_example(kind: str) -> str:
    """What to write in place of a brief form that cannot be."""
    more = "" if kind == "dummy" else ", remote: 198.51.100.7, vni: 100"
    return f"Write it as {{type: {kind}, endpoint: {{node: r1, interface: eth1}}{more}}}"


class FarReader(Reader):
    """Reads far ends."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.notes: list[str] = []

    def brief(self, at: Value, kind: str, interface: str) -> Far | None:
        """The far end of C(host:eth5) and the like."""
        if not self._is_device(at, interface, f"a link of type {kind}"):
            return None
        return Far(kind, interface, DEFAULT_MODE if kind == "macvlan" else "")

    def extended(self, link: MapValue, kind: str) -> Far | None:
        """The far end of a link of this type, from the keys of the link."""
        what = f"a link of type {kind}"
        self.known_keys(link, (*COMMON_KEYS, "endpoint", *_FAR_KEYS[kind]), what)
        if kind == "dummy":
            return Far("dummy")
        if kind.startswith("vxlan"):
            return self._vxlan(link, what)
        device = self.text(link.get("host-interface"), f"host-interface of {what}")
        if device is None:
            self.problems.add(link, f"{what} has no host-interface", "Give it the name of the server's device")
            return None
        if not self._is_device(link.get("host-interface"), device, what):
            return None
        return Far(kind, device, self._mode(link) if kind == "macvlan" else "")

    def _is_device(self, at: Value | None, name: str, what: str) -> bool:
        try:
            check_interface(name)
        except NameFault as fault:
            self.problems.add(at, f"{what}: {fault.what}", fault.remedy)
            return False
        return True

    def _mode(self, link: MapValue) -> str:
        mode = self.text(link.get("mode"), "mode of a link of type macvlan") or DEFAULT_MODE
        if mode not in MODES:
            remedy = did_you_mean(mode, MODES) or f"It is one of {', '.join(MODES)}"
            self.problems.add(link.get("mode"), f"unknown mode {quote(mode)} of a link of type macvlan", remedy)
        return mode

    def _vxlan(self, link: MapValue, what: str) -> Far | None:
        remote = self._remote(link, what)
        vni = self.integer(link.get("vni"), f"vni of {what}", 1, MAX_VNI)
        if link.get("vni") is None:
            self.problems.add(link, f"{what} has no vni", "Give it the VNI of the far VTEP")
        ports = {key: self.integer(link.get(key), f"{key} of {what}", 1, MAX_PORT) for key in ("dst-port", "udp-port", "src-port")}
        if ports["dst-port"] and ports["udp-port"] and ports["dst-port"] != ports["udp-port"]:
            self.problems.add(link.get("udp-port"), f"{what} has a dst-port and another udp-port, which is its old name", "Keep dst-port")
        parent = self.text(link.get("parent-interface"), f"parent-interface of {what}") or ""
        if parent and not self._is_device(link.get("parent-interface"), parent, what):
            return None
        if remote is None or vni is None:
            return None
        port = ports["dst-port"] or ports["udp-port"] or DEFAULT_DST_PORT
        return Far("vxlan", parent, remote=remote, vni=vni, dst_port=port, src_port=ports["src-port"] or 0)

    def _remote(self, link: MapValue, what: str) -> str | None:
        text = self.text(link.get("remote"), f"remote of {what}")
        if text is None:
            self.problems.add(link, f"{what} has no remote", "Give it the address of the far VTEP")
            return None
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            self.problems.add(link.get("remote"), f"remote of {what} must be an IP address, not {quote(text)}", "Write out the address")
            return None
        if address.is_multicast or address.is_unspecified:
            self.problems.add(link.get("remote"), f"remote of {what}: {address} is not the address of a VTEP", "Give the address of one")
            return None
        return str(address)


def dropped_of(far: Far) -> t.Iterator[str]:
    """The keys of a link that are known and have no effect here."""
    if far.type == "vxlan" and far.src_port:
        yield "src-port"
    if far.type == "vxlan" and far.interface:
        yield "parent-interface"
