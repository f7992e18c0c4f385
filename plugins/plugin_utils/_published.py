# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Published ports in the forms of C(docker run --publish): C([[address:][server port]:]node port[/protocol]), ports also as ranges."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.plugin_utils._model import PublishedPort

PROTOCOLS = ("sctp", "tcp", "udp")
CHOSEN = range(49152, 65536)
"""Where ports are chosen from that the file leaves to the lab: those that nobody registers (RFC 6335)."""

Who = tuple[str, int]
"""Who has a port: the node, and the line of the file that says so."""

_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
_FORM = "Write it as 8080:80, 127.0.0.1:8080:80/udp or 8000-8002:80-82"


class PortFault(ValueError):
    """What is wrong with a text, and what to do."""

    def __init__(self, what: str, remedy: str = _FORM) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True)
class Wish:
    """A port that is to be published. server_ports: what it may have, in this order; empty where the file leaves it to the lab."""

    server_ports: range
    node_port: int
    protocol: str
    address: str


def parse_port(text: str) -> list[Wish]:
    """The ports that one text asks for. Raises PortFault."""
    body, slash, protocol = text.strip().partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        shown = protocol if protocol.isalnum() and len(protocol) < 20 else repr(protocol[:30]) if protocol else "nothing"
        raise PortFault(f"{shown} is not a protocol", f"It is one of {', '.join(PROTOCOLS)}")
    before, _colon, inside = body.rpartition(":")
    address, _colon, outside = before.rpartition(":") if ":" in before else ("", "", before)
    address = _address(address)
    node_ports = _ports(inside, "port of the node")
    if not outside or outside == "0":
        return [Wish(range(0), port, protocol, address) for port in node_ports]
    server_ports = _ports(outside, "port of the server")
    if len(server_ports) == len(node_ports):
        return [Wish(range(one, one + 1), port, protocol, address) for one, port in zip(server_ports, node_ports, strict=True)]
    if len(node_ports) > 1:
        raise PortFault(
            f"{len(server_ports)} ports of the server cannot be {len(node_ports)} ports of the node", "Give ranges of one length"
        )
    return [Wish(server_ports, node_ports[0], protocol, address)]


def _ports(text: str, what: str) -> range:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise PortFault(f"{text[:30]!r} is not a {what}" if text else f"there is no {what}")
    first, last = int(found.group(1)), int(found.group(2) or found.group(1))
    if not 0 < first <= last < 65536:
        raise PortFault(f"{text} is not a {what}", "Ports are numbers from 1 to 65535, and ranges go upwards")
    return range(first, last + 1)


def _address(text: str) -> str:
    """The address in its usual form; empty for all addresses of the server."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not bare:
        return ""
    try:
        address = ipaddress.ip_address(bare)
    except ValueError as exc:
        raise PortFault(f"{text[:60]!r} is not an address of the server", _FORM) from exc
    return "" if address.is_unspecified else str(address)


class Publisher:
    """Gives out the server's ports to the wishes of a lab's nodes. What is left to the lab is a function of lab, node and port."""

    def __init__(self, lab: str) -> None:
        self.lab = lab
        self._taken: dict[tuple[str, int], dict[str, Who]] = {}

    def fixed(self, wish: Wish, who: Who) -> PublishedPort | Who | None:
        """The port that a wish with server ports is given, the first that is free; or who has the last of them."""
        holder: Who | None = None
        for port in wish.server_ports:
            holder = self._holder(wish, port)
            if holder is None:
                return self._take(wish, port, who)
        return holder

    def chosen(self, wish: Wish, node: str, who: Who) -> PublishedPort:
        """The port that a wish without server ports is given. Those that the file names must have been given out before."""
        seed = hashlib.sha256("\0".join(("publish", self.lab, node, wish.protocol, wish.address, str(wish.node_port))).encode()).digest()
        first = int.from_bytes(seed[:8], "big") % len(CHOSEN)
        for step in range(len(CHOSEN)):
            port = CHOSEN[(first + step) % len(CHOSEN)]
            if self._holder(wish, port) is None:
                return self._take(wish, port, who)
        raise PortFault(f"all {len(CHOSEN)} ports are taken that the lab may choose from", "Publish fewer ports")

    def _holder(self, wish: Wish, port: int) -> Who | None:
        """Who has the port already: on the same address, or on all of them."""
        there = self._taken.get((wish.protocol, port), {})
        if not wish.address:
            return next(iter(there.values()), None)
        return there.get(wish.address, there.get(""))

    def _take(self, wish: Wish, port: int, who: Who) -> PublishedPort:
        self._taken.setdefault((wish.protocol, port), {})[wish.address] = who
        return PublishedPort(port, wish.node_port, wish.protocol, wish.address)
