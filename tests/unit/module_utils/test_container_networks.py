# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that have the network, or the processes, of the server, of another node, or of a container which is not the lab's."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _container_nodes, _container_read, _server
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, LabError
from tests.unit.module_utils.container_nodes import IMAGES, executed, lines, node, ok, run, started
from tests.unit.module_utils.docker_fake import FakeDocker


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_container_nodes, "SETTLE", 0.0)


@pytest.fixture
def docker() -> FakeDocker:
    docker = FakeDocker(IMAGES)
    docker.create("web", {"Image": "plain:1", "HostConfig": {"NetworkMode": "none"}})
    docker.start("web")
    docker.calls.clear()
    return docker


def joined(name: str, to: str, **fields: t.Any) -> Container:
    return node(name, network="node", sandbox=f"demo-{to}.sb", **fields)


# -- the server's -----------------------------------------------------------------------------------------------------


def test_a_node_in_the_servers_network_has_no_sandbox(docker: FakeDocker) -> None:
    want = node(network="host", exec=(("true",),))
    found = run(docker, want)
    assert ok(found) == ["+ container demo-r1 (r1)", "~ exec demo-r1 (r1) run: 1 command"]
    assert docker.raw["demo-r1"]["HostConfig"]["NetworkMode"] == "host"
    assert [(one["sandbox"], one["status"], one["sandbox_status"]) for one in found.objects] == [("", "running", "running")]
    assert found.sandboxes == []
    assert ok(run(docker, want)) == []


def test_a_node_that_moves_into_the_servers_network_loses_its_sandbox_and_gets_one_when_it_comes_back(docker: FakeDocker) -> None:
    ok(run(docker, node(), prune=True))
    there = ok(run(docker, node(network="host"), prune=True))
    assert there[0] == "- sandbox demo-r1.sb (r1)"
    assert sorted(docker.raw) == ["demo-r1", "web"]
    assert ok(run(docker, node(network="host"), prune=True)) == []
    back = ok(run(docker, node(), prune=True))
    assert back[0] == "+ sandbox demo-r1.sb (r1)"
    assert sorted(docker.raw) == ["demo-r1", "demo-r1.sb", "web"]


def test_commands_of_a_node_in_the_servers_network_run_again_after_the_server_booted(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = node(network="host", exec=(("true",),))
    ok(run(docker, want))
    docker.crash("demo-r1")
    assert ok(run(docker, want)) == ["~ container demo-r1 (r1) start"]
    monkeypatch.setattr(_container_read, "_own_network", lambda: "another boot")
    docker.crash("demo-r1")
    assert ok(run(docker, want)) == ["~ container demo-r1 (r1) start", "~ exec demo-r1 (r1) run: 1 command"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"network": "host", "sysctls": {"net.a": "1"}}, "node r1 has sysctl net.a, but its network is the server's"),
        ({"network": "host", "interfaces": ("eth1",)}, "node r1 has interfaces, but its network is the server's"),
        (
            {"network": "container", "sandbox": "web", "sysctls": {"net.a": "1"}, "dns": ("198.51.100.1",)},
            "node r1 has dns, sysctl net.a, but its network is that of a container which is not the lab's",
        ),
    ],
)  # fmt: skip
def test_what_belongs_to_a_network_is_refused_for_a_node_that_has_none(docker: FakeDocker, fields: dict[str, t.Any], told: str) -> None:
    with pytest.raises(LabError) as caught:
        run(docker, node(**fields))
    assert told in str(caught.value)
    assert docker.calls == []


# -- another node's ---------------------------------------------------------------------------------------------------


def test_a_node_joins_the_sandbox_of_another_and_is_started_after_it(docker: FakeDocker) -> None:
    want = [joined("a", "r1"), joined("b", "r1", sysctls={"net.ipv4.ip_forward": "1"}), node("r1")]
    assert [line for line in ok(run(docker, *want)) if "sandbox" in line] == ["+ sandbox demo-r1.sb (r1)"]
    assert started(docker)[0] == "demo-r1"
    assert {docker.netns[name] for name in ("demo-r1.sb", "demo-r1", "demo-a", "demo-b")} == {docker.netns["demo-r1"]}
    assert docker.raw["demo-b"]["HostConfig"]["Sysctls"] == {"net.ipv4.ip_forward": "1"}
    assert ok(run(docker, *want)) == []


