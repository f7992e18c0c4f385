# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a server is asked again, and when not. What modules really answer is in tests/integration."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.action import lab_reconcile
from ansible_collections.archetype.lab.plugins.plugin_utils._runs import this_run

BUSY = {"failed": True, "msg": "busy", "errors": [{"type": "LockedError", "msg": "busy", "hint": "", "objects": ["x"]}]}
UNREAD = {"failed": True, "msg": "ovs", "errors": [{"type": "ReadError", "msg": "ovs", "hint": "", "objects": []}], "changes": []}
BROKEN = {"failed": True, "msg": "no", "errors": [{"type": "ApplyError", "msg": "no", "hint": "", "objects": []}]}
HALF = {**UNREAD, "changes": [{"action": "update"}]}
GOOD = {"changed": False, "changes": [], "invocation": {"module_args": {"declared": "secret"}}}


class Played:
    """Modules that answer one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: dict[str, Any], lock: dict[str, str] | None = None) -> None:
        self.answers = list(answers)
        self.lock = lock
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.slept: list[float] = []
        self.syslog: set[Any] = set()
        monkeypatch.setattr(time, "sleep", self.slept.append)

    def call(self, *, module_name: str, module_args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((module_name.rpartition(".")[2], dict(module_args)))
        self.syslog.add(task_vars["ansible_no_target_syslog"])
        if module_name.endswith("lab_state"):
            mine = self.lock is not None and module_args.get("release") == self.lock["token"]
            held, self.lock = self.lock, None if mine else self.lock
            return {"changed": False, "lock": None if mine else held, "released": mine}
        return dict(self.answers.pop(0))

    def run(self, **args: Any) -> dict[str, Any]:
        class Task:
            async_val = 0

            def __init__(self) -> None:
                self.args = {"lab": "x", **args}

        plugin = lab_reconcile.ActionModule.__new__(lab_reconcile.ActionModule)
        plugin._task = Task()
        plugin._execute_module = self.call
        found: dict[str, Any] = plugin.mend({})
        return found


@pytest.mark.parametrize("answer", [BUSY, UNREAD])
def test_what_may_be_over_in_a_moment_is_tried_again(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
    played = Played(monkeypatch, answer, answer, GOOD)
    assert played.run() == {"changed": False, "changes": []}
    assert played.slept == [2, 2]
    assert played.syslog == {True}


@pytest.mark.parametrize("answer", [BROKEN, HALF], ids=["a change failed", "something was done"])
def test_what_failed_for_good_is_not(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]) -> None:
    played = Played(monkeypatch, answer)
    assert played.run()["failed"]
    assert not played.slept


def test_tries_and_pauses_are_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, *[UNREAD] * 3)
    assert played.run(retries="2", delay=7)["msg"] == "ovs"
    assert played.slept == [7, 7]
    assert not Played(monkeypatch, UNREAD).run(retries=0).get("changed")


def test_a_lock_of_a_run_that_has_ended_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "import os; os.environ['X'] = '1'\n"
        "from ansible_collections.archetype.lab.plugins.plugin_utils._runs import this_run\nprint(this_run()['token'])"
    )
    path = os.pathsep.join(one for one in sys.path if one)
    ended = subprocess.run(
        [sys.executable, "-c", source], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    token = ended.stdout.strip()
    played = Played(monkeypatch, BUSY, GOOD, lock={"token": token})
    assert "failed" not in played.run()
    assert [("lab_state", {"lab": "x"}), ("lab_state", {"lab": "x", "release": token})] == [
        one for one in played.asked if one[0] == "lab_state"
    ]
    assert not played.slept


def test_the_lock_of_a_run_that_goes_on_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, BUSY, BUSY, lock={"token": this_run()["token"]})
    assert played.run(retries=1)["failed"]
    assert played.lock is not None
    assert played.slept == [2]


def test_who_works_on_the_lab_is_told_with_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = {"token": this_run()["token"], "owner": "root on vm", "since": "2026-11-21T11:00:00+00:00", "lab": "x"}
    found = Played(monkeypatch, BUSY, lock=lock).run(retries=0)
    assert found["locked_by"] == {"owner": "root on vm", "since": "2026-11-21T11:00:00+00:00"}
    assert "locked_by" not in Played(monkeypatch, BUSY).run(retries=0), "it was given back meanwhile"
