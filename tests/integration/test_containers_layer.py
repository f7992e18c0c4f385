# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module lab_container against a real dockerd."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.integration.lab_server import LabServer

FILES = "/var/lib/archetype-lab/lc/files"


def node(name: str = "r1", **fields: Any) -> dict[str, Any]:
    return {"name": f"lc-{name}", "sandbox": f"lc-{name}.sb", "node": name, "image": "box:1", **fields}


def converge(server: LabServer, *containers: dict[str, Any], **options: Any) -> dict[str, Any]:
    return server.module("lab_container", lab="lc", containers=list(containers), **options)


def ok(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The changes of a run that must not have failed."""
    assert not result.get("failed"), result["msg"]
    return [(change["action"], change["kind"], change["name"]) for change in result["changes"]]


def file(name: str, text: str, node_name: str = "r1") -> dict[str, str]:
    return {"path": f"{FILES}/{node_name}/{name}", "content": base64.b64encode(text.encode()).decode()}


EVERYTHING: dict[str, Any] = {
    "hostname": "core",
    "cmd": ["/bin/sleep", "1000000"],
    "user": "nobody",
    "env": {"A": "node", "EMPTY": "", "EQ": "a=b"},
    "labels": {"site": "north", "base": "no"},
    "binds": [f"{FILES}/r1/etc/a.conf:/etc/a.conf:ro", "/tmp//:/t:rw"],
    "files": [file("etc/a.conf", "one")],
    "sysctls": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "9000"},
    "cap_add": ["cap_net_admin", "NET_RAW"],
    "devices": ["/dev/null:/dev/n", "/dev/zero:r"],
    "system_paths": "unconfined",
    "memory": 64 * 1024 * 1024,
    "cpu": 0.333333333333,
    "exec": [["touch", "/tmp/ran"]],
}


def test_everything_that_can_be_declared_is_there_and_the_second_run_changes_nothing(box: LabServer) -> None:
    first = converge(box, node(**{**EVERYTHING, "exec": [["true"]]}), node("r2"))
    assert ok(first) == [
        ("create", "sandbox", "lc-r1.sb"),
        ("create", "file", f"{FILES}/r1/etc/a.conf"),
        ("create", "container", "lc-r1"),
        ("run", "exec", "lc-r1"),
        ("create", "sandbox", "lc-r2.sb"),
        ("create", "container", "lc-r2"),
    ]
    assert [(one["status"], one["sandbox_status"]) for one in first["containers"]] == [("running", "running")] * 2
    assert box.docker("exec", "lc-r1", "hostname") == "core"
    assert box.docker("exec", "lc-r2", "hostname") == "r2"
    assert box.docker("exec", "lc-r1", "cat", "/etc/a.conf") == "one"
    assert box.docker("exec", "lc-r1", "cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax").split() == ["1", "9000"]
    assert box.docker("exec", "lc-r1", "cat", "/proc/sys/net/ipv6/conf/default/disable_ipv6") == "0"
    second = converge(box, node(**{**EVERYTHING, "exec": [["true"]]}), node("r2"))
    assert ok(second) == []
    assert second["changed"] is False


SINGLE: list[tuple[dict[str, Any], list[str]]] = [
    ({"image": "box:2"}, ["image", "env: VERSION", "labels: version"]),
    ({"cmd": ["/bin/sleep", "1000"]}, ["cmd"]),
    ({"entrypoint": ["/bin/sleep"], "cmd": ["1000"]}, ["entrypoint", "cmd"]),
    ({"user": "nobody"}, ["user"]),
    ({"env": {"A": "other"}}, ["env: A"]),
    ({"labels": {"site": "n"}}, ["labels: site"]),
    ({"binds": ["/tmp:/t:ro"]}, ["binds"]),
    ({"sysctls": {"kernel.msgmax": "9000"}}, ["sysctls: kernel.msgmax"]),
    ({"cap_add": ["NET_ADMIN"]}, ["cap_add"]),
    ({"devices": ["/dev/null:/dev/n"]}, ["devices"]),
    ({"system_paths": "unconfined"}, ["system_paths"]),
    ({"memory": 64 * 1024 * 1024}, ["memory"]),
    ({"cpu": 0.5}, ["cpu"]),
    ({"files": [file("x", "y", "n13")]}, [f"files: {FILES}/n13/x"]),
]


def test_each_single_field_recreates_exactly_its_node_and_is_named(box: LabServer) -> None:
    names = [f"n{number}" for number in range(len(SINGLE))]
    ok(converge(box, node(), *map(node, names)))
    neighbour = box.inspect("lc-r1")["State"]["StartedAt"]
    want = [node(), *(node(name, **fields) for name, (fields, _named) in zip(names, SINGLE, strict=True))]
    predicted = converge(box, *want, check_mode=True)
    done = converge(box, *want)
    assert predicted["changes"] == done["changes"]
    told = [(one["action"], one["name"], list(one["fields"])) for one in done["changes"] if one["kind"] == "container"]
    assert told == [("recreate", f"lc-{name}", named) for name, (_fields, named) in zip(names, SINGLE, strict=True)]
    assert not [one for one in done["changes"] if "r1" in one["name"]]
    assert box.inspect("lc-r1")["State"]["StartedAt"] == neighbour
    assert ok(converge(box, *want)) == []


def test_one_node_is_recreated_and_the_others_are_left_alone(box: LabServer) -> None:
    ok(converge(box, node(), node("r2")))
    found = converge(box, node(env={"TOKEN": "s3cret"}), node("r2"))
    assert ok(found) == [("restart", "sandbox", "lc-r1.sb"), ("recreate", "container", "lc-r1")]
    assert "env: TOKEN (none) -> set" in found["diff"]["prepared"]
    assert "s3cret" not in str(found["changes"]) + str(found["diff"])


@pytest.mark.parametrize(
    ("fields", "named"), [({"hostname": "core"}, "hostname"), ({"sysctls": {"net.ipv4.ip_forward": "0"}}, "sysctls: net.ipv4.ip_forward")]
)
def test_a_field_of_the_network_recreates_the_sandbox_and_its_node(box: LabServer, fields: dict[str, Any], named: str) -> None:
    ok(converge(box, node()))
    found = converge(box, node(**fields))
    assert ok(found) == [("recreate", "sandbox", "lc-r1.sb"), ("recreate", "container", "lc-r1")]
    assert [list(one["fields"]) for one in found["changes"]] == [[named], ["sandbox"]]
    assert ok(converge(box, node(**fields))) == []


def test_an_image_that_was_built_anew_under_its_name_recreates_the_node(box: LabServer) -> None:
    box.docker("tag", "box:1", "box:moving")
    ok(converge(box, node(image="box:moving")))
    box.docker("tag", "box:2", "box:moving")
    (change,) = [one for one in converge(box, node(image="box:moving"))["changes"] if one["kind"] == "container"]
    assert (change["action"], list(change["fields"])) == ("recreate", ["image", "env: VERSION", "labels: version"])
    assert ok(converge(box, node(image="box:moving"))) == []


def test_check_mode_on_an_empty_server_names_everything_and_touches_nothing(box: LabServer) -> None:
    predicted = converge(box, node(**EVERYTHING), node("r2"), check_mode=True)
    assert box.names() == []
    assert box.labs() == []
    done = converge(box, node(**EVERYTHING), node("r2"))
    assert predicted["changes"] == done["changes"]
    assert predicted["diff"] == done["diff"]
    assert "+ container lc-r2 (r2)\n" in done["diff"]["prepared"]


def test_a_sandbox_that_died_is_started_and_its_node_after_it_and_commands_run_again(box: LabServer) -> None:
    want = node(cap_add=["NET_ADMIN"], exec=[["ip", "address", "add", "198.18.77.1/32", "dev", "lo"], ["touch", "/tmp/ran"]])
    ok(converge(box, want, node("r2")))
    box.docker("kill", "lc-r1.sb")
    predicted = converge(box, want, node("r2"), check_mode=True)
    done = converge(box, want, node("r2"))
    assert ok(done) == [("start", "sandbox", "lc-r1.sb"), ("restart", "container", "lc-r1"), ("run", "exec", "lc-r1")]
    assert predicted["changes"] == done["changes"]
    box.docker("restart", "-t", "0", "lc-r1.sb")
    assert ok(converge(box, want, node("r2"))) == [("restart", "container", "lc-r1"), ("run", "exec", "lc-r1")]
    assert "198.18.77.1" in box.docker("exec", "lc-r1", "ip", "address")
    assert ok(converge(box, want, node("r2"))) == []


def test_a_node_that_was_removed_by_hand_comes_back_as_new(box: LabServer) -> None:
    want = node(cap_add=["NET_ADMIN"], exec=[["ip", "address", "add", "198.18.77.1/32", "dev", "lo"]])
    ok(converge(box, want))
    box.docker("rm", "-f", "lc-r1")
    assert ok(converge(box, want)) == [("restart", "sandbox", "lc-r1.sb"), ("create", "container", "lc-r1"), ("run", "exec", "lc-r1")]
    assert ok(converge(box, want)) == []


def test_both_come_back_after_dockerd_ended_and_started(box: LabServer) -> None:
    ok(converge(box, node(), node("r2")))
    box.server.daemon("stop", "dockerd")
    gone = converge(box, node())
    assert gone["failed"] is True
    assert "start it or run archetype.lab.prepare_servers" in gone["msg"]
    box.server.daemon("start", "dockerd")
    ok(converge(box, node(), node("r2")))
    assert [box.inspect(f"lc-{name}")["State"]["Running"] for name in ("r1", "r2", "r1.sb", "r2.sb")] == [True] * 4
    assert ok(converge(box, node(), node("r2"))) == []


def test_commands_go_on_with_the_one_that_failed(box: LabServer) -> None:
    commands = [["sh", "-c", "echo one >> /tmp/log"], ["cat", "/tmp/later"], ["sh", "-c", "echo three >> /tmp/log"]]
    failed = converge(box, node(exec=commands))
    assert failed["failed"] is True
    assert "exec command cat /tmp/later of node r1 ended with exit code 1: cat: can't open '/tmp/later'" in failed["msg"]
    assert [one["status"] for one in failed["containers"]] == ["running"]
    box.docker("exec", "lc-r1", "touch", "/tmp/later")
    assert ok(converge(box, node(exec=commands))) == [("run", "exec", "lc-r1")]
    assert box.docker("exec", "lc-r1", "cat", "/tmp/log").split() == ["one", "three"]
    assert ok(converge(box, node(exec=commands))) == []
    assert box.run("stat", "-c", "%a", "/var/lib/archetype-lab/lc/boots.json").strip() == "600"


def test_commands_of_the_kind_come_when_the_log_of_this_boot_shows_that_the_node_is_ready(box: LabServer) -> None:
    slow = {"cmd": ["sh", "-c", ": > /tmp/up; echo booting; sleep 2; echo yes > /tmp/up; echo System is ready; exec sleep 100000"]}
    asks = [["sh", "-c", "read answer < /tmp/up"]]
    own = {"boot_commands": asks, "ready_log": "System (is )?ready", "boot_timeout": 30, "exec": [["true"]]}
    ok(converge(box, node(**slow, **own)))
    assert ok(converge(box, node(**slow, **own))) == []
    box.docker("kill", "lc-r1.sb")
    ok(converge(box, node(**slow, **own)))
    found = converge(box, node("r2", **slow, **{**own, "ready_log": "never", "boot_timeout": 3}))
    assert found["msg"].startswith("node r2 is not ready after 3 s: its log does not show never; its last line: System is ready;")
    assert ok(converge(box, node("r2", **slow, **own))) == [("run", "exec", "lc-r2")]


def test_a_command_that_leaves_a_daemon_behind_does_not_hold_up_the_run(box: LabServer) -> None:
    ok(converge(box, node(exec=[["sh", "-c", "sleep 1000 & echo started"]])))


def test_states_go_from_present_over_started_to_stopped_and_back(box: LabServer) -> None:
    want = node(interfaces=["eth1"])
    refused = converge(box, want)
    assert refused["failed"] is True
    assert "node r1 cannot be started: its sandbox lc-r1.sb has no interface eth1" in refused["msg"]
    assert "ovs_port_vlan" in refused["msg"]
    assert box.names() == []
    assert [one["status"] for one in converge(box, want, state="present")["containers"]] == ["created"]
    assert ok(converge(box, want, state="present")) == []
    box.plug("lc-r1.sb", "eth1")
    assert ok(converge(box, want)) == [("start", "container", "lc-r1")]
    assert ok(converge(box, want, state="stopped")) == [("stop", "container", "lc-r1")]
    assert ok(converge(box, want)) == [("start", "container", "lc-r1")]
    assert ok(converge(box, want, state="absent")) == [("delete", "container", "lc-r1"), ("delete", "sandbox", "lc-r1.sb")]
    assert box.names() == []


def test_prune_removes_what_is_not_listed_and_nothing_of_others(box: LabServer) -> None:
    box.docker("run", "-d", "--name", "lc-foreign", "--network", "none", "box:1")
    ok(box.module("lab_container", lab="lctwo", containers=[node("x")]))
    ok(converge(box, node(files=[file("a", "b")]), node("r2")))
    assert ok(converge(box, node("r2"))) == []
    predicted = converge(box, node("r2"), prune=True, check_mode=True)
    pruned = converge(box, node("r2"), prune=True)
    assert predicted["changes"] == pruned["changes"]
    assert ok(pruned) == [("delete", "container", "lc-r1"), ("delete", "sandbox", "lc-r1.sb"), ("delete", "file", f"{FILES}/r1")]
    started = box.inspect("lc-foreign")["State"]["StartedAt"]
    ok(converge(box, prune=True, state="absent"))
    assert box.names() == ["lc-foreign", "lc-x", "lc-x.sb"]
    assert box.inspect("lc-foreign")["State"]["StartedAt"] == started
    assert box.labs() == ["lctwo"]


def test_what_a_node_wrote_to_its_delivered_file_stays(box: LabServer) -> None:
    want = node(files=[file("etc/a.conf", "declared")], binds=[f"{FILES}/r1/etc:/etc/app"])
    ok(converge(box, want))
    box.docker("exec", "lc-r1", "sh", "-c", "echo saved > /etc/app/a.conf")
    assert ok(converge(box, want)) == []
    ok(converge(box, {**want, "memory": 64 * 1024 * 1024}))
    assert box.docker("exec", "lc-r1", "cat", "/etc/app/a.conf") == "saved"
    ok(converge(box, {**want, "files": [file("etc/a.conf", "declared anew")]}))
    assert box.docker("exec", "lc-r1", "cat", "/etc/app/a.conf") == "declared anew"


def test_a_missing_image_and_a_missing_bind_source_are_told_before_anything_is_touched(box: LabServer) -> None:
    failed = converge(box, node(image="none:1"), node("r2", binds=["/nowhere:/x"]), node("r3"))
    assert [error["msg"] for error in failed["errors"]] == [
        "image none:1 of node r1 is not on this server",
        "bind source /nowhere of node r2 is not on this server",
    ]
    assert box.names() == []
