# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Reading what is set on the devices of one namespace: addresses, routes, what is done to frames."""

from __future__ import annotations

import ipaddress
import struct
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink import _tc
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Address, Device, DeviceRoute, Qdisc
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import OURS, Wire, attributes

_RTM_GETADDR, _RTM_GETROUTE, _RTM_GETQDISC = 22, 26, 38
_ADDRESS = struct.Struct("=BBBBI")
_IFA_ADDRESS, _IFA_LOCAL, _IFA_PROTO = 1, 2, 11
_ROUTE = struct.Struct("=BBBBBBBBI")
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_MULTIPATH, _RTA_VIA = 1, 4, 5, 9, 18
_MAIN_TABLE, _SCOPE_LINK = 254, 253
_RTM_F_CLONED = 0x200
_INDEX = struct.Struct("=i")
_LOOPBACK = 1
"""A route that leads nowhere (a black hole) has no device; it is told as one of the loopback's."""
_T = t.TypeVar("_T")


def with_details(wire: Wire, devices: t.Mapping[str, Device], what: str) -> dict[str, Device]:
    """The same devices with what is set on them. Raises ReadError."""
    try:
        addresses, routes, qdiscs = _addresses(wire, what), _routes(wire, what), _qdiscs(wire, what)
    except (struct.error, ValueError) as error:
        raise ReadError(f"cannot read the {what}: {error}") from error
    return {
        name: replace(
            device,
            addresses=tuple(addresses.get(device.index, ())),
            routes=tuple(routes.get(device.index, ())),
            qdisc=qdiscs.get(device.index),
        )
        for name, device in devices.items()
    }


def _addresses(wire: Wire, what: str) -> dict[int, list[Address]]:
    found: dict[int, list[Address]] = {}
    for body in wire.dump(_RTM_GETADDR, _ADDRESS.pack(0, 0, 0, 0, 0), f"addresses of {what}"):
        family, length, _flags, scope, index = _ADDRESS.unpack_from(body)
        values = attributes(body, _ADDRESS.size)
        packed = values.get(_IFA_LOCAL) or values.get(_IFA_ADDRESS)
        if packed is None or (family != 2 and scope == _SCOPE_LINK):
            continue
        text = str(ipaddress.ip_interface((packed, length)))
        found.setdefault(index, []).append(Address(text, values.get(_IFA_PROTO, b"")[:1] == bytes([OURS])))
    return found


def _routes(wire: Wire, what: str) -> dict[int, list[DeviceRoute]]:
    """Those of the main table. One with several gateways is told as one of the device of its first."""
    found: dict[int, list[DeviceRoute]] = {}
    for body in wire.dump(_RTM_GETROUTE, _ROUTE.pack(0, 0, 0, 0, 0, 0, 0, 0, 0), f"routes of {what}"):
        family, length, _source, _tos, table, protocol, _scope, _type, flags = _ROUTE.unpack_from(body)
        if table != _MAIN_TABLE or flags & _RTM_F_CLONED or family not in (2, 10):
            continue
        values = attributes(body, _ROUTE.size)
        several = values.get(_RTA_MULTIPATH)
        index = _INDEX.unpack_from(several, 4)[0] if several else _INDEX.unpack(values.get(_RTA_OIF, _INDEX.pack(_LOOPBACK)))[0]
        via = values.get(_RTA_GATEWAY) or values.get(_RTA_VIA, b"")[2:]
        route = DeviceRoute(_prefix(values.get(_RTA_DST), length), 4 if family == 2 else 6, _text(via), protocol == OURS)
        found.setdefault(index, []).append(route)
    return found


def _prefix(packed: bytes | None, length: int) -> str:
    if packed is None or not length:
        return "default"
    return str(ipaddress.ip_network((packed, length), strict=False))


def _text(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed)) if packed else ""


def _qdiscs(wire: Wire, what: str) -> dict[int, Qdisc]:
    """Those at the root that somebody made: the kernel's own have no handle."""
    found: dict[int, Qdisc] = {}
    for body in wire.dump(_RTM_GETQDISC, _tc.MESSAGE.pack(0, 0, 0, 0, 0), f"queueing disciplines of {what}"):
        _family, index, handle, parent, _info = _tc.MESSAGE.unpack_from(body)
        if handle and parent == _tc.ROOT:
            found[index] = _tc.read(handle, body, _tc.MESSAGE.size)
    return found
