# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The plan: everything decided, nothing done. Its shape is in docs/design.md, section 4; nothing downstream computes any of it again.

Deterministic: the same lab file, servers and observations give the same JSON, byte for byte.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._allocation import Allocation, Settings, allocate
from ansible_collections.archetype.lab.plugins.plugin_utils._collector import uncollected
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_access import console_of, shell_of
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_container import declare_container
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_management import HOSTS, Joined, hosts_path, join
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError, Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._far_links import FarChecks, far_json, far_mtu, probe_of, proof_of, type_of
from ansible_collections.archetype.lab.plugins.plugin_utils._files import FileReader
from ansible_collections.archetype.lab.plugins.plugin_utils._foreign import bound_nodes
from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import link_group, natural, tunnel_name
from ansible_collections.archetype.lab.plugins.plugin_utils._machines import Machines
from ansible_collections.archetype.lab.plugins.plugin_utils._management import LINK, MTU, Network, make_network, memory_of
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, LabFile, Node, NodeInterface, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._overlay import DEFAULT_PATH_MTU, DOT1Q_SIZE, Overlay, ServerFacts
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import Lock, place, read_lock
from ansible_collections.archetype.lab.plugins.plugin_utils._preflight import check_management, check_names, check_servers, observations
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe import Abilities
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe_values import numbers_of, optional_devices
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json, live_placement
from ansible_collections.archetype.lab.plugins.plugin_utils._slices import BRIDGE, Slices
from ansible_collections.archetype.lab.plugins.plugin_utils._stages import closed

__all__ = ["FORMAT", "ServerFacts", "make_plan"]

FORMAT = 1
"""Version of the plan; raised when an older reader would misread it."""

_T = t.TypeVar("_T")


@uncollected
def make_plan(
    lab_file: LabFile,
    servers: t.Mapping[str, ServerFacts],
    observed: t.Mapping[str, t.Any],
    *,
    complete: bool = True,
    looking: bool = False,
) -> dict[str, t.Any]:
    """The plan of a lab on these servers, as JSON values.

    observed: server -> result of M(archetype.lab.lab_info), or the observed state in it; empty where nothing was observed, for a preview.
    complete: every server must have been observed, as what is there is not known otherwise; a plan without that is for looking only.
    looking: nothing is to be made, so that what is in the way on servers is nothing to refuse a plan for: the comparison tells it.
    Raises LabFileError with all that is in the way.
    """
    return _Planner(lab_file, servers, observed, complete, looking).plan()


