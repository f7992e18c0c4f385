# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes are waited for until they are ready, as their kind says how that is told; meanwhile it is told who is waited for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.acceptance import HOST, Lab, Run, World, make_lab
from tests.integration.lab_server import LabServer
from tests.testbed.testbed import Testbed

LAB = "readiness"
LOGS = "rlogs"
WAIT = "Wait until the nodes are ready"
WAIT_FOR_OTHERS = "Wait until the machines are ready that others wait for"
KINDS = Path(__file__).with_name("files") / "kinds"
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


LOADS = r"rm -f /go; printf 'Loading\\nstep two of three\\n'"
UNTIL_TOLD = f"""sh -c "{LOADS}; until [ -e /go ]; do sleep 0.2; done; echo System is ready; exec sleep 9999" """
"""It is ready when a file is there."""


def lab_of(world: World, name: str, nodes: dict[str, tuple[str, str]], timeout: int = 60, **more: dict[str, Any]) -> Lab:
    """nodes: name -> server and command. The first two have a link. more: nodes as they are defined."""
    one, two = list(nodes)[:2]
    given: dict[str, Any] = {node: {"server": server, "cmd": command} for node, (server, command) in nodes.items()}
    for node, fields in more.items():
        given[node] = {**given.get(node, {}), **fields}
    settings = {"linux": {"readiness": {**SETTINGS, "timeout": timeout}}}
    links = [(f"{one}:eth1", f"{two}:eth1")]
    return make_lab(world.folder / name, name, given, links, kind_settings=settings, kinds_path=[str(KINDS)])


@pytest.fixture(scope="module")
def lab(world: World, guest_image: str) -> Iterator[Lab]:
    """A container that takes its time, and is started only when a machine is ready. The machine's password is a part of its name."""
    world.forget(LAB)
    yield lab_of(
        world,
        LAB,
        {
            "slow": ("srv1", UNTIL_TOLD),
            "quick": ("srv2", says("System ready")),
        },
        slow={"stages": {"create": {"wait-for": [{"node": "admin2", "stage": "healthy"}]}}},
        admin2={"server": "srv2", "kind": "guest", "image": "guest.qcow2"},
    )
    world.forget(LAB)


def waited(run: Run) -> dict[str, dict[str, Any]]:
    """Node -> how it was found when waiting ended."""
    return {one["node"]: one for result in run.of(WAIT).values() for one in result.get("nodes", ())}


def release(world: World, lab: Lab) -> None:
    """Let the slow node be ready, some seconds after the run began to wait for it, which it does when it has no lock any more."""
    world.wait(lambda: lab.container("slow") in world.on("srv1", "docker", "ps", "--format", "{{.Names}}").split(), 90, "it runs")
    world.wait(lambda: world.locked() == [], 60, "the locks are given back")
    time.sleep(6)
    world.node("srv1", lab.container("slow"), "touch", "/go")


def test_a_node_that_takes_its_time_is_waited_for_and_told_of(world: World, lab: Lab) -> None:
    with ThreadPoolExecutor(1) as beside:
        releasing = beside.submit(release, world, lab)
        run = world.deploy(lab).green()
        releasing.result()
    waits = [result["nodes"] for result in run.of(WAIT_FOR_OTHERS).values() if result.get("nodes")]
    assert [(one["node"], one["state"], one["marker"]) for one in waits[0]] == [("admin2", "ready", "guest: boot 1")]
    assert "srv1: waiting for 1 of 1 nodes\n  slow  " in run.stdout
    assert " s of 60 s  step two of three" in run.stdout
    found = waited(run)["slow"]
    assert (found["state"], found["marker"], found["last"]) == ("ready", "Loading", "System is ready")
    nodes = {one["name"]: (one["type"], one["state"]) for one in run.report["nodes"]}
    assert nodes == {"slow": ("container", "ready"), "quick": ("container", "ready"), "admin2": ("vm", "ready")}
    ready = {one["name"]: one["since"] for one in run.report["nodes"]}
    assert ready["admin2"] < ready["slow"] == found["since"]
    assert world.locked() == []


