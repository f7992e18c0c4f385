# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import errno
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _lock, _server
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, LockedError, ReadError

START = 1_800_000_000.0


@pytest.fixture(autouse=True)
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


def test_the_second_run_is_told_who_holds_the_lock_since_when_and_how_to_break_it(run_dir: Path) -> None:
    _lock.acquire("demo", "ann@host 12", "one", now=START)
    with pytest.raises(LockedError) as caught:
        _lock.acquire("demo", "bob@host 13", "two", now=START + 60)
    assert str(caught.value) == (
        "lab demo is locked on this server by ann@host 12, who works on it since 2027-01-15T08:00:00+00:00; wait until that run has ended; "
        f"if it is dead, remove {run_dir}/labs/demo/lock.json on the server (it counts no more from 2027-01-15T08:30:00+00:00)"
    )
    assert caught.value.objects == ("demo",)


def test_the_same_run_refreshes_its_lock_and_keeps_its_beginning() -> None:
    _lock.acquire("demo", "ann", "one", now=START)
    assert _lock.acquire("demo", "ann", "one", now=START + 1700) is None
    held = _lock.current("demo", now=START + 3000)
    assert held is not None
    assert held.to_dict().items() >= {"owner": "ann", "lab": "demo", "since": "2027-01-15T08:00:00+00:00"}.items()


def test_a_stale_lock_is_taken_over_and_told() -> None:
    _lock.acquire("demo", "ann", "one", now=START)
    assert _lock.current("demo", now=START + 1800) is None
    taken = _lock.acquire("demo", "bob", "two", now=START + 1800)
    assert taken is not None
    assert taken.owner == "ann"
    held = _lock.current("demo", now=START + 1801)
    assert held is not None
    assert held.owner == "bob"


def test_a_lock_from_a_clock_that_ran_far_ahead_is_stale() -> None:
    _lock.acquire("demo", "ann", "one", now=START + 100_000)
    assert _lock.current("demo", now=START) is None


def test_only_the_run_that_has_the_lock_gives_it_back(run_dir: Path) -> None:
    assert not _lock.release("demo", "one")
    assert not run_dir.exists()
    _lock.acquire("demo", "ann", "one")
    assert not _lock.release("demo", "two")
    assert _lock.current("demo") is not None
    assert _lock.release("demo", "one")
    assert _lock.current("demo") is None
    _lock.acquire("demo", "bob", "two")


def test_runs_without_a_token_are_told_apart_by_owner_and_lab() -> None:
    _lock.acquire("demo", "ann", "")
    assert _lock.acquire("demo", "ann", "") is None
    with pytest.raises(LockedError):
        _lock.acquire("demo", "bob", "")


def test_of_many_at_once_exactly_one_gets_it() -> None:
    def take(number: int) -> bool:
        try:
            _lock.acquire("demo", f"run {number}", str(number))
        except LockedError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(64))) == 1


def test_the_file_is_for_root_only(run_dir: Path) -> None:
    _lock.acquire("demo", "ann", "one")
    assert (run_dir / "labs" / "demo" / "lock.json").stat().st_mode & 0o777 == 0o600
    assert {one.stat().st_mode & 0o777 for one in (run_dir, run_dir / "labs", run_dir / "labs" / "demo")} == {0o700}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"owner": "x"}'])
def test_a_lock_that_cannot_be_read_is_not_a_lock_that_is_free(run_dir: Path, text: str) -> None:
    (run_dir / "labs" / "demo").mkdir(parents=True)
    (run_dir / "labs" / "demo" / "lock.json").write_text(text)
    with pytest.raises(ReadError, match="lock\\.json is not a lock"):
        _lock.acquire("demo", "ann", "one")
    for ask in (_lock.current, _lock.held, lambda lab: _lock.refuse_if_held(lab, "one"), lambda lab: _lock.release(lab, "one")):
        with pytest.raises(ReadError, match="remove it on the server if no run is under way"):
            ask("demo")


def test_the_lock_of_a_run_that_is_known_to_have_ended_is_taken_over_and_no_other() -> None:
    _lock.acquire("demo", "ann", "one", now=START)
    with pytest.raises(LockedError):
        _lock.acquire("demo", "bob", "two", ended="zero", now=START + 1)
    _lock.acquire("demo", "bob", "two", ended="one", now=START + 1)
    held = _lock.current("demo", now=START + 2)
    assert held is not None
    assert (held.owner, held.token) == ("bob", "two")


def test_a_lock_without_a_token_is_not_taken_over_by_saying_nothing() -> None:
    _lock.acquire("demo", "ann", "", now=START)
    with pytest.raises(LockedError):
        _lock.acquire("demo", "bob", "two", ended="", now=START + 1)


def test_one_process_at_a_time_works_and_the_next_waits_for_it() -> None:
    order: list[str] = []
    with ThreadPoolExecutor() as pool, _lock.at_work("demo"):

        def follow() -> None:
            with _lock.at_work("demo"):
                order.append("second")

        second = pool.submit(follow)
        time.sleep(0.2)
        order.append("first")
    second.result(timeout=5)
    assert order == ["first", "second"]


