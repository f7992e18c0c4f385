# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 2: a tunnel is a port and a device; both go, and what was left by half is completed or removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.tunnelled import Tunnelled, tunnelled_servers
from tests.testbed.testbed import Testbed


@pytest.fixture
def lab(testbed: Testbed) -> Iterator[Tunnelled]:
    with tunnelled_servers(testbed) as one:
        yield one


def lose(lab: Tunnelled, half: str) -> None:
    if half == "port":
        lab["srv1"].sh("ovs-vsctl", "del-port", "tut1")
    elif half == "device":
        lab["srv1"].sh("ip", "link", "delete", "tut1")


@pytest.mark.parametrize("half", ["nothing", "port", "device"])
def test_absent_removes_port_and_device_whatever_is_left(lab: Tunnelled, half: str) -> None:
    halves = lab.connect()
    lose(lab, half)
    assert len(lab.apply("srv1", halves["srv1"], state="absent", check=True).ok().lines) == 1
    assert len(lab.apply("srv1", halves["srv1"], state="absent").ok().lines) == 1
    assert (lab.vxlan("srv1"), lab.port("srv1")) == ({}, {})
    lab.settled("srv1", halves["srv1"], state="absent")


@pytest.mark.parametrize("half", ["port", "device"])
def test_present_completes_what_is_left(lab: Tunnelled, half: str) -> None:
    halves = lab.connect()
    lab.nodes()
    lose(lab, half)
    assert not lab.pings()
    assert len(lab.apply("srv1", halves["srv1"]).ok().lines) == 1
    assert lab.pings()
    lab.settled("srv1", halves["srv1"])


def test_a_device_that_was_deleted_and_made_again_by_hand_carries_frames_again(lab: Tunnelled) -> None:
    halves = lab.connect()
    lab.nodes()
    srv1, one = lab["srv1"], halves["srv1"]
    alias = lab.vxlan("srv1")["alias"]
    srv1.sh("ip", "link", "delete", "tut1")
    vxlan = ["id", str(one["vni"]), "local", one["local"], "remote", one["remotes"][0], "dstport", "4789", "nolearning"]
    srv1.sh("ip", "link", "add", "tut1", "mtu", "1450", "group", "990", "type", "vxlan", *vxlan)
    srv1.sh("ip", "link", "set", "tut1", "up", "alias", alias)
    assert not lab.pings(), "Open vSwitch keeps the dead device, and shows no error"
    assert lab.apply("srv1", one).ok().lines == ["~ tunnel tut1 (a:eth1--b:eth1): its device was made anew behind Open vSwitch's back"]
    assert lab.pings()
    lab.settled("srv1", one)


def test_absent_with_prune_leaves_nothing_of_the_lab_and_all_of_others(lab: Tunnelled) -> None:
    lab.connect()
    other = lab.tunnel("srv1", "srv2", name="tut9", vni=880009, tag=3009, link="other")
    lab.apply("srv1", other, lab="tv").ok()
    assert lab.apply("srv1", state="absent", prune=True).ok().lines == ["- tunnel tut1 (a:eth1--b:eth1)"]
    assert (lab.vxlan("srv1"), lab.port("srv1")) == ({}, {})
    lab.settled("srv1", other, lab="tv")
