# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is asked of the ports layer, what it read, and what it will do; and what can be wrong with the request itself."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._errors import MEND_TOO, ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, DropDevice, NetOp
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import DropPort, OvsOp, OvsState

PORT_ROLE = "port"
"""The role mark of a port, and the kind in the mark of its device."""

HOST_ROLE = "host"
"""The kind in the mark of the device of a host link, which is not on the bridge and need not be."""

DEVICE_ROLES = (PORT_ROLE, HOST_ROLE)
"""The kinds in the marks of devices that ports are."""

END_ROLE = "end"
"""The kind in the mark of a port's other end, where that is a device of the server too."""

SERVER_END = "server "
"""How the node of an end begins that is a server's own interface; no node has a space in its name."""

PAIRS = ("veth", "host")
"""Ports that are a pair of devices, one of them the server's and named like the port."""

INSIDE = ("macvlan", "dummy")
"""Ports that are one device, in the sandbox."""

BRIDGED = ("none", "veth", "tap")
"""Ports whose device is on the bridge."""

OUTSIDE = ("none", "tap")
"""Ports of which nothing is in a sandbox."""

MADE = (*PAIRS, "tap")
"""Ports that have a device of the server which is made for them, and named like them."""

NAME_LENGTH = 15
"""The longest name of a network device."""

MOST_QUEUES = 256
"""As many queues can a tap have."""


@dataclass(frozen=True)
class Request:
    """What is asked for. prune: the list is complete, and what else the lab has is removed; with absent that is everything.

    sandboxes: further ones that may have devices of the lab. tap_owner: user id of those who open taps, which is QEMU's.
    closing: taps whose machine will not run any more when this is carried out.
    spared: ports that are left as they are, by name or as C(node:interface).
    anew: names of ports that are made anew whatever they look like.
    """

    lab: str
    ports: tuple[Port, ...] = ()
    sandboxes: tuple[str, ...] = ()
    bridge: str = "arch-ovs"
    absent: bool = False
    prune: bool = False
    tap_owner: int = 0
    closing: t.Collection[str] = ()
    spared: t.Collection[str] = ()
    anew: t.Collection[str] = ()


@dataclass(frozen=True)
class Sandbox:
    """The network namespace of a node: the path that leads to it, and the devices inside."""

    netns: str
    devices: t.Mapping[str, Device] = field(default_factory=dict)


