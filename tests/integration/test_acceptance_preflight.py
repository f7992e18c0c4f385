# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 20, what would fail is found before any server is touched, on all servers at once, and told with what to do."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator

import pytest

from tests.integration.acceptance import Lab, World, lock_of, make_lab
from tests.integration.dumps import dump

NODES = {"a": "srv1", "b": "srv2", "c": "srv3"}
LINKS = [("a:eth1", "b:eth1"), ("b:eth2", "c:eth1")]


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Lab]:
    world.forget("preflight")
    yield make_lab(world.folder / "preflight", "preflight", NODES, LINKS)
    world.forget("preflight")


@pytest.fixture
def untouched(world: World, lab: Lab) -> Iterator[None]:
    """No server has anything afterwards that it did not have before."""
    before = world.each(dump)
    yield
    assert world.each(dump) == before
    assert not lab.file.with_name("preflight.lock.yml").exists()


@pytest.mark.usefixtures("untouched")
def test_an_unreachable_server_stops_the_run_for_all(world: World, lab: Lab) -> None:
    world.hang_up("srv3")
    try:
        run = world.deploy(lab).failed()
    finally:
        world.testbed.server("srv3").daemon("start", "sshd")
    assert "server srv3 cannot be reached" in run.said
    assert "See that it is up and reachable by SSH" in run.said
    assert run.changes() == {}


@pytest.mark.usefixtures("untouched")
def test_problems_of_several_servers_are_told_at_once(world: World, lab: Lab) -> None:
    """An image that is missing on one, a bind source on another, a foreign container in the way on the third."""
    name = lab.container("c")
    world.on("srv3", "docker", "create", "--name", name, "--network=none", "archetype-lab/host:1")
    nodes = lab.topology["topology"]["nodes"]
    before = world.each(dump)
    try:
        nodes["a"]["image"] = "nowhere/nothing:1"
        nodes["b"]["binds"] = ["/srv/not/there:/there"]
        run = world.deploy(lab.write()).failed()
        assert world.each(dump) == before
    finally:
        world.on("srv3", "docker", "rm", name)
        del nodes["a"]["image"], nodes["b"]["binds"]
        lab.write()
    assert "server srv1 has no image nowhere/nothing:1, which node a needs" in run.said
    assert "server srv2 has no /srv/not/there, which node b binds to /there" in run.said
    assert f"server srv3 has a container {name} already" in run.said
    assert re.search(r"preflight\.clab\.yml:\d+", run.said)


@pytest.mark.usefixtures("untouched")
def test_a_bind_source_missing_beside_the_topology_is_told(world: World, lab: Lab) -> None:
    nodes = lab.topology["topology"]["nodes"]
    nodes["b"]["binds"] = ["missing.conf:/etc/missing.conf"]
    try:
        run = world.deploy(lab.write()).failed()
    finally:
        del nodes["b"]["binds"]
        lab.write()
    assert re.search(r'preflight\.clab\.yml:\d+:\d+: node b: missing bind source "missing\.conf"', run.said)


def test_servers_without_their_daemons_are_told_and_nothing_is_done(world: World, lab: Lab) -> None:
    """A database of Open vSwitch whose switch is gone, on one; no database and no Docker, on another."""
    first = world.testbed.server("srv1")
    before = dump(first)
    down = [("srv2", "vswitchd"), ("srv3", "dockerd"), ("srv3", "vswitchd"), ("srv3", "ovsdb")]
    for server, daemon in down:
        world.testbed.server(server).daemon("kill", daemon)
    try:
        run = world.deploy(lab).failed()
    finally:
        for server, daemon in reversed(down):
            world.testbed.server(server).daemon("start", daemon)
    lines = run.said.split("preflight.lab.yml")
    said = {server: " ".join(line for line in lines if f"server {server} " in line) for server in NODES.values()}
    assert "server srv2 could not be observed: ovs-vswitchd does not run. Start Open vSwitch on this server" in said["srv2"]
    assert "ovsdb-server" in said["srv3"]
    assert "dockerd" in said["srv3"]
    assert not said["srv1"]
    assert run.changes() == {}
    assert dump(first) == before
    assert world.traces("preflight") == {}


def test_a_second_run_is_told_who_is_at_work_and_stops(world: World, lab: Lab) -> None:
    first, _results = world.start("deploy_lab", lab)
    try:
        lock = ["test", "-e", lock_of("preflight")]
        world.wait(lambda: world.server("srv2").server.run(lock).returncode == 0, 60, "the first run has the lock")
        os.killpg(first.pid, signal.SIGSTOP)
        second = world.deploy(lab).failed()
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    who = rf"\S+ on \S+, process {first.pid}"
    assert re.search(rf"lab preflight is locked on server srv2 by {who}, who works on it since 20\S+", second.said)
    assert second.changes() == {}
    assert first.wait(120) == 0
    world.play("certify_lab", lab).green()
    assert not world.locked()
