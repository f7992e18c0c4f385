# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tunnels layer on a server in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Tunnel, TunnelLink
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ForeignError, LabError, ReadError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, DropDevice, NewVxlan, SetDevice, Vxlan
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import DropPort, OvsInterface, OvsPort, PutPort
from ansible_collections.archetype.lab.plugins.module_utils._ownership import IFINDEX, LAB, LINK, ROLE
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import observe
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import plan
from ansible_collections.archetype.lab.plugins.module_utils._tunnels import converge, read
from tests.unit.module_utils.fakes import FakeNet, FakeOvs

KEY = "r1:eth1--r2:eth1"
ONE = Tunnel("at1", 4711, "198.51.100.1", ("198.51.100.2",), 1450, link=KEY, tag=3001, group=77)
TWO = Tunnel("at2", 4712, "198.51.100.1", ("198.51.100.3",), 1450, link="r1:eth2--r3:eth1", tag=3002, group=77)
SHARED = Tunnel("ats", 4800, "198.51.100.1", ("198.51.100.2",), 1446, links=(TunnelLink("a", 3010), TunnelLink("b", 3011)))


@dataclass
class Box:
    net: FakeNet
    ovs: FakeOvs

    def run(self, *want: Tunnel, lab: str = "x", check: bool = False, state: str = "present", prune: bool = False) -> LayerResult:
        server = Server(ovs=self.ovs, net=self.net)  # type: ignore[arg-type]
        return converge(server, want, lab=lab, state=state, prune=prune, check_mode=check)

    def good(self, *want: Tunnel, **options: Any) -> list[str]:
        """Converge without an error, and then once more without a change: the lines of the diff."""
        result = self.run(*want, **options)
        assert result.errors == []
        again = self.run(*want, **options)
        assert (again.changes, again.errors) == ([], [])
        return [change.to_line() for change in result.changes]

    def forget(self) -> None:
        self.net.calls.clear()
        self.ovs.calls.clear()
        self.net.applied.clear()
        self.ovs.applied.clear()


@pytest.fixture
def box() -> Box:
    net = FakeNet()
    return Box(net, FakeOvs(net))


def vxlan(name: str, vni: int, *, alias: str = "", local: str = "198.51.100.1", remote: str = "198.51.100.2", port: int = 4789) -> Device:
    return Device(name, 900, "vxlan", 1450, up=True, alias=alias, vxlan=Vxlan(vni, local, (remote,), port))


def test_a_tunnel_is_a_device_with_the_declared_attributes_and_a_marked_port(box: Box) -> None:
    said = "vni 4711, local 198.51.100.1, remotes [198.51.100.2], mtu 1450, bridge arch-ovs, tag 3001"
    assert box.good(ONE) == [f"+ tunnel at1 ({KEY}): {said}"]
    device, port = box.net.devices["at1"], box.ovs.ports["at1"]
    assert device.vxlan == Vxlan(4711, "198.51.100.1", ("198.51.100.2",), 4789, learning=False, df="unset")
    assert (device.mtu, device.group, device.alias, device.up) == (1450, 77, f"archetype-lab:x:tunnel:{KEY}", True)
    assert (port.tag, port.trunks, port.vlan_mode, port.bridge) == (3001, (), "dot1q-tunnel", "arch-ovs")
    assert dict(port.external_ids) == {LAB: "x", ROLE: "tunnel", LINK: KEY, IFINDEX: str(device.index)}


def test_check_mode_says_the_same_and_writes_nothing(box: Box) -> None:
    predicted = box.run(ONE, TWO, check=True)
    assert (box.net.applied, box.ovs.applied) == ([], [])
    assert predicted.changes == box.run(ONE, TWO).changes


def test_many_tunnels_are_one_netlink_batch_and_one_transaction(box: Box) -> None:
    want = [replace(ONE, name=f"at{number}", vni=number, tag=number) for number in range(1, 265)]
    assert len(box.run(*want).changes) == 264
    assert box.net.calls.count("apply") == 1
    assert [type(op) for op in box.ovs.applied] == [PutPort] * 264
    box.forget()
    box.run(*want)
    assert (box.net.calls, box.ovs.calls) == (["read"], ["read"])


