# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taps of virtual machines: made, mended and removed by the ports layer, on a real bridge. A process that opens them is the machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator

import pytest

from tests.integration.tap_guest import attach, details, frame, open_tun, put, tap, tap_guest, tapped
from tests.integration.wired import Wired, wired_server
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

KILLING = """
import json, os, signal, sys
from ansible_collections.archetype.lab.plugins.module_utils._netlink import _taps
from ansible_collections.archetype.lab.plugins.module_utils._netlink._adapter import connect
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import NewTap

ioctl, last = _taps.fcntl.ioctl, int(sys.argv[1])

def killed(handle, request, *rest):
    done = ioctl(handle, request, *rest)
    if request == last:
        print(json.dumps(sorted(os.listdir("/sys/class/net"))), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return done

_taps.fcntl.ioctl = killed
connect().apply([NewTap("xp1", 0, 1500, "archetype-lab:x:port:vm1:eth1"), NewTap("xp2", 0, 1500, "archetype-lab:x:port:vm2:eth1")])
"""


TAKEN = """
from ansible_collections.archetype.lab.plugins.module_utils._netlink._adapter import connect
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import NewTap
print(connect().apply([NewTap("foreign3", 0, 1500, "archetype-lab:x:port:vm1:eth1")]))
"""


@pytest.fixture(scope="module")
def first(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


@pytest.fixture
def wired(first: Wired) -> Iterator[Wired]:
    with tapped(first) as one:
        yield one


def python(wired: Wired, code: str, *arguments: str) -> tuple[int, str]:
    """Run code of the collection on the server."""
    done = wired.server.run(["env", f"PYTHONPATH={ROOT / 'collections'}", sys.executable, "-c", code, *arguments])
    return done.returncode, done.stdout.strip()


def test_a_tap_has_at_once_all_that_was_asked_for_and_the_second_run_changes_nothing(wired: Wired) -> None:
    ports = [tap(1), tap(2, queues=4)]
    predicted = put(wired, *ports, owner=64055, check=True).ok().lines
    made = put(wired, *ports, owner=64055).ok()
    assert made.lines == predicted == ["+ port xp1 (vm1:eth1)", "+ port xp2 (vm2:eth1)"]
    assert (made.counted["processes"], made.counted["transactions"]) == (0, 1)
    for name, several in (("xp1", False), ("xp2", True)):
        told = details(wired, name)
        data = told["linkinfo"]["info_data"]
        assert (told["mtu"], told["ifalias"], told["group"]) == (9500, f"archetype-lab:x:port:vm{name[-1]}:eth1", str(1000 + ord("x")))
        assert ("UP" in told["flags"], told["inet6_addr_gen_mode"]) == (True, "none")
        assert (data["type"], data["persist"], data["vnet_hdr"], data["pi"], data["multi_queue"]) == ("tap", True, True, False, several)
        assert str(data["user"]) in ("64055", "libvirt-qemu")
        assert wired.json("ip", "-json", "address", "show", name)[0]["addr_info"] == []
        assert (wired.ovs_ports()[name]["tag"], wired.ovs_ports()[name]["vlan_mode"]) == (100, "dot1q-tunnel")
    assert [(one["carrier"], one["queues"]) for one in made.result["ports"]] == [(False, 1), (False, 4)]
    again = put(wired, *ports, owner=64055).ok()
    assert (again.lines, again.counted["transactions"]) == ([], 0)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (["ip", "link", "set", "xp1", "mtu", "1400"], "~ port xp1 (vm1:eth1): mtu 1400 -> 9500"),
        (["ip", "link", "set", "xp1", "down"], "~ port xp1 (vm1:eth1): up False -> True"),
        (["ovs-vsctl", "set", "port", "xp1", "tag=7"], "~ port xp1 (vm1:eth1): tag 7 -> 100"),
        (["ovs-vsctl", "clear", "port", "xp1", "vlan_mode"], "~ port xp1 (vm1:eth1): vlan_mode (none) -> dot1q-tunnel"),
        (["ovs-vsctl", "del-port", "xp1"], "~ port xp1 (vm1:eth1): bridge (none) -> arch-ovs"),
    ],
    ids=["mtu", "down", "tag", "mode", "off the bridge"],
)
def test_what_is_broken_under_a_machine_is_mended_without_a_new_device(wired: Wired, damage: list[str], line: str) -> None:
    put(wired, tap(1), tap(2)).ok()
    index = details(wired, "xp1")["ifindex"]
    with tap_guest(wired.server, "xp1") as one, tap_guest(wired.server, "xp2") as two:
        wired.sh(*damage)
        assert put(wired, tap(1), tap(2)).ok().lines == [line]
        assert one.hears(two, frame(bytes(9500)))
        assert two.hears(one, frame(bytes(9500)))
    assert details(wired, "xp1")["ifindex"] == index


