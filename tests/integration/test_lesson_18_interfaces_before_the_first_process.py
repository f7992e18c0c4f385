# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network operating system counts its interfaces once, in its first process: they are all there before it, at each restart too."""

from __future__ import annotations

from tests.integration.lab_server import LabServer

NODE = {
    "name": "lc-r1",
    "sandbox": "lc-r1.sb",
    "node": "r1",
    "image": "box:1",
    "cmd": ["sh", "-c", "echo boot $(ls /sys/class/net); exec sleep 1000000"],
    "interfaces": ["eth0", "eth1", "eth2"],
}


def boots(box: LabServer) -> list[str]:
    return [line.strip() for line in box.docker("logs", "lc-r1").splitlines()]


def test_the_first_process_sees_every_interface_and_three_restarts_keep_them(box: LabServer) -> None:
    assert not box.module("lab_container", lab="lc", containers=[NODE], state="present").get("failed")
    box.plug("lc-r1.sb", "eth2", "eth0", "eth1")
    assert not box.module("lab_container", lab="lc", containers=[NODE]).get("failed")
    first = box.docker("exec", "lc-r1", "cat", "/sys/class/net/eth1/ifindex")
    for _restart in range(3):
        box.docker("restart", "-t", "0", "lc-r1")
    assert boots(box) == ["boot eth0 eth1 eth2 lo"] * 4
    assert box.docker("exec", "lc-r1", "cat", "/sys/class/net/eth1/ifindex") == first
    again = box.module("lab_container", lab="lc", containers=[NODE])
    assert again["changed"] is False


def test_a_node_is_not_started_while_one_of_its_interfaces_is_missing(box: LabServer) -> None:
    box.module("lab_container", lab="lc", containers=[NODE], state="present")
    box.plug("lc-r1.sb", "eth0", "eth1")
    result = box.module("lab_container", lab="lc", containers=[NODE])
    assert result["failed"] is True
    assert "node r1 cannot be started: its sandbox lc-r1.sb has no interface eth2;" in result["msg"]
    assert boots(box) == []
