# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Tells that a device of this server changed: made, renamed, up, down, lost its carrier, gone. Who listens reads everything anew."""

from __future__ import annotations

import errno
import socket
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._messages import RTM_DELLINK, RTM_NEWLINK
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import attributes, messages

_RTMGRP_LINK = 1
_SO_RCVBUFFORCE = 33
_ROOM = 4 * 1024 * 1024
"""Of the socket, in bytes: hundreds of devices that come or go at once fit in."""
_PIECE = 1 << 17
_AF_BRIDGE = 7
_IFINFO = 16
_IFLA_WIRELESS = 11


def changes() -> t.Iterator[str]:
    """An empty word when it listens, and one for each change from then on. Raises ReadError."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0) as listener:
            _make_room(listener)
            listener.bind((0, _RTMGRP_LINK))
            yield ""
            while True:
                if _changed(listener):
                    yield ""
    except OSError as error:
        raise ReadError(f"cannot listen to the devices of this server: {error.strerror or error}") from error


def _make_room(listener: socket.socket) -> None:
    """Beyond the server's limit for it, where that is allowed."""
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    except PermissionError:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM)


def _changed(listener: socket.socket) -> bool:
    """Wait for what the kernel says next; whether it matters. What did not fit in any more has changed something."""
    try:
        told = listener.recv(_PIECE)
    except OSError as error:
        if error.errno == errno.ENOBUFS:
            return True
        raise
    return any(matters(kind, body) for kind, _flags, _sequence, body in messages(told))


def matters(kind: int, body: bytes) -> bool:
    """Not what Linux bridges say of their ports, nor what wireless devices say to their programs: nothing of a lab is in it."""
    if kind not in (RTM_NEWLINK, RTM_DELLINK) or len(body) < _IFINFO or body[0] == _AF_BRIDGE:
        return False
    return _IFLA_WIRELESS not in attributes(body, _IFINFO)
