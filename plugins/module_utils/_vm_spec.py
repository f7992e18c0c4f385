# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A libvirt domain as values: what is written into its XML, what is read of it, and how the two differ.

Libvirt's own additions have no place here.

C(_vm_xml.py) turns them into XML and back.
"""

from __future__ import annotations

import difflib
import typing as t
import unicodedata
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError


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

    efi: path of the UEFI code, empty is BIOS. nvram: file of its variables, empty where none are kept. smbios: C(smbios_part) has its keys.
    serial_ports: TCP ports on 127.0.0.1, empty where the serial ports are terminals.
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


MEBIBYTE = 1024 * 1024

SUBSTITUTES: t.Mapping[str, str] = {"vmxnet3": "virtio", "vmxnet2": "e1000", "vmxnet": "e1000"}
"""NIC models of other hypervisors, and what a machine has instead. Always: what QEMU has of them, it has for moved machines only."""

NIC_MODELS = frozenset(
    {"virtio", "virtio-transitional", "virtio-non-transitional", "e1000", "e1000-82544gc", "e1000-82545em", "e1000e", "igb", "rtl8139"}
    | {"ne2k_pci", "pcnet", "tulip", "i82550", "i82551", "i82557a", "i82557b", "i82557c", "i82558a", "i82558b", "i82559a", "i82559b"}
    | {"i82559c", "i82559er", "i82562", "i82801"}
)
"""What QEMU has as a card. libvirt takes any word, and finds at the start that it means nothing."""

SMBIOS_KEYS = frozenset({"manufacturer", "product", "version", "serial", "sku", "family"})
"""Keys of SMBIOS that speak of the system; C(bios_<key>), C(baseboard_<key>) and C(chassis_<key>) speak of these parts."""

_SMBIOS_PARTS: t.Mapping[str, frozenset[str]] = {
    "bios": frozenset({"vendor", "version", "date", "release"}),
    "baseboard": frozenset({"manufacturer", "product", "version", "serial", "asset", "location"}),
    "chassis": frozenset({"manufacturer", "version", "serial", "asset", "sku"}),
}

_IDE_DISKS = 4
_MOST_SERIAL = 4
_CDROM_BUSES = ("ide", "sata", "scsi", "usb")
_WRITABLE_ONLY = ("ide", "sata")
"""Buses on which QEMU has no disk that is read only, unless it is a CD-ROM."""

Differences = dict[str, tuple[t.Any, t.Any]]


def smbios_part(key: str) -> tuple[str, str] | None:
    """C(chassis_serial) -> C(("chassis", "serial")), C(serial) -> C(("system", "serial")); None where there is no such key."""
    if key in SMBIOS_KEYS:
        return "system", key
    part, _underscore, rest = key.partition("_")
    return (part, rest) if rest in _SMBIOS_PARTS.get(part, ()) else None


def as_built(spec: DomainSpec) -> DomainSpec:
    """What libvirt makes of it: memory in whole MiB, CD-ROMs that are read only, and NIC models that QEMU has."""
    return replace(
        spec,
        uuid=spec.uuid.lower(),
        memory=-(-spec.memory // MEBIBYTE) * MEBIBYTE,
        disks=tuple(replace(disk, read_only=disk.read_only or disk.cdrom) for disk in spec.disks),
        nics=tuple(replace(nic, mac=nic.mac.lower(), model=SUBSTITUTES.get(nic.model, nic.model)) for nic in spec.nics),
    )


def faults(spec: DomainSpec) -> list[LabError]:
    """Why QEMU could not have this machine. libvirt would find it too, but only tells the first, and some of it only at the start."""
    return [ApplyError(f"domain {spec.name}: {what}", hint=hint, objects=(spec.name,)) for what, hint in _faults(spec)]


def _faults(spec: DomainSpec) -> t.Iterator[tuple[str, str]]:
    yield from _disk_faults(spec)
    if spec.sockets and spec.cpus % spec.sockets:
        yield (
            f"{spec.cpus} CPUs do not fit evenly on {spec.sockets} sockets",
            "set cpu of the node to a multiple of them, or sockets of its hardware to another number",
        )
    for model in dict.fromkeys(nic.model for nic in spec.nics if nic.model not in NIC_MODELS and nic.model not in SUBSTITUTES):
        near = difflib.get_close_matches(model, sorted(NIC_MODELS), 3, 0.5)
        yield f"QEMU has no NIC of model {model!r}", f"set nic_model to {' or '.join(near or ['virtio', 'e1000'])}"
    for number, nic in enumerate(spec.nics):
        if nic.queues > 1 and as_built(spec).nics[number].model != "virtio":
            yield f"NIC {number} has {nic.queues} queues, and its model {nic.model} has one", "set nic_queues to 1 or nic_model to virtio"
    if not 1 <= spec.serial_count <= _MOST_SERIAL:
        yield f"{spec.serial_count} serial ports are wanted", f"a machine has 1 to {_MOST_SERIAL}"
    if spec.serial_ports and len(spec.serial_ports) != spec.serial_count:
        yield f"{spec.serial_count} serial ports have {len(spec.serial_ports)} TCP ports", "give each one"
    yield from _word_faults(spec)


def _disk_faults(spec: DomainSpec) -> t.Iterator[tuple[str, str]]:
    buses = [disk.bus for disk in spec.disks]
    if "ide" in buses and "q35" in spec.machine:
        yield f"machine {spec.machine} has no IDE", "set disk_bus and cdrom_bus to sata, or the machine to pc"
    elif buses.count("ide") > _IDE_DISKS:
        yield f"{buses.count('ide')} disks and CD-ROMs are on IDE, which has {_IDE_DISKS}", "put data disks on another bus"
    for disk in spec.disks:
        if disk.cdrom and disk.bus not in _CDROM_BUSES:
            yield f"a CD-ROM cannot be on {disk.bus}", f"set cdrom_bus to one of {', '.join(_CDROM_BUSES)}"
        elif disk.read_only and not disk.cdrom and disk.bus in _WRITABLE_ONLY:
            yield f"a disk on {disk.bus} cannot be read only", "put it on usb, virtio or scsi"


def _word_faults(spec: DomainSpec) -> t.Iterator[tuple[str, str]]:
    """What would not read back as it was written, or is no XML at all."""
    unknown = sorted(key for key in spec.smbios if smbios_part(key) is None)
    if unknown:
        yield f"SMBIOS has no {', '.join(unknown)}", f"system keys are {', '.join(sorted(SMBIOS_KEYS))}"
    for key, value in spec.smbios.items():
        if not value or value != value.strip() or not value.isprintable():
            yield f"SMBIOS {key} is {value!r}", "give it a value that can be printed, without blanks around it, or leave it out"
    others = [word for key, value in asdict(spec).items() if key != "smbios" for word in _words(value)]
    for word in dict.fromkeys(word for word in others if any(_is_control(one) for one in word)):
        yield f"{word!r} has control characters, which nothing that libvirt is told may have", "give it another name"


def _words(value: t.Any) -> t.Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _words(one)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") or character in "\ufffe\uffff"


_NAMES: t.Mapping[str, str] = {
    "virt": "virtualization",
    "machine": "machine",
    "memory": "memory",
    "cpus": "cpus",
    "log": "console log",
    "cpu_model": "cpu model",
    "cpu_flags_off": "cpu flags off",
    "sockets": "cpu sockets",
    "nested": "nested virtualization",
    "efi": "efi",
    "nvram": "nvram",
    "nvram_template": "nvram template",
    "smbios": "smbios",
    "serial_count": "serial ports",
    "serial_ports": "serial tcp ports",
    "graphics": "graphics",
}
_MARK_NAMES: t.Mapping[str, str] = {"lab": "lab", "node": "node", "kind": "kind", "image": "image", "backing": "backing image"}
MARKS = frozenset(_MARK_NAMES.values())
"""Differences that no guest can see: they need a new definition, and no restart."""


def differences(have: DomainSpec, want: DomainSpec) -> Differences:
    """What differs: the name that a person has for it -> (as it is, as it is wanted). C(memory), C(nics), C(nic 2 model), C(config medium).

    NICs are numbered from 0, as the guest has them. Name and UUID are what a domain is found by, and never among them.
    """
    have, want = as_built(have), as_built(want)
    found: Differences = {}
    for mark, name in _MARK_NAMES.items():
        _compare(found, name, getattr(have.mark, mark), getattr(want.mark, mark))
    for key, name in _NAMES.items():
        _compare(found, name, getattr(have, key), getattr(want, key))
    _compare_disks(found, have, want)
    _compare(found, "nics", len(have.nics), len(want.nics))
    for number, (one, other) in enumerate(zip(have.nics, want.nics, strict=False)):
        for key in ("mac", "tap", "model", "queues", "offloads"):
            _compare(found, f"nic {number} {key}", getattr(one, key), getattr(other, key))
    return found


def _compare(found: Differences, name: str, have: t.Any, want: t.Any) -> None:
    if have != want:
        found[name] = (have, want)


def _compare_disks(found: Differences, have: DomainSpec, want: DomainSpec) -> None:
    before, after = _named_disks(have), _named_disks(want)
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        _compare(found, name, one and one.path, other and other.path)
        if one and other:
            for key in ("bus", "format", "cdrom", "read_only"):
                _compare(found, f"{name} {key.replace('_', ' ')}", getattr(one, key), getattr(other, key))


def _named_disks(spec: DomainSpec) -> dict[str, DiskSpec]:
    """C(disk), C(data disk 1), C(config medium), and C(other disk) for what somebody plugged in; a second one of a role has a number."""
    titles = {"system": "disk", "data": "data disk", "config": "config medium", "other": "other disk"}
    found: dict[str, DiskSpec] = {}
    for disk in spec.disks:
        title = titles.get(disk.role, disk.role)
        number = 1 + sum(disk.role == other.role for other in found.values())
        found[f"{title} {number}" if disk.role == "data" or number > 1 else title] = disk
    return found
