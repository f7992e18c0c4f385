# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 13: the declared MTU is that of both ends, when a port is made and whenever it changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, pair, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


@pytest.mark.parametrize("mtu", [1450, 9500])
def test_a_changed_mtu_is_set_at_both_ends_in_place(wired: Wired, mtu: int) -> None:
    ports = [{**one, "mtu": mtu} for one in pair(wired)]
    indexes = {name: one["ifindex"] for name, one in wired.devices().items()}
    changed = wired.ports(*ports).ok()
    assert changed.lines == [f"~ port xp{n} (r{n}:eth1): mtu 1500 -> {mtu}, mtu inside 1500 -> {mtu}" for n in (1, 2)]
    assert {wired.devices()[name]["mtu"] for name in ("xp1", "xp2")} == {mtu}
    assert {wired.devices(f"x.{node}.sandbox")["eth1"]["mtu"] for node in ("r1", "r2")} == {mtu}
    assert {name: one["ifindex"] for name, one in wired.devices().items()} == indexes
    assert wired.pings("x.r1.sandbox", "198.51.100.2", "-M", "do", "-s", str(mtu - 28))
    assert not wired.pings("x.r1.sandbox", "198.51.100.2", "-M", "do", "-s", str(mtu - 27))
    assert not wired.ports(*ports).ok().result["changed"]


def test_an_mtu_that_was_lost_inside_is_put_back(wired: Wired) -> None:
    ports = pair(wired)
    wired.inside("x.r2.sandbox", "ip", "link", "set", "eth1", "mtu", "1300")
    assert wired.ports(*ports).ok().lines == ["~ port xp2 (r2:eth1): mtu inside 1300 -> 1500"]
