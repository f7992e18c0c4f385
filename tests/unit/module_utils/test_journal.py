# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: a line for each pass, whoever writes, however large it gets."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils import _journal
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_journal, "JOURNAL_DIR", str(tmp_path / "log"))
    return tmp_path / "log"


def numbers(count: int = 10_000) -> list[int]:
    return [one["number"] for one in _journal.tail("demo", count)]


def test_what_is_written_is_found_again_oldest_first(folder: Path) -> None:
    for number in range(3):
        assert _journal.write("demo", {"number": number}) is None
    assert numbers() == [0, 1, 2]
    assert numbers(2) == [1, 2]
    assert numbers(0) == []
    assert _journal.tail("other", 5) == []
    (entry,) = _journal.tail("demo", 1)
    assert (entry["lab"], set(entry)) == ("demo", {"at", "lab", "number"})
    assert entry["at"].endswith("+00:00")
    assert (folder.stat().st_mode & 0o777, (folder / "demo.jsonl").stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_time_of_the_entry_is_kept() -> None:
    _journal.write("demo", {"at": "then", "lab": "demo"})
    assert _journal.tail("demo", 1) == [{"at": "then", "lab": "demo"}]


def test_long_lists_and_texts_are_cut_and_say_so() -> None:
    _journal.write("demo", {"seen": [f"x{number}" for number in range(60)], "done": "y" * 1000, "deep": {str(one): 1 for one in range(60)}})
    (entry,) = _journal.tail("demo", 1)
    assert entry["seen"] == [*(f"x{number}" for number in range(50)), "... and 10 more"]
    assert entry["done"] == "y" * 500 + "..."
    assert (len(entry["deep"]), entry["deep"]["..."]) == (51, "and 10 more")


TEXT = st.text(max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4) | st.sets(TEXT) | st.tuples(inner, inner),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(TEXT, JSON, max_size=3))
def test_whatever_an_entry_holds_is_one_line_of_bounded_length(entry: dict[str, Any]) -> None:
    assert _journal.write("any", entry) is None
    lines = Path(_journal.path("any")).read_bytes().splitlines(keepends=True)
    assert lines[-1].endswith(b"\n")
    assert isinstance(json.loads(lines[-1]), dict)


def test_four_lists_of_long_texts_stay_bounded() -> None:
    texts = ["\u20ac" * 10_000] * 1000
    _journal.write("demo", dict.fromkeys(("seen", "done", "errors", "waiting"), texts))
    assert os.path.getsize(_journal.path("demo")) < 4 * 51 * 1600


def test_a_line_that_was_cut_off_spoils_no_other(folder: Path) -> None:
    _journal.write("demo", {"number": 1})
    with (folder / "demo.jsonl").open("ab") as file:
        file.write(b'{"number": 2, "at"')
    _journal.write("demo", {"number": 3})
    with (folder / "demo.jsonl").open("ab") as file:
        file.write(b'\xff\xfe\n[]\n17\n"text"\n' + b"[" * 100_000 + b"\n")
    _journal.write("demo", {"number": 4})
    assert numbers() == [1, 3, 4]


def test_a_large_journal_is_rotated_and_three_old_ones_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_journal, "LARGEST", 2000)
    for number in range(300):
        assert _journal.write("demo", {"number": number, "text": "x" * 50}) is None
    files = sorted(one.name for one in folder.iterdir())
    assert files in (["demo.jsonl", *(f"demo.jsonl.{number}" for number in (1, 2, 3))], [f"demo.jsonl.{number}" for number in (1, 2, 3)])
    assert all(one.stat().st_size <= 2200 for one in folder.iterdir())
    found = numbers()
    assert found == list(range(300 - len(found), 300))
    assert len(found) > 40


@pytest.mark.parametrize("steps", range(1, 4))
def test_a_rotation_that_is_killed_loses_the_oldest_only(folder: Path, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    monkeypatch.setattr(_journal, "LARGEST", 1)
    for number in range(4):
        _journal.write("demo", {"number": number})  # three old ones, of one line each; 0 went with the fourth
    assert numbers() == [1, 2, 3]
    monkeypatch.setattr(_journal, "LARGEST", 4 << 20)
    _journal.write("demo", {"number": 4})
    left = steps
    really = os.replace

    def killed(source: str, target: str) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        really(source, target)

    monkeypatch.setattr(_journal, "LARGEST", 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", killed)
        if steps < 3:
            with pytest.raises(KeyboardInterrupt):
                _journal._rotate(_journal.path("demo"))
        else:
            _journal._rotate(_journal.path("demo"))
    assert numbers() == [2, 3, 4]
    monkeypatch.setattr(_journal, "LARGEST", 4 << 20)
    _journal.write("demo", {"number": 5})
    assert numbers() == [2, 3, 4, 5]


def _writer(folder: str, name: int, count: int) -> None:
    _journal.JOURNAL_DIR = folder
    _journal.LARGEST = 20_000
    _journal.OLDER = 50
    for number in range(count):
        if _journal.write("demo", {"number": [name, number], "text": "x" * 100}) is not None:
            raise AssertionError("it was not written")


def test_several_processes_write_at_once_while_it_is_rotated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_journal, "OLDER", 50)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_writer, args=(str(folder), name, 200)) for name in range(4)]
    for one in writers:
        one.start()
    for one in writers:
        one.join(60)
    assert [one.exitcode for one in writers] == [0, 0, 0, 0]
    found = [tuple(one["number"]) for one in _journal.tail("demo", 10_000)]
    assert sorted(found) == [(name, number) for name in range(4) for number in range(200)]
    assert len(list(folder.iterdir())) > 2


def test_what_cannot_be_written_is_said_and_stops_nobody(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    error = _journal.write("demo", {"number": 1})
    assert isinstance(error, ApplyError)
    assert "cannot be written" in str(error)


def test_a_link_in_the_place_of_the_journal_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    target = tmp_path / "shadow"
    target.write_text("")
    (folder / "demo.jsonl").symlink_to(target)
    assert isinstance(_journal.write("demo", {"number": 1}), ApplyError)
    assert target.read_text() == ""


def test_what_cannot_be_read_is_an_error(folder: Path) -> None:
    (folder / "demo.jsonl").mkdir(parents=True)
    with pytest.raises(ReadError, match="cannot be read"):
        _journal.tail("demo", 1)


def test_a_name_that_is_no_lab_is_refused() -> None:
    for call in (lambda: _journal.write("../x", {}), lambda: _journal.tail("a/b", 1)):
        with pytest.raises(LabError, match="is not a name for a lab"):
            call()


def test_names_that_are_no_text_are_told_too() -> None:
    """As of files that somebody else made: no pass may fail for that."""
    assert _journal.write("demo", {"errors": ["\udcff is foreign"]}) is None
    assert _journal.tail("demo", 1)[0]["errors"] == ["\udcff is foreign"]
