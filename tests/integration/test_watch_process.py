# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""archetype-lab-watch on a server: it mends, survives its daemons, is alone, is quiet, and keeps out of the way of runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.integration.watched import Watched, two_hosts, watched_server
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

LAB, OTHER = "wpa", "wpb"
MODULE = "ansible_collections.archetype.lab.plugins.module_utils._watch"
PROGRAM = ("env", f"PYTHONPATH={ROOT}/collections", sys.executable, "-m", MODULE)
PORT = f"{LAB}p1"
QUICK, SOON = 2.0, 8.0
"""Seconds that a repair takes at most, and anything may take on a machine that does a lot beside it."""


@pytest.fixture(scope="module")
def watched(testbed: Testbed) -> Iterator[Watched]:
    with watched_server(testbed, LAB, OTHER) as one:
        one.deploy(two_hosts(LAB))
        one.seconds_until(lambda: f"lab {LAB} is watched" in one.log, SOON, "the lab is watched")
        one.quiet(LAB)
        yield one


@pytest.fixture(autouse=True)
def quiet(watched: Watched) -> None:
    watched.server.daemon("start", "watch")
    watched.quiet(LAB)


def del_port(watched: Watched) -> None:
    watched.box.run("ovs-vsctl", "del-port", PORT)


def port_is_back(watched: Watched, seconds: float = SOON) -> None:
    watched.seconds_until(lambda: PORT in watched.ports(), seconds, f"{PORT} is on the bridge")


def configurations(watched: Watched) -> str:
    """What each transaction of Open vSwitch that somebody waits for raises."""
    return watched.box.run("ovs-vsctl", "get", "Open_vSwitch", ".", "cur_cfg", "next_cfg")


def test_a_deleted_port_comes_back_and_that_is_told(watched: Watched) -> None:
    before = len(watched.journal(LAB))
    del_port(watched)
    port_is_back(watched, QUICK)
    watched.quiet(LAB)
    (entry,) = watched.journal(LAB)[before:]
    assert [line for line in entry["done"] if PORT in line], entry
    assert "ovsdb" in entry["trigger"]
    assert entry["errors"] == []
    metrics = watched.path("/run/archetype-lab-metrics/archetype_lab.prom").read_text()
    assert f'archetype_lab_repairs_total{{lab="{LAB}"}} ' in metrics


def test_where_nothing_happens_nothing_is_done(watched: Watched) -> None:
    before = (configurations(watched), watched.passes(LAB), len(watched.journal(LAB)), watched.log)
    cpu = watched.cpu()
    time.sleep(3)
    assert (configurations(watched), watched.passes(LAB), len(watched.journal(LAB)), watched.log) == before
    assert watched.cpu() - cpu <= 0.03, "1 % of a core"


@pytest.mark.parametrize("verb", ["kill", "stop"])
def test_it_survives_ovsdb_server(watched: Watched, verb: str) -> None:
    watched.server.daemon(verb, "ovsdb")
    time.sleep(0.3)
    watched.server.daemon("start", "ovsdb")
    del_port(watched)
    port_is_back(watched)


def test_it_survives_dockerd_and_starts_what_ended_with_it(watched: Watched) -> None:
    watched.server.daemon("stop", "dockerd")
    time.sleep(0.3)
    watched.server.daemon("start", "dockerd")
    container = f"{LAB}-1"
    watched.seconds_until(lambda: watched.box.inspect(container)["State"]["Running"], 2 * SOON, f"{container} runs")
    watched.quiet(LAB)
    watched.box.docker("kill", container)
    watched.seconds_until(lambda: watched.box.inspect(container)["State"]["Running"], SOON, f"{container} runs again")


def test_a_lab_that_a_run_works_on_is_left_alone_until_the_lock_is_given_back(watched: Watched) -> None:
    lock = {"owner": "a run", "lab": LAB, "token": "t", "since": "now", "expires": 60.0, "touched": time.time()}
    watched.path(f"/run/archetype-lab/labs/{LAB}/lock.json").write_text(json.dumps(lock))
    before = watched.passes(LAB)
    del_port(watched)
    time.sleep(1.5)
    assert PORT not in watched.ports()
    assert watched.passes(LAB) == before
    watched.unlock(LAB)
    port_is_back(watched)


