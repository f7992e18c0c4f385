# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The management network: its subnets, and the addresses of nodes and of the gateways that servers have in it.

Fixed addresses come first; then what the lock file remembers; then every preferred address (a digest of lab and node) that is free;
what is left over is probed for. So adding a node renumbers nobody, and adding a server moves no other's gateway.
Topology, names of servers and lock file are all that is needed, so that the inventory has the same addresses as the plan.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils import _identifiers as ids
from ansible_collections.archetype.lab.plugins.plugin_utils._allocation import Pool, Want, settle
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError, Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node, Place, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import Lock

LINK = "management"
"""The link key of the management network, and the name of the segment that it is."""

MTU = 1500
"""What management interfaces have where the file is silent: they lead to networks that are not the lab's."""

AUTO = "auto"
IPNetwork = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

_ROOM = ipaddress.ip_network("198.18.0.0/15")
"""RFC 2544's, for benchmarks of networks: nobody's LAN. Labs that share servers must not share a subnet, so each has its own of it."""
_ROOM6 = ipaddress.ip_network("3fff::/20")
"""RFC 9637's, for documentation."""
_FIXED_SUBNETS: dict[int, IPNetwork] = {4: ipaddress.ip_network("172.20.20.0/24"), 6: ipaddress.ip_network("3fff:172:20:20::/64")}
"""containerlab's, which files with fixed addresses and without a subnet were written for."""
_SPAN = 2**16
"""How much of a large subnet is used, so that its addresses stay short."""


@dataclass(frozen=True)
class Memory:
    """What the lock file remembers. subnets: by family (4 or 6). addresses, gateways: node or server -> its own, of both families."""

    subnets: t.Mapping[int, str] = field(default_factory=dict)
    addresses: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    gateways: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)


def memory_of(lock: Lock) -> Memory:
    return Memory({4: lock.management.get("ipv4", ""), 6: lock.management.get("ipv6", "")}, lock.addresses, lock.gateways)


@dataclass(frozen=True)
class Family:
    """The network in one IP version. nodes, gateways: node or server -> address without prefix length."""

    subnet: IPNetwork
    nodes: t.Mapping[str, str]
    gateways: t.Mapping[str, str]

    def node(self, name: str) -> str:
        return f"{self.nodes[name]}/{self.subnet.prefixlen}"

    def gateway(self, server: str) -> str:
        return f"{self.gateways[server]}/{self.subnet.prefixlen}"


@dataclass(frozen=True)
class Network:
    """The management network of a lab. interfaces: node -> the Linux name of its management interface."""

    interfaces: t.Mapping[str, str]
    ipv4: Family | None = None
    ipv6: Family | None = None

    @property
    def families(self) -> list[Family]:
        return [one for one in (self.ipv4, self.ipv6) if one]

    def addresses(self, node: str) -> dict[str, str]:
        """C({ipv4, ipv6}) of a node, empty where there is none."""
        return {name: family.nodes.get(node, "") if family else "" for name, family in (("ipv4", self.ipv4), ("ipv6", self.ipv6))}


def interfaces_of(topology: Topology) -> dict[str, str]:
    """Node -> its management interface, for the nodes that have one: not for those whose network is none, or not their own."""
    if not topology.management.enabled:
        return {}
    found = {name: node.profile.interfaces.management for name, node in sorted(topology.nodes.items()) if not node.network_mode}
    return {name: interface for name, interface in found.items() if interface}


def joined_links(topology: Topology) -> list[str]:
    """The links that end in the management network (type C(mgmt-net))."""
    return [key for key, link in sorted(topology.links.items()) if link.far is not None and link.far.type == "mgmt-net"]


def make_network(
    topology: Topology, servers: t.Iterable[str], memory: Memory | None = None, avoid: t.Iterable[IPNetwork] = ()
) -> Network | None:
    """The management network; None where there is none, or nobody would use it.

    avoid: networks that a subnet which we choose must not overlap. Raises LabFileError with all that is wrong.
    """
    interfaces = interfaces_of(topology)
    if not interfaces and not (topology.management.enabled and joined_links(topology)):
        return None
    maker = _Maker(topology, sorted(interfaces), sorted(set(servers)), memory or Memory(), list(avoid))
    ipv4, ipv6 = maker.family(4), maker.family(6)
    if maker.problems:
        raise LabFileError(maker.problems)
    return Network(interfaces, ipv4, ipv6)


