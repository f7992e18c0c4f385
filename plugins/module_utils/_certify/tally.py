# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What was seen on the ports of a server, and what it says about the links. Pure: no sockets here.

Frames leave the bridge towards a node as outgoing on the server-side device. A frame of the run that comes in on a port was
sent by the node itself: a node that is a switch floods what it receives. Such relays are kept, because what they cause on
other links is not the wires' doing.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._certify import frames

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Endpoint, Link


class Sent(t.NamedTuple):
    """One frame of the run, as its sender meant it. link and source are names, target is empty unless it is for one endpoint."""

    link: str
    source: str
    kind: str
    target: str = ""


@dataclass
class Tally:
    """Counts of frames by device. links: those with an endpoint here (and any others whose names are to be known)."""

    run: frames.RunId
    server: str
    links: t.Sequence[Link]
    damaged: int = 0
    _seen: Counter[tuple[Sent, str, int]] = field(default_factory=Counter)
    _relays: set[tuple[Sent, str]] = field(default_factory=set)
    _strays: set[tuple[Sent, str]] = field(default_factory=set)
    _ports: dict[str, tuple[Link, Endpoint]] = field(default_factory=dict)
    _links: dict[bytes, str] = field(default_factory=dict)
    _names: dict[bytes, str] = field(default_factory=dict)
    _macs: dict[bytes, str] = field(default_factory=dict)
    _sources: dict[str, dict[str, list[Endpoint]]] = field(default_factory=dict)
    _missing: set[tuple[Sent, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._digest = frames.run_digest(self.run)
        for link in self.links:
            self._links[frames.digest(link.key)] = link.key
            for end in link.endpoints:
                self._names[frames.digest(end.name)] = end.name
                self._macs[frames.probe_mac(self.run.lab, end.name)] = end.name
                if end.server == self.server and link.probe != "device":
                    self._ports[end.port] = (link, end)
            self._sources[link.key] = frames.sources(link)
        self._missing = set(self._expected())

    def _expected(self) -> t.Iterator[tuple[Sent, str]]:
        for link, end in self._ports.values():
            for far in self._sources[link.key].get(end.name, ()):
                for kind in frames.kinds_of(link):
                    target = "" if kind.destination else end.name
                    yield Sent(link.key, far.name, kind.name, target), end.port

    @property
    def complete(self) -> bool:
        """Whether every frame that is expected on this server has arrived."""
        return not self._missing

    def add(self, frame: bytes, device: str, *, outgoing: bool) -> bool:
        """Count a frame that was seen on a device; whether it is one of this run."""
        probe = frames.parse(frame)
        if probe is None or probe.run != self._digest:
            return False
        link = self._links.get(probe.link) or probe.names[0] or f"unknown link {probe.link.hex()}"
        source = self._names.get(probe.source) or probe.names[1] or f"unknown endpoint {probe.source.hex()}"
        target = "" if frames.KINDS[probe.kind].destination else self._macs.get(probe.destination, "unknown")
        sent = Sent(link, source, probe.kind, target)
        if device not in self._ports:
            if outgoing:
                self._strays.add((sent, device))
        elif not outgoing:
            self._relays.add((sent, device))
        elif not probe.as_sent and self._ports[device][0].key == link:
            self.damaged += 1
        else:
            self._seen[(sent, device, probe.round)] += 1
            self._missing.discard((sent, device))
        return True

    def result(self) -> dict[str, t.Any]:
        """frames, leaks, duplicates, relays and strays, as plain lists that are sorted."""
        injected = {(sent, self._ports[device][0].key) for sent, device in self._relays}
        most: dict[tuple[Sent, str], int] = {}
        for (sent, device, _round), count in self._seen.items():
            most[(sent, device)] = max(count, most.get((sent, device), 0))
        leaks, duplicates = [], []
        for (sent, device), count in sorted(most.items()):
            link, end = self._ports[device]
            if (sent, link.key) in injected:
                continue
            if link.key != sent.link:
                leaks.append({"link": sent.link, "source": sent.source, "kind": sent.kind, "seen_on": end.name})
            elif count > 1 or sent.source == end.name:
                fields = {"link": sent.link, "source": sent.source, "target": end.name}
                duplicates.append({**fields, "kind": sent.kind, "count": count})
        return {
            "frames": self._frames(most),
            "kinds": list(frames.KINDS),
            "leaks": leaks,
            "duplicates": duplicates,
            "relays": self._listed(self._relays, lambda device: self._ports[device][1].name),
            "strays": self._listed(self._strays, lambda device: device),
            "damaged": self.damaged,
        }

    def _frames(self, seen: t.Collection[tuple[Sent, str]]) -> list[dict[str, t.Any]]:
        found = []
        for link, end in sorted(self._ports.values(), key=lambda one: (one[0].key, one[1].name)):
            for far in self._sources[link.key].get(end.name, ()):
                kinds = [
                    kind.name
                    for kind in frames.kinds_of(link)
                    if (Sent(link.key, far.name, kind.name, "" if kind.destination else end.name), end.port) in seen
                ]
                found.append({"link": link.key, "source": far.name, "target": end.name, "kinds": kinds})
        return found

    @staticmethod
    def _listed(found: set[tuple[Sent, str]], name: t.Callable[[str], str]) -> list[dict[str, str]]:
        unique = {(sent.link, sent.source, sent.kind, name(device)) for sent, device in found}
        return [dict(zip(("link", "source", "kind", "seen_on"), one, strict=True)) for one in sorted(unique)]
