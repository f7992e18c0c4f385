# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Numbers that machines have and containers have not: MAC addresses of NICs that lead nowhere, and TCP ports of consoles."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils import _identifiers as ids
from ansible_collections.archetype.lab.plugins.plugin_utils._allocation import Pool, Want, settle
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

CONSOLE_PORTS = (20000, 29999)
"""Below the ports that the kernel gives to connections of its own."""


def idle_macs(lab: str, idle: t.Mapping[str, t.Sequence[str]], taken: t.Iterable[str]) -> dict[tuple[str, str], str]:
    """Node and interface -> MAC address. idle: node -> interfaces that lead nowhere. taken: addresses that are given already.

    An interface has the address that it would have with a link, so that it keeps it when it gets one.
    """
    found: dict[tuple[str, str], str] = {}
    used = set(taken)
    for node in sorted(idle):
        for interface in idle[node]:
            names = [ids.mac_address(lab, node, interface, attempt) for attempt in range(ids.ATTEMPTS)]
            found[node, interface] = next((one for one in names if one not in used), names[0])
            used.add(found[node, interface])
    return found


def serial_count(node: Node) -> int:
    """How many serial ports of a machine are TCP ports of its server."""
    hardware = node.profile.hardware
    return int(hardware.get("serial_count") or 1) if node.native and hardware.get("serial_type") == "tcp" else 0


def console_ports(
    lab: str, nodes: t.Mapping[str, Node], placement: t.Mapping[str, str], observed: t.Mapping[str, Json]
) -> tuple[dict[str, tuple[int, ...]], list[Problem]]:
    """Machine -> the TCP ports of its serial ports on its server. What somebody else has there (C(claims.consoles)) is passed over."""
    low, high = CONSOLE_PORTS
    pools: dict[str, Pool] = {}
    wants: dict[tuple[str, int], Want] = {}
    for name in sorted(nodes):
        count = serial_count(nodes[name])
        if count and name in placement:
            claims = (observed.get(placement[name]) or {}).get("claims") or {}
            pool = pools.setdefault(placement[name], Pool({int(port) for port in claims.get("consoles") or {}}))
            wants.update(
                ((name, serial), Want(ids.console_port(lab, name, serial, (low, high)), low, high, (pool,))) for serial in range(count)
            )
    given, lost = settle(wants)
    problems = []
    for name in dict.fromkeys(name for name, _serial in lost):
        place = nodes[name].place
        what = f"server {placement[name]} has no TCP port from {low} to {high} left for the console of node {name}"
        problems.append(Problem(place.file, place.line, place.column, what, "Pin the node to another server"))
    found: dict[str, tuple[int, ...]] = {}
    for name, _serial in wants:
        found[name] = tuple(given[name, one] for one in range(serial_count(nodes[name])) if (name, one) in given)
    return found, problems
