# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a domain has taken that another one could want, whoever made it: MAC addresses, devices, TCP ports."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError


@dataclass(frozen=True)
class Taken:
    """ports: TCP ports of serial consoles. devices: of the server, by the names that the domain gives them."""

    macs: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()


def taken(xml: str) -> Taken:
    """Raises ReadError for what is no XML."""
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - it is what libvirtd wrote
    except ElementTree.ParseError as error:
        raise ReadError(f"the definition of a domain is no XML: {error}") from error
    macs = (one.get("address", "").lower() for one in root.iterfind("devices/interface/mac"))
    devices = (one.get("dev", "") for one in root.iterfind("devices/interface/target"))
    sources = (one.get("service", "") for sort in ("serial", "console") for one in root.iterfind(f"devices/{sort}/source[@mode='bind']"))
    return Taken(frozenset(macs) - {""}, frozenset(devices) - {""}, frozenset(int(one) for one in sources if one.isdecimal()))
