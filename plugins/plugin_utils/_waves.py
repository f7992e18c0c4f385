# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Starting a lab in waves: one call of M(archetype.lab.lab_converge) per wave on each server, taken together as if it had been one."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json


def after_wave(earlier: Json, later: Json) -> dict[str, t.Any]:
    """Two results of a server as one. The first call tells every change there will be, so that of the second only the others count."""
    known = {_object(change) for change in earlier.get("changes") or ()}
    changes = [*(earlier.get("changes") or ()), *(one for one in later.get("changes") or () if _object(one) not in known)]
    errors = [*(earlier.get("errors") or ()), *(later.get("errors") or _crash(later))]
    failed = {key: later[key] for key in ("msg", "unreachable") if later.get(key)}
    found = {
        **earlier,
        **failed,
        "changed": bool(changes),
        "changes": changes,
        "plan": dict(Counter(change["action"] for change in changes)),
        "containers": later.get("containers") or earlier.get("containers") or [],
        "vms": later.get("vms") or earlier.get("vms") or [],
        "waiting": later.get("waiting") or [],
        "coming": later.get("coming") or [],
        "unmet": {**(earlier.get("unmet") or {}), **(later.get("unmet") or {})},
    }
    if "unmet" not in earlier or "unmet" not in later:
        del found["unmet"]  # the nodes were not reached, so that nothing is known of any
    return {**found, "errors": errors} if errors else found


def unmet(results: Json, placement: t.Mapping[str, str]) -> dict[str, str]:
    """Nodes that others cannot go on waiting for -> why.

    results: server to what converging returned there. placement: node to server: of a server that failed as a whole, none of them counts.
    """
    found: dict[str, str] = {}
    for server, result in sorted(results.items()):
        found.update(result.get("unmet") or {})
        lost = ""
        if result.get("unreachable"):
            lost = "cannot be reached"
        elif "changes" not in result or (result.get("errors") and "unmet" not in result):
            lost = "failed"
        if lost:
            reason = f"is on server {server}, which {lost}"
            found.update({node: reason for node, home in sorted(placement.items()) if home == server and node not in found})
    return found


def _object(change: Json) -> tuple[str, str]:
    return str(change.get("kind")), str(change.get("name"))


def _crash(result: Json) -> list[dict[str, t.Any]]:
    """A call that did not come to an end has no list of errors, but a message."""
    if "changes" in result or not result.get("msg"):
        return []
    return [{"type": "LabError", "msg": str(result["msg"]), "hint": "", "objects": []}]
