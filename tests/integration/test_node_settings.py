# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of a node against a real dockerd: seen from inside the node, unchanged by a second run, and recreating only its node."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.lab_server import LabServer

MIB = 1024 * 1024


def node(name: str = "r1", **fields: Any) -> dict[str, Any]:
    return {"name": f"lc-{name}", "sandbox": f"lc-{name}.sb", "node": name, "image": "box:1", **fields}


def converge(server: LabServer, *containers: dict[str, Any], **options: Any) -> dict[str, Any]:
    return server.module("lab_container", lab="lc", containers=list(containers), **options)


def ok(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    assert not result.get("failed"), result["msg"]
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]


def inside(box: LabServer, *command: str, name: str = "r1") -> str:
    return box.docker("exec", f"lc-{name}", *command)


def cgroup(box: LabServer, controller: str, name: str = "r1") -> str:
    """The node's control group, as the server sees it; C(/x) stands for any with cgroup v2."""
    lines = [line.split(":", 2) for line in box.run("cat", f"/proc/{box.pid(f'lc-{name}')}/cgroup").splitlines()]
    return next(path for _number, names, path in lines if controller in names.split(",") or not names)


@pytest.fixture
def volumes(box: LabServer) -> Any:
    yield
    box.reset()
    left = [name for name in box.docker("volume", "ls", "-q").split() if name.startswith("lc")]
    if left:
        box.docker("volume", "rm", *left)


def test_what_a_node_is_given_is_seen_inside_it(box: LabServer, volumes: None) -> None:
    want = node(
        tmpfs={"/t": "size=65536,mode=0700"},
        volumes=["lc-data:/data", "/anonymous"],
        shm_size=2 * MIB,
        security_opts=["no-new-privileges"],
        cpu_set="0",
        dns=["198.51.100.53"],
        dns_search=["lab.test"],
        dns_options=["ndots:2"],
        cgroup_parent="/lc-parent",
    )
    ok(converge(box, want))
    mounts = inside(box, "cat", "/proc/mounts").splitlines()
    assert any(line.split()[1:3] == ["/t", "tmpfs"] and "size=64k" in line and "mode=700" in line for line in mounts), mounts
    assert any(line.split()[1] == "/dev/shm" and "size=2048k" in line for line in mounts), mounts
    assert {"/data", "/anonymous"} <= {line.split()[1] for line in mounts}
    status = dict(line.split(":", 1) for line in inside(box, "cat", "/proc/self/status").splitlines() if ":" in line)
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Cpus_allowed_list"].strip() == "0"
    resolver = inside(box, "cat", "/etc/resolv.conf").splitlines()
    assert [line for line in resolver if not line.startswith("#")] == ["search lab.test", "nameserver 198.51.100.53", "options ndots:2"]
    assert cgroup(box, "pids").startswith(("/lc-parent/", "/altb/")), cgroup(box, "pids")
    assert "lc-parent" in cgroup(box, "pids")
    assert ok(converge(box, want)) == []


def test_processes_of_the_server_and_of_another_node(box: LabServer) -> None:
    want = [node(pid_mode="host"), node("lead"), node("other", pid_mode="container:lead")]
    ok(converge(box, *want))
    spaces = {name: box.run("readlink", f"/proc/{box.pid(f'lc-{name}')}/ns/pid").strip() for name in ("r1", "lead", "other")}
    assert spaces["r1"] == box.run("readlink", "/proc/self/ns/pid").strip()
    assert spaces["lead"] == spaces["other"] != spaces["r1"]
    assert ok(converge(box, *want)) == []
    box.docker("kill", "lc-lead")
    assert {one[2] for one in ok(converge(box, *want))} == {"lc-lead", "lc-other"}
    assert ok(converge(box, *want)) == []


@pytest.mark.parametrize("mode", ["host", "private"])
def test_the_cgroup_namespace_is_the_one_that_is_asked_for(box: LabServer, mode: str) -> None:
    ok(converge(box, node(cgroupns_mode=mode)))
    own = box.run("readlink", f"/proc/{box.pid('lc-r1')}/ns/cgroup").strip()
    assert (own == box.run("readlink", "/proc/self/ns/cgroup").strip()) is (mode == "host")
    assert ok(converge(box, node(cgroupns_mode=mode))) == []


def test_a_health_check_is_docker_s_own_and_its_images_where_it_says_nothing(box: LabServer) -> None:
    check = {"test": ["CMD", "cat", "/etc/passwd"], "interval": 0.5, "timeout": 2.0, "start_period": 1.0, "retries": 2}
    want = node(healthcheck=check, hold="healthy")
    found = converge(box, want)
    ok(found)
    told = box.inspect("lc-r1")
    assert told["State"]["Health"]["Status"] == "healthy"
    assert told["Config"]["Healthcheck"] == {
        "Test": check["test"], "Interval": 500_000_000, "Timeout": 2_000_000_000, "StartPeriod": 1_000_000_000, "Retries": 2,
    }  # fmt: skip
    assert ok(converge(box, want)) == []