@pytest.mark.parametrize(
    ("before", "line"),
    [
        (replace(ONE, tag=3999), "tag 3999 -> 3001"),
        (replace(ONE, mtu=1400), "mtu 1400 -> 1450"),
        (replace(ONE, group=5), "group 5 -> 77"),
        (
            replace(ONE, link="old"),
            f"mark archetype-lab:x:tunnel:old -> archetype-lab:x:tunnel:{KEY}, link old -> {KEY}",
        ),
    ],
)
def test_tag_mtu_group_and_link_are_changed_in_place(box: Box, before: Tunnel, line: str) -> None:
    box.good(before)
    index = box.net.devices["at1"].index
    box.forget()
    assert box.good(ONE) == [f"~ tunnel at1 ({KEY}): {line}"]
    assert box.net.devices["at1"].index == index
    assert not any(isinstance(op, (DropDevice, NewVxlan)) for op in box.net.applied)


@pytest.mark.parametrize(
    ("before", "line"),
    [
        (replace(ONE, vni=4000), "vni 4000 -> 4711"),
        (replace(ONE, local="198.51.100.9"), "local 198.51.100.9 -> 198.51.100.1"),
        (replace(ONE, remotes=("198.51.100.9",)), "remotes [198.51.100.9] -> [198.51.100.2]"),
        (replace(ONE, dst_port=8472), "dst_port 8472 -> 4789"),
        (
            replace(ONE, remotes=("198.51.100.2", "198.51.100.3")),
            "remotes [198.51.100.2, 198.51.100.3] -> [198.51.100.2], learning True -> False",
        ),
    ],
)
def test_vni_local_remotes_and_port_need_a_new_device_whose_port_goes_first(box: Box, before: Tunnel, line: str) -> None:
    box.good(before)
    box.forget()
    result = box.run(ONE)
    assert [change.to_line() for change in result.changes] == [f"~ tunnel at1 ({KEY}) recreate: {line}"]
    assert [type(op) for op in box.net.applied] == [DropDevice, NewVxlan]
    assert [type(op) for op in box.ovs.applied] == [DropPort, PutPort]


def test_a_device_of_our_name_and_mark_that_is_no_vxlan_is_made_anew(box: Box) -> None:
    box.good(ONE)
    box.net.devices["at1"] = replace(box.net.devices["at1"], kind="dummy", vxlan=None)
    assert "vni (none) -> 4711" in box.good(ONE)[0]
    assert box.net.devices["at1"].vxlan is not None


