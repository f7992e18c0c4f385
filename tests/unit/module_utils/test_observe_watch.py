# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server says of how it keeps a lab as declared: from files as passes and watchers leave them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import (
    _installed,
    _journal,
    _observe_watch,
    _run_files,
    _running,
    _server,
    _standing,
    _state,
)

KEY = "a:eth1--b:eth1"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(_journal, "JOURNAL_DIR", str(tmp_path / "log"))
    monkeypatch.setattr(_installed, "LIBRARY", str(tmp_path / "lib"))
    monkeypatch.setattr(_installed, "PROGRAM", str(tmp_path / "archetype-lab-watch"))
    return tmp_path


def test_where_nothing_ever_was_there_is_nothing_to_tell(places: Path) -> None:
    assert _observe_watch.read("demo", 5) == {
        "watcher": {"state": "absent", "pid": None, "since": "", "version": ""},
        "reconciler": {"report": None, "held": [], "journal": []},
    }
    assert not (places / "run").exists()


def test_a_watcher_that_is_installed_and_does_not_run_is_stopped(places: Path) -> None:
    (places / "archetype-lab-watch").touch()
    (places / "lib" / "0123456789abcdef-1").mkdir(parents=True)
    (places / "lib" / "current").symlink_to("0123456789abcdef-1")
    assert _observe_watch.watcher() == {"state": "stopped", "pid": None, "since": "", "version": "0123456789abcdef"}


def test_a_watcher_that_runs_is_known_by_its_lock_whoever_started_it(places: Path) -> None:
    Path(_running.lock_path()).parent.mkdir(parents=True)
    with open(_running.lock_path(), "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = _observe_watch.watcher()
    assert (found["state"], found["pid"]) == ("running", os.getpid())
    assert found["since"].startswith("20")
    assert _observe_watch.watcher()["state"] == "absent"


def test_the_last_pass_is_told_with_links_as_they_stand_now() -> None:
    links = [
        {"key": KEY, "word": "in sync", "detail": "", "state": "pending", "reason": "mended", "since": "", "proven": {"by": "", "at": ""}}
    ]
    _run_files.write(
        "demo", "report.json", {"lab": "demo", "at": "now", "links": links, "changes": [{"action": "update"}], "plan": {"update": 1}}
    )
    _standing.prove("demo", {KEY: (True, "frames", "")}, 1_800_000_000.0)
    report = _observe_watch.read("demo", 0)["reconciler"]["report"]
    (one,) = report["links"]
    assert (one["word"], one["state"], one["proven"]["by"]) == ("in sync", "up", "frames")
    assert (report["plan"], "changes" in report) == ({"update": 1}, False)


def test_holds_and_the_end_of_the_journal_are_told(places: Path) -> None:
    _state.save("demo", {"lab": "demo", "hold": [KEY]})
    for number in range(4):
        _journal.write("demo", {"server": "srv1", "ms": number})
    found = _observe_watch.read("demo", 2)["reconciler"]
    assert found["held"] == [KEY]
    assert [one["ms"] for one in found["journal"]] == [2, 3]
    (places / "state" / "demo.json").write_text("{", encoding="utf-8")
    assert _observe_watch.read("demo", 2)["reconciler"]["held"] == []