def test_an_owner_and_queues_are_changed_when_no_machine_has_the_tap_open(wired: Wired) -> None:
    put(wired, tap(1), tap(2)).ok()
    with tap_guest(wired.server, "xp1") as one, tap_guest(wired.server, "xp2") as two:
        assert put(wired, tap(1, queues=2), tap(2), owner=7).ok().lines == []
        assert one.hears(two, frame(b"y" * 60))
    changed = put(wired, tap(1, queues=2), tap(2), owner=7).ok()
    assert changed.lines == [
        "~ port xp1 (vm1:eth1) recreate: it has one queue and not several queues",
        "~ port xp2 (vm2:eth1): owner 0 -> 7",
    ]
    assert put(wired, tap(1, queues=2), tap(2), owner=7).ok().lines == []
    with tap_guest(wired.server, "xp1", queues=True) as one, tap_guest(wired.server, "xp2") as two:
        assert one.hears(two, frame(b"z" * 60))


def test_the_owner_may_open_the_tap_without_being_root_and_others_may_not(wired: Wired) -> None:
    put(wired, tap(1), owner=64055).ok()

    assert (opens_as(wired, 64055), opens_as(wired, 64056)) == (True, False)


def opens_as(wired: Wired, user: int) -> bool:
    """Whether a process of that user, without any capability, can open the tap. /dev/net/tun itself is opened for it."""
    handle = open_tun(wired.server)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            try:
                attach(handle, "xp1")
            except PermissionError:
                os._exit(7)
            os._exit(0)
        os._exit(1)
    os.close(handle)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 7)
    return code == 0


def test_a_tap_that_vanished_is_made_again_and_works(wired: Wired) -> None:
    put(wired, tap(1), tap(2)).ok()
    wired.sh("ip", "link", "delete", "xp1")
    assert put(wired, tap(1), tap(2)).ok().lines == ["~ port xp1 (vm1:eth1) recreate: the device is missing"]
    with tap_guest(wired.server, "xp1") as one, tap_guest(wired.server, "xp2") as two:
        assert one.hears(two, frame(bytes(60)))
        assert two.hears(one, frame(bytes(60)))


def test_a_link_that_is_off_is_down_and_comes_back(wired: Wired) -> None:
    put(wired, tap(1), tap(2)).ok()
    with tap_guest(wired.server, "xp1") as one, tap_guest(wired.server, "xp2") as two:
        off = put(wired, tap(1, enabled=False), tap(2)).ok()
        assert off.lines == ["~ port xp1 (vm1:eth1): up True -> False, bridge arch-ovs -> (none)"]
        with pytest.raises(OSError, match="Input/output error"):
            one.send(frame(bytes(60)))
        put(wired, tap(1), tap(2)).ok()
        assert two.hears(one, frame(bytes(60)))


def test_taps_that_are_not_declared_any_more_go_even_when_open_and_foreign_ones_stay(wired: Wired) -> None:
    wired.sh("ip", "tuntap", "add", "foreign1", "mode", "tap")
    wired.sh("ovs-vsctl", "add-port", "arch-ovs", "foreign1")
    put(wired, tap(1), tap(2)).ok()
    with tap_guest(wired.server, "xp2"):
        gone = put(wired, tap(1), prune=True).ok()
    assert gone.lines == ["- port xp2 (vm2:eth1): not declared"]
    assert put(wired, tap(1), state="absent").ok().lines == ["- port xp1 (vm1:eth1)"]
    assert {"foreign1", "arch-ovs"} <= set(wired.devices())
    assert not {"xp1", "xp2"} & {*wired.devices(), *wired.ovs_ports()}
    wired.sh("ovs-vsctl", "del-port", "foreign1")


@pytest.mark.parametrize("sort", ["tap", "bridge"])
def test_a_foreign_device_of_that_name_is_refused_and_not_touched(wired: Wired, sort: str) -> None:
    wired.sh(
        *(["ip", "tuntap", "add", "foreign2", "mode", "tap"] if sort == "tap" else ["ip", "link", "add", "foreign2", "type", "bridge"])
    )
    before = details(wired, "foreign2")
    ran = put(wired, tap(1), {**tap(2), "name": "foreign2"})
    assert ran.failed
    assert (
        "a network device named foreign2 exists; it belongs to: foreign (no archetype-lab mark); remove or rename it" in ran.result["msg"]
    )
    assert details(wired, "foreign2") == before
    assert "xp1" not in wired.devices()


