# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A port as it is declared to its server, in the shape of C(module_utils/_declared.py)."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef


def declare_port(
    end: EndpointRef,
    link: t.Mapping[str, t.Any],
    key: str,
    *,
    server: str,
    name: str,
    mac: str,
    sandbox: str,
    group: int,
    addressed: bool = True,
) -> dict[str, t.Any]:
    """link: as it is in the plan. name: of the device on the server. addressed: whether the lab puts the addresses on the interface."""
    return {
        "name": name,
        "device": "veth",
        "link": key,
        "node": end.node,
        "interface": end.interface,
        "sandbox": sandbox,
        "mac": mac,
        "mtu": link["mtu"],
        "tag": link["tags"].get(server),
        "trunks": [],
        "vlan_mode": "dot1q-tunnel",
        "group": group,
        "enabled": link["enabled"],
        "parent": "",
        "mode": "",
        "addresses": [address for address in (end.ipv4, end.ipv6) if address and addressed],
        "routes": [],
        "impairment": asdict(end.impairment) if end.impairment else None,
    }
