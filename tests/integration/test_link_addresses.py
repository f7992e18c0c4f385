# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses and routes on interfaces: there with the interface, changed in place, never those of the node, mended when they are lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.wired import HOST_IMAGE, SANDBOX_IMAGE, Wired, port, wired_server
from tests.testbed.testbed import Testbed

R1 = port(1, "r1", 100, addresses=["198.51.100.1/24", "2001:db8:5::1/64"], routes=[{"to": "default", "via": "198.51.100.2"}])
R2 = port(2, "r2", 100, addresses=["198.51.100.2/24", "2001:db8:5::2/64"])


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        for name in ("r1", "r2"):
            ipv6 = ("--sysctl", "net.ipv6.conf.all.disable_ipv6=0")
            one.sh("docker", "run", "--detach", "--name", f"x.{name}.sandbox", "--network", "none", *ipv6, SANDBOX_IMAGE)
        yield one


def addresses(wired: Wired, sandbox: str, interface: str = "eth1") -> list[str]:
    told = json.loads(wired.inside(sandbox, "ip", "-json", "address", "show", "dev", interface))[0]["addr_info"]
    return sorted(f"{one['local']}/{one['prefixlen']}" for one in told if one["scope"] == "global")


def routes(wired: Wired, sandbox: str, *options: str) -> dict[str, str]:
    """Prefix -> gateway, of those that have one."""
    told = json.loads(wired.inside(sandbox, "ip", "-json", *options, "route"))
    return {one["dst"]: one["gateway"] for one in told if "gateway" in one}


def changed(*ports: dict[str, Any], **values: Any) -> list[dict[str, Any]]:
    return [{**ports[0], **values}, *ports[1:]]


def test_interfaces_have_their_addresses_at_once_and_a_second_run_changes_nothing(wired: Wired) -> None:
    predicted = wired.ports(R1, R2, check=True).lines
    assert wired.ports(R1, R2).ok().lines == predicted
    assert addresses(wired, "x.r1.sandbox") == ["198.51.100.1/24", "2001:db8:5::1/64"]
    assert routes(wired, "x.r1.sandbox") == {"default": "198.51.100.2"}
    assert wired.pings("x.r1.sandbox", "198.51.100.2")
    assert wired.pings("x.r1.sandbox", "2001:db8:5::2")
    assert not wired.ports(R1, R2).ok().result["changed"]


def test_ipv6_can_be_used_in_the_first_moment(wired: Wired) -> None:
    wired.ports(R1, R2).ok()
    told = json.loads(wired.inside("x.r1.sandbox", "ip", "-json", "-6", "address", "show", "dev", "eth1", "scope", "global"))
    assert not any(one.get("tentative") for one in told[0]["addr_info"])


def test_a_changed_address_takes_the_place_of_the_old_one_and_the_route_stays(wired: Wired) -> None:
    wired.ports(R1, R2).ok()
    index = wired.devices("x.r1.sandbox")["eth1"]["ifindex"]
    moved = changed(R1, R2, addresses=["198.51.100.7/24", "2001:db8:5::1/64"])
    assert wired.ports(*moved, check=True).lines == [
        "~ port xp1 (r1:eth1): addresses inside [198.51.100.1/24, 2001:db8:5::1/64] -> [198.51.100.7/24, 2001:db8:5::1/64]"
    ]
    wired.ports(*moved).ok()
    assert addresses(wired, "x.r1.sandbox") == ["198.51.100.7/24", "2001:db8:5::1/64"]
    assert routes(wired, "x.r1.sandbox") == {"default": "198.51.100.2"}
    assert wired.devices("x.r1.sandbox")["eth1"]["ifindex"] == index
    assert wired.pings("x.r1.sandbox", "198.51.100.2")
    assert not wired.ports(*moved).ok().result["changed"]


def test_addresses_that_are_not_declared_any_more_go_and_those_of_the_node_stay(wired: Wired) -> None:
    wired.ports(R1, R2).ok()
    wired.address("x.r1.sandbox", "eth1", "203.0.113.9")
    assert not wired.ports(R1, R2).ok().result["changed"]
    bare = changed(R1, R2, addresses=[], routes=[])
    assert wired.ports(*bare).ok().result["plan"] == {"update": 1}
    assert addresses(wired, "x.r1.sandbox") == ["203.0.113.9/24"]
    assert routes(wired, "x.r1.sandbox") == {}
    assert not wired.ports(*bare).ok().result["changed"]


