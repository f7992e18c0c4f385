# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 13: the MTU of a tunnel is that of the path less what VXLAN adds, when it is made and whenever it changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.tunnelled import Tunnelled, tunnelled_servers
from tests.testbed.testbed import Testbed


@pytest.fixture
def lab(testbed: Testbed) -> Iterator[Tunnelled]:
    with tunnelled_servers(testbed) as one:
        yield one


@pytest.mark.parametrize(("six", "mtu"), [(False, 1450), (True, 1430)], ids=["IPv4", "IPv6"])
def test_a_frame_of_the_full_mtu_passes_and_one_byte_more_does_not(lab: Tunnelled, six: bool, mtu: int) -> None:
    lab.nodes(mtu=1500)
    halves = lab.connect(six=six)
    assert lab.vxlan("srv1")["mtu"] == mtu
    assert lab.pings("-M", "do", "-s", str(mtu - 28))
    assert not lab.pings("-M", "do", "-s", str(mtu - 27))
    lab.settled("srv1", halves["srv1"])


def test_the_path_carries_exactly_that_much(lab: Tunnelled) -> None:
    """With 1451 the outer packet is 1501 bytes: the kernel fragments it, as DF is unset, which is what the right MTU avoids."""
    lab.nodes(mtu=1500)
    lab.connect()
    srv1 = lab["srv1"]

    def fragmented() -> int:
        return int(next(line.split()[1] for line in srv1.sh("nstat", "-az", "IpFragCreates").splitlines() if line.startswith("IpFrag")))

    before = fragmented()
    assert lab.pings("-s", "1422")
    assert fragmented() == before
    lab.apply("srv1", lab.tunnel("srv1", "srv2", mtu=1451)).ok()
    lab.pings("-M", "do", "-s", "1423")
    assert fragmented() > before


def test_a_changed_mtu_is_set_in_place(lab: Tunnelled) -> None:
    lab.nodes(mtu=1500)
    halves = lab.connect()
    before = lab.vxlan("srv1")["ifindex"]
    for mtu in (1400, 1450):
        for server in ("srv1", "srv2"):
            found = lab.vxlan(server)["mtu"]
            lines = lab.apply(server, {**halves[server], "mtu": mtu}).ok().lines
            assert lines == [f"~ tunnel tut1 (a:eth1--b:eth1): mtu {found} -> {mtu}"]
        assert lab.pings("-M", "do", "-s", str(mtu - 28))
        assert not lab.pings("-M", "do", "-s", str(mtu - 27))
    assert lab.vxlan("srv1")["ifindex"] == before


def test_an_mtu_that_somebody_changed_is_put_back(lab: Tunnelled) -> None:
    halves = lab.connect()
    lab["srv1"].sh("ip", "link", "set", "tut1", "mtu", "1200")
    assert lab.apply("srv1", halves["srv1"], check=True).ok().lines == ["~ tunnel tut1 (a:eth1--b:eth1): mtu 1200 -> 1450"]
    lab.apply("srv1", halves["srv1"]).ok()
    assert lab.vxlan("srv1")["mtu"] == 1450
