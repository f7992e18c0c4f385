# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of a node's kind: after what the log must show, before the user's, in the time that the kind gives them."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _container_nodes, _container_ready, _server
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, ExecResult
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from tests.unit.module_utils.container_nodes import IMAGES, executed, glance, node, ok, run, stage
from tests.unit.module_utils.docker_fake import FakeDocker

OWN: dict[str, t.Any] = {
    "boot_commands": (("apply", "config"),),
    "boot_timeout": 300,
    "ready_log": "System (is )?ready",
    "exec": (("mine",),),
}


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_container_nodes, "SETTLE", 0.0)
    monkeypatch.setattr(_container_ready, "POLL", 0.0)


@pytest.fixture
def docker() -> FakeDocker:
    return FakeDocker(IMAGES)


def test_they_run_once_a_boot_when_the_log_shows_it_and_before_those_of_the_user(docker: FakeDocker) -> None:
    docker.logged["demo-r1"] = ["", "booting", "booting\nSystem ready\nmore"]
    ok(run(docker, node(**OWN, stage_commands=(stage("configure", "early"),))))
    assert len([one for one in docker.looks if one.startswith("logs")]) == 3
    assert executed(docker) == ["early", "apply config", "mine"]
    docker.looks.clear()
    assert ok(run(docker, node(**OWN, stage_commands=(stage("configure", "early"),)))) == []
    assert [one for one in docker.looks if one.startswith("logs")] == []


def test_a_log_that_never_shows_it_is_an_error_with_its_last_line_and_the_next_run_goes_on(docker: FakeDocker) -> None:
    docker.logged["demo-r1"] = ["booting\nno license"]
    want = node(**{**OWN, "boot_timeout": 1})
    (error,) = run(docker, want).errors
    assert str(error).startswith("node r1 is not ready after 1 s: its log does not show System (is )?ready; its last line: no license;")
    assert error.objects == ("demo-r1",)
    assert executed(docker) == []
    docker.logged["demo-r1"] = ["System is ready"]
    ok(run(docker, want))
    assert executed(docker) == ["apply config", "mine"]


def test_a_node_that_ends_while_its_log_is_read_is_told(docker: FakeDocker) -> None:
    logs = docker.logs

    def ending(name: str, **options: t.Any) -> str:
        if not options.get("lines"):
            docker.crash(name)
        return logs(name, **options)

    docker.logs = ending  # type: ignore[method-assign]
    docker.logged["demo-r1"] = ["booting"]
    (error,) = run(docker, node(**OWN)).errors
    assert "container demo-r1 of node r1 is exited before its log showed System (is )?ready, with exit code 137" in str(error)


def test_what_an_earlier_process_wrote_is_not_read(docker: FakeDocker) -> None:
    docker.logged["demo-r1"] = ["System ready"]
    ok(run(docker, node(**OWN)))
    docker.crash("demo-r1.sb")
    docker.raw["demo-r1"]["State"]["FinishedAt"] = "2026-11-20T10:00:00.25Z"
    docker.looks.clear()
    ok(run(docker, node(**OWN)))
    assert "logs demo-r1 since 1795168800.25" in docker.looks


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0.0), ("0001-01-01T00:00:00Z", 0.0), ("2026-11-20T10:00:00Z", 1795168800.0), (None, 0.0)]
)
def test_when_a_container_ended_is_read_as_docker_writes_it(text: str | None, seconds: float) -> None:
    assert DockerContainer("i", "n", raw={"State": {"FinishedAt": text}}).ended_at == seconds


def test_each_has_the_time_that_the_kind_gives_and_others_have_the_usual(docker: FakeDocker) -> None:
    given: dict[str, float] = {}
    execute = docker.execute

    def noting(name: str, command: t.Sequence[str], *, timeout: float) -> ExecResult:
        given[" ".join(command)] = timeout
        return execute(name, command, timeout=timeout)

    docker.execute = noting  # type: ignore[method-assign]
    ok(run(docker, node(**{**OWN, "ready_log": ""})))
    assert given == {"apply config": 300, "mine": 60}
    ok(run(docker, node("r2", boot_commands=(("apply",),))))
    assert given["apply"] == 60


def test_one_that_fails_is_told_as_the_kinds_and_stops_those_after_it(docker: FakeDocker) -> None:
    docker.answers[("apply", "config")] = ExecResult(3, "no such leaf")
    (error,) = run(docker, node(**{**OWN, "ready_log": ""})).errors
    assert "command of its kind apply config of node r1 ended with exit code 3: no such leaf" in str(error)
    assert executed(docker) == ["apply config"]


def test_what_is_no_regular_expression_is_refused_before_anything_is_done(docker: FakeDocker) -> None:
    with pytest.raises(LabError, match=r"node r1: ready_log \( is not a regular expression: missing \)"):
        run(docker, node(**{**OWN, "ready_log": "("}))
    assert docker.raw == {}


def test_where_nobody_waits_a_log_that_does_not_show_it_yet_is_left_to_the_next_pass(docker: FakeDocker) -> None:
    docker.logged["demo-r1"] = ["booting", "booting\nSystem ready"]
    assert glance(docker, node(**OWN)) == ([], ["r1"])
    assert executed(docker) == []
    assert glance(docker, node(**OWN)) == ([], [])
    assert executed(docker) == ["apply config", "mine"]
