# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Tags, VNIs, MAC addresses and device names: every number and name of a lab, decided once, before any server is touched.

Each has a preferred value, which follows from its identity alone (C(_identifiers.py)). A value that the lab already has on a server
stays, so that nothing renumbers when the topology is edited. Then every preferred value that is free is given, and only what is left
over is probed for, so that a latecomer never takes what another link prefers. All of it goes by sorted keys.
"""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils import _identifiers as ids
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError, Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, Place, Topology, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json, Seen, see


@dataclass(frozen=True)
class Settings:
    """How a lab is laid over its servers. tags: the first and the last of a range."""

    overlay_mode: str = "per_link"
    local_tags: tuple[int, int] = (100, 2999)
    cross_tags: tuple[int, int] = (3000, 4094)


@dataclass(frozen=True)
class Allocation:
    """tags: link key -> server -> tag. ports, macs: endpoint -> device, address.

    carriers: link key -> tunnel key, of links between servers; a tunnel key is the link's own or that of a shared tunnel.
    members: tunnel key -> its servers. vnis: tunnel key -> VNI. tunnels: tunnel key -> server -> device.
    """

    tags: t.Mapping[str, t.Mapping[str, int]]
    carriers: t.Mapping[str, str]
    members: t.Mapping[str, tuple[str, ...]]
    vnis: t.Mapping[str, int]
    tunnels: t.Mapping[str, t.Mapping[str, str]]
    ports: t.Mapping[str, str]
    macs: t.Mapping[str, str]


@dataclass
class Pool:
    """The numbers of one server (or of the whole lab). taken: not to be had. stale: the lab's own, about to be removed; a last resort."""

    taken: set[int]
    stale: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Want:
    """Something that needs one number that is free in all of its pools. live: those it has now, best first."""

    preferred: int
    low: int
    high: int
    pools: tuple[Pool, ...]
    live: tuple[int, ...] = ()

    def free(self, value: int, *, stale: bool = False) -> bool:
        return not any(value in pool.taken or (not stale and value in pool.stale) for pool in self.pools)

    def take(self, value: int) -> int:
        for pool in self.pools:
            pool.taken.add(value)
        return value

    def probe(self) -> int | None:
        """The first free value after the preferred one; one that is about to be free only where there is no other."""
        size = self.high - self.low + 1
        first = self.low + (self.preferred - self.low) % size
        for stale in (False, True):
            taken = [pool.taken for pool in self.pools] + [pool.stale for pool in self.pools if pool.stale and not stale]
            for part in (range(first, self.high + 1), range(self.low, first)):
                for value in part:
                    if all(value not in one for one in taken):
                        return value
        return None


WantId = t.TypeVar("WantId")


def settle(wants: t.Mapping[WantId, Want]) -> tuple[dict[WantId, int], list[WantId]]:
    """A number for each want, in the order of the mapping; and those for which none is left."""
    given: dict[WantId, int] = {}
    for name, want in wants.items():
        live = next((value for value in want.live if want.low <= value <= want.high and want.free(value, stale=True)), None)
        if live is not None:
            given[name] = want.take(live)
    for name, want in wants.items():
        if name not in given and want.free(want.preferred):
            given[name] = want.take(want.preferred)
    lost: list[WantId] = []
    full: set[tuple[int, int, tuple[int, ...]]] = set()
    for name, want in wants.items():
        if name not in given:
            room = (want.low, want.high, tuple(id(pool) for pool in want.pools))
            found = None if room in full else want.probe()
            if found is None:  # nothing is given back, so that nobody else need look there
                full.add(room)
                lost.append(name)
            else:
                given[name] = want.take(found)
    return given, lost


def _by_weight(live: Counter[int], preferred: int) -> tuple[int, ...]:
    """Live values, best first: the one that we would choose, then what most objects have, then the lowest."""
    return tuple(sorted(live, key=lambda value: (value != preferred, -live[value], value)))


def allocate(
    topology: Topology,
    placement: t.Mapping[str, str],
    servers: t.Sequence[str],
    observed: t.Mapping[str, Json],
    settings: Settings | None = None,
) -> Allocation:
    """All numbers and names of a lab on these servers. Raises LabFileError with everything that cannot be given."""
    return _Allocator(topology, placement, servers, observed, settings or Settings()).allocate()


