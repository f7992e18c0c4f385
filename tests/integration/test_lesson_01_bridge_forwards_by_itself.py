# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 1: the bridge forwards by itself, whatever somebody made of it; asserted on every run and not only when it is made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.tunnelled import Tunnelled, tunnelled_servers
from tests.testbed.testbed import Testbed


@pytest.fixture
def lab(testbed: Testbed) -> Iterator[Tunnelled]:
    with tunnelled_servers(testbed) as one:
        yield one


def test_a_bridge_that_was_set_to_secure_forwards_again(lab: Tunnelled) -> None:
    lab.node("srv1", "a", "198.51.100.1")
    lab.node("srv1", "b", "198.51.100.2")
    assert lab.pings()
    srv1 = lab["srv1"]
    srv1.sh("ovs-vsctl", "set-fail-mode", "arch-ovs", "secure")
    srv1.sh("ovs-ofctl", "del-flows", "arch-ovs")
    assert not lab.pings()
    line = "~ bridge arch-ovs: fail_mode secure -> standalone"
    assert srv1.module("ovs_bridge", check=True).ok().lines == [line]
    assert srv1.sh("ovs-vsctl", "get-fail-mode", "arch-ovs").strip() == "secure"
    assert srv1.module("ovs_bridge").ok().lines == [line]
    assert lab.pings()
    assert not srv1.module("ovs_bridge").ok().result["changed"]


def test_what_makes_a_link_a_wire_is_put_back(lab: Tunnelled) -> None:
    srv1 = lab["srv1"]
    srv1.sh(
        "ovs-vsctl",
        "set",
        "Open_vSwitch",
        ".",
        "other_config:vlan-limit=2",
        "--",
        "set",
        "Bridge",
        "arch-ovs",
        "other_config:forward-bpdu=false",
    )
    line = srv1.module("ovs_bridge").ok().lines[0]
    assert "forward_bpdu False -> True, vlan_limit 2 -> 1, vlan-limit is one setting for all bridges of the server" in line
    assert srv1.sh("ovs-vsctl", "get", "Open_vSwitch", ".", "other_config:vlan-limit").strip().strip('"') == "1"
    assert not srv1.module("ovs_bridge").ok().result["changed"]


def test_a_foreign_bridge_is_left_alone_and_named(lab: Tunnelled) -> None:
    srv1 = lab["srv1"]
    srv1.sh("ovs-vsctl", "add-br", "tu-br", "--", "set", "bridge", "tu-br", "datapath_type=netdev", "fail_mode=secure")
    try:
        for state in ("present", "absent"):
            ran = srv1.module("ovs_bridge", bridges=[{"name": "tu-br"}], state=state)
            assert ran.failed
            assert "bridge tu-br is foreign" in ran.result["msg"]
        assert srv1.sh("ovs-vsctl", "get-fail-mode", "tu-br").strip() == "secure"
    finally:
        srv1.sh("ovs-vsctl", "del-br", "tu-br")


def test_a_bridge_with_ports_is_not_removed(lab: Tunnelled) -> None:
    lab.node("srv1", "a", "198.51.100.1")
    ran = lab["srv1"].module("ovs_bridge", state="absent")
    assert ran.failed
    assert "bridge arch-ovs still has ports: tup-a" in ran.result["msg"]


def test_a_bridge_comes_and_goes(lab: Tunnelled) -> None:
    mine = [{"name": "tu-br2"}]
    srv1 = lab["srv1"]
    predicted = srv1.module("ovs_bridge", bridges=mine, check=True).ok()
    assert "tu-br2" not in srv1.sh("ovs-vsctl", "list-br")
    made = srv1.module("ovs_bridge", bridges=mine).ok()
    assert made.result["changes"] == predicted.result["changes"]
    assert made.result["bridges"] == predicted.result["bridges"]
    assert srv1.module("ovs_bridge", bridges=mine, state="absent").ok().lines == ["- bridge tu-br2"]
    assert "tu-br2" not in srv1.sh("ovs-vsctl", "list-br")
    assert not srv1.module("ovs_bridge", bridges=mine, state="absent").ok().result["changed"]
