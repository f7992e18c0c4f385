# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Devices that are in a sandbox only: a dummy, or a macvlan on a device of the server.

They are made from inside the sandbox, so that the mark can go in the same message as the device. The sandbox knows the server's
namespace by a number, which is asked for, and given where there is none yet.
"""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink import _messages
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import NLM_F_ACK, Wire, attribute, attributes, message
from ansible_collections.archetype.lab.plugins.module_utils._netlink._words import words_of

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import NewInside

_RTM_NEWNSID, _RTM_GETNSID = 88, 90
_NETNSA_NSID, _NETNSA_FD = 1, 3
_GENERAL = struct.Struct("=Bxxx")
_ID = struct.Struct("=i")
_ANY = -1

Errors = dict[int, str]


def make_inside(wire: Wire, run: t.Sequence[tuple[int, NewInside]], first: int, parents: t.Mapping[str, int], outer: int) -> Errors:
    """Make and mark devices of the namespace that the socket is in. Position of an operation -> what went wrong.

    first: the first of as many free indexes. parents: indexes of devices by name in the namespace of the open file outer.
    """
    number = _namespace_id(wire, outer) if any(op.parent for _position, op in run) else _ANY
    requests: list[bytearray] = []
    for place, (_position, op) in enumerate(run):
        below = (parents[op.parent], number) if op.parent else None
        requests += [_messages.new_inside(op, first + place, below), _messages.mark(first + place, op.alias)]
    refused = wire.send(requests)
    errors: Errors = {}
    for place, refusal in sorted(refused.items()):
        position, op = run[place // 2]
        errors.setdefault(position, words_of(refusal, op))
    unmarked = [place // 2 for place in refused if place % 2 and place - 1 not in refused]
    wire.send([_messages.link(_messages.RTM_DELLINK, [], index=first + place) for place in unmarked])
    return errors


def _namespace_id(wire: Wire, outer: int) -> int:
    """The number by which the namespace of the socket knows another one. Raises ReadError."""
    head = _GENERAL.pack(0) + attribute(_NETNSA_FD, _ID.pack(outer))
    found = _asked(wire, head)
    if found == _ANY:
        wire.send([message(_RTM_NEWNSID, NLM_F_ACK, head + attribute(_NETNSA_NSID, _ID.pack(_ANY)))])
        found = _asked(wire, head)
    if found == _ANY:
        raise ReadError("the server's namespace cannot be named in the sandbox", hint="run again")
    return found


def _asked(wire: Wire, head: bytes) -> int:
    answer = attributes(wire.ask(_RTM_GETNSID, head, "number of the server's namespace"), _GENERAL.size)
    return int(_ID.unpack(answer[_NETNSA_NSID])[0]) if _NETNSA_NSID in answer else _ANY
