# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves: who is started when, what is waited for, and what happens when that does not come."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _container_holds, _container_nodes, _server
from ansible_collections.archetype.lab.plugins.module_utils._declared import Healthcheck
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from tests.unit.module_utils.container_nodes import IMAGES, glance, lines, node, ok, run, run_wave, started
from tests.unit.module_utils.docker_fake import FakeDocker

SICK = "node a is unhealthy; its health check ended with exit code 1: demo-a says unhealthy; look at the node's log and at its health check"
NEXT = "node c is not started: it waits for {}; mend that; the next run goes on here"
CHECK = Healthcheck(("CMD", "true"), interval=0.001, timeout=0.001, retries=1)


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_container_nodes, "SETTLE", 0.0)
    for name, value in (("POLL", 0.0), ("MARGIN", 0.05), ("END_LIMIT", 0.05)):
        monkeypatch.setattr(_container_holds, name, value)


@pytest.fixture
def docker() -> FakeDocker:
    return FakeDocker(IMAGES)


def sick(name: str = "r1", **fields: t.Any) -> t.Any:
    return node(name, hold="healthy", healthcheck=CHECK, **fields)


def test_one_call_starts_waves_in_their_order(docker: FakeDocker) -> None:
    want = [node("c", wave=2), node("a"), node("b", wave=1), node("d")]
    ok(run(docker, *want))
    order = started(docker)
    assert (set(order[:2]), order[2:]) == ({"demo-a", "demo-d"}, ["demo-b", "demo-c"])
    assert ok(run(docker, *want)) == []


def test_a_call_for_a_wave_leaves_later_ones_alone_and_says_who_they_are(docker: FakeDocker) -> None:
    want = [node("a"), node("b", wave=1), node("c", wave=2)]
    assert run_wave(docker, *want, wave=0) == ([], {}, ["b", "c"])
    assert sorted(docker.raw) == ["demo-a", "demo-a.sb", "demo-b.sb", "demo-c.sb"]
    assert run_wave(docker, *want, wave=1) == ([], {}, ["c"])
    assert run_wave(docker, *want, wave=2) == ([], {}, [])
    assert started(docker) == ["demo-a", "demo-b", "demo-c"]
    assert run_wave(docker, *want, wave=0) == ([], {}, [])
    assert docker.calls == []


def test_no_wave_at_all_makes_sandboxes_only(docker: FakeDocker) -> None:
    run_wave(docker, node("a"), wave=-1)
    assert sorted(docker.raw) == ["demo-a.sb"]


def test_a_healthy_node_lets_the_next_wave_begin(docker: FakeDocker) -> None:
    docker.health["demo-a"] = ["starting", "starting", "healthy"]
    want = [sick("a"), node("b", wave=1)]
    ok(run(docker, *want))
    assert started(docker) == ["demo-a", "demo-b"]
    assert ok(run(docker, *want)) == []


def test_an_unhealthy_node_keeps_later_waves_from_starting_and_shows_what_its_check_said(docker: FakeDocker) -> None:
    docker.health["demo-a"] = ["starting", "unhealthy"]
    found = run(docker, sick("a"), node("b", wave=1), node("c", wave=2))
    assert [str(one) for one in found.errors] == [
        SICK,
        "node b is not started: it waits for node a, which is not healthy; mend that; the next run goes on here",
        NEXT.format("node a, which is not healthy; node b, which was not started"),
    ]
    assert started(docker) == ["demo-a"]
    docker.health["demo-a"] = ["healthy"]
    assert ok(run(docker, sick("a"), node("b", wave=1), node("c", wave=2))) == ["+ container demo-b (b)", "+ container demo-c (c)"]


def test_a_node_that_became_unhealthy_is_an_error_of_a_run_that_changes_nothing(docker: FakeDocker) -> None:
    docker.health["demo-a"] = ["healthy"]
    ok(run(docker, sick("a")))
    docker.health["demo-a"] = ["unhealthy"]
    found = run(docker, sick("a"))
    assert (found.changes, [str(one) for one in found.errors]) == ([], [SICK])
    assert [str(one) for one in run(docker, sick("a"), check_mode=True).errors] == [SICK]
    assert run(docker, sick("a", memory=1 << 26), check_mode=True).errors == []


def test_a_node_that_docker_never_decides_on_is_given_up(docker: FakeDocker) -> None:
    (error,) = run(docker, sick("a")).errors
    assert "node a is not healthy (Docker says: starting) after " in str(error)


def test_a_node_that_ends_instead_of_getting_healthy_is_an_error(docker: FakeDocker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_container_nodes, "wait_for_health", _ending(docker, "demo-a", _container_nodes.wait_for_health))
    (error,) = run(docker, sick("a")).errors
    assert "container demo-a of node a is exited before it was healthy, with exit code 137; its last lines: last words" in str(error)


def _ending(docker: FakeDocker, name: str, wait: t.Callable[..., None]) -> t.Callable[..., None]:
    def ending(*arguments: t.Any) -> None:
        docker.crash(name)
        wait(*arguments)

    return ending


