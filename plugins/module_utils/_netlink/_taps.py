# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Tap devices of virtual machines. They are made through /dev/net/tun, for netlink cannot make them.

A tap goes with the file that it was made through, until it is told to stay. That is said last, when the device has its mark and all that
was asked for: a run that is killed before leaves nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._netlink import _messages
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import NewTap, SetTapOwner
from ansible_collections.archetype.lab.plugins.module_utils._netlink._words import words_of

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import Wire

_CLONE = "/dev/net/tun"
_TUNSETIFF, _TUNSETPERSIST, _TUNSETOWNER, _TUNSETIFINDEX = 0x400454CA, 0x400454CB, 0x400454CC, 0x400454DA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_MULTI_QUEUE, _IFF_TUN_EXCL = 0x0002, 0x1000, 0x4000, 0x0100, 0x8000
_REQUEST = struct.Struct("=16sH22x")
_INDEX = struct.Struct("=i")
_AT_ONCE = 64
"""As many files are open at a time."""

Errors = dict[int, str]
Run = t.Sequence[tuple[int, NewTap]]


def make_taps(wire: Wire, run: Run, first: int) -> Errors:
    """Make taps in the namespace that the calling thread and the socket are in. Position of an operation -> what went wrong.

    first: the first of as many free indexes.
    """
    errors: Errors = {}
    for start in range(0, len(run), _AT_ONCE):
        errors.update(_make(wire, run[start : start + _AT_ONCE], first + start))
    return errors


def _make(wire: Wire, run: Run, first: int) -> Errors:
    errors: Errors = {}
    with contextlib.ExitStack() as stack:
        made: list[tuple[int, NewTap, int, int]] = []
        for place, (position, op) in enumerate(run):
            try:
                made.append((position, op, first + place, _create(op, first + place, stack)))
            except OSError as error:
                errors[position] = _words(error, op)
        wire.send([request for _position, op, _index, _file in made for request in _messages.silence(op.name)])
        refused = wire.send([_messages.set_tap(op, index) for _position, op, index, _file in made])
        errors.update({made[place][0]: words_of(refusal, made[place][1]) for place, refusal in refused.items()})
        for position, op, _index, file in made:
            if position not in errors:
                try:
                    fcntl.ioctl(file, _TUNSETPERSIST, 1)
                except OSError as error:
                    errors[position] = _words(error, op)
    return errors


def _create(op: NewTap, index: int, stack: contextlib.ExitStack) -> int:
    """The file that a new tap goes with. Somebody else's of that name is never joined. Raises OSError."""
    file = _opened(stack)
    fcntl.ioctl(file, _TUNSETIFINDEX, _INDEX.pack(index))
    _attach(file, op.name, _IFF_TUN_EXCL | (_IFF_MULTI_QUEUE if op.queues else 0))
    fcntl.ioctl(file, _TUNSETOWNER, op.owner)
    return file


def _opened(stack: contextlib.ExitStack) -> int:
    file = os.open(_CLONE, os.O_RDWR | os.O_CLOEXEC)
    stack.callback(os.close, file)
    return file


def _attach(file: int, name: str, flags: int) -> None:
    fcntl.ioctl(file, _TUNSETIFF, _REQUEST.pack(name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR | flags))


def set_owners(run: t.Sequence[tuple[int, SetTapOwner]]) -> Errors:
    """Give taps that nobody has open another owner: only who has one open can do that."""
    errors: Errors = {}
    for position, op in run:
        with contextlib.ExitStack() as stack:
            try:
                file = _opened(stack)
                _attach(file, op.name, _IFF_MULTI_QUEUE if op.queues else 0)
                fcntl.ioctl(file, _TUNSETOWNER, op.owner)
            except OSError as error:
                errors[position] = _words(error, op)
    return errors


def _words(error: OSError, op: NewTap | SetTapOwner) -> str:
    if error.filename == _CLONE and error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"this server has no {_CLONE}, which {op.name} needs: load the module on the server (modprobe tun)"
    if error.errno in (errno.EPERM, errno.EACCES):
        return f"not permitted to open {op.name} by {_CLONE}: this needs root (CAP_NET_ADMIN)"
    if error.errno == errno.EBUSY:
        return f"a device named {op.name} exists" if isinstance(op, NewTap) else f"{op.name} is in use"
    return f"{op.name}: {error.strerror}"