class _Allocator:
    def __init__(
        self,
        topology: Topology,
        placement: t.Mapping[str, str],
        servers: t.Sequence[str],
        observed: t.Mapping[str, Json],
        settings: Settings,
    ) -> None:
        self.topology = topology
        self.lab = topology.name
        self.placement = placement
        self.settings = settings
        self.seen: dict[str, Seen] = {server: see(self.lab, observed.get(server)) for server in sorted(servers)}
        self.links = [topology.links[key] for key in sorted(topology.links)]
        self.servers_of = {link.key: tuple(sorted({placement[end.node] for end in link.endpoints})) for link in self.links}
        self.endpoints = self._endpoints()
        self.problems: list[Problem] = []

    def allocate(self) -> Allocation:
        tags = self._tags()
        carriers = {link.key: self._carrier(link) for link in self.links if len(self.servers_of[link.key]) > 1}
        members = {carrier: self.servers_of[key] for key, carrier in sorted(carriers.items())}
        vnis = self._vnis(members)
        tunnels = self._tunnels(members)
        ports = self._ports()
        macs = self._macs()
        if self.problems:
            raise LabFileError(self.problems)
        return Allocation(tags, carriers, members, vnis, tunnels, ports, macs)

    def _carrier(self, link: TopologyLink) -> str:
        servers = self.servers_of[link.key]
        return ids.shared_key(servers) if self._shared and len(servers) == 2 else link.key

    @property
    def _shared(self) -> bool:
        return self.settings.overlay_mode == "shared"

    # tags

    def _tags(self) -> dict[str, dict[str, int]]:
        pools = {
            server: Pool(set(seen.claimed_tags), {tag for key, tags in seen.tags.items() if key not in self.topology.links for tag in tags})
            for server, seen in self.seen.items()
        }
        wants: dict[tuple[str, tuple[str, ...]], Want] = {}
        for link in (link for link in self.links if link.on_bridge):
            servers = self.servers_of[link.key]
            cross = len(servers) > 1
            low, high = self.settings.cross_tags if cross else self.settings.local_tags
            preferred = ids.preferred_tag(self.lab, link.key, (low, high))
            for together in (servers,) if cross and self._shared else tuple((server,) for server in servers):
                live: Counter[int] = Counter()
                for server in together:
                    live.update(self.seen[server].tags.get(link.key, {}))
                where = tuple(pools[server] for server in together)
                wants[link.key, together] = Want(preferred, low, high, where, _by_weight(live, preferred))
        given, lost = settle(wants)
        self._explain(lost, wants)
        tags: dict[str, dict[str, int]] = {link.key: {} for link in self.links}
        for (key, together), tag in given.items():
            tags[key].update(dict.fromkeys(together, tag))
        return tags

    def _explain(self, lost: t.Sequence[tuple[str, tuple[str, ...]]], wants: t.Mapping[tuple[str, tuple[str, ...]], Want]) -> None:
        """One problem per server and range that ran out of tags."""
        for server, low, high in sorted({(server, wants[one].low, wants[one].high) for one in lost for server in one[1]}):
            wanting = sum(server in servers and (want.low, want.high) == (low, high) for (_key, servers), want in wants.items())
            claimed = sum(low <= tag <= high for tag in self.seen[server].claimed_tags)
            option = "cross" if (low, high) == self.settings.cross_tags else "local"
            others = f", {claimed} of them in use by others" if claimed else ""
            what = f"server {server} has no tag left: {wanting} links want one of {low}-{high} ({high - low + 1} tags{others})"
            self._problem(None, what, f"Widen {option} under tags in the lab file, or place nodes on other servers")

    # tunnels

    def _vnis(self, members: t.Mapping[str, tuple[str, ...]]) -> dict[str, int]:
        everywhere = Pool(set())
        pools = {server: Pool(set(seen.claimed_vnis)) for server, seen in self.seen.items()}
        for link in self.links:
            if link.far and link.far.type == "vxlan" and link.far.dst_port == ids.DST_PORT:
                pools[self.servers_of[link.key][0]].taken.add(link.far.vni)
        low, high = ids.VNI_RANGE
        wants = {}
        for key, servers in sorted(members.items()):
            preferred = ids.preferred_vni(self.lab, key)
            live = Counter(vni for server in servers for vni in self._live_vnis(server, key))
            where = (everywhere, *(pools[server] for server in servers))
            wants[key] = Want(preferred, low, high, where, _by_weight(live, preferred))
        given, lost = settle(wants)
        for key in lost:
            self._problem(None, f"no VNI is left for {key}")
        return given

    def _live_vnis(self, server: str, key: str) -> t.Iterator[int]:
        seen = self.seen[server]
        if key in self.topology.links:
            if key in seen.vnis:
                yield seen.vnis[key]
        elif seen.shared:
            names = ids.candidates(ids.tunnel_name(self.lab, key), lambda attempt: ids.tunnel_name(self.lab, key, attempt))
            yield from (seen.shared[name] for name in names if name in seen.shared)

    def _tunnels(self, members: t.Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, str]]:
        taken = {server: set(seen.claimed_devices) for server, seen in self.seen.items()}
        names: dict[str, dict[str, str]] = {}
        for key, servers in sorted(members.items()):
            first = ids.tunnel_name(self.lab, key)
            names[key] = {}
            for server in servers:
                seen = self.seen[server]

                def again(attempt: int, key: str = key) -> str:
                    return ids.tunnel_name(self.lab, key, attempt)

                live = {seen.tunnels[key]} if key in seen.tunnels else set(seen.shared) if key not in self.topology.links else set()
                names[key][server] = self._choose(f"tunnel {key} on server {server}", first, again, live, taken[server])
        return names

    # endpoints

    def _endpoints(self) -> list[tuple[EndpointRef, Place]]:
        ends = [(end, link.place) for link in self.links for end in link.endpoints]
        return sorted(ends, key=lambda one: (one[0].node, one[0].interface))

    def _ports(self) -> dict[str, str]:
        taken = {server: set(seen.claimed_devices) for server, seen in self.seen.items()}
        names = {}
        given = {end.name: link.far.interface for link in self.links if link.far and link.far.type == "host" for end in link.endpoints}
        for end, _place in self.endpoints:
            server = self.placement[end.node]
            if end.name in given:
                names[end.name] = given[end.name]
                continue
            live = self.seen[server].ports.get(end.name)

            def again(attempt: int, end: EndpointRef = end) -> str:
                return ids.port_name(self.lab, end.node, end.interface, attempt)

            first = ids.port_name(self.lab, end.node, end.interface)
            names[end.name] = self._choose(f"port of {end.name} on server {server}", first, again, {live} if live else set(), taken[server])
        return names

    def _macs(self) -> dict[str, str]:
        """What the user fixed wins, on its own risk; all others are unlike any MAC address that is known on any server."""
        macs: dict[str, str] = {}
        holder: dict[str, str] = {}
        for end, where in self.endpoints:
            mac = end.mac.lower()
            if mac and mac in holder:
                self._problem(where, f"{end.name} and {holder[mac]} have the same MAC address {mac}", "Give one of them another, or none")
            elif mac:
                holder[mac], macs[end.name] = end.name, mac
        taken = set(holder).union(*(seen.claimed_macs for seen in self.seen.values()))
        for end, _place in self.endpoints:
            if end.mac:
                continue

            def again(attempt: int, end: EndpointRef = end) -> str:
                return ids.mac_address(self.lab, end.node, end.interface, attempt)

            live = self.seen[self.placement[end.node]].macs.get(end.name)
            first = ids.mac_address(self.lab, end.node, end.interface)
            macs[end.name] = self._choose(f"MAC address of {end.name}", first, again, {live} if live else set(), taken)
        return macs

    def _choose(self, what: str, first: str, again: t.Callable[[int], str], live: set[str], taken: set[str]) -> str:
        """A name or address that is free: the live one if it is one that we give, else the first that nobody has."""
        quick = first not in taken and (not live or first in live)
        names = [first] if quick else [name for name in ids.candidates(first, again) if name not in taken]
        names.sort(key=lambda name: name not in live)
        if not names:
            self._problem(None, f"{what}: every name or address that it may have is taken ({first} and {ids.ATTEMPTS - 1} more)")
            return first
        taken.add(names[0])
        return names[0]

    def _problem(self, where: Place | None, what: str, remedy: str = "") -> None:
        if where:
            self.problems.append(Problem(where.file, where.line, where.column, what, remedy))
        else:
            self.problems.append(Problem(self.topology.file, 0, 0, what, remedy))
