# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ports layer on a server in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import AGAIN, ApplyError, ForeignError, LabError, ReadError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, SetDevice
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsInterface, OvsPort
from ansible_collections.archetype.lab.plugins.module_utils._ports import converge
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from tests.unit.module_utils.fakes import FakeDocker, FakeNet, FakeOvs

PORTS = tuple(
    Port(
        name=f"ap{number}",
        device="veth",
        link=f"k{number}",
        node="r1",
        interface=f"eth{number}",
        sandbox="x.r1.sandbox",
        mac=f"02:00:00:00:00:0{number}",
        mtu=9500,
        tag=100 + number,
        group=77,
    )
    for number in (3, 1, 2)
)
NETNS = "/proc/42/ns/net"


@dataclass
class Box:
    """A server in memory with one sandbox that runs."""

    net: FakeNet
    ovs: FakeOvs
    docker: FakeDocker

    def run(self, *ports: Port, lab: str = "x", check: bool = False, absent: bool = False, prune: bool = False) -> LayerResult:
        want = Request(lab, ports, absent=absent, prune=prune)
        return converge(Server(ovs=self.ovs, net=self.net, docker=self.docker), want, check=check)  # type: ignore[arg-type]

    def foreign_port(self, name: str, *, tag: int | None = None, marks: dict[str, str] | None = None) -> None:
        self.ovs.ports[name] = OvsPort(name, "arch-ovs", tag=tag, external_ids=marks or {}, interfaces=(OvsInterface(name, "", 3),))


@pytest.fixture
def box() -> Box:
    net = FakeNet(inside={NETNS: {"lo": Device("lo", 1)}})
    docker = FakeDocker({"x.r1.sandbox": DockerContainer("1", "x.r1.sandbox", "running", 42)})
    return Box(net, FakeOvs(net), docker)


def lines(result: LayerResult) -> list[str]:
    return [change.to_line() for change in result.changes]


def test_ports_are_made_in_the_declared_order_with_exact_names_in_one_batch_and_one_transaction(box: Box) -> None:
    result = box.run(*PORTS)
    assert lines(result) == ["+ port ap3 (r1:eth3)", "+ port ap1 (r1:eth1)", "+ port ap2 (r1:eth2)"]
    assert result.errors == []
    assert list(box.net.inside[NETNS]) == ["lo", "eth3", "eth1", "eth2"]
    assert (box.net.calls.count("apply"), box.ovs.calls.count("apply"), box.docker.calls.count("inspect")) == (1, 1, 2)
    assert box.ovs.ports["ap1"].tag == 101
    assert box.ovs.ports["ap1"].vlan_mode == "dot1q-tunnel"
    assert box.ovs.ports["ap1"].external_ids == {
        "archetype-lab": "x",
        "archetype-role": "port",
        "archetype-link": "k1",
        "archetype-node": "r1",
        "archetype-interface": "eth1",
        "archetype-ifindex": str(box.net.devices["ap1"].index),
    }
    assert box.net.inside[NETNS]["eth1"].tx_checksum is False
    assert [(one["name"], one["ofport"], one["carrier"]) for one in result.objects] == [
        ("ap3", 7, True),
        ("ap1", 7, True),
        ("ap2", 7, True),
    ]


def test_a_second_run_reads_once_and_writes_nothing(box: Box) -> None:
    box.run(*PORTS)
    box.net.calls.clear()
    box.ovs.calls.clear()
    result = box.run(*PORTS)
    assert result.changes == []
    assert box.net.calls == ["read_netns", "read"]
    assert box.ovs.calls == ["read"]


def test_check_mode_says_what_a_run_does_and_writes_nothing(box: Box) -> None:
    predicted = box.run(*PORTS, check=True)
    assert box.net.applied == []
    assert box.ovs.applied == []
    assert lines(predicted) == lines(box.run(*PORTS))


def _device(box: Box, **values: object) -> None:
    box.net.devices["ap1"] = replace(box.net.devices["ap1"], **values)  # type: ignore[arg-type]


def _inside(box: Box, **values: object) -> None:
    box.net.inside[NETNS]["eth1"] = replace(box.net.inside[NETNS]["eth1"], **values)  # type: ignore[arg-type]


def _port(box: Box, **values: object) -> None:
    box.ovs.ports["ap1"] = replace(box.ovs.ports["ap1"], **values)  # type: ignore[arg-type]