@pytest.mark.parametrize(
    ("request_number", "seen", "left"),
    [(0x400454CA, {"xp1"}, set()), (0x400454CC, {"xp1"}, set()), (0x400454CB, {"xp1", "xp2"}, {"xp1"})],
    ids=["made", "owner", "persistent"],
)
def test_a_run_that_is_killed_leaves_no_tap_without_our_mark(wired: Wired, request_number: int, seen: set[str], left: set[str]) -> None:
    code, said = python(wired, KILLING, str(request_number))
    assert code in (-signal.SIGKILL, 128 + signal.SIGKILL)
    assert seen <= set(json.loads(said))
    there = {name: device for name, device in wired.devices().items() if name.startswith("xp")}
    assert set(there) == left
    assert all(details(wired, name)["ifalias"] == "archetype-lab:x:port:vm1:eth1" for name in there)
    assert put(wired, tap(1), tap(2), check=True).ok().result["changed"]
    put(wired, tap(1), tap(2)).ok()
    assert put(wired, tap(1), tap(2)).ok().lines == []


@contextlib.contextmanager
def without_tun(wired: Wired) -> Iterator[None]:
    """A server on which the module tun is not loaded: the device that stands for it is not there."""
    wired.sh("mount", "-t", "tmpfs", "tmpfs", "/dev/net")
    try:
        yield
    finally:
        wired.sh("umount", "/dev/net")


def test_a_server_without_tun_is_told_what_to_do(wired: Wired) -> None:
    with without_tun(wired):
        ran = put(wired, tap(1))
    assert ran.failed
    assert "this server has no /dev/net/tun, which xp1 needs: load the module on the server (modprobe tun)" in ran.result["msg"]
    assert "xp1" not in {*wired.devices(), *wired.ovs_ports()}


def test_after_a_reboot_the_next_run_makes_the_taps_again(wired: Wired, testbed: Testbed) -> None:
    put(wired, tap(1), tap(2, queues=2)).ok()
    testbed.reboot(wired.server.name)
    end = time.monotonic() + 20
    while wired.server.run(["ovs-vsctl", "--timeout=1", "show"]).returncode != 0:
        assert time.monotonic() < end
    assert "xp1" not in wired.devices()
    mended = put(wired, tap(1), tap(2, queues=2)).ok()
    assert mended.lines == [f"~ port xp{number} (vm{number}:eth1) recreate: the device is missing" for number in (1, 2)]
    with tap_guest(wired.server, "xp1") as one, tap_guest(wired.server, "xp2", queues=True) as two:
        assert one.hears(two, frame(bytes(9500)))
        assert two.hears(one, frame(bytes(9500)))
    assert put(wired, tap(1), tap(2, queues=2)).ok().lines == []


def test_what_a_machine_opens_is_observed_as_it_was_declared(wired: Wired) -> None:
    put(wired, tap(1), tap(2, queues=2)).ok()
    with tap_guest(wired.server, "xp1"):
        seen = wired.module("lab_info", lab="x").ok().result["observed"]["ports"]
    assert [{key: one[key] for key in ("name", "device", "node", "mac", "mtu", "tag", "enabled", "carrier", "queues")} for one in seen] == [
        {"name": f"xp{n}", "device": "tap", "node": f"vm{n}", "mac": "", "mtu": 9500, "tag": 100, "enabled": True} | more
        for n, more in ((1, {"carrier": True, "queues": 1}), (2, {"carrier": False, "queues": 0}))
    ]


def test_nobody_else_is_joined_where_a_name_is_taken_meanwhile(wired: Wired) -> None:
    """A persistent tap could be opened by whoever may; making one must not do that to somebody else's."""
    handle = open_tun(wired.server)
    try:
        attach(handle, "foreign3")
        assert python(wired, TAKEN) == (0, "{0: 'a device named foreign3 exists'}")
    finally:
        os.close(handle)
    wired.sh("ip", "tuntap", "add", "foreign3", "mode", "tap")
    assert python(wired, TAKEN) == (0, "{0: 'a device named foreign3 exists'}")
    assert "ifalias" not in details(wired, "foreign3")
