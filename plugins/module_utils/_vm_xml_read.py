# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The values of a domain from the XML that libvirt has of it, of its next start or of what runs. Part of C(_vm_xml.py).

What was written reads back as it was; what somebody changed since reads as something else, and never as an error.
"""

from __future__ import annotations

from xml.etree import ElementTree

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import DiskSpec, DomainSpec, Mark, NicSpec

NAMESPACE = "https://archetype-lab.example/xmlns/1"
NESTED_FLAGS = ("svm", "vmx")
"""What a CPU has that runs machines itself, of AMD and of Intel; each is had where the server has it."""
NESTED = "nested"

OFFLOADS = {
    "host": ("csum", "gso", "tso4", "tso6", "ecn", "ufo"),
    "guest": ("csum", "tso4", "tso6", "ecn", "ufo"),
}
_UNITS = {"b": 1, "bytes": 1, "KiB": 2**10, "k": 2**10, "MiB": 2**20, "M": 2**20, "GiB": 2**30, "G": 2**30}

Element = ElementTree.Element


def read(xml: str) -> DomainSpec | None:
    """None where the domain is not the collection's: its mark is not there."""
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - it is what libvirtd wrote
    except ElementTree.ParseError as exc:
        raise ReadError(f"the definition of a domain is no XML: {exc}") from exc
    mark = root.find(f"metadata/{{{NAMESPACE}}}domain")
    if mark is None:
        return None
    loader, nvram = root.find("os/loader"), root.find("os/nvram")
    flags_off, nested = _flags(root, mark)
    serials = root.findall("devices/serial")
    return DomainSpec(
        name=_text(root.find("name")),
        uuid=_text(root.find("uuid")),
        mark=Mark(*(mark.get(key, "") for key in ("lab", "node", "kind", "image", "backing"))),
        virt=root.get("type", ""),
        machine=_get(root, "os/type", "machine"),
        memory=_memory(root.find("memory")),
        cpus=_number(_text(root.find("vcpu"))),
        log=_get(root, "devices/serial/log", "file"),
        cpu_model=_text(root.find("cpu[@mode='custom']/model")),
        cpu_flags_off=flags_off,
        sockets=_number(_get(root, "cpu/topology", "sockets")),
        nested=nested,
        efi=_text(loader),
        nvram=_text(nvram),
        nvram_template="" if nvram is None else nvram.get("template", ""),
        smbios=_smbios(root),
        disks=_disks(root),
        nics=tuple(_nic(one) for one in root.iterfind("devices/interface")),
        serial_count=len(serials),
        serial_ports=tuple(_number(_get(one, "source", "service")) for one in serials if one.get("type") == "tcp"),
        graphics=_get(root, "devices/graphics", "type") or "none",
    )


def _flags(root: Element, mark: Element) -> tuple[tuple[str, ...], bool]:
    """What the CPU must not have, and whether it runs machines. Of a model that runs libvirt tells what QEMU made of it (C(check) is
    C(full) then), and not what was asked for: that is in the mark it was started with.
    """
    if _get(root, "cpu", "check") == "full":
        asked = mark.get("flags", "").split()
        return tuple(one[1:] for one in asked if one.startswith("-")), NESTED in asked
    flags = [(one.get("policy", ""), one.get("name", "")) for one in root.iterfind("cpu/feature")]
    off = tuple(name for policy, name in flags if policy == "disable")
    return off, {name for policy, name in flags if policy in ("optional", "require")} >= set(NESTED_FLAGS)


def _text(element: Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


def _get(element: Element, path: str, attribute: str) -> str:
    found = element.find(path)
    return "" if found is None else found.get(attribute, "")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _memory(element: Element | None) -> int:
    return 0 if element is None else _number(_text(element)) * _UNITS.get(element.get("unit", "KiB"), 0)


def _smbios(root: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for section in root.findall("sysinfo[@type='smbios']/*"):
        part = section.tag.lower()
        prefix = "" if part == "system" else f"{part}_"
        found.update((prefix + entry.get("name", ""), _text(entry)) for entry in section.iterfind("entry"))
    return found


def _disks(root: Element) -> tuple[DiskSpec, ...]:
    """libvirt sorts disks by bus; their aliases tell the order in which they were written, and what they are for."""
    found: list[tuple[int, DiskSpec]] = []
    for place, element in enumerate(root.iterfind("devices/disk")):
        number, _dash, role = _get(element, "alias", "name").removeprefix("ua-disk").partition("-")
        cdrom = element.get("device") == "cdrom"
        spec = DiskSpec(
            path=_get(element, "source", "file"),
            role=role if number.isdecimal() else "other",
            bus=_get(element, "target", "bus"),
            format=_get(element, "driver", "type"),
            cdrom=cdrom,
            read_only=element.find("readonly") is not None,
        )
        found.append((_number(number) if number.isdecimal() else 1000 + place, spec))
    return tuple(spec for _place, spec in sorted(found, key=lambda one: one[0]))


def _nic(element: Element) -> NicSpec:
    """A NIC that somebody gave another backend has no tap of ours: its C(tap) is the type, in brackets."""
    kind = element.get("type", "")
    tap = _get(element, "target", "dev") if kind == "ethernet" else ""
    return NicSpec(
        mac=_get(element, "mac", "address"),
        tap=tap if kind in ("ethernet", "udp") else f"({kind})",
        model=_get(element, "model", "type"),
        queues=_number(_get(element, "driver", "queues")) or 1,
        offloads=_get(element, "driver/host", "csum") != "off",
    )
