# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a link does to frames: the rate is kept, read back, changed and taken away; what the kernel cannot do is said."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.wired import Wired, port, wired_server
from tests.testbed.testbed import Testbed

SANDBOX = "x.r1.sandbox"
SENT = 3_000_000
SENDER = """
import socket, sys, time
far = socket.create_connection(("198.51.100.2", 5201), timeout=20)
began = time.monotonic()
far.sendall(bytes(int(sys.argv[1])))
far.shutdown(socket.SHUT_WR)
far.recv(1)
print(time.monotonic() - began)
"""
RECEIVER = """
import socket
server = socket.create_server(("198.51.100.2", 5201))
print("listening", flush=True)
near, _ = server.accept()
while near.recv(1 << 16):
    pass
near.sendall(b".")
"""


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        for name in ("r1", "r2"):
            one.sandbox(f"x.{name}.sandbox")
        yield one


def ends(**impairment: Any) -> list[dict[str, Any]]:
    tc = {"impairment": impairment} if impairment else {}
    return [
        port(1, "r1", 100, addresses=["198.51.100.1/24"], **tc),
        port(2, "r2", 100, addresses=["198.51.100.2/24"]),
    ]


def qdiscs(wired: Wired) -> list[dict[str, Any]]:
    return [one for one in json.loads(wired.inside(SANDBOX, "tc", "-json", "qdisc", "show", "dev", "eth1")) if one.get("handle") != "0:"]


def seconds(wired: Wired, size: int) -> float:
    """How long r1 needs to send this many bytes to r2."""
    command = wired.server.entering(["nsenter", f"--net={wired.netns('x.r2.sandbox')}", "python3", "-c", RECEIVER])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        receiver.stdout.readline()
        taken = float(wired.inside(SANDBOX, "python3", "-c", SENDER, str(size)))
        receiver.wait(timeout=20)
    return taken


def test_a_rate_is_kept_and_a_second_run_changes_nothing(wired: Wired) -> None:
    predicted = wired.ports(*ends(rate=10_000), check=True).lines
    assert wired.ports(*ends(rate=10_000)).ok().lines == predicted
    (found,) = qdiscs(wired)
    assert (found["kind"], found["handle"], found["options"]["rate"]) == ("tbf", "a7ab:", 1_250_000)
    assert not wired.ports(*ends(rate=10_000)).ok().result["changed"]
    taken = seconds(wired, SENT)
    ideal = SENT * 8 / 10_000_000
    assert 0.9 * ideal < taken < 2 * ideal, f"{SENT} bytes at 10 Mbit/s took {taken:.2f} s"


def test_a_rate_is_changed_in_place_and_taken_away(wired: Wired) -> None:
    wired.ports(*ends(rate=10_000)).ok()
    index = wired.devices(SANDBOX)["eth1"]["ifindex"]
    assert wired.ports(*ends(rate=80_000)).ok().lines == ["~ port xp1 (r1:eth1): tc inside rate 10000 -> rate 80000"]
    assert qdiscs(wired)[0]["options"]["rate"] == 10_000_000
    assert wired.ports(*ends()).ok().lines == ["~ port xp1 (r1:eth1): tc inside rate 80000 -> (none)"]
    assert qdiscs(wired) == []
    assert wired.devices(SANDBOX)["eth1"]["ifindex"] == index
    began = time.monotonic()
    seconds(wired, SENT)
    assert time.monotonic() - began < 0.9 * SENT * 8 / 10_000_000


def test_a_rate_that_was_deleted_by_hand_comes_back(wired: Wired) -> None:
    wired.ports(*ends(rate=10_000)).ok()
    wired.inside(SANDBOX, "tc", "qdisc", "del", "dev", "eth1", "root")
    assert wired.ports(*ends(rate=10_000)).ok().lines == ["~ port xp1 (r1:eth1): tc inside (none) -> rate 10000"]


def test_what_the_node_does_itself_is_left_alone_and_stands_in_the_way_only_of_that_port(wired: Wired) -> None:
    wired.ports(*ends()).ok()
    own = ("tc", "qdisc", "add", "dev", "eth1", "root", "handle", "5:", "tbf", "rate", "1mbit", "burst", "10kb", "latency", "50ms")
    wired.inside(SANDBOX, *own)
    assert not wired.ports(*ends()).ok().result["changed"]
    ran = wired.ports(*ends(rate=10_000))
    (error,) = ran.result["errors"]
    assert (error["type"], error["objects"]) == ("ForeignError", ["xp1"])
    assert "the node has a queueing discipline of its own (tbf) on eth1, in the way of tc" in error["msg"]
    assert [one["handle"] for one in qdiscs(wired)] == ["5:"]


def test_a_delay_is_there_or_the_error_says_what_to_load(wired: Wired) -> None:
    wired.ports(*ends()).ok()
    wired.inside("x.r2.sandbox", "tc", "qdisc", "add", "dev", "lo", "root", "netem", check=False)
    known = "netem" in wired.inside("x.r2.sandbox", "tc", "qdisc", "show", "dev", "lo")
    ran = wired.ports(*ends(delay=20, jitter=2, loss=0.5, rate=5000))
    if not known:
        assert (
            "the server's kernel has no netem, which eth1 needs for its tc: load it on the server (modprobe sch_netem" in ran.result["msg"]
        )
        assert ran.result["errors"][0]["objects"] == ["xp1"]
        assert wired.pings(SANDBOX, "198.51.100.2")
        return
    ran.ok()
    assert qdiscs(wired)[0]["kind"] == "netem"
    assert not wired.ports(*ends(delay=20, jitter=2, loss=0.5, rate=5000)).ok().result["changed"]
