# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import dataclasses
import json
import os
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _container_nodes, _files, _server
from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils._containers import (
    ContainersResult,
    apply_nodes,
    apply_sandboxes,
    converge,
    plan,
    read,
)
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, File
from ansible_collections.archetype.lab.plugins.module_utils._docker._exec import KEPT_BYTES, Answer
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import ExecResult, Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, ForeignError, LabError, ReadError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from ansible_collections.archetype.lab.plugins.module_utils._steps import Step
from ansible_collections.archetype.lab.tests.unit.module_utils.docker_fake import FakeDocker

IMAGES = {
    spec.SANDBOX_IMAGE: Image("sha256:5a", cmd=("/pause",), labels={"built-by": "us"}),
    "frr:1": Image(
        "sha256:11", env={"PATH": "/bin", "MODE": "image"}, cmd=("serve",), entrypoint=("/init",), user="frr", labels={"vendor": "x"}
    ),
    "frr:2": Image(
        "sha256:22", env={"PATH": "/bin", "MODE": "image"}, cmd=("serve",), entrypoint=("/init",), user="frr", labels={"vendor": "x"}
    ),
    "bare:1": Image("sha256:33"),
}


class FakeNet:
    """interfaces: what is in every namespace that is asked for."""

    def __init__(self, *interfaces: str) -> None:
        self.interfaces = interfaces
        self.asked: list[str] = []

    def read_netns(self, netns: t.Sequence[str]) -> dict[str, dict[str, object]]:
        self.asked += netns
        return {path: dict.fromkeys(self.interfaces, object()) for path in netns}

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_container_nodes, "SETTLE", 0.0)
    return tmp_path / "state"


@pytest.fixture
def docker() -> FakeDocker:
    return FakeDocker(IMAGES)


def node(name: str = "r1", **fields: t.Any) -> Container:
    return Container(**{"name": f"demo-{name}", "sandbox": f"demo-{name}.sb", "node": name, "image": "frr:1", **fields})


def run(docker: FakeDocker, *want: Container, net: FakeNet | None = None, **options: t.Any) -> ContainersResult:
    return converge(Server(docker=t.cast(t.Any, docker), net=t.cast(t.Any, net or FakeNet())), "demo", want, **options)


def lines(result: ContainersResult) -> list[str]:
    return [change.to_line() for change in result.changes]


def content(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def file(state_dir: Path, name: str = "etc/frr.conf", text: str = "hostname r1", mode: str = "0640") -> File:
    return File(str(state_dir / "demo" / "files" / "r1" / name), content(text), mode)


# -- what is read as the same -----------------------------------------------------------------------------------------

EVERYTHING: dict[str, t.Any] = {
    "hostname": "core",
    "cmd": ("a", "b"),
    "entrypoint": ("/sbin/start",),
    "user": "root",
    "env": {"MODE": "node", "EMPTY": "", "EQ": "a=b"},
    "labels": {"site": "north", "vendor": "y"},
    "binds": ("/proc//self/../version:/v:ro", "volume:/data", "/dev:/d:rw"),
    "sysctls": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "8192"},
    "cap_add": ("cap_net_admin", "NET_RAW"),
    "devices": ("/dev/null", "/dev/zero:/dev/z", "/dev/full:/dev/f:r"),
    "system_paths": "unconfined",
    "memory": 64 * 1024 * 1024,
    "cpu": 0.333333333333,
}


@pytest.mark.parametrize("field", [*EVERYTHING, "nothing", "everything"])
def test_whatever_is_declared_the_second_run_changes_nothing(docker: FakeDocker, field: str) -> None:
    fields = EVERYTHING if field == "everything" else {field: EVERYTHING[field]} if field in EVERYTHING else {}
    first = run(docker, node(**fields))
    assert not first.errors
    assert lines(first) == ["+ sandbox demo-r1.sb (r1)", "+ container demo-r1 (r1)"]
    assert lines(run(docker, node(**fields))) == []


