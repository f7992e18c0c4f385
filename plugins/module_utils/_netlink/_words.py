# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the kernel said to an operation, in words that name the object."""

from __future__ import annotations

import errno
import os
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import (
    DropGroup,
    NetOp,
    NewInside,
    NewVeth,
    PutAddress,
    PutQdisc,
    PutRoute,
    SetDevice,
)
from ansible_collections.archetype.lab.plugins.module_utils._netlink._tc import wanted

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import Refusal


def words_of(refusal: Refusal, op: NetOp) -> str:
    """Plain words for a refused operation; the kernel's own are added where it has any."""
    name = f"group {op.group}" if isinstance(op, DropGroup) else op.name
    words = _known(refusal.errno, op, name) or f"{name}: {os.strerror(refusal.errno)}"
    return f"{words} ({refusal.text})" if refusal.text else words


def _known(number: int, op: NetOp, name: str) -> str:
    if isinstance(op, PutQdisc) and number in (errno.ENOENT, errno.EOPNOTSUPP):
        return _no_qdisc(op, name)
    if isinstance(op, PutAddress) and number == errno.EACCES and ":" in op.address:
        return f"{name} cannot have {op.address}: IPv6 is off there (sysctl net.ipv6.conf.all.disable_ipv6)"
    if isinstance(op, NewInside) and number == errno.EOPNOTSUPP:
        return f"the server's kernel has no {op.kind} devices, which {name} would be: load the module (modprobe {op.kind})"
    if isinstance(op, PutRoute) and number in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL):
        return f"{name}: no route to {op.to} via {op.via}, which no address of the interface reaches"
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
    if isinstance(op, NewInside):
        return f"a device named {name} exists in the sandbox"
    if isinstance(op, PutAddress):
        return f"{name} has the address {op.address} already"
    if isinstance(op, PutQdisc):
        return f"{name} has a queueing discipline that the lab did not make"
    if isinstance(op, SetDevice):
        return f"a device named {op.rename or name} exists"
    return f"a device named {name}, or one with the same VNI and port, exists"


def _no_qdisc(op: PutQdisc, name: str) -> str:
    """What to do where the kernel has no such queueing discipline."""
    kind = wanted(op.impairment).kind
    remedy = f"load it on the server (modprobe sch_{kind}; the package may be linux-modules-extra or kernel-modules-extra)"
    if kind == "netem":
        remedy += ", or leave only rate in tc"
    return f"the server's kernel has no {kind}, which {name} needs for its tc: {remedy}"
