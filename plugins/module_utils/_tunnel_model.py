# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a plan for the tunnels of a server is, and that plan without some of them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared import Tunnel
from ansible_collections.archetype.lab.plugins.module_utils._errors import MEND_TOO, ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import DropDevice, NewVxlan, SetDevice
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import DropPort, PutPort


@dataclass(frozen=True)
class TunnelsPlan:
    """In the order in which it is carried out. want: what is then there and verified. gone: names that are then not there.

    changes: what is reported. blocked: what makes a run fail, but not check mode, where the bridge is not there yet.
    room: tunnel -> what else of the lab has its VNI or a tag of it now, and must not any more before it can be as it is wanted.
    """

    changes: tuple[Change, ...] = ()
    drop_ports: tuple[DropPort, ...] = ()
    drop_devices: tuple[DropDevice, ...] = ()
    new_devices: tuple[NewVxlan, ...] = ()
    set_devices: tuple[SetDevice, ...] = ()
    put_ports: tuple[PutPort, ...] = ()
    want: tuple[Tunnel, ...] = ()
    gone: tuple[str, ...] = ()
    blocked: tuple[LabError, ...] = ()
    room: t.Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def foreseen(self) -> list[LabError]:
        """What is in the way and will not go by itself: check mode can tell it."""
        return [error for error in self.blocked if isinstance(error, ForeignError)]

    def sparing(self, names: t.Collection[str]) -> TunnelsPlan:
        """The same without what would be done to these tunnels, named as they are or by the one link that they carry.

        A tunnel that cannot be as it is wanted while one of them is as it is is left alone too, and told.
        """
        labels = {change.name: change.label for change in self.changes} | {one.name: one.link for one in self.want if one.link}
        spared = {*names, *(name for name, label in labels.items() if label in names)}
        cramped = {name: sorted(others & spared) for name, others in self.room.items() if name not in spared and others & spared}
        spared |= {*cramped}
        return replace(
            self,
            blocked=(*self.blocked, *(_has_its_place(name, others) for name, others in sorted(cramped.items()))),
            changes=_without(self.changes, spared),
            drop_ports=_without(self.drop_ports, spared),
            drop_devices=_without(self.drop_devices, spared),
            new_devices=_without(self.new_devices, spared),
            set_devices=_without(self.set_devices, spared),
            put_ports=_without(self.put_ports, spared),
            want=_without(self.want, spared),
            gone=tuple(name for name in self.gone if name not in spared),
        )


def _has_its_place(name: str, others: t.Sequence[str]) -> ForeignError:
    told = ", ".join(others)
    return ForeignError(
        f"tunnel {name} cannot be as it is wanted: its VNI or its tag is still that of {told}, which is left alone",
        hint=MEND_TOO,
        objects=(name,),
    )


class _Named(t.Protocol):
    @property
    def name(self) -> str: ...


_N = t.TypeVar("_N", bound=_Named)


def _without(things: tuple[_N, ...], names: t.Collection[str]) -> tuple[_N, ...]:
    return tuple(one for one in things if one.name not in names)