BREAKS: dict[str, tuple[Callable[[Box], object], str]] = {
    "tag": (lambda box: _port(box, tag=None), "~ port ap1 (r1:eth1): tag (none) -> 101"),
    "vlan mode": (lambda box: _port(box, vlan_mode="access"), "~ port ap1 (r1:eth1): vlan_mode access -> dot1q-tunnel"),
    "trunks": (lambda box: _port(box, trunks=(5,)), "~ port ap1 (r1:eth1): trunks [5] -> (none)"),
    "bridge": (lambda box: _port(box, bridge="br9"), "~ port ap1 (r1:eth1): bridge br9 -> arch-ovs"),
    "off the bridge": (lambda box: box.ovs.ports.pop("ap1"), "~ port ap1 (r1:eth1): bridge (none) -> arch-ovs"),
    "mtu": (lambda box: _device(box, mtu=1400), "~ port ap1 (r1:eth1): mtu 1400 -> 9500"),
    "mtu inside": (lambda box: _inside(box, mtu=1400), "~ port ap1 (r1:eth1): mtu inside 1400 -> 9500"),
    "mac": (lambda box: _inside(box, mac="02:99:00:00:00:01"), "~ port ap1 (r1:eth1): mac inside 02:99:00:00:00:01 -> 02:00:00:00:00:01"),
    "group": (lambda box: _device(box, group=0), "~ port ap1 (r1:eth1): group 0 -> 77"),
    "down": (lambda box: _device(box, up=False), "~ port ap1 (r1:eth1): up False -> True"),
    "checksum": (lambda box: _inside(box, tx_checksum=True), "~ port ap1 (r1:eth1): checksum offload inside on -> off"),
    "device gone": (lambda box: box.net.drop("ap1"), "~ port ap1 (r1:eth1) recreate: the device is missing"),
    "other peer": (
        lambda box: (_device(box, peer_index=999), box.net.inside[NETNS].pop("eth1")),
        "~ port ap1 (r1:eth1) recreate: its other end is not eth1 of sandbox x.r1.sandbox",
    ),
    "could not be opened": (
        lambda box: _port(box, interfaces=(OvsInterface("ap1", "", -1, "No such device"),)),
        "~ port ap1 (r1:eth1): ofport No such device -> assigned",
    ),
    "device made anew": (
        lambda box: _port(box, external_ids={**box.ovs.ports["ap1"].external_ids, "archetype-ifindex": "5"}),
        "~ port ap1 (r1:eth1): ofport that of a device with index 5, which is now ",
    ),
}


@pytest.mark.parametrize("what", BREAKS)
def test_what_differs_is_repaired_and_only_that_port_is_reported(box: Box, what: str) -> None:
    box.run(*PORTS)
    damage, line = BREAKS[what]
    damage(box)
    predicted = box.run(*PORTS, check=True)
    result = box.run(*PORTS)
    assert lines(predicted) == lines(result)
    assert len(result.changes) == 1
    assert lines(result)[0].startswith(line)
    assert result.errors == []
    assert box.run(*PORTS).changes == []


def test_repairs_are_light(box: Box) -> None:
    box.run(*PORTS)
    box.net.applied.clear()
    box.ovs.applied.clear()
    _device(box, mtu=1400, up=False)
    box.run(*PORTS)
    assert box.net.applied == [SetDevice("ap1", mtu=9500, up=True)]
    assert box.ovs.applied == []


def test_interfaces_that_were_swapped_are_told_by_their_index_not_by_their_name(box: Box) -> None:
    box.run(*PORTS)
    one, two = box.net.inside[NETNS]["eth1"], box.net.inside[NETNS]["eth2"]
    box.net.inside[NETNS].update(eth1=replace(two, name="eth1"), eth2=replace(one, name="eth2"))
    result = box.run(*PORTS)
    assert {change.name: change.action for change in result.changes} == {"ap1": "recreate", "ap2": "recreate"}
    assert result.errors == []
    assert box.net.devices["ap1"].peer_index == box.net.inside[NETNS]["eth1"].index


def test_an_interface_whose_port_has_another_name_now_is_given_to_the_new_one(box: Box) -> None:
    box.run(PORTS[1])
    result = box.run(replace(PORTS[1], name="ap9"))
    assert result.errors == []
    assert list(box.net.devices) == ["ap9"]
    assert list(box.ovs.ports) == ["ap9"]


def test_mac_of_an_interface_in_a_bond_is_left_to_the_node(box: Box) -> None:
    box.run(*PORTS)
    _inside(box, mac="02:99:00:00:00:01", master=9)
    assert box.run(*PORTS).changes == []


def test_checksum_offload_is_left_alone_on_the_kernels_datapath(box: Box) -> None:
    box.ovs.bridges["arch-ovs"] = replace(box.ovs.bridges["arch-ovs"], datapath_type="system")
    box.run(*PORTS)
    assert box.net.inside[NETNS]["eth1"].tx_checksum is True
    assert box.run(*PORTS).changes == []