@pytest.mark.parametrize("lost", ["device", "port"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_is_left_by_half_is_completed_or_removed(box: Box, lost: str, state: str) -> None:
    box.good(ONE)
    box.net.drop("at1") if lost == "device" else box.ovs.ports.pop("at1")
    assert len(box.good(ONE, state=state)) == 1
    assert ("at1" in box.net.devices, "at1" in box.ovs.ports) == ((True, True) if state == "present" else (False, False))


def test_a_half_that_is_not_declared_is_pruned(box: Box) -> None:
    box.good(ONE, TWO)
    box.net.drop("at1")
    box.ovs.ports.pop("at2")
    lines = box.good(prune=True)
    assert [line.split()[2].rstrip(":") for line in lines] == ["at1", "at2"]
    assert (box.net.devices, box.ovs.ports) == ({}, {})


def test_a_device_that_was_made_anew_behind_the_back_of_open_vswitch_gets_a_new_port(box: Box) -> None:
    box.good(ONE)
    box.net.devices["at1"] = replace(box.net.devices["at1"], index=4242)
    assert "made anew behind" in box.good(ONE)[0]
    assert [op.recreate for op in box.ovs.applied if isinstance(op, PutPort)] == [False, True]


@pytest.mark.parametrize("interface", [OvsInterface("at1", "", -1, "could not open"), OvsInterface("at1", "", None)])
def test_a_port_that_does_not_work_is_recreated(box: Box, interface: OvsInterface) -> None:
    box.good(ONE)
    box.ovs.ports["at1"] = replace(box.ovs.ports["at1"], interfaces=(interface,))
    assert "Open vSwitch" in box.good(ONE)[0]
    assert box.ovs.ports["at1"].ofport == 7


def test_present_merges_and_prune_removes_what_is_not_declared(box: Box) -> None:
    box.good(ONE)
    box.good(TWO)
    assert sorted(box.net.devices) == ["at1", "at2"]
    assert box.good(TWO, prune=True) == [f"- tunnel at1 ({KEY}): it is not declared"]
    assert sorted(box.ovs.ports) == ["at2"]


def test_absent_with_prune_removes_everything_of_the_lab_and_nothing_else(box: Box) -> None:
    box.good(ONE)
    box.good(TWO, lab="other")
    box.net.devices["eth9"] = Device("eth9", 9, "veth")
    box.ovs.ports["eth9"] = OvsPort("eth9", "arch-ovs", tag=3001)
    box.good(state="absent", prune=True)
    assert sorted(box.net.devices) == sorted(box.ovs.ports) == ["at2", "eth9"]


def test_our_own_tunnel_that_has_the_vni_or_the_tag_is_removed_without_prune(box: Box) -> None:
    box.good(ONE)
    box.good(TWO)
    lines = box.good(replace(ONE, name="at3", tag=TWO.tag))
    assert [line.split()[:3] for line in lines] == [["-", "tunnel", "at1"], ["-", "tunnel", "at2"], ["+", "tunnel", "at3"]]
    assert "it has the tag or the VNI of at3" in lines[0]
    assert sorted(box.net.devices) == sorted(box.ovs.ports) == ["at3"]


def test_tunnels_that_exchange_their_vnis_and_tags_are_no_clash(box: Box) -> None:
    box.good(ONE, TWO)
    box.good(replace(ONE, vni=TWO.vni, tag=TWO.tag), replace(TWO, vni=ONE.vni, tag=ONE.tag))
    assert [box.net.devices[name].vxlan.vni for name in ("at1", "at2")] == [4712, 4711]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("device", "port", "text"),
    [
        (Device("at1", 9, "dummy"), None, "a device of that name is there, and it is foreign"),
        (vxlan("at1", 4711, alias="archetype-lab:other:tunnel:k"), None, "it is lab other"),
        (None, OvsPort("at1", "br0"), "a port of that name is there, and it is foreign"),
        (None, OvsPort("at1", "arch-ovs", external_ids={LAB: "x", ROLE: "port"}), "it is a port of lab x"),
        (vxlan("old", 4711), None, "vni 4711 (port 4789) is taken by old, foreign"),
        (vxlan("old", 4711, local="198.51.100.7", alias="archetype-lab:other:tunnel:k"), None, "is taken by old, lab other"),
        (None, OvsPort("eth9", "arch-ovs", tag=3001), "tag 3001 is taken by eth9, foreign"),
        (None, OvsPort("eth9", "arch-ovs", trunks=(7, 3001), vlan_mode="trunk"), "tag 3001 is taken by eth9, foreign"),
        (None, OvsPort("ap9", "arch-ovs", tag=3001, external_ids={LAB: "other", ROLE: "port"}), "by ap9, a port of lab other"),
    ],
)
def test_what_is_not_ours_and_in_the_way_is_named_and_nothing_is_touched(
    box: Box, device: Device | None, port: OvsPort | None, text: str
) -> None:
    if device is not None:
        box.net.devices[device.name] = device
    if port is not None:
        box.ovs.ports[port.name] = port
    with pytest.raises(ForeignError) as caught:
        box.run(ONE, TWO)
    assert text in str(caught.value)
    assert "at1" in caught.value.objects
    assert (box.net.applied, box.ovs.applied) == ([], [])


@pytest.mark.parametrize(
    "other",
    [
        vxlan("old", 4711, port=8472),
        vxlan("old", 4711, local="2001:db8::1", remote="2001:db8::2"),
        vxlan("old", 4999),
    ],
)
def test_another_port_or_family_or_vni_is_no_clash(box: Box, other: Device) -> None:
    box.net.devices["old"] = other
    box.good(ONE)
    assert box.net.devices["old"] == other


def test_the_far_end_of_the_link_and_ports_of_other_bridges_may_have_the_tag(box: Box) -> None:
    box.ovs.ports["ap1"] = OvsPort("ap1", "arch-ovs", tag=3001, external_ids={LAB: "x", ROLE: "port", LINK: KEY})
    box.ovs.ports["vif1"] = OvsPort("vif1", "br0", tag=3001)
    box.good(ONE)


def test_a_tunnel_on_another_bridge_is_moved(box: Box) -> None:
    box.good(ONE)
    box.ovs.ports["at1"] = replace(box.ovs.ports["at1"], bridge="br0")
    assert box.good(ONE) == [f"~ tunnel at1 ({KEY}): bridge br0 -> arch-ovs"]


def test_of_others_nothing_is_removed_by_name(box: Box) -> None:
    box.good(ONE, lab="other")
    box.net.devices["at2"] = Device("at2", 9, "dummy")
    assert box.good(ONE, TWO, state="absent") == []
    assert sorted(box.net.devices) == ["at1", "at2"]


def test_a_shared_tunnel_is_a_trunk_of_the_tags_of_its_links(box: Box) -> None:
    box.good(SHARED)
    port = box.ovs.ports["ats"]
    assert (port.vlan_mode, port.tag, port.trunks) == ("trunk", None, (3010, 3011))
    assert port.external_ids["archetype-link-3010"] == "a"
    assert LINK not in port.external_ids


def test_a_shared_tunnel_is_counted_by_its_links_and_removed_with_the_last(box: Box) -> None:
    third = replace(SHARED, links=(TunnelLink("c", 3012),))
    box.good(SHARED)
    index = box.net.devices["ats"].index
    assert "links [a (3010), b (3011)] -> [a (3010), b (3011), c (3012)]" in box.good(third)[0]
    assert box.good(SHARED, state="absent") == ["~ tunnel ats (c): links [a (3010), b (3011), c (3012)] -> [c (3012)]"]
    assert box.ovs.ports["ats"].trunks == (3012,)
    assert "archetype-link-3010" not in box.ovs.ports["ats"].external_ids
    assert box.net.devices["ats"].index == index
    box.good(third, state="absent")
    assert (box.net.devices, box.ovs.ports) == ({}, {})


def test_taking_a_link_away_does_not_hide_that_the_device_was_made_anew(box: Box) -> None:
    box.good(SHARED)
    box.net.devices["ats"] = replace(box.net.devices["ats"], index=4242)
    box.good(replace(SHARED, links=(TunnelLink("a", 3010),)), state="absent")
    assert "made anew" in box.good(replace(SHARED, links=(TunnelLink("b", 3011),)))[0]


def test_prune_replaces_the_links_of_a_shared_tunnel(box: Box) -> None:
    box.good(SHARED)
    box.good(replace(SHARED, links=(TunnelLink("c", 3012),)), prune=True)
    assert box.ovs.ports["ats"].trunks == (3012,)


def test_a_link_that_is_declared_again_has_its_new_tag(box: Box) -> None:
    box.good(SHARED)
    box.good(replace(SHARED, links=(TunnelLink("a", 3050),)))
    assert box.ovs.ports["ats"].trunks == (3011, 3050)


def test_a_tag_of_a_shared_tunnel_that_another_link_wants_is_an_error(box: Box) -> None:
    box.good(SHARED)
    with pytest.raises(LabError, match="tag 3010 is twice"):
        box.run(replace(SHARED, links=(TunnelLink("z", 3010),)))


def test_a_tunnel_may_become_shared_and_back(box: Box) -> None:
    box.good(replace(SHARED, links=(), link="k", tag=3050))
    box.good(SHARED)
    assert LINK not in box.ovs.ports["ats"].external_ids
    box.good(replace(SHARED, links=(), link="k", tag=3050))
    port = box.ovs.ports["ats"]
    assert (port.vlan_mode, port.tag, port.trunks) == ("dot1q-tunnel", 3050, ())
    assert not [name for name in port.external_ids if name.startswith(LINK + "-")]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"vni": 0}, "vni 0 is not in 1-16777215"),
        ({"vni": 1 << 24}, "vni 16777216 is not in"),
        ({"tag": 4095}, "tag 4095 is not in 1-4094"),
        ({"tag": None}, "neither tag nor links"),
        ({"links": (TunnelLink("a", 5),)}, "has links, and also link or tag"),
        ({"remotes": ()}, "no remotes"),
        ({"remotes": ("srv2",)}, "'srv2' is not an IP address"),
        ({"remotes": ("239.1.1.1",)}, "239.1.1.1 is not the address of a server"),
        ({"remotes": ("2001:db8::2",)}, "are not all IPv4 or all IPv6"),
        ({"remotes": ("198.51.100.1",)}, "198.51.100.1 is local and also a remote"),
        ({"mtu": 20}, "mtu 20 is not in 68-65535"),
        ({"local": "2001:db8::1", "remotes": ("2001:db8::2",), "mtu": 1200}, "mtu 1200 is not in 1280-65535"),
        ({"dst_port": 0}, "dst_port 0 is not in"),
        ({"name": "a-name-that-is-too-long"}, "cannot be the name of a tunnel's device"),
    ],
)
def test_bad_input_is_an_error_before_anything_is_touched(box: Box, change: dict[str, Any], text: str) -> None:
    with pytest.raises(LabError) as caught:
        box.run(replace(ONE, **change))
    assert text in str(caught.value)
    assert box.net.applied == []