@pytest.mark.parametrize("entrypoint", [None, (), ("/own",)])
@pytest.mark.parametrize("cmd", [None, (), ("x",)])
@pytest.mark.parametrize("image", ["frr:1", "bare:1"])
def test_entrypoint_and_command_are_merged_with_the_image_as_docker_does(
    docker: FakeDocker, image: str, cmd: tuple[str, ...] | None, entrypoint: tuple[str, ...] | None
) -> None:
    want = node(image=image, cmd=cmd, entrypoint=entrypoint)
    assert not run(docker, want).errors
    assert lines(run(docker, want)) == []


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("/dev/kvm", ("/dev/kvm", "/dev/kvm", "mrw")),
        ("/dev/kvm:r", ("/dev/kvm", "/dev/kvm", "r")),
        ("/dev/a:/dev/b", ("/dev/a", "/dev/b", "mrw")),
        ("/dev/a:/dev/b:rw", ("/dev/a", "/dev/b", "rw")),
    ],
)
def test_a_device_is_read_with_its_defaults(text: str, parsed: tuple[str, str, str]) -> None:
    path, inside, permissions = spec.parse_device(text)
    assert (path, inside, "".join(sorted(permissions))) == parsed


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("/a:/b", ("/a", "/b", ())),
        ("/a/:/b/:rw", ("/a", "/b", ())),
        ("/a:/b:ro,z", ("/a", "/b", ("ro", "z"))),
        ("volume:/b", ("volume", "/b", ())),
    ],
)
def test_a_bind_is_read_without_what_says_nothing(text: str, parsed: tuple[str, str, tuple[str, ...]]) -> None:
    assert spec.parse_bind(text) == parsed


# -- what is a difference ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"image": "frr:2"}, {"image": ("frr:1@11", "frr:2@22")}),
        ({"cmd": ("other",)}, {"cmd": (["serve"], ["other"])}),
        ({"entrypoint": ("/own",)}, {"entrypoint": (["/init"], ["/own"]), "cmd": (["serve"], [])}),
        ({"user": "root"}, {"user": ("frr", "root")}),
        ({"env": {"MODE": "secret"}}, {"env: MODE": ("set", "changed")}),
        ({"env": {"NEW": "secret"}}, {"env: NEW": (None, "set")}),
        ({"labels": {"site": "n"}}, {"labels: site": (None, "n")}),
        ({"binds": ("/dev:/d",)}, {"binds": ([], ["/dev:/d"])}),
        ({"sysctls": {"kernel.msgmax": "1"}}, {"sysctls: kernel.msgmax": (None, "1")}),
        ({"cap_add": ("NET_ADMIN",)}, {"cap_add": ([], ["NET_ADMIN"])}),
        ({"devices": ("/dev/null",)}, {"devices": ([], ["/dev/null:/dev/null:mrw"])}),
        ({"privileged": True}, {"privileged": (False, True), "system_paths": ("default", "unconfined")}),
        ({"system_paths": "unconfined"}, {"system_paths": ("default", "unconfined")}),
        ({"memory": 1 << 26}, {"memory": (0, 1 << 26)}),
        ({"cpu": 0.5}, {"cpu": (0.0, 0.5)}),
        ({"kind": "frr"}, {"labels: archetype-kind": ("linux", "frr")}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_field_that_differs_recreates_the_node_and_is_named_both_ways(
    docker: FakeDocker, fields: dict[str, t.Any], told: dict[str, tuple[t.Any, t.Any]]
) -> None:
    run(docker, node(), node("r2"))
    others = docker.raw["demo-r2"]["State"]["StartedAt"]
    there = run(docker, node(**fields), node("r2"))
    assert not there.errors
    change = next(one for one in there.changes if one.kind == "container")
    assert (change.action, change.name, dict(change.fields)) == ("recreate", "demo-r1", told)
    back = run(docker, node(), node("r2"))
    again = next(one for one in back.changes if one.kind == "container")
    assert list(again.fields) == list(told)
    assert [one.name for one in (*there.changes, *back.changes) if "r2" in one.name] == []
    assert docker.raw["demo-r2"]["State"]["StartedAt"] == others


@pytest.mark.parametrize("form", [("--password", "{}"), ("--password={}",), ("--auth-token", "{}"), ("-admin_secret={}",)])
def test_passwords_in_commands_are_never_told(docker: FakeDocker, form: tuple[str, ...]) -> None:
    def commanded(password: str, *more: str) -> tuple[str, ...]:
        return ("--username", "clab", *(word.format(password) for word in form), *more)

    run(docker, node(cmd=commanded("s3cret-old")))
    there = run(docker, node(cmd=commanded("s3cret-new")))
    have, want = next(one for one in there.changes if one.kind == "container").fields["cmd"]
    assert have != want
    assert "*** (changed)" in want[-1]
    told = str([one.to_dict() for one in there.changes]) + "".join(one.to_line() for one in there.changes)
    longer = run(docker, node(cmd=commanded("s3cret-new", "--trace"), entrypoint=("/own", *commanded("s3cret-too"))))
    told += str([one.to_dict() for one in longer.changes])
    assert "--trace" in told
    assert "clab" in told
    assert "s3cret" not in told


def test_values_of_the_environment_are_never_told(docker: FakeDocker) -> None:
    run(docker, node(env={"TOKEN": "s3cret-old"}))
    told = json.dumps([one.to_dict() for one in run(docker, node(env={"TOKEN": "s3cret-new"})).changes])
    assert "TOKEN" in told
    assert "s3cret" not in told


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"hostname": "core"}, "hostname"), ({"sysctls": {"net.ipv4.ip_forward": "1"}}, "sysctls: net.ipv4.ip_forward")],
)
def test_what_belongs_to_the_network_recreates_sandbox_and_node(docker: FakeDocker, fields: dict[str, t.Any], name: str) -> None:
    run(docker, node())
    found = run(docker, node(**fields))
    assert not found.errors
    assert [(one.action, one.kind, list(one.fields)) for one in found.changes] == [
        ("recreate", "sandbox", [name]),
        ("recreate", "container", ["sandbox"]),
    ]
    assert lines(run(docker, node(**fields))) == []


