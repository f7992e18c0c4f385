# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A libvirt that keeps its domains in a dictionary. The rules that matter: a name has one UUID, what runs stays as it was started."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import ConsoleStream, Domain, Host, Status

HOST = Host(
    libvirt="9.0.0",
    qemu="7.2.0",
    kvm=False,
    why_not="failed to set MSR",
    uid=64055,
    gid=64055,
    machines={"pc": "pc-i440fx-7.2", "pc-i440fx-7.2": "pc-i440fx-7.2", "q35": "pc-q35-7.2", "pc-q35-6.2": "pc-q35-6.2"},
    firmware={"/usr/share/OVMF/OVMF_CODE_4M.fd": "/usr/share/OVMF/OVMF_VARS_4M.fd"},
)


class FakeLibvirt:
    """die: names of domains that crash when they are started. stubborn: whose devices stay as they are. calls: what changed something.

    unreadable: what reading then raises.
    """

    def __init__(self, host: Host = HOST) -> None:
        self.known: dict[str, Domain] = {}
        self.the_host = host
        self.calls: list[tuple[str, str]] = []
        self.die: set[str] = set()
        self.stubborn: set[str] = set()
        self.unreadable = ""
        self.looks: list[str] = []
        self.number = itertools.count(1)
        self.lock = threading.RLock()

    def domains(self) -> Mapping[str, Domain]:
        self.looks.append("domains")
        if self.unreadable:
            raise ReadError(self.unreadable)
        return dict(self.known)

    def host(self) -> Host:
        self.looks.append("host")
        return self.the_host

    def define(self, xml: str) -> None:
        root = ElementTree.fromstring(xml)
        name, uuid = root.findtext("name", ""), root.findtext("uuid", "")
        with self.lock:
            self.calls.append(("define", name))
            known = self.known.get(name)
            if known is not None and known.uuid != uuid:
                raise ApplyError(f"domain '{name}' already exists with uuid {known.uuid}", objects=(name,))
            self.known[name] = replace(known, xml=xml, persistent=True) if known else Domain(name, uuid, "shutoff", xml)

    def start(self, name: str) -> None:
        with self.lock:
            self.calls.append(("start", name))
            number = next(self.number)
            status: Status = "crashed" if name in self.die else "running"
            one = self.known[name]
            self.known[name] = replace(one, status=status, live_xml=one.xml, started=f"{number}", started_at=1.0e9 + number)

    def update_device(self, name: str, xml: str) -> None:
        """Only the link of a NIC, which libvirt finds by its MAC; all else must be as it is."""
        given = ElementTree.fromstring(xml)
        with self.lock:
            self.calls.append(("update", name))
            if name in self.stubborn:
                return
            root = ElementTree.fromstring(self.known[name].live_xml)
            nic = next(one for one in root.iter("interface") if one.find("mac").get("address") == given.find("mac").get("address"))  # type: ignore[union-attr]
            for link in nic.findall("link"):
                nic.remove(link)
            links = given.findall("link")
            for link in links:
                given.remove(link)
            if ElementTree.canonicalize(ElementTree.tostring(nic), strip_text=True) != ElementTree.canonicalize(
                ElementTree.tostring(given), strip_text=True
            ):
                raise ApplyError("Operation not supported: cannot modify network device", objects=(name,))
            nic.extend(links)
            self.known[name] = replace(self.known[name], live_xml=ElementTree.tostring(root, encoding="unicode"))

    def destroy(self, name: str) -> None:
        with self.lock:
            self.calls.append(("destroy", name))
            if name in self.known:
                self.known[name] = replace(self.known[name], status="shutoff", live_xml="", started="", started_at=0.0)

    def undefine(self, name: str) -> None:
        with self.lock:
            self.calls.append(("undefine", name))
            self.known.pop(name, None)

    def console(self, name: str, device: str = "") -> ConsoleStream:
        raise ReadError(f"domain {name} has no console {device}")

    def close(self) -> None:
        pass