@dataclass(frozen=True)
class Have:
    """Everything that was read. sandboxes: only those that run; the one without a name is the server's own namespace."""

    ovs: OvsState
    devices: t.Mapping[str, Device] = field(default_factory=dict)
    sandboxes: t.Mapping[str, Sandbox] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What is done for one port. net is carried out before ovs; deletions of all ports come first.

    link: what it was a port of, where it goes as nobody declares it.
    """

    change: Change
    drops: tuple[DropDevice, ...] = ()
    net: tuple[NetOp, ...] = ()
    ovs: tuple[OvsOp, ...] = ()
    link: str = ""

    @property
    def removes(self) -> set[str]:
        """Names of devices and ports of the server that this deletes."""
        return {op.name for op in self.drops if op.netns is None} | {op.name for op in self.ovs if isinstance(op, DropPort)}


@dataclass(frozen=True)
class Plan:
    """blocked: what cannot be done yet because something it builds on is missing; an error in a real run only."""

    works: tuple[Work, ...] = ()
    blocked: tuple[LabError, ...] = ()

    @property
    def foreseen(self) -> list[LabError]:
        """What is in the way and will not go by itself: check mode can tell it."""
        return [error for error in self.blocked if isinstance(error, ForeignError)]

    @property
    def changes(self) -> list[Change]:
        stuck = {name for error in self.foreseen for name in error.objects}
        return [work.change for work in self.works if work.change.name not in stuck]

    def sparing(self, names: t.Collection[str]) -> Plan:
        """The same without what would be done to these ports, named as they are or as C(node:interface); undeclared ones by their link too.

        A port whose work would remove what is one of them cannot be made, and is told.
        """
        spared = {*names, *(work.change.name for work in self.works if work.change.label in names or (work.link and work.link in names))}
        works: list[Work] = []
        blocked = [error for error in self.blocked if not error.objects or not spared.issuperset(error.objects)]
        for work in self.works:
            in_the_way = sorted((work.removes & spared) - {work.change.name})
            if work.change.name in spared:
                continue
            if in_the_way:
                blocked.append(_has_its_place(work.change, in_the_way))
            else:
                works.append(work)
        return Plan(tuple(works), tuple(blocked))


def _has_its_place(change: Change, names: t.Sequence[str]) -> ForeignError:
    label = f" ({change.label})" if change.label else ""
    return ForeignError(
        f"port {change.name}{label} cannot be as it is wanted: in its place is port {', '.join(names)}, which is left alone",
        hint=MEND_TOO,
        objects=(change.name,),
    )


def endpoint_of(port: Port) -> str:
    """What a human calls a port: C(r1:eth1)."""
    where = port.node or port.sandbox
    return f"{where}:{port.interface}" if where and port.interface else port.interface or where


def described(port: Port) -> str:
    endpoint = endpoint_of(port)
    return f"port {port.name} ({endpoint})" if endpoint else f"port {port.name}"


def check_request(want: Request) -> list[LabError]:
    """What is wrong with the request itself."""
    errors: list[LabError] = []
    if ":" in want.lab or not want.lab:
        errors.append(LabError(f"{want.lab!r} cannot be the name of a lab", hint="it must not be empty and must not hold a colon"))
    names: dict[str, int] = {}
    ends: dict[tuple[str, str], str] = {}
    for place, port in enumerate(want.ports):
        if port.name in names:
            errors.append(LabError(f"port {port.name} is listed twice: at {names[port.name]} and {place} of ports", objects=(port.name,)))
        names.setdefault(port.name, place)
        if port.device not in OUTSIDE and not want.absent:
            end = (port.sandbox, port.interface)
            if end in ends:
                where = f"sandbox {port.sandbox}" if port.sandbox else "the server"
                text = f"interface {port.interface} of {where} is listed twice: for ports {ends[end]} and {port.name}"
                errors.append(LabError(text, objects=(ends[end], port.name)))
            ends.setdefault(end, port.name)
        errors += _check_port(port, absent=want.absent)
    return errors


def _check_port(port: Port, *, absent: bool) -> list[LabError]:
    rule = f"at most {NAME_LENGTH} bytes, no slash, no space"
    wrong = [f"{name!r} cannot be the name of a device ({rule})" for name in (port.name, port.interface) if not _is_name(name)]
    if not port.name:
        wrong.append("it has no name")
    if port.device != "none" and not absent:
        wrong += _lacking(port) + _wrong_addresses(port)
    wrong += [f"{tag} is not a VLAN tag (1 to 4094)" for tag in sorted(tags_of(port)) if not 1 <= tag <= 4094]
    return [LabError(f"{described(port)}: {one}", objects=(port.name,)) for one in wrong]


def _lacking(port: Port) -> list[str]:
    """What a port of its sort needs and does not have."""
    lacking: list[str] = []
    if port.device == "tap":
        return _wrong_tap(port)
    if port.device == "veth" and not port.sandbox and (not port.node or port.node.startswith(SERVER_END)):
        lacking += [] if port.interface else ["device=veth without sandbox needs interface: that of the server"]
    elif not (port.sandbox and port.interface):
        lacking.append(f"device={port.device} needs sandbox and interface")
    if port.device == "macvlan" and not port.parent:
        lacking.append("device=macvlan needs parent")
    return lacking


def _wrong_tap(port: Port) -> list[str]:
    """What is inside a machine is its own: from the server nothing can be set there."""
    wrong = ["device=tap has no sandbox"] if port.sandbox else []
    if port.addresses or port.routes:
        wrong.append("the interface of a virtual machine gets no addresses and routes from its server: set them in its configuration")
    if port.impairment:
        wrong.append("tc cannot limit or disturb what a virtual machine sends: set it at the other end of the link, or take it out")
    if not 1 <= port.queues <= MOST_QUEUES:
        wrong.append(f"{port.queues} is not a number of queues (1 to {MOST_QUEUES})")
    return wrong


def _wrong_addresses(port: Port) -> list[str]:
    wrong: list[str] = []
    for address in port.addresses:
        try:
            ipaddress.ip_interface(address)
        except ValueError:
            wrong.append(f"{address!r} is not an address in CIDR form")
    for route in port.routes:
        try:
            via = ipaddress.ip_address(route.via)
            family = via.version if route.to == "default" else ipaddress.ip_network(route.to, strict=False).version
        except ValueError:
            wrong.append(f"{route.to!r} via {route.via!r} is not a route")
            continue
        if via.version != family:
            wrong.append(f"the route to {route.to} has a gateway of the other family, {route.via}")
    return wrong


def _is_name(name: str) -> bool:
    return len(name.encode()) <= NAME_LENGTH and "/" not in name and name not in (".", "..") and not any(one.isspace() for one in name)


def tags_of(port: Port) -> set[int]:
    return {*port.trunks, *([] if port.tag is None else [port.tag])}