def test_there_is_only_one(watched: Watched) -> None:
    second = watched.server.run(PROGRAM)
    assert second.returncode == 1
    (pid,) = watched.server.pids("watch")
    assert f"archetype-lab-watch runs on this server already, as process {pid}" in second.stderr
    status = watched.server.run([*PROGRAM, "--status"])
    assert (status.returncode, status.stdout) == (0, f"archetype-lab-watch runs as process {pid}\n")


def test_another_lab_is_found_watched_and_forgotten_when_its_state_went(watched: Watched) -> None:
    watched.deploy(two_hosts(OTHER, tag=701))
    watched.seconds_until(lambda: f"lab {OTHER} is watched" in watched.log, SOON, "the other lab is watched")
    watched.quiet(OTHER)
    watched.path(f"/var/lib/archetype-lab/{OTHER}.json").unlink()
    watched.seconds_until(lambda: f"lab {OTHER} is no longer watched" in watched.log, SOON, "the other lab is forgotten")
    watched.box.run("ovs-vsctl", "del-port", f"{OTHER}p1")
    del_port(watched)
    port_is_back(watched)
    assert f"{OTHER}p1" not in watched.ports()
    assert f'lab="{OTHER}"' not in watched.path("/run/archetype-lab-metrics/archetype_lab.prom").read_text()


def test_a_lab_of_another_format_is_left_alone_and_that_is_told_once(watched: Watched) -> None:
    path = watched.path(f"/var/lib/archetype-lab/{OTHER}.json")
    path.write_text(json.dumps({"lab": OTHER, "server": "srv1", "bridge": {}, "format": 99}))
    watched.seconds_until(lambda: f"lab {OTHER} is left alone" in watched.log, SOON, "the other lab is left alone")
    time.sleep(1.2)
    path.unlink()
    assert watched.log.count("has format 99, and this watcher knows 1") == 1


def test_it_ends_when_it_is_told_to_and_then_passes_are_made_by_hand(watched: Watched) -> None:
    began = time.monotonic()
    assert watched.server.daemon("stop", "watch")
    assert time.monotonic() - began < SOON
    assert watched.log.splitlines()[-1].endswith("archetype-lab-watch ends")
    assert watched.server.pids("watch") == []
    assert watched.server.run([*PROGRAM, "--status"]).returncode == 3
    del_port(watched)
    time.sleep(0.5)
    assert PORT not in watched.ports()
    once = watched.server.run([*PROGRAM, "--once"])
    assert (once.returncode, PORT in watched.ports()) == (0, True), once.stderr


def test_it_ends_after_the_pass_under_way(watched: Watched) -> None:
    (pid,) = watched.server.pids("watch")
    at_work = watched.path("/run/archetype-lab/work")
    with subprocess.Popen(watched.server.entering(["docker", "kill", f"{LAB}-1.sb"]), stdout=subprocess.DEVNULL):
        watched.seconds_until(lambda: f"process {pid}," in at_work.read_text(), SOON, "a pass is under way")
        watched.server.daemon("stop", "watch")
    assert watched.log.splitlines()[-1].endswith("archetype-lab-watch ends")
    assert PORT in watched.ports()
    assert [watched.box.inspect(f"{LAB}-1{end}")["State"]["Running"] for end in ("", ".sb")] == [True, True]


def test_what_was_broken_while_it_was_dead_is_mended_when_it_starts(watched: Watched) -> None:
    watched.server.daemon("kill", "watch")
    del_port(watched)
    watched.server.daemon("start", "watch")
    port_is_back(watched)


def test_it_makes_a_pass_when_it_is_asked_to(watched: Watched) -> None:
    before = watched.passes(LAB)
    (pid,) = watched.server.pids("watch")
    watched.box.run("kill", "-HUP", str(pid))
    watched.seconds_until(lambda: watched.passes(LAB) != before, SOON, "a pass was made")
