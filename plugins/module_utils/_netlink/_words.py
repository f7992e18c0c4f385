# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the kernel said to an operation, in words that name the object."""

from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import DropGroup, NetOp, NewVeth, SetDevice

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import Refusal


def words_of(refusal: Refusal, op: NetOp) -> str:
    """Plain words for a refused operation; the kernel's own are added where it has any."""
    name = f"group {op.group}" if isinstance(op, DropGroup) else op.name
    words = _known(refusal.errno, op, name) or f"{name}: {os.strerror(refusal.errno)}"
    return f"{words} ({refusal.text})" if refusal.text else words


def _known(number: int, op: NetOp, name: str) -> str:
    if number == errno.EEXIST:
        return _taken(op, name)
    if number == errno.ENODEV:
        return f"no device has the {name}" if isinstance(op, DropGroup) else f"no device named {name} exists"
    if number in (errno.EPERM, errno.EACCES):
        return f"not permitted to change {name}: this needs root (CAP_NET_ADMIN, CAP_SYS_ADMIN)"
    if number == errno.EBUSY:
        return f"{name} is in use"
    if number == errno.EOPNOTSUPP:
        return f"this kernel cannot do that with {name}"
    return ""


def _taken(op: NetOp, name: str) -> str:
    if isinstance(op, NewVeth):
        return f"a device named {name}, or one named {op.peer_name} in the sandbox, exists"
    if isinstance(op, SetDevice):
        return f"a device named {op.rename or name} exists"
    return f"a device named {name}, or one with the same VNI and port, exists"
