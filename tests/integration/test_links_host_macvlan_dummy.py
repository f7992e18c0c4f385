# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Interfaces that lead off the bridge: to the server itself, onto a device of the server, or nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.wired import Wired, port, wired_server
from tests.testbed.testbed import Testbed

SANDBOX = "x.r1.sandbox"
FAR = "foreignns"
HOST = {**port(1, "r1", 0, interface="eth2"), "name": "xhost2", "device": "host", "tag": None, "addresses": ["198.51.100.1/24"]}
MACVLAN = {
    **port(2, "r1", 0, interface="eth3"), "device": "macvlan", "tag": None, "mtu": None, "group": 0, "parent": "foreignp", "mode": "bridge",
    "addresses": ["198.51.100.130/25"],
}  # fmt: skip
DUMMY = {**port(3, "r1", 0, interface="dum0"), "device": "dummy", "tag": None, "group": 0}


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        one.sandbox(SANDBOX)
        one.sh("ip", "link", "add", "foreignp", "type", "veth", "peer", "name", "foreignq")
        one.sh("ip", "link", "set", "foreignp", "up")
        one.sh("ip", "netns", "add", FAR)
        one.sh("ip", "link", "set", "foreignq", "netns", FAR)
        one.sh("ip", "-n", FAR, "address", "add", "198.51.100.129/25", "dev", "foreignq")
        one.sh("ip", "-n", FAR, "link", "set", "foreignq", "up")
        try:
            yield one
        finally:
            one.sh("ip", "netns", "delete", FAR, check=False)


def inner(wired: Wired, interface: str) -> dict[str, Any]:
    """An interface of the node, with its details."""
    (told,) = json.loads(wired.inside(SANDBOX, "ip", "-json", "-details", "link", "show", "dev", interface))
    return dict(told)


# host links


def test_a_host_link_joins_the_node_and_the_server_off_the_bridge(wired: Wired) -> None:
    predicted = wired.ports(HOST, check=True).lines
    assert wired.ports(HOST).ok().lines == predicted == ["+ port xhost2 (r1:eth2)"]
    wired.sh("ip", "address", "add", "198.51.100.2/24", "dev", "xhost2")
    assert wired.pings(SANDBOX, "198.51.100.2")
    assert "xhost2" not in wired.ovs_ports()
    assert wired.devices()["xhost2"]["ifalias"] == "archetype-lab:x:host:r1:eth2"
    assert not wired.ports(HOST).ok().result["changed"]


def test_a_host_link_goes_down_with_either_end_and_says_so(wired: Wired) -> None:
    wired.ports(HOST).ok()
    wired.inside(SANDBOX, "ip", "link", "set", "eth2", "down")
    link = {"key": "r1:eth2--host:xhost2", "mtu": 1500, "probe": "device",
            "endpoints": [{"node": "r1", "interface": "eth2", "server": "srv1", "port": "xhost2"}]}  # fmt: skip
    seen = wired.module("lab_certify", lab="x", server="srv1", links=[link]).ok()
    assert seen.result["ports"] == {"r1:eth2": {"carrier": False, "error": ""}}
    wired.inside(SANDBOX, "ip", "link", "set", "eth2", "up")
    assert wired.module("lab_certify", lab="x", server="srv1", links=[link]).ok().result["ports"]["r1:eth2"]["carrier"] is True


def test_a_host_link_takes_no_foreign_device_and_leaves_it_alone(wired: Wired) -> None:
    ran = wired.ports({**HOST, "name": "foreignp"})
    assert ran.failed
    assert "a network device named foreignp exists; it belongs to: foreign" in ran.result["msg"]
    assert wired.devices()["foreignp"].get("ifalias") is None
    assert "eth2" not in wired.devices(SANDBOX)


def test_a_host_link_is_mended_and_removed(wired: Wired) -> None:
    wired.ports(HOST).ok()
    wired.sh("ip", "link", "set", "xhost2", "down")
    assert wired.ports(HOST).ok().lines == ["~ port xhost2 (r1:eth2): up False -> True"]
    wired.sh("ip", "link", "delete", "xhost2")
    assert wired.ports(HOST).ok().result["plan"] == {"create": 1}
    assert "eth2" in wired.devices(SANDBOX)
    assert wired.ports(state="absent", prune=True).ok().result["plan"] == {"delete": 1}
    assert "xhost2" not in wired.devices()
    assert "eth2" not in wired.devices(SANDBOX)


# macvlan


def test_a_macvlan_is_on_the_servers_device(wired: Wired) -> None:
    assert wired.ports(MACVLAN).ok().lines == ["+ port xp2 (r1:eth3)"]
    told = inner(wired, "eth3")
    assert (told["linkinfo"]["info_kind"], told["linkinfo"]["info_data"]["mode"], told["address"], told["ifalias"]) == (
        "macvlan", "bridge", MACVLAN["mac"], "archetype-lab:x:port:r1:eth3",
    )  # fmt: skip
    assert wired.pings(SANDBOX, "198.51.100.129")
    assert not wired.ports(MACVLAN).ok().result["changed"]


