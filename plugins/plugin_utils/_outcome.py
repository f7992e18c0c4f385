# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the results of one server say, in words that a report can use.

Results come as Ansible registers them, with and without C(failed_when: false): so whether something failed is told by what is in a
result (C(changes), C(frames)), never by its C(failed).
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import said_of
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json


class Outcome:
    """One server after a run.

    unreachable: why it could not be reached. broken: why converging stopped before anything was done. busy: who else works on the lab.
    untold: what is declared here is not known, where that has to come from the server. errors: message -> its objects.
    told: what was done, or in check mode would be. changes: the same by object. certified: what it saw of the frames, or None.
    cut_short: converging ended before it looked at the nodes, so that nothing is known of them.
    machines: domain -> what is known of it. starts: container or domain -> when it was started.
    readiness: node -> how ready it was found to be, None where nobody looked. unwatched: why nobody could.
    """

    def __init__(self, plan: Json, server: str, results: Json) -> None:
        self.server = server
        self.bridge = str(plan["bridge"]["name"])
        converge, certify, info, ready = (_given(results.get(stage)) for stage in ("converge", "certify", "info", "ready"))
        self.unreachable = _unreachable(results.get("unreachable"), converge, certify, info, ready)
        self.converged = converge is not None and "changes" in converge
        self.errors = [] if converge is None else _errors(converge)
        self.untold = server in (plan.get("untold") or ())
        self.busy = _busy(converge) if self.untold else ""
        self.broken = "; ".join(message for message, _objects in self.errors) if converge is not None and not self.converged else ""
        self.told: list[Json] = list((converge or {}).get("changes") or ())
        self.changes = _changes(converge or {})
        self.certified = certify if certify is not None and "frames" in certify else None
        self.certify_error = "" if certify is None or self.certified is not None else _message(certify)
        # A node that was to end by itself, and did, is as it is to be.
        self.statuses = {
            one["name"]: "running" if one.get("done") else str(one["status"])
            for one in (converge or {}).get("containers") or ()
            if one.get("status")
        }
        self.info = None if converge is not None or info is None else info.get("observed", info)
        self.seen = None if info is None else info.get("observed", info)
        """What was observed before anything was done, or foretold."""
        self.seen_machines = {str(one["name"]): str(one.get("status")) for one in (self.seen or {}).get("vms") or () if one.get("name")}
        seen = converge or self.info or {}
        self.machines: dict[str, Json] = {str(one["name"]): one for one in seen.get("vms") or () if one.get("name")}
        self.statuses.update({name: str(one["status"]) for name, one in self.machines.items() if one.get("status")})
        self.starts = {
            str(one["name"]): str(one.get("started_at") or "") for layer in ("containers", "vms") for one in seen.get(layer) or ()
        }
        self.readiness: dict[str, Json] | None = None
        if ready is not None and "nodes" in ready:
            self.readiness = {str(one["node"]): one for one in ready["nodes"]}
        self.unwatched = "" if ready is None or self.readiness is not None else _message(ready)
        self.cut_short = self.converged and bool(self.errors) and "containers" not in (converge or {})

    @property
    def silent(self) -> bool:
        """Nothing was done here and nothing is known."""
        return not (self.unreachable or self.broken or self.converged or self.certified or self.certify_error or self.info)

    def down(self) -> str:
        """Why nothing on this server can be relied upon, or nothing."""
        if self.unreachable:
            return f"server {self.server} is unreachable"
        if self.broken and self.untold:  # the reason is told once, of the server
            return f"{self.server} could not tell"
        return f"{self.server}: {self.broken}" if self.broken else ""

    def errors_of(self, names: t.Collection[str]) -> list[str]:
        """The errors that concern one of these objects, and those that concern all: of the bridge, or of no object."""
        return [message for message, objects in self.errors if not objects or self.bridge in objects or not objects.isdisjoint(names)]

    def errors_beside(self, names: t.Collection[str]) -> list[str]:
        """The errors that concern none of these objects."""
        return [message for message, objects in self.errors if objects.isdisjoint(names)]

    def changes_of(self, names: t.Iterable[str]) -> list[Json]:
        return [change for name in sorted(names) for change in self.changes.get(name, ())]


def _given(result: t.Any) -> Json | None:
    """A result that a task really gave: not one of a task that was skipped."""
    return result if isinstance(result, dict) and result and not result.get("skipped") else None


def _unreachable(said: t.Any, *results: Json | None) -> str:
    found = next((result for result in results if result and result.get("unreachable")), None)
    message = said if isinstance(said, str) else str(found.get("msg") or "") if found else ""
    return " ".join(message.removeprefix("Task failed: ").split()) or ("no answer" if said or found else "")


def _busy(converge: Json | None) -> str:
    """By whom and since when the lab is being worked on, so that nothing could be done here; empty where nobody is."""
    locked = [one for one in (converge or {}).get("errors") or () if one.get("type") == "LockedError"]
    if not locked or "changes" in (converge or {}):
        return ""
    held = (converge or {}).get("locked_by") or {}
    return f"by {held['owner']} since {held['since']}" if held.get("owner") else str(locked[0].get("msg") or "by another run")


def _message(result: Json) -> str:
    return " ".join((said_of(result) or "no result").split())


def _errors(result: Json) -> list[tuple[str, frozenset[str]]]:
    errors = []
    for error in result.get("errors") or ():
        message = "; ".join(part for part in (str(error.get("msg") or ""), str(error.get("hint") or "")) if part)
        errors.append((" ".join(message.split()), frozenset(str(one) for one in error.get("objects") or ())))
    if not errors and "changes" not in result:
        errors.append((_message(result), frozenset()))
    return errors


def _changes(result: Json) -> dict[str, list[Json]]:
    changes: dict[str, list[Json]] = {}
    for change in result.get("changes") or ():
        for name in {str(change.get("name") or ""), str(change.get("label") or "")} - {""}:
            changes.setdefault(name, []).append(change)
    return changes


def describe_change(change: Json) -> str:
    """One difference: C(port ap5x2m: tag 118 instead of 112)."""
    name = f"{change.get('kind')} {change.get('name')}"
    if change.get("action") == "create":
        return f"{name} is missing"
    if change.get("action") == "delete":
        return f"{name} is not wanted"
    if change.get("action") == "start" and not change.get("reason"):
        return f"{name} is not running"
    details = [differs(str(field), one.get("have"), one.get("want")) for field, one in (change.get("fields") or {}).items()]
    if change.get("reason"):
        details.append(str(change["reason"]))
    return f"{name}: {', '.join(details)}" if details else f"{name} needs {change.get('action')}"


def differs(field: str, have: t.Any, want: t.Any) -> str:
    """One field: C(tag 118 instead of 112), C(down instead of up)."""
    if field in ("up", "enabled") and isinstance(want, bool):
        return f"{'up' if have else 'down'} instead of {'up' if want else 'down'}"
    return f"{field} {_shown(have)} instead of {_shown(want)}"


def _shown(value: t.Any) -> str:
    """As people write it, and not as Python does."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(_shown(one) for one in value) or "none"
    return "none" if value in (None, "") else str(value)


def joined(reasons: t.Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
