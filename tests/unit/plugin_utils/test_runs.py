# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run has ended is told of runs on this machine only, and by more than the number of its process."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils import _runs


def token_of(process: int, began: str | None = None) -> str:
    return f"0@{_runs._machine()}/{process}/{_runs._began(process) if began is None else began}"


def test_this_run_has_not_ended() -> None:
    run = _runs.this_run()
    assert not _runs.has_ended(run["token"])
    assert run["owner"].endswith(f"process {os.getpid()}")


def test_every_run_has_a_token_of_its_own() -> None:
    assert _runs.this_run()["token"] != _runs.this_run()["token"]


def test_a_worker_names_the_process_that_started_it() -> None:
    """Ansible runs tasks in workers; each ends with its task, and the run does not."""
    context = multiprocessing.get_context("fork")
    told: Any = context.Queue()
    worker = context.Process(target=lambda: told.put(_runs.this_run()))
    worker.start()
    run = told.get(timeout=10)
    worker.join()
    assert not _runs.has_ended(run["token"])


def test_a_run_has_ended_when_its_process_is_gone_or_another_has_its_number() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    token = token_of(process.pid)
    assert not _runs.has_ended(token)
    assert _runs.has_ended(token_of(process.pid, "1"))
    process.kill()
    while _runs._state(process.pid) != "Z":
        pass
    assert _runs.has_ended(token)  # even while nobody has asked for its exit code
    process.wait()
    assert _runs.has_ended(token)


def test_a_process_that_is_hidden_from_this_user_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc hides the processes of others, when one began cannot be read; that is not another beginning."""
    token = token_of(os.getpid())
    monkeypatch.setattr(_runs, "_stat", lambda _process: [])
    assert not _runs.has_ended(token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "anything",
        "0@another-machine/1/1",
        f"0@{_runs._machine()}/x/1",
        f"0@{_runs._machine()}/1",
    ],
)
def test_nothing_is_assumed_of_what_is_not_known(token: str) -> None:
    assert not _runs.has_ended(token)
