# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes and ports together, as somebody uses the modules without a topology: containers, ports, start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.lab_server import LabServer

ADDRESSES = {"r1": "198.51.100.1", "r2": "198.51.100.2"}


def node(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": f"lc-{name}",
        "sandbox": f"lc-{name}.sb",
        "node": name,
        "image": "box:1",
        "cap_add": ["NET_ADMIN", "NET_RAW"],
        "interfaces": ["eth1"],
        "exec": [["ip", "address", "add", f"{ADDRESSES[name]}/24", "dev", "eth1"]],
        **fields,
    }


PORTS = [
    {
        "name": f"lcp-{name}",
        "device": "veth",
        "node": name,
        "interface": "eth1",
        "sandbox": f"lc-{name}.sb",
        "link": "r1:eth1--r2:eth1",
        "tag": 2901,
    }
    for name in ADDRESSES
]


@pytest.fixture
def wire(box: LabServer) -> Iterator[LabServer]:
    assert not box.module("ovs_bridge").get("failed")
    yield box
    box.module("ovs_port_vlan", lab="lc", ports=[], state="absent", prune=True)


def up(box: LabServer, *nodes: dict[str, Any]) -> list[tuple[str, str]]:
    """The three steps; what changed, as (action, name)."""
    steps = (
        box.module("lab_container", lab="lc", containers=list(nodes), state="present"),
        box.module("ovs_port_vlan", lab="lc", ports=PORTS),
        box.module("lab_container", lab="lc", containers=list(nodes), state="started"),
    )
    for step in steps:
        assert not step.get("failed"), step["msg"]
    return [(change["action"], change["name"]) for step in steps for change in step["changes"]]


def pings(box: LabServer, name: str, address: str) -> bool:
    return box.docker("exec", f"lc-{name}", "sh", "-c", f"ping -c 2 -W 2 {address} >/dev/null && echo yes || true") == "yes"


def device(box: LabServer, name: str) -> list[str]:
    """Index and number of carrier changes of eth1, as the node sees it."""
    return box.docker("exec", f"lc-{name}", "cat", "/sys/class/net/eth1/ifindex", "/sys/class/net/eth1/carrier_changes").split()


def test_two_nodes_are_wired_and_the_second_pass_changes_nothing(wire: LabServer) -> None:
    up(wire, node("r1"), node("r2"))
    assert pings(wire, "r1", ADDRESSES["r2"])
    assert up(wire, node("r1"), node("r2")) == []


@pytest.mark.parametrize("cause", ["a field differs", "removed by hand", "sandbox killed"])
def test_a_node_that_is_made_anew_is_wired_again_and_its_neighbour_notices_nothing(wire: LabServer, cause: str) -> None:
    up(wire, node("r1"), node("r2"))
    neighbour = device(wire, "r2")
    env = {"NEW": "1"} if cause == "a field differs" else {}
    if cause == "removed by hand":
        wire.docker("rm", "-f", "lc-r1")
    if cause == "sandbox killed":
        wire.docker("kill", "lc-r1.sb")
    changed = up(wire, node("r1", env=env), node("r2"))
    assert {name for _action, name in changed} <= {"lc-r1", "lc-r1.sb", "lcp-r1"}
    assert pings(wire, "r1", ADDRESSES["r2"])
    assert device(wire, "r2") == neighbour
    assert up(wire, node("r1", env=env), node("r2")) == []


def test_a_restart_of_the_node_keeps_its_link(wire: LabServer) -> None:
    up(wire, node("r1"), node("r2"))
    before = device(wire, "r1")
    wire.docker("restart", "lc-r1")
    assert device(wire, "r1") == before
    assert pings(wire, "r1", ADDRESSES["r2"])
    assert up(wire, node("r1"), node("r2")) == []
