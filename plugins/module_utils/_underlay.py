# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The path MTU from this server to others, measured with echo requests that must not be fragmented.

What the kernel believes (its device's MTU, what ICMP told it) is where the search starts, never the result: a switch on the
way that drops large packets tells nobody. A path may be another one back, so each server measures its own direction.
All peers are measured at once. Sizes are those of IP packets, headers included.
"""

from __future__ import annotations

import ipaddress
import os
import select
import socket
import struct
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError, raise_all

if t.TYPE_CHECKING:
    from types import TracebackType

    from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Netlink

LEAST = {4: 576, 6: 1280}
"""The MTU below which no path can be: what every IPv4 host takes (RFC 791), and the least MTU of IPv6 (RFC 8200)."""
TRIES = 3
PATIENCE = 0.4
"""Seconds to wait for the echoes of one try, while it is not known how long a peer takes to answer."""
LEAST_PATIENCE = 0.1
SPREAD = 8
"""How many sizes are tried at once when the largest does not come through."""

_COMMON = (1400, 1420, 1440, 1450, 1454, 1460, 1472, 1480, 1492, 1500, 8950, 8970, 8980, 9000)
_LARGEST = 65535
_HEADERS = {4: 20 + 8, 6: 40 + 8}
_REQUEST = {4: 8, 6: 128}
_REPLY = {4: 0, 6: 129}
_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
_PROBE = 3
"""IP_PMTUDISC_PROBE: never fragment, and do not hold back what the kernel believes to be too large."""
_ECHO = struct.Struct("!BBHHH")


class Echoes(t.Protocol):
    """Sends echo requests and takes the replies; the fake of it is what the search is tested with."""

    def send(self, peer: str, size: int) -> None:
        """Send a request of this size; nothing happens when it is larger than the device can send."""

    def receive(self, timeout: float) -> t.Sequence[tuple[str, int]]:
        """The replies that have come, as (peer, size); waits for the first as long as the time-out."""


def version(address: str) -> int:
    return 4 if isinstance(ipaddress.ip_address(address), ipaddress.IPv4Address) else 6


@dataclass
class _Search:
    """The search for one peer. passed: the largest size that came through. failed: the smallest that did not.

    patience: seconds that its echoes are waited for.
    """

    peer: str
    failed: int
    passed: int = 0
    patience: float = PATIENCE
    asked: set[int] = field(default_factory=set)

    def next_sizes(self) -> set[int]:
        """The sizes to try now; none when it is known."""
        if not self.asked:
            return {LEAST[version(self.peer)], self.failed - 1}
        if not self.passed or self.passed + 1 >= self.failed:
            return set()
        low, high = self.passed + 1, self.failed - 1
        step = max(1, (high - low) // SPREAD)
        return {*range(low, high + 1, step), *(size for size in _COMMON if low <= size <= high), high}

    def heard(self, size: int, after: float) -> None:
        self.passed = max(self.passed, size)
        self.patience = min(PATIENCE, max(LEAST_PATIENCE, 8 * after))

    def finish_round(self) -> None:
        lost = {size for size in self.asked if size > self.passed}
        self.failed = min({*lost, self.failed})


def measure(echoes: Echoes, first: t.Mapping[str, int]) -> dict[str, int]:
    """The path MTU to each peer; 0 where not even the smallest packet is answered. first: the largest that may be."""
    searches = {peer: _Search(peer, max(size, LEAST[version(peer)]) + 1) for peer, size in first.items()}
    while True:
        wanted = {peer: sizes for peer, search in searches.items() if (sizes := search.next_sizes())}
        if not wanted:
            return {peer: search.passed for peer, search in searches.items()}
        for peer, sizes in wanted.items():
            searches[peer].asked = sizes
        _round(echoes, searches, wanted)
        for peer in wanted:
            searches[peer].finish_round()


def _round(echoes: Echoes, searches: t.Mapping[str, _Search], wanted: t.Mapping[str, set[int]]) -> None:
    """Ask for all of these sizes, some times; over as soon as the largest of every peer came through."""
    for _try in range(TRIES):
        for peer, sizes in wanted.items():
            for size in sorted(sizes):
                if size > searches[peer].passed:
                    echoes.send(peer, size)
        started = time.monotonic()
        deadline = started + max(searches[peer].patience for peer in wanted)
        while (left := deadline - time.monotonic()) > 0:
            for peer, size in echoes.receive(left):
                if peer in searches and size in searches[peer].asked:
                    searches[peer].heard(size, time.monotonic() - started)
            if all(searches[peer].passed >= max(sizes) for peer, sizes in wanted.items()):
                return


class IcmpEchoes:
    """Real echo requests. One raw socket for each version of IP, all peers on it; only replies with this run's mark count."""

    def __init__(self) -> None:
        self._mark = os.urandom(8)
        self._sockets: dict[int, socket.socket] = {}
        self._sequence = 0
        self._plain: dict[bytes, str] = {}

    def __enter__(self) -> IcmpEchoes:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for sock in self._sockets.values():
            sock.close()

    def _socket(self, family: int) -> socket.socket:
        if family not in self._sockets:
            kind = (socket.AF_INET, socket.IPPROTO_ICMP) if family == 4 else (socket.AF_INET6, socket.IPPROTO_ICMPV6)
            try:
                sock = socket.socket(kind[0], socket.SOCK_RAW | socket.SOCK_CLOEXEC, kind[1])
                sock.setsockopt(*_MTU_DISCOVER[family], _PROBE)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            except OSError as error:
                raise ReadError(f"cannot send echo requests: {error.strerror}", hint="run the module as root (become: true)") from error
            sock.setblocking(False)
            self._sockets[family] = sock
        return self._sockets[family]

    def send(self, peer: str, size: int) -> None:
        family = version(peer)
        self._plain[ipaddress.ip_address(peer).packed] = peer
        self._sequence = (self._sequence + 1) & 0xFFFF
        payload = (self._mark + struct.pack("!H", size)).ljust(size - _HEADERS[family], b"\0")
        identity = int.from_bytes(self._mark[:2], "big")
        head = _ECHO.pack(_REQUEST[family], 0, 0, identity, self._sequence)
        if family == 4:
            head = _ECHO.pack(_REQUEST[family], 0, _checksum(head + payload), identity, self._sequence)
        try:
            self._socket(family).sendto(head + payload, (peer, 0))
        except OSError:
            return  # larger than the device's MTU, or no way there now: no reply will come, which is what counts

    def receive(self, timeout: float) -> list[tuple[str, int]]:
        found = []
        for sock in select.select(list(self._sockets.values()), [], [], timeout)[0]:
            family = 4 if sock.family == socket.AF_INET else 6
            while True:
                try:
                    data, address = sock.recvfrom(_LARGEST)
                except OSError:  # nothing more, or an error that an earlier request caused
                    break
                skip = (data[0] & 0x0F) * 4 if family == 4 and data else 0
                size = self._echoed(family, data[skip:])
                peer = self._plain.get(ipaddress.ip_address(address[0].partition("%")[0]).packed)
                if size and peer:
                    found.append((peer, size))
        return found

    def _echoed(self, family: int, message: bytes) -> int:
        """The size of the request that this message replies to; 0 when it is something else."""
        start = _ECHO.size + len(self._mark)
        if len(message) < start + 2 or message[0] != _REPLY[family] or message[_ECHO.size : start] != self._mark:
            return 0
        size = int.from_bytes(message[start : start + 2], "big")
        return size if len(message) == size - _HEADERS[family] + _ECHO.size else 0


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) // 2 * 2])) + (data[-1] << 8 if len(data) % 2 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclass(frozen=True)
class Underlay:
    """address: what this server uses towards its peers. mtu: peer -> path MTU."""

    address: str = ""
    mtu: t.Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, t.Any]:
        return {"address": self.address, "mtu": dict(self.mtu)}


