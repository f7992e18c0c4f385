# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be mended is tried later and later, and what is mended over and over waits as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils import _backoff, _server
from ansible_collections.archetype.lab.plugins.module_utils._backoff import CHANGED, OFTEN, Tries, Try, load
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError


@pytest.fixture(autouse=True)
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run" / "labs" / "demo"


def test_pauses_double_from_one_second_to_five_minutes() -> None:
    tries = Tries("demo")
    pauses = []
    now = 1000.0
    for _round in range(12):
        tries.failed(["link"], "no", now)
        pauses.append(tries.waiting(now)["link"].next - now)
        now += pauses[-1]
        assert tries.waiting(now) == {}
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=100_000))
def test_no_pause_is_longer_than_five_minutes(failures: int) -> None:
    assert 1.0 <= _backoff.delay(failures) <= 300.0


def test_mending_gets_heavier_with_each_failure_and_light_again_when_it_worked() -> None:
    tries = Tries("demo")
    levels = [tries.level("link")]
    for now in range(4):
        tries.failed(["link"], "no", now)
        levels.append(tries.level("link"))
    assert levels == [1, 2, 3, 3, 3]
    tries.mended(["link"], 10.0)
    assert (tries.level("link"), tries.waiting(10.0)) == (1, {})


def test_failures_are_of_each_object() -> None:
    tries = Tries("demo")
    tries.failed(["a", "b"], "no", 100.0)
    tries.failed(["b"], "never", 100.0)
    assert tries.waiting(100.0) == {"a": Try(1, 101.0, "no"), "b": Try(2, 102.0, "never")}


def test_what_is_mended_more_than_30_times_in_30_seconds_waits_and_is_mended_as_lightly_as_before() -> None:
    tries = Tries("demo")
    for place in range(OFTEN):
        tries.mended(["link"], 100.0 + place * 0.5)
        assert tries.waiting(100.0 + place * 0.5) == {}
    tries.mended(["link"], 115.5)
    assert tries.waiting(115.5) == {"link": Try(1, 116.5, CHANGED)}
    assert tries.level("link") == 1


def test_what_is_mended_now_and_then_never_waits() -> None:
    tries = Tries("demo")
    for place in range(200):
        tries.mended(["link"], 100.0 + place * 1.0)
        assert tries.waiting(100.0 + place) == {}


def test_who_fights_is_met_less_and_less_often() -> None:
    """Somebody undoes each mending at once."""
    tries = Tries("demo")
    now, mended = 1000.0, 0
    pauses = []
    while now < 1000.0 + 3600:
        waiting = tries.waiting(now)
        if waiting:
            pauses.append(round(waiting["link"].next - now))
            now = waiting["link"].next
        tries.mended(["link"], now)
        mended += 1
        now += 0.1
    assert pauses == sorted(pauses)
    assert max(pauses) == 300
    assert mended < 600  # of 36,000: a few seconds of each pause of five minutes, so that who has given up is met at once


def test_a_fight_that_is_over_is_forgotten() -> None:
    tries = Tries("demo")
    for _time in range(OFTEN + 1):
        tries.mended(["link"], 100.0)
    assert tries.waiting(100.0)
    tries.mended(["link"], 1000.0)
    assert tries.waiting(1000.0) == {}
    for _time in range(OFTEN):
        tries.mended(["link"], 1000.0)
    assert tries.waiting(1000.0) == {"link": Try(1, 1001.0, CHANGED)}


def test_an_impatient_run_that_mends_what_waits_adds_no_pause() -> None:
    tries = Tries("demo")
    for _time in range(OFTEN + 10):
        tries.mended(["link"], 100.0)
    assert tries.waiting(100.0) == {"link": Try(1, 101.0, CHANGED)}


def test_what_is_in_sync_by_itself_has_not_failed() -> None:
    tries = Tries("demo")
    tries.failed(["a", "b"], "no", 100.0)
    tries.mended(["b"], 101.0)
    tries.failed(["b"], "no", 102.0)
    tries.settled(["a", "b", "never failed"], 103.0)
    assert (tries.waiting(102.5), tries.level("a"), tries.level("b")) == ({}, 1, 1)


def test_settling_does_not_hide_a_fight() -> None:
    tries = Tries("demo")
    for place in range(OFTEN + 1):
        tries.mended(["link"], 100.0 + place * 0.1)
        tries.settled(["link"], 100.0 + place * 0.1)
    assert tries.waiting(103.0)["link"].reason == CHANGED


def test_a_clock_that_was_set_back_makes_nobody_wait_for_long() -> None:
    tries = Tries("demo")
    tries.failed(["link"], "no", 1_000_000.0)
    assert tries.waiting(1000.0) == {}


def test_tries_outlive_the_process(run_dir: Path) -> None:
    tries = load("demo")
    tries.failed(["link"], "no", 100.0)
    tries.mended(["other"], 100.0)
    tries.save()
    again = load("demo")
    assert (again.waiting(100.0), again.level("link"), again.damage) == ({"link": Try(1, 101.0, "no")}, 2, None)
    for _time in range(OFTEN):
        again.mended(["other"], 100.0)
    assert "other" in again.waiting(100.0)
    file = run_dir / "tries.json"
    assert (file.stat().st_mode & 0o777, run_dir.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [one.name for one in run_dir.iterdir()] == ["tries.json"]


def test_nothing_is_written_where_nothing_changed(run_dir: Path) -> None:
    tries = load("demo")
    tries.settled(["link"], 100.0)
    tries.save()
    assert not run_dir.exists()
    tries.failed(["link"], "no", 100.0)
    tries.save()
    before = (run_dir / "tries.json").stat().st_ino
    tries.save()
    assert (run_dir / "tries.json").stat().st_ino == before


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '"x"', '{"a": 1}', '{"a": {}}', '{"a": {"failures": "x", "fights": 0, "next": 0, "reason": "", "mends": []}}', "\x00"],
)
def test_a_damaged_file_is_told_once_and_begun_anew(run_dir: Path, content: str) -> None:
    run_dir.mkdir(parents=True)
    (run_dir / "tries.json").write_text(content)
    tries = load("demo")
    assert tries.damage is not None
    assert "is damaged, and is begun anew" in str(tries.damage)
    assert tries.waiting(0.0) == {}
    tries.save()
    assert load("demo").damage is None
    assert json.loads((run_dir / "tries.json").read_text()) == {}


def test_a_name_that_is_no_lab_is_refused() -> None:
    with pytest.raises(LabError, match="is not a name for a lab"):
        load("../demo")


def test_what_cannot_be_written_is_an_error(run_dir: Path) -> None:
    run_dir.parent.mkdir(parents=True)
    run_dir.write_text("a file where a folder should be")
    tries = Tries("demo")
    tries.failed(["link"], "no", 100.0)
    with pytest.raises(ApplyError, match=r"cannot be used|cannot be written"):
        tries.save()