def test_waiting_for_another_process_ends() -> None:
    who = f"process {os.getpid()}, which works on lab demo, still is at work .* end that process on the server"
    with _lock.at_work("demo"), pytest.raises(LockedError, match=who), _lock.at_work("other", patience=0.1):
        pytest.fail("two at once")
    with _lock.at_work("demo", patience=0.1):
        pass


def test_who_worked_before_is_not_named(run_dir: Path) -> None:
    with pytest.raises(ZeroDivisionError), _lock.at_work("demo"):
        raise ZeroDivisionError
    assert (run_dir / "work").read_text() == ""


def test_labs_are_locked_beside_each_other() -> None:
    _lock.acquire("demo", "ann", "one")
    _lock.acquire("other", "bob", "two")
    assert not _lock.release("demo", "two")
    assert _lock.release("other", "two")
    assert (_lock.held("demo"), _lock.held("other")) == (True, False)


@pytest.mark.parametrize("lab", ["", "..", "a/b", "/etc"])
def test_a_name_that_leads_elsewhere_is_no_lab(run_dir: Path, lab: str) -> None:
    with pytest.raises(LabError, match="is not a name for a lab"):
        _lock.acquire(lab, "ann", "one")
    assert not list(run_dir.glob("**/*.json"))


def test_a_lab_is_held_while_its_run_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _lock.held("demo")
    _lock.acquire("demo", "ann", "one")
    assert _lock.held("demo")
    later = time.time() + _lock.SILENT
    monkeypatch.setattr(time, "time", lambda: later)
    assert not _lock.held("demo")
    _lock.acquire("demo", "ann", "one")  # it only took long
    assert _lock.held("demo")


def test_a_run_that_has_been_silent_keeps_other_runs_off_and_not_the_watcher() -> None:
    _lock.acquire("demo", "ann", "one", now=START)
    late = START + _lock.SILENT
    with pytest.raises(LockedError):
        _lock.refuse_if_held("demo", "", now=late)
    with pytest.raises(LockedError):
        _lock.acquire("demo", "bob", "two", now=late)
    with pytest.raises(LockedError):
        _lock.refuse_if_held("demo", "", watching=True, now=late - 1)
    _lock.refuse_if_held("demo", "", watching=True, now=late)


def test_who_works_between_runs_is_refused_while_another_run_has_the_lock_and_takes_none(run_dir: Path) -> None:
    _lock.refuse_if_held("demo", "")
    assert not run_dir.exists()
    _lock.acquire("demo", "ann", "one", now=START)
    for token in ("two", ""):
        with pytest.raises(LockedError, match="locked on this server by ann"):
            _lock.refuse_if_held("demo", token, now=START + 1)
    _lock.refuse_if_held("demo", "one", now=START + 1)
    _lock.refuse_if_held("other", "two", now=START + 1)
    _lock.refuse_if_held("demo", "two", now=START + _lock.EXPIRES)
    _lock.release("demo", "one")
    _lock.acquire("demo", "ann", "", now=START)
    with pytest.raises(LockedError):
        _lock.refuse_if_held("demo", "", now=START + 1)


def test_a_lab_that_is_gone_leaves_no_folder_and_no_lock(run_dir: Path) -> None:
    _lock.forget("demo", "one")
    assert not run_dir.exists()
    _lock.acquire("demo", "ann", "one")
    (run_dir / "labs" / "demo" / "tries.json").write_text("{}")
    _lock.acquire("other", "ann", "one")
    _lock.forget("demo", "one")
    assert [one.name for one in (run_dir / "labs").iterdir()] == ["other"]
    assert not _lock.release("demo", "one")


def test_a_folder_that_somebody_still_writes_into_goes_in_the_end(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    real = shutil.rmtree

    def busy(folder: str) -> None:
        tried.append(folder)
        if len(tried) < 3:
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        real(folder)

    monkeypatch.setattr(shutil, "rmtree", busy)
    _lock.acquire("demo", "ann", "one")
    _lock.forget("demo", "one")
    assert not (run_dir / "labs" / "demo").exists()
    monkeypatch.setattr(shutil, "rmtree", lambda _folder: (one for one in ()).throw(OSError(errno.EROFS, "Read-only file system")))
    _lock.acquire("demo", "ann", "one")
    with pytest.raises(ApplyError, match="cannot be removed"):
        _lock.forget("demo", "one")


def test_what_is_known_of_a_lab_stays_while_another_run_has_it(run_dir: Path) -> None:
    _lock.acquire("demo", "bob", "two")
    _lock.forget("demo", "one")
    assert _lock.held("demo")


@pytest.mark.parametrize("value", ['"soon"', "null", "NaN", "Infinity", "[]", "true"])
def test_a_lock_with_a_time_that_is_none_is_an_error_and_nothing_else(value: str) -> None:
    """Whoever asks is ready for what cannot be read, and for nothing else: the watcher would end."""
    _lock.acquire("demo", "me", "mine")
    text = _lock.path("demo").read_text()
    _lock.path("demo").write_text(re.sub(r'"touched": [0-9.e+]+', f'"touched": {value}', text))
    with pytest.raises(ReadError, match="is not a lock"):
        _lock.held("demo")