def test_a_restart_of_the_sandbox_restarts_all_that_have_joined_it(docker: FakeDocker) -> None:
    want = [joined("a", "r1", exec=(("x",),)), node("r1"), node("r2")]
    ok(run(docker, *want))
    docker.crash("demo-r1.sb")
    assert ok(run(docker, *want)) == [
        "~ container demo-a (a) restart: its sandbox has a new network namespace",
        "~ exec demo-a (a) run: 1 command",
        "~ sandbox demo-r1.sb (r1) start",
        "~ container demo-r1 (r1) restart: its sandbox has a new network namespace",
    ]
    assert ok(run(docker, *want)) == []


def test_a_sandbox_that_is_made_anew_has_all_that_joined_it_made_anew(docker: FakeDocker) -> None:
    want = [joined("a", "r1"), node("r1")]
    ok(run(docker, *want))
    found = ok(run(docker, want[0], node("r1", hostname="core")))
    assert [line.partition(":")[0] for line in found] == [
        "~ container demo-a (a) recreate",
        "~ sandbox demo-r1.sb (r1) recreate",
        "~ container demo-r1 (r1) recreate",
    ]
    assert docker.netns["demo-a"] == docker.netns["demo-r1.sb"]
    assert ok(run(docker, want[0], node("r1", hostname="core"))) == []


def test_a_node_that_is_made_anew_takes_those_in_its_network_with_it(docker: FakeDocker) -> None:
    """Its sandbox is restarted, so that nothing of the old device is left."""
    want = [joined("a", "r1"), node("r1")]
    ok(run(docker, *want))
    found = ok(run(docker, want[0], node("r1", memory=1 << 26)))
    assert "~ container demo-a (a) restart: its sandbox has a new network namespace" in found
    assert docker.netns["demo-a"] == docker.netns["demo-r1.sb"]


def test_a_joining_node_that_is_made_anew_or_removed_leaves_the_owner_alone(docker: FakeDocker) -> None:
    want = [joined("a", "r1", exec=(("add",),)), node("r1")]
    ok(run(docker, *want))
    before = {name: docker.raw[name]["State"]["StartedAt"] for name in ("demo-r1", "demo-r1.sb")}
    executed(docker)
    changed = [joined("a", "r1", exec=(("add",),), memory=1 << 26), node("r1")]
    docker.answers[("add",)] = type(docker.execute("demo-r1", ["true"], timeout=1))(2, "File exists")
    assert ok(run(docker, *changed))[0].startswith("~ container demo-a (a) recreate")
    assert "add" in executed(docker)
    assert ok(run(docker, *changed)) == []
    assert ok(run(docker, changed[0], state="absent")) == ["- container demo-a (a)"]
    assert ok(run(docker, node("r1"), prune=True)) == []
    assert {name: docker.raw[name]["State"]["StartedAt"] for name in before} == before


def test_a_node_whose_leader_failed_is_not_started(docker: FakeDocker) -> None:
    docker.drop = ("Memory",)
    found = run(docker, joined("a", "r1"), node("r1", memory=1 << 26))
    assert str(found.errors[0]).startswith("Docker did not take what container demo-r1")
    assert "node a is not started: it joins container demo-r1, which failed" in str(found.errors[1])


def test_a_sandbox_that_nobody_has_and_one_that_two_have_are_errors(docker: FakeDocker) -> None:
    with pytest.raises(LabError, match=r"node a joins sandbox demo-r1\.sb, which no node of the lab on this server has"):
        run(docker, joined("a", "r1"))
    with pytest.raises(LabError, match=r"container demo-r1\.sb is in containers\[0\] and in containers\[1\]"):
        run(docker, node("r1"), node("r2", sandbox="demo-r1.sb"))
    assert docker.calls == []


