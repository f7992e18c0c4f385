# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of stages: when each runs, where, and that it runs once per boot."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import (
    _container_holds,
    _container_nodes,
    _container_steps,
    _host_command,
    _server,
)
from ansible_collections.archetype.lab.plugins.module_utils._container_plan import plan, run_again
from ansible_collections.archetype.lab.plugins.module_utils._container_read import read
from ansible_collections.archetype.lab.plugins.module_utils._declared import Healthcheck, StageCommand
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import ExecResult
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, Errors
from ansible_collections.archetype.lab.plugins.module_utils._steps import Step, steps_of
from tests.unit.module_utils.container_nodes import IMAGES, executed, node, ok, run, server_of, stage
from tests.unit.module_utils.docker_fake import FakeDocker

CHECK = Healthcheck(("CMD", "true"))
STAGES = ("create", "create-links", "configure", "healthy", "exit")


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_container_nodes, "SETTLE", 0.0)
    monkeypatch.setattr(_container_holds, "POLL", 0.0)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    """Commands on the server are written down beside those in nodes."""
    docker = FakeDocker(IMAGES)
    docker.health["demo-r1"] = ["starting", "healthy"]

    def on_server(command: t.Sequence[str], *, timeout: float) -> ExecResult:
        state = docker.raw["demo-r1"]["State"]
        health = (state.get("Health") or {}).get("Status", "-")
        docker.calls.append(("execute", "server", f"server({state['Status']},{health})", *command))
        return docker.answers.get(("server", *command), ExecResult(0, ""))

    monkeypatch.setattr(_container_steps._host_command, "run", on_server)
    return docker


def everything() -> tuple[StageCommand, ...]:
    """A command for each moment, in the wrong order."""
    return tuple(
        stage(name, name, phase, phase=phase, target="host") for name in reversed(STAGES) for phase in ("on-exit", "on-enter")
    )  # fmt: skip


def test_each_moment_has_its_place(docker: FakeDocker) -> None:
    wait = _container_nodes.wait_for_end

    def ending(worker: t.Any, nodes: t.Sequence[t.Any]) -> None:
        docker.finish("demo-r1")
        wait(worker, nodes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_container_nodes, "wait_for_end", ending)
        ok(run(docker, node(hold="exit", healthcheck=CHECK, exec=(("exec",),), stage_commands=everything())))
    assert executed(docker) == [
        "server(created,-) create on-enter",
        "server(running,starting) create on-exit",
        "server(running,starting) create-links on-enter",
        "server(running,starting) create-links on-exit",
        "server(running,starting) configure on-enter",
        "server(running,starting) configure on-exit",
        "exec",
        "server(running,starting) healthy on-enter",
        "server(running,healthy) healthy on-exit",
        "server(running,healthy) exit on-enter",
        "server(exited,healthy) exit on-exit",
    ]
    again = node(hold="exit", healthcheck=CHECK, exec=(("exec",),), stage_commands=everything())
    assert ok(run(docker, again)) == []
    assert executed(docker) == []


def test_commands_of_the_end_run_only_where_it_is_waited_for(docker: FakeDocker) -> None:
    """A node may run for ever, and nobody may wait for it."""
    want = node(stage_commands=(stage("exit", "never", target="host"), stage("exit", "never", phase="on-exit", target="host")))
    assert ok(run(docker, want)) == ["+ sandbox demo-r1.sb (r1)", "+ container demo-r1 (r1)"]
    assert executed(docker) == []


def test_they_run_once_per_boot_and_again_in_the_next(docker: FakeDocker) -> None:
    docker.health["demo-r1"] = ["healthy"]
    want = node(exec=(("exec",),), stage_commands=(stage("create", "made", target="host"), stage("configure", "inside")))
    first = ok(run(docker, want))
    assert first[-1] == "~ exec demo-r1 (r1) run: 3 commands"
    assert executed(docker) == ["server(created,-) made", "inside", "exec"]
    docker.kill("demo-r1")
    assert ok(run(docker, want)) == ["~ container demo-r1 (r1) start"]
    docker.crash("demo-r1.sb")
    executed(docker)
    ok(run(docker, want))
    assert executed(docker) == ["server(exited,-) made", "inside", "exec"]


