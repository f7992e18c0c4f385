# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection to Open vSwitch with real daemons: what it writes, and what it says when one of them is away."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.tunnelled import FRAMES, Tunnelled, tunnelled_servers
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

PRELUDE = """
import dataclasses, json, os, signal, sys, time
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._adapter import connect as kernel
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import DropGroup, NewVxlan, Vxlan
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._adapter import connect
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import *
ADDRESS = "unix:/var/run/openvswitch/db.sock"
def said(work):
    began = time.monotonic()
    try:
        work()
    except LabError as error:
        return [type(error).__name__, str(error), time.monotonic() - began]
    return None
def tell(value):
    print(json.dumps(value, default=dataclasses.asdict))
"""


@pytest.fixture
def lab(testbed: Testbed) -> Iterator[Tunnelled]:
    with tunnelled_servers(testbed) as one:
        yield one
        for daemon in ("ovsdb", "vswitchd"):
            one["srv1"].server.daemon("start", daemon)


def python(lab: Tunnelled, code: str) -> Any:
    """Run code on the first server: what it told."""
    command = ["env", f"PYTHONPATH={ROOT / 'collections'}", sys.executable, "-c", PRELUDE + code]
    return json.loads(lab["srv1"].server.run(command, check=True).stdout)


def test_a_port_is_merged_replaced_moved_and_recreated(lab: Tunnelled) -> None:
    steps = python(
        lab,
        """
db = connect(ADDRESS)
told = []
def step(*ops):
    db.apply(ops)
    told.append(db.read().ports.get("tu-p"))
db.apply([PutBridge("tu-br", datapath_type="netdev")])
step(PutPort("tu-p", "arch-ovs", tag=7, vlan_mode="access", external_ids={"a": "1", "b": "1"}))
step(PutPort("tu-p", "arch-ovs", trunks=(9, 8), vlan_mode="trunk", external_ids={"b": "2"}, drop_external_ids=("a", "never")))
step(PutPort("tu-p", "arch-ovs"))
step(PutPort("tu-p", "tu-br", tag=3, external_ids={"c": "3"}))
step(PutPort("tu-p", "tu-br", tag=4, external_ids={"d": "4"}, recreate=True))
step(DropPort("tu-p", "tu-br"), DropPort("tu-gone", "tu-br"), DropBridge("tu-br"))
tell(told)
""",
    )
    shown = [one and (one["bridge"], one["tag"], one["trunks"], one["vlan_mode"], one["external_ids"]) for one in steps]
    assert shown == [
        ("arch-ovs", 7, [], "access", {"a": "1", "b": "1"}),
        ("arch-ovs", None, [8, 9], "trunk", {"b": "2"}),
        ("arch-ovs", None, [], None, {"b": "2"}),
        ("tu-br", 3, [], None, {"c": "3"}),
        ("tu-br", 4, [], None, {"d": "4"}),
        None,
    ]
    assert "No such device" in steps[0]["interfaces"][0]["error"]


def test_a_transaction_is_all_or_nothing(lab: Tunnelled) -> None:
    name, text, _seconds = python(
        lab,
        """
db = connect(ADDRESS)
tell(said(lambda: db.apply([PutPort("tu-p", "arch-ovs"), PutPort("tu-q", "tu-nowhere")])))
""",
    )
    assert name == "ApplyError"
    assert "port tu-q cannot be added: there is no bridge tu-nowhere" in text
    assert "tu-p" not in lab["srv1"].ovs_ports()


def test_without_ovs_vswitchd_a_change_fails_in_time_and_says_who_does_not_answer(lab: Tunnelled) -> None:
    lab["srv1"].server.daemon("kill", "vswitchd")
    name, text, seconds = python(lab, """tell(said(lambda: connect(ADDRESS).apply([SetOther({"tu": "1"})], timeout=1.5)))""")
    assert name == "ApplyError"
    assert "ovs-vswitchd does not answer" in text
    assert 1 < seconds < 4
    lab["srv1"].server.daemon("start", "vswitchd")
    assert python(lab, """tell(said(lambda: connect(ADDRESS).apply([SetOther({"tu": "2"})])))""") is None


