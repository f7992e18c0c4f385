# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a tap of a server as QEMU does, and sends and receives frames through it, for the tests of taps without machines."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import time
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.archetype.lab.plugins.module_utils._netlink._namespaces import in_namespaces
from tests.integration.wired import Ran, Wired, port
from tests.testbed.testbed import Server

Json = dict[str, Any]

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_MULTI_QUEUE, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x0100, 0x1000, 0x4000
HEADER = 10
"""Bytes of virtio's header in front of every frame."""
BROADCAST = bytes.fromhex("ffffffffffff")
TYPE = 0x88B5


def frame(body: bytes, *, source: str = "02:00:00:00:00:01", target: bytes = BROADCAST, tags: bytes = b"") -> bytes:
    """An Ethernet frame of an EtherType of our own. tags: those in front of it, type and value."""
    return target + bytes.fromhex(source.replace(":", "")) + tags + struct.pack("!H", TYPE) + body


class TapGuest:
    """One who has a tap open."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def send(self, data: bytes) -> None:
        os.write(self.handle, bytes(HEADER) + data)

    def receive(self, seconds: float = 1.0) -> list[bytes]:
        """The frames of our EtherType, with or without tags, until one came and nothing followed it."""
        got: list[bytes] = []
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self.handle], [], [], 0.1 if got else left)[0]:
            data = os.read(self.handle, 1 << 17)[HEADER:]
            if struct.pack("!H", TYPE) in data[12:26]:
                got.append(data)
        return got

    def hears(self, other: TapGuest, data: bytes, seconds: float = 1.0) -> bool:
        """Whether what the other one sends comes, once and unchanged."""
        self.receive(0.0)
        other.send(data)
        return self.receive(seconds) == [data]


def attach(handle: int, name: str, *, queues: bool = False) -> None:
    """What makes an open /dev/net/tun be a device. Raises OSError."""
    flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (IFF_MULTI_QUEUE if queues else 0)
    fcntl.ioctl(handle, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))


def open_tun(server: Server) -> int:
    """An open /dev/net/tun of the server's network namespace."""
    path = f"/proc/{server.place.holder}/ns/net"
    handle = in_namespaces([path], lambda _path: os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK))[path]
    if not isinstance(handle, int):
        raise handle
    return handle


@contextlib.contextmanager
def tap_guest(server: Server, name: str, *, queues: bool = False) -> Iterator[TapGuest]:
    handle = open_tun(server)
    try:
        attach(handle, name, queues=queues)
        yield TapGuest(handle)
    finally:
        os.close(handle)


def tap(number: int, tag: int = 100, **more: Any) -> Json:
    return port(number, f"vm{number}", tag, device="tap", sandbox="", mtu=9500, **more)


def put(wired: Wired, *ports: Mapping[str, Any], owner: int = 0, **options: Any) -> Ran:
    return wired.ports(*ports, tap_owner=owner, **options)


def details(wired: Wired, name: str) -> Json:
    """A tap as the kernel tells it."""
    (told,) = wired.json("ip", "-json", "-details", "link", "show", name)
    return dict(told)


@contextlib.contextmanager
def tapped(wired: Wired) -> Iterator[Wired]:
    """A server, without the ports and foreign devices that a test made afterwards."""
    try:
        yield wired
    finally:
        wired.module("ovs_port_vlan", lab="x", state="absent", prune=True)
        for name in [name for name in wired.ovs_ports() if name.startswith("foreign")]:
            wired.sh("ovs-vsctl", "del-port", name)
        for name in [name for name in wired.devices() if name.startswith("foreign")]:
            wired.sh("ip", "link", "delete", name)
