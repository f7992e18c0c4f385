# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 14: a tunnel is a device of the kernel with an explicit policy on DF, and large TCP segments pass it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from tests.integration.tunnelled import Tunnelled, tunnelled_servers
from tests.testbed.testbed import Testbed

RECEIVE = """
import hashlib, socket
listening = socket.create_server(("198.51.100.2", 7000))
print("listening", flush=True)
connection = listening.accept()[0]
seen = hashlib.sha256()
while piece := connection.recv(1 << 16):
    seen.update(piece)
print(seen.hexdigest(), connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG), flush=True)
"""
SEND = """
import socket, sys
with socket.create_connection(("198.51.100.2", 7000), timeout=20) as connection:
    for _piece in range(int(sys.argv[1])):
        connection.sendall(bytes(range(256)) * 256)
"""


@pytest.fixture
def lab(testbed: Testbed) -> Iterator[Tunnelled]:
    with tunnelled_servers(testbed) as one:
        yield one


@pytest.mark.parametrize("six", [False, True], ids=["IPv4", "IPv6"])
def test_a_transfer_in_full_segments_arrives_whole(lab: Tunnelled, six: bool) -> None:
    lab.nodes(mtu=1430 if six else 1450)
    lab.connect(six=six)
    pieces = 160
    with lab.python("srv2", "b", RECEIVE) as receiving:
        assert receiving.stdout.readline() == "listening\n"
        with lab.python("srv1", "a", SEND, str(pieces)) as sending:
            assert sending.wait(60) == 0
        digest, segment = receiving.stdout.readline().split()
    assert digest == hashlib.sha256(bytes(range(256)) * 256 * pieces).hexdigest()
    assert int(segment) >= (1430 if six else 1450) - 60


def test_the_device_has_the_declared_policies(lab: Tunnelled) -> None:
    lab.connect()
    told = lab["srv1"].sh("ip", "-details", "link", "show", "tut1")
    assert " nolearning " in told
    assert " ttl auto " in told
    assert " df " not in told, "unset is not shown"
    assert lab["srv1"].sh("ovs-vsctl", "get", "Interface", "tut1", "type").strip() in ("", '""', "system")
    lab.apply("srv1", lab.tunnel("srv1", "srv2", "srv3")).ok()
    assert "nolearning" not in lab["srv1"].sh("ip", "-details", "link", "show", "tut1")
    assert lab.vxlan("srv1").get("df", "unset") == "unset"