class _Maker:
    def __init__(self, topology: Topology, nodes: list[str], servers: list[str], memory: Memory, avoid: list[IPNetwork]) -> None:
        self.topology = topology
        self.asked = topology.management
        self.place = self.asked.place if self.asked.place.file else Place(topology.file)
        self.nodes = nodes
        self.servers = servers
        self.memory = memory
        self.avoid = avoid
        self.problems: list[Problem] = []

    def family(self, version: int) -> Family | None:
        fixed = {name: address for name in self.nodes if (address := _fixed(self.topology.nodes[name], version))}
        subnet = self._subnet(version, fixed)
        if subnet is None:
            if fixed and not self.problems:
                name = min(fixed)
                what = f"node {name} has the address {fixed[name]}, but the management network has no IPv{version} subnet"
                self._at(self.topology.nodes[name], what, f"Add ipv{version}-subnet under mgmt, or take the address out")
            return None
        return self._addresses(version, subnet, fixed)

    # subnets

    def _subnet(self, version: int, fixed: t.Mapping[str, str]) -> IPNetwork | None:
        """As in containerlab, a file that names a subnet of one family only has no other."""
        given, other = self.asked.ipv4_subnet, self.asked.ipv6_subnet
        if version == 6:
            given, other = other, given
        if given and given != AUTO:
            return self._parsed(given, version)
        if not given and other:
            return None
        return self._chosen(version) if given == AUTO or not fixed else _FIXED_SUBNETS[version]

    def _parsed(self, text: str, version: int) -> IPNetwork | None:
        try:
            found = ipaddress.ip_network(text, strict=False)
        except ValueError:
            found = None
        if found is None or found.version != version:
            self._problem(
                f"ipv{version}-subnet of the management network is {text}", f"Write it as an IPv{version} network, address/length"
            )
            return None
        return found

    def _chosen(self, version: int) -> IPNetwork | None:
        """A subnet of this lab: the remembered one while it has room, else by digest, beside what is to be avoided."""
        room = _ROOM if version == 4 else _ROOM6
        needed = (len(self.nodes) + len(self.servers) + 2) * 5 // 4
        length = 24 if version == 4 else 64
        while version == 4 and 2 ** (32 - length) < needed and length > room.prefixlen:
            length -= 1
        text = self.memory.subnets.get(version, "")
        kept = parsed_network(text)
        if kept is not None and kept.version == version and kept.prefixlen <= length:
            return kept
        count = 2 ** (length - room.prefixlen)
        first = ids.subnet_number(self.topology.name, version, 2 ** ((24 if version == 4 else 64) - room.prefixlen))
        first //= 2 ** ((24 if version == 4 else 64) - length)
        for step in range(min(count, 512)):
            number = int(room.network_address) + ((first + step) % count << (room.max_prefixlen - length))
            found = ipaddress.ip_network((number, length))
            if not any(one.version == version and one.overlaps(found) for one in self.avoid):
                return found
        self._problem(f"no /{length} of {room} is free for the management network", f"Name an ipv{version}-subnet under mgmt that is")
        return None

    # addresses

    def _addresses(self, version: int, subnet: IPNetwork, fixed: t.Mapping[str, str]) -> Family:
        holder: dict[int, str] = {}
        for name in sorted(fixed):
            self._take_fixed(name, fixed[name], subnet, holder)
        known = self.memory.addresses
        remembered = {name: _remembered(known.get(name, ()), subnet) for name in self.nodes if name not in fixed}
        gateways = self._gateways(version, subnet, {*holder, *filter(None, remembered.values())}, holder)
        low, high = self._range(version, subnet)
        pool = Pool({*holder, *(int(ipaddress.ip_address(one)) for one in gateways.values())})
        wants = {}
        for name, live in remembered.items():
            preferred = ids.preferred_address(self.topology.name, name, (low, high))
            wants[name] = Want(preferred, low, high, (pool,), (live,) if live else ())
        given, lost = settle(wants)
        if lost:
            what = f"the management network has no IPv{version} address left for {len(lost)} nodes: {subnet} has {high - low + 1} for them"
            self._problem(what, f"Give it a larger ipv{version}-subnet or ipv{version}-range")
        numbers = {**{name: number for number, name in holder.items() if name in fixed}, **given}
        return Family(subnet, {name: _text(numbers[name], version) for name in sorted(numbers)}, gateways)

    def _take_fixed(self, name: str, address: str, subnet: IPNetwork, holder: dict[int, str]) -> None:
        node, number = self.topology.nodes[name], int(ipaddress.ip_address(address))
        low, high = _hosts(subnet)
        if not low <= number <= high:
            given = self.asked.ipv4_subnet or self.asked.ipv6_subnet
            remedy = "Correct one of the two" if given else f"Add ipv{subnet.version}-subnet under mgmt"
            self._at(node, f"the management address {address} of node {name} is no address of a host in {subnet}", remedy)
        elif number in holder:
            self._at(node, f"nodes {holder[number]} and {name} have the same management address {address}", "Give one of them another")
        else:
            holder[number] = name

    def _gateways(self, version: int, subnet: IPNetwork, taken: set[int], holder: t.Mapping[int, str]) -> dict[str, str]:
        """What the lock file remembers stays; then the first server has the first address, the others the last ones that no node has.

        The gateway of the file belongs to the server that has it, else to the first without one, else to the first.
        """
        low, high = _hosts(subnet)
        kept: dict[int, str] = {}
        for server in self.servers:
            number = _remembered(self.memory.gateways.get(server, ()), subnet)
            if number not in holder and low <= number <= high:
                kept.setdefault(number, server)
        asked = self._asked_gateway(version, subnet, holder)
        if asked is not None and asked not in kept and self.servers:
            heir = next((server for server in self.servers if server not in kept.values()), self.servers[0])
            kept = {**{number: server for number, server in kept.items() if server != heir}, asked: heir}
        if subnet.num_addresses > _SPAN:
            high = min(high, low + max(_SPAN, 4 * len(self.nodes)) - 2)
        taken = {*taken, *kept}
        gateways = {server: number for number, server in kept.items()}
        for server in self.servers:
            if server not in gateways:
                room = range(high, low - 1, -1) if gateways else range(low, high + 1)
                gateways[server] = next((one for one in room if one not in taken), low - 1)
                taken.add(gateways[server])
        if low - 1 in gateways.values():
            self._problem(f"{subnet} has no room for the gateways of {len(self.servers)} servers", f"Name a larger ipv{version}-subnet")
            return dict.fromkeys(self.servers, _text(low, version))
        return {server: _text(gateways[server], version) for server in self.servers}

    def _asked_gateway(self, version: int, subnet: IPNetwork, holder: t.Mapping[int, str]) -> int | None:
        """The gateway that the file names."""
        text = self.asked.ipv4_gateway if version == 4 else self.asked.ipv6_gateway
        asked = _address(text) if text else None
        if asked is not None and asked in subnet and int(asked) not in holder:
            return int(asked)
        if text:
            whose = f", the address of node {holder[int(asked)]}" if asked is not None and int(asked) in holder else ""
            self._problem(
                f"ipv{version}-gw of the management network is {text}{whose}", f"Name a free address of {subnet}, or leave it out"
            )
        return None

    def _range(self, version: int, subnet: IPNetwork) -> tuple[int, int]:
        """What nodes without an address of their own are given of: the file's range, else the subnet, of a large one its beginning."""
        low, high = _hosts(subnet)
        text = self.asked.ipv4_range if version == 4 else self.asked.ipv6_range
        if text:
            part = parsed_network(text)
            if part is None or part.version != version or not part.subnet_of(t.cast(t.Any, subnet)):
                self._problem(f"ipv{version}-range of the management network is {text}", f"Write it as a network inside {subnet}")
            else:
                low, high = max(low, int(part.network_address)), min(high, int(part.broadcast_address))
        return low, min(high, low + max(_SPAN, 4 * len(self.nodes)) - 2)

    def _at(self, node: Node, what: str, remedy: str) -> None:
        self.problems.append(Problem(node.place.file, node.place.line, node.place.column, what, remedy))

    def _problem(self, what: str, remedy: str) -> None:
        self.problems.append(Problem(self.place.file, self.place.line, self.place.column, what, remedy))


def _fixed(node: Node, version: int) -> str:
    return node.mgmt_ipv4 if version == 4 else node.mgmt_ipv6


def _hosts(subnet: IPNetwork) -> tuple[int, int]:
    """The first and the last address that a host may have."""
    low, high = int(subnet.network_address), int(subnet.broadcast_address)
    if subnet.version == 4 and subnet.prefixlen < 31:
        return low + 1, high - 1
    return (low + 1, high) if subnet.version == 6 and subnet.prefixlen < 127 else (low, high)


def _remembered(texts: t.Iterable[str], subnet: IPNetwork) -> int:
    """Which of these addresses is of the subnet; 0 where there is none that can be used: no host has that address."""
    for text in texts:
        address = _address(text)
        if address is not None and address.version == subnet.version and address in subnet:
            return int(address)
    return 0


def _text(number: int, version: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def parsed_network(text: str) -> IPNetwork | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
