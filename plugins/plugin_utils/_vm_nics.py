# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The NICs of a virtual machine in their order: management, those that the device keeps to itself, then data ports by number.

A guest knows its NICs by order alone, so that those before a linked one are there too, and lead nowhere.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Interfaces

MAX_NICS = 128
"""More than any device of a kind has; a slip of the pen in a number must not make a machine of thousands."""


@dataclass(frozen=True)
class NicPlace:
    """A NIC of a machine. role: as C(module_utils/_declared_vm.py) has it. interface: its Linux name; that of a reserved one is ours."""

    role: str
    interface: str


def nic_of(interfaces: Interfaces, linux: str) -> int | None:
    """Which NIC of the machine an interface is, counted from 0; None where it is none of them."""
    if linux and linux in (interfaces.management or "eth0", interfaces.management_link):
        return 0
    pattern = re.escape(interfaces.linux).replace(re.escape("{index}"), r"(?P<index>0|[1-9][0-9]{0,8})")
    match = re.fullmatch(pattern, linux)
    index = int(match.group("index")) - interfaces.first if match and "index" in match.groupdict() else -1
    return 1 + interfaces.reserved + index if index >= 0 else None


def linux_of(interfaces: Interfaces, nic: int) -> str:
    """The Linux name of a data port by its NIC."""
    return interfaces.linux.replace("{index}", str(nic - 1 - interfaces.reserved + interfaces.first))


def nics_of(interfaces: Interfaces, linked: t.Iterable[str]) -> list[NicPlace]:
    """All NICs of a machine. linked: the Linux names of those that lead somewhere, all of which are NICs."""
    numbers = {number: one for one in linked if (number := nic_of(interfaces, one)) is not None}
    places = [NicPlace("management", numbers.get(0, interfaces.management or "eth0"))]
    places += [NicPlace("reserved", f"reserved{number}") for number in range(1, 1 + interfaces.reserved)]
    for number in range(len(places), max(numbers, default=0) + 1):
        places.append(NicPlace("data", numbers.get(number) or linux_of(interfaces, number)))
    return places


def examples(interfaces: Interfaces) -> str:
    """How its data ports are called, for messages."""
    first = 1 + interfaces.reserved
    return f"{linux_of(interfaces, first)}, {linux_of(interfaces, first + 1)} ..."
