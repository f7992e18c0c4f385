# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whose an object is: the marks written on every object that is made, and how they are read.

OVS records carry C(external_ids), containers carry labels, network devices carry an C(ifalias). All name the lab.
Only what carries the mark of the lab that is worked on is ever changed or deleted.
"""

from __future__ import annotations

import typing as t

LAB = "archetype-lab"
LINK = "archetype-link"
NODE = "archetype-node"
INTERFACE = "archetype-interface"
ROLE = "archetype-role"
KIND = "archetype-kind"
FILES = "archetype-files"
BRIDGE = "archetype-bridge"
"""On the bridge itself, which belongs to no lab."""
IFINDEX = "archetype-ifindex"
"""On an OVS port: the index of the device that Open vSwitch opened. A device of the same name with another index was made anew
behind its back: the port shows an ofport and no error, but frames that the device receives are lost until it is recreated."""

ALIAS_PREFIX = "archetype-lab"


class Alias(t.NamedTuple):
    """The mark on a network device: C(archetype-lab:<lab>:<kind>:<key>), kind is C(port) or C(tunnel)."""

    lab: str
    kind: str
    key: str

    def __str__(self) -> str:
        return f"{ALIAS_PREFIX}:{self.lab}:{self.kind}:{self.key}"


def parse_alias(text: str | None) -> Alias | None:
    """The mark on a device, or None when the device is not ours. Lab names hold no colon, keys may."""
    parts = (text or "").split(":", 3)
    if len(parts) != 4 or parts[0] != ALIAS_PREFIX or not all(parts[1:]):
        return None
    return Alias(*parts[1:])


def owner_of(marks: t.Mapping[str, str] | None) -> str | None:
    """The lab that owns a record with these external_ids or labels, or None when it is foreign."""
    return (marks or {}).get(LAB) or None


def describe_owner(marks: t.Mapping[str, str] | None) -> str:
    """Words for an error: C(lab demo) or C(foreign (no archetype-lab mark))."""
    lab = owner_of(marks)
    return f"lab {lab}" if lab else f"foreign (no {LAB} mark)"