# -- a container's that is not the lab's ------------------------------------------------------------------------------


def test_a_node_joins_a_container_that_is_not_the_labs_and_never_touches_it(docker: FakeDocker) -> None:
    want = node(network="container", sandbox="web")
    before = docker.raw["web"]["State"]["StartedAt"]
    assert ok(run(docker, want, prune=True)) == ["+ container demo-r1 (r1)"]
    assert docker.netns["demo-r1"] == docker.netns["web"]
    assert ok(run(docker, want, prune=True)) == []
    ok(run(docker, want, state="absent", prune=True))
    assert docker.raw["web"]["State"]["StartedAt"] == before
    assert {call[1] for call in docker.calls if len(call) > 1} == {"demo-r1"}


def test_it_follows_when_that_container_was_restarted_or_made_anew(docker: FakeDocker) -> None:
    want = node(network="container", sandbox="web", exec=(("x",),))
    ok(run(docker, want))
    docker.kill("web")
    docker.start("web")
    assert ok(run(docker, want)) == [
        "~ container demo-r1 (r1) restart: its sandbox has a new network namespace",
        "~ exec demo-r1 (r1) run: 1 command",
    ]
    docker.remove("web")
    docker.create("web", {"Image": "plain:1", "HostConfig": {"NetworkMode": "none"}})
    docker.start("web")
    assert ok(run(docker, want))[0].startswith("~ container demo-r1 (r1) recreate: sandbox ")
    assert ok(run(docker, want)) == []


def test_a_container_that_is_not_there_does_not_run_or_is_the_labs_own_is_refused(docker: FakeDocker) -> None:
    docker.crash("web")
    ok(run(docker, node("own")))
    docker.calls.clear()
    with pytest.raises(Errors) as caught:
        run(
            docker,
            node("a", network="container", sandbox="web"),
            node("b", network="container", sandbox="gone"),
            node("c", network="container", sandbox="demo-own"),
            node("d", pid_mode="container:gone"),
        )
    assert [one.message for one in caught.value.errors] == [
        "node a joins the network of container web, which is exited",
        "node b joins the network of container gone, which is not on this server",
        "node c joins the network of container demo-own, which is the lab's own",
        "node d joins the processes of container gone, which is not on this server",
    ]
    assert docker.calls == []


# -- processes --------------------------------------------------------------------------------------------------------


def test_a_node_joins_the_processes_of_another_and_follows_it(docker: FakeDocker) -> None:
    want = [node("a", pid_mode="container:r1"), node("r1")]
    ok(run(docker, *want))
    assert started(docker) == ["demo-r1", "demo-a"]
    assert docker.raw["demo-a"]["HostConfig"]["PidMode"] == f"container:{docker.raw['demo-r1']['Id']}"
    assert ok(run(docker, *want)) == []
    docker.crash("demo-r1")
    assert ok(run(docker, *want)) == [
        "~ container demo-a (a) restart: node r1, whose processes it joins, is restarted",
        "~ container demo-r1 (r1) start",
    ]
    anew = ok(run(docker, want[0], node("r1", memory=1 << 26)))
    assert anew[1].startswith("~ container demo-a (a) recreate: pid_mode container:")
    assert ok(run(docker, want[0], node("r1", memory=1 << 26))) == []


def test_nodes_that_join_one_another_in_a_circle_are_refused(docker: FakeDocker) -> None:
    with pytest.raises(LabError, match="nodes a, b join the network or the processes of one another in a circle"):
        run(docker, node("a", pid_mode="container:b"), node("b", pid_mode="container:demo-a"))


def test_check_mode_predicts_what_joins_what(docker: FakeDocker) -> None:
    want = [joined("a", "r1"), node("r1"), node("h", network="host"), node("c", network="container", sandbox="web")]
    assert lines(run(docker, *want, check_mode=True)) == ok(run(docker, *want))
    docker.crash("demo-r1.sb")
    assert lines(run(docker, *want, check_mode=True)) == ok(run(docker, *want))
