# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several calls on a server are told as one, and what failed anywhere keeps the next wave from starting."""

from __future__ import annotations

from typing import Any

from ansible_collections.archetype.lab.plugins.plugin_utils._outcome import Outcome
from ansible_collections.archetype.lab.plugins.plugin_utils._waves import after_wave, unmet


def change(action: str, name: str, kind: str = "container") -> dict[str, Any]:
    return {"action": action, "kind": kind, "name": name, "label": "", "fields": {}, "reason": ""}


FIRST: dict[str, Any] = {
    "changed": True, "kept": False, "changes": [change("create", "a"), change("recreate", "b")], "plan": {"create": 1, "recreate": 1},
    "containers": [{"name": "b", "status": "absent"}], "waiting": ["b"], "unmet": {}, "ports": ["p"],
}  # fmt: skip


def test_a_change_is_told_once_as_the_first_call_foresaw_it() -> None:
    later = {
        "changed": True, "changes": [change("create", "b"), change("run", "b", "exec")], "containers": [{"name": "b", "status": "running"}],
        "waiting": [], "unmet": {}, "ports": [],
    }  # fmt: skip
    found = after_wave(FIRST, later)
    assert [(one["action"], one["kind"], one["name"]) for one in found["changes"]] == [
        ("create", "container", "a"),
        ("recreate", "container", "b"),
        ("run", "exec", "b"),
    ]
    assert found["plan"] == {"create": 1, "recreate": 1, "run": 1}
    assert (found["containers"], found["waiting"], found["ports"]) == (later["containers"], [], ["p"])
    assert "errors" not in found


def test_nothing_changed_stays_nothing_changed() -> None:
    quiet = {"changed": False, "changes": [], "plan": {}, "waiting": ["b"], "unmet": {}, "containers": [], "kept": True}
    found = after_wave(quiet, {**quiet, "waiting": []})
    assert (found["changed"], found["kept"], found["waiting"]) == (False, True, [])


def test_errors_of_all_waves_are_kept_and_so_is_a_call_that_crashed_or_did_not_arrive() -> None:
    wrong = {**FIRST, "errors": [{"msg": "one"}], "unmet": {"a": "failed"}}
    later = {"changes": [], "errors": [{"msg": "two"}], "waiting": [], "unmet": {"b": "failed"}}
    assert [one["msg"] for one in after_wave(wrong, later)["errors"]] == ["one", "two"]
    assert after_wave(wrong, later)["unmet"] == {"a": "failed", "b": "failed"}
    assert [one["msg"] for one in after_wave(FIRST, {"msg": "no library"})["errors"]] == ["no library"]
    lost = after_wave(FIRST, {"unreachable": True, "msg": "no route"})
    assert (lost["unreachable"], lost["msg"], lost["waiting"]) == (True, "no route", [])
    assert unmet({"s1": after_wave(wrong, {"msg": "no library"})}, {"c": "s1", "d": "s2"}) == {"c": "is on server s1, which failed"}


def test_nodes_that_are_not_as_they_must_be_are_told_for_every_server_with_the_reason() -> None:
    results = {
        "s1": {"changes": [], "unmet": {"a": "is not healthy"}, "errors": [{"msg": "x"}]},
        "s2": {"changes": [], "unmet": {}},
        "s3": {"unreachable": True, "msg": "no route"},
        "s4": {"msg": "crash"},
        "s5": {"changes": [], "errors": [{"msg": "the bridge"}]},
    }
    assert unmet(results, {"a": "s1", "b": "s1", "c": "s2", "d": "s3", "e": "s4", "f": "s5", "g": "s5"}) == {
        "a": "is not healthy",
        "d": "is on server s3, which cannot be reached",
        "e": "is on server s4, which failed",
        "f": "is on server s5, which failed",
        "g": "is on server s5, which failed",
    }
    assert unmet({"s2": results["s2"]}, {"c": "s2"}) == {}
    of_a_wire = {"changes": [], "unmet": {}, "errors": [{"msg": "a tunnel"}]}
    assert unmet({"s2": of_a_wire}, {"c": "s2"}) == {}


def test_a_node_that_was_to_end_and_did_is_as_it_is_to_be() -> None:
    containers = [{"name": "a", "status": "exited", "done": True}, {"name": "b", "status": "exited", "done": False}]
    seen = Outcome({"bridge": {"name": "br"}}, "s1", {"converge": {"changes": [], "containers": containers}})
    assert seen.statuses == {"a": "running", "b": "exited"}
