# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The management network as a plan has it: a segment with a gateway on each server, the names of nodes, and published ports.

Nodes are placed before it is joined to the topology, as it must not pull them together. From then on it is a segment like any other.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._files import FILES_DIR
from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import management_name
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import CLOUD_INIT
from ansible_collections.archetype.lab.plugins.plugin_utils._management import LINK, Network, interfaces_of, joined_links
from ansible_collections.archetype.lab.plugins.plugin_utils._model import (
    EndpointRef,
    ManagementAddresses,
    Node,
    PublishedPort,
    Topology,
    TopologyLink,
)

Json = t.Mapping[str, t.Any]
HOSTS = "/etc/hosts"
_SHARES = "node:"


@dataclass(frozen=True)
class Joined:
    """A topology with the management network in it. homes: where each end is, of nodes and of the servers' own ends alike."""

    topology: Topology
    network: Network | None
    homes: t.Mapping[str, str]
    problems: t.Sequence[Problem] = field(default_factory=list)

    @property
    def servers(self) -> list[str]:
        """Those that have a part of it."""
        link = self.topology.links.get(LINK) if self.network else None
        return sorted({self.homes[end.node] for end in link.endpoints}) if link else []

    def is_management(self, end: EndpointRef) -> bool:
        """Whether an end is the management interface of its node."""
        return self.network is not None and self.network.interfaces.get(end.node) == end.interface

    # parts of the plan

    def plan(self) -> dict[str, t.Any] | None:
        network = self.network
        if network is None:
            return None
        return {
            "link": LINK,
            "ipv4_subnet": str(network.ipv4.subnet) if network.ipv4 else None,
            "ipv6_subnet": str(network.ipv6.subnet) if network.ipv6 else None,
            "external_access": self.topology.management.external_access,
            "gateways": {server: self._gateway(server) for server in self.servers},
            "nodes": {name: network.addresses(name) for name in sorted(network.interfaces)},
        }

    def node(self, name: str, port: str, mac: str) -> dict[str, str] | None:
        """What the plan says of a node's management interface."""
        if self.network is None or name not in self.network.interfaces:
            return None
        return {"interface": self.network.interfaces[name], "port": port, "mac": mac, **self.network.addresses(name)}

    def addresses(self, name: str, mac: str) -> ManagementAddresses | None:
        """What a node is told of its management interface."""
        if self.network is None or name not in self.network.interfaces:
            return None
        own, gateway = self.network.addresses(name), self._gateway(self.homes[name])
        prefixes = {one: family.subnet.prefixlen for one, family in self._families().items()}
        return ManagementAddresses(
            own["ipv4"], prefixes.get("ipv4", 0), gateway["ipv4"], own["ipv6"], prefixes.get("ipv6", 0), gateway["ipv6"], mac
        )

    def routes(self, end: EndpointRef) -> list[dict[str, str]]:
        """The default routes of an end of the network: a node's are over its own server."""
        if not self.is_management(end):
            return []
        return [{"to": "default", "via": address} for address in self._gateway(self.homes[end.node]).values() if address]

    def declare(
        self,
        server: str,
        hosts: list[dict[str, t.Any]],
        ports: t.Sequence[Json],
        leases: t.Sequence[Json] = (),
        mtu: int | None = None,
    ) -> dict[str, t.Any] | None:
        """The server's slice of it, in the shape of C(module_utils/_declared.py). mtu: of the network, over all of its servers."""
        if self.network is None or server not in self.servers:
            return None
        return {
            "device": management_name(self.topology.name, server),
            "subnets": [str(family.subnet) for family in self.network.families],
            "masquerade": self.topology.management.external_access,
            "ports": [{key: value for key, value in port.items() if key != "node"} for port in ports],
            "hosts": hosts,
            "leases": list(leases),
            "mtu": mtu,
        }

    def _families(self) -> dict[str, t.Any]:
        network = self.network
        pairs = (("ipv4", network.ipv4), ("ipv6", network.ipv6)) if network else ()
        return {name: family for name, family in pairs if family}

    def _gateway(self, server: str) -> dict[str, str]:
        families = self._families()
        return {name: families[name].gateways[server] if name in families else "" for name in ("ipv4", "ipv6")}

    # names

    def hosts(self) -> list[dict[str, t.Any]]:
        """Every address with the names of its node; a node that has another's network has its addresses too.

        A machine is told its IPv4 address by DHCP. Only a seed of cloud-init tells it the other, and a name must lead to what is there.
        """
        found = []
        for name, node in sorted(self.topology.nodes.items()):
            names = list(dict.fromkeys((node.hostname or name, name, node.container, *node.aliases)))
            addresses = {family: address for family, address in self.reached(node).items() if address}
            if node.native and node.profile.startup_config.medium != CLOUD_INIT and "ipv4" in addresses:
                addresses.pop("ipv6", None)
            found += [{"address": address, "names": names} for address in addresses.values()]
        return found

    def binds_hosts(self, node: Node) -> bool:
        """Whether a node is given the lab's hosts file: where it has management addresses, and no such file of its own."""
        return any(self.reached(node).values()) and not any(bind.target == HOSTS for bind in node.binds)

    def reached(self, node: Node) -> dict[str, str]:
        """The management addresses that lead to a node."""
        seen = {node.name}
        while node.network_mode.startswith(_SHARES) and node.network_mode.removeprefix(_SHARES) in self.topology.nodes:
            node = self.topology.nodes[node.network_mode.removeprefix(_SHARES)]
            if node.name in seen:
                return {}
            seen.add(node.name)
        return self.network.addresses(node.name) if self.network and node.name in self.network.interfaces else {}

    # published ports

    def ports(self, placement: t.Mapping[str, str]) -> tuple[dict[str, list[dict[str, t.Any]]], list[Problem], list[str]]:
        """Server -> its published ports, with their nodes; ports that are published twice; and notes on nodes whose ports lead nowhere."""
        found: dict[str, list[dict[str, t.Any]]] = {server: [] for server in self.servers}
        problems, notes = [], []
        holder: dict[tuple[str, str, int, int], list[tuple[str, Node]]] = {}
        for name, node in sorted(self.topology.nodes.items()):
            reached = self.reached(node)
            if node.ports and not any(reached.values()):
                notes.append(f"node {name}: ports are not published, as it has no management interface")
                continue
            for port in node.ports:
                target = _target(port, reached)
                if not target:
                    remedy = "Take the address out, or add a subnet of its family under mgmt"
                    problems.append(
                        _at(node, f"node {name} publishes {_words(port)}, but has no management address of that family", remedy)
                    )
                    continue
                server = placement[name]
                others = holder.setdefault((server, port.protocol, ipaddress.ip_address(target).version, port.server_port), [])
                for address, other in others:
                    if not (address and port.address) or address == port.address:
                        what = f"nodes {other.name} and {name} both publish {_words(port)} of server {server}"
                        problems.append(_at(node, what, "Give one of them another port, or pin it to another server"))
                        break
                others.append((port.address, node))
                found[server].append({**asdict(port), "node": name, "target": target})
        return found, problems, notes


