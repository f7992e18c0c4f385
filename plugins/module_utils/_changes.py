# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a run changes: one list that gives C(changed), the counts, the result and the diff.

The same list is computed in check mode and in a real run, so that both report the same.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

Action = t.Literal["create", "update", "recreate", "delete", "start", "restart", "stop", "run"]

UNMENDED = "mending it failed"
"""Why something is made anew that looks as it should, or that less would have been enough for."""

_EMPTY: tuple[t.Any, ...] = (None, "", [], {}, ())
_SIGNS: dict[str, str] = {"create": "+", "delete": "-"}


@dataclass(frozen=True)
class Change:
    """One object that is changed.

    kind: what the object is: C(bridge), C(port), C(tunnel), C(sandbox), C(container), C(file), C(exec), C(firewall),
        C(hosts), C(sysctl), C(dhcp), C(vm), C(disk), C(medium), C(state), C(lock); C(library), C(program), C(key) of the watcher.
    name: its name on the server.
    label: what a human calls it (C(router1:eth1), a link key), or empty.
    fields: field -> (have, want), for the fields that differ.
    reason: why, where the fields do not say it.
    """

    action: Action
    kind: str
    name: str
    label: str = ""
    fields: t.Mapping[str, tuple[t.Any, t.Any]] = field(default_factory=dict)
    reason: str = ""

    def to_dict(self) -> dict[str, t.Any]:
        return {
            "action": self.action,
            "kind": self.kind,
            "name": self.name,
            "label": self.label,
            "fields": {name: {"have": have, "want": want} for name, (have, want) in self.fields.items()},
            "reason": self.reason,
        }

    def to_line(self) -> str:
        """One line of the diff: C(~ port ap12 (r1:eth1): tag 112 -> 118)."""
        sign = _SIGNS.get(self.action, "~")
        words = f"{sign} {self.kind} {self.name}"
        if self.label:
            words += f" ({self.label})"
        if self.action not in ("create", "delete", "update"):
            words += f" {self.action}"
        details = [
            self._detail(name, have, want) for name, (have, want) in self.fields.items() if self.action != "create" or want not in _EMPTY
        ]
        if self.reason:
            details.append(self.reason)
        return f"{words}: {', '.join(details)}" if details else words

    def _detail(self, name: str, have: t.Any, want: t.Any) -> str:
        return f"{name} {shown(want)}" if self.action == "create" and have is None else f"{name} {shown(have)} -> {shown(want)}"


def shown(value: t.Any) -> str:
    """A value of a field as people read it."""
    if value in _EMPTY:
        return "(none)"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(str(one) for one in value) + "]"
    return str(value)


def differences(have: t.Mapping[str, t.Any], want: t.Mapping[str, t.Any]) -> dict[str, tuple[t.Any, t.Any]]:
    """The fields of C(want) that are another value in C(have), in the order of C(want)."""
    return {name: (have.get(name), value) for name, value in want.items() if have.get(name) != value}


def result_of(changes: t.Sequence[Change], *, diff: bool) -> dict[str, t.Any]:
    """The part of a module's result that every module returns: C(changed), C(plan), C(changes), and C(diff) if asked."""
    plan: dict[str, int] = {}
    for change in changes:
        plan[change.action] = plan.get(change.action, 0) + 1
    result: dict[str, t.Any] = {
        "changed": bool(changes),
        "plan": plan,
        "changes": [change.to_dict() for change in changes],
    }
    if diff:
        lines = "".join(change.to_line() + "\n" for change in changes)
        result["diff"] = {"prepared": lines} if lines else {"before": "", "after": ""}
    return result
