# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What libvirtd and QEMU of a server make of definitions, asked with libvirt-python alone; and in which order a guest finds its NICs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from tests.testbed.testbed import Server

FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
TEMPLATE = "/usr/share/OVMF/OVMF_VARS_4M.fd"
FOLDER = "/var/lib/libvirt/archetype-lab/vx"

DRIVER = """
import json, libvirt, sys, time
libvirt.registerErrorHandler(lambda *_: None, None)
connection = libvirt.open("qemu:///system")

def tried(xml, start, wait):
    try:
        domain = connection.defineXML(xml)
    except libvirt.libvirtError as exc:
        return {"error": str(exc)}
    try:
        found = {"inactive": domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)}
        if start:
            domain.createWithFlags(libvirt.VIR_DOMAIN_START_AUTODESTROY | (0 if wait else libvirt.VIR_DOMAIN_START_PAUSED))
            found["live"] = domain.XMLDesc()
            found["qemu"] = libvirt_qemu.qemuMonitorCommand(domain, "info network", libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
            end = time.monotonic() + 60
            while wait and time.monotonic() < end and wait not in open(start, errors="replace").read():
                time.sleep(0.5)
            found["log"] = open(start, errors="replace").read()
            domain.destroy()
        return found
    except libvirt.libvirtError as exc:
        return {**found, "error": str(exc)}
    finally:
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)

import libvirt_qemu
print(json.dumps({name: tried(**one) for name, one in json.load(sys.stdin).items()}))
"""

CAPABILITIES = """
import json, libvirt
import xml.etree.ElementTree as et
root = et.fromstring(libvirt.open("qemu:///system").getCapabilities())
print(json.dumps({one.text: one.get("canonical") or one.text for one in root.iterfind("guest/arch[@name='x86_64']//machine")}))
"""


def _python(server: Server, script: str, given: Any = None) -> Any:
    done = server.run([sys.executable, "-c", script], stdin=json.dumps(given), timeout=300)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def machines(server: Server) -> dict[str, str]:
    """What may be written as a machine type -> what QEMU calls it."""
    return dict(_python(server, CAPABILITIES))


def define(server: Server, definitions: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Define each, read it, and take it away again. The error of one that libvirt refuses is in C(error)."""
    return dict(_python(server, DRIVER, {name: {"xml": xml, "start": "", "wait": ""} for name, xml in definitions.items()}))


def start(server: Server, definitions: Mapping[str, tuple[str, str]], wait: str = "") -> dict[str, dict[str, str]]:
    """The same, and start each, paused, one after the other: name -> (definition, log of its console). wait: run it until it says so."""
    return dict(_python(server, DRIVER, {name: {"xml": xml, "start": log, "wait": wait} for name, (xml, log) in definitions.items()}))


def as_guests_count(xml: str) -> dict[str, list[str]]:
    """The MACs of a machine's NICs in the orders that guests have for what is on PCI.

    across: all of a bus, then what is behind its bridges (Linux). down: what is behind a bridge as soon as it is found (FreeBSD, firmware).
    """
    root = ElementTree.fromstring(xml)
    buses: dict[int, list[tuple[tuple[int, int], str, int | None]]] = {}
    for device in root.iterfind("devices/*"):
        address = device.find("address[@type='pci']")
        if address is not None:
            bus, slot, function = (int(address.get(key, "0"), 16) for key in ("bus", "slot", "function"))
            mac = device.find("mac")
            behind = int(device.get("index", "0")) if device.tag == "controller" and device.get("type") == "pci" else None
            buses.setdefault(bus, []).append(((slot, function), "" if mac is None else mac.get("address", ""), behind))

    def walk(bus: int, *, across: bool) -> Iterator[str]:
        found = sorted(buses.get(bus, ()))
        if across:
            yield from (mac for _place, mac, _behind in found)
        for _place, mac, behind in found:
            if behind is not None:
                yield from walk(behind, across=across)
            elif not across:
                yield mac

    return {way: [mac for mac in walk(0, across=way == "across") if mac] for way in ("across", "down")}