def test_a_port_that_is_not_enabled_is_down_and_off_the_bridge_and_the_node_keeps_its_interface(box: Box) -> None:
    box.run(*PORTS)
    off = replace(PORTS[1], enabled=False)
    result = box.run(PORTS[0], off, PORTS[2])
    assert lines(result) == ["~ port ap1 (r1:eth1): up True -> False, bridge arch-ovs -> (none)"]
    assert "ap1" not in box.ovs.ports
    assert not box.net.devices["ap1"].up
    assert "eth1" in box.net.inside[NETNS]
    assert box.run(PORTS[0], off, PORTS[2]).changes == []
    assert lines(box.run(*PORTS)) == ["~ port ap1 (r1:eth1): up False -> True, bridge (none) -> arch-ovs"]


def test_a_device_that_is_there_is_put_on_the_bridge_and_outlives_its_port(box: Box) -> None:
    box.net.devices["tap1"] = Device("tap1", 50, "tun", mtu=1500)
    tap = Port(name="tap1", node="vm1", interface="eth1", tag=120, mtu=9000)
    assert lines(box.run(tap)) == ["+ port tap1 (vm1:eth1): up False -> True, mtu 1500 -> 9000"]
    assert box.ovs.ports["tap1"].tag == 120
    assert box.run(tap).changes == []
    assert lines(box.run(tap, absent=True)) == ["- port tap1 (vm1:eth1)"]
    assert "tap1" in box.net.devices
    assert box.run(tap, absent=True).changes == []


def _foreign_device(box: Box) -> None:
    box.net.devices["ap1"] = Device("ap1", 50, "dummy")


def _others_device(box: Box) -> None:
    box.net.devices["ap1"] = Device("ap1", 50, "veth", alias="archetype-lab:other:port:r9:eth1")


def _foreign_interface(box: Box) -> None:
    box.net.inside[NETNS]["eth1"] = Device("eth1", 9, "veth", peer_index=12)


CONFLICTS: dict[str, tuple[Callable[[Box], object], str]] = {
    "device": (_foreign_device, "a network device named ap1 exists; it belongs to: foreign"),
    "device of another lab": (_others_device, "a network device named ap1 exists; it belongs to: lab other"),
    "port": (lambda box: box.foreign_port("ap1"), "an OVS port named ap1 is on bridge arch-ovs; it belongs to: foreign"),
    "port of another lab": (lambda box: box.foreign_port("ap1", marks={"archetype-lab": "other"}), "it belongs to: lab other"),
    "tunnel of the lab": (
        lambda box: box.foreign_port("ap1", marks={"archetype-lab": "x", "archetype-role": "tunnel"}),
        "it belongs to: a tunnel of this lab",
    ),
    "interface": (_foreign_interface, "sandbox x.r1.sandbox has an interface eth1 that does not lead to a port of this lab"),
    "tag": (lambda box: box.foreign_port("tap7", tag=101), "tag 101 of port ap1 (r1:eth1) is used on bridge arch-ovs by port tap7"),
    "tag of another lab": (
        lambda box: box.foreign_port("op1", tag=103, marks={"archetype-lab": "other"}),
        "tag 103 of port ap3 (r1:eth3) is used on bridge arch-ovs by port op1; it belongs to: lab other",
    ),
}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("what", CONFLICTS)
def test_what_is_not_ours_stops_the_run_before_anything_is_touched(box: Box, what: str, check: bool) -> None:
    prepare, message = CONFLICTS[what]
    prepare(box)
    with pytest.raises(ForeignError) as caught:
        box.run(*PORTS, check=check)
    assert message in str(caught.value)
    assert box.net.applied == []
    assert box.ovs.applied == []


def test_a_tag_is_free_for_a_port_that_is_not_enabled(box: Box) -> None:
    box.foreign_port("tap7", tag=101)
    assert box.run(replace(PORTS[1], enabled=False)).errors == []


def test_without_prune_a_list_is_merged_and_with_it_only_ports_of_the_lab_go(box: Box) -> None:
    box.foreign_port("tap7", tag=7)
    box.run(*PORTS)
    box.run(replace(PORTS[0], name="bp3", sandbox="x.r1.sandbox", interface="eth9", tag=300), lab="y")
    assert box.run(PORTS[0]).changes == []
    assert lines(box.run(PORTS[0], prune=True)) == ["- port ap1 (r1:eth1): not declared", "- port ap2 (r1:eth2): not declared"]
    assert sorted(box.ovs.ports) == ["ap3", "bp3", "tap7"]
    assert sorted(box.net.devices) == ["ap3", "bp3"]


@pytest.mark.parametrize("half", ["device", "port", "both"])
def test_absent_removes_what_is_left_of_a_port(box: Box, half: str) -> None:
    box.run(*PORTS)
    if half == "device":
        del box.ovs.ports["ap1"]
    if half == "port":
        box.net.drop("ap1")
    assert lines(box.run(PORTS[1], absent=True)) == ["- port ap1 (r1:eth1)"]
    assert sorted(box.ovs.ports) == sorted(box.net.devices) == ["ap2", "ap3"]
    assert box.run(PORTS[1], absent=True).changes == []


