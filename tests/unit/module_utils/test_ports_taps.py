# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taps of virtual machines in the ports layer, on a server in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Impairment, Port, PortRoute
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, DropDevice, NewTap, SetTapOwner, Tap
from ansible_collections.archetype.lab.plugins.module_utils._ports import converge
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from tests.unit.module_utils.fakes import FakeDocker, FakeNet, FakeOvs
from tests.unit.module_utils.test_ports import lines

TAP = Port("at1", "tap", "L", "vm1", "eth1", "", "02:00:00:00:00:01", 9500, 112, group=77)
OTHER = replace(TAP, name="at2", node="vm2", queues=4)
OWNER = 64055


class Box:
    """A server in memory. Its own eth1 must never be taken for the eth1 of a machine."""

    def __init__(self) -> None:
        self.net = FakeNet(devices={"eth1": Device("eth1", 3)})
        self.ovs = FakeOvs(self.net)
        self.docker = FakeDocker()

    def run(
        self, *ports: Port, check: bool = False, prune: bool = False, absent: bool = False, owner: int = OWNER, closing: Sequence[str] = ()
    ) -> LayerResult:
        want = Request("x", ports, absent=absent, prune=prune, tap_owner=owner, closing=closing)
        return converge(Server(ovs=self.ovs, net=self.net, docker=self.docker), want, check=check)  # type: ignore[arg-type]

    def change(self, name: str = "at1", **values: object) -> None:
        self.net.devices[name] = replace(self.net.devices[name], **values)  # type: ignore[arg-type]

    def tap(self, name: str = "at1", **values: object) -> None:
        tap = self.net.devices[name].tap
        assert tap is not None
        self.change(name, tap=replace(tap, **values))  # type: ignore[arg-type]


@pytest.fixture
def box() -> Box:
    return Box()


def test_taps_are_predicted_made_in_one_batch_and_right_in_the_second_run(box: Box) -> None:
    predicted = lines(box.run(TAP, OTHER, check=True))
    assert predicted == ["+ port at1 (vm1:eth1)", "+ port at2 (vm2:eth1)"]
    assert not box.net.applied
    result = box.run(TAP, OTHER)
    assert (lines(result), result.errors) == (predicted, [])
    alias = "archetype-lab:x:port:vm"
    assert box.net.applied == [
        NewTap("at1", OWNER, 9500, f"{alias}1:eth1", 77, up=True, queues=False),
        NewTap("at2", OWNER, 9500, f"{alias}2:eth1", 77, up=True, queues=True),
    ]
    assert (box.net.calls.count("apply"), box.ovs.calls.count("apply"), box.docker.calls) == (1, 1, [])
    assert box.ovs.ports["at1"].external_ids == {
        "archetype-lab": "x",
        "archetype-role": "port",
        "archetype-link": "L",
        "archetype-node": "vm1",
        "archetype-interface": "eth1",
        "archetype-ifindex": str(box.net.devices["at1"].index),
    }
    assert box.run(TAP, OTHER).changes == []