@pytest.mark.parametrize(
    ("second", "text"),
    [
        (replace(TWO, name="at1"), "tunnel at1 is listed twice: at 0 and 1"),
        (replace(TWO, vni=4711), "tunnels at1 and at2 are both declared with vni 4711"),
        (replace(TWO, tag=3001), "tunnels at1 and at2 are both declared with tag 3001"),
    ],
)
def test_two_tunnels_that_cannot_be_on_one_server_are_both_named(box: Box, second: Tunnel, text: str) -> None:
    with pytest.raises(LabError) as caught:
        box.run(ONE, second)
    assert text in str(caught.value)


def test_addresses_are_compared_and_not_spelled(box: Box) -> None:
    six = replace(ONE, local="2001:DB8:0::1", remotes=("2001:db8:0:0::2",), mtu=1430)
    box.good(six)
    assert box.net.devices["at1"].vxlan == Vxlan(4711, "2001:db8::1", ("2001:db8::2",))


@pytest.mark.parametrize("blind", ["net", "ovs"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_could_not_be_read_is_never_deleted(box: Box, blind: str, state: str) -> None:
    box.good(ONE)
    box.forget()
    setattr(getattr(box, blind), "unreadable", True)  # noqa: B010
    with pytest.raises(ReadError):
        box.run(prune=True, state=state)
    assert (box.net.applied, box.ovs.applied) == ([], [])


def test_a_failing_device_is_one_error_and_the_others_are_made(box: Box) -> None:
    box.net.refuse["at1"] = "this kernel cannot do that with at1"
    result = box.run(ONE, TWO)
    assert [str(error) for error in result.errors] == ["tunnel at1: this kernel cannot do that with at1"]
    assert sorted(box.ovs.ports) == ["at2"]


def test_a_refused_transaction_is_an_error_of_every_tunnel(box: Box) -> None:
    box.ovs.refuse = "ovs-vswitchd does not answer"
    result = box.run(ONE, TWO)
    assert [(type(error), error.objects) for error in result.errors] == [(ApplyError, ("at1",)), (ApplyError, ("at2",))]
    box.ovs.refuse = ""
    assert len(box.good(ONE, TWO)) == 2


def test_a_port_without_a_number_is_not_a_success(box: Box) -> None:
    box.ovs.broken = True
    result = box.run(ONE)
    assert isinstance(result.errors[0], VerifyError)
    assert "could not open network device at1" in str(result.errors[0])


def test_an_attribute_that_did_not_take_is_told_with_what_was_wanted_and_found(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    box.good(replace(ONE, mtu=1400))
    monkeypatch.setattr(box.net, "_set", lambda _op: "")
    result = box.run(ONE)
    assert [str(error) for error in result.errors] == ["tunnel at1: mtu is 1400, wanted 1450; run again"]


def test_without_a_bridge_check_mode_predicts_and_a_run_fails(box: Box) -> None:
    box.ovs.bridges.clear()
    assert len(box.run(ONE, check=True).changes) == 1
    with pytest.raises(ApplyError, match="there is no bridge arch-ovs"):
        box.run(ONE)
    assert (box.net.applied, box.ovs.applied) == ([], [])


def test_what_is_observed_has_the_shape_of_what_is_declared(box: Box) -> None:
    box.good(ONE, SHARED)
    found = observe(read(Server(ovs=box.ovs, net=box.net)), "x")  # type: ignore[arg-type]
    assert [Tunnel.from_params(one) for one in found] == [ONE, SHARED]
    assert {(one["lab"], one["ofport"]) for one in found} == {("x", 7)}


def test_the_plan_is_pure(box: Box) -> None:
    have = read(Server(ovs=box.ovs, net=box.net))  # type: ignore[arg-type]
    first = plan([ONE, SHARED], have, lab="x")
    assert plan([ONE, SHARED], have, lab="x") == first
    assert [op.name for op in first.new_devices] == ["at1", "ats"]
    assert first.set_devices == ()


def test_a_device_that_is_down_is_set_up(box: Box) -> None:
    box.good(ONE)
    box.net.devices["at1"] = replace(box.net.devices["at1"], up=False)
    box.forget()
    assert box.good(ONE) == [f"~ tunnel at1 ({KEY}): up False -> True"]
    assert box.net.applied == [SetDevice("at1", up=True)]
