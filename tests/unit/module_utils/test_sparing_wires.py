# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports and tunnels that are left alone, and those that are made anew although they look right."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _ports, _tunnels
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port, Tunnel, TunnelLink
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import MEND_TOO, LabError
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, Tap
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsInterface, OvsPort
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import TunnelsPlan, plan
from tests.unit.module_utils.fakes import FakeDocker, FakeNet, FakeOvs

BOX = "x.r1.sandbox"
NETNS = "/proc/42/ns/net"
ONE = Port("ap1", "veth", link="k1", node="r1", interface="eth1", sandbox=BOX, tag=101, group=7)
TWO = Port("ap2", "veth", link="k2", node="r1", interface="eth2", sandbox=BOX, tag=102, group=7)
TAP = Port("at3", "tap", link="k3", node="vm", interface="eth1", tag=103, group=7)
LEFT = Tunnel("atl", 4711, "198.51.100.1", ("198.51.100.2",), 1450, link="k1", tag=101, group=7)
RIGHT = Tunnel("atr", 4712, "198.51.100.1", ("198.51.100.3",), 1450, link="k2", tag=102, group=7)
SHARED = Tunnel("ats", 4800, "198.51.100.1", ("198.51.100.2",), 1446, links=(TunnelLink("a", 3010), TunnelLink("b", 3011)))


@dataclass
class Box:
    net: FakeNet
    ovs: FakeOvs
    docker: FakeDocker

    @property
    def server(self) -> Server:
        return Server(ovs=self.ovs, net=self.net, docker=self.docker)  # type: ignore[arg-type]

    def ports(self, *ports: Port, check: bool = False, spared: Collection[str] = (), anew: Collection[str] = ()) -> LayerResult:
        return _ports.converge(self.server, Request("x", ports, prune=True, spared=spared, anew=anew), check=check)

    def tunnels(self, *tunnels: Tunnel, spared: Collection[str] = (), anew: Collection[str] = ()) -> tuple[TunnelsPlan, list[LabError]]:
        have = _tunnels.read(self.server)
        todo = plan(tunnels, have, lab="x", prune=True, anew=anew).sparing(spared)
        return todo, _tunnels.apply(self.server, todo, have, lab="x")

    def retag(self, name: str, tag: int) -> None:
        self.ovs.ports[name] = replace(self.ovs.ports[name], tag=tag)


@pytest.fixture
def box() -> Box:
    net = FakeNet(inside={NETNS: {"lo": Device("lo", 1)}})
    return Box(net, FakeOvs(net), FakeDocker({BOX: DockerContainer("1", BOX, "running", 42)}))


def lines(result: LayerResult | TunnelsPlan) -> list[str]:
    return [change.to_line() for change in result.changes]


# -- ports ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ap1", "r1:eth1"])
def test_a_spared_port_is_neither_mended_nor_complained_about_and_others_are_mended(box: Box, name: str) -> None:
    box.ports(ONE, TWO)
    box.retag("ap1", 9)
    box.retag("ap2", 8)
    foreseen = box.ports(ONE, TWO, spared={name}, check=True)
    result = box.ports(ONE, TWO, spared={name})
    assert lines(result) == lines(foreseen) == ["~ port ap2 (r1:eth2): tag 8 -> 102"]
    assert result.errors == []
    assert (box.ovs.ports["ap1"].tag, box.ovs.ports["ap2"].tag) == (9, 102)
    assert lines(box.ports(ONE, TWO)) == ["~ port ap1 (r1:eth1): tag 9 -> 101"]


@pytest.mark.parametrize("name", ["ap1", "r1:eth1", "k1"])
def test_a_spared_port_that_is_not_declared_stays(box: Box, name: str) -> None:
    box.ports(ONE, TWO)
    result = box.ports(spared={name})
    assert (lines(result), result.errors) == (["- port ap2 (r1:eth2): not declared"], [])
    assert "ap1" in box.net.devices
    assert "ap1" in box.ovs.ports


def test_a_spared_port_that_is_missing_is_not_made_whatever_it_lacks(box: Box) -> None:
    elsewhere = replace(ONE, sandbox="gone")
    result = box.ports(elsewhere, TWO, spared={"ap1"})
    assert (lines(result), result.errors) == (["+ port ap2 (r1:eth2)"], [])


def test_a_foreign_object_in_the_way_of_a_spared_port_stops_nothing(box: Box) -> None:
    box.net.devices["ap1"] = Device("ap1", 50, "dummy")
    result = box.ports(ONE, TWO, spared={"r1:eth1"})
    assert (lines(result), result.errors) == (["+ port ap2 (r1:eth2)"], [])
    assert box.net.devices["ap1"].kind == "dummy"


