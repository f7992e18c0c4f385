# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of a node reaches Docker, is compared with what Docker has, and recreates its node when it changes: only then."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _container_nodes, _server
from ansible_collections.archetype.lab.plugins.module_utils import _container_settings as settings
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, File, Healthcheck
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from tests.unit.module_utils.container_nodes import HEALTH, IMAGES, lines, node, ok, run, stage
from tests.unit.module_utils.docker_fake import FakeDocker


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_container_nodes, "SETTLE", 0.0)


@pytest.fixture
def docker() -> FakeDocker:
    return FakeDocker(IMAGES)


CHECK = Healthcheck(("CMD", "true"), interval=1.5, timeout=2, start_period=3, retries=4)
RECREATE: dict[str, tuple[t.Any, list[str]]] = {
    "image": ("full:1", ["image", "healthcheck: interval", "healthcheck: retries", "healthcheck: test", "volumes"]),
    "cmd": (("other",), ["cmd"]),
    "entrypoint": (("/own",), ["entrypoint", "cmd"]),
    "user": ("root", ["user"]),
    "env": ({"A": "b"}, ["env: A"]),
    "labels": ({"a": "b"}, ["labels: a"]),
    "kind": ("frr", ["labels: archetype-kind"]),
    "binds": (("/dev:/d",), ["binds"]),
    "files": ((File("", "YQ=="),), ["files"]),
    "sysctls": ({"kernel.msgmax": "1"}, ["sysctls: kernel.msgmax"]),
    "cap_add": (("NET_ADMIN",), ["cap_add"]),
    "devices": (("/dev/null",), ["devices"]),
    "privileged": (True, ["privileged", "system_paths"]),
    "system_paths": ("unconfined", ["system_paths"]),
    "memory": (1 << 26, ["memory"]),
    "cpu": (0.5, ["cpu"]),
    "network": ("host", ["sandbox"]),
    "healthcheck": (CHECK, [f"healthcheck: {name}" for name in ("interval", "retries", "start_period", "test", "timeout")]),
    "tmpfs": ({"/t": "size=64k"}, ["tmpfs: /t"]),
    "volumes": (("/anonymous",), ["volumes"]),
    "shm_size": (1 << 20, ["shm_size"]),
    "security_opts": (("no-new-privileges",), ["security_opts"]),
    "pid_mode": ("host", ["pid_mode"]),
    "cgroupns_mode": ("private", ["cgroupns_mode"]),
    "cgroup_parent": ("/lab", ["cgroup_parent"]),
    "cpu_set": ("0", ["cpu_set"]),
}
"""Field -> another value of it, and what is named as its cause when the node is made anew."""
SANDBOX: dict[str, t.Any] = {
    "hostname": "core",
    "dns": ("198.51.100.53",),
    "dns_search": ("lab.test",),
    "dns_options": ("ndots:2",),
}
"""What belongs to the network, so that the sandbox is made anew, and the node with it."""
KEPT: dict[str, t.Any] = {
    "exec": (("true",),),
    "wave": 3,
    "waits_for": ("r2",),
    "boot_commands": (("true",),),
    "boot_timeout": 9,
    "ready_log": "up",
    "startup_delay": 0,
    "stage_commands": (stage("configure", "true"),),
}
"""What says when something happens, and nothing of what the node is."""
ELSEWHERE = {"name", "sandbox", "node", "interfaces", "hold"}
"""Who it is, and what is looked at elsewhere: interfaces before a start, hold after it."""


def test_every_field_of_a_container_is_tried_here() -> None:
    tried = {*RECREATE, *SANDBOX, *KEPT, *ELSEWHERE}
    assert {one.name for one in dataclasses.fields(Container)} == tried