def test_being_waited_for_without_a_health_check_is_refused(docker: FakeDocker) -> None:
    with pytest.raises(LabError, match="node a is waited for until it is healthy, but neither it nor its image plain:1 has a health check"):
        run(docker, node("a", hold="healthy"))
    with pytest.raises(LabError, match="has a health check"):
        run(docker, node("a", hold="healthy", image="full:1", healthcheck=Healthcheck(("NONE",))))
    docker.health["demo-a"] = ["healthy"]
    ok(run(docker, node("a", hold="healthy", image="full:1")))


# -- nodes that end ---------------------------------------------------------------------------------------------------


def ends(docker: FakeDocker, name: str, code: int = 0) -> None:
    """From now on, this node ends as soon as it was started."""
    start = docker.start

    def starting(one: str) -> None:
        start(one)
        if one == name:
            docker.finish(name, code)

    docker.start = starting  # type: ignore[method-assign]


def test_a_node_that_is_to_end_may_and_is_not_started_again(docker: FakeDocker) -> None:
    ends(docker, "demo-a")
    want = [node("a", hold="exit"), node("b", wave=1)]
    found = run(docker, *want)
    assert ok(found)
    assert [(one["status"], one["done"]) for one in found.objects] == [("exited", True), ("running", False)]
    started(docker)
    assert ok(run(docker, *want)) == []
    assert started(docker) == []


def test_it_runs_again_when_it_was_made_anew_or_its_network_is_a_new_one(docker: FakeDocker) -> None:
    ends(docker, "demo-a")
    ok(run(docker, node("a", hold="exit")))
    docker.crash("demo-a.sb")
    assert ok(run(docker, node("a", hold="exit"))) == ["~ sandbox demo-a.sb (a) start", "~ container demo-a (a) start"]
    assert "~ container demo-a (a) recreate" in ok(run(docker, node("a", hold="exit", memory=1 << 26)))[1]


@pytest.mark.parametrize(
    ("code", "told"), [(3, "is exited right after its start, with exit code 3"), (None, "has not exited with 0 after")]
)
def test_a_node_that_ends_badly_or_not_at_all_keeps_later_waves_from_starting(docker: FakeDocker, code: int | None, told: str) -> None:
    if code is not None:
        ends(docker, "demo-a", code)
    found = run(docker, node("a", hold="exit"), node("b", wave=1))
    assert told in str(found.errors[0])
    assert str(found.errors[1]).startswith("node b is not started: it waits for node a, which ")
    assert "demo-b" not in docker.raw


# -- failures and other servers ---------------------------------------------------------------------------------------


def test_what_failed_elsewhere_keeps_this_wave_and_later_ones_from_starting(docker: FakeDocker) -> None:
    want = [node("a"), node("b", wave=1), node("c", wave=2)]
    run_wave(docker, *want, wave=0)
    sick_elsewhere = {"x": "is not healthy"}
    errors, unmet, waiting = run_wave(docker, *want, wave=1, blocked=sick_elsewhere)
    assert errors == ["node b is not started: it waits for node x, which is not healthy; mend that; the next run goes on here"]
    assert (unmet, waiting) == ({"b": "was not started"}, ["c"])
    errors, unmet, waiting = run_wave(docker, *want, wave=2, blocked={**sick_elsewhere, **unmet})
    assert errors == [NEXT.format("node x, which is not healthy; node b, which was not started")]
    assert (unmet, waiting) == ({"c": "was not started"}, [])
    assert started(docker) == ["demo-a"]


def test_only_those_that_wait_for_a_node_that_failed_are_not_started(docker: FakeDocker) -> None:
    docker.health["demo-a"] = ["unhealthy"]
    free = [node("d"), node("e", wave=1, waits_for=("d",)), node("f", wave=2, waits_for=("d", "e"))]
    held = [node("b", wave=1, waits_for=("a",)), node("c", wave=2, waits_for=("a", "b", "e"))]
    found = run(docker, sick("a"), *free, *held)
    assert [str(one) for one in found.errors] == [
        SICK,
        "node b is not started: it waits for node a, which is not healthy; mend that; the next run goes on here",
        NEXT.format("node a, which is not healthy; node b, which was not started"),
    ]
    order = started(docker)
    assert (set(order[:2]), order[2:]) == ({"demo-a", "demo-d"}, ["demo-e", "demo-f"])


def test_a_node_that_failed_in_an_earlier_call_is_neither_tried_nor_told_again(docker: FakeDocker) -> None:
    docker.health["demo-a"] = ["unhealthy"]
    want = [sick("a"), node("b", wave=1, waits_for=()), node("c", wave=1, waits_for=("a",))]
    errors, unmet, waiting = run_wave(docker, *want, wave=0)
    assert (errors, unmet, waiting) == ([SICK], {"a": "is not healthy"}, ["b", "c"])
    started(docker)
    errors, unmet, waiting = run_wave(docker, *want, wave=1, blocked=unmet)
    assert (errors, unmet, waiting) == ([NEXT.format("node a, which is not healthy")], {"c": "was not started"}, [])
    assert started(docker) == ["demo-b"]


