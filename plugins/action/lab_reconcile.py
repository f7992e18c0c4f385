# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of M(archetype.lab.lab_reconcile): it tries again where a server was busy, and keeps secrets out of results and logs.

A run that was killed cannot give back its locks. Those of runs on this machine are given back here, as it is known that they have ended.
"""

from __future__ import annotations

import time
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._quiet import QuietAction
from ansible_collections.archetype.lab.plugins.plugin_utils._runs import has_ended

MODULE = "archetype.lab.lab_reconcile"
STATE = "archetype.lab.lab_state"
TRANSIENT = frozenset({"LockedError", "ReadError"})
"""What may be over in a moment: another process at work, and a daemon that is being restarted. Nothing was done before them."""


class ActionModule(QuietAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        result.update(self.mend(task_vars or {}))
        return result

    def mend(self, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """What the module returned, the last time that it was called."""
        args = dict(self._task.args)
        left, delay = _number(args.get("retries"), 3), _number(args.get("delay"), 2)
        while True:
            found = self._call(MODULE, args, variables)
            if not _transient(found) or left < 1:
                return self._with_holder(found, variables)
            left -= 1
            if not self._give_back(found, variables):
                time.sleep(delay)

    def _call(self, module: str, args: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        found: dict[str, t.Any] = plain(self.call(variables, module_name=module, module_args=args))
        return found

    def _holder(self, variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """Who has the lab's lock on the server."""
        return self._call(STATE, {"lab": self._task.args.get("lab")}, variables).get("lock") or {}

    def _with_holder(self, found: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        """What was returned, with who else works on the lab, where that is why nothing was done."""
        if not any(error.get("type") == "LockedError" for error in found.get("errors") or ()):
            return found
        holder = self._holder(variables)
        return {**found, "locked_by": {name: str(holder[name]) for name in ("owner", "since")}} if holder.get("owner") else found

    def _give_back(self, found: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> bool:
        """Whether the lab was locked by a run that has ended, and is so no more."""
        if not any(error["type"] == "LockedError" for error in found["errors"]):
            return False
        lab = {"lab": self._task.args.get("lab")}
        token = str(self._holder(variables).get("token") or "")
        return has_ended(token) and bool(self._call(STATE, {**lab, "release": token}, variables).get("released"))


def _transient(found: t.Mapping[str, t.Any]) -> bool:
    """Whether it failed for nothing but what may be over in a moment."""
    errors = found.get("errors") or ()
    return bool(found.get("failed") and errors) and not found.get("changes") and all(error.get("type") in TRANSIENT for error in errors)


def _number(value: t.Any, otherwise: int) -> int:
    """What is no number is refused by the module, which is given the same."""
    try:
        return otherwise if value is None else int(value)
    except (TypeError, ValueError):
        return 0