@pytest.mark.parametrize("field", sorted(RECREATE))
def test_a_field_that_changes_recreates_its_node_and_no_other(docker: FakeDocker, field: str, tmp_path: Path) -> None:
    value, named = RECREATE[field]
    if field == "files":
        value = (File(str(tmp_path / "state/demo/files/r1/f"), "YQ=="),)
        named = [f"files: {value[0].path}"]
    ok(run(docker, node(), node("r2")))
    before = docker.raw["demo-r2"]["State"]["StartedAt"]
    done = run(docker, node(**{field: value}), node("r2"))
    assert [str(one) for one in done.errors] == []
    (change,) = [one for one in done.changes if one.kind == "container"]
    assert (change.action, change.name, list(change.fields)) == ("recreate", "demo-r1", named)
    assert ok(run(docker, node(**{field: value}), node("r2"))) == []
    (back,) = [one for one in run(docker, node(), node("r2")).changes if one.kind == "container"]
    assert (back.action, list(back.fields)) == ("recreate", named)
    assert docker.raw["demo-r2"]["State"]["StartedAt"] == before


@pytest.mark.parametrize("field", sorted(SANDBOX))
def test_a_field_of_the_network_recreates_sandbox_and_node(docker: FakeDocker, field: str) -> None:
    ok(run(docker, node()))
    found = run(docker, node(**{field: SANDBOX[field]}))
    assert [(one.action, one.kind, list(one.fields)) for one in found.changes] == [
        ("recreate", "sandbox", [field]),
        ("recreate", "container", ["sandbox"]),
    ]
    assert ok(run(docker, node(**{field: SANDBOX[field]}))) == []


@pytest.mark.parametrize("field", sorted(KEPT))
def test_what_a_node_is_not_made_of_never_recreates_it(docker: FakeDocker, field: str) -> None:
    ok(run(docker, node()))
    assert {one.kind for one in run(docker, node(**{field: KEPT[field]})).changes} <= {"exec"}
    assert ok(run(docker, node(**{field: KEPT[field]}))) == []


def test_dns_of_a_node_in_the_servers_network_is_its_own(docker: FakeDocker) -> None:
    one = node(network="host", dns=("198.51.100.53",), dns_search=("lab.test",), dns_options=("ndots:2",))
    ok(run(docker, one))
    host = docker.raw["demo-r1"]["HostConfig"]
    assert (host["Dns"], host["DnsSearch"], host["DnsOptions"]) == (["198.51.100.53"], ["lab.test"], ["ndots:2"])
    (change,) = run(docker, dataclasses.replace(one, dns=())).changes
    assert list(change.fields) == ["dns"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"cpu_set": "0-1"}, {"cpu_set": "1,0"}),
        ({"tmpfs": {"/t/": "size=1m,mode=700"}}, {"tmpfs": {"/t": "mode=700,size=1m"}}),
        ({"volumes": ("v:/d:rw",)}, {"volumes": ("v:/d",)}),
        ({"volumes": ("v:/d:ro,nocopy",)}, {"volumes": ("v:/d/:nocopy,ro",)}),
        ({"volumes": ("v:/d",)}, {"binds": ("v:/d",)}),
        ({"security_opts": ("seccomp:unconfined",)}, {"security_opts": ("seccomp=unconfined",)}),
        ({"security_opts": ("no-new-privileges:true",)}, {"security_opts": ("no-new-privileges",)}),
        ({"security_opts": ("systempaths=unconfined",)}, {"system_paths": "unconfined"}),
        ({"shm_size": 64 << 20}, {"shm_size": 0}),
        ({"pid_mode": "host", "security_opts": ("label=disable",)}, {"pid_mode": "host"}),
        ({"image": "full:1", "healthcheck": Healthcheck(("CMD", "own"), interval=5, retries=2)}, {"image": "full:1"}),
        ({"image": "full:1", "volumes": ("/image",)}, {"image": "full:1"}),
    ],
)  # fmt: skip
def test_other_words_for_the_same_change_nothing(docker: FakeDocker, one: dict[str, t.Any], other: dict[str, t.Any]) -> None:
    ok(run(docker, node(**one)))
    assert ok(run(docker, node(**other))) == []


