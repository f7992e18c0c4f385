# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that faults are made in: a link for each, and on the same bridge, another lab and an admin's things. Pings over all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults.eye import Eye, PortSeen
from tests.faults.pings import Pinger, Pings
from tests.integration.acceptance import HOST, Lab, World, make_lab
from tests.integration.lab_server import LabServer
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server, Testbed

Json = dict[str, Any]
NAME, OTHER = "faults", "bystander"
KINDS = ROOT / "tests" / "integration" / "files" / "kinds"
BRIDGE = "arch-ovs"
ADMIN_PORTS = ("adm0", "adm1")
ADMIN_BOX = "admins-box"
ADMIN_TAG = "3999"
BYSTANDERS = {"other lab, one server": ("x", "y"), "other lab, two servers": ("y", "z")}


@dataclasses.dataclass(frozen=True)
class Way:
    """A link with pings over it. near pings far."""

    name: str
    near: str
    far: str

    @property
    def label(self) -> str:
        return f"{self.near}>{self.far}:{self.name}"


class Scene:
    """Both labs, deployed, and the admin's things. places: node -> server; ways: which links there are, each named once.

    interval: between two pings. quiet: no pings over the ways at first, only over what is not the lab's.
    """

    def __init__(
        self,
        testbed: Testbed,
        folder: Path,
        places: Mapping[str, str],
        ways: Sequence[Way],
        interval: float = 0.01,
        *,
        quiet: bool = False,
    ) -> None:
        self.testbed = testbed
        self.world = World(testbed, folder)
        self.folder = folder
        self.places = dict(places)
        self.ways = {way.name: way for way in ways}
        self.interval = interval
        self._heard = set() if quiet else set(self.ways)
        self.eyes = {server.name: Eye(server) for server in testbed.servers}
        self.pings = Pings()
        self.slices: dict[str, Json] = {}
        self.healthy: dict[tuple[str, str], PortSeen | None] = {}
        self.before: dict[str, tuple[str, str] | None] = {}
        self.bridges: dict[str, tuple[str, str] | None] = {}
        self._numbers = {way.name: number for number, way in enumerate(ways, 1)}
        self._interfaces: dict[tuple[str, str], str] = {}
        self._admin: list[subprocess.Popen[bytes]] = []
        self.lab = self._lab()
        self.other = self._other()

    # what is declared

    def address(self, way: str, node: str) -> str:
        return f"10.77.{self._numbers[way]}.{1 if node == self.ways[way].near else 2}"

    def interface(self, way: str, node: str) -> str:
        return self._interfaces[way, node]

    def _lab(self) -> Lab:
        ends: dict[str, list[str]] = {node: [] for node in self.places}
        for way in self.ways.values():
            for node in (way.near, way.far):
                ends[node].append(way.name)
                self._interfaces[way.name, node] = f"eth{len(ends[node])}"
        nodes: dict[str, Json | str] = {}
        configs: dict[str, str] = {}
        for node, server in self.places.items():
            nodes[node] = server
            if node.startswith("g"):
                nodes[node] = {"server": server, "kind": "guest", "image": "guest.qcow2", "startup-config": f"{node}.cfg"}
                given = [(self.interface(way, node), self.address(way, node)) for way in ends[node]]
                configs[node] = f"hostname {node}\n" + "".join(f"address {name[3:]} {address}/24\n" for name, address in given)
        lab = make_lab(self.folder / NAME, NAME, nodes, [], kinds_path=[str(KINDS)])
        lab.links[:] = [self._link(way) for way in self.ways.values()]
        for node, text in configs.items():
            lab.file.with_name(f"{node}.cfg").write_text(text)
        return lab.write()

    def _link(self, way: Way) -> Json:
        """The lab puts the addresses on the interfaces: a command in each node for each of them would take most of the time."""
        ends = (way.near, way.far)
        return {
            "endpoints": [f"{node}:{self.interface(way.name, node)}" for node in ends],
            "ipv4": [f"{self.address(way.name, node)}/24" for node in ends],
        }

    def _other(self) -> Lab:
        servers = [server.name for server in self.testbed.servers]
        places = {"x": servers[0], "y": servers[0], "z": servers[-1]}
        lab = make_lab(self.folder / OTHER, OTHER, places, [])
        lab.links[:] = [
            {"endpoints": ["x:eth1", "y:eth1"], "ipv4": ["10.78.1.1/24", "10.78.1.2/24"]},
            {"endpoints": ["y:eth2", "z:eth1"], "ipv4": ["10.78.2.1/24", "10.78.2.2/24"]},
        ]
        return lab.write()

    def server_of(self, node: str) -> Server:
        return self.testbed.server(self.places[node])

    def eye(self, node: str) -> Eye:
        return self.eyes[self.places[node]]

    def container(self, node: str) -> str:
        return self.lab.container(node)

    def sandbox(self, node: str) -> str:
        return next(str(one["sandbox"]) for one in self.slices[self.places[node]]["containers"] if one["node"] == node)

    def port(self, way: str, node: str) -> str:
        """The server's device of a node's end of a link."""
        interface = self.interface(way, node)
        ports = self.slices[self.places[node]]["ports"]
        return next(str(one["name"]) for one in ports if (one["node"], one["interface"]) == (node, interface))

    def mac(self, way: str, node: str) -> str:
        name = self.port(way, node)
        return next(str(one["mac"]) for one in self.slices[self.places[node]]["ports"] if one["name"] == name)

    def tunnel(self, way: str, server: str) -> Json:
        """The tunnel of a link at one of its servers."""
        one = self.ways[way]
        key = "--".join(sorted(f"{node}:{self.interface(way, node)}" for node in (one.near, one.far)))
        return next(dict(tunnel) for tunnel in self.slices[server]["tunnels"] if tunnel["link"] == key)

    # making it, and taking it away

    @contextlib.contextmanager
    def deployed(self) -> Iterator[Scene]:
        """Both labs, the admin's things and the pings."""
        self.forget()
        self.admin_leaves()
        try:
            for lab in (self.other, self.lab):
                self._converge(lab)
            self.slices = {name: self.kept(name) for name in self.eyes}
            with self.pings.running():
                self.admin_arrives()
                self.start_pings()
                self.pings.wait(list(self.pings.pingers), seconds=120)
                self.note()
                yield self
        finally:
            self.admin_leaves()
            for eye in self.eyes.values():
                eye.close()
            self.forget()

    def _converge(self, lab: Lab) -> None:
        """What deploy_lab does, but for what it says, and for the proof, which pings give here."""
        from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
        from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan

        addresses = {server.name: server.address for server in self.testbed.servers}

        def look(server: Server) -> Json:
            peers = [address for name, address in addresses.items() if name != server.name]
            return LabServer(server).module("lab_info", lab=lab.name, server=server.name, peers=peers)

        servers = {name: ServerFacts(address) for name, address in addresses.items()}
        slices = make_plan(load_lab_file(str(lab.file)), servers, self.world.each(look))["slices"]
        for done in self._by_module(lab.name, slices).values():
            if done.get("failed"):
                raise RuntimeError(str(done["msg"]))

    def _by_module(self, lab: str, slices: Mapping[str, Json]) -> dict[str, Json]:
        """What lab_converge did on each server."""

        def converge(server: Server) -> Json:
            one, token = LabServer(server), f"scene-{server.name}"
            done = one.module("lab_converge", declared=slices[server.name], token=token)
            one.module("lab_state", lab=lab, release=token)
            return done

        return dict(self.world.each(converge))

    def forget(self) -> None:
        self.world.forget(NAME, OTHER)

    def kept(self, server: str, lab: str = NAME) -> Json:
        return dict(json.loads(Path(f"{self.eyes[server].root}/var/lib/archetype-lab/{lab}.json").read_text()))

    def note(self) -> None:
        """What all ports and bridges look like while everything is well."""
        self.bridges = {server: eye.bridge(BRIDGE) for server, eye in self.eyes.items()}
        for server, declared in self.slices.items():
            for one in (*declared["ports"], *declared["tunnels"]):
                self.healthy[server, one["name"]] = self.eyes[server].port(one["name"])

    def port_good(self, server: str, name: str) -> bool:
        return self.eyes[server].port(name) == self.healthy[server, name]

    def bridge_good(self, server: str) -> bool:
        return self.eyes[server].bridge(BRIDGE) == self.bridges[server]

    def broken(self) -> list[str]:
        """What is not as it was when everything was well."""
        found = [f"port {name} of {server}" for server, name in self.healthy if not self.port_good(server, name)]
        found += [f"bridge of {server}" for server in self.bridges if not self.bridge_good(server)]
        for server, declared in self.slices.items():
            names = [one[key] for one in declared["containers"] for key in ("name", "sandbox")]
            found += [f"container {name} of {server}" for name in names if self.eyes[server].container(name) is None]
        return found

    def mend(self) -> dict[str, Json]:
        """By the module, as a deployment would do it; what it did on each server."""
        return self._by_module(NAME, self.slices)

    # pings

    def start_pings(self, server: str = "") -> None:
        """Of all nodes that ping, or of those on one server."""
        self._ping_ways(server)
        first = self.testbed.servers[0].name
        if server in ("", first):
            for label, (near, _far) in BYSTANDERS.items():
                address = "10.78.1.2" if near == "x" else "10.78.2.2"
                pid = self.eyes[first].pid(self.other.container(near))
                self.pings.add(Pinger(self.testbed.server(first), f"/proc/{pid}/ns/net", {label: address}, self.folder, self.interval))
            pid = self._admin[0].pid
            self.pings.add(Pinger(self.testbed.server(first), f"/proc/{pid}/ns/net", {"admin": "10.79.0.2"}, self.folder, self.interval))

    def listen(self, ways: Sequence[str]) -> None:
        """Ping over these ways only: over all of them at once would be a load of its own."""
        self.pings.remove([*self.ways])
        self._heard = set(ways)
        self._ping_ways()

    def _ping_ways(self, server: str = "") -> None:
        heard = [way for way in self.ways.values() if way.name in self._heard]
        for node in dict.fromkeys(way.near for way in heard):
            if server in ("", self.places[node]):
                self._ping_from(node, [way for way in heard if way.near == node])

    def _ping_from(self, node: str, ways: Sequence[Way]) -> None:
        """Neighbours are known for good: how long ARP takes to find an old one again is no matter of the wire."""
        server = self.server_of(node)
        namespace = f"/proc/{self.eye(node).pid(self.sandbox(node))}/ns/net"
        known = [(self.address(way.name, way.far), self.mac(way.name, way.far), self.interface(way.name, node)) for way in ways]
        lines = [f"neigh replace {address} lladdr {mac} dev {device} nud permanent" for address, mac, device in known]
        server.run(["nsenter", f"--net={namespace}", "ip", "-batch", "-"], stdin="\n".join(lines), check=True)
        targets = {way.name: self.address(way.name, way.far) for way in ways}
        self.pings.add(Pinger(server, namespace, targets, self.folder, self.interval))

    def stop_pings(self, server: str) -> None:
        """Of all nodes on a server: a process in a network namespace would keep it from going away with its sandbox."""
        ways = [way.name for way in self.ways.values() if self.places[way.near] == server]
        if server == self.testbed.servers[0].name:
            ways += [*BYSTANDERS, "admin"]
        self.pings.remove(ways)

    @property
    def bystanders(self) -> list[str]:
        return [way for way in (*BYSTANDERS, "admin") if way in self.pings.pingers]

    # the admin

    def admin_arrives(self) -> None:
        """Two namespaces with a wire of the admin's own over the bridge, and a container."""
        server = self.testbed.servers[0]
        sleep = ["unshare", "--net", "sleep", "infinity"]
        self._admin = [subprocess.Popen(server.entering(sleep), stdin=subprocess.DEVNULL) for _port in ADMIN_PORTS]
        for number, (process, port) in enumerate(zip(self._admin, ADMIN_PORTS, strict=True), 1):
            elsewhere = (Path("/proc/self/ns/net").readlink(), Path(f"/proc/{server.holder}/ns/net").readlink())
            while Path(f"/proc/{process.pid}/ns/net").readlink() in elsewhere:
                time.sleep(0.02)
            inside = ["nsenter", f"--net=/proc/{process.pid}/ns/net", "ip", "-batch", "-"]
            server.run(["ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(process.pid)], check=True)
            server.run(["ip", "link", "set", port, "up"], check=True)
            server.run(inside, stdin=f"address add 10.79.0.{number}/24 dev eth0\nlink set eth0 up\n", check=True)
            server.run(["ovs-vsctl", "add-port", BRIDGE, port, f"tag={ADMIN_TAG}"], check=True)
        server.run(["docker", "run", "-d", "--name", ADMIN_BOX, "--network", "none", HOST], check=True)

    def admin_leaves(self) -> None:
        server = self.testbed.servers[0]
        for process in self._admin:
            process.kill()
            process.wait(10)
        self._admin = []
        for port in ADMIN_PORTS:
            server.run(["ovs-vsctl", "--if-exists", "del-port", port])
            server.run(["ip", "link", "del", port])
        server.run(["docker", "rm", "-f", ADMIN_BOX])

    def admins(self) -> tuple[Any, ...]:
        """All that is the admin's, as it is."""
        eye = self.eyes[self.testbed.servers[0].name]
        indexes = [_read(f"{eye.root}/sys/class/net/{port}/ifindex") for port in ADMIN_PORTS]
        return (*(eye.port(port) for port in ADMIN_PORTS), *indexes, eye.container(ADMIN_BOX))

    def rebooted(self, server: str) -> None:
        """The admin's things and the pings of a server that lost them, anew."""
        if server == self.testbed.servers[0].name:
            self.admin_leaves()
            self.admin_arrives()
        self.start_pings(server)


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text().strip()
    return ""