def test_absent_with_prune_removes_everything_of_the_lab_in_one_batch(box: Box) -> None:
    box.run(*PORTS)
    box.net.calls.clear()
    box.ovs.calls.clear()
    assert [change.name for change in box.run(absent=True, prune=True).changes] == ["ap1", "ap2", "ap3"]
    assert (box.net.devices, box.ovs.ports) == ({}, {})
    assert (box.net.calls.count("apply"), box.ovs.calls.count("apply")) == (1, 1)


def test_absent_never_touches_a_foreign_object_of_that_name(box: Box) -> None:
    _foreign_device(box)
    with pytest.raises(ForeignError, match="a network device named ap1 exists"):
        box.run(PORTS[1], absent=True)
    assert "ap1" in box.net.devices


@pytest.mark.parametrize("backend", ["ovs", "net"])
def test_what_cannot_be_read_is_not_empty(box: Box, backend: str) -> None:
    box.run(*PORTS)
    getattr(box, backend).unreadable = True
    box.net.applied.clear()
    box.ovs.applied.clear()
    with pytest.raises(ReadError):
        box.run(prune=True)
    assert (box.net.applied, box.ovs.applied) == ([], [])


def test_a_sandbox_that_does_not_run_is_predicted_and_is_an_error_of_its_ports_in_a_real_run(box: Box) -> None:
    del box.docker.containers["x.r1.sandbox"]
    box.net.inside["/run/netns/r2"] = {}
    other = replace(PORTS[0], name="ap8", node="r2", sandbox="/dev/null")
    box.net.inside["/dev/null"] = {}
    assert [change.name for change in box.run(PORTS[1], other, check=True).changes] == ["ap1", "ap8"]
    result = box.run(PORTS[1], other)
    assert [change.name for change in result.changes] == ["ap8"]
    assert [str(error) for error in result.errors] == [
        "port ap1 (r1:eth1): its sandbox x.r1.sandbox does not run; " + AGAIN + ", or start it with archetype.lab.lab_container"
    ]
    assert list(box.ovs.ports) == ["ap8"]


def test_a_missing_bridge_is_an_error_of_a_real_run_only(box: Box) -> None:
    box.ovs.bridges.clear()
    assert len(box.run(*PORTS, check=True).changes) == 3
    (error,) = box.run(*PORTS).errors
    assert "there is no bridge arch-ovs" in str(error)
    assert box.net.devices == {}


def test_what_the_kernel_refuses_is_an_error_of_that_port_and_the_others_are_made(box: Box) -> None:
    box.net.refuse["ap1"] = "not permitted to change ap1"
    result = box.run(*PORTS)
    assert [str(error) for error in result.errors] == ["port ap1: not permitted to change ap1"]
    assert isinstance(result.errors[0], ApplyError)
    assert [change.name for change in result.changes] == ["ap3", "ap2"]
    assert sorted(box.ovs.ports) == ["ap2", "ap3"]


def test_a_refused_transaction_is_one_error_that_names_the_ports(box: Box) -> None:
    box.ovs.refuse = "ovsdb-server refused the transaction"
    result = box.run(*PORTS)
    (error,) = result.errors
    assert error.objects == ("ap3", "ap1", "ap2")
    assert result.changes == []


def test_a_port_that_open_vswitch_could_not_open_is_found_by_reading_back(box: Box) -> None:
    box.ovs.broken = True
    result = box.run(*PORTS)
    assert len(result.errors) == 3
    assert isinstance(result.errors[0], VerifyError)
    assert "port ap3 (r1:eth3) is not as wanted: ofport is 'could not open network device ap3'" in str(result.errors[0])


@pytest.mark.parametrize(
    ("ports", "lab", "message"),
    [
        ((PORTS[0], PORTS[0]), "x", "port ap3 is listed twice: at 0 and 1 of ports"),
        ((PORTS[0], replace(PORTS[0], name="ap4")), "x", "interface eth3 of sandbox x.r1.sandbox is listed twice: for ports ap3 and ap4"),
        ((replace(PORTS[0], name="a-name-of-16-byt"),), "x", "cannot be the name of a device"),
        ((replace(PORTS[0], tag=4095),), "x", "4095 is not a VLAN tag (1 to 4094)"),
        ((replace(PORTS[0], sandbox=""),), "x", "device=veth needs sandbox and interface"),
        (PORTS, "a:b", "'a:b' cannot be the name of a lab"),
    ],
)
def test_a_request_that_cannot_be_is_refused(box: Box, ports: tuple[Port, ...], lab: str, message: str) -> None:
    with pytest.raises(LabError) as caught:
        box.run(*ports, lab=lab)
    assert message in str(caught.value)
    assert box.net.applied == []
