# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Segments over three servers: every frame arrives everywhere, once; and tunnels that several links share."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.integration.acceptance import SERVERS, Lab, World, addressed, make_lab
from tests.integration.pings import pinging

ETHERTYPE = 0x88B6
COUNT = 40
ENDS = {"a": "srv1", "b": "srv2", "c": "srv3", "d": "srv3"}

_SEND = """
import socket, sys, time
count, target, kind, source = int(sys.argv[1]), bytes.fromhex(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth1", 0))
own = wire.getsockname()[4]
for number in range(count):
    wire.send(target + own + kind.to_bytes(2, "big") + f"{source} {number} ".encode().ljust(46, b"."))
    time.sleep(0.01)
"""
_LISTEN = """
import socket, sys, time
kind = int(sys.argv[1])
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind))
wire.bind(("eth1", kind))
wire.settimeout(0.2)
print("ready", flush=True)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    try:
        frame, address = wire.recvfrom(2000)
    except TimeoutError:
        continue
    if address[2] != 4:
        print(*frame[14:].decode().split()[:2], flush=True)
"""


class Wire:
    """Raw frames out of and into the nodes of a lab, so that each single one can be counted."""

    def __init__(self, world: World, lab: Lab) -> None:
        self.world = world
        self.lab = lab

    def _inside(self, node: str, *words: str) -> list[str]:
        server = self.world.server(ENDS[node])
        pid = server.pid(self.lab.container(node))
        return server.server.entering(["nsenter", f"--net=/proc/{pid}/ns/net", "/usr/bin/python3", "-c", *words])

    def exchange(self, target: str) -> dict[str, Counter[str]]:
        """Every node sends to this address; node -> how often it got each frame."""
        ears = {
            node: subprocess.Popen(self._inside(node, _LISTEN, str(ETHERTYPE), "4"), stdout=subprocess.PIPE, text=True) for node in ENDS
        }
        for ear in ears.values():
            assert ear.stdout is not None
            assert ear.stdout.readline() == "ready\n"
        mouths = [subprocess.Popen(self._inside(node, _SEND, str(COUNT), target, str(ETHERTYPE), node)) for node in ENDS]
        for mouth in mouths:
            assert mouth.wait(10) == 0
        return {node: Counter(ear.communicate(timeout=10)[0].splitlines()) for node, ear in ears.items()}


def check_all_once(got: dict[str, Counter[str]]) -> None:
    for node, frames in got.items():
        wanted = {f"{other} {number}" for other in ENDS if other != node for number in range(COUNT)}
        assert set(frames) == wanted, f"{node} lacks {len(wanted - set(frames))} frames and has {len(set(frames) - wanted)} too many"
        assert set(frames.values()) == {1}, f"{node} got frames twice: {[one for one, count in frames.items() if count > 1][:5]}"


def make_segment(world: World, name: str, network: str, mode: str) -> Lab:
    """A segment of four hosts on three servers, two more links between two servers, and one to the third."""
    nodes = {
        "a": addressed("srv1", f"{network}.0.1/24", f"{network}.1.1/24", f"{network}.2.1/24", f"{network}.3.1/24"),
        "b": addressed("srv2", f"{network}.0.2/24", f"{network}.1.2/24", f"{network}.2.2/24"),
        "c": addressed("srv3", f"{network}.0.3/24", f"{network}.3.3/24"),
        "d": addressed("srv3", f"{network}.0.4/24"),
        "lan": {"kind": "bridge"},
    }
    links = [(f"{node}:eth1", f"lan:p{index}") for index, node in enumerate(ENDS)]
    links += [("a:eth2", "b:eth2"), ("a:eth3", "b:eth3"), ("a:eth4", "c:eth2")]
    return make_lab(world.folder / name, name, nodes, links, overlay_mode=mode)


def tunnels(world: World, lab: str) -> dict[str, dict[str, int]]:
    """Server -> the lab's tunnels, as the kernel has them: what each is for -> how many remotes it has."""
    found = {}
    for server in SERVERS:
        flood = Counter(re.findall(r"^00:00:00:00:00:00 dev (\S+) dst", world.on(server, "bridge", "fdb"), re.MULTILINE))
        found[server] = {}
        for name, one in world.devices(server).items():
            alias = str(one.get("ifalias", ""))
            if alias.startswith(f"archetype-lab:{lab}:tunnel:"):
                found[server][alias.partition(":tunnel:")[2]] = max(flood[name], 1 if "remote" in one["linkinfo"]["info_data"] else 0)
    return found


