# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The virtual machines of a server as a plan has to know them: the lab's own, what others have, and whether there can be any.

Libvirt is asked where machines are planned, or where the lab has a folder of machines. In the latter case it must answer.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _vm_images, _vm_taken, _vms
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Host

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

Json = dict[str, t.Any]


@dataclass(frozen=True)
class HaveMachines:
    """missing: why libvirt cannot be asked. disks: path -> what is there. host: None where nobody asked."""

    vms: _vms.HaveVms = field(default_factory=_vms.HaveVms)
    host: Host | None = None
    missing: str = ""
    disks: t.Mapping[str, Json | None] = field(default_factory=dict)


def read(server: Server, lab: str, *, planned: bool, disks: t.Sequence[str]) -> HaveMachines:
    """Raises ReadError. planned: whether the lab is to have machines, so that the server is asked what it can do."""
    found = _vm_images.look(disks) if disks else {}
    if not planned:
        return HaveMachines(_vms.read_domains(server, lab, ()) if _vms.concerned(lab, ()) else _vms.HaveVms(), disks=found)
    try:
        return HaveMachines(_vms.read_domains(server, lab, ()), server.virt.host(), disks=found)
    except LabError as error:
        if _vms.concerned(lab, ()):
            raise
        return HaveMachines(missing=str(error), disks=found)


def describe(lab: str, have: HaveMachines) -> Json:
    own = [(name, mark) for name, mark in sorted(have.vms.marks.items()) if have.vms.ours(name, lab)]
    return {
        "vms": [_vms.as_dict(have.vms, lab, name, mark.node, mark.kind, mark.image) for name, mark in own],
        "disks": dict(have.disks),
        "libvirt": _libvirt(have),
    }


def _libvirt(have: HaveMachines) -> Json | None:
    if have.missing:
        return {"missing": have.missing}
    host = have.host
    return None if host is None else {"version": host.libvirt, "qemu": host.qemu, "kvm": host.kvm, "why_not": host.why_not}


def claims(lab: str, have: HaveMachines) -> dict[str, dict[str, str]]:
    """What domains that are not the lab's have: their names, MAC addresses, devices, and TCP ports of their consoles."""
    found: dict[str, dict[str, str]] = {"domains": {}, "consoles": {}, "macs": {}, "devices": {}}
    for name, domain in sorted(have.vms.domains.items()):
        if have.vms.ours(name, lab):
            continue
        owner = have.vms.owner(name)
        who = f"lab {owner}" if owner else f"domain {name} (foreign)"
        taken = _vm_taken.taken(domain.xml)
        found["domains"][name] = who
        sorts: dict[str, t.Collection[str | int]] = {"macs": taken.macs, "devices": taken.devices, "consoles": taken.ports}
        for sort, values in sorts.items():
            for value in sorted(map(str, values)):
                found[sort].setdefault(value, who)
    return found