def test_a_plan_in_which_a_spared_port_is_left_is_carried_out_without_it(box: Box) -> None:
    """What is due for it can be told from the plan, and may be to remove what is somebody else's."""
    box.net.devices["ap1"] = Device("ap1", 50, "dummy")
    want = Request("x", (ONE, TWO), spared={"ap1"})
    have = _ports.read(box.server, want)
    todo = _ports.plan(want, have)
    assert [(change.action, change.name) for change in todo.changes] == [("recreate", "ap1"), ("create", "ap2")]
    result = _ports.apply(box.server, want, todo, have)
    assert (lines(result), result.errors) == (["+ port ap2 (r1:eth2)"], [])
    assert box.net.devices["ap1"].kind == "dummy"


def test_a_port_whose_place_a_spared_one_has_is_told_and_others_are_made(box: Box) -> None:
    """The interface is to lead to another port, and the one that it leads to is held."""
    box.ports(ONE)
    renamed = replace(ONE, name="ap9")
    result = box.ports(renamed, TWO, spared={"ap1"})
    assert lines(result) == ["+ port ap2 (r1:eth2)"]
    assert [str(error) for error in result.errors] == [
        "port ap9 (r1:eth1) cannot be as it is wanted: in its place is port ap1, which is left alone; " + MEND_TOO
    ]
    foreseen = box.ports(renamed, TWO, spared={"ap1"}, check=True)
    assert (lines(foreseen), [error.message for error in foreseen.errors]) == ([], [result.errors[0].message])
    assert "eth1" in box.net.inside[NETNS]


def test_no_port_gets_the_tag_that_a_spared_one_of_another_link_has(box: Box) -> None:
    box.ports(ONE, TWO)
    box.retag("ap1", 118)
    with pytest.raises(
        LabError,
        match=r"tag 118 of port ap2 .* is used on bridge arch-ovs by port ap1; it belongs to: this lab, and is left alone; run",
    ):
        box.ports(ONE, replace(TWO, tag=118), spared={"ap1"})
    assert lines(box.ports(ONE, replace(TWO, tag=118, link="k1"), spared={"ap1"})) != []


@pytest.mark.parametrize("spared", [{"k1"}, {"demo-r1", "ap77"}])
def test_names_of_other_things_spare_no_port(box: Box, spared: set[str]) -> None:
    assert lines(box.ports(ONE, spared=spared)) == ["+ port ap1 (r1:eth1)"]


# -- tunnels --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["atl", "k1"])
def test_a_spared_tunnel_is_left_and_others_are_mended(box: Box, name: str) -> None:
    box.tunnels(LEFT, RIGHT)
    box.retag("atl", 9)
    box.retag("atr", 8)
    todo, errors = box.tunnels(LEFT, RIGHT, spared={name})
    assert (lines(todo), errors) == (["~ tunnel atr (k2): tag 8 -> 102"], [])
    assert (box.ovs.ports["atl"].tag, box.ovs.ports["atr"].tag) == (9, 102)


@pytest.mark.parametrize("name", ["atl", "k1"])
def test_a_spared_tunnel_that_is_missing_or_not_declared_is_neither_made_nor_removed(box: Box, name: str) -> None:
    todo, errors = box.tunnels(LEFT, RIGHT, spared={name})
    assert (lines(todo), errors, "atl" in box.net.devices) == (["+ tunnel atr (k2): " + lines(todo)[0].partition(": ")[2]], [], False)
    box.tunnels(LEFT, RIGHT)
    todo, errors = box.tunnels(spared={name})
    assert (lines(todo), errors) == (["- tunnel atr (k2): it is not declared"], [])
    assert "atl" in box.net.devices
    assert "atl" in box.ovs.ports


def test_a_link_of_a_shared_tunnel_does_not_spare_the_others_of_it(box: Box) -> None:
    assert box.tunnels(SHARED, spared={"a"})[0].new_devices
    assert not box.tunnels(SHARED, spared={"ats"})[0].changes


def test_a_tunnel_that_needs_what_a_spared_one_has_is_told_and_left(box: Box) -> None:
    """Both would have the tag, and two links would be one."""
    box.tunnels(LEFT, RIGHT)
    box.retag("atl", 118)
    todo, errors = box.tunnels(LEFT, replace(RIGHT, tag=118), spared={"k1"})
    assert lines(todo) == []
    assert [str(error) for error in errors] == [
        "tunnel atr cannot be as it is wanted: its VNI or its tag is still that of atl, which is left alone; " + MEND_TOO
    ]
    assert todo.foreseen == errors
    assert box.ovs.ports["atr"].tag == 102