def test_network_sysctls_go_to_the_sandbox_and_others_to_the_node() -> None:
    want = node(sysctls={"net.ipv4.ip_forward": "1", "kernel.msgmax": "5", "net.ipv6.conf.all.disable_ipv6": "1"})
    sandbox = spec.sandbox_config("demo", want, ipv6=True)["HostConfig"]["Sysctls"]
    assert sandbox == {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "0"}
    assert spec.sandbox_sysctls(node(), ipv6=False) == {}
    assert spec.node_config("demo", want, {}, spec.Surroundings("x"))["HostConfig"]["Sysctls"] == {"kernel.msgmax": "5"}


# -- what stops a run -------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_touched(docker: FakeDocker, state_dir: Path) -> None:
    docker.create("demo-r1", {"Image": "frr:1", "HostConfig": {"NetworkMode": "none"}})
    docker.create("demo-r2.sb", {"Image": "frr:1", "Labels": {"archetype-lab": "other"}, "HostConfig": {"NetworkMode": "none"}})
    docker.calls.clear()
    outside = File("/etc/passwd", content("x"))
    climbing = File(str(state_dir / "demo/files/r5/../r6/x"), content("x"))
    want = [
        node("r1"), node("r2"), node("r3", image="none:1"), node("r4", binds=("/nowhere/at/all:/x",)),
        node("r5", files=(outside, climbing, File(str(state_dir / "demo/files/r5/y"), "no base64!", "rwx"))),
        dataclasses.replace(node("r6"), name="demo-r3"),
    ]  # fmt: skip
    with pytest.raises(Errors) as caught:
        run(docker, *want)
    told = [str(error) for error in caught.value.errors]
    for part in (
        "container demo-r3 is in containers[2] and in containers[5]",
        "container demo-r1 is wanted for node r1 of lab demo, but is foreign (no archetype-lab mark)",
        "container demo-r2.sb is wanted for node r2 of lab demo, but is lab other",
        "image none:1 of node r3 is not on this server",
        "bind source /nowhere/at/all of node r4 is not on this server",
        "file /etc/passwd of node r5 is outside of",
        "files/r5/../r6/x of node r5 is outside of",
        "is not base64",
        "mode 'rwx' of file",
    ):
        assert [one for one in told if part in one], part
    assert {type(error) for error in caught.value.errors if "but is" in str(error)} == {ForeignError}
    assert docker.calls == []
    assert not state_dir.exists()


