# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The slices of a plan: what each server is to have, in the shape of C(module_utils/_declared.py), out of what was decided."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.plugin_utils._allocation import Allocation
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_access import declare_access
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_management import Joined
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_port import declare_port
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_vm import queues_of
from ansible_collections.archetype.lab.plugins.plugin_utils._far_links import far_port, far_tunnel, namespace_of
from ansible_collections.archetype.lab.plugins.plugin_utils._foreign import is_foreign
from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import DST_PORT
from ansible_collections.archetype.lab.plugins.plugin_utils._lean import CONTAINER, PORT, VM, lean
from ansible_collections.archetype.lab.plugins.plugin_utils._management import LINK
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, Node, Topology, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._overlay import Overlay
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

BRIDGE: Json = {"name": "arch-ovs", "datapath_type": "auto", "fail_mode": "standalone", "forward_bpdu": True, "vlan_limit": 1}


@dataclass(frozen=True)
class Slices:
    """interfaces: node -> its ends, in the device's order. gateways: the servers' own ends. declared: node -> container or machine.

    carried: tunnel key -> links. capacity: tunnel key -> MTU, and between whom. published: server -> ports.
    """

    topology: Topology
    nodes: t.Mapping[str, Node]
    servers: t.Sequence[str]
    placement: t.Mapping[str, str]
    joined: Joined
    allocation: Allocation
    overlay: Overlay
    group: int
    interfaces: t.Mapping[str, t.Sequence[tuple[EndpointRef, TopologyLink]]]
    gateways: t.Sequence[EndpointRef]
    carried: t.Mapping[str, t.Sequence[str]]
    capacity: t.Mapping[str, tuple[int, tuple[str, str]]]
    published: t.Mapping[str, t.Sequence[Json]]
    declared: t.Mapping[str, Json]
    leases: t.Mapping[str, t.Sequence[Json]]

    def make(self, links: t.Mapping[str, Json]) -> dict[str, dict[str, t.Any]]:
        """Every server gets its slice, an empty one too: what is on it must go. links: as they are in the plan."""
        hosts = self.joined.hosts()
        mtu = links[LINK]["mtu"] if LINK in links else None
        slices = {server: self._empty(server, hosts, mtu) for server in self.servers}
        for name, server in self.placement.items():
            node = self.nodes[name]
            if node.native:
                slices[server]["vms"].append(lean(self.declared[name], VM))
            elif not is_foreign(node):
                slices[server]["containers"].append(lean(self.declared[name], CONTAINER))
            slices[server]["ports"] += [self._port(end, link, links) for end, link in self.interfaces[name]]
            access = None if is_foreign(node) else declare_access(node, self._address(node))
            slices[server]["access"] += [access] if access else []
        for end in self.gateways:
            slices[self.joined.homes[end.node]]["ports"].append(self._port(end, self.topology.links[LINK], links))
        for key, link in links.items():
            ends = [self._probed(end, link) for end in link["endpoints"]]
            for server in link["servers"]:
                slices[server]["links"].append({"key": key, "mtu": link["mtu"] or 0, "probe": link["probe"], "endpoints": ends})
            if link["type"] == "vxlan":
                (server,) = link["servers"]
                local = self.overlay.address(server)
                slices[server]["tunnels"].append(far_tunnel(self.topology.links[key], link, local=local, group=self.group))
        for tunnel_key in sorted(self.allocation.members):
            for server in self.allocation.members[tunnel_key]:
                slices[server]["tunnels"].append(self._tunnel(tunnel_key, server, links))
        return slices

    def _empty(self, server: str, hosts: list[dict[str, t.Any]], mtu: int | None) -> dict[str, t.Any]:
        return {
            "lab": self.topology.name,
            "server": server,
            "bridge": dict(BRIDGE),
            "containers": [],
            "vms": [],
            "access": [],
            "ports": [],
            "tunnels": [],
            "links": [],
            "device_group": self.group,
            "management": self.joined.declare(server, hosts, self.published.get(server, []), self.leases.get(server, []), mtu),
        }

    def _address(self, node: Node) -> str:
        reached = self.joined.reached(node)
        return reached.get("ipv4") or reached.get("ipv6", "")

    def _probed(self, end: Json, link: Json) -> dict[str, t.Any]:
        """An endpoint as certification needs it: a device that is in the sandbox only must be looked for there."""
        inside = self.declared[end["node"]]["sandbox"] if link["type"] == "macvlan" else ""
        return {**{field: end[field] for field in ("node", "interface", "server", "port")}, "sandbox": inside}

    def _port(self, end: EndpointRef, link: TopologyLink, links: t.Mapping[str, Json]) -> dict[str, t.Any]:
        """A server's own end of the management network is in no sandbox, and a machine's is a tap, behind which nothing can be set."""
        node = self.nodes.get(end.node)
        native = node is not None and node.native
        declared = declare_port(
            end,
            links[link.key],
            link.key,
            server=self.joined.homes[end.node],
            name=self.allocation.ports[end.name],
            mac=self.allocation.macs[end.name],
            sandbox=namespace_of(node, self.declared[end.node]) if node and not native else "",
            group=self.group,
            addressed=node is None or (not native and (self.joined.is_management(end) or node.profile.addresses)),
        )
        if node is not None and native:
            return lean({**declared, "device": "tap", "queues": queues_of(node)}, PORT)
        special = far_port(link) if link.far else {}
        return lean({**declared, **special, "routes": [*declared["routes"], *self.joined.routes(end)]}, PORT)

    def _tunnel(self, key: str, server: str, links: t.Mapping[str, Json]) -> dict[str, t.Any]:
        own = key in links
        carried = [] if own else [{"key": one, "tag": links[one]["tags"][server]} for one in self.carried[key]]
        return {
            "name": self.allocation.tunnels[key][server],
            "vni": self.allocation.vnis[key],
            "local": self.overlay.address(server),
            "remotes": sorted(self.overlay.address(other) for other in self.allocation.members[key] if other != server),
            "mtu": self.capacity[key][0],
            "link": key if own else "",
            "tag": links[key]["tags"][server] if own else None,
            "links": carried,
            "dst_port": DST_PORT,
            "group": self.group,
        }
