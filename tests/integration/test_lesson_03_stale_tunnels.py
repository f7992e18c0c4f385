# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 3: a stale device of the name, and another device with the VNI, are different troubles; both are found, and cured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.tunnelled import KEY, LAB, VNI, Tunnelled, tunnelled_servers
from tests.testbed.testbed import Testbed


@pytest.fixture
def lab(testbed: Testbed) -> Iterator[Tunnelled]:
    with tunnelled_servers(testbed) as one:
        yield one


def stale(lab: Tunnelled, name: str, *vxlan: str, owner: str | None = LAB) -> None:
    """A device as an earlier run, another lab or a human (owner None) left it."""
    lab["srv1"].sh("ip", "link", "add", name, "type", "vxlan", "local", lab.addresses["srv1"], *vxlan)
    if owner:
        lab["srv1"].sh("ip", "link", "set", name, "alias", f"archetype-lab:{owner}:tunnel:{KEY}")


def good(lab: Tunnelled) -> None:
    """One device with the right attributes, one port, and frames pass."""
    found, port = lab.vxlan("srv1"), lab.port("srv1")
    assert (found["id"], found["local"], found["remote"], found["port"]) == (VNI, lab.addresses["srv1"], lab.addresses["srv2"], 4789)
    assert (found["mtu"], port["tag"], port["vlan_mode"]) == (1450, 3001, "dot1q-tunnel")
    vnis = [one["linkinfo"]["info_data"]["id"] for one in lab["srv1"].json("ip", "-json", "-details", "link", "show", "type", "vxlan")]
    assert vnis == [VNI]
    assert lab.pings()


@pytest.mark.parametrize(
    ("vxlan", "said"),
    [
        (["id", "99", "remote", "SRV2", "dstport", "4789"], "vni 99 -> 880001"),
        (["id", str(VNI), "remote", "198.18.255.9", "dstport", "4789"], "remotes [198.18.255.9] -> [SRV2]"),
        (["id", str(VNI), "remote", "SRV2", "dstport", "8472"], "dst_port 8472 -> 4789"),
        (["id", str(VNI), "remote", "SRV2", "dstport", "4789", "df", "set"], "df set -> unset"),
    ],
    ids=["vni", "remote", "port", "df"],
)
def test_a_stale_device_of_the_name_is_made_anew(lab: Tunnelled, vxlan: list[str], said: str) -> None:
    lab.nodes()
    half = lab.connect()["srv1"]
    lab.apply("srv1", half, state="absent").ok()
    stale(lab, "tut1", *(word.replace("SRV2", lab.addresses["srv2"]) for word in vxlan))
    predicted = lab.apply("srv1", half, check=True).ok().lines
    assert said.replace("SRV2", lab.addresses["srv2"]) in predicted[0]
    assert predicted[0].startswith("~ tunnel tut1 (a:eth1--b:eth1) recreate: ")
    assert lab.apply("srv1", half).ok().lines == predicted
    good(lab)
    lab.settled("srv1", half)


@pytest.mark.parametrize(
    "change",
    [{"vni": 99}, {"remotes": ["198.18.255.9"]}, {"dst_port": 8472}, {"tag": 3999}, {"mtu": 1300}],
    ids=["vni", "remote", "port", "tag", "mtu"],
)
def test_whatever_attribute_is_wrong_is_repaired_on_a_live_tunnel(lab: Tunnelled, change: dict[str, Any]) -> None:
    lab.nodes()
    halves = lab.connect()
    lab.apply("srv1", {**halves["srv1"], **change}).ok()
    if "mtu" not in change:
        assert not lab.pings()
    lab.apply("srv1", halves["srv1"]).ok()
    good(lab)
    lab.settled("srv1", halves["srv1"])


def test_our_own_device_with_the_vni_is_removed(lab: Tunnelled) -> None:
    lab.nodes()
    half = lab.connect()["srv1"]
    lab.apply("srv1", half, state="absent").ok()
    stale(lab, "tut7", "id", str(VNI), "remote", "198.18.255.9", "dstport", "4789")
    lines = lab.apply("srv1", half).ok().lines
    assert lines[0] == "- tunnel tut7: it has the tag or the VNI of tut1"
    good(lab)


@pytest.mark.parametrize(("owner", "said"), [("tv", "lab tv"), (None, "foreign")])
def test_a_device_with_the_vni_that_is_not_ours_is_named_and_untouched(lab: Tunnelled, owner: str | None, said: str) -> None:
    stale(lab, "tut7", "id", str(VNI), "remote", "198.18.255.9", "dstport", "4789", owner=owner)
    before = lab.vxlan("srv1", "tut7")
    ran = lab.apply("srv1", lab.tunnel("srv1", "srv2"))
    assert ran.failed
    assert f"vni {VNI} (port 4789) is taken by tut7, {said}" in ran.result["msg"]
    assert (lab.vxlan("srv1", "tut7"), lab.vxlan("srv1"), lab.port("srv1")) == (before, {}, {})


def test_a_foreign_device_of_the_name_is_named_and_untouched(lab: Tunnelled) -> None:
    stale(lab, "tut1", "id", "99", "remote", "198.18.255.9", "dstport", "4789", owner=None)
    before = lab.vxlan("srv1")
    for check in (True, False):
        ran = lab.apply("srv1", lab.tunnel("srv1", "srv2"), check=check)
        assert ran.failed
        assert ran.result["errors"][0]["type"] == "ForeignError"
        assert "tunnel tut1 cannot be made" in ran.result["msg"]
    assert lab.vxlan("srv1") == before


LAYER = """
from ansible_collections.archetype.lab.plugins.module_utils import _tunnels
from ansible_collections.archetype.lab.plugins.module_utils._declared import Tunnel
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import plan
want = [Tunnel(**{**one, "remotes": tuple(one["remotes"])}) for one in given["want"]]
with Server() as server:
    have = _tunnels.read(server)
    todo = plan(want, have, lab=given["lab"], prune=True, anew=given["anew"]).sparing(given["spared"])
    errors = _tunnels.apply(server, todo, have, lab=given["lab"])
told = [change.to_line() for change in todo.changes], [str(error) for error in errors]
"""


def test_a_tunnel_that_looks_right_is_made_anew_when_lighter_mending_did_not_help(lab: Tunnelled) -> None:
    """And one that is left alone is not touched, whatever it looks like, nor what it carries."""
    lab.nodes()
    half = lab.connect()["srv1"]
    other = {**half, "name": "tut2", "vni": VNI + 1, "tag": 3002, "link": "c:eth1--d:eth1"}

    def layer(anew: tuple[str, ...] = (), spared: tuple[str, ...] = ()) -> list[str]:
        lines, errors = lab["srv1"].library(LAYER, want=[half, other], lab=LAB, anew=anew, spared=spared)
        assert errors == []
        return list(lines)

    assert len(layer()) == 1
    before = {name: one["ifindex"] for name, one in lab["srv1"].devices().items()}
    lab["srv1"].sh("ovs-vsctl", "set", "port", "tut2", "tag=3999")
    assert layer(anew=(KEY,), spared=("c:eth1--d:eth1",)) == [f"~ tunnel tut1 ({KEY}) recreate: mending it failed"]
    after = {name: one["ifindex"] for name, one in lab["srv1"].devices().items()}
    assert (after["tut1"] == before["tut1"], after["tut2"] == before["tut2"]) == (False, True)
    assert lab["srv1"].ovs_ports()["tut2"]["tag"] == 3999
    assert lab.pings()
    assert layer() == ["~ tunnel tut2 (c:eth1--d:eth1): tag 3999 -> 3002"]
    assert layer() == []
