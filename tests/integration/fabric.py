# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links over the servers of the testbed, wired by hand, for the tests of certification: what is tested made none of it.

Nodes are network namespaces. Inside a server, C(a) and C(b) share two links; between servers, C(c) and C(d) share one; C(e), C(f),
C(g) and C(h), on three servers, share a segment; the two links of C(i) and C(j) go through one shared tunnel.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.integration.wired import Wired
from tests.testbed.testbed import Testbed

Json = dict[str, Any]

LAB = "ce"
MTU = 1450
SHARED_MTU = MTU - 4
KINDS = ["broadcast", "unicast", "lldp", "lacp", "stp", "dot1q", "qinq", "full_mtu"]

AB, AB2, CD, SEGMENT = "a:eth1--b:eth1", "a:eth2--b:eth2", "c:eth1--d:eth1", "segment:lan"
IJ, IJ2 = "i:eth1--j:eth1", "i:eth2--j:eth2"
PLACES: Mapping[str, Mapping[str, str]] = {
    AB: {"a:eth1": "srv1", "b:eth1": "srv1"},
    AB2: {"a:eth2": "srv1", "b:eth2": "srv1"},
    CD: {"c:eth1": "srv1", "d:eth1": "srv2"},
    SEGMENT: {"e:eth1": "srv1", "f:eth1": "srv2", "g:eth1": "srv3", "h:eth1": "srv3"},
    IJ: {"i:eth1": "srv1", "j:eth1": "srv2"},
    IJ2: {"i:eth2": "srv1", "j:eth2": "srv2"},
}
"""Link -> endpoint -> server."""
TAGS = {AB: 101, AB2: 102, CD: 3001, SEGMENT: 3101, IJ: 3201, IJ2: 3202}
"""Of the first server; each further server has the next number, as a tag means something on its own server only, but in a shared tunnel."""
SHARED = (IJ, IJ2)
VNIS = {CD: 70001, SEGMENT: 70002}


def port_of(endpoint: str) -> str:
    return f"ce-{endpoint.replace(':', '-')}"


def tag_of(key: str, server: str) -> int:
    return TAGS[key] if key in SHARED else TAGS[key] + int(server[3:]) - 1


def mtu_of(key: str) -> str:
    return str(SHARED_MTU if key in SHARED else MTU)


class Proof:
    """The results of collect, of all servers."""

    def __init__(self, results: Mapping[str, Json]) -> None:
        self.results = results

    def missing(self) -> dict[str, set[str]]:
        """Link -> the kinds that did not arrive somewhere, for the links that have any."""
        found: dict[str, set[str]] = {}
        for result in self.results.values():
            for one in result["frames"]:
                if absent := set(result["kinds"]) - set(one["kinds"]):
                    found.setdefault(one["link"], set()).update(absent)
        return found

    def pairs(self, key: str) -> set[tuple[str, str]]:
        return {(one["source"], one["target"]) for result in self.results.values() for one in result["frames"] if one["link"] == key}

    def all(self, what: str) -> list[Json]:
        return [one for result in self.results.values() for one in result[what]]

    def port(self, endpoint: str) -> Json:
        return next(result["ports"][endpoint] for result in self.results.values() if endpoint in result["ports"])

    @property
    def clean(self) -> bool:
        return not self.missing() and not any(self.all(what) for what in ("leaks", "duplicates", "relays"))


