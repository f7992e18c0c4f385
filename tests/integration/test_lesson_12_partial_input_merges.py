# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 12: only a complete list may remove what it does not name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, pair, port, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


def test_one_port_of_many_removes_nothing_and_a_full_list_removes_only_the_labs_own(wired: Wired) -> None:
    ports = pair(wired)
    pair(wired, lab="y", tag=200, subnet="203.0.113")
    third = port(3, "r1", 101, interface="eth2")
    assert wired.ports(third).ok().lines == ["+ port xp3 (r1:eth2)"]
    assert {"xp1", "xp2", "xp3"} <= set(wired.devices())
    assert wired.pings("x.r1.sandbox", "198.51.100.2")
    assert wired.ports(*ports, prune=True).ok().lines == ["- port xp3 (r1:eth2): not declared"]
    assert "xp3" not in {*wired.ovs_ports(), *wired.devices()}
    assert {"yp1", "yp2"} <= set(wired.devices())
    assert list(wired.devices("x.r1.sandbox")) == ["lo", "eth1"]
