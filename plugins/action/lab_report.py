# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of M(archetype.lab.lab_report): it only looks at what the servers returned."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.archetype.lab.plugins.plugin_utils._from_slices import as_converged, plan_of
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import holds_lock, render_lock
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain, said_of
from ansible_collections.archetype.lab.plugins.plugin_utils._report import failed_links, make_report
from ansible_collections.archetype.lab.plugins.plugin_utils._table import render_report

_SPEC: dict[str, dict[str, t.Any]] = {
    "plan": {"type": "dict"},
    "lab": {"type": "str"},
    "reconciliation": {"type": "str", "default": "lab_reconciliation"},
    "observation": {"type": "str", "default": "lab_observation"},
    "convergence": {"type": "list", "elements": "str", "default": ["lab_convergence", "lab_taking_back"]},
    "certification": {"type": "list", "elements": "str", "default": ["lab_listening", "lab_sending", "lab_certification"]},
    "readiness": {"type": "str", "default": "lab_readiness"},
    "hold": {"type": "list", "elements": "str"},
    "journal": {"type": "int"},
    "patient": {"type": "bool", "default": False},
    "show": {"type": "bool", "default": True},
    "fail": {"type": "bool", "default": True},
}

STATS = "archetype_lab_report"
UNDECLARED = "UndeclaredError"
_MOST = 20
"""Lines of a failure; the table has them all."""


class ActionModule(ActionBase):  # type: ignore[misc]
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _valid, args = self.validate_argument_spec(argument_spec=_SPEC, required_one_of=[["plan", "lab"]])
        variables = task_vars or {}
        plan = plain(args["plan"]) if args["plan"] else _plan_kept(args, variables)
        if not plan["slices"]:
            what = f"no server keeps anything as declared for lab {plan['lab']}; correct the name (-e lab=NAME), or deploy the lab"
            return {**result, "failed": True, "msg": what}
        results = {server: _results_of(server, args, variables) for server in plan["slices"]}
        predicted = any((one.get("converge") or {}).get("predicted") for one in results.values())
        report = make_report(
            plan,
            results,
            predicted=predicted or (self._task.check_mode and not args["plan"]),
            patient=args["patient"],
            hold=args["hold"],
            at=datetime.now(tz=timezone.utc).isoformat(timespec="seconds"),
            journal=args["journal"],
        )
        table = render_report(report)
        if args["show"]:
            Display().display(table)
            # What set_stats does: workflows of AWX hand it on to what they run next.
            result["ansible_stats"] = {"data": {STATS: report}, "per_host": False, "aggregate": False}
        result.update(changed=False, report=report, table=table, take_back=failed_links(plan, results), lock="", lock_changed=False)
        if args["plan"]:
            result["lock"] = render_lock(plan)
            result["lock_changed"] = not holds_lock(plan["lock_file"], result["lock"])
        result["complaint"] = "" if report["ok"] else _complaint(report)
        if args["fail"] and not report["ok"] and not self._task.check_mode:
            result.update(failed=True, msg=result["complaint"])
        return result


def _plan_kept(args: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """A plan of what servers keep as declared. A server that answered, and keeps nothing, has no part in the lab."""
    slices: dict[str, dict[str, t.Any] | None] = {}
    for server in task_vars.get("ansible_play_hosts_all") or ():
        found = _ran(task_vars["hostvars"].get(server, {}).get(args["reconciliation"]))
        if found and found.get("declared"):
            slices[str(server)] = found["declared"]
        elif found and not any(error.get("type") == UNDECLARED for error in found.get("errors") or ()):
            slices[str(server)] = None
    return plan_of(str(args["lab"]), slices)


def _results_of(server: str, args: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What the modules returned for a server, in the shape that the report wants."""
    registered = task_vars["hostvars"].get(server, {})
    found: dict[str, t.Any] = {}
    info = _ran(registered.get(args["observation"]))
    reconciled = _ran(registered.get(args["reconciliation"]))
    runs = [one for one in (_ran(registered.get(name)) for name in args["convergence"]) if one]
    steps = [one for one in (_ran(registered.get(name)) for name in args["certification"]) if one]
    # A step that fails is why those after it have nothing to show.
    certify = next((one for one in steps if said_of(one)), steps[-1] if steps else None)
    ready = _ran(registered.get(args["readiness"]))
    if reconciled and not any("changes" in one for one in runs):  # where planning was refused, what could be compared counts
        runs = [{**as_converged(reconciled), **({"predicted": True} if runs else {})}]
    for one in (info, *runs, certify, ready):
        if one and one.get("unreachable"):
            found["unreachable"] = str(one.get("msg") or "it cannot be reached")
    if runs:
        later = [error for one in runs[1:] for error in one.get("errors") or ()]
        found["converge"] = {**runs[0], "errors": [*(runs[0].get("errors") or ()), *later]}
    if certify:
        found["certify"] = certify
    if ready:
        found["ready"] = ready
    if reconciled:
        found["reconcile"] = reconciled
    observed = (info or {}).get("observed") or {}
    watched = {name: one.get(name) for one in (observed, reconciled or {}) for name in ("watcher", "reconciler") if one.get(name)}
    if watched:
        found["watch"] = watched
    if info:
        found["info"] = info.get("observed")
    return found


def _ran(value: t.Any) -> dict[str, t.Any] | None:
    """A registered result, or None where the task was skipped or never came to run."""
    result = plain(value) if value is not None else None
    return None if not isinstance(result, dict) or result.get("skipped") else result


def _complaint(report: t.Mapping[str, t.Any]) -> str:
    if report["busy"]:
        return f"lab {report['lab']} is being worked on {report['busy']}; wait until that run has ended"
    wrong = [f"server {name}: {one['reason']}" for name, one in report["servers"].items() if one["state"] != "ok"]
    wrong += [f"link {one['key']}: {one['reason']}" for one in report["links"] if one["state"] == "error"]
    down = [one for one in report["nodes"] if one["state"] == "error" or (one["state"] == "stopped" and one["name"] not in report["held"])]
    wrong += [f"node {one['name']}: {one['reason']}" for one in down]
    if any(one["word"] for one in report["links"]):
        wrong += [f"orphan on {one['server']}: {one['name']} ({one['detail'] or one['kind']})" for one in report["orphans"]]
    more = len(wrong) - _MOST
    listed = [*wrong[:_MOST], f"and {more} more, which are in the table"] if more > 0 else wrong
    return f"lab {report['lab']} is not as declared:\n" + "\n".join(listed)
