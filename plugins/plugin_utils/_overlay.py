# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The network between the servers: their addresses, and what a tunnel between them can carry."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

DEFAULT_PATH_MTU = 1500
DOT1Q_SIZE = 4
"""What the tag of a link costs inside a shared tunnel."""

VXLAN_SIZE = {4: 50, 6: 70}
"""VXLAN (8), UDP (8), IP (20 or 40) and the inner Ethernet header (14)."""


@dataclass(frozen=True)
class ServerFacts:
    """What a plan needs to know of a server beforehand. address: of the underlay, where the other servers reach it."""

    address: str = ""


class Overlay:
    """All servers of a lab. What is wrong with their addresses is in C(problems); with any of these, ask for nothing else."""

    def __init__(self, servers: t.Mapping[str, ServerFacts], observed: t.Mapping[str, Json], file: str) -> None:
        self.problems: list[Problem] = []
        self.unmeasured: set[tuple[str, str]] = set()
        self._file = file
        self._known: dict[tuple[str, str], int] = {}
        self._measured = {server: (observed.get(server) or {}).get("underlay") or {} for server in servers}
        self._addresses = {server: self._address(server, servers[server].address, len(servers) == 1) for server in sorted(servers)}
        self._texts = {server: str(address or "") for server, address in self._addresses.items()}
        if len(servers) > 1:
            self._check_twins()

    def address(self, server: str) -> str:
        return self._texts[server]

    def capacity(self, servers: t.Sequence[str]) -> tuple[int, tuple[str, str]]:
        """The MTU of a tunnel between these servers, and the pair that limits it."""
        pairs = [(one, other) for place, one in enumerate(servers) for other in servers[place + 1 :]]
        return min((self._between(*pair), pair) for pair in pairs)

    def check_family(self, servers: t.Sequence[str]) -> None:
        """A tunnel cannot have ends of both families."""
        by_family: dict[int, list[str]] = {}
        for server in servers:
            address = self._addresses[server]
            if address:
                by_family.setdefault(address.version, []).append(server)
        if len(by_family) > 1:
            listed = " and ".join(f"IPv{family} ({', '.join(by_family[family])})" for family in sorted(by_family))
            self._problem(f"servers that share a link have underlay addresses of both {listed}", "Set lab_underlay_address to one family")

    def _between(self, one: str, other: str) -> int:
        if (one, other) not in self._known:
            there, back = self._path_mtu(one, other), self._path_mtu(other, one)
            measured = [mtu for mtu in (there, back) if mtu]
            if not measured:
                self.unmeasured.add((one, other))
            address = self._addresses[one]
            self._known[one, other] = min(measured, default=DEFAULT_PATH_MTU) - VXLAN_SIZE[address.version if address else 4]
        return self._known[one, other]

    def _path_mtu(self, server: str, peer: str) -> int | None:
        measured = self._measured[server].get("mtu") or {}
        found = measured.get(self.address(peer))
        return int(found) if found else None

    def _address(self, server: str, text: str, alone: bool) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        remedy = f"Set lab_underlay_address of {server} to an address of it that the other servers reach"
        for candidate in (text, str(self._measured[server].get("address") or "")):
            try:
                address = ipaddress.ip_address(candidate)
            except ValueError:
                continue
            if not alone and (address.is_loopback or address.is_unspecified or address.is_multicast):
                sort = "a loopback address" if address.is_loopback else "not the address of a server"
                self._problem(f"the underlay address of server {server} is {address}, {sort}", remedy)
            return address
        if not alone:
            what = f"the underlay address of server {server} is {text}, a name" if text else f"server {server} has no underlay address"
            self._problem(what, remedy)
        return None

    def _check_twins(self) -> None:
        holder: dict[str, str] = {}
        for server, address in self._addresses.items():
            if address and not address.is_loopback and str(address) in holder:
                remedy = "Give each its own lab_underlay_address, or name the server once"
                self._problem(f"servers {holder[str(address)]} and {server} have the same underlay address {address}", remedy)
            elif address:
                holder[str(address)] = server

    def _problem(self, what: str, remedy: str) -> None:
        self.problems.append(Problem(self._file, 0, 0, what, remedy))
