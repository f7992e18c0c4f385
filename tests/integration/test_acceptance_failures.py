# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 15, what fails in the middle of a run: both halves of a link or neither, nobody else disturbed, the same command mends it."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.acceptance import Lab, World, addressed, lock_of, make_lab
from tests.integration.pings import pinging

NODES = {
    "a": addressed("srv1", "10.7.0.1/24", "10.7.1.1/24", "10.7.2.1/24"),
    "b": addressed("srv2", "10.7.0.2/24"),
    "c": addressed("srv3", "10.7.1.3/24"),
    "d": addressed("srv1", "10.7.2.4/24"),
}
LINKS = [("a:eth1", "b:eth1"), ("a:eth2", "c:eth1"), ("a:eth3", "d:eth1")]
HALF = "a:eth1--b:eth1"
OTHERS = ("a:eth2--c:eth1", "a:eth3--d:eth1")


def kill_at_work(world: World, server: str, daemon: str) -> None:
    """Kill a daemon, with the sessions it has, when a run begins to work on its server, after it found everything well."""
    one = world.testbed.server(server)
    lock = Path(f"{one.place.root}{lock_of('half')}")
    deadline = time.monotonic() + 60
    while not lock.exists():
        assert time.monotonic() < deadline, "no run came to work"
        time.sleep(0.005)
    if daemon == "sshd":
        world.hang_up(server)
    else:
        one.daemon("kill", daemon)


@pytest.fixture(scope="module")
def neighbour(world: World) -> Iterator[Lab]:
    """Another lab on the same servers."""
    world.forget("other")
    nodes = {"x": addressed("srv1", "10.8.0.1/24"), "y": addressed("srv3", "10.8.0.2/24")}
    lab = make_lab(world.folder / "other", "other", nodes, [("x:eth1", "y:eth1")])
    world.deploy(lab).green()
    yield lab
    world.forget("other")


@pytest.fixture
def lab(world: World) -> Iterator[Lab]:
    world.forget("half")
    yield make_lab(world.folder / "half", "half", NODES, LINKS)
    world.forget("half")


def carrier(world: World, lab: Lab, interface: str) -> str:
    return world.node("srv1", lab.container("a"), "cat", f"/sys/class/net/{interface}/carrier").strip()


@pytest.mark.parametrize(("daemon", "said"), [("dockerd", "srv2: dockerd"), ("sshd", "server srv2 is unreachable")])
def test_a_server_that_fails_in_the_middle_takes_no_half_links_with_it(
    world: World, lab: Lab, neighbour: Lab, daemon: str, said: str
) -> None:
    before = set(world.ovs_marks("srv1"))
    with pinging(world, ("srv1", neighbour.container("x"), "10.8.0.2")):
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            killing = pool.submit(kill_at_work, world, "srv2", daemon)
            run = world.deploy(lab).failed()
            killing.result()
        state, reason = run.links()[HALF]
        assert state == "error"
        assert said in reason
        assert {run.links()[key][0] for key in OTHERS} == {"up"}
        assert f"link {HALF}" in run.said
        assert world.locked() == (["srv2"] if daemon == "sshd" else [])
        _near_half_is_taken_back(world, lab, before)
    world.testbed.server("srv2").daemon("start", daemon)
    mended = world.deploy(lab).green()
    assert mended.changes()["srv3"] == []
    assert {change[3] for change in mended.changes()["srv1"]} == {"a:eth1", HALF, lab.name}
    assert carrier(world, lab, "eth1") == "1"
    with pinging(world, ("srv1", lab.container("a"), "10.7.0.2")):
        pass


def _near_half_is_taken_back(world: World, lab: Lab, before: set[str]) -> None:
    marks = {name: one["external_ids"] for name, one in world.ovs_marks("srv1").items() if name not in before}
    assert sorted({one["archetype-link"] for one in marks.values()}) == sorted(OTHERS)
    aliases = [one.get("ifalias", "") for one in world.devices("srv1").values()]
    assert f"archetype-lab:half:tunnel:{HALF}" not in aliases
    assert f"archetype-lab:half:tunnel:{OTHERS[0]}" in aliases
    assert {interface: carrier(world, lab, interface) for interface in ("eth1", "eth2", "eth3")} == {"eth1": "0", "eth2": "1", "eth3": "1"}


def test_a_server_that_fails_leaves_the_others_their_segment_and_their_management_network(world: World, lab: Lab) -> None:
    lab.nodes["lan"] = {"kind": "bridge"}
    lab.links.extend({"endpoints": [f"{node}:eth4", f"lan:{node}"]} for node in "abc")
    lab.write(management=True)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_at_work, world, "srv2", "dockerd")
        run = world.deploy(lab).failed()
        killing.result()
    both = ("management", "segment:lan")
    assert {run.links()[key][0] for key in (HALF, *both)} == {"error"}
    assert all("srv2: dockerd" in run.links()[key][1] for key in both)
    assert {name for name, (state, _reason) in run.nodes().items() if state != "ready"} == {"b"}
    assert {interface: carrier(world, lab, interface) for interface in ("eth0", "eth1", "eth4")} == {"eth0": "1", "eth1": "0", "eth4": "1"}
    there = next(one["management"]["ipv4"] for one in run.report["nodes"] if one["name"] == "c")
    with pinging(world, ("srv1", lab.container("a"), there.partition("/")[0])):
        pass
    world.testbed.server("srv2").daemon("start", "dockerd")
    mended = world.deploy(lab).green()
    assert mended.changes()["srv3"] == []
    assert {change[3] for change in mended.changes()["srv1"]} == {"a:eth1", HALF, lab.name}


def test_a_node_that_ends_at_once_is_an_error_of_that_node_only(world: World, lab: Lab) -> None:
    lab.nodes["b"]["cmd"] = "sh -c 'echo no licence; exit 3'"
    run = world.deploy(lab.write()).failed()
    state, reason = run.nodes()["b"]
    assert state == "error"
    assert "exit code 3" in reason
    assert "no licence" in reason
    assert {name: one[0] for name, one in run.nodes().items() if name != "b"} == dict.fromkeys("acd", "ready")
    assert {run.links()[key][0] for key in OTHERS} == {"up"}
    assert not world.locked()
    del lab.nodes["b"]["cmd"]
    world.deploy(lab.write()).green()


def test_a_command_that_fails_is_told_and_continued_with(world: World, lab: Lab) -> None:
    lab.nodes["d"]["exec"] = ["touch /first", "ls /second", "touch /third"]
    run = world.deploy(lab.write()).failed()
    state, reason = run.nodes()["d"]
    assert state == "error"
    assert "ls /second" in reason
    assert "No such file" in reason
    world.node("srv1", lab.container("d"), "touch", "/second")
    mended = world.deploy(lab).green()
    assert {change[:2] for changes in mended.changes().values() for change in changes} == {("run", "exec")}
    assert world.node("srv1", lab.container("d"), "ls", "/third").strip() == "/third"