def shared_tunnels(world: World, lab: str) -> dict[str, list[int]]:
    """Server -> the numbers of remotes of its tunnels."""
    return {server: sorted(found.values()) for server, found in tunnels(world, lab).items()}


@dataclasses.dataclass(frozen=True)
class Segment:
    mode: str
    lab: Lab
    network: str
    wire: Wire


@pytest.fixture(scope="module", params=["per_link", "shared"])
def segment(world: World, request: pytest.FixtureRequest) -> Iterator[Segment]:
    mode = str(request.param)
    name, network = {"per_link": ("seg-own", "10.4"), "shared": ("seg-shared", "10.5")}[mode]
    world.forget(name)
    lab = make_segment(world, name, network, mode)
    world.deploy(lab).green()
    yield Segment(mode, lab, network, Wire(world, lab))
    world.forget(name)


def test_the_bridge_node_is_made_of_links_only(world: World, segment: Segment) -> None:
    names = set().union(*world.docker_names(f"clab-{segment.lab.name}-").values())
    assert {name.removesuffix("-sandbox") for name in names} == {segment.lab.container(node) for node in ENDS}


def test_every_broadcast_arrives_everywhere_once(segment: Segment) -> None:
    check_all_once(segment.wire.exchange("ffffffffffff"))


def test_unknown_unicast_arrives_everywhere_once(segment: Segment) -> None:
    check_all_once(segment.wire.exchange("021122334455"))


def test_unicast_passes_between_all_and_nothing_is_answered_twice(world: World, segment: Segment) -> None:
    addresses = {node: f"{segment.network}.0.{index}" for index, node in enumerate(ENDS, 1)}
    ways = [(ENDS[node], segment.lab.container(node), addresses[other]) for node in ENDS for other in ENDS if node != other]
    with pinging(world, *ways, interval=0.05):
        pass


def test_a_broadcast_ping_is_answered_once_by_each(world: World, segment: Segment) -> None:
    for node, server in ENDS.items():
        world.node(server, segment.lab.container(node), "sh", "-c", "echo 0 > /proc/sys/net/ipv4/icmp_echo_ignore_broadcasts")
    said = world.node("srv1", segment.lab.container("a"), "sh", "-c", f"ping -b -n -c 3 -i 0.3 {segment.network}.0.255 2>&1 || true")
    answers = Counter(re.findall(r"from (\S+): icmp_seq=(\d)", said))
    assert set(answers.values()) == {1}, said
    assert {address for address, number in answers if number == "1"} >= {f"{segment.network}.0.{index}" for index in (2, 3, 4)}, said


def test_tunnels_are_as_many_as_the_mode_says_and_go_with_their_last_link(world: World, segment: Segment) -> None:
    """A segment over three servers has a device on each, with both others as remotes. Else: one tunnel a link, or one a pair."""
    per_link = segment.mode == "per_link"
    assert shared_tunnels(world, segment.lab.name) == {
        "srv1": [1, 1, 1, 2] if per_link else [1, 1, 2],
        "srv2": [1, 1, 2] if per_link else [1, 2],
        "srv3": [1, 2],
    }
    gone = (["a:eth2", "b:eth2"], ["a:eth4", "c:eth2"])
    segment.lab.links[:] = [link for link in segment.lab.links if link["endpoints"] not in gone]
    ways = [("srv1", segment.lab.container("a"), f"{segment.network}.2.2"), ("srv1", segment.lab.container("a"), f"{segment.network}.0.4")]
    with pinging(world, *ways):
        world.deploy(segment.lab.write()).green()
    assert shared_tunnels(world, segment.lab.name) == {"srv1": [1, 2], "srv2": [1, 2], "srv3": [2]}
    left = {key for found in tunnels(world, segment.lab.name).values() for key in found}
    assert len(left) == 2, left