def path_mtus(net: Netlink, peers: t.Sequence[str], *, server: str = "this server", needed: bool = True) -> Underlay:
    """The path MTU to each peer. Raises ReadError, for all peers at once that cannot be reached; unless needed, these are left out."""
    errors: list[LabError] = []
    first: dict[str, int] = {}
    sources: dict[str, str] = {}
    for peer in dict.fromkeys(peers):
        try:
            ipaddress.ip_address(peer)
            route = net.route(peer)
        except ReadError as error:
            errors.append(error)
            continue
        except ValueError:
            errors.append(ReadError(f"{peer} is not an IP address", hint="set lab_underlay_address of that server to one", objects=(peer,)))
            continue
        first[peer] = min(route.mtu, _LARGEST)
        sources[peer] = route.source
    with IcmpEchoes() as echoes:
        found = measure(echoes, first)
    for peer, mtu in found.items():
        if not mtu:
            errors.append(
                ReadError(
                    f"{server} ({sources[peer]}) gets no answer from {peer}",
                    hint="see that both servers are up, that a route leads there and back, and that ICMP echo is let through",
                    objects=(peer,),
                )
            )
    if needed:
        raise_all(errors)
    return Underlay(next(iter(sources.values()), ""), {peer: mtu for peer, mtu in found.items() if mtu})