def test_a_server_on_which_an_error_comes_between_has_none_of_its_nodes_to_wait_for(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = [node("a"), node("b", wave=1, waits_for=("a",))]
    monkeypatch.setattr(_container_nodes, "_verify_nodes", _crashing)
    errors, unmet, _waiting = run_wave(docker, *want, wave=0)
    assert (errors, unmet) == (["no answer"], dict.fromkeys("ab", "is on a server where an error came between"))


def _crashing(*_arguments: t.Any) -> None:
    raise LabError("no answer")


def test_nodes_of_later_waves_that_run_are_left_alone_whatever_fails(docker: FakeDocker) -> None:
    docker.health["demo-a"] = ["healthy"]
    ok(run(docker, sick("a"), node("b", wave=1)))
    docker.health["demo-a"] = ["unhealthy"]
    found = run(docker, sick("a"), node("b", wave=1), node("c", wave=1))
    assert [one.objects for one in found.errors] == [("demo-a",), ("demo-c",)]
    assert docker.raw["demo-b"]["State"]["Status"] == "running"


def test_many_causes_are_named_in_short(docker: FakeDocker) -> None:
    causes = {f"x{number}": "failed" for number in range(8)}
    ((error,), _unmet, _waiting) = run_wave(docker, node("b", wave=1), wave=1, blocked=causes)
    assert "node x4, which failed; and 3 more; mend" in error


def test_after_everything_stopped_the_order_is_kept_again(docker: FakeDocker) -> None:
    want = [node("c", wave=2), node("a"), node("b", wave=1)]
    ok(run(docker, *want))
    for name in list(docker.raw):
        docker.crash(name)
    started(docker)
    ok(run(docker, *want))
    assert started(docker) == ["demo-a", "demo-b", "demo-c"]


def test_check_mode_predicts_all_waves(docker: FakeDocker) -> None:
    want = [node("a"), node("b", wave=1, startup_delay=9)]
    assert lines(run(docker, *want, check_mode=True)) == ["+ sandbox demo-a.sb (a)", "+ container demo-a (a)", "+ sandbox demo-b.sb (b)", "+ container demo-b (b)"]  # fmt: skip  # noqa: E501


# -- delays -----------------------------------------------------------------------------------------------------------


def test_a_delay_counts_from_the_beginning_of_the_wave_for_all_at_once_and_only_where_something_starts(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    monkeypatch.setattr(_container_nodes, "time", type("Clock", (), {"monotonic": lambda: now[0], "sleep": sleep}))
    want = [
        node("a", startup_delay=30),
        node("b"),
        node("c", startup_delay=30),
        node("d", startup_delay=10),
        node("e", wave=1, startup_delay=5),
    ]
    ok(run(docker, *want))
    assert [one for one in slept if one] == [10, 20, 5]
    assert started(docker)[:2] == ["demo-b", "demo-d"]
    slept.clear()
    assert ok(run(docker, *want)) == []
    assert slept == []
    docker.crash("demo-b")
    ok(run(docker, *want))
    assert [one for one in slept if one] == []


def test_who_joins_a_delayed_node_is_started_after_it(docker: FakeDocker) -> None:
    begun = time.monotonic()
    ok(run(docker, node("a", network="node", sandbox="demo-b.sb"), node("b", startup_delay=1)))
    assert started(docker) == ["demo-b", "demo-a"]
    assert time.monotonic() - begun >= 1
    docker.crash("demo-a")
    begun = time.monotonic()
    ok(run(docker, node("a", network="node", sandbox="demo-b.sb"), node("b", startup_delay=1)))
    assert time.monotonic() - begun < 1


# -- nobody waits ---------------------------------------------------------------------------------------------------


def test_where_nobody_waits_who_is_on_the_way_and_who_waits_for_them_is_left_to_the_next_pass(docker: FakeDocker) -> None:
    docker.health["demo-a"] = ["starting"]
    want = [sick("a", startup_delay=3600), node("b", wave=1, waits_for=("a",)), node("c", wave=1, waits_for=())]
    assert glance(docker, *want) == ([], ["a", "b"])
    assert started(docker) == ["demo-a", "demo-c"]
    assert glance(docker, *want) == ([], ["a", "b"])
    docker.health["demo-a"] = ["healthy"]
    assert glance(docker, *want) == ([], [])
    assert started(docker) == ["demo-b"]


def test_where_nobody_waits_what_failed_is_an_error_all_the_same(docker: FakeDocker) -> None:
    docker.health["demo-a"] = ["unhealthy"]
    errors, coming = glance(docker, sick("a"), node("c", wave=1, waits_for=("a",)))
    assert errors == [SICK, NEXT.format("node a, which is not healthy")]
    assert coming == []
