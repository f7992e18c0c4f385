# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes are waited for until they are ready, as their kind says how that is told; meanwhile it is told who is waited for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.acceptance import Lab, Run, World, make_lab

LAB = "readiness"
WAIT = "Wait until the nodes are ready"
SETTINGS = {
    "probe": "log",
    "pattern": "System (is )?ready",
    "failure_markers": ["Kernel panic"],
    "boot_markers": ["Loading"],
    "timeout": 60,
}


def says(*lines: str, after: float = 0) -> str:
    """A command that writes these lines, the last one some seconds after the others, and goes on running. Its colours are those of a
    console, and so are its carriage returns, which come from the terminal. Between double quotes a command line loses its backslashes."""
    *first, last = (f"printf '\\\\033[1m{line}\\\\n'" for line in lines)
    return f"""sh -c "{"; ".join([*first, f"sleep {after}", last])}; exec sleep 9999" """


def lab_of(world: World, name: str, nodes: dict[str, tuple[str, str]], timeout: int = 60) -> Lab:
    """nodes: name -> server and command. The first two have a link."""
    one, two = list(nodes)[:2]
    given: dict[str, Any] = {node: {"server": server, "cmd": command} for node, (server, command) in nodes.items()}
    settings = {"linux": {"readiness": {**SETTINGS, "timeout": timeout}}}
    return make_lab(world.folder / name, name, given, [(f"{one}:eth1", f"{two}:eth1")], kind_settings=settings)


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Lab]:
    world.forget(LAB)
    yield lab_of(
        world,
        LAB,
        {
            "slow": ("srv1", says("Loading", "step two of three", "System is ready", after=12)),
            "quick": ("srv2", says("System ready")),
        },
    )
    world.forget(LAB)


def waited(run: Run) -> dict[str, dict[str, Any]]:
    """Node -> how it was found when waiting ended."""
    return {one["node"]: one for result in run.of(WAIT).values() for one in result.get("nodes", ())}


def test_a_node_that_takes_its_time_is_waited_for_and_told_of(world: World, lab: Lab) -> None:
    begun = time.monotonic()
    run = world.deploy(lab).green()
    assert time.monotonic() - begun > 12
    assert "srv1: 1 of 1 nodes is not ready yet" in run.stdout
    assert "of 60 s; last: step two of three" in run.stdout
    assert "srv2: 1 of" not in run.stdout
    found = waited(run)["slow"]
    assert (found["state"], found["marker"], found["last"]) == ("ready", "Loading", "System is ready")
    node = next(one for one in run.report["nodes"] if one["name"] == "slow")
    assert (node["type"], node["state"], node["since"]) == ("container", "ready", found["since"])
    assert world.locked() == []


def test_the_second_run_waits_for_nobody_even_where_the_log_was_rotated_away(world: World, lab: Lab) -> None:
    path = world.on("srv1", "docker", "inspect", "-f", "{{.LogPath}}", lab.container("slow")).strip()
    world.on("srv1", "truncate", "-s", "0", path)
    run = world.deploy(lab).green()
    assert run.changed == 0
    assert "not ready yet" not in run.stdout
    assert waited(run)["slow"]["waited"] > 12


def test_a_node_that_was_started_again_is_waited_for_again(world: World, lab: Lab) -> None:
    """Status only looks: it remembers nothing, and waits for nobody."""
    world.on("srv1", "rm", f"/var/lib/archetype-lab/{LAB}/ready.json")
    world.on("srv1", "docker", "restart", "-t", "0", lab.container("slow"))
    status = world.play("status_lab", lab)
    state, reason = status.nodes()["slow"]
    assert state == "starting", status.stdout
    assert reason.startswith("waits for 'System (is )?ready' since "), reason
    assert status.report["ok"]
    assert "ready.json" not in world.on("srv1", "ls", f"/var/lib/archetype-lab/{LAB}").split()
    world.on("srv1", "docker", "restart", "-t", "0", lab.container("slow"))
    run = world.deploy(lab, "-e", "lab_wait=false")
    run.ok()
    assert run.nodes()["slow"][0] == "starting"
    assert run.report["summary"]["nodes"] == {"ready": 1, "starting": 1, "stopped": 0, "error": 0, "pending": 0}
    assert "1 starting" in run.stdout
    assert "not ready yet" not in run.stdout
    assert world.check(lab).of(WAIT) == {}
    world.deploy(lab).green()


def test_a_node_that_fails_and_one_that_is_late_are_told_and_their_links_stay(world: World) -> None:
    name = "unready"
    world.forget(name)
    lab = lab_of(
        world,
        name,
        {
            "dead": ("srv1", says("Loading", "Kernel panic - not syncing: no root", "Rebooting never")),
            "late": ("srv2", says("Loading", "still at it")),
            "well": ("srv2", says("Kernel panic - once", "Loading", "System ready", after=1)),
        },
        timeout=8,
    )
    try:
        run = world.deploy(lab).failed()
        states = run.nodes()
        assert states["dead"][0] == "error"
        assert "its log shows Kernel panic" in states["dead"][1]
        assert "Kernel panic - not syncing: no root" in states["dead"][1]
        assert states["late"][0] == "error"
        assert "it waits for 'System (is )?ready'; seen: Loading; last: still at it" in states["late"][1]
        assert states["well"] == ("ready", "")
        assert {state for state, _reason in run.links().values()} == {"up"}
        assert "node late: is not ready after" in run.said
        assert world.locked() == []
        again = world.deploy(lab, "-e", "lab_wait=false").failed()
        assert {node: state for node, (state, _reason) in again.nodes().items()} == {"dead": "error", "late": "starting", "well": "ready"}
    finally:
        world.forget(name)


def test_what_is_kept_of_ready_nodes_goes_with_the_lab(world: World, lab: Lab) -> None:
    kept = json.loads(world.on("srv1", "cat", f"/var/lib/archetype-lab/{LAB}/ready.json"))
    assert list(kept["nodes"]) == ["slow"]
    assert world.on("srv1", "stat", "-c", "%a", f"/var/lib/archetype-lab/{LAB}/ready.json").strip() == "600"
    world.play("destroy_lab", lab).ok()
    assert world.traces(LAB) == {}
