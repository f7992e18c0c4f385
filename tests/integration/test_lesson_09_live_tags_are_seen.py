# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 9: a tag that something else uses on the bridge now is never given to a link."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, pair, port, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


def foreign_tap(wired: Wired, tag: int) -> None:
    wired.sh("ip", "tuntap", "add", "foreign0", "mode", "tap")
    wired.sh("ovs-vsctl", "add-port", "arch-ovs", "foreign0", f"tag={tag}")


@pytest.mark.parametrize("check", [False, True])
def test_the_tag_of_a_foreign_tap_is_refused_before_anything_is_touched(wired: Wired, check: bool) -> None:
    foreign_tap(wired, 2050)
    wired.sandbox("x.r1.sandbox")
    before = (wired.devices(), wired.ovs_ports())
    refused = wired.ports(port(1, "r1", 100), port(2, "r1", 2050, interface="eth2"), check=check)
    assert refused.failed
    assert "tag 2050 of port xp2 (r1:eth2) is used on bridge arch-ovs by port foreign0" in refused.result["msg"]
    assert [error["type"] for error in refused.result["errors"]] == ["ForeignError"]
    assert (wired.devices(), wired.ovs_ports()) == before


def test_two_labs_never_share_a_tag(wired: Wired) -> None:
    pair(wired, lab="x", tag=100)
    wired.sandbox("y.r1.sandbox")
    refused = wired.ports(port(1, "r1", 100, lab="y"), lab="y")
    assert "tag 100 of port yp1 (r1:eth1) is used on bridge arch-ovs by port xp1; it belongs to: lab x" in refused.result["msg"]
    assert "yp1" not in wired.devices()