def test_a_missing_sandbox_image_says_who_builds_it(docker: FakeDocker) -> None:
    del docker.known[spec.SANDBOX_IMAGE]
    with pytest.raises(LabError, match="prepare_servers"):
        run(docker, node())


def test_boots_that_cannot_be_read_are_not_taken_for_none(docker: FakeDocker, state_dir: Path) -> None:
    (state_dir / "demo").mkdir(parents=True)
    (state_dir / "demo" / "boots.json").write_text("{")
    with pytest.raises(ReadError, match=r"boots\.json cannot be read"):
        run(docker, state="absent", prune=True)
    assert docker.calls == []


def test_a_name_that_cannot_be_part_of_a_path_is_refused(docker: FakeDocker) -> None:
    with pytest.raises(LabError, match="cannot be part of a path"):
        run(docker, node(node="../../etc"))


# -- states -----------------------------------------------------------------------------------------------------------


def test_check_mode_predicts_what_a_run_does_and_does_nothing(docker: FakeDocker, state_dir: Path) -> None:
    want = [node(files=(file(state_dir),), exec=(("ip", "link"),)), node("r2")]
    predicted = run(docker, *want, check_mode=True)
    assert docker.calls == []
    assert not state_dir.exists()
    assert [one["status"] for one in predicted.objects] == ["absent", "absent"]
    done = run(docker, *want)
    assert done.changes == predicted.changes
    assert [(one["status"], one["sandbox_status"]) for one in done.objects] == [("running", "running")] * 2


