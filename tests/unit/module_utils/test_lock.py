# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _lock
from ansible_collections.archetype.lab.plugins.module_utils._errors import LockedError, ReadError

START = 1_800_000_000.0


@pytest.fixture(autouse=True)
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_lock, "RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


def test_the_second_run_is_told_who_holds_the_lock_since_when_and_how_to_break_it(run_dir: Path) -> None:
    _lock.acquire("demo", "ann@host 12", "one", now=START)
    with pytest.raises(LockedError) as caught:
        _lock.acquire("other", "bob@host 13", "two", now=START + 60)
    assert str(caught.value) == (
        "this server is locked by ann@host 12, who works on lab demo since 2027-01-15T08:00:00+00:00; wait until that run has ended; "
        f"if it is dead, remove {run_dir}/lock.json on the server (it counts no more from 2027-01-15T08:30:00+00:00)"
    )
    assert caught.value.objects == ("demo",)


def test_the_same_run_refreshes_its_lock_and_keeps_its_beginning() -> None:
    _lock.acquire("demo", "ann", "one", now=START)
    assert _lock.acquire("demo", "ann", "one", now=START + 1700) is None
    held = _lock.current(now=START + 3000)
    assert held is not None
    assert held.to_dict().items() >= {"owner": "ann", "lab": "demo", "since": "2027-01-15T08:00:00+00:00"}.items()


def test_a_stale_lock_is_taken_over_and_told() -> None:
    _lock.acquire("demo", "ann", "one", now=START)
    assert _lock.current(now=START + 1800) is None
    taken = _lock.acquire("demo", "bob", "two", now=START + 1800)
    assert taken is not None
    assert taken.owner == "ann"
    held = _lock.current(now=START + 1801)
    assert held is not None
    assert held.owner == "bob"


def test_a_lock_from_a_clock_that_ran_far_ahead_is_stale() -> None:
    _lock.acquire("demo", "ann", "one", now=START + 100_000)
    assert _lock.current(now=START) is None


def test_only_the_run_that_has_the_lock_gives_it_back(run_dir: Path) -> None:
    assert not _lock.release("one")
    assert not run_dir.exists()
    _lock.acquire("demo", "ann", "one")
    assert not _lock.release("two")
    assert _lock.current() is not None
    assert _lock.release("one")
    assert _lock.current() is None
    _lock.acquire("other", "bob", "two")


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
    assert (run_dir / "lock.json").stat().st_mode & 0o777 == 0o600
    assert run_dir.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", '{"owner": "x"}'])
def test_a_lock_that_cannot_be_read_is_not_a_lock_that_is_free(run_dir: Path, text: str) -> None:
    run_dir.mkdir()
    (run_dir / "lock.json").write_text(text)
    with pytest.raises(ReadError, match="lock\\.json is not a lock"):
        _lock.acquire("demo", "ann", "one")
    with pytest.raises(ReadError, match="remove it on the server if no run is under way"):
        _lock.current()


def test_the_lock_of_a_run_that_is_known_to_have_ended_is_taken_over_and_no_other() -> None:
    _lock.acquire("demo", "ann", "one", now=START)
    with pytest.raises(LockedError):
        _lock.acquire("demo", "bob", "two", ended="zero", now=START + 1)
    _lock.acquire("demo", "bob", "two", ended="one", now=START + 1)
    held = _lock.current(now=START + 2)
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
    with _lock.at_work("demo"), pytest.raises(LockedError, match="another process"), _lock.at_work("demo", patience=0.1):
        pytest.fail("two at once")
    with _lock.at_work("demo", patience=0.1):
        pass
