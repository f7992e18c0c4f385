# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 11: cleaning up a lab leaves every other one alone, and what cannot be read is not empty."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, pair, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


def test_removing_a_lab_leaves_another_lab_and_foreign_ports_alone(wired: Wired) -> None:
    pair(wired, lab="x", tag=100)
    others = pair(wired, lab="y", tag=200, subnet="203.0.113")
    wired.sh("ip", "tuntap", "add", "foreign0", "mode", "tap")
    wired.sh("ovs-vsctl", "add-port", "arch-ovs", "foreign0", "tag=7")
    command = ["nsenter", f"--net={wired.netns('y.r1.sandbox')}", "ping", "-i", "0.05", "-c", "60", "-W", "5", "203.0.113.2"]
    with subprocess.Popen(wired.server.entering(command), stdout=subprocess.PIPE, text=True) as ping:
        time.sleep(0.5)
        removed = wired.ports(lab="x", state="absent", prune=True).ok()
        told = ping.communicate(timeout=60)[0]
    assert removed.lines == ["- port xp1 (r1:eth1)", "- port xp2 (r2:eth1)"]
    assert "60 packets transmitted, 60 received" in told
    assert {"yp1", "yp2", "foreign0"} <= set(wired.ovs_ports())
    assert not {"xp1", "xp2"} & {*wired.ovs_ports(), *wired.devices()}
    assert list(wired.devices("x.r1.sandbox")) == ["lo"]
    assert not wired.ports(*others, lab="y").ok().result["changed"]
    assert not wired.ports(lab="x", state="absent", prune=True).ok().result["changed"]


def test_nothing_is_deleted_when_the_database_cannot_be_read(wired: Wired) -> None:
    pair(wired)
    before = wired.devices()
    wired.server.daemon("stop", "ovsdb")
    try:
        failed = wired.ports(state="absent", prune=True)
    finally:
        wired.server.daemon("start", "ovsdb")
    assert failed.failed
    assert [error["type"] for error in failed.result["errors"]] == ["ReadError"]
    assert set(wired.devices()) == set(before)
    assert {"xp1", "xp2"} <= set(wired.ovs_ports())


def test_ports_that_are_half_deleted_are_removed(wired: Wired) -> None:
    pair(wired)
    wired.sh("ovs-vsctl", "del-port", "xp1")
    wired.sh("ip", "link", "delete", "xp2")
    assert wired.ports({"name": "xp1"}, {"name": "xp2"}, state="absent").ok().lines == ["- port xp1 (r1:eth1)", "- port xp2 (r2:eth1)"]
    assert not {"xp1", "xp2"} & {*wired.ovs_ports(), *wired.devices()}
