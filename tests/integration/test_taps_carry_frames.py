# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taps of virtual machines carry what their machines send, as wires do, on a real bridge. A process that opens them is the machine."""

from __future__ import annotations

import secrets
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.integration.fabric import KINDS, Proof
from tests.integration.tap_guest import details, frame, put, tap, tap_guest, tapped
from tests.integration.wired import Wired, port, wired_server
from tests.testbed.testbed import Testbed

VNI, TUNNEL_MTU = 881001, 1450
Json = dict[str, Any]

SENDING = """
import socket, sys
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth1", 0))
wire.send(bytes.fromhex("ffffffffffff02000000aa0188b5") + bytes(int(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def first(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


@pytest.fixture
def wired(first: Wired) -> Iterator[Wired]:
    with tapped(first) as one:
        yield one


def test_frames_of_the_declared_size_pass_both_ways_and_nothing_of_the_servers_own(wired: Wired) -> None:
    put(wired, tap(1), tap(2, queues=2)).ok()
    server = wired.server
    with tap_guest(server, "xp1") as one, tap_guest(server, "xp2", queues=True) as two:
        assert {details(wired, name)["operstate"] for name in ("xp1", "xp2")} == {"UP"}
        for left, right in ((one, two), (two, one)):
            for size in (46, 1500, 9500):
                assert left.hears(right, frame(bytes(size)))
            assert left.hears(right, frame(bytes(9500), tags=struct.pack("!HH", 0x8100, 7)))
            assert left.hears(right, frame(bytes(1500), tags=struct.pack("!HHHH", 0x88A8, 7, 0x8100, 8)))
            assert not left.hears(right, frame(bytes(9501)), seconds=0.2)
        assert not select.select([one.handle, two.handle], [], [], 1.0)[0]


ASKING = """
import select, socket, sys
asked = bytes.fromhex(sys.argv[1])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
wire.bind(("eth1", 0x0806))
wire.send(asked)
print(bool(select.select([wire], [], [], 0.5)[0]))
"""


def test_the_server_does_not_answer_a_node_that_asks_for_its_address(wired: Wired) -> None:
    """A node may well have the address of its server, and looks first whether another one has it."""
    node = port(3, "r3", 100)
    wired.sandbox(node["sandbox"])
    put(wired, tap(1, tag=101), node).ok()
    sender = bytes.fromhex("020000000001") + socket.inet_aton("198.51.100.77")
    asked = b"\xff" * 6 + sender[:6] + struct.pack("!HHHBBH", 0x806, 1, 0x800, 6, 4, 1) + sender
    asked += bytes(6) + socket.inet_aton(wired.server.address) + bytes(18)
    with tap_guest(wired.server, "xp1") as machine:
        machine.send(asked)
        assert not select.select([machine.handle], [], [], 0.5)[0]
    assert wired.inside(node["sandbox"], sys.executable, "-c", ASKING, asked.hex()).strip() == "False"
    wired.sh("docker", "rm", "--force", node["sandbox"])


def test_a_tap_keeps_all_it_has_while_its_machine_stops_and_starts(wired: Wired) -> None:
    put(wired, tap(1), tap(2)).ok()
    before = wired.sh("ovs-vsctl", "--columns=_uuid,tag,external_ids,vlan_mode", "list", "port", "xp1")
    for _start in range(2):
        with tap_guest(wired.server, "xp1") as one, tap_guest(wired.server, "xp2") as two:
            assert one.hears(two, frame(b"x" * 60))
            assert put(wired, tap(1), tap(2)).ok().lines == []
        assert details(wired, "xp1")["operstate"] == "DOWN"
    assert wired.sh("ovs-vsctl", "--columns=_uuid,tag,external_ids,vlan_mode", "list", "port", "xp1") == before
    assert put(wired, tap(1), tap(2)).ok().lines == []


def test_taps_live_through_a_restart_of_the_switch(wired: Wired) -> None:
    put(wired, tap(1), tap(2)).ok()
    with tap_guest(wired.server, "xp1") as one, tap_guest(wired.server, "xp2") as two:
        wired.server.daemon("kill", "vswitchd")
        wired.server.daemon("start", "vswitchd")
        end = time.monotonic() + 10
        while not one.hears(two, frame(bytes(9500)), seconds=0.2):
            assert time.monotonic() < end
        assert put(wired, tap(1), tap(2)).ok().lines == []


def test_a_link_between_a_container_and_a_machine_carries_full_frames_and_is_certified(wired: Wired) -> None:
    node = port(3, "r3", 100, mtu=9500)
    wired.sandbox(node["sandbox"])
    put(wired, tap(1), node).ok()
    with tap_guest(wired.server, "xp1") as machine:
        wired.inside(node["sandbox"], sys.executable, "-c", SENDING, "9500")
        (heard,) = machine.receive()
        assert len(heard) == 9514
        machine.receive(0.0)
        proof = certified({"srv1": wired}, {"vm1:eth1": ("srv1", "xp1"), "r3:eth1": ("srv1", "xp3")}, 9500)
        assert proof.clean
        assert proof.pairs("link") == {("vm1:eth1", "r3:eth1"), ("r3:eth1", "vm1:eth1")}
        assert proof.port("vm1:eth1") == {"carrier": True, "error": ""}
    stopped = certified({"srv1": wired}, {"vm1:eth1": ("srv1", "xp1"), "r3:eth1": ("srv1", "xp3")}, 9500)
    assert stopped.missing() == {"link": set(KINDS)}
    assert stopped.port("vm1:eth1") == {"carrier": False, "error": ""}
    wired.sh("docker", "rm", "--force", node["sandbox"])


def certified(servers: Mapping[str, Wired], ends: Mapping[str, tuple[str, str]], mtu: int) -> Proof:
    """Certify one link, as a deployment does. ends: endpoint -> server, port."""
    endpoints = [
        {"node": end.split(":")[0], "interface": end.split(":")[1], "server": server, "port": name} for end, (server, name) in ends.items()
    ]
    token = secrets.token_hex(4)
    results: dict[str, Json] = {}
    for step, more in (("listen", {}), ("send", {}), ("collect", {"timeout": 0.5})):
        for name, wired in servers.items():
            given = {
                "lab": "x",
                "server": name,
                "links": [{"key": "link", "mtu": mtu, "endpoints": endpoints}],
                "step": step,
                "token": token,
            }
            results[name] = dict(wired.module("lab_certify", **given, **more).ok().result)
    return Proof(results)


def test_two_machines_on_two_servers_are_joined_by_a_tunnel_and_certified(wired: Wired, testbed: Testbed) -> None:
    far = Wired(testbed.servers[1])
    far.bridge()
    addresses = [one.address for one in testbed.servers[:2]]
    ends = {"vm1:eth1": ("srv1", "xp1"), "vm2:eth1": ("srv2", "xp2")}
    try:
        for place, (one, tag) in enumerate(((wired, 100), (far, 200))):
            put(one, {**tap(place + 1, tag), "mtu": TUNNEL_MTU}).ok()
            half = {"name": "xt1", "vni": VNI, "local": addresses[place], "remotes": [addresses[1 - place]], "mtu": TUNNEL_MTU}
            one.module("ovs_vxlan_tunnel", lab="x", tunnels=[{**half, "link": "link", "tag": tag}]).ok()
        with tap_guest(wired.server, "xp1") as left, tap_guest(far.server, "xp2") as right:
            assert left.hears(right, frame(bytes(TUNNEL_MTU)))
            assert right.hears(left, frame(bytes(TUNNEL_MTU), tags=struct.pack("!HH", 0x8100, 7)))
            assert certified({"srv1": wired, "srv2": far}, ends, TUNNEL_MTU).clean
    finally:
        for one in (wired, far):
            one.module("ovs_vxlan_tunnel", lab="x", state="absent", prune=True)
            one.module("ovs_port_vlan", lab="x", state="absent", prune=True)


def test_of_a_tap_that_a_machine_has_open_only_what_is_in_open_vswitch_is_made_anew(wired: Wired) -> None:
    taps = tap(1), tap(2)
    put(wired, *taps).ok()
    with tap_guest(wired.server, "xp1") as one, tap_guest(wired.server, "xp2") as two:
        assert one.hears(two, frame(bytes(100)))
        before = details(wired, "xp1")["ifindex"]
        number = wired.sh("ovs-vsctl", "get", "interface", "xp1", "_uuid")
        assert wired.layer(*taps, anew=["xp1"]) == ["~ port xp1 (vm1:eth1): mending it failed"]
        assert details(wired, "xp1")["ifindex"] == before
        assert wired.sh("ovs-vsctl", "get", "interface", "xp1", "_uuid") != number
        for left, right in ((one, two), (two, one)):
            assert left.hears(right, frame(bytes(100)))
        assert wired.layer(*taps) == []