def test_without_ovsdb_server_nothing_is_read_and_nothing_is_deleted(lab: Tunnelled) -> None:
    half = lab.connect()["srv1"]
    lab["srv1"].server.daemon("kill", "ovsdb")
    for options in ({"prune": True}, {"prune": True, "state": "absent"}):
        ran = lab.apply("srv1", **options)
        assert ran.failed
        assert ran.result["errors"][0]["type"] == "ReadError"
        assert "cannot connect to ovsdb-server" in ran.result["msg"]
        assert "start Open vSwitch" in ran.result["msg"]
    assert lab.vxlan("srv1")["id"] == half["vni"]
    lab["srv1"].server.daemon("start", "ovsdb")
    lab.settled("srv1", half)


def test_a_server_that_hangs_is_an_error_in_time_for_reading_and_for_writing(lab: Tunnelled) -> None:
    (pid,) = lab["srv1"].server.pids("ovsdb")
    code = f"""
db = connect(ADDRESS, timeout=1.0)
db.apply([SetOther({{"tu": "3"}})])
os.kill({pid}, signal.SIGSTOP)
try:
    written = said(lambda: db.apply([SetOther({{"tu": "4"}})], timeout=1.0))
    tell([said(db.read), written, said(lambda: connect(ADDRESS, timeout=1.0).read())])
finally:
    os.kill({pid}, signal.SIGCONT)
"""
    try:
        reading, writing, connecting = python(lab, code)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (reading[0], connecting[0], writing[0]) == ("ReadError", "ReadError", "ApplyError")
    assert "does not answer" in reading[1]
    assert "does not answer" in writing[1]
    assert max(reading[2], writing[2], connecting[2]) < 3


def test_a_connection_outlives_a_restart_of_the_server(lab: Tunnelled) -> None:
    srv1 = lab["srv1"].server
    code = """
db = connect(ADDRESS)
db.apply([SetOther({"tu": "5"})])
print("ready", flush=True)
sys.stdin.readline()
tell([db.read().other_config["tu"], said(lambda: db.apply([SetOther({"tu": "6"})])), db.read().other_config["tu"]])
"""
    import subprocess

    command = srv1.entering(["env", f"PYTHONPATH={ROOT / 'collections'}", sys.executable, "-c", PRELUDE + code])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        srv1.daemon("kill", "ovsdb")
        srv1.daemon("start", "ovsdb")
        running.stdin.write("go\n")
        running.stdin.flush()
        assert json.loads(running.stdout.readline()) == ["5", None, "6"]


def test_while_many_ports_are_deleted_no_frame_of_another_lab_is_lost(lab: Tunnelled) -> None:
    """Each closed port stops the userspace datapath for some 12 ms: all at once, the frames of seconds would be lost."""
    lab.node("srv1", "a", "198.51.100.1")
    lab.node("srv1", "b", "198.51.100.2")
    code = """
net, db = kernel(), connect(ADDRESS)
names = [f"tud{number}" for number in range(128)]
net.apply([NewVxlan(name, Vxlan(990000 + number, "198.18.0.1", ("198.18.255.9",)), 1450, "", 991) for number, name in enumerate(names)])
db.apply([PutPort(name, "arch-ovs", tag=3100) for name in names])
print("ready", flush=True)
sys.stdin.readline()
db.apply([DropPort(name, "arch-ovs") for name in names])
net.apply([DropGroup(991)])
tell(len(names))
"""
    import subprocess

    command = lab["srv1"].server.entering(["env", f"PYTHONPATH={ROOT / 'collections'}", sys.executable, "-c", PRELUDE + code])
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as deleting,
        lab.python("srv1", "b", FRAMES) as hearing,
    ):
        assert deleting.stdin is not None
        assert deleting.stdout is not None
        assert deleting.stdout.readline() == "ready\n"
        hearing.stdin.write(json.dumps({"mark": "kept", "count": 0, "quiet": 4}))
        hearing.stdin.close()
        assert hearing.stdout.readline() == "listening\n"
        deleting.stdin.write("go\n")
        deleting.stdin.flush()
        sending = [*lab._within("a"), sys.executable, "-c", FRAMES]
        lab["srv1"].server.run(sending, stdin=json.dumps({"mark": "kept", "count": 700}), check=True)
        assert json.loads(deleting.stdout.readline()) == 128
        assert json.loads(hearing.stdout.readline()) == list(range(700))