class Fabric:
    def __init__(self, testbed: Testbed) -> None:
        self.servers = {server.name: Wired(server) for server in testbed.servers}
        self.addresses = {server.name: server.address for server in testbed.servers}

    def __getitem__(self, server: str) -> Wired:
        return self.servers[server]

    def build(self) -> None:
        for wired in self.servers.values():
            wired.bridge()
            wired.sh("ovs-vsctl", "set", "Open_vSwitch", ".", "other_config:vlan-limit=1")
        for key, places in PLACES.items():
            for endpoint, server in places.items():
                self.plug(key, endpoint, server)
            for server in sorted(set(places.values())) if key in VNIS else ():
                self.tunnel(key, server)
        self.shared_tunnel("srv1", "srv2")
        self.shared_tunnel("srv2", "srv1")

    def plug(self, key: str, endpoint: str, server: str) -> None:
        wired, port, (node, interface) = self[server], port_of(endpoint), endpoint.split(":")
        wired.sh("ip", "netns", "add", f"ce-{node}", check=False)
        veth = ["ip", "link", "add", port, "mtu", mtu_of(key), "type", "veth", "peer", "name", interface, "mtu", mtu_of(key)]
        wired.sh(*veth, "netns", f"ce-{node}")
        wired.sh("ip", "link", "set", port, "up", "alias", f"archetype-lab:{LAB}:port:{endpoint}")
        wired.sh("ip", "-n", f"ce-{node}", "link", "set", interface, "up")
        self.attach(key, port, server)

    def attach(self, key: str, port: str, server: str) -> None:
        mode = [f"tag={tag_of(key, server)}", "vlan_mode=dot1q-tunnel"]
        self[server].sh("ovs-vsctl", "--may-exist", "add-port", "arch-ovs", port, "--", "set", "port", port, *mode)

    def tunnel(self, key: str, server: str, *, vni: int = 0) -> None:
        """A device for the link; on a segment with a flood entry for each other server."""
        wired, name = self[server], f"ce-t{VNIS[key]}"
        others = [self.addresses[other] for other in sorted(set(PLACES[key].values()) - {server})]
        learning = "learning" if len(others) > 1 else "nolearning"
        vxlan = ["id", str(vni or VNIS[key]), "local", self.addresses[server], "dstport", "4789", "df", "unset", learning]
        wired.sh("ip", "link", "add", name, "mtu", str(MTU), "type", "vxlan", *vxlan)
        for address in others:
            wired.sh("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", name, "dst", address)
        wired.sh("ip", "link", "set", name, "up", "alias", f"archetype-lab:{LAB}:tunnel:{key}")
        self.attach(key, name, server)

    def shared_tunnel(self, server: str, other: str) -> None:
        wired, ends = self[server], ["local", self.addresses[server], "remote", self.addresses[other]]
        vxlan = ["id", "70003", *ends, "dstport", "4789", "df", "unset", "nolearning"]
        wired.sh("ip", "link", "add", "ce-shared", "mtu", str(MTU), "type", "vxlan", *vxlan)
        wired.sh("ip", "link", "set", "ce-shared", "up", "alias", f"archetype-lab:{LAB}:tunnel:ce-shared")
        trunks = ",".join(str(TAGS[key]) for key in SHARED)
        wired.sh("ovs-vsctl", "add-port", "arch-ovs", "ce-shared", "vlan_mode=trunk", f"trunks={trunks}")

    def drop_tunnel(self, key: str, server: str) -> None:
        self[server].sh("ovs-vsctl", "--if-exists", "del-port", f"ce-t{VNIS[key]}")
        self[server].sh("ip", "link", "delete", f"ce-t{VNIS[key]}", check=False)

    def set_port(self, endpoint: str, server: str, *settings: str) -> None:
        self[server].sh("ovs-vsctl", "set", "port", port_of(endpoint), *settings)

    def clean(self) -> None:
        for wired in self.servers.values():
            for port in [name for name in wired.ovs_ports() if name.startswith("ce-")]:
                wired.sh("ovs-vsctl", "del-port", port)
            for netns in wired.sh("ip", "netns", "list", check=False).splitlines():
                if netns.startswith("ce-"):
                    wired.sh("ip", "netns", "delete", netns.split()[0])
            for device in [name for name in wired.devices() if name.startswith("ce-")]:
                wired.sh("ip", "link", "delete", device, check=False)

    @staticmethod
    def links(server: str, keys: Sequence[str]) -> list[Json]:
        """As a slice of the plan has them: those with an endpoint on the server."""
        return [
            {
                "key": key,
                "mtu": int(mtu_of(key)),
                "endpoints": [
                    {"node": end.split(":")[0], "interface": end.split(":")[1], "server": place, "port": port_of(end)}
                    for end, place in PLACES[key].items()
                ],
            }
            for key in keys
            if server in PLACES[key].values()
        ]

    def step(self, step: str, token: str, keys: Sequence[str] = tuple(PLACES), **more: Any) -> dict[str, Json]:
        """One step on all servers that have a part in these links, in parallel."""

        def on(server: str) -> Json:
            given = {"lab": LAB, "server": server, "links": self.links(server, keys), "step": step, "token": token, **more}
            return dict(self[server].module("lab_certify", **given).ok().result)

        servers = [server for server in self.servers if self.links(server, keys)]
        with ThreadPoolExecutor(len(servers)) as pool:
            return dict(zip(servers, pool.map(on, servers), strict=True))

    def certify(self, keys: Sequence[str] = tuple(PLACES)) -> Proof:
        token = secrets.token_hex(4)
        for step in ("listen", "send"):
            self.step(step, token, keys)
        return Proof(self.step("collect", token, keys, timeout=1.0))


@contextlib.contextmanager
def wired_fabric(testbed: Testbed) -> Iterator[Fabric]:
    fabric = Fabric(testbed)
    fabric.clean()
    fabric.build()
    yield fabric
    fabric.clean()
