# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whether the NICs of a machine that runs have a carrier.

A guest does not see what becomes of the tap that its NIC is: QEMU alone tells it, as it was told by libvirt (C(virsh domif-setlink)). It is
no part of the definition: a machine that is started has all links up, and is told right after it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from xml.etree import ElementTree

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError, VerifyError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain, Libvirt

_WORDS = {True: "up", False: "down"}


@dataclass(frozen=True)
class Link:
    """A NIC whose link is to be the other way. interface: what the lab calls it. xml: the NIC as it is to be, for libvirt."""

    tap: str
    interface: str
    up: bool
    xml: str


def wrong(want: Vm, live_xml: str, down: t.Collection[str], spared: t.Collection[str] = ()) -> tuple[Link, ...]:
    """The links of a machine that runs which are not as they are wanted. down: taps whose links have no carrier; spared: that are left."""
    taps = {nic.tap: nic.interface or nic.tap for nic in want.nics if nic.tap and nic.tap not in spared}
    if not live_xml or ("<link " not in live_xml and taps.keys().isdisjoint(down)):
        return ()  # a pass over many machines that are as they should be parses nothing
    try:
        root = ElementTree.fromstring(live_xml)  # noqa: S314 - it is what libvirtd wrote
    except ElementTree.ParseError as exc:
        raise ReadError(f"what libvirt tells of domain {want.name} is no XML: {exc}", objects=(want.name,)) from exc
    found: list[Link] = []
    for nic in root.findall("devices/interface"):
        target, link = nic.find("target"), nic.find("link")
        tap = target.get("dev", "") if target is not None else ""
        up = link is None or link.get("state") != "down"
        if tap in taps and up is (tap in down):
            found.append(Link(tap, taps[tap], not up, _with_link(nic, up=not up)))
    return tuple(found)


def _with_link(nic: ElementTree.Element, *, up: bool) -> str:
    """All else stays as libvirt told it: it refuses what it would have to change."""
    link = nic.find("link")
    if link is None:
        link = ElementTree.SubElement(nic, "link")
    link.set("state", _WORDS[up])
    return ElementTree.tostring(nic, encoding="unicode")


def change_of(want: Vm, links: t.Sequence[Link]) -> Change:
    fields = {f"link of {one.interface}": (_WORDS[not one.up], _WORDS[one.up]) for one in links}
    return Change("update", "vm", want.name, want.node, fields)


def apply(virt: Libvirt, want: Vm, links: t.Sequence[Link]) -> None:
    """Tell QEMU, through libvirt. Every NIC is tried."""
    errors: list[LabError] = []
    for one in links:
        try:
            virt.update_device(want.name, one.xml)
        except LabError as error:
            text = f"the link of {one.interface} of node {want.node} cannot be set {_WORDS[one.up]}: {error.message}"
            errors.append(type(error)(text, hint=error.hint, objects=(want.name,)))
    raise_all(errors)


def verify(want: Vm, domain: Domain | None, down: t.Collection[str], spared: t.Collection[str] = ()) -> LabError | None:
    """What is still not as it is wanted. A machine that has ended meanwhile is told by others, or is no more to be mended."""
    left = wrong(want, domain.live_xml, down, spared) if domain is not None and domain.running else ()
    if not left:
        return None
    said = ", ".join(f"the link of {one.interface} is {_WORDS[not one.up]}, wanted {_WORDS[one.up]}" for one in left)
    return VerifyError(f"domain {want.name} of node {want.node}: {said}", hint="run again", objects=(want.name,))
