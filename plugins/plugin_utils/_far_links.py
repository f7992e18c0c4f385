# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Links with one node and a far end, as a plan has them: what is declared for them on the node's server, and what there is in their way."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import asdict

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Far, Node, Topology, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._overlay import DEFAULT_PATH_MTU, VXLAN_SIZE

Json = t.Mapping[str, t.Any]

MANAGEMENT = "management"
"""The link key of the management network (C(_management.LINK)), which has every node of the lab in it."""


def far_json(far: Far | None) -> dict[str, t.Any] | None:
    """The far end as the plan tells it: what its type has, and nothing else."""
    return {key: value for key, value in asdict(far).items() if value} if far else None


def proof_of(link: TopologyLink) -> str:
    """How it is proven that a link works: with frames, where the lab has all of its ends, else by what is there."""
    return "device" if link.far else "frames"


def probe_of(link: TopologyLink) -> str:
    """Which frames certification sends: all kinds, one kind where there are many ends that only need to be reached, or none."""
    if link.far:
        return "device"
    return "light" if link.key == MANAGEMENT else "full"


def type_of(link: TopologyLink) -> str:
    if link.segment:
        return "segment"
    return link.far.type if link.far else "veth"


def far_mtu(link: TopologyLink, default: int) -> int | None:
    """A macvlan has the MTU of the device below it, and a tunnel to elsewhere what most paths carry, where the file is silent."""
    far = t.cast(Far, link.far)
    if far.type == "macvlan":
        return link.mtu
    if far.type == "vxlan":
        return link.mtu or DEFAULT_PATH_MTU - VXLAN_SIZE[ipaddress.ip_address(far.remote).version]
    return link.mtu or default


def far_port(link: TopologyLink) -> dict[str, str]:
    """What a port of such a link has that others have not. A dummy is a port that is alone with its tag: nothing is behind it.

    A macvlan that has the device below it for itself has its MAC address too.
    """
    far = t.cast(Far, link.far)
    if far.type == "host":
        return {"device": "host"}
    if far.type == "macvlan":
        own = {"mac": ""} if far.mode == "passthru" else {}
        return {"device": "macvlan", "parent": far.interface, "mode": far.mode or "bridge", **own}
    return {}


def far_tunnel(link: TopologyLink, planned: Json, *, local: str, group: int) -> dict[str, t.Any]:
    """The tunnel to a VTEP that is not the lab's. planned: the link as it is in the plan."""
    far = t.cast(Far, link.far)
    (tag,), (name,) = planned["tags"].values(), planned["tunnels"].values()
    return {
        "name": name,
        "vni": far.vni,
        "local": local,
        "remotes": [far.remote],
        "mtu": planned["mtu"],
        "link": link.key,
        "tag": tag,
        "links": [],
        "dst_port": far.dst_port,
        "group": group,
    }


def namespace_of(node: Node, container: Json) -> str:
    """The container whose network namespace has a node's interfaces: its sandbox, or for what is not the lab's the container itself."""
    return node.container if node.profile.provider == "external" else str(container["sandbox"])


class FarChecks:
    """Far ends that cannot be, on the servers that their nodes are on."""

    def __init__(self, topology: Topology, placement: t.Mapping[str, str], observed: t.Mapping[str, Json]) -> None:
        self._topology = topology
        self._placement = placement
        self._claims = {server: one.get("claims") or {} for server, one in observed.items() if one}
        self._problems: list[Problem] = []
        self._hosts: dict[tuple[str, str], TopologyLink] = {}
        self._vnis: dict[tuple[str, int, int, int], TopologyLink] = {}

    def problems(self, addresses: t.Mapping[str, str]) -> list[Problem]:
        """addresses: server -> its underlay address."""
        links = [link for _key, link in sorted(self._topology.links.items()) if link.endpoints]
        for link in links:
            if link.far and not link.on_bridge:
                self._machine(link, link.far)
            if link.far and link.far.type == "host":
                self._host(link, link.far, self._server(link))
        for link in links:
            if link.far and link.far.type == "macvlan":
                self._macvlan(link, link.far, self._server(link))
            elif link.far and link.far.type == "vxlan":
                self._vxlan(link, link.far, self._server(link), addresses)
        return self._problems

    def _machine(self, link: TopologyLink, far: Far) -> None:
        """A machine opens a tap, which is on the bridge: it cannot be a device that somebody else joins to something."""
        node = self._topology.nodes[link.endpoints[0].node]
        if node.native:
            what = f"link {link.key} is of type {far.type}, and {node.name} is a virtual machine, whose NICs lead to the bridge only"
            self._add(link, what, "Link it with a container that has this link, or publish its ports under ports")

    def _server(self, link: TopologyLink) -> str:
        return self._placement[link.endpoints[0].node]

    def _add(self, link: TopologyLink, what: str, remedy: str) -> None:
        self._problems.append(Problem(link.place.file, link.place.line, link.place.column, what, remedy))

    def _host(self, link: TopologyLink, far: Far, server: str) -> None:
        other = self._hosts.setdefault((server, far.interface), link)
        claims = self._claims.get(server, {}).get("devices") or {}
        if other is not link:
            what = f"links {other.key} (line {other.place.line}) and {link.key} both want the interface {far.interface} of server {server}"
            self._add(link, what, "Give one of them another name, or pin its node to another server")
        elif far.interface in claims:
            what = f"server {server} has {far.interface} already, which link {link.key} wants to make: {claims[far.interface]}"
            self._add(link, what, "Give the link another name, or remove what is there")

    def _macvlan(self, link: TopologyLink, far: Far, server: str) -> None:
        node = self._topology.nodes[link.endpoints[0].node]
        if node.network_mode.startswith("container:") or node.profile.provider == "external":
            what = f"link {link.key} would put a macvlan into a container that is not the lab's, where it could not be found again"
            self._add(link, what, "Join it with a node of the lab, or write host: in place of macvlan:")
        there = self._claims.get(server, {}).get("devices")
        if there is None or far.interface in there or (server, far.interface) in self._hosts:
            return
        what = f"server {server} has no device {far.interface}, which link {link.key} needs for a macvlan"
        self._add(link, what, "Name a device that it has, or pin the node to a server that has it")

    def _vxlan(self, link: TopologyLink, far: Far, server: str, addresses: t.Mapping[str, str]) -> None:
        version = ipaddress.ip_address(far.remote).version
        other = self._vnis.setdefault((server, far.vni, far.dst_port, version), link)
        if other is not link:
            what = (
                f"links {other.key} (line {other.place.line}) and {link.key} both have VNI {far.vni} at UDP port {far.dst_port} of {server}"
            )
            self._add(link, what, "Give one of them another vni or dst-port, or pin its node to another server")
        local = addresses.get(server)
        if not local:
            self._add(link, f"the address of server {server} is not known, and link {link.key} needs it", "Set lab_underlay_address")
        elif ipaddress.ip_address(local).is_loopback:
            what = f"server {server} is known by {local} only, from where link {link.key} does not reach {far.remote}"
            self._add(link, what, f"Set lab_underlay_address of {server} to an address that the far VTEP reaches")
        elif ipaddress.ip_address(local).version != version:
            what = f"link {link.key} leads to {far.remote}, but server {server} is known by {local}, which is of the other IP version"
            self._add(link, what, "Name the remote's address of that version")
