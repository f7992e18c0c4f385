# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that are left alone, and what that is for those that join them or wait for them."""

from __future__ import annotations

import typing as t
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _container_holds, _container_nodes, _server
from ansible_collections.archetype.lab.plugins.module_utils._boots import Boot
from ansible_collections.archetype.lab.plugins.module_utils._container_model import ContainersPlan
from ansible_collections.archetype.lab.plugins.module_utils._container_nodes import apply_nodes
from ansible_collections.archetype.lab.plugins.module_utils._container_plan import plan, read, run_again
from ansible_collections.archetype.lab.plugins.module_utils._container_sandboxes import apply_sandboxes
from ansible_collections.archetype.lab.plugins.module_utils._containers import foreseen
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, Healthcheck
from ansible_collections.archetype.lab.plugins.module_utils._errors import MEND_TOO, LabError
from tests.unit.module_utils.container_nodes import IMAGES, node, ok, run, server_of
from tests.unit.module_utils.docker_fake import FakeDocker

CHECK = Healthcheck(("CMD", "true"), interval=0.001, timeout=0.001, retries=1)


@pytest.fixture(autouse=True)
def _quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_container_nodes, "SETTLE", 0.0)
    monkeypatch.setattr(_container_holds, "POLL", 0.0)


@pytest.fixture
def docker() -> FakeDocker:
    return FakeDocker(IMAGES)


def planned(docker: FakeDocker, *want: Container, spared: t.Collection[str]) -> ContainersPlan:
    return plan(want, read(server_of(docker), "demo", want), lab="demo", prune=True).sparing(spared)


def done(docker: FakeDocker, *want: Container, spared: t.Collection[str]) -> tuple[list[str], list[str], dict[str, str]]:
    """What is done when these are left alone: lines, errors, and what cannot be waited for."""
    found = planned(docker, *want, spared=spared)
    docker.calls.clear()
    server = server_of(docker)
    errors: list[LabError] = []
    if found.busy:
        errors = apply_sandboxes(server, found) + apply_nodes(server, found)
    return told(found), [str(error) for error in errors], found.unmet


def told(found: ContainersPlan) -> list[str]:
    return [change.to_line() for change in found.changes]


NAMES = ["demo-a", "demo-a.sb", "a"]


@pytest.mark.parametrize("name", NAMES)
def test_a_spared_node_is_not_made_and_others_are(docker: FakeDocker, name: str) -> None:
    assert done(docker, node("a"), node("b"), spared={name}) == (["+ sandbox demo-b.sb (b)", "+ container demo-b (b)"], [], {"a": GONE})
    assert sorted(docker.raw) == ["demo-b", "demo-b.sb"]


GONE = "is left alone, and does not run"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("wrong", ["other", "dead", "lost sandbox"])
def test_a_spared_node_is_neither_mended_nor_missed(docker: FakeDocker, name: str, wrong: str) -> None:
    ok(run(docker, node("a"), node("b")))
    want = node("a", user="other") if wrong == "other" else node("a")
    if wrong == "dead":
        docker.kill("demo-a")
    if wrong == "lost sandbox":
        docker.remove("demo-a.sb")
    lines, errors, _unmet = done(docker, want, node("b"), spared={name})
    assert (lines, errors, docker.calls) == ([], [], [])
    assert planned(docker, want, node("b"), spared=()).changes


@pytest.mark.parametrize("name", NAMES)
def test_a_spared_node_that_is_not_declared_stays_with_its_volume_and_its_sandbox(docker: FakeDocker, name: str) -> None:
    ok(run(docker, node("a", volumes=("data:/data",)), node("b", volumes=("more:/data",))))
    assert done(docker, spared={name})[:2] == (["- container demo-b (b)", "- sandbox demo-b.sb (b)"], [])
    assert sorted(docker.raw) == ["demo-a", "demo-a.sb"]
    assert sorted(docker.named) == ["data", "more"]


def test_names_of_other_things_spare_no_node_and_no_volume(docker: FakeDocker) -> None:
    ok(run(docker, node("a", volumes=("data:/data",))))
    found = planned(docker, spared={"ap1", "a:eth1--b:eth1"})
    assert told(found) == ["- container demo-a (a)", "- sandbox demo-a.sb (a)", "- volume data"]


def test_what_is_wrong_with_a_spared_node_stops_nothing(docker: FakeDocker) -> None:
    want = [node("a", image="gone:1"), node("b")]
    have = read(server_of(docker), "demo", want)
    with pytest.raises(LabError, match="image gone:1"):
        plan(want, have, lab="demo")
    assert told(plan(want, have, lab="demo", spared={"a"})) == ["+ sandbox demo-b.sb (b)", "+ container demo-b (b)"]


# -- those that join it ---------------------------------------------------------------------------------------------


def joining(name: str, to: str, **fields: t.Any) -> Container:
    return node(name, network="node", sandbox=f"demo-{to}.sb", **fields)


def test_a_node_that_joins_a_spared_one_is_made_while_that_runs(docker: FakeDocker) -> None:
    ok(run(docker, node("a")))
    want = [node("a", user="other"), joining("b", "a"), node("c", pid_mode="container:a")]
    lines, errors, unmet = done(docker, *want, spared={"a"})
    assert lines == ["+ container demo-b (b)", "+ sandbox demo-c.sb (c)", "+ container demo-c (c)"]
    assert (errors, unmet) == ([], {})
    assert told(planned(docker, *want, spared={"a"})) == []
    assert told(planned(docker, *want, spared=())) != []


def test_a_node_that_joins_a_spared_one_is_not_made_anew_with_it(docker: FakeDocker) -> None:
    """Without the hold the other one gets a new network, and this one with it."""
    ok(run(docker, node("a"), joining("b", "a")))
    want = [node("a", user="other"), joining("b", "a")]
    assert len(told(planned(docker, *want, spared=()))) == 3
    assert told(planned(docker, *want, spared={"a"})) == []