def test_a_macvlan_without_its_device_is_an_error_before_anything_is_touched(wired: Wired) -> None:
    ran = wired.ports(HOST, {**MACVLAN, "parent": "nope0"})
    assert ran.failed
    assert "port xp2 (r1:eth3): the server has no device nope0 for a macvlan" in ran.result["msg"]
    assert "foreignp" in ran.result["msg"]
    assert list(wired.devices(SANDBOX)) == ["lo"]
    assert "xhost2" not in wired.devices()


def test_a_macvlan_of_another_mode_or_device_is_made_anew_and_one_that_is_not_declared_goes(wired: Wired) -> None:
    wired.ports(MACVLAN).ok()
    vepa = {**MACVLAN, "mode": "vepa"}
    assert wired.ports(vepa).ok().lines == ["~ port xp2 (r1:eth3) recreate: its mode is bridge and not vepa"]
    assert inner(wired, "eth3")["linkinfo"]["info_data"]["mode"] == "vepa"
    assert not wired.ports(vepa).ok().result["changed"]
    wired.ports(HOST).ok()
    moved = {**vepa, "parent": "xhost2"}
    assert wired.ports(HOST, moved).ok().lines == ["~ port xp2 (r1:eth3) recreate: it is not on xhost2"]
    assert wired.ports(HOST, prune=True).ok().lines == ["- port r1:eth3: not declared"]
    assert sorted(wired.devices(SANDBOX)) == ["eth2", "lo"]


def test_a_macvlan_of_the_nodes_own_is_not_touched(wired: Wired) -> None:
    wired.ports(HOST).ok()
    wired.inside(SANDBOX, "ip", "link", "add", "link", "eth2", "name", "eth3", "type", "macvlan")
    ran = wired.ports(HOST, MACVLAN)
    assert ran.failed
    assert "sandbox x.r1.sandbox has an interface eth3 that does not lead to a port of this lab" in ran.result["msg"]
    assert wired.ports(HOST, prune=True).ok().result["changed"] is False
    assert "eth3" in wired.devices(SANDBOX)


def test_a_named_macvlan_is_removed_and_a_restart_of_the_sandbox_makes_it_again(wired: Wired) -> None:
    wired.ports(MACVLAN).ok()
    wired.sh("docker", "restart", "--time", "0", SANDBOX)
    assert wired.ports(MACVLAN).ok().result["plan"] == {"create": 1}
    assert wired.pings(SANDBOX, "198.51.100.129")
    assert wired.ports(MACVLAN, state="absent").ok().result["plan"] == {"delete": 1}
    assert list(wired.devices(SANDBOX)) == ["lo"]
    assert "foreignp" in wired.devices()


def test_an_interface_changes_its_sort_in_one_run(wired: Wired) -> None:
    bridged = {**port(2, "r1", 120, interface="eth3")}
    wired.ports(bridged).ok()
    assert wired.ports(MACVLAN).ok().result["plan"] == {"recreate": 1}
    assert (inner(wired, "eth3")["linkinfo"]["info_kind"], "xp2" in wired.ovs_ports(), "xp2" in wired.devices()) == (
        "macvlan",
        False,
        False,
    )
    assert wired.ports(bridged).ok().result["plan"] == {"create": 1}
    assert inner(wired, "eth3")["linkinfo"]["info_kind"] == "veth"
    assert not wired.ports(bridged).ok().result["changed"]


# dummy


def test_a_dummy_device_is_made_or_the_error_says_which_module_to_load(wired: Wired) -> None:
    known = "dummy" in wired.sh("sh", "-c", "ip link add foreignd type dummy && ip link delete foreignd && echo dummy || true", check=False)
    ran = wired.ports(DUMMY)
    if known:
        assert inner(wired, "dum0")["linkinfo"]["info_kind"] == "dummy"
        assert not wired.ports(DUMMY).ok().result["changed"]
    else:
        assert "the server's kernel has no dummy devices, which dum0 would be: load the module (modprobe dummy)" in ran.result["msg"]
        assert list(wired.devices(SANDBOX)) == ["lo"]


def test_several_sorts_take_one_batch_each_and_no_process(wired: Wired) -> None:
    many = [{**HOST, "name": f"xh{number}", "interface": f"eth{number}", "mac": f"02:00:00:00:02:{number:02x}", "addresses": []}
            for number in range(10, 40)]  # fmt: skip
    made = wired.ports(*many, MACVLAN).ok()
    assert made.result["plan"] == {"create": 31}
    assert (made.counted["processes"], made.counted["transactions"]) == (0, 0)
