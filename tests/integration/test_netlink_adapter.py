# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The netlink adapter against the kernel, in network namespaces that live as long as a thread of the test."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._adapter import connect
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import (
    DropDevice,
    DropGroup,
    Netlink,
    NewVeth,
    NewVxlan,
    SetDevice,
    Vxlan,
)
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import Wire

CLONE_NEWNET = 0x40000000
VXLAN = NewVxlan("av1", Vxlan(vni=7, local="198.51.100.1", remotes=("198.51.100.2",)), 1450, "archetype-lab:x:tunnel:k", 77)


class Namespace:
    """A network namespace that a thread holds, and that work can be done in."""

    def __init__(self) -> None:
        self.thread = ThreadPoolExecutor(1)
        self.path = self.thread.submit(self._enter).result()

    @staticmethod
    def _enter() -> str:
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            pytest.skip("needs root")
        return f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"

    def connect(self) -> Netlink:
        return self.thread.submit(connect).result()


@pytest.fixture
def spaces() -> Iterator[tuple[Namespace, Namespace]]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    pair = (Namespace(), Namespace())
    yield pair
    for one in pair:
        one.thread.shutdown()


def veth(spaces: tuple[Namespace, Namespace], number: int = 1) -> NewVeth:
    alias = f"archetype-lab:x:port:r1:eth{number}"
    return NewVeth(f"ap{number}", f"eth{number}", spaces[1].path, f"02:00:00:00:00:0{number}", 9000, alias, 77, checksum_off=True)