@pytest.mark.parametrize("how", ["network", "processes"])
def test_a_node_that_joins_a_spared_one_that_does_not_run_is_told_so(docker: FakeDocker, how: str) -> None:
    ok(run(docker, node("a")))
    docker.kill("demo-a")
    docker.kill("demo-a.sb")
    other = joining("b", "a") if how == "network" else node("b", pid_mode="container:a")
    found = planned(docker, node("a"), other, node("c"), spared={"a"})
    lines, errors, unmet = done(docker, node("a"), other, node("c"), spared={"a"})
    joined = "demo-a.sb" if how == "network" else "demo-a"
    message = f"node b is not started: it joins container {joined}, which is left alone and does not run"
    assert errors == [f"{message}; {MEND_TOO}, or start it"]
    assert [str(error) for error in foreseen(found)] == errors
    assert lines == ["+ sandbox demo-c.sb (c)", "+ container demo-c (c)"]
    assert unmet == {"a": GONE, "b": "was not started"}


def test_a_node_that_joins_a_spared_one_and_runs_is_left_running_when_that_has_ended(docker: FakeDocker) -> None:
    ok(run(docker, node("a"), joining("b", "a")))
    docker.kill("demo-a")
    assert done(docker, node("a"), joining("b", "a"), spared={"a"}) == ([], [], {"a": GONE})


# -- those that wait for it -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits_for", [None, ("a",)])
def test_a_node_that_waits_for_a_spared_one_that_does_not_run_is_told_so(docker: FakeDocker, waits_for: tuple[str, ...] | None) -> None:
    want = [node("a"), node("b", wave=1, waits_for=waits_for), node("c", wave=1, waits_for=("d",)), node("d")]
    lines, errors, unmet = done(docker, *want, spared={"a"})
    assert errors == [
        "node b is not started: it waits for node a, which is left alone, and does not run; mend that; the next run goes on here"
    ]
    assert unmet == {"a": GONE, "b": "was not started"}
    assert "+ container demo-c (c)" in lines
    assert "demo-c" in docker.raw


def test_a_node_that_waits_for_a_spared_one_is_started_when_that_runs(docker: FakeDocker) -> None:
    ok(run(docker, node("a")))
    lines, errors, unmet = done(docker, node("a", user="other"), node("b", wave=1), spared={"a"})
    assert (lines, errors, unmet) == (["+ sandbox demo-b.sb (b)", "+ container demo-b (b)"], [], {})


def test_a_node_that_runs_is_not_concerned_by_a_spared_one_that_does_not(docker: FakeDocker) -> None:
    ok(run(docker, node("a"), node("b", wave=1)))
    docker.kill("demo-a")
    assert done(docker, node("a"), node("b", wave=1), spared={"a"}) == ([], [], {"a": GONE})
    assert docker.calls == []


@pytest.mark.parametrize(("health", "said"), [("starting", "is left alone, and is not healthy"), ("healthy", "")])
def test_a_spared_node_is_not_waited_for(docker: FakeDocker, health: str, said: str) -> None:
    sick = node("a", hold="healthy", healthcheck=CHECK)
    docker.health["demo-a"] = ["healthy"]
    ok(run(docker, sick))
    docker.health["demo-a"] = [health]
    lines, errors, unmet = done(docker, sick, node("b", wave=1), spared={"a"})
    assert unmet == ({"a": said, "b": "was not started"} if said else {})
    assert bool(errors) is bool(said)
    assert lines == ["+ sandbox demo-b.sb (b)", "+ container demo-b (b)"]


@pytest.mark.parametrize(("code", "said"), [(0, ""), (3, "is left alone, and has not exited with 0")])
def test_a_spared_node_that_was_to_end_and_did_is_done(docker: FakeDocker, code: int, said: str) -> None:
    job = node("a", hold="exit")
    docker.create("demo-a", {"Image": "plain:1", "Labels": {"archetype-lab": "demo"}, "HostConfig": {"NetworkMode": "none"}})
    docker.finish("demo-a", code)
    found = planned(docker, job, spared={"a"})
    assert (told(found), found.nodes[0].idle) == ([], said)


# -- commands -------------------------------------------------------------------------------------------------------


def test_commands_that_are_due_again_are_so_for_those_that_are_not_spared(docker: FakeDocker) -> None:
    want = [node("a", exec=(("x",),)), node("b", exec=(("x",),))]
    ok(run(docker, *want))
    have = read(server_of(docker), "demo", want)
    found = plan(want, have, lab="demo")
    run_again(found, {"demo-a.sb", "demo-b.sb"})
    assert found.again == ["a", "b"]
    fewer = found.sparing({"a"})
    assert fewer.again == ["b"]
    assert told(fewer) == ["~ exec demo-b (b) run: 1 command, as an interface is made anew"]
    assert (found.sparing(()), found.again) == (found, ["a", "b"])


def test_commands_of_a_spared_node_that_are_due_are_not_run(docker: FakeDocker) -> None:
    want = node("a", exec=(("x",),))
    ok(run(docker, want))
    have = read(server_of(docker), "demo", [want])
    have = replace(have, boots={"a": Boot("other", "other")})
    assert told(plan([want], have, lab="demo")) != []
    assert told(plan([want], have, lab="demo").sparing({"a"})) == []


def test_sparing_one_after_the_other_is_as_sparing_both(docker: FakeDocker) -> None:
    found = planned(docker, node("a"), node("b"), node("c"), spared={"a"}).sparing({"b"})
    assert told(found) == ["+ sandbox demo-c.sb (c)", "+ container demo-c (c)"]
