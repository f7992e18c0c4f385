# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that wait for nodes on other servers, and the commands of stages: the playbooks on real servers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.integration.acceptance import Lab, World, make_lab

PLACES = {"first": "srv1", "job": "srv2", "second": "srv2", "third": "srv1", "free": "srv2", "apart": "srv1"}
READY = {"test": ["CMD-SHELL", "test -e /tmp/ready"], "interval": 1, "timeout": 1, "start-period": 30, "retries": 3}
MARK = "/run/lab-stage"
"""Beginning of files on the servers, on the tmpfs that every boot empties."""


def waits(*others: str, stage: str = "healthy", **stages: Any) -> dict[str, Any]:
    return {"stages": {"create": {"wait-for": [{"node": one, "stage": stage} for one in others]}, **stages}}


def on_server(name: str) -> list[dict[str, str]]:
    return [{"command": f"sh -c 'echo ran >> {MARK}-{name}'", "target": "host", "phase": "on-enter"}]


NODES: dict[str, dict[str, Any]] = {
    "first": {
        "server": "srv1",
        "healthcheck": READY,
        "exec": ["sh -c '(sleep 3; touch /tmp/ready) > /dev/null 2>&1 &'"],
        "stages": {
            "create-links": {"exec": on_server("first")},
            "healthy": {"exec": [{"command": "touch /tmp/healthy", "phase": "on-exit"}]},
        },
    },
    "job": {"server": "srv2", "cmd": "sleep 2", "restart-policy": "no"},
    "second": {"server": "srv2", **waits("first")},
    "third": {
        "server": "srv1",
        "stages": {"create": {"wait-for": [{"node": "second", "stage": "create"}, {"node": "job", "stage": "exit"}]}},
    },
    "free": {"server": "srv2"},
    "apart": {"server": "srv1", **waits("free", stage="create")},
}
LINKS = [("first:eth1", "second:eth1"), ("second:eth2", "third:eth1"), ("job:eth1", "third:eth2")]


@pytest.fixture
def lab(world: World) -> Iterator[Lab]:
    world.forget("stages")
    world.each(lambda one: one.run(["sh", "-c", f"rm -f {MARK}-*"]))
    yield make_lab(world.folder / "stages", "stages", copy.deepcopy(NODES), LINKS, management=False)
    world.forget("stages")


def state(world: World, lab: Lab, node: str) -> dict[str, Any]:
    found: dict[str, Any] = world.server(PLACES[node]).inspect(lab.container(node))["State"]
    return found


def moment(text: str) -> datetime:
    """Docker's times, which have nanoseconds, and a zone in two forms."""
    day, _dot, rest = text.partition(".")
    return datetime.fromisoformat(f"{day}.{rest[:6]}")


def began(world: World, lab: Lab, node: str) -> datetime:
    return moment(state(world, lab, node)["StartedAt"])


def in_order(world: World, lab: Lab) -> None:
    """What waits began after what it waits for was there. first cannot be healthy before its file is there, which takes three seconds."""
    assert state(world, lab, "first")["Health"]["Status"] == "healthy"
    assert began(world, lab, "second") > began(world, lab, "first") + timedelta(seconds=3)
    assert began(world, lab, "third") > began(world, lab, "second")
    assert began(world, lab, "third") > moment(state(world, lab, "job")["FinishedAt"])


def test_nodes_start_in_the_order_of_what_they_wait_for_over_servers_and_again_after_a_loss_of_power(world: World, lab: Lab) -> None:
    predicted = world.check(lab)
    run = world.deploy(lab).green()
    assert predicted.changes() == run.changes()
    in_order(world, lab)
    assert began(world, lab, "free") < began(world, lab, "second")
    assert began(world, lab, "free") < began(world, lab, "apart")
    assert (state(world, lab, "job")["Status"], state(world, lab, "job")["ExitCode"]) == ("exited", 0)
    assert world.on("srv1", "cat", f"{MARK}-first").split() == ["ran"]
    world.node("srv1", lab.container("first"), "test", "-e", "/tmp/healthy")

    again = world.deploy(lab).green()
    assert again.changed == 0
    assert again.of("Converge the next wave") == {}
    assert world.on("srv1", "cat", f"{MARK}-first").split() == ["ran"]
    told = world.play("status_lab", lab)
    assert told.nodes()["job"] == ("ready", "")

    job = state(world, lab, "job")["FinishedAt"]
    world.testbed.reboot("srv1")
    back = world.deploy(lab).green()
    assert {change[2] for change in back.changes()["srv2"] if change[1] == "container"} == set()
    assert state(world, lab, "job")["FinishedAt"] == job
    assert world.on("srv1", "cat", f"{MARK}-first").split() == ["ran"]
    assert began(world, lab, "third") > began(world, lab, "first") + timedelta(seconds=3)
    assert world.deploy(lab).green().changed == 0


def test_a_node_that_is_not_healthy_stops_those_that_wait_for_it_on_every_server_and_no_others(world: World, lab: Lab) -> None:
    sick = {**READY, "test": ["CMD-SHELL", "echo no route; exit 3"], "start-period": 0, "retries": 1}
    lab.nodes["first"].update(healthcheck=sick)
    lab.write()
    run = world.deploy(lab).failed()
    reason = "node first is unhealthy; its health check ended with exit code 3: no route"
    assert reason in run.nodes()["first"][1]
    for node in ("second", "third"):
        kind, told = run.nodes()[node]
        assert (kind, "it waits for node first, which is not healthy" in told) == ("error", True), told
    assert {name: run.nodes()[name] for name in ("free", "job", "apart")} == dict.fromkeys(("free", "job", "apart"), ("ready", ""))
    assert began(world, lab, "free") < began(world, lab, "apart")
    made = {name for names in world.docker_names("clab-stages-").values() for name in names if not name.endswith("-sandbox")}
    assert made == {lab.container(name) for name in ("first", "free", "job", "apart")}
    assert world.locked() == []

    lab.nodes["first"].update(healthcheck=READY)
    lab.write()
    world.deploy(lab).green()
    in_order(world, lab)


def test_a_node_that_ends_badly_keeps_only_those_that_wait_for_it_from_starting(world: World, lab: Lab) -> None:
    lab.nodes["job"]["cmd"] = "sh -c 'echo out of paper; exit 7'"
    lab.write()
    run = world.deploy(lab).failed()
    assert "with exit code 7; its last lines: out of paper" in " ".join(run.nodes()["job"][1].split())
    assert run.nodes()["third"][0] == "error"
    assert "it waits for node job, which failed; mend that" in run.nodes()["third"][1]
    assert "clab-stages-third" not in world.docker_names("clab-stages-")["srv1"]
    assert {name: run.nodes()[name] for name in ("first", "second", "free", "apart")} == dict.fromkeys(
        ("first", "second", "free", "apart"), ("ready", "")
    )
    assert began(world, lab, "second") > began(world, lab, "first") + timedelta(seconds=3)