def test_a_named_volume_outlives_its_node_and_goes_with_the_lab(box: LabServer, volumes: None) -> None:
    box.docker("volume", "create", "lc-foreign")
    want = node(volumes=["lc-data:/data", "lc-foreign:/foreign:ro"])
    assert ("create", "volume", "lc-data") in ok(converge(box, want))
    inside(box, "sh", "-c", "echo kept > /data/file")
    ok(converge(box, {**want, "env": {"NEW": "1"}}))
    assert inside(box, "cat", "/data/file") == "kept"
    predicted = converge(box, state="absent", prune=True, check_mode=True)
    assert predicted["changes"] == converge(box, state="absent", prune=True)["changes"]
    assert box.docker("volume", "ls", "-q", "--filter", "name=lc-").split() == ["lc-foreign"]


def test_anonymous_volumes_leave_nothing_behind(box: LabServer) -> None:
    before = box.docker("volume", "ls", "-q").split()
    ok(converge(box, node(volumes=["/one", "/two"])))
    assert len(box.docker("volume", "ls", "-q").split()) == len(before) + 2
    ok(converge(box, node(volumes=["/one"])))
    ok(converge(box, state="absent", prune=True))
    assert box.docker("volume", "ls", "-q").split() == before


CHANGED: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({}, {"tmpfs": {"/t": ""}}, ["tmpfs: /t"]),
    ({"tmpfs": {"/t": "size=1m"}}, {"tmpfs": {"/t": "size=2m"}}, ["tmpfs: /t"]),
    ({}, {"volumes": ["/v"]}, ["volumes"]),
    ({"volumes": ["lc-a:/v"]}, {"volumes": ["lc-a:/v:ro"]}, ["volumes"]),
    ({}, {"shm_size": MIB}, ["shm_size"]),
    ({}, {"security_opts": ["no-new-privileges"]}, ["security_opts"]),
    ({}, {"security_opts": ["systempaths=unconfined"]}, ["system_paths"]),
    ({}, {"pid_mode": "host"}, ["pid_mode"]),
    ({"cgroupns_mode": "host"}, {"cgroupns_mode": "private"}, ["cgroupns_mode"]),
    ({}, {"cgroup_parent": "/lc-parent"}, ["cgroup_parent"]),
    ({"cpu_set": "0"}, {"cpu_set": "0-1"}, ["cpu_set"]),
    ({}, {"healthcheck": {"test": ["CMD", "true"]}}, ["healthcheck: test"]),
    ({"healthcheck": {"test": ["CMD", "true"], "interval": 9.0}}, {"healthcheck": {"test": ["CMD", "true"]}}, ["healthcheck: interval"]),
    ({}, {"network": "host"}, ["sandbox"]),
    ({"network": "host"}, {"network": "host", "dns": ["198.51.100.1"]}, ["dns"]),
]


def test_each_setting_that_changes_recreates_just_its_node_and_is_named(box: LabServer, volumes: None) -> None:
    names = [f"n{number}" for number in range(len(CHANGED))]
    first = [node("still"), *(node(name, **before) for name, (before, _after, _named) in zip(names, CHANGED, strict=True))]
    ok(converge(box, *first, prune=True))
    assert ok(converge(box, *first, prune=True)) == []
    still = box.inspect("lc-still")["State"]["StartedAt"]
    want = [node("still"), *(node(name, **after) for name, (_before, after, _named) in zip(names, CHANGED, strict=True))]
    predicted = converge(box, *want, prune=True, check_mode=True)
    done = converge(box, *want, prune=True)
    ok(done)
    assert predicted["changes"] == done["changes"]
    told = [(one["action"], one["name"], list(one["fields"])) for one in done["changes"] if one["kind"] == "container"]
    assert told == [("recreate", f"lc-{name}", named) for name, (_before, _after, named) in zip(names, CHANGED, strict=True)]
    assert ok(converge(box, *want, prune=True)) == []
    assert box.inspect("lc-still")["State"]["StartedAt"] == still


def test_what_docker_refuses_is_an_error_of_its_node_alone(box: LabServer) -> None:
    done = converge(box, node(cpu_set="4096"), node("r2"), node("r3", security_opts=["no-such-option=x"]))
    assert done["failed"] is True
    assert sorted(one["objects"] for one in done["errors"]) == [["lc-r1"], ["lc-r3"]]
    assert "Requested CPUs are not available" in done["msg"]
    assert box.inspect("lc-r2")["State"]["Running"] is True


def test_a_delay_holds_up_only_its_own_node_and_only_when_it_starts(box: LabServer) -> None:
    want = [node("now"), node("late", startup_delay=2), node("too", startup_delay=2)]
    ok(converge(box, *want))
    began = {name: box.docker("inspect", "--format", "{{.State.StartedAt}}", f"lc-{name}") for name in ("now", "late", "too")}
    seconds = {name: float(text.rpartition(":")[2].rstrip("Z")) + 60 * int(text.split(":")[1]) for name, text in began.items()}
    assert (seconds["late"] - seconds["now"]) % 3600 >= 1.5
    assert min((seconds["late"] - seconds["too"]) % 3600, (seconds["too"] - seconds["late"]) % 3600) < 1
    before = time.monotonic()
    assert ok(converge(box, *want)) == []
    assert time.monotonic() - before < 2
