# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of M(archetype.lab.lab_ready): it looks again and again in short calls, and tells between them who is waited for.

It keeps passwords out of results and logs."""

from __future__ import annotations

import math
import time
import typing as t

from ansible.utils.display import Display

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._progress import Progress, pending
from ansible_collections.archetype.lab.plugins.plugin_utils._quiet import QuietAction

MODULE = "archetype.lab.lab_ready"
FIRST = 3.0
"""Seconds of the first call. What is ready by then is not worth a word."""
STEP = 10.0
"""Seconds of each later one, and so between two words."""


class ActionModule(QuietAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        progress = Progress(str(variables.get("inventory_hostname") or "this server"))
        left, step = _seconds(self._task.args.get("wait")), FIRST
        calls: list[dict[str, t.Any]] = []
        while True:
            begun = time.monotonic()
            calls.append(self._look(min(step, left), variables))
            left -= time.monotonic() - begun
            nodes = calls[-1].get("nodes") or []
            if left <= 0 or not pending(nodes):
                break
            words = progress.words(nodes, time.monotonic())
            if words:
                Display().display(words)
            step = STEP
        result.update(calls[-1])
        result.update(_together(calls))
        return result

    def _look(self, wait: float, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """One call of the module; what it takes is checked there, and so is a C(wait) that is no number."""
        args = {**self._task.args, **({} if math.isnan(wait) else {"wait": math.ceil(wait)})}
        found: dict[str, t.Any] = plain(self.call(variables, module_name=MODULE, module_args=args))
        return found


def _seconds(wait: t.Any) -> float:
    """How long to wait in all; not a number where it is none."""
    try:
        seconds = int(wait or 0)
    except (TypeError, ValueError):
        return math.nan
    return math.inf if seconds < 0 else float(seconds)


def _together(calls: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    """What all calls changed. Where the last one failed, what was changed before is not forgotten."""
    changes = [change for call in calls for change in call.get("changes") or ()]
    if not changes:
        return {}
    plan: dict[str, int] = {}
    for change in changes:
        plan[change["action"]] = plan.get(change["action"], 0) + 1
    lines = "".join((call.get("diff") or {}).get("prepared") or "" for call in calls)
    return {"changed": True, "changes": changes, "plan": plan, **({"diff": {"prepared": lines}} if lines else {})}
