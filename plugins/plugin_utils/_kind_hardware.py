# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The machine that a kind needs, of its file's C(hardware), and whether it can have the medium that its configuration comes on."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_values import ValueReader
from ansible_collections.archetype.lab.plugins.plugin_utils._read import word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Scalar

HARDWARE_CHOICES: t.Mapping[str, tuple[str, ...]] = {
    "disk_bus": ("ide", "sata", "scsi", "virtio"),
    "cdrom_bus": ("ide", "sata", "scsi", "usb"),
    "efi": ("stateless", "vars"),
    "graphics": ("none", "vnc"),
    "nic_model": ("e1000", "virtio", "vmxnet", "vmxnet2", "vmxnet3"),
    "serial_type": ("pty", "tcp"),
}
NUMBERS: t.Mapping[str, tuple[int, int]] = {"minimum_cpu": (1, 255), "nic_queues": (1, 16), "serial_count": (1, 4), "sockets": (1, 64)}
_TEXTS = (
    "cpu_model", "smbios_bios_vendor", "smbios_bios_version", "smbios_chassis_manufacturer", "smbios_family", "smbios_manufacturer",
    "smbios_product", "smbios_serial", "smbios_sku", "smbios_version",
)  # fmt: skip
HARDWARE_KEYS = tuple(sorted((*HARDWARE_CHOICES, *NUMBERS, *_TEXTS, "cpu_flags_off", "data_disks", "machine", "minimum_memory", "nested")))

MACHINE = r"pc|q35|pc-(?:i440fx|q35)-\d+\.\d+"
_Q35 = "q35"
_IDE_REMEDY = "Write sata, or another machine (pc)"
_MEDIUM_BUSES: t.Mapping[str, tuple[str, ...]] = {
    "cloud-init": HARDWARE_CHOICES["cdrom_bus"],
    "iso": HARDWARE_CHOICES["cdrom_bus"],
    "usb": ("scsi", "usb", "virtio"),
}
"""A CD-ROM cannot be on virtio, and a disk on IDE or SATA cannot be read only."""


def read_hardware(reader: ValueReader, values: MapValue) -> dict[str, t.Any]:
    """What the file says and no more: amounts of memory in bytes, all else as it is written."""
    found: dict[str, t.Any] = {key: reader.choice_of(values, key, choices) for key, choices in HARDWARE_CHOICES.items()}
    found.update((key, reader.text_of(values, key)) for key in _TEXTS)
    found.update((key, reader.integer(values.get(key), key, *limits)) for key, limits in NUMBERS.items())
    found["machine"] = reader.text_of(values, "machine")
    if found["machine"] and not re.fullmatch(MACHINE, found["machine"]):
        reader.problems.add(
            values.get("machine"), f"machine is {word(found['machine'])}", "Write pc, q35, or one of QEMU's such as pc-q35-6.2"
        )
    found["cpu_flags_off"] = list(reader.texts_of(values, "cpu_flags_off"))
    found["data_disks"] = [reader.bytes_of(item, "data_disks") for item in reader.items(values.get("data_disks"), "data_disks")]
    found["minimum_memory"] = reader.memory_of(values, "minimum_memory")
    found["nested"] = reader.flag_of(values, "nested")
    return {key: found[key] for key in values.entries if key in found}


def check_medium(reader: ValueReader, kind: MapValue) -> None:
    """Buses that do not go together with the machine or the medium. It looks at what is said together, in one file or after merging."""
    hardware, config = kind.get("hardware"), kind.get("startup_config")
    machine = _said(hardware, "machine")
    asked = [(hardware, "disk_bus"), (hardware, "cdrom_bus"), (config, "bus")]
    for section, key in asked:
        if _Q35 in machine and _said(section, key) == "ide" and isinstance(section, MapValue):
            reader.problems.add(section.get(key), f"{key} is ide, which machine {machine} does not have", _IDE_REMEDY)
    medium, bus = _said(config, "medium"), _said(config, "bus")
    if isinstance(config, MapValue) and bus and bus not in _MEDIUM_BUSES.get(medium, (bus,)):
        what = f"bus is {bus}, on which there cannot be a medium {medium}"
        reader.problems.add(config.get("bus"), what, f"Write one of {', '.join(_MEDIUM_BUSES[medium])}")


def _said(section: object, key: str) -> str:
    value = section.get(key) if isinstance(section, MapValue) else None
    return value.text if isinstance(value, Scalar) else ""
