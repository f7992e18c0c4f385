# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is taken of other watchers, and when they are told something: pure, with the clock as an argument."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._carriers import is_cable
from ansible_collections.archetype.lab.plugins.module_utils._watch._peer_messages import Message, Refused, encode

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared, Tunnel

AGAIN = (0.0, 0.05, 0.1)
"""Seconds after a change at which it is told: datagrams get lost."""
EVERY = 10.0
"""Seconds between two that are told although nothing changed."""
SILENCE = 35.0
"""Seconds after which a server that says nothing is not known any more: three of its messages were lost, or nobody watches there."""


@dataclass(frozen=True)
class Lab:
    """What the declared state of a lab says of other servers.

    own: nodes of this server with cables to others, of which is told. placed: node -> server, of all that are known here. addresses: of a
    server, the underlay addresses that it may send from. paths: underlay address of this server -> those of others, to which it is told.
    """

    name: str
    server: str
    own: frozenset[str] = frozenset()
    placed: t.Mapping[str, str] = field(default_factory=dict)
    addresses: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    paths: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, declared: Declared) -> Lab:
        here = declared.server
        ends = {link.key: {end.server for end in link.endpoints} for link in declared.links}
        placed = {end.node: end.server for link in declared.links for end in link.endpoints}
        placed.update({one.node: here for one in declared.containers})
        placed.update({one.node: here for one in declared.vms})
        far = [link for link in declared.links if is_cable(link) and ends[link.key] - {here}]
        nodes = {*(one.node for one in declared.containers), *(one.node for one in declared.vms)}
        addresses: dict[str, set[str]] = {}
        paths: dict[str, set[str]] = {}
        for tunnel in declared.tunnels:
            remotes = {address(one) for one in tunnel.remotes}
            paths.setdefault(address(tunnel.local), set()).update(remotes)
            for server in {server for key in _links(tunnel) for server in ends.get(key, ())} - {here}:
                addresses.setdefault(server, set()).update(remotes)
        return cls(
            declared.lab,
            here,
            frozenset(end.node for link in far for end in link.endpoints if end.server == here and end.node in nodes),
            placed,
            {server: frozenset(some) for server, some in addresses.items()},
            {local: tuple(sorted(some)) for local, some in sorted(paths.items())},
        )

    def far(self, nodes: t.Mapping[str, bool]) -> dict[str, bool]:
        """Those of these that are on other servers now."""
        return {node: runs for node, runs in sorted(nodes.items()) if self.placed.get(node, self.server) != self.server}


def _links(tunnel: Tunnel) -> list[str]:
    return [link.key for link in tunnel.links] or [tunnel.link]


def address(text: str) -> str:
    """An address as it is compared, without the device of a link-local one."""
    return ipaddress.ip_address(text.partition("%")[0]).compressed


@dataclass
class _Heard:
    """The last state of a server that was taken. parts: those that came; None are all, of what was taken before this process."""

    start: int
    number: int
    parts: set[int] | None


class Hearing:
    """Which messages are taken. dropped: lab -> why others were not -> how many."""

    def __init__(self) -> None:
        self.dropped: dict[str, dict[str, int]] = {}
        self._heard: dict[tuple[str, str], _Heard] = {}
        self._at: dict[tuple[str, str], float] = {}

    def remember(self, lab: str, last: t.Mapping[str, tuple[int, int]]) -> None:
        """What was taken of a lab before this process: nothing up to it is taken again."""
        for server, (start, number) in last.items():
            self._heard.setdefault((lab, server), _Heard(start, number, None))

    def last(self, lab: str) -> dict[str, tuple[int, int]]:
        return {server: (one.start, one.number) for (name, server), one in sorted(self._heard.items()) if name == lab}

    def forget(self, lab: str) -> None:
        """What was taken stays known: the lab may come back, and must not be told what is long over."""
        self.dropped.pop(lab, None)

    def silent(self, lab: Lab, since: float, now: float) -> set[str]:
        """Servers of which nothing was heard for long. since: when they began to be listened to."""
        others = set(lab.placed.values()) - {lab.server}
        return {server for server in others if now - self._at.get((lab.name, server), since) > SILENCE}

    def accept(self, message: Message, sender: str, labs: t.Mapping[str, Lab], now: float = 0.0) -> tuple[dict[str, bool], bool] | None:
        """The nodes that it tells of, and whether its sender is a new process; None for a repetition. Raises Refused."""
        lab = labs.get(message.lab)
        if lab is None:
            raise Refused("lab")
        allowed = lab.addresses.get(message.server)
        if allowed is None or message.server == lab.server:
            raise Refused("server", lab.name)
        if address(sender) not in allowed:
            raise Refused("address", lab.name)
        if any(lab.placed.get(node, message.server) != message.server for node in message.nodes):
            raise Refused("nodes", lab.name)
        before = self._heard.get((lab.name, message.server))
        newer = before is None or (message.start, message.number) > (before.start, before.number)
        if before is not None and (message.start, message.number) < (before.start, before.number):
            raise Refused("old", lab.name)
        self._at[lab.name, message.server] = now
        if newer:
            self._heard[lab.name, message.server] = _Heard(message.start, message.number, {message.part})
        elif before is None or before.parts is None or message.part in before.parts:
            return None
        else:
            before.parts.add(message.part)
        fresh = before is None or message.start != before.start
        return {node: runs for node, runs in message.nodes.items() if node in lab.placed}, fresh

    def drop(self, refused: Refused) -> bool:
        """Count one; whether it is the first of its sort."""
        counts = self.dropped.setdefault(refused.lab, {})
        counts[refused.reason] = counts.get(refused.reason, 0) + 1
        return counts[refused.reason] == 1


class Telling:
    """When the state of one lab is told, and with which number."""

    def __init__(self, lab: str, server: str, start: int, number: int = 0) -> None:
        """number: is higher for a lab that comes back than it was, so that others, who remember it, do not take it for old."""
        self._names = (lab, server, start)
        self._number = number
        self._nodes: dict[str, bool] | None = None
        self._due: list[float] = []

    def tell(self, nodes: t.Mapping[str, bool], now: float) -> None:
        """What is so now. It is told at once, and again, where it is something else than before."""
        if nodes != self._nodes:
            self._nodes = dict(nodes)
            self.repeat(now)

    def repeat(self, now: float) -> None:
        """Tell it anew, as somebody begins to listen."""
        if self._nodes is not None:
            self._number += 1
            self._due = [now + one for one in AGAIN]

    def next(self) -> float | None:
        """When something is to be told; None while nothing is known."""
        return self._due[0] if self._due else None

    def due(self, key: bytes, now: float) -> list[bytes]:
        """What is to be sent now."""
        if self._nodes is None or not self._due or self._due[0] > now:
            return []
        del self._due[0]
        datagrams = encode(key, *self._names, self._number, self._nodes)
        if not self._due:
            self._due = [now + EVERY]
            self._number += 1
        return datagrams
