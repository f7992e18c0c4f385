# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What an observation alone tells of a link: what of it differs on a server, where nothing was converged or compared there."""

from __future__ import annotations

from ansible_collections.archetype.lab.plugins.plugin_utils._lean import PORT, whole
from ansible_collections.archetype.lab.plugins.plugin_utils._outcome import differs
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

_COMPARED = ("tag", "trunks", "vlan_mode", "mtu", "mac", "vni", "local", "remotes", "dst_port", "enabled", "parent", "mode", "impairment")
_LEFT_OPEN = ("mtu", "mac", "impairment")
"""What is as it comes where nothing is declared."""
_OFF_BRIDGE = ("host", "macvlan", "dummy")
_ON_BRIDGE = {"tag", "trunks", "vlan_mode"}
"""What only ports on the bridge have."""


def differences_of(key: str, server: str, info: Json, part: Json) -> list[str]:
    """info: what was observed. part: what the plan has for this server."""
    differences = []
    for layer, kind in (("ports", "port"), ("tunnels", "tunnel")):
        have = {one["name"] or _end_of(one): one for one in info.get(layer) or ()}
        for given in part[layer]:
            want = whole(given, PORT) if layer == "ports" else given
            if key == want["link"] or any(one["key"] == key for one in want.get("links") or ()):
                found = have.get(want["name"]) or have.get(_end_of(want))
                differences += _compare(f"{server}: {kind} {want['name']}", found, want)
    return differences


def _compare(what: str, have: Json | None, want: Json) -> list[str]:
    if have is None:
        return [f"{what} is missing"]
    open_ones = {name for name in _LEFT_OPEN if not want.get(name)}
    if want.get("device") == "tap":
        open_ones.add("mac")  # it is the guest's own, and no device of the server has it
    if want.get("device") in _OFF_BRIDGE:
        open_ones |= _ON_BRIDGE
    fields = [name for name in _COMPARED if name in want and name in have and name not in open_ones and have[name] != want[name]]
    words = [differs(name, have[name], want[name]) for name in fields]
    if have.get("impairment") and not want.get("impairment"):
        words.append("tc is not declared")
    words += [f"address {one} is missing" for one in want.get("addresses") or () if "addresses" in have and one not in have["addresses"]]
    return [f"{what}: " + ", ".join(words)] if words else []


def _end_of(one: Json) -> str:
    """What tells a port that has no device on its server; empty for what is no port."""
    return f"{one.get('node', '')}:{one['interface']}" if one.get("interface") else ""
