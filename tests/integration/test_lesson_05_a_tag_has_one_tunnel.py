# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 5: two tunnels that share a tag split unicast, while ARP works; a tag has one tunnel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.tunnelled import TAG, Tunnelled, tunnelled_servers
from tests.testbed.testbed import Testbed


@pytest.fixture
def lab(testbed: Testbed) -> Iterator[Tunnelled]:
    with tunnelled_servers(testbed) as one:
        yield one


def whole(lab: Tunnelled) -> None:
    """A hundred of a hundred, unicast and broadcast, and none twice."""
    assert lab.pings("-c", "100", "-i", "0.005")
    assert lab.broadcast(("srv1", "a"), ("srv2", "b")) == [list(range(100))]


def test_our_stale_tunnel_with_the_tag_of_another_is_removed(lab: Tunnelled) -> None:
    lab.nodes()
    halves = lab.connect()
    stale = lab.tunnel("srv1", "srv2", name="tut-old", vni=880077, tag=3055, link="old")
    lab.apply("srv1", stale).ok()
    lab["srv1"].sh("ovs-vsctl", "set", "port", "tut-old", f"tag={TAG}")
    assert lab.apply("srv1", halves["srv1"]).ok().lines == ["- tunnel tut-old (old): it has the tag or the VNI of tut1"]
    assert lab.vxlan("srv1", "tut-old") == {}
    whole(lab)
    lab.settled("srv1", halves["srv1"])


@pytest.mark.parametrize(
    "marks", [[], ["external_ids:archetype-lab=tv", "external_ids:archetype-role=tunnel"]], ids=["foreign", "other lab"]
)
def test_a_tag_that_somebody_else_has_is_an_error_that_names_him(lab: Tunnelled, marks: list[str]) -> None:
    srv1 = lab["srv1"]
    srv1.sh("ip", "link", "add", "tut-x", "type", "vxlan", "id", "99", "remote", "198.18.255.9", "dstport", "4789")
    srv1.sh("ovs-vsctl", "add-port", "arch-ovs", "tut-x", f"tag={TAG}")
    if marks:
        srv1.sh("ovs-vsctl", "set", "port", "tut-x", *marks)
    ran = lab.apply("srv1", lab.tunnel("srv1", "srv2"), prune=True)
    assert ran.failed
    assert f"tunnel tut1: tag {TAG} is taken by tut-x, {'lab tv' if marks else 'foreign'}" in ran.result["msg"]
    assert lab.vxlan("srv1") == {}
    assert lab.port("srv1", "tut-x")["tag"] == TAG


def test_tunnels_may_exchange_their_tags_and_vnis_in_one_run(lab: Tunnelled) -> None:
    lab.nodes()
    for server, other in (("srv1", "srv2"), ("srv2", "srv1")):
        one = lab.tunnel(server, other, name="tut1", tag=3055, vni=880002, link="x")
        two = lab.tunnel(server, other, name="tut2", link="y")
        lab.apply(server, one, two).ok()
    whole(lab)
    for server, other in (("srv1", "srv2"), ("srv2", "srv1")):
        one = lab.tunnel(server, other, name="tut1", link="x")
        two = lab.tunnel(server, other, name="tut2", tag=3055, vni=880002, link="y")
        assert len(lab.apply(server, one, two).ok().lines) == 2
        lab.settled(server, one, two)
    whole(lab)
