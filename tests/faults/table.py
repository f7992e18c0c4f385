# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The faults: how each is made, with the tools that an admin or a bug would use, and by what it is seen that it was repaired.

Every link is for one fault, so that they can also be made side by side. C(p) is on srv1 and pings; C(r) is on srv2, and pings srv1.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.faults.scene import BRIDGE, Scene, Way

FIRST = "srv1"
ELSEWHERE = "flt-br"
WRONG_TAG = "4001"
PLACES = {
    **dict.fromkeys(("p", "n", "restarted", "killed", "removed", "boxed", "g"), FIRST),
    "r": "srv2",
}

Make = Callable[[Scene], float | None]
Good = Callable[[Scene], bool]


@dataclasses.dataclass(frozen=True)
class Part:
    """One thing that a fault breaks, and a row of the table. ways: over which pings must be answered again.

    own: the name of what was measured by hand, and what the object itself needs; empty: nothing.
    """

    name: str
    ways: tuple[str, ...] = ()
    good: Good | None = None
    own: str = ""


@dataclasses.dataclass(frozen=True)
class Fault:
    """make: makes it; what it returns is the moment from which is counted (a daemon is back), None is from the outage.

    everybody: others on the server lose pings too. down: the server whose own pings cannot go on meanwhile.
    """

    name: str
    make: Make
    parts: tuple[Part, ...]
    everybody: bool = False
    down: str = ""
    patience: float = 20.0

    @property
    def independent(self) -> bool:
        """Whether it can be made beside the others."""
        return not self.everybody


def ovs(scene: Scene, server: str, *words: str) -> None:
    scene.testbed.server(server).run(["ovs-vsctl", *words], check=True)


def ip(scene: Scene, server: str, *lines: str, namespace: str = "") -> None:
    inside = ["nsenter", f"--net={namespace}"] if namespace else []
    scene.testbed.server(server).run([*inside, "ip", "-batch", "-"], stdin="\n".join(lines) + "\n", check=True)


def docker(scene: Scene, *words: str) -> None:
    scene.testbed.server(FIRST).run(["docker", *words], check=True)


@dataclasses.dataclass(frozen=True)
class End:
    """An end of a link: where a fault of one port is made."""

    server: str
    node: str
    interface: str
    port: str

    @classmethod
    def of(cls, scene: Scene, way: str, node: str) -> End:
        return cls(scene.places[node], node, scene.interface(way, node), scene.port(way, node))


def moved(scene: Scene, end: End) -> None:
    there = ("--may-exist", "add-br", ELSEWHERE, "--", "set", "bridge", ELSEWHERE, "datapath_type=netdev")
    ovs(scene, end.server, *there, "--", "--if-exists", "del-port", end.port, "--", "add-port", ELSEWHERE, end.port)


def deleted_inside(scene: Scene, end: End) -> None:
    namespace = f"/proc/{scene.eyes[end.server].pid(scene.sandbox(end.node))}/ns/net"
    ip(scene, end.server, f"link del {end.interface}", namespace=namespace)


def recreated(scene: Scene, server: str, tunnel: Mapping[str, Any], **wrong: Any) -> None:
    one = {"vni": tunnel["vni"], "local": tunnel["local"], "remote": tunnel["remotes"][0], **wrong}
    name = tunnel["name"]
    made = f"link add {name} type vxlan id {one['vni']} local {one['local']} remote {one['remote']} dstport 4789"
    ip(scene, server, f"link del {name}", made, f"link set {name} up")


def neighbour(address: str) -> str:
    """An address of the underlay that nobody has."""
    return f"{address.rpartition('.')[0]}.99"