def test_present_makes_everything_and_starts_only_sandboxes(docker: FakeDocker) -> None:
    found = run(docker, node(interfaces=("eth1",), exec=(("true",),)), state="present")
    assert [(one["status"], one["sandbox_status"]) for one in found.objects] == [("created", "running")]
    assert not [call for call in docker.calls if call[0] == "execute"]
    started = run(docker, node(interfaces=("eth1",), exec=(("true",),)), net=FakeNet("lo", "eth1"))
    assert lines(started) == ["~ container demo-r1 (r1) start", "~ exec demo-r1 (r1) run: 1 command"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_node_is_not_started_without_its_interfaces(docker: FakeDocker, check_mode: bool) -> None:
    want = node(interfaces=("eth1", "eth2"))
    with pytest.raises(LabError, match=r"no interface eth1, eth2; run deploy_lab .*ovs_port_vlan"):
        run(docker, want, check_mode=check_mode)
    run(docker, want, state="present")
    with pytest.raises(LabError, match=r"node r1 cannot be started: its sandbox demo-r1\.sb has no interface eth2;"):
        run(docker, want, net=FakeNet("lo", "eth1"), check_mode=check_mode)
    assert docker.raw["demo-r1"]["State"]["Status"] == "created"


def test_the_second_stage_refuses_a_node_whose_ports_failed_and_starts_the_others(docker: FakeDocker) -> None:
    server = Server(docker=t.cast(t.Any, docker), net=t.cast(t.Any, FakeNet("eth1")))
    want = [node(interfaces=("eth2",)), node("r2", interfaces=("eth1",))]
    found = plan(want, read(server, "demo", want), lab="demo")
    assert apply_sandboxes(server, found) == []
    (error,) = apply_nodes(server, found)
    assert "node r1 cannot be started" in str(error)
    assert "demo-r1" not in docker.raw
    assert docker.raw["demo-r2"]["State"]["Status"] == "running"


def test_stopped_stops_the_node_and_keeps_its_sandbox(docker: FakeDocker) -> None:
    run(docker, node())
    assert lines(run(docker, node(), state="stopped")) == ["~ container demo-r1 (r1) stop"]
    assert docker.raw["demo-r1.sb"]["State"]["Status"] == "running"
    assert lines(run(docker, node(), state="stopped")) == []
    assert lines(run(docker, node())) == ["~ container demo-r1 (r1) start"]


def test_absent_removes_what_is_named_and_with_prune_all_of_the_lab_but_nothing_else(docker: FakeDocker, state_dir: Path) -> None:
    docker.create("demo-r9", {"Image": "frr:1", "HostConfig": {"NetworkMode": "none"}})
    docker.create("other-r1", {"Image": "frr:1", "Labels": {"archetype-lab": "other"}, "HostConfig": {"NetworkMode": "none"}})
    run(docker, node(files=(file(state_dir),)), node("r2"), node("r3"))
    assert lines(run(docker, state="absent")) == []
    one = run(docker, node(), node("r9"), state="absent")
    assert lines(one)[:2] == ["- container demo-r1 (r1)", "- sandbox demo-r1.sb (r1)"]
    assert not (state_dir / "demo" / "files").exists()
    assert sorted(docker.raw) == ["demo-r2", "demo-r2.sb", "demo-r3", "demo-r3.sb", "demo-r9", "other-r1"]
    run(docker, state="absent", prune=True)
    assert sorted(docker.raw) == ["demo-r9", "other-r1"]
    assert not (state_dir / "demo").exists()
    assert lines(run(docker, state="absent", prune=True)) == []


def test_prune_removes_what_the_list_does_not_name_and_its_absence_merges(docker: FakeDocker) -> None:
    run(docker, node(), node("r2"))
    assert lines(run(docker, node())) == []
    assert lines(run(docker, node(), prune=True)) == ["- container demo-r2 (r2)", "- sandbox demo-r2.sb (r2)"]
    assert sorted(docker.raw) == ["demo-r1", "demo-r1.sb"]


# -- stale -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (lambda docker: docker.crash("demo-r1"), ["~ container demo-r1 (r1) start"]),
        (
            lambda docker: docker.crash("demo-r1.sb"),
            ["~ sandbox demo-r1.sb (r1) start", "~ container demo-r1 (r1) restart: its sandbox has a new network namespace"],
        ),
        (
            lambda docker: (docker.kill("demo-r1.sb"), docker.start("demo-r1.sb")),
            ["~ container demo-r1 (r1) restart: its sandbox has a new network namespace"],
        ),
        (
            lambda docker: (docker.crash("demo-r1"), docker.crash("demo-r1.sb")),
            ["~ sandbox demo-r1.sb (r1) start", "~ container demo-r1 (r1) start"],
        ),
        (
            lambda docker: docker.remove("demo-r1"),
            ["~ sandbox demo-r1.sb (r1) restart: a new node gets a new network namespace", "+ container demo-r1 (r1)"],
        ),
        (
            lambda docker: docker.raw["demo-r1"]["State"].update(Status="paused"),
            ["~ container demo-r1 (r1) restart: it is paused"],
        ),
        (
            lambda docker: docker.raw["demo-r1"]["State"].update(Status="dead", Pid=0),
            [
                "~ sandbox demo-r1.sb (r1) restart: a new node gets a new network namespace",
                "~ container demo-r1 (r1) recreate: it is dead",
            ],
        ),
    ],
    ids=["node ended", "sandbox ended", "sandbox restarted", "both ended", "node removed", "node paused", "node dead"],
)
def test_what_is_stale_is_repaired_and_said(docker: FakeDocker, break_it: t.Callable[[FakeDocker], object], told: list[str]) -> None:
    run(docker, node(), node("r2"))
    break_it(docker)
    found = run(docker, node(), node("r2"))
    assert not found.errors
    assert lines(found) == told
    assert lines(run(docker, node(), node("r2"))) == []