def test_a_pair_has_at_once_all_that_was_asked_for_at_both_ends(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    assert net.apply([veth(spaces), veth(spaces, 2)]) == {}
    outside = net.read()["ap1"]
    inside = net.read_netns([spaces[1].path])[spaces[1].path]["eth1"]
    assert (outside.mtu, outside.group, outside.alias, outside.up, outside.carrier) == (
        9000,
        77,
        "archetype-lab:x:port:r1:eth1",
        True,
        True,
    )
    assert (inside.mtu, inside.mac, inside.up, inside.tx_checksum) == (9000, "02:00:00:00:00:01", True, False)
    assert (outside.peer_index, inside.peer_index) == (inside.index, outside.index)


def test_a_name_that_is_taken_is_said_and_its_device_is_not_touched(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    net.apply([replace(veth(spaces), alias="")])
    before = net.read()["ap1"]
    assert net.apply([veth(spaces), veth(spaces, 2)]) == {0: "a device named ap1, or one named eth1 in the sandbox, exists"}
    assert net.read()["ap1"] == before
    assert "ap2" in net.read()


def test_a_pair_that_could_be_made_only_by_half_is_taken_back(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    errors = net.apply([replace(veth(spaces), alias="x" * 300)])
    assert list(errors) == [0]
    assert list(net.read()) == ["lo"]


def test_errors_are_told_in_words_and_the_rest_is_done(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    net.apply([veth(spaces)])
    errors = net.apply(
        [
            SetDevice("nope", up=True),
            SetDevice("eth1", netns="/nowhere", up=True),
            SetDevice("ap1", mtu=70000),
            SetDevice("ap1", mtu=1400, group=78),
            DropDevice("gone"),
            DropGroup(4),
        ]
    )
    assert errors == {
        0: "no device named nope exists",
        1: "cannot work in the network namespace /nowhere: No such file or directory",
        2: "ap1: Invalid argument (mtu greater than device maximum)",
        4: "no device named gone exists",
        5: "no device has the group 4",
    }
    assert (net.read()["ap1"].mtu, net.read()["ap1"].group) == (1400, 78)


def test_work_in_other_namespaces_never_moves_the_calling_thread(spaces: tuple[Namespace, Namespace]) -> None:
    here = os.readlink("/proc/thread-self/ns/net")
    net = spaces[0].connect()
    net.apply([veth(spaces), SetDevice("eth1", netns=spaces[1].path, mtu=1300)])
    assert net.read_netns([spaces[1].path])[spaces[1].path]["eth1"].mtu == 1300
    with pytest.raises(ReadError, match="cannot read the devices in /nowhere"):
        net.read_netns([spaces[1].path, "/nowhere"])
    with pytest.raises(ReadError, match="cannot read the devices in /dev/null: Invalid argument"):
        net.read_netns(["/dev/null"])
    assert os.readlink("/proc/thread-self/ns/net") == here


def test_devices_are_dropped_together_and_no_other_one_with_them(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    net.apply([veth(spaces, number) for number in range(1, 6)])
    assert net.apply([DropDevice("ap1"), DropDevice("nope"), DropDevice("ap2")]) == {1: "no device named nope exists"}
    assert sorted(net.read()) == ["ap3", "ap4", "ap5", "lo"]
    assert net.apply([DropGroup(77)]) == {}
    assert list(net.read()) == ["lo"]
    assert list(net.read_netns([spaces[1].path])[spaces[1].path]) == ["lo"]


def test_interfaces_are_renamed_in_place(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    net.apply([veth(spaces)])
    assert net.apply([SetDevice("eth1", netns=spaces[1].path, up=False)]) == {}
    assert net.apply([SetDevice("eth1", netns=spaces[1].path, rename="Ethernet1", up=True)]) == {}
    inside = net.read_netns([spaces[1].path])[spaces[1].path]
    assert inside["Ethernet1"].up
    assert "eth1" not in inside


@pytest.mark.parametrize(
    "vxlan",
    [
        VXLAN.vxlan,
        Vxlan(vni=8, local="198.51.100.1", remotes=("198.51.100.2", "198.51.100.3", "198.51.100.4"), learning=True),
        Vxlan(vni=9, local="2001:db8::1", remotes=("2001:db8::2",), dst_port=4790),
        Vxlan(vni=10, local="2001:db8::1", remotes=("2001:db8::2", "2001:db8::3")),
        Vxlan(vni=11, local="198.51.100.1", remotes=("198.51.100.2",), df="set"),
    ],
)
def test_a_vxlan_device_is_read_back_as_it_was_made(spaces: tuple[Namespace, Namespace], vxlan: Vxlan) -> None:
    net = spaces[0].connect()
    assert net.apply([replace(VXLAN, vxlan=vxlan)]) == {}
    device = net.read()["av1"]
    assert device.vxlan == vxlan
    assert (device.kind, device.mtu, device.up, device.group, device.alias) == ("vxlan", 1450, True, 77, "archetype-lab:x:tunnel:k")


def test_a_vni_that_is_taken_is_said(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    errors = net.apply([VXLAN, replace(VXLAN, name="av2")])
    assert list(errors) == [1]
    assert "VXLAN device with the specified VNI already exists" in errors[1]


def test_the_route_to_a_far_server_is_that_of_the_kernel(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    with pytest.raises(ReadError, match="Network is unreachable"):
        net.route("198.51.100.1")
    net.apply([SetDevice("lo", up=True)])
    assert net.route("127.0.0.9").device == "lo"
    assert "127.0.0.1" in net.local_addresses()


class Killed(Exception):
    """Stands for the end of a process between two system calls."""


@pytest.mark.parametrize("sort", ["veth", "vxlan"])
def test_a_run_that_is_killed_leaves_no_device_without_our_mark(
    spaces: tuple[Namespace, Namespace], monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    sent = Wire._send_part

    def send_and_die(wire: Wire, part: list[bytearray]) -> dict[int, object]:
        sent(wire, part)
        raise Killed

    net = spaces[0].connect()
    ops = [veth(spaces), veth(spaces, 2)] if sort == "veth" else [VXLAN]
    with monkeypatch.context() as patched:
        patched.setattr(Wire, "_send_part", send_and_die)
        with pytest.raises(Killed):
            net.apply(ops)
    made = {name: device.alias for name, device in net.read().items() if device.kind in ("veth", "vxlan")}
    assert made
    assert all(alias.startswith("archetype-lab:x:") for alias in made.values())


def test_a_device_of_somebody_else_keeps_its_alias_when_its_name_is_wanted(spaces: tuple[Namespace, Namespace]) -> None:
    net = spaces[0].connect()
    assert net.apply([replace(veth(spaces), peer_name="other", alias="theirs")]) == {}
    assert "ap1" in net.apply([veth(spaces)])[0]
    assert net.read()["ap1"].alias == "theirs"