class _Planner:
    def __init__(
        self, lab_file: LabFile, servers: t.Mapping[str, ServerFacts], observed: t.Mapping[str, t.Any], complete: bool, looking: bool
    ) -> None:
        self.lab_file = lab_file
        self.topology = lab_file.topology
        self.lab = self.topology.name
        self.servers = sorted(servers)
        self.observed, problems = observations(servers, observed, lab_file.path)
        self.problems = problems if complete else []
        self.sights = {} if looking else self.observed
        self.overlay = Overlay(servers, self.observed, lab_file.path)
        self.problems += self.overlay.problems
        self.group = link_group(self.lab)
        self.notes = list(self.topology.notes)
        self.nodes = {name: self.topology.nodes[name] for name in sorted(self.topology.nodes)}

    def plan(self) -> dict[str, t.Any]:
        self.problems += [*self.topology.missing, *check_names(self.topology)]
        self.lock = self._read_lock()
        self.placement = self._try(self._place, {})
        self.joined = Joined(self.topology, None, {})
        self.macs: t.Mapping[str, str] = {}
        self.allocation: Allocation | None = None
        self.leases: dict[str, list[Json]] = {}
        placed = len(self.placement) == len(self.nodes)
        if placed:
            self.problems += check_servers(self.topology, self.placement, self.sights)
            self._join()
            addresses = {server: self.overlay.address(server) for server in self.servers}
            self.problems += FarChecks(self.topology, self.joined.homes, self.sights).problems(addresses)
        self._gather()
        if placed:
            self.allocation = self._try(self._allocate, None)
            self.macs = self.allocation.macs if self.allocation else {}
        declared = self._declared()
        if self.problems:
            raise LabFileError(self.problems)
        self._measure()
        if self.problems:
            raise LabFileError(self.problems)
        links = {key: self._link(self.topology.links[key]) for key in sorted(self.topology.links)}
        return {
            "format": FORMAT,
            "lab": self.lab,
            "lock_file": self.lab_file.lock_file,
            "bridge": dict(BRIDGE),
            "overlay_mode": self.lab_file.overlay_mode,
            "device_group": self.group,
            "placement": self.placement,
            "nodes": {name: self._node(node, declared[name]) for name, node in self.nodes.items()},
            "links": links,
            "management": self.joined.plan(),
            "waves": 1 + max((one["wave"] for one in declared.values()), default=0),
            "slices": self._slices(declared).make(links),
            "notes": list(dict.fromkeys(self.notes)),
        }

    def _try(self, step: t.Callable[[], _T], otherwise: t.Any) -> _T:
        """A step whose problems are collected with those of the others."""
        try:
            return step()
        except LabFileError as error:
            self.problems += error.problems
            return t.cast(_T, otherwise)

    def _read_lock(self) -> Lock:
        lock = self._try(lambda: read_lock(self.lab_file.lock_file), Lock()) if self.lab_file.lock_file else Lock()
        if lock.lab and lock.lab != self.lab:
            what = f"this lock file is that of lab {lock.lab}, not of {self.lab}"
            self.problems.append(Problem(self.lab_file.lock_file, 0, 0, what, "Delete it, or give the lab its name back"))
        return lock

    def _place(self) -> dict[str, str]:
        live = live_placement(self.lab, self.observed)
        bound, problems = bound_nodes(self.topology, self.lab_file.pins, self.observed)
        self.problems += problems
        return place(
            self.topology,
            self.servers,
            self.lab_file.pins,
            self.lock.placement,
            live,
            bound=bound,
            file=self.lab_file.path,
            places=self.lab_file.pin_places,
        )

    def _join(self) -> None:
        """Make the management network part of the topology. Placement knows nothing of it: it must not pull nodes together."""
        network = self._try(self._network, None)
        self.joined = join(self.topology, network, self.placement)
        self.published, problems, notes = self.joined.ports(self.placement)
        self.problems += [*self.joined.problems, *problems]
        self.notes += notes
        self.problems += check_management(self.topology, self.joined, self.published, self.sights)
        self.topology = self.joined.topology

    def _network(self) -> Network | None:
        texts = [text for one in self.observed.values() for text in (one.get("claims") or {}).get("subnets") or ()]
        texts += [address for server in self.servers if (address := self.overlay.address(server))]
        return make_network(self.topology, self.servers, memory_of(self.lock), map(ipaddress.ip_network, texts))

    def _gather(self) -> None:
        """Every end of a node, in the device's order; those of the servers themselves apart."""
        self.interfaces: dict[str, list[tuple[EndpointRef, TopologyLink]]] = {name: [] for name in self.nodes}
        self.gateways: list[EndpointRef] = []
        for key in sorted(self.topology.links):
            for end in self.topology.links[key].endpoints:
                if end.node in self.nodes:
                    self.interfaces[end.node].append((end, self.topology.links[key]))
                else:
                    self.gateways.append(end)
        for ends in self.interfaces.values():
            ends.sort(key=lambda one: (not self.joined.is_management(one[0]), natural(one[0].interface)))

    @property
    def numbered(self) -> Allocation:
        """The allocation, where no problem was in its way."""
        return t.cast(Allocation, self.allocation)

    def _allocate(self) -> Allocation:
        one = self.lab_file
        settings = Settings(one.overlay_mode, one.local_tags, one.cross_tags)
        return allocate(self.topology, self.joined.homes, self.servers, self.observed, settings)

    # between servers

    def _measure(self) -> None:
        """Which links each tunnel carries, what it can carry, and from this the MTU of each link."""
        self.carried: dict[str, list[str]] = {key: [] for key in self.numbered.members}
        for key, carrier in sorted(self.numbered.carriers.items()):
            self.carried[carrier].append(key)
        self.capacity: dict[str, tuple[int, tuple[str, str]]] = {}
        for key, members in self.numbered.members.items():
            self.overlay.check_family(members)
            self.capacity[key] = self.overlay.capacity(members)
        self.problems += self.overlay.problems
        self.mtus = {key: self._mtu(self.topology.links[key]) for key in sorted(self.topology.links)}
        if self.overlay.unmeasured:
            pairs = ", ".join(f"{one} and {other}" for one, other in sorted(self.overlay.unmeasured))
            self.notes.append(f"the path MTU was not measured between {pairs}; {DEFAULT_PATH_MTU} is assumed")

    def _mtu(self, link: TopologyLink) -> int | None:
        if link.far:
            return far_mtu(link, self.lab_file.link_mtu)
        asked = link.mtu or (MTU if link.key == LINK else self.lab_file.link_mtu)
        carrier = self.numbered.carriers.get(link.key)
        if carrier is None:
            return asked
        room, (one, other) = self.capacity[carrier]
        if self.lab_file.overlay_mode == "shared":
            room -= DOT1Q_SIZE
        if link.mtu and link.mtu > room:
            self.notes.append(f"link {link.key}: MTU {link.mtu} is lowered to {room}, what a tunnel between {one} and {other} carries")
        return min(asked, room)

    # the parts of the plan

    def _declared(self) -> dict[str, dict[str, t.Any]]:
        """Node -> container or virtual machine."""
        reader = FileReader(self.lab)
        self.numbers = numbers_of(self.nodes, self.lab)
        self.waits = closed({name: node.waits_for for name, node in self.nodes.items() if node.waits_for})
        declared = {name: self._container(node, reader) for name, node in self.nodes.items() if not node.native}
        declared |= self._machines(reader)
        reader.check_limit(self.topology.file)
        self.problems += reader.problems
        return declared

    def _machines(self, reader: FileReader) -> dict[str, dict[str, t.Any]]:
        """Nothing where there are problems already that leave their ports without names."""
        machines = Machines(self.lab, self.nodes, self.interfaces, self.joined)
        self.problems += machines.problems()
        self.consoles, problems = machines.consoles(self.placement, self.observed)
        self.problems += problems
        if self.allocation is None or self.problems:
            return {}
        claimed = [mac.lower() for one in self.observed.values() for mac in (one.get("claims") or {}).get("macs") or {}]
        found = machines.declare(
            self.allocation, reader, claimed_macs=claimed, consoles=self.consoles, numbers=self.numbers, waits=self.waits
        )
        self.leases = machines.leases
        return found

    def _lacking(self, node: Node) -> Abilities:
        """What the node's server cannot give to it; nothing of the kind is known of one that was not observed."""
        server = self.placement.get(node.name, "")
        seen = self.observed.get(server) or {}
        capabilities = frozenset((seen.get("lacking") or {}).get("capabilities") or ())
        if node.profile.boot.privileged and capabilities:
            lacks = ", ".join(sorted(capabilities))
            self.notes.append(f"server {server} cannot give {lacks}: its nodes of kind {node.kind} are not privileged")
        binds = seen.get("binds") or {}
        return Abilities(capabilities, frozenset(path for path in optional_devices(node.profile) if binds.get(path) is False))

    def _container(self, node: Node, reader: FileReader) -> dict[str, t.Any]:
        """Its own interfaces are counted by the device; the management interface is beside them, and must be there as early."""
        ends = [end for end, _link in self.interfaces[node.name]]
        data = [end for end in ends if not self.joined.is_management(end)]
        named = [
            NodeInterface(end.interface, end.vendor_name or end.interface, self.macs.get(end.name, ""), end.ipv4, end.ipv6) for end in data
        ]
        mac = next((self.macs.get(end.name, "") for end in ends if self.joined.is_management(end)), "")
        management, number = self.joined.addresses(node.name, mac), self.numbers[node.name]
        declared = declare_container(
            node, named, reader, management=management, number=number, lacking=self._lacking(node), waits_for=self.waits.get(node.name, ())
        )
        declared["interfaces"] = list(dict.fromkeys([*(end.interface for end in ends), *declared["interfaces"]]))
        if self.joined.binds_hosts(node):
            declared["binds"] = [*declared["binds"], f"{hosts_path(self.lab)}:{HOSTS}:ro"]
        return declared

    def _node(self, node: Node, declared: Json) -> dict[str, t.Any]:
        own = next((end for end, _link in self.interfaces[node.name] if self.joined.is_management(end)), None)
        ports, macs = self.numbered.ports, self.numbered.macs
        consoles = self.consoles.get(node.name, ())
        reached = self.joined.reached(node)
        return {
            "kind": node.kind,
            "type": "vm" if node.native else "container",
            "server": self.placement[node.name],
            "container": "" if node.native else node.container,
            "sandbox": declared.get("sandbox", ""),
            "domain": node.container if node.native else "",
            "image": node.image,
            "shell": shell_of(node, consoles, reached.get("ipv4") or reached.get("ipv6", "")),
            "console": console_of(node, consoles),
            "interfaces": [
                {
                    "name": end.interface,
                    "vendor_name": end.vendor_name or end.interface,
                    "link": link.key,
                    "port": ports[end.name],
                    "mac": macs[end.name],
                    "mtu": self.mtus[link.key],
                }
                for end, link in self.interfaces[node.name]
                if end is not own
            ],
            "management": self.joined.node(node.name, ports[own.name], macs[own.name]) if own else None,
        }

    def _link(self, link: TopologyLink) -> dict[str, t.Any]:
        carrier = self.numbered.carriers.get(link.key)
        servers = sorted({self.joined.homes[end.node] for end in link.endpoints})
        vni = self.numbered.vnis[carrier] if carrier else None
        tunnels = dict(self.numbered.tunnels[carrier]) if carrier else {}
        if link.far and link.far.type == "vxlan":
            vni, tunnels = link.far.vni, {servers[0]: tunnel_name(self.lab, link.key)}
        return {
            "type": type_of(link),
            "far": far_json(link.far),
            "proof": proof_of(link) if link.enabled else "device",
            "probe": probe_of(link) if link.enabled else "device",
            "enabled": link.enabled,
            "servers": servers,
            "segment": link.segment,
            "scope": "cross" if carrier else "local",
            "mtu": self.mtus[link.key],
            "asked_mtu": link.mtu,
            "vni": vni,
            "tags": dict(sorted(self.numbered.tags[link.key].items())),
            "tunnels": tunnels,
            "endpoints": [
                {
                    "node": end.node,
                    "interface": end.interface,
                    "server": self.joined.homes[end.node],
                    "port": self.numbered.ports[end.name],
                    "mac": self.numbered.macs[end.name],
                }
                for end in sorted(link.endpoints, key=lambda end: (end.node, end.interface))
            ],
        }

    def _slices(self, declared: t.Mapping[str, Json]) -> Slices:
        return Slices(
            topology=self.topology,
            nodes=self.nodes,
            servers=self.servers,
            placement=self.placement,
            joined=self.joined,
            allocation=self.numbered,
            overlay=self.overlay,
            group=self.group,
            interfaces=self.interfaces,
            gateways=self.gateways,
            carried=self.carried,
            capacity=self.capacity,
            published=self.published,
            declared=declared,
            leases=self.leases,
        )
