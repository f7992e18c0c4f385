# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 6: which interface a port leads to is told by indexes, never by names or by the order of creation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, port, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


def ends(wired: Wired, sandbox: str) -> dict[str, str]:
    """Interface inside -> the device on the server that it leads to, by the index of either end."""
    outside = {one["ifindex"]: one for one in wired.devices().values()}
    found = {}
    for name, one in wired.devices(sandbox).items():
        if "link_index" in one:
            far = outside[one["link_index"]]
            assert far["link_index"] == one["ifindex"]
            found[name] = far["ifname"]
    return found


def test_interfaces_attached_in_any_order_lead_to_their_own_ports(wired: Wired) -> None:
    wired.sandbox("x.r1.sandbox")
    ports = [port(number, "r1", 100 + number, interface=f"eth{number}") for number in (3, 1, 2)]
    wired.ports(*ports).ok()
    assert ends(wired, "x.r1.sandbox") == {"eth1": "xp1", "eth2": "xp2", "eth3": "xp3"}
    assert {name: one["tag"] for name, one in wired.ovs_ports().items() if name.startswith("xp")} == {"xp1": 101, "xp2": 102, "xp3": 103}


def test_interfaces_that_were_renamed_into_each_other_are_put_right(wired: Wired) -> None:
    wired.sandbox("x.r1.sandbox")
    ports = [port(number, "r1", 100 + number, interface=f"eth{number}") for number in (1, 2, 3)]
    wired.ports(*ports).ok()
    for old, new in (("eth1", "tmp"), ("eth2", "eth1"), ("tmp", "eth2")):
        wired.inside("x.r1.sandbox", "ip", "link", "set", old, "down")
        wired.inside("x.r1.sandbox", "ip", "link", "set", old, "name", new)
    assert ends(wired, "x.r1.sandbox") == {"eth1": "xp2", "eth2": "xp1", "eth3": "xp3"}
    untouched = wired.devices()["xp3"]["ifindex"]
    repaired = wired.ports(*ports).ok()
    assert sorted(change["name"] for change in repaired.result["changes"]) == ["xp1", "xp2"]
    assert ends(wired, "x.r1.sandbox") == {"eth1": "xp1", "eth2": "xp2", "eth3": "xp3"}
    assert wired.devices()["xp3"]["ifindex"] == untouched
    assert not wired.ports(*ports).ok().result["changed"]


def test_a_port_that_looks_right_is_made_anew_when_lighter_mending_did_not_help(wired: Wired) -> None:
    """Its neighbour is left as it is, whatever it looks like."""
    wired.sandbox("x.r1.sandbox")
    one, two = (port(number, "r1", 100 + number, interface=f"eth{number}") for number in (1, 2))
    wired.ports(one, two).ok()
    before = wired.devices()
    wired.sh("ovs-vsctl", "set", "port", "xp2", "tag=999")
    assert wired.layer(one, two, anew=["xp1"], spared=["r1:eth2"]) == ["~ port xp1 (r1:eth1) recreate: mending it failed"]
    after = wired.devices()
    assert ends(wired, "x.r1.sandbox") == {"eth1": "xp1", "eth2": "xp2"}
    assert after["xp1"]["ifindex"] != before["xp1"]["ifindex"]
    assert after["xp2"]["ifindex"] == before["xp2"]["ifindex"]
    assert {name: one["tag"] for name, one in wired.ovs_ports().items() if name.startswith("xp")} == {"xp1": 101, "xp2": 999}
    assert wired.layer(two, spared=["xp1"]) == ["~ port xp2 (r1:eth2): tag 999 -> 102"]
    assert wired.layer(one, two) == []
