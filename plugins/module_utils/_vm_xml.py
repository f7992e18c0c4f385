# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A domain's values as libvirt's XML. The same values are the same text; C(_vm_xml_read.py) has the way back.

What libvirt adds by itself (addresses, controllers) is left to it: it gives NICs ascending PCI addresses in the order in which they stand.
"""

from __future__ import annotations

import posixpath
import typing as t
from xml.etree import ElementTree

from ansible_collections.archetype.lab.plugins.module_utils._errors import raise_all
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import (
    DiskSpec,
    DomainSpec,
    NicSpec,
    as_built,
    faults,
    smbios_part,
)
from ansible_collections.archetype.lab.plugins.module_utils._vm_xml_read import NAMESPACE, NESTED, NESTED_FLAGS, OFFLOADS, read

Element = ElementTree.Element

ElementTree.register_namespace("lab", NAMESPACE)

_PREFIXES = {"ide": "hd", "sata": "sd", "scsi": "sd", "usb": "sd", "virtio": "vd"}
_IDE_CDROM = 2
"""A CD-ROM on IDE is the master of the second channel, where every system looks for it."""

_SLOTS = 32
_TAKEN_SLOTS = 2
"""Of the bus of i440fx: its host bridge and its ISA bridge."""

_LOCAL = "127.0.0.1"
_DISCARD_PORT = "9"


def build(spec: DomainSpec) -> str:
    """The XML to define it. Raises what C(faults) finds."""
    raise_all(faults(spec))
    spec = as_built(spec)
    root = Element("domain", type=spec.virt)
    _add(root, "name", spec.name)
    _add(root, "uuid", spec.uuid)
    _metadata(root, spec)
    _add(root, "memory", str(spec.memory // 1024), unit="KiB")
    _add(root, "vcpu", str(spec.cpus), placement="static")
    _firmware(root, spec)
    _cpu(root, spec)
    _add(root, "clock", offset="utc")
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        _add(root, f"on_{event}", action)
    _devices(_add(root, "devices"), spec)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _add(parent: Element, tag: str, content: str = "", /, **attributes: str) -> Element:
    child = ElementTree.SubElement(parent, tag, attributes)
    child.text = content or None
    return child


def _metadata(root: Element, spec: DomainSpec) -> None:
    mark = _add(_add(root, "metadata"), f"{{{NAMESPACE}}}domain")
    for key in ("lab", "node", "kind", "image", "backing"):
        mark.set(key, getattr(spec.mark, key))
    flags = [f"-{flag}" for flag in spec.cpu_flags_off] + ([NESTED] if spec.nested else [])
    if flags:
        mark.set("flags", " ".join(flags))


def _firmware(root: Element, spec: DomainSpec) -> None:
    """BIOS; or UEFI in read-only flash, without variables or with a file of them. UEFI gets no SMM, which the plain code has no use for."""
    parts: dict[str, list[tuple[str, str]]] = {}
    for key, value in sorted(spec.smbios.items()):
        part, name = smbios_part(key) or ("system", key)
        parts.setdefault(part, []).append((name, value))
    if parts:
        sysinfo = _add(root, "sysinfo", type="smbios")
        for part in sorted(parts, key=("bios", "system", "baseboard", "chassis").index):
            section = _add(sysinfo, "baseBoard" if part == "baseboard" else part)
            for name, value in parts[part]:
                _add(section, "entry", value, name=name)
    system = _add(root, "os")
    _add(system, "type", "hvm", arch="x86_64", machine=spec.machine)
    if spec.efi:
        loader = _add(system, "loader", spec.efi, readonly="yes", type="pflash")
        if spec.nvram:
            _add(system, "nvram", spec.nvram, **({"template": spec.nvram_template} if spec.nvram_template else {}))
        else:
            loader.set("stateless", "yes")
    if parts:
        _add(system, "smbios", mode="sysinfo")
    features = _add(root, "features")
    _add(features, "acpi")
    _add(features, "apic")
    if spec.efi:
        _add(features, "smm", state="off")


def _cpu(root: Element, spec: DomainSpec) -> None:
    if spec.cpu_model:
        cpu = _add(root, "cpu", mode="custom", match="exact", check="none")
        _add(cpu, "model", spec.cpu_model, fallback="forbid")
    elif spec.virt == "kvm":
        cpu = _add(root, "cpu", mode="host-passthrough", check="none", migratable="off")
    else:
        cpu = _add(root, "cpu", mode="maximum", check="none")
    if spec.sockets:
        _add(cpu, "topology", sockets=str(spec.sockets), dies="1", cores=str(spec.cpus // spec.sockets), threads="1")
    for flag in spec.cpu_flags_off:
        _add(cpu, "feature", policy="disable", name=flag)
    for flag in NESTED_FLAGS if spec.nested else ():
        _add(cpu, "feature", policy="optional", name=flag)


def _devices(devices: Element, spec: DomainSpec) -> None:
    taken: set[str] = set()
    for number, disk in enumerate(spec.disks):
        _disk(devices, disk, number, taken)
    buses = {disk.bus for disk in spec.disks}
    _add(devices, "controller", type="usb", index="0", model="qemu-xhci" if "usb" in buses else "none")
    if "scsi" in buses:
        _add(devices, "controller", type="scsi", index="0", model="virtio-scsi")
    if "q35" not in spec.machine:
        _bridges(devices, spec, buses)
    for nic in spec.nics:
        _nic(devices, nic)
    for number in range(spec.serial_count):
        _serial(devices, spec, number)
    if spec.graphics == "vnc":
        graphics = _add(devices, "graphics", type="vnc", port="-1", autoport="yes", listen=_LOCAL)
        _add(graphics, "listen", type="address", address=_LOCAL)
        _add(_add(devices, "video"), "model", type="vga")
    _add(devices, "memballoon", model="none")
    _add(_add(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")


def _bridges(devices: Element, spec: DomainSpec, buses: set[str]) -> None:
    """What does not fit on the bus of i440fx is behind bridges, which have its last slots. libvirt would give them the first ones, and a
    guest that looks behind a bridge as soon as it finds it would count the NICs there before the others.
    """
    wanted = len(spec.nics) + sum(disk.bus == "virtio" for disk in spec.disks) + len(buses & {"sata", "scsi", "usb"})
    wanted += 2 + (spec.graphics == "vnc")  # random numbers; a slot that libvirt keeps free; the screen
    count = -(-max(0, wanted - (_SLOTS - _TAKEN_SLOTS)) // (_SLOTS - 2))  # each takes a slot, and has all but one
    for number in range(count):
        bridge = _add(devices, "controller", type="pci", index=str(number + 1), model="pci-bridge")
        _add(bridge, "address", type="pci", domain="0x0000", bus="0x00", slot=f"{_SLOTS - count + number:#04x}", function="0x0")


def _disk(devices: Element, disk: DiskSpec, number: int, taken: set[str]) -> None:
    """The system's disk is the only one to boot from: a medium may be on a bus that comes before it. The alias tells what a disk is for."""
    element = _add(devices, "disk", type="file", device="cdrom" if disk.cdrom else "disk")
    if disk.format == "qcow2":
        _add(element, "driver", name="qemu", type=disk.format, cache="none", io="native", discard="unmap")
    else:
        _add(element, "driver", name="qemu", type=disk.format)
    _add(element, "source", file=disk.path)
    target = _add(element, "target", dev=_target(disk, taken), bus=disk.bus)
    if disk.bus == "usb" and not disk.cdrom:
        target.set("removable", "on")
    if disk.read_only or disk.cdrom:
        _add(element, "readonly")
    if disk.role == "system":
        _add(element, "boot", order="1")
    _add(element, "alias", name=f"ua-disk{number}-{disk.role}")