BREAKS: dict[str, tuple[Callable[[Box], object], str]] = {
    "gone": (lambda box: box.net.drop("at1"), "~ port at1 (vm1:eth1) recreate: the device is missing"),
    "down": (lambda box: box.change(up=False), "~ port at1 (vm1:eth1): up False -> True"),
    "mtu": (lambda box: box.change(mtu=1500), "~ port at1 (vm1:eth1): mtu 1500 -> 9500"),
    "group": (lambda box: box.change(group=0), "~ port at1 (vm1:eth1): group 0 -> 77"),
    "owner": (lambda box: box.tap(owner=0), "~ port at1 (vm1:eth1): owner 0 -> 64055"),
    "nobody's": (lambda box: box.tap(owner=None), "~ port at1 (vm1:eth1): owner (none) -> 64055"),
    "queues": (lambda box: box.tap(queues=True), "~ port at1 (vm1:eth1) recreate: it has several queues and not one queue"),
    "a veth": (lambda box: box.change(kind="veth", tap=None), "~ port at1 (vm1:eth1) recreate: it is a veth and not a tap"),
    "off the bridge": (lambda box: box.ovs.ports.pop("at1"), "~ port at1 (vm1:eth1): bridge (none) -> arch-ovs"),
    "tag": (
        lambda box: box.ovs.ports.update(at1=replace(box.ovs.ports["at1"], tag=9, vlan_mode="")),
        "~ port at1 (vm1:eth1): tag 9 -> 112, vlan_mode (none) -> dot1q-tunnel",
    ),
    "another device": (
        lambda box: box.change(index=99),
        "~ port at1 (vm1:eth1): ofport that of a device with index 100, which is now 99 -> assigned",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_differs_is_predicted_and_mended(box: Box, what: str) -> None:
    damage, line = BREAKS[what]
    box.run(TAP)
    damage(box)
    predicted = lines(box.run(TAP, check=True))
    result = box.run(TAP)
    assert (lines(result), result.errors) == (predicted, [])
    assert predicted == [line]
    assert box.run(TAP).changes == []


@pytest.mark.parametrize("values", [{"owner": 0}, {"queues": True}, {"persistent": False}])
def test_a_tap_that_a_machine_has_open_is_left_until_it_is_not(box: Box, values: dict[str, object]) -> None:
    box.run(TAP)
    box.tap(used=True, **values)
    box.net.applied.clear()
    assert box.run(TAP).changes == []
    (predicted,) = lines(box.run(TAP, check=True, closing=["at1"]))
    assert "owner 0 -> 64055" in predicted or "recreate" in predicted
    assert box.net.applied == []
    box.tap(used=False)
    assert lines(box.run(TAP, closing=["at1"])) == [predicted]


def test_what_can_be_changed_on_a_tap_in_use_is_changed(box: Box) -> None:
    box.run(TAP)
    box.tap(used=True)
    box.change(mtu=1500, up=False)
    assert lines(box.run(TAP)) == ["~ port at1 (vm1:eth1): up False -> True, mtu 1500 -> 9500"]
    assert not any(isinstance(op, (DropDevice, SetTapOwner)) for op in box.net.applied)


def test_a_port_that_is_off_is_down_and_off_the_bridge_and_the_tap_stays(box: Box) -> None:
    box.run(TAP)
    index = box.net.devices["at1"].index
    assert lines(box.run(replace(TAP, enabled=False))) == ["~ port at1 (vm1:eth1): up True -> False, bridge arch-ovs -> (none)"]
    assert (box.net.devices["at1"].index, box.net.devices["at1"].up, dict(box.ovs.ports)) == (index, False, {})
    assert len(box.run(TAP).changes) == 1
    assert box.run(TAP).changes == []


def test_taps_that_are_not_declared_any_more_go_and_others_stay(box: Box) -> None:
    box.net.devices["vnet0"] = Device("vnet0", 50, "tun", tap=Tap(0, persistent=True))
    box.run(TAP, OTHER)
    box.tap("at2", used=True)
    assert lines(box.run(TAP, prune=True)) == ["- port at2 (vm2:eth1): not declared"]
    assert lines(box.run(TAP, absent=True)) == ["- port at1 (vm1:eth1)"]
    assert (sorted(box.net.devices), dict(box.ovs.ports)) == (["eth1", "vnet0"], {})


def test_a_node_that_becomes_a_container_or_a_machine_has_its_port_made_anew(box: Box) -> None:
    veth = replace(TAP, device="veth", sandbox="x.vm1.sandbox")
    box.docker.containers["x.vm1.sandbox"] = DockerContainer("1", "x.vm1.sandbox", "running", 42)
    box.net.inside["/proc/42/ns/net"] = {}
    box.run(TAP)
    assert lines(box.run(veth)) == ["~ port at1 (vm1:eth1) recreate: its other end is not eth1 of sandbox x.vm1.sandbox"]
    assert lines(box.run(TAP)) == ["~ port at1 (vm1:eth1) recreate: it is a veth and not a tap"]
    assert (box.run(TAP).changes, box.net.inside["/proc/42/ns/net"]) == ([], {})


@pytest.mark.parametrize("foreign", [Device("at1", 9, "tun", tap=Tap(0, persistent=True)), Device("at1", 9, "dummy", alias="mine")])
def test_a_device_of_that_name_that_is_not_ours_is_refused_and_not_touched(box: Box, foreign: Device) -> None:
    box.net.devices["at1"] = foreign
    for check in (True, False):
        with pytest.raises(ForeignError, match="a network device named at1 exists; it belongs to"):
            box.run(TAP, check=check)
    with pytest.raises(ForeignError, match="a network device named at1 exists"):
        box.run(TAP, absent=True)
    assert (box.net.devices["at1"], box.net.applied) == (foreign, [])


def test_interfaces_of_machines_have_nothing_to_do_with_those_of_the_server(box: Box) -> None:
    gateway = Port("apg", "veth", "M", "server s1", "amx", tag=150, group=77)
    result = box.run(TAP, OTHER, gateway)
    assert result.errors == []
    assert box.run(TAP, OTHER, gateway).changes == []
    assert box.net.devices["eth1"] == Device("eth1", 3)


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (replace(TAP, sandbox="x.r1.sandbox"), "port at1 (vm1:eth1): device=tap has no sandbox"),
        (replace(TAP, addresses=("198.51.100.1/24",)), "gets no addresses and routes from its server: set them in its configuration"),
        (replace(TAP, routes=(PortRoute("default", "198.51.100.1"),)), "gets no addresses and routes from its server"),
        (replace(TAP, impairment=Impairment(rate=8000)), "tc cannot limit or disturb what a virtual machine sends"),
        (replace(TAP, queues=0), "0 is not a number of queues (1 to 256)"),
        (replace(TAP, name="a-name-that-is-too-long"), "cannot be the name of a device"),
    ],
)
def test_a_request_that_cannot_be_is_refused(box: Box, port: Port, message: str) -> None:
    with pytest.raises(LabError) as caught:
        box.run(port)
    assert message in str(caught.value)
    assert box.net.applied == []


def test_what_the_kernel_refuses_is_the_error_of_that_port_alone(box: Box) -> None:
    box.net.refuse["at1"] = "this server has no /dev/net/tun"
    result = box.run(TAP, OTHER)
    assert [(error.message, error.objects) for error in result.errors] == [("port at1: this server has no /dev/net/tun", ("at1",))]
    assert lines(result) == ["+ port at2 (vm2:eth1)"]
    assert list(box.ovs.ports) == ["at2"]