def test_an_address_that_was_deleted_by_hand_comes_back(wired: Wired) -> None:
    wired.ports(R1, R2).ok()
    wired.inside("x.r1.sandbox", "ip", "address", "del", "198.51.100.1/24", "dev", "eth1")
    assert wired.ports(R1, R2).ok().result["plan"] == {"update": 1}
    assert addresses(wired, "x.r1.sandbox") == ["198.51.100.1/24", "2001:db8:5::1/64"]
    assert routes(wired, "x.r1.sandbox") == {"default": "198.51.100.2"}


def test_a_way_of_the_nodes_own_is_left_to_it(wired: Wired) -> None:
    wired.ports(R1, R2).ok()
    wired.inside("x.r1.sandbox", "ip", "route", "replace", "default", "via", "198.51.100.9")
    assert not wired.ports(R1, R2).ok().result["changed"]
    assert routes(wired, "x.r1.sandbox") == {"default": "198.51.100.9"}
    wired.inside("x.r1.sandbox", "ip", "route", "del", "default")
    assert wired.ports(R1, R2).ok().result["changed"]
    assert routes(wired, "x.r1.sandbox") == {"default": "198.51.100.2"}


def test_addresses_survive_a_restart_of_the_node_and_come_back_after_one_of_the_sandbox(wired: Wired) -> None:
    wired.ports(R1, R2).ok()
    joined = ["--network", "container:x.r1.sandbox", HOST_IMAGE]
    wired.sh("docker", "run", "--detach", "--name", "x.r1", *joined)
    wired.sh("docker", "restart", "--time", "0", "x.r1")
    assert addresses(wired, "x.r1.sandbox") == ["198.51.100.1/24", "2001:db8:5::1/64"]
    assert not wired.ports(R1, R2).ok().result["changed"]
    wired.sh("docker", "restart", "--time", "0", "x.r1.sandbox")
    assert wired.ports(R1, R2).ok().result["plan"] == {"recreate": 1}
    assert addresses(wired, "x.r1.sandbox") == ["198.51.100.1/24", "2001:db8:5::1/64"]
    assert wired.pings("x.r1.sandbox", "198.51.100.2")


def test_a_route_that_no_address_reaches_is_an_error_of_its_port(wired: Wired) -> None:
    ran = wired.ports(*changed(R1, R2, routes=[{"to": "default", "via": "203.0.113.1"}]))
    assert ran.failed
    (error,) = [one for one in ran.result["errors"] if one["type"] == "ApplyError"]
    assert "eth1: no route to default via 203.0.113.1, which no address of the interface reaches" in error["msg"]
    assert error["objects"] == ["xp1"]


# the server's own interface

GATEWAY = {**port(9, "server srv1", 100, interface="xgw0"), "sandbox": "", "addresses": ["198.51.100.254/24"]}


def test_the_server_has_an_interface_of_its_own_on_the_wire(wired: Wired) -> None:
    assert wired.ports(GATEWAY, R1).ok().result["plan"] == {"create": 2}
    assert wired.pings("x.r1.sandbox", "198.51.100.254")
    assert not wired.ports(GATEWAY, R1).ok().result["changed"]
    device = wired.devices()["xgw0"]
    assert (device["operstate"], device["ifalias"]) == ("UP", "archetype-lab:x:end:server srv1:xgw0")


def test_what_happens_to_the_servers_own_interface_is_mended(wired: Wired) -> None:
    wired.ports(GATEWAY, R1).ok()
    wired.sh("ip", "link", "set", "xgw0", "down")
    wired.sh("ip", "address", "flush", "dev", "xgw0")
    assert wired.ports(GATEWAY, R1).ok().lines == [
        "~ port xp9 (server srv1:xgw0): up inside False -> True, addresses inside (none) -> [198.51.100.254/24]"
    ]
    assert wired.pings("x.r1.sandbox", "198.51.100.254")
    wired.sh("ip", "link", "delete", "xgw0")
    assert wired.ports(GATEWAY, R1).ok().result["plan"] == {"recreate": 1}
    assert wired.pings("x.r1.sandbox", "198.51.100.254")
    assert wired.ports(R1, prune=True).ok().result["plan"] == {"delete": 1}
    assert "xgw0" not in wired.devices()


def test_the_servers_own_interface_takes_no_foreign_name(wired: Wired) -> None:
    wired.sh("ip", "link", "add", "xgw0", "type", "veth", "peer", "name", "foreigngw")
    try:
        ran = wired.ports(GATEWAY, R1)
        assert ran.failed
        assert "a network device named xgw0 exists; it belongs to: foreign (no archetype-lab mark)" in ran.result["msg"]
        assert "xp9" not in wired.devices()
    finally:
        wired.sh("ip", "link", "delete", "foreigngw")