def test_what_docker_is_told(docker: FakeDocker) -> None:
    ok(run(docker, node(healthcheck=CHECK, volumes=("data:/d:ro", "/a"), security_opts=("systempaths=unconfined", "seccomp=unconfined"))))
    raw = docker.raw["demo-r1"]
    assert raw["Config"]["Healthcheck"] == {
        "Test": ["CMD", "true"], "Interval": 1_500_000_000, "Timeout": 2_000_000_000, "StartPeriod": 3_000_000_000, "Retries": 4,
    }  # fmt: skip
    assert raw["Config"]["Volumes"] == {"/a": {}}
    assert raw["HostConfig"]["Binds"] == ["data:/d:ro"]
    assert raw["HostConfig"]["SecurityOpt"] == ["seccomp=unconfined"]
    assert raw["HostConfig"]["MaskedPaths"] == []


def test_the_time_until_docker_has_decided_comes_from_the_checks_own_numbers() -> None:
    assert settings.health_limit({"Healthcheck": HEALTH}) == 3 * (5 + 30)
    assert settings.health_limit({"Healthcheck": {"Test": ["CMD", "x"]}}) == 4 * 60


# -- volumes ----------------------------------------------------------------------------------------------------------


def test_a_named_volume_is_made_with_the_mark_shared_by_nodes_and_removed_when_no_node_has_it(docker: FakeDocker) -> None:
    two = [node(volumes=("data:/d",)), node("r2", volumes=("data:/e", "more:/m"))]
    assert ok(run(docker, *two))[:2] == ["+ volume data", "+ volume more"]
    assert docker.named == {"data": {"archetype-lab": "demo"}, "more": {"archetype-lab": "demo"}}
    assert ok(run(docker, *two)) == []
    assert "- volume more" in ok(run(docker, two[0], node("r2"), prune=True))
    assert set(docker.named) == {"data"}
    assert "- volume data" in ok(run(docker, state="absent", prune=True))
    assert docker.named == {}


def test_a_volume_that_was_there_before_is_used_and_stays(docker: FakeDocker) -> None:
    docker.named["old"] = {}
    assert not [line for line in ok(run(docker, node(volumes=("old:/d",)))) if "volume" in line]
    ok(run(docker, state="absent", prune=True))
    assert docker.named == {"old": {}}


def test_a_volume_of_another_lab_is_an_error_and_is_not_touched(docker: FakeDocker) -> None:
    docker.named["data"] = {"archetype-lab": "other"}
    with pytest.raises(LabError, match="volume data of node r1 of lab demo is lab other, and goes with it"):
        run(docker, node(volumes=("data:/d",)))
    assert docker.calls == []


def test_a_volume_that_begins_with_a_path_of_the_server_is_an_error(docker: FakeDocker) -> None:
    with pytest.raises(LabError, match="volume /srv:/d of node r1 begins with a path of the server; write it under binds"):
        run(docker, node(volumes=("/srv:/d",)))


def test_volumes_are_looked_at_only_where_there_are_any(docker: FakeDocker) -> None:
    run(docker, node())
    run(docker, node(), prune=True)
    assert "volumes" not in docker.looks
    run(docker, node(volumes=("data:/d",)))
    assert docker.looks.count("volumes") == 1


def test_a_run_with_nothing_to_do_asks_docker_three_times_whatever_is_declared(docker: FakeDocker) -> None:
    docker.health["demo-r1"] = ["healthy"]
    want = [
        node(healthcheck=CHECK, hold="healthy", tmpfs={"/t": ""}, cpu_set="0", dns=("198.51.100.53",), exec=(("true",),)),
        node("r2", network="node", sandbox="demo-r1.sb", pid_mode="container:r1", wave=1, stage_commands=(stage("configure", "true"),)),
        node("r3", network="host", wave=2),
    ]
    ok(run(docker, *want))
    docker.looks.clear()
    assert ok(run(docker, *want)) == []
    assert docker.looks == ["names", "containers", "images"]


def test_check_mode_predicts_volumes(docker: FakeDocker) -> None:
    want = node(volumes=("data:/d",))
    assert lines(run(docker, want, check_mode=True)) == ok(run(docker, want))
