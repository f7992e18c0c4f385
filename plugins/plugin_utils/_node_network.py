# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whose network a node has, and what the management network knows of it: fixed addresses, published ports, names."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Management, Node, PublishedPort, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._published import PortFault, Publisher, Wish, parse_port
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

MODES = ("bridge", "container", "host", "none")
OF_NODE = "node:"
OF_CONTAINER = "container:"
_CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
_ALIAS = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")
_VERSIONS = {"mgmt-ipv4": 4, "mgmt-ipv6": 6}
MAX_PORTS = 20_000
"""Most ports that a lab publishes: a range of all ports, often written, must not take for ever."""


@dataclass(frozen=True)
class _Asked:
    """A port that a node asks for, with its place in the file."""

    node: str
    at: Scalar
    wish: Wish


class NetworkReader:
    """kinds: of all nodes of the file, None where one is not known. containers: node -> the name of its container."""

    def __init__(
        self, problems: Problems, lab: str, management: Management, kinds: t.Mapping[str, Kind | None], containers: t.Mapping[str, str]
    ) -> None:
        self.problems = problems
        self.management = management
        self.kinds = kinds
        self.notes: list[str] = []
        self._nodes_by_container = {container: name for name, container in containers.items()}
        self._containers = containers
        self._publisher = Publisher(lab)
        self._asked: list[_Asked] = []
        self._addresses: dict[str, tuple[str, int]] = {}
        self._lasts: dict[str, str] = {}

    # whose network

    def mode(self, name: str, settings: Settings) -> str:
        """The network mode, as C(_model.Node) has it."""
        value = settings.scalar("network-mode")
        if value is None:
            return ""
        mode, colon, target = value.text.partition(":")
        if mode == "container":
            return self._shared(name, value, target)
        if colon or mode not in MODES:
            remedy = did_you_mean(mode, MODES) or "It is host, none, bridge or container:<name>"
            self.problems.add(value, f"node {name}: network-mode is {quote(value.text)}", remedy)
            return ""
        return "" if mode == "bridge" else mode

    def _shared(self, name: str, value: Scalar, target: str) -> str:
        other = target if target in self.kinds else self._nodes_by_container.get(target, "")
        if not other:
            if not _CONTAINER.fullmatch(target):
                remedy = "Write it as container:<node>, or container:<name of a container on the node's server>"
                self.problems.add(value, f"node {name}: network-mode {quote(value.text)} names no container", remedy)
                return ""
            return OF_CONTAINER + target
        kind = self.kinds[other]
        if other == name:
            self.problems.add(value, f"node {name}: network-mode is the node's own", "Name another node")
        elif kind is not None and kind.provider == "segment":
            self.problems.add(value, f"node {name}: node {other} is a segment, which has no network of its own", "Name another node")
        elif kind is not None and kind.provider == "host":
            return "host"
        elif kind is not None and kind.provider == "external":
            return OF_CONTAINER + other
        elif kind is not None:
            return OF_NODE + other
        return ""

    def pid_mode(self, name: str, settings: Settings) -> str:
        value = settings.scalar("pid-mode")
        if value is None or value.text == "host":
            return value.text if value else ""
        mode, _colon, target = value.text.partition(":")
        if mode == "container" and target != name and _CONTAINER.fullmatch(target):
            return OF_CONTAINER + self._containers.get(target, target)
        self.problems.add(value, f"node {name}: pid-mode is {quote(value.text)}", "It is host or container:<name of another node>")
        return ""

    def shared(self, nodes: dict[str, Node]) -> None:
        """Say of each node that has another's network or processes which container it is, and beside which nodes it must be."""
        for name in [name for name, node in nodes.items() if node.network_mode or node.pid_mode.startswith(OF_CONTAINER)]:
            node = nodes[name]
            beside = {node.network_mode.removeprefix(OF_NODE)} if node.network_mode.startswith(OF_NODE) else set()
            if node.pid_mode.startswith(OF_CONTAINER):
                beside.add(self._nodes_by_container.get(node.pid_mode.removeprefix(OF_CONTAINER), ""))
            mode = self._last(nodes, name)
            if mode.startswith(OF_NODE):
                shares = nodes[mode.removeprefix(OF_NODE)].container
            else:
                shares = mode.removeprefix(OF_CONTAINER) if mode.startswith(OF_CONTAINER) else ""
            others = tuple(sorted(other for other in beside if other in nodes and other != name))
            nodes[name] = replace(node, network_mode=mode, shares=shares, beside=others)

    def _last(self, nodes: t.Mapping[str, Node], name: str) -> str:
        """The network mode where nodes that have the network of others are followed to the one that has its own."""
        mode, seen = nodes[name].network_mode, {name: 0}
        while mode.startswith(OF_NODE):
            other = mode.removeprefix(OF_NODE)
            if other in seen:
                place = Scalar("", nodes[name].place.line, nodes[name].place.column)
                ring = " and ".join(word(one) for one, step in sorted(seen.items()) if step >= seen[other])
                self.problems.add(place, f"nodes {ring} have the network of one another", "Give one of them a network of its own")
                return ""
            if other not in nodes:
                return ""
            seen[other] = len(seen)
            if not nodes[other].network_mode or nodes[other].network_mode == "none":
                break
            mode = self._lasts.get(other) or nodes[other].network_mode
        self._lasts.update(dict.fromkeys(seen, mode))
        return mode

    # the management network

    def address(self, name: str, key: str, settings: Settings, mode: str) -> str:
        """The fixed address under C(mgmt-ipv4) or C(mgmt-ipv6); empty where there is none."""
        value = settings.scalar(key)
        if value is None:
            return ""
        if mode:
            self.notes.append(f"node {name}: {key} has no effect, as its network-mode is {settings.text('network-mode')}")
            return ""
        try:
            address = ipaddress.ip_address(value.text)
        except ValueError:
            address = None
        if address is None or address.version != _VERSIONS[key]:
            remedy = "Write it without the length of a prefix" if "/" in value.text else "Write it as one address"
            self.problems.add(value, f"node {name}: {key} {quote(value.text)} is not an IPv{_VERSIONS[key]} address", remedy)
            return ""
        self._check_address(name, key, value, address)
        return str(address)

    def _check_address(self, name: str, key: str, value: Scalar, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
        holder = self._addresses.setdefault(str(address), (name, value.line))
        if holder[0] != name:
            what = f"node {name}: {key} {address} is that of node {holder[0]} on line {holder[1]}"
            self.problems.add(value, what, "Give each node its own")
        text, gateway = {
            4: (self.management.ipv4_subnet, self.management.ipv4_gateway),
            6: (self.management.ipv6_subnet, self.management.ipv6_gateway),
        }[address.version]
        if not text:
            return
        subnet = ipaddress.ip_network(text)
        where = f"on line {self.management.place.line}"
        if address not in subnet:
            what = f"node {name}: {key} {address} is not in the subnet {subnet} of mgmt {where}"
            self.problems.add(value, what, "Give it one of this subnet, or change the subnet")
        elif subnet.num_addresses > 2 and address in (subnet.network_address, subnet.broadcast_address) and address.version == 4:
            what = f"node {name}: {key} {address} is the first or the last address of {subnet}, which no node can have"
            self.problems.add(value, what, "Give it another one")
        elif gateway and address == ipaddress.ip_address(gateway):
            self.problems.add(value, f"node {name}: {key} {address} is the gateway of mgmt {where}", "Give it another one")

    def hostname(self, name: str, settings: Settings) -> str:
        value = settings.scalar("hostname")
        if value is not None and not _HOSTNAME.fullmatch(value.text):
            what = f"node {name}: hostname {quote(value.text)} is not allowed"
            self.problems.add(value, what, "Use letters, digits, '-' and '.', at most 63")
        return value.text if value else ""

    def aliases(self, name: str, settings: Settings) -> tuple[str, ...]:
        items = settings.whole("aliases")
        for item in items:
            if not _ALIAS.fullmatch(item.text):
                what = f"node {name}: alias {quote(item.text)} is not a host name"
                self.problems.add(item, what, "Use letters, digits, '.', '_' and '-'")
        return tuple(dict.fromkeys(item.text for item in items))

    # published ports

    def ask_ports(self, name: str, settings: Settings, mode: str) -> None:
        """Note what a node wants to publish; published() gives the ports out when all have asked."""
        items = settings.whole("ports")
        if items and mode in ("host", "none"):
            why = "it has its server's own" if mode == "host" else "it has no management network"
            self.notes.append(f"node {name}: ports have no effect, as its network-mode is {mode}: {why}")
            return
        if items and mode:
            remedy = "Publish them at the node whose network it has"
            self.problems.add(items[0], f"node {name} cannot publish ports, as it has no network of its own", remedy)
            return
        left_to_the_lab: set[Wish] = set()
        for item in items if len(self._asked) <= MAX_PORTS else ():
            try:
                wishes = [wish for wish in parse_port(item.text) if wish not in left_to_the_lab]
            except PortFault as exc:
                self.problems.add(item, f"node {name}: port {quote(item.text)}: {exc.what}", exc.remedy)
                continue
            self._asked += [_Asked(name, item, wish) for wish in wishes]
            left_to_the_lab.update(wish for wish in wishes if not wish.server_ports)
            if len(self._asked) > MAX_PORTS:
                self.problems.add(item, f"node {name}: more than {MAX_PORTS} ports of the lab are published", "Publish fewer ports")
                break

    def published(self) -> dict[str, tuple[PublishedPort, ...]]:
        """Node -> its ports. Those that the file names come first, in its order; then those that it leaves to the lab."""
        found: dict[str, list[PublishedPort]] = {}
        if len(self._asked) > MAX_PORTS:
            return {}
        for one in self._asked:
            if not one.wish.server_ports:
                continue
            given = self._publisher.fixed(one.wish, (one.node, one.at.line))
            if isinstance(given, PublishedPort):
                found.setdefault(one.node, []).append(given)
            elif given is not None:
                what = f"node {one.node}: {_server_port(one.wish)} is published by node {given[0]} already, on line {given[1]}"
                self.problems.add(one.at, what, "Publish each port of a server once")
        for one in sorted((one for one in self._asked if not one.wish.server_ports), key=lambda one: (one.node, one.wish.node_port)):
            try:
                given = self._publisher.chosen(one.wish, one.node, (one.node, one.at.line))
            except PortFault as exc:
                self.problems.add(one.at, f"node {one.node}: {exc.what}", exc.remedy)
                break
            found.setdefault(one.node, []).append(given)
            self.notes.append(f"node {one.node}: {given.protocol} port {given.node_port} is published as port {given.server_port}")
        return {name: tuple(sorted(ports, key=lambda one: (one.protocol, one.server_port, one.address))) for name, ports in found.items()}


def _server_port(wish: Wish) -> str:
    ports = wish.server_ports
    number = str(ports[0]) if len(ports) == 1 else f"each of {ports[0]}-{ports[-1]}"
    return f"{wish.protocol} port {number}" + (f" of {wish.address}" if wish.address else "")


def check_ends(problems: Problems, nodes: t.Mapping[str, Node], links: t.Iterable[TopologyLink]) -> None:
    """Interfaces of nodes that have no network of their own: none in a server's, and each name once in one that nodes share."""
    sharing = {name: node.shares or node.container for name, node in nodes.items() if node.network_mode}
    spaces = set(sharing.values())
    used: dict[tuple[str, str], tuple[str, int]] = {}
    for link in links if sharing else ():
        at = Scalar("", link.place.line, link.place.column)
        for end in link.endpoints:
            node = nodes.get(end.node)
            if node is None:
                continue
            if node.network_mode == "host":
                what = f"node {end.node} has the network of its server, in which the lab makes no interface {word(end.interface)} for it"
                problems.add(at, what, f"Write this end of the link as host:{end.interface}")
                continue
            space = sharing.get(end.node, node.container)
            holder = used.setdefault((space, end.interface), (end.node, at.line)) if space in spaces else (end.node, 0)
            if holder[0] != end.node:
                what = f"nodes {holder[0]} (line {holder[1]}) and {end.node} share a network, which can have one {word(end.interface)} only"
                problems.add(at, what, "Use another interface in one of the links")
