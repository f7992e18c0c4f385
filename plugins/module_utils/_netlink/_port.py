# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the layers need of the kernel's network devices. C(_adapter.py) does it with pyroute2, without subprocesses."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.module_utils._declared import Impairment


@dataclass(frozen=True)
class Vxlan:
    """The attributes of a VXLAN device. remotes: the default remote, or all flood entries of the device's FDB."""

    vni: int
    local: str
    remotes: tuple[str, ...]
    dst_port: int = 4789
    learning: bool = False
    df: str = "unset"


@dataclass(frozen=True)
class Address:
    """An address of a device, in CIDR form. ours: whether the lab put it there (C(_wire.OURS))."""

    text: str
    ours: bool = False


@dataclass(frozen=True)
class DeviceRoute:
    """A route of the main table, over a device. to: C(default) or a prefix; family: 4 or 6; via: empty where it has no gateway."""

    to: str
    family: int
    via: str = ""
    ours: bool = False


@dataclass(frozen=True)
class Qdisc:
    """What a device does with what it sends: its root queueing discipline. ours: whether the lab put it there.

    values: what tells one of ours from another, in the kernel's own units.
    """

    kind: str
    ours: bool = False
    values: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Tap:
    """What is told of a tap device. owner: user id that may open it, None is anybody with the right. queues: whether it has several.

    persistent: it stays when nobody has it open. used: whether somebody has it open, as QEMU does while the machine runs.
    """

    owner: int | None = None
    queues: bool = False
    persistent: bool = False
    used: bool = False


@dataclass(frozen=True)
class Device:
    """A network device in one network namespace. peer_index: the ifindex of a veth's other end, in its own namespace.

    up: administratively; carrier: the operational state (a veth whose other end is down has no carrier).
    master: the ifindex of the bond, bridge or OVS datapath that the device is part of, 0 when it is on its own.
    parent_index, mode: of a macvlan; its parent may be in another namespace.
    tx_checksum: whether transmit checksum offload is on; read for veths inside a sandbox, None elsewhere.
    addresses, routes, qdisc: read inside a sandbox only; link-local addresses are left out, as are queues that nobody chose.
    """

    name: str
    index: int
    kind: str = ""
    mtu: int = 0
    mac: str = ""
    up: bool = False
    carrier: bool = False
    alias: str = ""
    group: int = 0
    peer_index: int | None = None
    vxlan: Vxlan | None = None
    master: int = 0
    tx_checksum: bool | None = None
    parent_index: int = 0
    mode: str = ""
    addresses: tuple[Address, ...] = ()
    routes: tuple[DeviceRoute, ...] = ()
    qdisc: Qdisc | None = None
    tap: Tap | None = None


@dataclass(frozen=True)
class NewVeth:
    """Make a veth pair: name here; peer_name, with peer_mac, in the namespace at peer_netns. Both are up at once.

    checksum_off: turn transmit checksum offload off at the peer, which a userspace datapath needs.
    peer_alias: the mark of the peer, where it is in this namespace too. quiet: this end gets no link-local address.
    """

    name: str
    peer_name: str
    peer_netns: str
    peer_mac: str = ""
    mtu: int = 1500
    alias: str = ""
    group: int = 0
    up: bool = True
    checksum_off: bool = False
    peer_alias: str = ""
    quiet: bool = True


@dataclass(frozen=True)
class NewInside:
    """Make a device that is in the namespace at netns only. kind: C(dummy), or C(macvlan) on the device parent of this namespace."""

    name: str
    netns: str
    kind: str
    alias: str
    parent: str = ""
    mode: str = ""
    mac: str = ""
    mtu: int | None = None
    up: bool = True


@dataclass(frozen=True)
class NewTap:
    """Make a persistent tap device, for a virtual machine. It has its mark before it is made to stay. queues: whether it has several."""

    name: str
    owner: int
    mtu: int = 1500
    alias: str = ""
    group: int = 0
    up: bool = True
    queues: bool = False


@dataclass(frozen=True)
class SetTapOwner:
    """Give a tap that nobody has open another owner. queues: whether it has several."""

    name: str
    owner: int
    queues: bool = False


@dataclass(frozen=True)
class NewVxlan:
    name: str
    vxlan: Vxlan
    mtu: int
    alias: str = ""
    group: int = 0


@dataclass(frozen=True)
class SetDevice:
    """Change what is given on a device. netns: None is the server's own, else the path of a namespace."""

    name: str
    netns: str | None = None
    mtu: int | None = None
    mac: str | None = None
    alias: str | None = None
    group: int | None = None
    up: bool | None = None
    rename: str | None = None
    checksum_off: bool = False


@dataclass(frozen=True)
class PutAddress:
    """Add an address (CIDR form) to a device. netns: None is the server's own."""

    name: str
    address: str
    netns: str | None = None


@dataclass(frozen=True)
class DropAddress:
    name: str
    address: str
    netns: str | None = None


@dataclass(frozen=True)
class PutRoute:
    """Add a route over a device, or give the one that is there another gateway. to: C(default), or a prefix."""

    name: str
    to: str
    via: str
    netns: str | None = None


@dataclass(frozen=True)
class DropRoute:
    name: str
    to: str
    via: str
    netns: str | None = None


@dataclass(frozen=True)
class PutQdisc:
    """Have a device do this to what it sends. fresh: it does nothing of ours yet. mtu: of the device."""

    name: str
    impairment: Impairment
    netns: str | None = None
    fresh: bool = True
    mtu: int = 1500


@dataclass(frozen=True)
class DropQdisc:
    name: str
    netns: str | None = None


@dataclass(frozen=True)
class DropDevice:
    """netns: None is the server's own, else the path of a namespace."""

    name: str
    netns: str | None = None


@dataclass(frozen=True)
class DropGroup:
    """Delete all devices of a link group at a stroke."""

    group: int


Setting = t.Union[SetDevice, PutAddress, DropAddress, PutRoute, DropRoute, PutQdisc, DropQdisc]
"""What changes a device that is there."""

NetOp = t.Union[NewVeth, NewVxlan, NewInside, NewTap, SetTapOwner, Setting, DropDevice, DropGroup]

OWN_NETNS = "/proc/self/ns/net"
"""The server's own network namespace, as a path like those of sandboxes."""


@dataclass(frozen=True)
class Route:
    """How the kernel would send to an address: the source it would use, the device, and the device's MTU."""

    source: str
    device: str
    mtu: int


class Netlink(t.Protocol):
    """The network devices of this server, and of the namespaces of its sandboxes."""

    def read(self) -> t.Mapping[str, Device]:
        """All devices of the server's own namespace, by name. Raises ReadError."""

    def read_netns(self, netns: t.Sequence[str]) -> t.Mapping[str, t.Mapping[str, Device]]:
        """All devices of each of these namespaces (paths such as C(/proc/123/ns/net)), with addresses and routes. Raises ReadError."""

    def route(self, address: str) -> Route:
        """The route to an underlay address. Raises ReadError when there is none."""

    def local_addresses(self) -> t.Sequence[str]:
        """All addresses of this server's own namespace."""

    def apply(self, ops: t.Sequence[NetOp]) -> t.Mapping[int, str]:
        """Carry out all operations in order, and go on after a failure: index of the operation -> what the kernel said."""

    def close(self) -> None: ...