def test_the_second_run_waits_for_nobody_even_where_the_logs_were_rotated_away(world: World, lab: Lab) -> None:
    path = world.on("srv1", "docker", "inspect", "-f", "{{.LogPath}}", lab.container("slow")).strip()
    world.on("srv1", "truncate", "-s", "0", path)
    world.on("srv2", "truncate", "-s", "0", f"/var/lib/libvirt/archetype-lab/{LAB}/{lab.container('admin2')}/console.log")
    run = world.deploy(lab).green()
    assert run.changed == 0
    assert "waiting for" not in run.stdout
    assert waited(run)["slow"]["state"] == "ready"
    kept = json.loads(world.on("srv2", "cat", f"/var/lib/archetype-lab/{LAB}/ready.json"))
    assert sorted(kept["nodes"]) == ["admin2", "quick"]


def test_nodes_that_were_started_again_are_starting_and_nobody_waits_who_does_not_want_to(world: World, lab: Lab) -> None:
    """Status only looks: it remembers nothing, and waits for nobody."""
    kept = f"/var/lib/archetype-lab/{LAB}/ready.json"
    world.on("srv1", "rm", kept)
    world.on("srv2", "virsh", "-q", "destroy", lab.container("admin2"))
    world.on("srv2", "virsh", "-q", "start", lab.container("admin2"))
    world.on("srv1", "docker", "restart", "-t", "0", lab.container("slow"))
    status = world.play("status_lab", lab)
    states = status.nodes()
    assert (states["slow"][0], states["quick"][0], status.report["ok"]) == ("starting", "ready", True), status.stdout
    assert states["slow"][1].startswith("waits for 'System (is )?ready' since "), states
    assert "ready.json" not in world.on("srv1", "ls", f"/var/lib/archetype-lab/{LAB}").split()
    world.on("srv1", "docker", "restart", "-t", "0", lab.container("slow"))
    world.on("srv2", "sh", "-c", f"echo nonsense >{kept}")
    run = world.deploy(lab, "-e", "lab_wait=false").ok()
    states = run.nodes()
    assert states["slow"][0] == "starting"
    assert "waiting for" not in run.stdout
    assert states["admin2"][0] in ("starting", "ready")
    assert "quick" in json.loads(world.on("srv2", "cat", kept))["nodes"]


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
        shown = "its log shows Kernel panic - not syncing: no root, after which it does not become ready"
        assert states["dead"][1] == f"{shown}; look at it: docker logs {lab.container('dead')}"
        assert states["late"][0] == "error"
        assert "it waits for 'System (is )?ready'; seen: Loading; last: still at it" in states["late"][1]
        assert states["well"] == ("ready", "")
        assert {state for state, _reason in run.links().values()} == {"up"}
        assert "node late: is not ready after" in run.said
        assert world.locked() == []
    finally:
        world.forget(name)


def test_what_is_kept_of_ready_nodes_goes_with_the_lab(world: World, lab: Lab) -> None:
    assert world.on("srv2", "stat", "-c", "%a", f"/var/lib/archetype-lab/{LAB}/ready.json").strip() == "600"
    world.play("destroy_lab", lab).ok()
    assert world.traces(LAB) == {}


def test_the_log_of_a_container_is_read_on_where_docker_moves_it_aside(testbed: Testbed, node_images: Sequence[str]) -> None:
    """With and without a terminal, and with a line that is longer than Docker's buffer."""
    assert HOST in node_images
    server = LabServer(testbed.servers[0])
    flood = "n=0; while [ $n -lt 9 ]; do n=$((n+1)); seq -s, 20000; done"
    long = "head -c 33000 /dev/zero | tr '\\0' x; echo end of it; echo now it is up"
    names = [f"{LOGS}-plain", f"{LOGS}-tty"]
    options = ["--label", f"archetype-lab={LOGS}", "--log-opt", "max-size=100k", "--log-opt", "max-file=2", "--network", "none"]
    server.run("docker", "rm", "-f", *names)
    for name in names:
        terminal = ["-t"] if name.endswith("tty") else []
        server.run("docker", "run", "-d", *terminal, *options, "--name", name, HOST, "sh", "-c", f"{flood}; {long}; exec sleep 999")
    probe = {"probe": "log", "pattern": r"x{1000}end of it\s+now it is up", "timeout": 600}
    given = [{"node": name, "type": "container", "name": name, "readiness": probe} for name in names]
    try:
        result = server.module("lab_ready", lab=LOGS, access=given, wait=20)
        assert [(one["state"], one["last"]) for one in result["nodes"]] == [("ready", "now it is up")] * 2
    finally:
        server.run("docker", "rm", "-f", *names)
        server.run("rm", "-rf", f"/var/lib/archetype-lab/{LOGS}")