def _target(disk: DiskSpec, taken: set[str]) -> str:
    letters = [chr(ord("a") + place) for place in range(26)]
    if disk.bus == "ide":
        rest = letters[:_IDE_CDROM] + letters[_IDE_CDROM + 1 : 4]
        letters = [letters[_IDE_CDROM], *rest[::-1]] if disk.cdrom else [*rest, letters[_IDE_CDROM]]
    name = next(name for letter in letters if (name := _PREFIXES[disk.bus] + letter) not in taken)
    taken.add(name)
    return name


def _nic(devices: Element, nic: NicSpec) -> None:
    """One that leads nowhere has a UDP socket that nobody knows and no link. (C(type="null") would be for that, and crashes libvirtd 9.)"""
    element = _add(devices, "interface", type="ethernet" if nic.tap else "udp")
    _add(element, "mac", address=nic.mac)
    if nic.tap:
        _add(element, "target", dev=nic.tap, managed="no")
    else:
        _add(_add(element, "source", address=_LOCAL, port=_DISCARD_PORT), "local", address=_LOCAL, port="0")
    _add(element, "model", type=nic.model)
    if nic.queues > 1 or (nic.model == "virtio" and not nic.offloads):
        driver = _add(element, "driver", **({"queues": str(nic.queues)} if nic.queues > 1 else {}))
        for side, names in OFFLOADS.items() if not nic.offloads else ():
            _add(driver, side, **dict.fromkeys(names, "off"))
    if not nic.tap:
        _add(element, "link", state="down")


def console_log(log: str, number: int) -> str:
    """The file of a serial port, from that of the first: C(console.log), C(console1.log) ..."""
    stem, extension = posixpath.splitext(log)
    return f"{stem}{number}{extension}" if number else log


def _serial(devices: Element, spec: DomainSpec, number: int) -> None:
    element = _add(devices, "serial", type="tcp" if spec.serial_ports else "pty")
    if spec.serial_ports:
        _add(element, "source", mode="bind", host=_LOCAL, service=str(spec.serial_ports[number]))
        _add(element, "protocol", type="telnet")
    if spec.log:
        _add(element, "log", file=console_log(spec.log, number), append="off")
    _add(_add(element, "target", type="isa-serial", port=str(number)), "model", name="isa-serial")


__all__: t.Sequence[str] = ["build", "console_log", "read"]
