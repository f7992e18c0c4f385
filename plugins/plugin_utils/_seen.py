# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the observation of a server tells the planner: what the lab has there already, and what others have."""

from __future__ import annotations

import typing as t
from collections import Counter
from dataclasses import dataclass, field

Json = t.Mapping[str, t.Any]


@dataclass(frozen=True)
class Seen:
    """One server, seen for one lab.

    tags: link key -> the tags its ports and tunnels have, each with how often. vnis: link key -> VNI, of tunnels of one link.
    ports: endpoint -> device. tunnels: link key -> device. shared: device -> VNI, of tunnels of several links. macs: endpoint -> address.
    claimed_...: what is not the lab's -> whose it is.
    """

    tags: t.Mapping[str, Counter[int]] = field(default_factory=dict)
    vnis: t.Mapping[str, int] = field(default_factory=dict)
    ports: t.Mapping[str, str] = field(default_factory=dict)
    tunnels: t.Mapping[str, str] = field(default_factory=dict)
    shared: t.Mapping[str, int] = field(default_factory=dict)
    macs: t.Mapping[str, str] = field(default_factory=dict)
    claimed_tags: t.Mapping[int, str] = field(default_factory=dict)
    claimed_vnis: t.Mapping[int, str] = field(default_factory=dict)
    claimed_devices: t.Mapping[str, str] = field(default_factory=dict)
    claimed_macs: t.Mapping[str, str] = field(default_factory=dict)
    claimed_containers: t.Mapping[str, str] = field(default_factory=dict)


NOTHING = Seen()


def see(lab: str, observed: Json | None) -> Seen:
    """Observed state as JSON (docs/design.md, section 4) -> what matters for planning."""
    if not observed:
        return NOTHING
    tags: dict[str, Counter[int]] = {}
    ports, macs = _ports(lab, observed, tags)
    vnis: dict[str, int] = {}
    tunnels: dict[str, str] = {}
    shared: dict[str, int] = {}
    for tunnel in _own(lab, observed, "tunnels"):
        if tunnel.get("link"):
            tunnels[tunnel["link"]] = tunnel["name"]
            vnis[tunnel["link"]] = tunnel["vni"]
        else:
            shared[tunnel["name"]] = tunnel["vni"]
        for one in ({"key": tunnel.get("link"), "tag": tunnel.get("tag")}, *(tunnel.get("links") or ())):
            _count(tags, one["key"], one["tag"])
    claims = observed.get("claims") or {}
    return Seen(
        tags, vnis, ports, tunnels, shared, macs,
        claimed_tags={int(tag): who for tag, who in (claims.get("tags") or {}).items()},
        claimed_vnis={int(vni): who for vni, who in (claims.get("vnis") or {}).items()},
        claimed_devices=dict(claims.get("devices") or {}),
        claimed_macs={mac.lower(): who for mac, who in (claims.get("macs") or {}).items()},
        claimed_containers=dict(claims.get("containers") or {}),
    )  # fmt: skip


def _own(lab: str, observed: Json, layer: str) -> t.Iterator[Json]:
    """The lab's own objects of a layer, by name; what another lab has is among the claims."""
    for one in sorted(observed.get(layer) or (), key=lambda one: str(one["name"])):
        if one.get("lab", lab) == lab:
            yield one


def _ports(lab: str, observed: Json, tags: dict[str, Counter[int]]) -> tuple[dict[str, str], dict[str, str]]:
    ports: dict[str, str] = {}
    macs: dict[str, str] = {}
    for port in _own(lab, observed, "ports"):
        endpoint = f"{port.get('node')}:{port.get('interface')}"
        ports[endpoint] = port["name"]
        macs[endpoint] = (port.get("mac") or "").lower()
        _count(tags, port.get("link"), port.get("tag"))
    return ports, macs


def _count(tags: dict[str, Counter[int]], key: str | None, tag: int | None) -> None:
    if key and tag is not None:
        tags.setdefault(key, Counter())[tag] += 1


def live_placement(lab: str, observed: t.Mapping[str, Json]) -> dict[str, str]:
    """Node -> server, for the nodes that have a container or a machine now: a running one before a stopped one, then the first server by
    name. Of a machine that libvirt does not have any more, the disk may be there: it counts as well."""
    found: dict[str, tuple[bool, str]] = {}
    for server in sorted(observed):
        for one in (*_own(lab, observed[server], "containers"), *_own(lab, observed[server], "vms")):
            node = one.get("node")
            rank = (one.get("status") != "running", server)
            if node and rank < found.get(node, (True, "\uffff")):
                found[node] = rank
    return {node: server for node, (_stopped, server) in found.items()}
