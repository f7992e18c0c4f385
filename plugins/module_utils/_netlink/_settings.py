# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Changing what is set on a device that is there: flags, addresses, routes, what is done to frames.

All of it happens in the namespace that the calling thread, and the socket, are in; requests of one namespace go in one batch.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._netlink import _tc
from ansible_collections.archetype.lab.plugins.module_utils._netlink._messages import Attributes, link, named
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import (
    DropAddress,
    DropDevice,
    DropRoute,
    PutAddress,
    PutQdisc,
    PutRoute,
    SetDevice,
    Setting,
)
from ansible_collections.archetype.lab.plugins.module_utils._netlink._reading import set_tx_checksum
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import NLM_F_ACK, OURS, Wire, attribute, message
from ansible_collections.archetype.lab.plugins.module_utils._netlink._words import words_of

_RTM_DELLINK, _RTM_SETLINK = 17, 19
_RTM_NEWADDR, _RTM_DELADDR, _RTM_NEWROUTE, _RTM_DELROUTE, _RTM_NEWQDISC, _RTM_DELQDISC = 20, 21, 24, 25, 36, 37
_REPLACE, _EXCLUSIVE, _CREATE = 0x100, 0x200, 0x400
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS, _IFA_PROTO = 1, 2, 4, 8, 11
_IFA_F_NODAD = 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_MAIN_TABLE, _UNICAST = 254, 1

Errors = dict[int, str]
InsideOp = t.Union[Setting, DropDevice]


def control() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


def set_here(wire: Wire, run: t.Sequence[tuple[int, InsideOp]]) -> Errors:
    """Carry out operations in order; position in the whole list -> what went wrong."""
    errors: Errors = {}
    requests: list[bytearray] = []
    sent: list[tuple[int, InsideOp]] = []
    for position, op in run:
        try:
            request = _request(op)
        except OSError as error:
            errors[position] = f"no device named {op.name}: {error.strerror}"
            continue
        if request is not None:
            requests.append(request)
            sent.append((position, op))
    for place, refusal in wire.send(requests).items():
        errors[sent[place][0]] = words_of(refusal, sent[place][1])
    errors.update(_checksums([one for one in run if one[0] not in errors]))
    return errors


def _checksums(run: t.Sequence[tuple[int, InsideOp]]) -> Errors:
    errors: Errors = {}
    off = [(position, op) for position, op in run if isinstance(op, SetDevice) and op.checksum_off]
    if not off:
        return errors
    with control() as sock:
        for position, op in off:
            try:
                set_tx_checksum(sock, op.rename or op.name, on=False)
            except OSError as error:
                errors[position] = f"cannot turn the checksum offload of {op.name} off: {error.strerror}"
    return errors


def _request(op: InsideOp) -> bytearray | None:
    """The one request for an operation; None when there is nothing to ask for. Raises OSError when its device is not there."""
    if isinstance(op, SetDevice):
        return _set_device(op)
    if isinstance(op, DropDevice):
        return link(_RTM_DELLINK, [("IFLA_IFNAME", op.name)])
    index = socket.if_nametoindex(op.name)
    if isinstance(op, (PutAddress, DropAddress)):
        return _address(op, index)
    if isinstance(op, (PutRoute, DropRoute)):
        return _route(op, index)
    if isinstance(op, PutQdisc):
        flags = _CREATE | (_EXCLUSIVE if op.fresh else _REPLACE)
        return message(_RTM_NEWQDISC, flags | NLM_F_ACK, _tc.request(index, op.impairment, op.mtu))
    return message(_RTM_DELQDISC, NLM_F_ACK, _tc.removal(index))


def _set_device(op: SetDevice) -> bytearray | None:
    given = {"IFLA_MTU": op.mtu, "IFLA_ADDRESS": op.mac, "IFLA_IFALIAS": op.alias, "IFLA_GROUP": op.group}
    attrs: Attributes = [(name, value) for name, value in given.items() if value is not None]
    if op.rename is not None:
        index = socket.if_nametoindex(op.name)
        return link(_RTM_SETLINK, [("IFLA_IFNAME", op.rename), *attrs], up=op.up, index=index)
    if attrs or op.up is not None:
        return named(op.name, *attrs, up=op.up)
    return None


def _address(op: PutAddress | DropAddress, index: int) -> bytearray:
    """IPv6 without the wait for duplicates: addresses of a lab are declared, and the node's first process wants to use them."""
    found = ipaddress.ip_interface(op.address)
    family = socket.AF_INET if found.version == 4 else socket.AF_INET6
    flags = _IFA_F_NODAD if found.version == 6 else 0
    body = _ADDRESS.pack(family, found.network.prefixlen, flags, 0, index)
    body += attribute(_IFA_LOCAL, found.packed) + attribute(_IFA_ADDRESS, found.packed)
    if isinstance(op, DropAddress):
        return message(_RTM_DELADDR, NLM_F_ACK, body)
    if found.version == 4 and found.network.prefixlen < 31:
        body += attribute(_IFA_BROADCAST, found.network.broadcast_address.packed)
    body += attribute(_IFA_FLAGS, struct.pack("=I", flags)) + attribute(_IFA_PROTO, bytes([OURS]))
    return message(_RTM_NEWADDR, _CREATE | _EXCLUSIVE | NLM_F_ACK, body)


def _route(op: PutRoute | DropRoute, index: int) -> bytearray:
    via = ipaddress.ip_address(op.via)
    family = socket.AF_INET if via.version == 4 else socket.AF_INET6
    prefix = None if op.to == "default" else ipaddress.ip_network(op.to, strict=False)
    body = _ROUTE.pack(family, prefix.prefixlen if prefix else 0, 0, 0, _MAIN_TABLE, OURS, 0, _UNICAST, 0)
    body += attribute(_RTA_DST, prefix.network_address.packed) if prefix else b""
    body += attribute(_RTA_GATEWAY, via.packed) + attribute(_RTA_OIF, struct.pack("=I", index))
    if isinstance(op, DropRoute):
        return message(_RTM_DELROUTE, NLM_F_ACK, body)
    return message(_RTM_NEWROUTE, _CREATE | _REPLACE | NLM_F_ACK, body)