OF_PORTS: dict[str, Callable[[Scene, End], None]] = {
    "port deleted": lambda scene, end: ovs(scene, end.server, "del-port", BRIDGE, end.port),
    "tag changed": lambda scene, end: ovs(scene, end.server, "set", "port", end.port, f"tag={WRONG_TAG}"),
    "tag cleared": lambda scene, end: ovs(scene, end.server, "clear", "port", end.port, "tag"),
    "vlan_mode cleared": lambda scene, end: ovs(scene, end.server, "clear", "port", end.port, "vlan_mode"),
    "port moved to another bridge": moved,
    "MTU of a port changed": lambda scene, end: ip(scene, end.server, f"link set {end.port} mtu 1000"),
    "veth deleted on the server": lambda scene, end: ip(scene, end.server, f"link del {end.port}"),
    "veth deleted in the sandbox": deleted_inside,
    "device set down": lambda scene, end: ip(scene, end.server, f"link set {end.port} down"),
}
OF_TUNNELS: dict[str, Callable[[Scene, str, Mapping[str, Any]], None]] = {
    "tunnel device deleted": lambda scene, server, one: ip(scene, server, f"link del {one['name']}"),
    "tunnel with a wrong VNI": lambda scene, server, one: recreated(scene, server, one, vni=one["vni"] ^ 0x800000),
    "tunnel with a wrong remote": lambda scene, server, one: recreated(scene, server, one, remote=neighbour(one["local"])),
    "tunnel with a wrong local": lambda scene, server, one: recreated(scene, server, one, local=neighbour(one["local"])),
    "OVS port of the tunnel deleted": lambda scene, server, one: ovs(scene, server, "del-port", BRIDGE, one["name"]),
    "MTU of a tunnel changed": lambda scene, server, one: ip(scene, server, f"link set {one['name']} mtu 900"),
}


def on_port(name: str, make: Callable[[Scene, End], None]) -> Fault:
    """A fault of the port of C(n), at the end of a link of its own."""

    def good(scene: Scene) -> bool:
        return scene.port_good(FIRST, scene.port(name, "n"))

    return Fault(name, lambda scene: make(scene, End.of(scene, name, "n")), (Part(name, (name,), good),))


def on_tunnel(name: str, make: Callable[[Scene, str, Mapping[str, Any]], None]) -> Fault:
    """A fault of the tunnel at srv1 of a link of its own."""

    def good(scene: Scene) -> bool:
        return scene.port_good(FIRST, scene.tunnel(name, FIRST)["name"])

    return Fault(name, lambda scene: make(scene, FIRST, scene.tunnel(name, FIRST)), (Part(name, (name,), good),))


PORTS = tuple(on_port(name, make) for name, make in OF_PORTS.items())
TUNNELS = tuple(on_tunnel(name, make) for name, make in OF_TUNNELS.items())


def on_bridge(name: str, *words: str, everybody: bool = False) -> Fault:
    def good(scene: Scene) -> bool:
        return scene.bridge_good(FIRST)

    part = Part(name, ("spare near", "spare far"), good)
    return Fault(name, lambda scene: ovs(scene, FIRST, *words), (part,), everybody)


BRIDGES = (
    on_bridge("fail_mode set to secure", "set-fail-mode", BRIDGE, "secure", everybody=True),
    on_bridge("forward-bpdu removed", "remove", "bridge", BRIDGE, "other_config", "forward-bpdu"),
)


def boxes(scene: Scene, *nodes: str) -> list[str]:
    return [name for node in nodes for name in (scene.container(node), scene.sandbox(node))]


def running(*ended: Callable[[Scene], list[str]]) -> Good:
    """All that was ended runs again, started anew: a restart can be over before it is asked for.

    It is asked for up to the first that does not: dockerd has better things to do meanwhile.
    """

    def anew(scene: Scene, name: str) -> bool:
        now = scene.eyes[FIRST].container(name)
        return now is not None and now != scene.before.get(name)

    return lambda scene: all(anew(scene, name) for names in ended for name in names(scene))


def noting(make: Make, ended: Callable[[Scene], list[str]]) -> Make:
    """Remember how those that it ends were running before."""

    def noted(scene: Scene) -> float | None:
        scene.before = {name: scene.eyes[FIRST].container(name) for name in ended(scene)}
        return make(scene)

    return noted


def on_node(name: str, node: str, own: str, *words: str, sandbox: bool = False) -> Fault:
    """A command of docker about a node, or about its sandbox, with which the node ends too."""

    def ended(scene: Scene) -> list[str]:
        return boxes(scene, node) if sandbox else [scene.container(node)]

    def make(scene: Scene) -> None:
        docker(scene, *words, scene.sandbox(node) if sandbox else scene.container(node))

    return Fault(name, noting(make, ended), (Part(name, (node,), running(ended), own),))


