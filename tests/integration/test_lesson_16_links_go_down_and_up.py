# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 16: what is declared down is taken down, as what is declared up is brought up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, pair, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


def test_a_port_that_is_not_enabled_leaves_the_node_an_interface_without_carrier(wired: Wired) -> None:
    ports = pair(wired)
    off = [{**ports[0], "enabled": False}, ports[1]]
    assert wired.ports(*off).ok().lines == ["~ port xp1 (r1:eth1): up True -> False, bridge arch-ovs -> (none)"]
    inside = wired.devices("x.r1.sandbox")["eth1"]
    assert "NO-CARRIER" in inside["flags"]
    assert "UP" in inside["flags"]
    assert "xp1" not in wired.ovs_ports()
    assert not wired.pings("x.r1.sandbox", "198.51.100.2")
    assert not wired.ports(*off).ok().result["changed"]
    wired.ports(*ports).ok()
    assert wired.devices("x.r1.sandbox")["eth1"]["ifindex"] == inside["ifindex"]
    assert wired.pings("x.r1.sandbox", "198.51.100.2")
