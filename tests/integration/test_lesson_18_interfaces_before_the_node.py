# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 18: a node's interfaces are there, with exact names, before its first process runs, and come back when lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.wired import HOST_IMAGE, Wired, pair, port, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


def test_the_first_process_sees_exactly_the_declared_interfaces_at_every_start(wired: Wired) -> None:
    wired.sandbox("x.r1.sandbox")
    names = ["Ethernet1", "eth1", "eth10", "eth2", "ge-0.0.0"]
    wired.ports(*(port(number, "r1", 100 + number, interface=name) for number, name in enumerate(names))).ok()
    assert list(wired.devices("x.r1.sandbox")) == ["lo", *names]
    wired.sh("docker", "create", "--name", "x.r1", "--network", "container:x.r1.sandbox", HOST_IMAGE, "ls", "-x", "/sys/class/net")
    for _start in range(3):
        assert wired.sh("docker", "start", "--attach", "x.r1").split() == sorted([*names, "lo"])


def test_names_and_macs_inside_are_those_of_the_plan_and_the_wire_works_at_once(wired: Wired) -> None:
    ends = pair(wired)
    inside = wired.devices("x.r1.sandbox")["eth1"]
    assert inside["address"] == ends[0]["mac"]
    assert "LOWER_UP" in inside["flags"]


def test_the_servers_end_of_a_port_says_nothing_by_itself(wired: Wired) -> None:
    pair(wired)
    told = wired.json("ip", "-json", "-6", "address", "show", "dev", "xp1")
    assert [one for one in told if one.get("addr_info")] == []


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (("ip", "link", "set", "xp1", "down"), "~ port xp1 (r1:eth1): up False -> True"),
        (("ip", "link", "delete", "xp1"), "~ port xp1 (r1:eth1) recreate: the device is missing"),
    ],
)
def test_a_device_that_is_down_or_gone_is_repaired_without_touching_the_neighbour(wired: Wired, damage: tuple[str, ...], line: str) -> None:
    ends = pair(wired)
    neighbour = wired.devices("x.r2.sandbox")["eth1"]
    wired.sh(*damage)
    assert not wired.pings("x.r2.sandbox", "198.51.100.1")
    repaired = wired.ports(*ends).ok()
    assert repaired.lines == [line]
    if "delete" in damage:
        wired.address("x.r1.sandbox", "eth1", "198.51.100.1")
    assert wired.pings("x.r2.sandbox", "198.51.100.1")
    assert wired.devices("x.r2.sandbox")["eth1"] == neighbour
    assert not wired.ports(*ends).ok().result["changed"]


def test_a_pair_that_was_made_again_by_hand_is_foreign_and_left_alone(wired: Wired) -> None:
    ends = pair(wired)
    wired.sh("ip", "link", "delete", "xp1")
    wired.sh("ip", "link", "add", "xp1", "type", "veth", "peer", "name", "foreign1")
    refused = wired.ports(*ends)
    assert "a network device named xp1 exists; it belongs to: foreign" in refused.result["msg"]
    wired.sh("ip", "link", "delete", "xp1")


def test_a_sandbox_that_does_not_run_is_predicted_in_check_mode_and_an_error_otherwise(wired: Wired) -> None:
    wired.sandbox("x.r2.sandbox")
    ends = [port(1, "r1", 100), port(2, "r2", 100)]
    assert wired.ports(*ends, check=True).ok().lines == ["+ port xp1 (r1:eth1)", "+ port xp2 (r2:eth1)"]
    half = wired.ports(*ends)
    assert half.failed
    assert half.result["errors"][0]["msg"] == "port xp1 (r1:eth1): its sandbox x.r1.sandbox does not run"
    assert half.lines == ["+ port xp2 (r2:eth1)"]
    assert "xp2" in wired.ovs_ports()
    assert "xp1" not in wired.ovs_ports()


def test_tcp_works_on_the_userspace_datapath_because_the_nodes_offload_is_off(wired: Wired) -> None:
    ends = pair(wired)
    told = wired.inside("x.r1.sandbox", "ethtool", "--show-offload", "eth1")
    assert "tx-checksumming: off" in told
    wired.inside("x.r1.sandbox", "ethtool", "--offload", "eth1", "tx", "on")
    assert wired.ports(*ends).ok().lines == ["~ port xp1 (r1:eth1): checksum offload inside on -> off"]