def domain_destroyed(scene: Scene) -> None:
    scene.testbed.server(FIRST).run(["virsh", "-c", "qemu:///system", "destroy", scene.container("g")], check=True)


NODES = (
    on_node("node container restarted", "restarted", "restart", "restart"),
    on_node("node container killed", "killed", "node", "kill"),
    on_node("node container removed", "removed", "new node", "rm", "-f"),
    on_node("sandbox killed", "boxed", "sandbox and node", "kill", sandbox=True),
)
MACHINES = (Fault("domain destroyed", domain_destroyed, (Part("domain destroyed", ("g",), None, "guest"),), patience=60),)


def vswitchd_killed(scene: Scene) -> float:
    server = scene.testbed.server(FIRST)
    server.daemon("kill", "vswitchd")
    server.daemon("start", "vswitchd")
    return time.monotonic()


def ovsdb_killed(scene: Scene) -> float:
    """Nobody notices that the database is away: so something is broken meanwhile, which only its return lets be mended.

    It is back when ovs-vswitchd has it again: that tries every 1 to 8 s, the longer the more often it was lost lately, and only then does
    what anybody writes into the database.
    """
    server = scene.testbed.server(FIRST)
    server.daemon("kill", "ovsdb")
    ip(scene, FIRST, f"link del {scene.port('ovsdb-server', 'n')}")
    server.daemon("start", "ovsdb")
    ovs(scene, FIRST, "--timeout=30", "set", "Open_vSwitch", ".", f"external_ids:archetype-fault={time.monotonic_ns()}")
    return time.monotonic()


def dockerd_restarted(scene: Scene) -> float:
    """As systemd does it: an orderly end, which ends all containers."""
    server = scene.testbed.server(FIRST)
    server.daemon("stop", "dockerd")
    server.daemon("start", "dockerd")
    return time.monotonic()


def rebooted(scene: Scene) -> float:
    scene.testbed.reboot(FIRST)
    return time.monotonic()


CONTAINERS = ("p", "n", "restarted", "killed", "removed", "boxed")


def everything(scene: Scene) -> list[str]:
    return boxes(scene, *CONTAINERS)


def on_server(name: str, make: Make, *parts: Part, patience: float = 60) -> Fault:
    """A fault that ends all containers of srv1."""
    return Fault(name, noting(make, everything), parts, everybody=True, down=FIRST, patience=patience)


VSWITCHD = Part("ovs-vswitchd killed", ("spare near", "spare far"), None, "ovs-vswitchd")
DAEMONS = (
    Fault("ovs-vswitchd killed", vswitchd_killed, (VSWITCHD,), everybody=True),
    Fault("ovsdb-server killed", ovsdb_killed, (Part("ovsdb-server killed", ("ovsdb-server",)),), everybody=True),
    on_server("dockerd restarted", dockerd_restarted, Part("dockerd restarted", ("from afar",), running(everything), "all")),
    on_server(
        "server rebooted",
        rebooted,
        Part("server rebooted, containers", ("from afar",), running(everything), "all"),
        Part("server rebooted, machine", ("g from afar",), None, "guest"),
        patience=120,
    ),
)
FAULTS = {fault.name: fault for fault in (*PORTS, *TUNNELS, *BRIDGES, *NODES, *MACHINES, *DAEMONS)}


def ways() -> list[Way]:
    """A link for each fault, spare ones, and those over which srv1 is seen from the other server."""
    near = [Way(fault.name, "p", "n") for fault in PORTS]
    far = [Way(fault.name, "p", "r") for fault in TUNNELS]
    nodes = [Way(node, "p", node) for node in ("restarted", "killed", "removed", "boxed", "g")]
    spare = [Way("spare near", "p", "n"), Way("spare far", "p", "r"), Way("ovsdb-server", "p", "n")]
    return [*near, *far, *nodes, *spare, Way("from afar", "r", "n"), Way("g from afar", "r", "g")]
