# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 10: a port whose tag was lost gets it back, and only this port is reported."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, pair, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


def test_a_cleared_tag_is_restored_and_only_that_port_is_reported(wired: Wired) -> None:
    ports = pair(wired)
    wired.sh("ovs-vsctl", "clear", "port", "xp1", "tag")
    assert not wired.pings("x.r1.sandbox", "198.51.100.2")
    indexes = {name: one["ifindex"] for name, one in wired.devices().items()}
    predicted = wired.ports(*ports, check=True).ok()
    repaired = wired.ports(*ports).ok()
    assert predicted.lines == repaired.lines == ["~ port xp1 (r1:eth1): tag (none) -> 100"]
    assert wired.ovs_ports()["xp1"]["tag"] == 100
    assert wired.pings("x.r1.sandbox", "198.51.100.2")
    assert {name: one["ifindex"] for name, one in wired.devices().items()} == indexes
    assert not wired.ports(*ports).ok().result["changed"]


def test_a_changed_mode_is_put_back(wired: Wired) -> None:
    ports = pair(wired)
    wired.sh("ovs-vsctl", "set", "port", "xp2", "vlan_mode=access")
    assert wired.ports(*ports).ok().lines == ["~ port xp2 (r2:eth1): vlan_mode access -> dot1q-tunnel"]
    assert wired.ovs_ports()["xp2"]["vlan_mode"] == "dot1q-tunnel"


def test_a_port_taken_off_the_bridge_comes_back(wired: Wired) -> None:
    ports = pair(wired)
    wired.sh("ovs-vsctl", "del-port", "xp1")
    assert wired.ports(*ports).ok().lines == ["~ port xp1 (r1:eth1): bridge (none) -> arch-ovs"]
    assert wired.pings("x.r1.sandbox", "198.51.100.2")
