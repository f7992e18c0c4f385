# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of the testbed with nodes and, between the servers, tunnels made by the module under test.

A node is a network namespace with one interface; its port is put on the bridge by hand.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tests.integration.wired import Ran, Wired
from tests.testbed.testbed import Testbed

LAB = "tu"
TAG = 3001
VNI = 880001
KEY = "a:eth1--b:eth1"
LABS = (LAB, "tv")

FRAMES = """
import json, socket, sys, time
job = json.load(sys.stdin)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
wire.bind(("eth1", 0x88B5))
if job["count"]:
    for number in range(job["count"]):
        wire.send(bytes.fromhex("ffffffffffff02000000aa0188b5") + job["mark"].encode() + b"%06d" % number + bytes(40))
        time.sleep(0.002)
    sys.exit()
print("listening", flush=True)
wire.settimeout(job["quiet"])
got = []
try:
    while True:
        frame = wire.recv(2000)[14:]
        if frame.startswith(job["mark"].encode()):
            got.append(int(frame[len(job["mark"]) :][:6]))
except TimeoutError:
    print(json.dumps(got))
"""
"""Broadcast frames of an EtherType of our own: sent, or received until nothing came for a while."""


class Tunnelled:
    def __init__(self, testbed: Testbed) -> None:
        self.servers = {server.name: Wired(server) for server in testbed.servers}
        self.addresses = {server.name: server.address for server in testbed.servers}
        self.addresses6 = {server.name: server.address6 for server in testbed.servers}

    def __getitem__(self, server: str) -> Wired:
        return self.servers[server]

    # declaring

    def tunnel(self, server: str, *others: str, six: bool = False, **more: Any) -> dict[str, Any]:
        """The half of a tunnel that this server has, to these others."""
        addresses = self.addresses6 if six else self.addresses
        remotes = [addresses[other] for other in others]
        base = {"name": "tut1", "vni": VNI, "local": addresses[server], "remotes": remotes, "mtu": 1430 if six else 1450, "group": 990}
        own = {} if "links" in more else {"link": KEY, "tag": TAG}
        return {**base, **own, **more}

    def apply(self, server: str, *tunnels: Mapping[str, Any], lab: str = LAB, **options: Any) -> Ran:
        return self[server].module("ovs_vxlan_tunnel", lab=lab, tunnels=list(tunnels), **options)

    def connect(self, **more: Any) -> dict[str, dict[str, Any]]:
        """Both halves of a link between the first two servers."""
        halves = {"srv1": self.tunnel("srv1", "srv2", **more), "srv2": self.tunnel("srv2", "srv1", **more)}
        for server, half in halves.items():
            self.apply(server, half).ok()
        return halves

    # nodes

    def node(self, server: str, name: str, address: str, *, tag: int = TAG, mtu: int = 1450) -> None:
        wired = self[server]
        wired.sh("ip", "netns", "add", f"tu-{name}")
        veth = ["ip", "link", "add", f"tup-{name}", "mtu", str(mtu), "type", "veth", "peer", "name", "eth1", "mtu", str(mtu)]
        wired.sh(*veth, "netns", f"tu-{name}")
        wired.sh("ip", "link", "set", f"tup-{name}", "up")
        wired.sh("ip", "-n", f"tu-{name}", "link", "set", "eth1", "up")
        wired.sh("ip", "-n", f"tu-{name}", "address", "add", f"{address}/24", "dev", "eth1")
        self.inside(server, name, "ethtool", "-K", "eth1", "tx", "off")
        marks = [f"external_ids:archetype-lab={LAB}", "external_ids:archetype-role=port"]
        wired.sh(
            "ovs-vsctl",
            "add-port",
            "arch-ovs",
            f"tup-{name}",
            f"tag={tag}",
            "vlan_mode=dot1q-tunnel",
            "--",
            "set",
            "port",
            f"tup-{name}",
            *marks,
        )

    def nodes(self, *, mtu: int = 1450) -> None:
        """A node on each of the first two servers: C(a) is 198.51.100.1, C(b) is 198.51.100.2."""
        self.node("srv1", "a", "198.51.100.1", mtu=mtu)
        self.node("srv2", "b", "198.51.100.2", mtu=mtu)

    @staticmethod
    def _within(name: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/tu-{name}"]

    def inside(self, server: str, name: str, *command: str) -> str:
        return self[server].sh(*self._within(name), *command)

    def pings(self, *options: str, server: str = "srv1", name: str = "a", address: str = "198.51.100.2") -> bool:
        """Whether every echo comes back."""
        command = [*self._within(name), "ping", "-q", "-c", "3", "-i", "0.05", "-W", "1", *options, address]
        return self[server].server.run(command).stdout.count(" 0% packet loss") == 1

    @contextlib.contextmanager
    def python(self, server: str, name: str, code: str, *arguments: str) -> Iterator[Any]:
        """A Python program in a node, running meanwhile."""
        import subprocess

        command = self[server].server.entering([*self._within(name), sys.executable, "-c", code, *arguments])
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
            try:
                yield running
            finally:
                running.kill()

    def broadcast(self, sender: tuple[str, str], *receivers: tuple[str, str], count: int = 100) -> list[list[int]]:
        """Send broadcasts from a node (server, name): the numbers of the frames that each receiver got, as they came."""
        with contextlib.ExitStack() as stack:
            listening = [stack.enter_context(self.python(*one, FRAMES)) for one in receivers]
            for one in listening:
                one.stdin.write(json.dumps({"mark": "tunnelled", "count": 0, "quiet": 1.5}))
                one.stdin.close()
                assert one.stdout.readline() == "listening\n"
            sending = [*self._within(sender[1]), sys.executable, "-c", FRAMES]
            self[sender[0]].server.run(sending, stdin=json.dumps({"mark": "tunnelled", "count": count}), check=True)
            return [json.loads(one.stdout.readline()) for one in listening]

    # what is there

    def vxlan(self, server: str, name: str = "tut1") -> dict[str, Any]:
        """The attributes of a VXLAN device, as C(ip -details) tells them; empty when there is none."""
        found = [one for one in self[server].json("ip", "-json", "-details", "link") if one["ifname"] == name]
        if not found:
            return {}
        data = found[0]["linkinfo"]["info_data"]
        return {**data, "mtu": found[0]["mtu"], "ifindex": found[0]["ifindex"], "alias": found[0].get("ifalias", "")}

    def port(self, server: str, name: str = "tut1") -> dict[str, Any]:
        return self[server].ovs_ports().get(name, {})

    def settled(self, server: str, *tunnels: Mapping[str, Any], **options: Any) -> None:
        """A further run, and a further check, change nothing."""
        for check in (True, False):
            assert self.apply(server, *tunnels, check=check, **options).ok().lines == []

    def clean(self) -> None:
        for wired in self.servers.values():
            for lab in LABS:
                wired.module("ovs_vxlan_tunnel", lab=lab, state="absent", prune=True)
            for port in [name for name in wired.ovs_ports() if name.startswith("tu")]:
                wired.sh("ovs-vsctl", "del-port", port)
            for netns in wired.sh("ip", "netns", "list", check=False).split():
                if netns.startswith("tu-"):
                    wired.sh("ip", "netns", "delete", netns)
            for device in [name for name in wired.devices() if name.startswith("tu")]:
                wired.sh("ip", "link", "delete", device, check=False)


@contextlib.contextmanager
def tunnelled_servers(testbed: Testbed) -> Iterator[Tunnelled]:
    tunnelled = Tunnelled(testbed)
    for wired in tunnelled.servers.values():
        wired.bridge()
    tunnelled.clean()
    try:
        yield tunnelled
    finally:
        tunnelled.clean()