def hosts_path(lab: str) -> str:
    """The lab's hosts file on each server; C(module_utils/_management.py) writes it."""
    return f"{FILES_DIR}/{lab}/hosts"


def join(topology: Topology, network: Network | None, placement: t.Mapping[str, str]) -> Joined:
    """The topology with the management network as a segment, which the links of type C(mgmt-net) are part of."""
    joining = joined_links(topology)
    if network is None:
        where = [topology.links[key].place for key in joining]
        what, remedy = "a link of type mgmt-net needs the management network, which is off", "Take management: false out of the lab file"
        return Joined(topology, None, dict(placement), [Problem(one.file, one.line, one.column, what, remedy) for one in where])
    problems = _clashes(topology)
    ends = [_node_end(topology.nodes[name], interface, network) for name, interface in sorted(network.interfaces.items())]
    ends += [end for key in joining for end in topology.links[key].endpoints]
    homes = dict(placement)
    for server in sorted({placement[end.node] for end in ends}):
        name = f"server {server}"
        homes[name] = server
        ipv4, ipv6 = (family.gateway(server) if family else "" for family in (network.ipv4, network.ipv6))
        ends.append(EndpointRef(name, management_name(topology.name, server), ipv4=ipv4, ipv6=ipv6))
    asked = topology.management
    link = TopologyLink(LINK, tuple(sorted(ends)), asked.place, asked.mtu or None, LINK)
    links = {key: one for key, one in topology.links.items() if key not in joining}
    return Joined(replace(topology, links={**links, LINK: link}), network, homes, problems)


def _node_end(node: Node, interface: str, network: Network) -> EndpointRef:
    ipv4, ipv6 = (family.node(node.name) if family else "" for family in (network.ipv4, network.ipv6))
    return EndpointRef(node.name, interface, vendor_name=node.profile.interfaces.management_vendor or interface, ipv4=ipv4, ipv6=ipv6)


def _clashes(topology: Topology) -> list[Problem]:
    """Links that use what is a management interface."""
    interfaces = interfaces_of(topology)
    problems = []
    for link in topology.links.values():
        for end in link.endpoints:
            if interfaces.get(end.node) == end.interface:
                what = f"a link uses {end.name}, which is the interface of the management network"
                remedy = "Use another interface, or give the node network-mode: none"
                problems.append(Problem(link.place.file, link.place.line, link.place.column, what, remedy))
    return problems


def _target(port: PublishedPort, reached: t.Mapping[str, str]) -> str:
    """The node's address behind a published port: of the family of the server's address, else IPv4 before IPv6."""
    if port.address:
        return reached.get(f"ipv{ipaddress.ip_address(port.address).version}", "")
    return reached.get("ipv4") or reached.get("ipv6", "")


def _words(port: PublishedPort) -> str:
    address = f"[{port.address}]" if ":" in port.address else port.address
    return f"{port.protocol} port {address + ':' if address else ''}{port.server_port}"


def _at(node: Node, what: str, remedy: str) -> Problem:
    return Problem(node.place.file, node.place.line, node.place.column, what, remedy)
