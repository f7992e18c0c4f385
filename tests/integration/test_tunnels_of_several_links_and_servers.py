# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tunnels that carry several links, and tunnels with several far ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.tunnelled import Tunnelled, tunnelled_servers
from tests.testbed.testbed import Testbed

RED, BLUE = {"key": "a:eth1--b:eth1", "tag": 3001}, {"key": "c:eth1--d:eth1", "tag": 3002}


@pytest.fixture
def lab(testbed: Testbed) -> Iterator[Tunnelled]:
    with tunnelled_servers(testbed) as one:
        yield one


def shared(lab: Tunnelled, server: str, other: str, *links: dict[str, Any]) -> dict[str, Any]:
    return lab.tunnel(server, other, name="tuts", links=list(links))


def pairs(lab: Tunnelled) -> None:
    """Two links with nodes of the same addresses at both ends, so that a frame that strays is seen.

    Their MTU is 4 less than the tunnel's, in which each frame has its tag.
    """
    for tag, (left, right) in ((3001, "ab"), (3002, "cd")):
        lab.node("srv1", left, "198.51.100.1", tag=tag, mtu=1446)
        lab.node("srv2", right, "198.51.100.2", tag=tag, mtu=1446)


def test_two_links_share_a_tunnel_and_do_not_hear_each_other(lab: Tunnelled) -> None:
    pairs(lab)
    for server, other in (("srv1", "srv2"), ("srv2", "srv1")):
        lab.apply(server, shared(lab, server, other, RED, BLUE)).ok()
    assert lab.pings()
    assert lab.pings(name="c")
    assert lab.pings("-M", "do", "-s", str(1446 - 28))
    assert lab.broadcast(("srv1", "a"), ("srv2", "b"), ("srv2", "d"), ("srv1", "c")) == [list(range(100)), [], []]


def test_a_shared_tunnel_goes_with_its_last_link(lab: Tunnelled) -> None:
    pairs(lab)
    for server, other in (("srv1", "srv2"), ("srv2", "srv1")):
        lab.apply(server, shared(lab, server, other, RED)).ok()
        before, after = "a:eth1--b:eth1 (3001)", "a:eth1--b:eth1 (3001), c:eth1--d:eth1 (3002)"
        line = f"~ tunnel tuts (2 links): trunks [3001] -> [3001, 3002], links [{before}] -> [{after}]"
        assert lab.apply(server, shared(lab, server, other, BLUE)).ok().lines == [line]
    assert lab.pings()
    red = shared(lab, "srv1", "srv2", RED)
    assert len(lab.apply("srv1", red, state="absent").ok().lines) == 1
    lab.settled("srv1", red, state="absent")
    assert not lab.pings()
    assert lab.pings(name="c")
    blue = shared(lab, "srv1", "srv2", BLUE)
    assert lab.apply("srv1", blue, state="absent").ok().lines == ["- tunnel tuts (c:eth1--d:eth1)"]
    assert (lab.vxlan("srv1", "tuts"), lab.port("srv1", "tuts")) == ({}, {})


def test_prune_replaces_the_links(lab: Tunnelled) -> None:
    lab.apply("srv1", shared(lab, "srv1", "srv2", RED, BLUE)).ok()
    lab.apply("srv1", shared(lab, "srv1", "srv2", BLUE), prune=True).ok()
    assert lab["srv1"].sh("ovs-vsctl", "get", "port", "tuts", "trunks").strip() == "[3002]"


def test_a_segment_over_three_servers_has_no_loop_and_no_duplicate(lab: Tunnelled) -> None:
    places = {"srv1": "a", "srv2": "b", "srv3": "c"}
    for number, (server, name) in enumerate(places.items(), 1):
        lab.node(server, name, f"198.51.100.{number}")
        half = lab.tunnel(server, *(other for other in places if other != server))
        lab.apply(server, half).ok()
        lab.settled(server, half)
    every = list(range(100))
    assert lab.broadcast(("srv1", "a"), ("srv2", "b"), ("srv3", "c")) == [every, every]
    assert lab.broadcast(("srv3", "c"), ("srv1", "a"), ("srv2", "b")) == [every, every]
    for server, name in places.items():
        for number in range(1, 4):
            if f"srv{number}" != server:
                assert lab.pings(server=server, name=name, address=f"198.51.100.{number}")


def test_a_far_server_that_joins_a_segment_is_one_more_flood_entry(lab: Tunnelled) -> None:
    lab.apply("srv1", lab.tunnel("srv1", "srv2")).ok()
    three = lab.tunnel("srv1", "srv2", "srv3")
    assert "remotes [198.18." in lab.apply("srv1", three).ok().lines[0]
    entries = lab["srv1"].json("bridge", "-json", "fdb", "show", "dev", "tut1")
    assert sorted(one["dst"] for one in entries if one["mac"] == "00:00:00:00:00:00") == sorted(three["remotes"])