def test_a_restart_of_the_node_alone_needs_nothing(docker: FakeDocker) -> None:
    want = node(exec=(("ip", "address", "add"),))
    run(docker, want)
    docker.kill("demo-r1")
    docker.start("demo-r1")
    assert lines(run(docker, want)) == []


def test_fresh_sandboxes_are_those_whose_interfaces_will_be_gone(docker: FakeDocker) -> None:
    run(docker, node(), node("r2"), node("r3"))
    docker.crash("demo-r1.sb")
    want = [node(), node("r2", memory=1 << 26), node("r3"), node("r4")]
    server = Server(docker=t.cast(t.Any, docker))
    assert plan(want, read(server, "demo", want), lab="demo").fresh_sandboxes == {"demo-r1.sb", "demo-r2.sb", "demo-r4.sb"}


def test_a_node_that_never_ran_is_recreated_in_the_namespace_that_is_there(docker: FakeDocker) -> None:
    run(docker, node(), state="present")
    assert [(one.action, one.kind) for one in run(docker, node(memory=1 << 26)).changes] == [("recreate", "container")]


# -- failures ----------------------------------------------------------------------------------------------------------


def test_a_node_that_ends_at_once_is_an_error_with_its_exit_code_and_last_lines(docker: FakeDocker) -> None:
    docker.die = {"demo-r1"}
    found = run(docker, node(exec=(("true",),)), node("r2"))
    (error,) = found.errors
    assert isinstance(error, VerifyError)
    assert "container demo-r1 of node r1 is exited right after its start, with exit code 7; its last lines: last words of demo-r1" in str(
        error
    )
    assert [one["status"] for one in found.objects] == ["exited", "running"]