def test_a_tunnel_does_not_join_a_spared_port_of_another_link(box: Box) -> None:
    box.ports(ONE)
    box.retag("ap1", 102)
    todo, errors = box.tunnels(RIGHT, spared={"ap1"})
    assert (lines(todo), len(errors)) == ([], 1)
    todo, errors = box.tunnels(RIGHT)
    assert (len(lines(todo)), errors) == (1, [])


def test_an_undeclared_tunnel_that_is_spared_keeps_its_vni(box: Box) -> None:
    box.tunnels(LEFT)
    fresh = replace(RIGHT, vni=LEFT.vni)
    todo, errors = box.tunnels(fresh, SHARED, spared={"atl"})
    assert ([change.name for change in todo.changes], [error.objects for error in errors]) == (["ats"], [("atr",)])


# -- made anew ------------------------------------------------------------------------------------------------------


def test_a_port_that_looks_right_is_made_anew_when_that_is_asked(box: Box) -> None:
    box.ports(ONE, TWO)
    before = {name: box.net.devices[name].index for name in ("ap1", "ap2")}
    foreseen = box.ports(ONE, TWO, anew={"ap1"}, check=True)
    result = box.ports(ONE, TWO, anew={"ap1"})
    assert lines(result) == lines(foreseen) == ["~ port ap1 (r1:eth1) recreate: mending it failed"]
    assert result.errors == []
    assert box.net.devices["ap1"].index != before["ap1"]
    assert box.net.devices["ap2"].index == before["ap2"]
    assert lines(box.ports(ONE, TWO)) == []


def test_a_device_inside_a_sandbox_is_made_anew_too(box: Box) -> None:
    dummy = replace(ONE, device="dummy", tag=None)
    box.ports(dummy)
    before = box.net.inside[NETNS]["eth1"].index
    result = box.ports(dummy, anew={"ap1"})
    assert (lines(result), result.errors) == (["~ port ap1 (r1:eth1) recreate: mending it failed"], [])
    assert box.net.inside[NETNS]["eth1"].index != before


@pytest.mark.parametrize("used", [True, False])
def test_of_a_tap_that_a_machine_has_open_the_port_alone_is_made_anew(box: Box, used: bool) -> None:
    box.ports(TAP)
    device = box.net.devices["at3"]
    box.net.devices["at3"] = replace(device, tap=Tap(0, persistent=True, used=used))
    result = box.ports(TAP, anew={"at3"})
    assert result.errors == []
    assert lines(result) == ["~ port at3 (vm:eth1): mending it failed" if used else "~ port at3 (vm:eth1) recreate: mending it failed"]
    assert (box.net.devices["at3"].index == device.index) is used
    assert box.ovs.applied[-1].recreate  # type: ignore[union-attr]


def test_a_port_on_a_device_that_is_not_ours_is_made_anew_without_it(box: Box) -> None:
    box.net.devices["eth9"] = Device("eth9", 60, "veth", up=True)
    port = Port("eth9", "none", link="k9", tag=109)
    box.ports(port)
    result = box.ports(port, anew={"eth9"})
    assert (lines(result), result.errors) == (["~ port eth9: mending it failed"], [])
    assert box.net.devices["eth9"].index == 60


def test_what_is_spared_is_not_made_anew(box: Box) -> None:
    box.ports(ONE)
    assert lines(box.ports(ONE, anew={"ap1"}, spared={"ap1"})) == []


@pytest.mark.parametrize("name", ["atl", "k1"])
def test_a_tunnel_that_looks_right_is_made_anew_when_that_is_asked(box: Box, name: str) -> None:
    box.tunnels(LEFT, RIGHT)
    before = {one: box.net.devices[one].index for one in ("atl", "atr")}
    todo, errors = box.tunnels(LEFT, RIGHT, anew={name})
    assert (lines(todo), errors) == (["~ tunnel atl (k1) recreate: mending it failed"], [])
    assert box.net.devices["atl"].index != before["atl"]
    assert box.net.devices["atr"].index == before["atr"]
    assert lines(box.tunnels(LEFT, RIGHT)[0]) == []


def test_a_tunnel_that_is_missing_is_made_and_not_made_anew(box: Box) -> None:
    todo, errors = box.tunnels(LEFT, anew={"atl"})
    assert ([change.action for change in todo.changes], errors) == (["create"], [])


def test_a_foreign_port_is_not_made_anew(box: Box) -> None:
    box.ovs.ports["ap1"] = OvsPort("ap1", "arch-ovs", interfaces=(OvsInterface("ap1", "", 3),))
    with pytest.raises(LabError, match="an OVS port named ap1 is on bridge arch-ovs"):
        box.ports(ONE, anew={"ap1"})
