# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What became of saving the configurations of a lab's nodes, for people."""

from __future__ import annotations

import typing as t


def savable(plan: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Each node whose configuration can be read -> its server."""
    return {one["node"]: server for server, part in plan["slices"].items() for one in part.get("access") or () if one.get("save")}


def unknown(plan: t.Mapping[str, t.Any], asked: t.Iterable[str]) -> list[str]:
    """What is wrong with the names of nodes that a user asked for."""
    known, nodes = savable(plan), plan["nodes"]
    return [
        f"{name}: its kind ({nodes[name]['kind']}) does not say how its configuration is read"
        if name in nodes
        else f"{name} is no node; those whose configuration can be read are {', '.join(sorted(known))}"
        for name in sorted(set(asked) - set(known))
    ]


def summary(plan: t.Mapping[str, t.Any], results: t.Mapping[str, t.Any], asked: t.Collection[str]) -> dict[str, t.Any]:
    """results: server -> what C(lab_config) returned there. C(saved), C(unchanged): names of nodes; C(failed): node -> reason; C(text)."""
    wanted = {node: server for node, server in savable(plan).items() if not asked or node in asked}
    found = {one["node"]: one for result in results.values() for one in (result or {}).get("configs") or ()}
    failed: dict[str, str] = {}
    saved: list[str] = []
    unchanged: list[str] = []
    for node, server in sorted(wanted.items()):
        one = found.get(node)
        if one is None:
            failed[node] = f"server {server}: {_why(results.get(server) or {})}"
        elif one.get("error"):
            failed[node] = f"{one['error']}; {one['hint']}" if one.get("hint") else one["error"]
        else:
            (saved if one.get("changed") else unchanged).append(node)
    without = [] if asked else sorted(set(plan["nodes"]) - set(wanted))
    return {"saved": saved, "unchanged": unchanged, "failed": failed, "without": without, "text": _text(saved, unchanged, failed, without)}


def _why(result: t.Mapping[str, t.Any]) -> str:
    return str(result.get("msg") or "it could not be asked").strip()


def _text(saved: t.Sequence[str], unchanged: t.Sequence[str], failed: t.Mapping[str, str], without: t.Sequence[str]) -> str:
    parts = [("saved", saved), ("unchanged", unchanged), ("failed", list(failed)), ("no way to read it", without)]
    return "; ".join(
        f"{word} {len(names)}" + (f" ({', '.join(names)})" if names else "") for word, names in parts if names or word == "saved"
    )