def test_a_node_into_which_no_command_could_be_started_as_it_was_ending_is_told_as_ended(
    docker: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the runtime says then is no fault of the command, and Docker knows of the end a moment later."""
    docker.answers = {("true",): ExecResult(126, "OCI runtime exec failed: connection reset by peer")}
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if docker.calls[-1][0] == "execute":
            docker.crash("demo-r1")

    monkeypatch.setattr(time, "sleep", sleep)
    (error,) = run(docker, node(exec=(("true",),))).errors
    assert "container demo-r1 of node r1 is exited right after its start" in str(error)
    assert slept


def test_a_sandbox_that_ends_at_once_keeps_its_node_from_being_made(docker: FakeDocker) -> None:
    docker.die = {"demo-r1.sb"}
    found = run(docker, node(), node("r2"))
    assert ["sandbox demo-r1.sb of node r1 is exited" in str(error) for error in found.errors] == [True]
    assert sorted(docker.raw) == ["demo-r1.sb", "demo-r2", "demo-r2.sb"]


def test_what_docker_silently_leaves_out_is_an_error_and_not_a_recreation_for_ever(docker: FakeDocker) -> None:
    docker.drop = ("Memory",)
    (error,) = run(docker, node(memory=1 << 26)).errors
    assert "Docker did not take what container demo-r1 of node r1 declares: memory is 0, not 67108864" in str(error)
    assert docker.raw["demo-r1"]["State"]["Status"] == "created"


def test_a_dockerd_that_goes_away_in_the_middle_does_not_hide_what_was_done(docker: FakeDocker, monkeypatch: pytest.MonkeyPatch) -> None:
    run(docker, node())
    inspect, calls = docker.inspect, iter(range(9))

    def answer(names: t.Sequence[str]) -> t.Any:
        if next(calls) > 1:
            raise ReadError("dockerd does not answer")
        return inspect(names)

    monkeypatch.setattr(docker, "inspect", answer)
    found = run(docker, node(), node("r2"))
    assert [one.kind for one in found.changes] == ["sandbox", "container"]
    assert [str(error) for error in found.errors] == ["dockerd does not answer"] * 2


# -- commands ----------------------------------------------------------------------------------------------------------


def executed(docker: FakeDocker) -> list[str]:
    found = [call[2] for call in docker.calls if call[0] == "execute"]
    docker.calls.clear()
    return found


def test_commands_run_once_in_order_and_go_on_with_the_one_that_failed(docker: FakeDocker, state_dir: Path) -> None:
    want = node(exec=(("one",), ("two",), ("three",)))
    docker.answers[("two",)] = ExecResult(2, "x" * 5000 + " no such device\n")
    (error,) = run(docker, want).errors
    assert "exec command two of node r1 ended with exit code 2" in str(error)
    assert str(error).endswith("no such device; correct it; the next run goes on with this command")
    assert len(str(error)) < 2300
    assert executed(docker) == ["one", "two"]
    docker.answers.clear()
    again = run(docker, want)
    assert lines(again) == ["~ exec demo-r1 (r1) run: 2 commands"]
    assert executed(docker) == ["two", "three"]
    assert lines(run(docker, want)) == []
    assert (state_dir / "demo" / "boots.json").stat().st_mode & 0o777 == 0o600


def test_a_changed_list_runs_what_is_new_in_it(docker: FakeDocker) -> None:
    run(docker, node(exec=(("one",), ("two",))))
    executed(docker)
    assert lines(run(docker, node(exec=(("two",), ("new",), ("new",))))) == ["~ exec demo-r1 (r1) run: 2 commands"]
    assert executed(docker) == ["new", "new"]


@pytest.mark.parametrize(
    "boot",
    [
        lambda docker: docker.crash("demo-r1.sb"),
        lambda docker: docker.remove("demo-r1"),
        lambda docker: (docker.kill("demo-r1.sb"), docker.start("demo-r1.sb")),
    ],
)
def test_a_new_boot_runs_all_commands_again(docker: FakeDocker, boot: t.Callable[[FakeDocker], object]) -> None:
    want = node(exec=(("one",), ("two",)))
    run(docker, want)
    boot(docker)
    executed(docker)
    assert "~ exec demo-r1 (r1) run: 2 commands" in lines(run(docker, want))
    assert executed(docker) == ["one", "two"]


def test_pending_counts_a_command_that_is_listed_twice() -> None:
    a, b = Step(("a",)), Step(("b",))
    boot = _boots.Boot("c", "s", (a.digest,))
    assert _boots.pending([a, b, a], boot) == (b, a)
    assert _boots.pending([a], None) == (a,)


# -- delivered files ---------------------------------------------------------------------------------------------------


def test_files_are_delivered_whole_with_their_mode(docker: FakeDocker, state_dir: Path) -> None:
    old = os.umask(0o077)
    try:
        found = run(docker, node(files=(file(state_dir),), binds=(f"{state_dir}/demo/files/r1/etc:/etc/frr",)))
    finally:
        os.umask(old)
    assert not found.errors
    path = state_dir / "demo/files/r1/etc/frr.conf"
    assert path.read_text() == "hostname r1"
    assert path.stat().st_mode & 0o777 == 0o640
    assert {folder.stat().st_mode & 0o777 for folder in (path.parent, path.parent.parent, state_dir / "demo")} == {0o755}
    assert f"+ file {path} (r1)" in lines(found)


def test_a_file_that_the_node_changed_is_left_alone_until_its_declaration_changes(docker: FakeDocker, state_dir: Path) -> None:
    path = state_dir / "demo/files/r1/etc/frr.conf"
    run(docker, node(files=(file(state_dir),)))
    path.write_text("written by the node")
    assert lines(run(docker, node(files=(file(state_dir),)))) == []
    run(docker, node(files=(file(state_dir),), memory=1 << 26))
    assert path.read_text() == "written by the node"
    found = run(docker, node(files=(file(state_dir, text="hostname r2"),)))
    change = next(one for one in found.changes if one.kind == "container")
    assert change.action == "recreate"
    assert f"files: {path}" in change.fields
    assert path.read_text() == "hostname r2"


def test_a_file_that_is_enforced_is_written_anew_whenever_the_node_is_started_and_not_before(docker: FakeDocker, state_dir: Path) -> None:
    path = state_dir / "demo/files/r1/etc/frr.conf"
    enforced = dataclasses.replace(file(state_dir), enforce=True)
    run(docker, node(files=(enforced,)))
    path.write_text("written by the node")
    assert lines(run(docker, node(files=(enforced,)))) == []
    assert path.read_text() == "written by the node"
    docker.stop("demo-r1", timeout=1)
    predicted = lines(run(docker, node(files=(enforced,)), check_mode=True))
    found = run(docker, node(files=(enforced,)))
    assert lines(found) == predicted
    assert f"~ file {path} (r1)" in predicted
    assert path.read_text() == "hostname r1"


def test_files_that_are_declared_no_more_go_and_missing_ones_come_back(docker: FakeDocker, state_dir: Path) -> None:
    one, two = file(state_dir), file(state_dir, "b")
    run(docker, node(files=(one, two)))
    Path(one.path).unlink()
    found = run(docker, node(files=(one,)))
    assert not found.errors
    fields = next(change.fields for change in found.changes if change.kind == "container")
    assert fields == {f"files: {one.path}": ("missing", _files.digest_of(one)[:8]), f"files: {two.path}": (_files.digest_of(two)[:8], None)}
    assert Path(one.path).exists()
    assert not Path(two.path).exists()
    assert lines(run(docker, node(files=(one,)))) == []


def test_a_symbolic_link_that_a_node_planted_is_not_followed(docker: FakeDocker, state_dir: Path, tmp_path: Path) -> None:
    target = tmp_path / "outside"
    target.mkdir()
    folder = state_dir / "demo/files/r1"
    folder.mkdir(parents=True)
    (folder / "etc").symlink_to(target)
    (error,) = run(docker, node(files=(file(state_dir),))).errors
    assert "cannot be written" in str(error)
    assert list(target.iterdir()) == []
    (folder / "etc").unlink()
    (folder / "etc").mkdir()
    (target / "passwd").write_text("root")
    (folder / "etc/frr.conf").symlink_to(target / "passwd")
    assert not run(docker, node(files=(file(state_dir),))).errors
    assert (target / "passwd").read_text() == "root"
    assert not (folder / "etc/frr.conf").is_symlink()


def test_a_link_that_a_node_puts_in_the_place_of_a_new_folder_changes_nothing_outside(
    docker: FakeDocker, state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "outside"
    target.mkdir(mode=0o700)
    (state_dir / "demo/files/r1").mkdir(parents=True)
    make = os.mkdir

    def mkdir(name: str, *arguments: t.Any, dir_fd: int | None = None) -> None:
        make(name, *arguments, dir_fd=dir_fd)
        if dir_fd is not None:
            os.rmdir(name, dir_fd=dir_fd)
            os.symlink(target, name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", mkdir)
    (error,) = run(docker, node(files=(file(state_dir),))).errors
    assert "cannot be written" in str(error)
    assert target.stat().st_mode & 0o777 == 0o700
    assert list(target.iterdir()) == []


# -- the exec stream ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_output_of_both_streams_is_joined_however_it_is_cut_up(size: int) -> None:
    sent = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n" + b"\x01\0\0\0\0\0\0\x02hi" + b"\x01\0\0\0\0\0\0\0" + b"\x02\0\0\0\0\0\0\x09err"
    answer = Answer()
    for start in range(0, len(sent), size):
        answer.feed(sent[start : start + size])
    assert (answer.refused, answer.output) == (False, b"hierr")


def test_only_the_end_of_an_endless_output_is_kept() -> None:
    answer = Answer()
    answer.feed(b"HTTP/1.1 101 UPGRADED\r\n\r\n")
    for number in range(1000):
        answer.feed(b"\x01\0\0\0\0\0\0\x64" + b"%0100d" % number)
    assert len(answer.output) == KEPT_BYTES
    assert answer.output.endswith(b"999")


def test_a_refusal_is_told_in_dockers_words() -> None:
    answer = Answer()
    answer.feed(b'HTTP/1.1 409 Conflict\r\nX: y\r\n\r\n{"message":"not running"}')
    assert answer.refused
    assert answer.message == '{"message":"not running"}'
    assert Answer().message == "no answer from Docker"
