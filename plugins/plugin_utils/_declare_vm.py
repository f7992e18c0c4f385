# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A node that is a virtual machine, in the shape of C(module_utils/_declared_vm.py)."""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._vm_nics import MAX_NICS, NicPlace, examples, nic_of

DEFAULT_MEMORY = 2 * 2**30
"""Of a machine of which neither topology nor kind says how much it has."""

_SMBIOS = "smbios_"
_HARDWARE = (
    "machine", "cpu_model", "cpu_flags_off", "sockets", "nested", "efi", "disk_bus", "nic_model", "nic_queues", "serial_type",
    "serial_count", "graphics",
)  # fmt: skip


@dataclass(frozen=True)
class MachineNic:
    """A NIC, and the tap that it leads to; empty where it leads nowhere."""

    place: NicPlace
    mac: str
    tap: str = ""


def declare_vm(
    node: Node,
    nics: t.Sequence[MachineNic],
    *,
    medium: t.Mapping[str, t.Any] | None,
    serial_ports: t.Sequence[int] = (),
    waits_for: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    """nics: in the machine's order. waits_for: the nodes without which it is not started, all of them."""
    return {
        "name": node.container,
        "node": node.name,
        "image": node.image,
        "kind": node.kind,
        "sha256": node.sha256,
        "memory": memory_of_machine(node),
        "cpus": cpus_of(node),
        "hardware": _hardware(node),
        "data_disks": [int(size) for size in node.profile.hardware.get("data_disks") or ()],
        "nics": [_nic(one) for one in nics],
        "serial_ports": list(serial_ports),
        "medium": medium,
        "link_apply_mode": node.link_apply_mode or node.profile.link_apply_mode,
        "wave": node.wave,
        "hold": node.hold,
        "waits_for": list(waits_for) if node.wave else None,
        "startup_delay": node.startup_delay,
    }


def memory_of_machine(node: Node) -> int:
    return node.memory or node.profile.memory or DEFAULT_MEMORY


def cpus_of(node: Node) -> int:
    """A machine has whole CPUs."""
    return max(1, math.ceil(node.cpu or node.profile.cpu))


def queues_of(node: Node) -> int:
    """Of each of its taps."""
    return int(node.profile.hardware.get("nic_queues") or 1)


def check_nics(node: Node, links: t.Iterable[tuple[str, TopologyLink]]) -> t.Iterator[Problem]:
    """links: the machine's ends by Linux name. One that is no NIC of it cannot be."""
    interfaces = node.profile.interfaces
    for linux, link in links:
        place, number = link.place, nic_of(interfaces, linux)
        if number is None:
            what = f"a link uses {node.name}:{linux}, and node {node.name}, a virtual machine, has no such NIC"
            yield Problem(place.file, place.line, place.column, what, f"Its ports are {examples(interfaces)}")
        elif number >= MAX_NICS:
            what = f"a link uses {node.name}:{linux}, which would be NIC {number + 1} of a machine that can have {MAX_NICS}"
            yield Problem(place.file, place.line, place.column, what, "Use a port with a lower number")


def _hardware(node: Node) -> dict[str, t.Any]:
    """What the kind says; of the rest the server knows what is usual."""
    given = node.profile.hardware
    found = {key: given[key] for key in _HARDWARE if given.get(key) is not None}
    smbios = {key.removeprefix(_SMBIOS): str(value) for key, value in sorted(given.items()) if key.startswith(_SMBIOS)}
    return {**found, "smbios": smbios} if smbios else found


def _nic(one: MachineNic) -> dict[str, str]:
    named = {"interface": one.place.interface} if one.place.role != "reserved" else {}
    return {"mac": one.mac, "tap": one.tap, "role": one.place.role, **named}
