# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes restart, are made anew and lose their servers; links stay, or come back with one command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.acceptance import Lab, World, addressed, make_lab
from tests.integration.pings import pinging

PLACES = {"left": "srv1", "middle": "srv1", "right": "srv2", "far": "srv3"}


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Lab]:
    """left, middle and right in a ring over two servers; far hangs on right."""
    world.forget("ring")
    nodes = {
        "left": addressed("srv1", "10.3.0.1/24", "10.3.1.1/24"),
        "middle": addressed("srv1", "10.3.0.2/24", "10.3.2.2/24"),
        "right": addressed("srv2", "10.3.1.3/24", "10.3.2.3/24", "10.3.3.3/24"),
        "far": addressed("srv3", "10.3.3.4/24"),
    }
    links = [("left:eth1", "middle:eth1"), ("left:eth2", "right:eth1"), ("middle:eth2", "right:eth2"), ("right:eth3", "far:eth1")]
    one = make_lab(world.folder / "ring", "ring", nodes, links)
    world.deploy(one).green()
    yield one
    world.forget("ring")


def interfaces(world: World, lab: Lab, node: str) -> dict[str, tuple[Any, ...]]:
    """Name -> index, MAC and carrier of a node's interfaces, from inside."""
    server = world.server(PLACES[node])
    inside = f"--net=/proc/{server.pid(lab.container(node))}/ns/net"
    told = json.loads(server.run("nsenter", inside, "ip", "-json", "link"))
    return {one["ifname"]: (one["ifindex"], one["address"], "LOWER_UP" in one["flags"]) for one in told}


def carrier_changes(world: World, lab: Lab, node: str) -> str:
    """How often the carrier of a node's interfaces went and came."""
    return world.node(PLACES[node], lab.container(node), "sh", "-c", "cat /sys/class/net/eth*/carrier_changes")


def test_a_restarted_node_keeps_its_links_without_any_help(world: World, lab: Lab) -> None:
    before = interfaces(world, lab, "middle")
    with pinging(world, ("srv1", lab.container("left"), "10.3.1.3"), ("srv2", lab.container("right"), "10.3.3.4")):
        world.on("srv1", "docker", "restart", "-t", "1", lab.container("middle"))
    assert interfaces(world, lab, "middle") == before
    with pinging(world, ("srv1", lab.container("middle"), "10.3.0.1"), ("srv1", lab.container("middle"), "10.3.2.3")):
        pass


def test_while_a_node_is_made_anew_its_neighbours_notice_nothing(world: World, lab: Lab) -> None:
    neighbours = {node: (interfaces(world, lab, node), carrier_changes(world, lab, node)) for node in ("left", "right")}
    own = interfaces(world, lab, "middle")
    ways = [("srv1", lab.container("left"), "10.3.1.3"), ("srv2", lab.container("right"), "10.3.3.4")]
    with pinging(world, *ways, interval=0.01):
        world.on("srv1", "docker", "rm", "-f", lab.container("middle"))
        run = world.deploy(lab).green()
    assert {change[3] for change in run.changes()["srv1"]} == {"middle", "middle:eth1", "middle:eth2"}
    assert run.changes()["srv2"] == run.changes()["srv3"] == []
    assert {node: (interfaces(world, lab, node), carrier_changes(world, lab, node)) for node in neighbours} == neighbours
    now = interfaces(world, lab, "middle")
    assert {name: one[1:] for name, one in now.items()} == {name: one[1:] for name, one in own.items()}
    with pinging(world, ("srv1", lab.container("middle"), "10.3.0.1"), ("srv1", lab.container("middle"), "10.3.2.3")):
        pass


def test_one_run_mends_a_stopped_node_a_killed_sandbox_and_a_server_that_lost_its_power(world: World, lab: Lab) -> None:
    world.on("srv1", "docker", "kill", f"{lab.container('middle')}-sandbox")
    world.testbed.reboot("srv2")
    world.on("srv3", "docker", "stop", "-t", "1", lab.container("far"))
    told = world.play("status_lab", lab)
    assert told.rc == 0
    assert told.nodes()["far"] == ("stopped", f"container {lab.container('far')} is not running")
    assert told.links()["far:eth1--right:eth3"][0] != "up"
    assert told.nodes()["left"][0] == "ready"
    assert told.nodes()["right"][0] != "ready"
    assert {state for state, _reason in told.links().values()} <= {"down", "error"}
    run = world.deploy(lab).green()
    assert {change[:3] for change in run.changes()["srv3"]} >= {("start", "container", lab.container("far"))}
    ways = [
        ("srv1", lab.container("left"), "10.3.0.2"),
        ("srv1", lab.container("left"), "10.3.1.3"),
        ("srv1", lab.container("middle"), "10.3.2.3"),
        ("srv3", lab.container("far"), "10.3.3.3"),
    ]
    with pinging(world, *ways):
        pass
    again = world.deploy(lab).green()
    assert again.changed == 0