def test_a_command_that_is_added_runs_in_the_next_run_and_the_same_words_elsewhere_are_another_command(docker: FakeDocker) -> None:
    ok(run(docker, node(exec=(("same",),))))
    executed(docker)
    want = node(exec=(("same",),), stage_commands=(stage("configure", "same"), stage("create", "late", target="host")))
    ok(run(docker, want))
    assert executed(docker) == ["server(running,-) late", "same"]
    assert ok(run(docker, want)) == []


def test_a_command_that_fails_is_told_with_its_stage_and_output_and_the_next_run_goes_on_with_it(docker: FakeDocker) -> None:
    docker.answers[("server", "two")] = ExecResult(4, "no space\n")
    want = node(stage_commands=(stage("create", "one", target="host"), stage("create", "two", target="host"), stage("configure", "three")))
    (error,) = run(docker, want).errors
    assert str(error) == (
        "command of stage create, on-enter, two of node r1, on the server, ended with exit code 4: no space;"
        " correct it; the next run goes on with this command"
    )
    assert docker.raw["demo-r1"]["State"]["Status"] == "created"
    docker.answers.clear()
    executed(docker)
    ok(run(docker, want))
    assert executed(docker) == ["server(created,-) two", "three"]


def test_commands_that_cannot_be_are_refused(docker: FakeDocker) -> None:
    with pytest.raises(Errors) as caught:
        run(docker, node(stage_commands=(stage("create", "x"), stage("exit", "x", phase="on-exit"), stage("nonesuch", "x"))))
    assert [one.message for one in caught.value.errors] == [
        "node r1: a command of stage create, on-enter, cannot run in the container, which does not run then; give it target host",
        "node r1: a command of stage exit, on-exit, cannot run in the container, which does not run then; give it target host",
        "node r1: there is no stage nonesuch with on-enter",
    ]
    assert docker.calls == []


def test_a_node_that_is_to_end_and_does_so_before_its_commands_is_an_error(docker: FakeDocker) -> None:
    start = docker.start

    def starting(name: str) -> None:
        start(name)
        if name == "demo-r1":
            docker.finish(name)

    docker.start = starting  # type: ignore[method-assign]
    (error,) = run(docker, node(hold="exit", exec=(("late",),))).errors
    assert "node r1 ended before its exec command late had run" in str(error)


def test_a_lost_interface_brings_back_what_was_done_in_the_node_and_not_what_was_done_on_the_server(docker: FakeDocker) -> None:
    want = node(exec=(("address",),), stage_commands=(stage("configure", "host", target="host"), stage("configure", "inside")))
    ok(run(docker, want))
    server = server_of(docker)
    found = plan([want], read(server, "demo", [want]), lab="demo")
    run_again(found, {"demo-r1.sb"})
    assert [one.command for one in found.nodes[0].commands] == [("inside",), ("address",)]
    found.redo()
    due = plan([want], read(server, "demo", [want]), lab="demo").nodes[0].commands
    assert [one.command for one in due] == [("inside",), ("address",)]


def test_digests_of_exec_commands_are_those_that_servers_have_written_down() -> None:
    assert Step(("ip", "link")).digest == "c397949a9c5d8273"
    assert len({one.digest for one in steps_of(node(exec=(("a",),), stage_commands=(stage("configure", "a"), stage("healthy", "a"))))}) == 3


# -- on the server, for real ------------------------------------------------------------------------------------------


def test_a_command_on_the_server_has_no_shell_and_its_output_is_kept(tmp_path: Path) -> None:
    done = _host_command.run(["printf", "%s", "$HOME;*"], timeout=5)
    assert (done.exit_code, done.output) == (0, "$HOME;*")
    assert _host_command.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=5) == ExecResult(3, "out\nerr\n")


def test_a_command_that_does_not_end_is_ended_and_one_that_leaves_something_behind_is_not_waited_for() -> None:
    with pytest.raises(ApplyError, match=r"did not end in 0\.2 s and was stopped; its output so far: begun"):
        _host_command.run(["sh", "-c", "echo begun; sleep 60"], timeout=0.2)
    assert _host_command.run(["sh", "-c", "sleep 3 & echo done"], timeout=2).output == "done\n"


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(ApplyError, match=r"it cannot be run on the server: .*No such file"):
        _host_command.run(["/no/such/program"], timeout=1)
