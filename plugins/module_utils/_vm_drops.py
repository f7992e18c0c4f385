# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Which domains and folders of machines have to go, and which must stay, as somebody uses them. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import VmsPlan


def plan_drop(found: VmsPlan, chosen: t.Callable[[str], bool]) -> None:
    """Only what is the lab's own is ever dropped, and folders of its machines that no domain of somebody else uses; no copies of them."""
    have = found.have
    found.drops = sorted(name for name in have.domains if have.ours(name, found.lab) and chosen(name))
    found.changes += [Change("delete", "vm", name, have.marks[name].node) for name in found.drops]
    copies = {name: error for name, error in have.copies.items() if chosen(name) and name not in found.drops}
    users = {name: _users(found, name) for name in sorted(have.folders - {*copies}) if chosen(name)}
    unread = {name: paths for name, paths in have.unread.items() if not have.ours(name, found.lab)}
    found.folders = [name for name, by in users.items() if not by and not unread]
    found.kept = {**copies, **{name: _kept(found, name, by, unread) for name, by in users.items() if by or unread}}
    found.changes += [Change("delete", "disk", _vm_disks.folder_of(found.lab, name), name) for name in found.folders]


def _users(found: VmsPlan, machine: str) -> list[str]:
    """Domains with disks in the folder of a machine, or on such, that stay; another machine of the lab may be one."""
    have, folder = found.have, f"{_vm_disks.folder_of(found.lab, machine)}/"
    return [
        name
        for name, one in have.domains.items()
        if name not in found.drops
        and not (name == machine and have.ours(name, found.lab))
        and (machine in have.used.get(name, ()) or folder in one.xml or folder in one.live_xml)
    ]


def _kept(found: VmsPlan, machine: str, users: t.Sequence[str], unread: t.Mapping[str, t.Sequence[str]]) -> LabError:
    folder = _vm_disks.folder_of(found.lab, machine)
    if users:
        return ForeignError(
            f"{folder} is left, as it is used by {_told(found, users)}",
            hint="move its disks elsewhere or undefine it, and run again",
            objects=(machine, *users),
        )
    paths = ", ".join(path for of_one in unread.values() for path in of_one)
    return ReadError(
        f"{folder} is left, as disks that may be made on it cannot be read, of {_told(found, unread)}: {paths}",
        hint="mend that disk or undefine the domain, and run again",
        objects=(machine, *unread),
    )


def _told(found: VmsPlan, names: t.Iterable[str]) -> str:
    return ", ".join(f"domain {name}, which is {found.have.whose(name)}" for name in names)


def in_use(found: VmsPlan) -> t.Iterator[LabError]:
    """A disk that somebody else's is made on is not thrown away either for a machine that is made anew."""
    for one in found.nodes:
        users = _users(found, one.want.name) if any(path in found.have.files for path in one.disks) else []
        if users:
            yield ForeignError(
                f"the disk of node {one.want.node} would be made anew, and is used by {_told(found, users)}",
                hint="move its disks elsewhere or undefine it, and run again",
                objects=(one.want.name, *users),
            )
