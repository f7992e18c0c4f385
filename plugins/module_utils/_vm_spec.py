# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A libvirt domain as values: what is written into its XML, and what is read of it. Libvirt's own additions have no place here.

C(_vm_xml.py) turns them into XML and back.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mark:
    """Whose a domain is; it is in the domain's metadata. backing: SHA-256 of the image that its disk was made on."""

    lab: str
    node: str
    kind: str = ""
    image: str = ""
    backing: str = ""


@dataclass(frozen=True)
class DiskSpec:
    """role: C(system), C(data) or C(config). format: C(qcow2), or C(raw) of media. An ISO is a CD-ROM, a VFAT disk is read only as well."""

    path: str
    role: str
    bus: str
    format: str = "qcow2"
    cdrom: bool = False
    read_only: bool = False


@dataclass(frozen=True)
class NicSpec:
    """tap: empty where it leads nowhere. offloads: whether the guest may leave checksums and segments to what is behind its NIC."""

    mac: str
    tap: str = ""
    model: str = "virtio"
    queues: int = 1
    offloads: bool = True


@dataclass(frozen=True)
class DomainSpec:
    """virt: C(kvm) or C(qemu), which is emulated. machine: QEMU's own name. memory: bytes. log: file of the first serial port.

    efi: path of the UEFI code, empty is BIOS. nvram: file of its variables, empty where none are kept. serial_ports: TCP ports on 127.0.0.1,
    empty where the serial ports are terminals.
    """

    name: str
    uuid: str
    mark: Mark
    virt: str
    machine: str
    memory: int
    cpus: int
    log: str
    cpu_model: str = ""
    cpu_flags_off: tuple[str, ...] = ()
    sockets: int = 0
    nested: bool = False
    efi: str = ""
    nvram: str = ""
    nvram_template: str = ""
    smbios: t.Mapping[str, str] = field(default_factory=dict)
    disks: tuple[DiskSpec, ...] = ()
    nics: tuple[NicSpec, ...] = ()
    serial_count: int = 1
    serial_ports: tuple[int, ...] = ()
    graphics: str = "none"
