# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The path MTU is what really gets through, over IPv4 and IPv6, whatever the devices at both ends believe."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.wired import Wired
from tests.testbed.testbed import Testbed

ROUTER = "ce-hop"


@pytest.fixture
def servers(testbed: Testbed) -> list[Wired]:
    return [Wired(server) for server in testbed.servers]


def observed(wired: Wired, *peers: str) -> dict[str, Any]:
    ran = wired.module("lab_info", lab="ce", server=wired.server.name, peers=list(peers))
    return dict(ran.ok().result["observed"])


@contextlib.contextmanager
def hop(first: Wired, second: Wired, mtus: tuple[int, int]) -> Iterator[tuple[str, str, str, str]]:
    """A cable of 9000 from each server to a router between them, whose ends have these MTUs; the addresses of both servers."""
    first.sh("ip", "netns", "add", ROUTER)
    inside = ["ip", "-n", ROUTER]
    try:
        for wired, number, mtu in ((first, 1, mtus[0]), (second, 2, mtus[1])):
            holder = first.sh("sh", "-c", f"ip netns exec {ROUTER} sh -c 'sleep 60 >/dev/null 2>&1 & echo $!'").strip()
            device = f"ce-h{number}"
            wired.sh("ip", "link", "add", device, "mtu", "9000", "type", "veth", "peer", "name", device, "mtu", str(mtu), "netns", holder)
            wired.sh("ip", "link", "set", device, "up")
            wired.sh("ip", "address", "add", f"198.19.{number}.1/24", "dev", device)
            wired.sh("ip", "address", "add", f"2001:db8:99:{number}::1/64", "dev", device, "nodad")
            first.sh(*inside, "link", "set", device, "up")
            first.sh(*inside, "address", "add", f"198.19.{number}.254/24", "dev", device)
            first.sh(*inside, "address", "add", f"2001:db8:99:{number}::fe/64", "dev", device, "nodad")
            other = 3 - number
            wired.sh("ip", "route", "add", f"198.19.{other}.0/24", "via", f"198.19.{number}.254")
            wired.sh("ip", "-6", "route", "add", f"2001:db8:99:{other}::/64", "via", f"2001:db8:99:{number}::fe")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
        first.sh("nsenter", f"--net=/run/netns/{ROUTER}", "sh", "-c", forward)
        for address in ("198.19.2.1", "2001:db8:99:2::1"):  # the new devices need a moment, which is not what is tested
            first.sh(
                "sh", "-c", f"for n in 1 2 3 4 5 6 7 8 9 10; do ping -c 1 -W 1 {address} >/dev/null && exit 0; sleep 0.3; done; exit 1"
            )
        yield "198.19.1.1", "198.19.2.1", "2001:db8:99:1::1", "2001:db8:99:2::1"
    finally:
        for number, wired in ((1, first), (2, second)):
            wired.sh("ip", "link", "delete", f"ce-h{number}", check=False)
        for pid in first.sh("ip", "netns", "pids", ROUTER, check=False).split():
            first.sh("kill", pid, check=False)
        first.sh("ip", "netns", "delete", ROUTER, check=False)


def test_the_path_mtu_to_every_other_server_is_that_of_the_underlay(servers: list[Wired], testbed: Testbed) -> None:
    me, *others = [wired.server for wired in servers]
    peers = [address for other in others for address in (other.address, other.address6)]
    underlay = observed(servers[0], *peers)["underlay"]
    assert underlay == {"address": me.address, "mtu": dict.fromkeys(peers, testbed.config.mtu)}


def test_an_underlay_of_9000_is_measured_in_both_directions(servers: list[Wired]) -> None:
    with hop(servers[0], servers[1], (9000, 9000)) as (first, second, first6, second6):
        assert observed(servers[0], second, second6)["underlay"]["mtu"] == {second: 9000, second6: 9000}
        assert observed(servers[1], first, first6)["underlay"]["mtu"] == {first: 9000, first6: 9000}


def test_a_smaller_mtu_in_the_middle_is_found_though_both_ends_have_9000(servers: list[Wired]) -> None:
    """What the router sends on to the second server must not be larger than 1400; the way back is free."""
    with hop(servers[0], servers[1], (9000, 1400)) as (first, second, first6, second6):
        assert observed(servers[0], second, second6)["underlay"]["mtu"] == {second: 1400, second6: 1400}
        back = observed(servers[1], first, first6)["underlay"]["mtu"]
    assert all(mtu <= 1404 for mtu in back.values()), "the device of 1400 receives no more than that and a tag"


def test_what_icmp_would_tell_is_not_needed(servers: list[Wired]) -> None:
    with hop(servers[0], servers[1], (9000, 2000)) as (_first, second, _first6, _second6):
        servers[0].sh("iptables", "-I", "INPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed", "-j", "DROP", check=False)
        try:
            assert observed(servers[0], second)["underlay"]["mtu"] == {second: 2000}
        finally:
            servers[0].sh("iptables", "-D", "INPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed", "-j", "DROP", check=False)


def test_a_server_that_does_not_answer_is_an_error_that_names_both_ends(servers: list[Wired]) -> None:
    address = servers[0].server.address
    nobody = address.rpartition(".")[0] + ".77"
    ran = servers[0].module("lab_info", lab="ce", server="srv1", peers=[nobody, servers[1].server.address, "203.0.113.9"])
    assert ran.failed
    assert f"srv1 ({address}) gets no answer from {nobody}" in ran.result["msg"]
    assert "ICMP echo is let through" in ran.result["msg"]
    assert "203.0.113.9" in ran.result["msg"]
    assert [one["type"] for one in ran.result["errors"]] == ["ReadError", "ReadError"]
