# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file is there whole or not at all, whoever else writes it, and whatever becomes of who does."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import resource
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _whole_files

LARGE = 100_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "file.json"


@pytest.fixture(autouse=True)
def old(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("old")
    path.chmod(0o640)


def names(path: Path) -> list[str]:
    return sorted(one.name for one in path.parent.iterdir())


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o400])
def test_it_has_its_mode_whatever_the_umask_and_the_old_one_are(path: Path, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        for text in ("one", "tw\u00f6"):
            _whole_files.write(path, text, mode=mode)
    finally:
        os.umask(before)
    assert path.read_text(encoding="utf-8") == "tw\u00f6"
    assert path.stat().st_mode & 0o7777 == mode
    assert names(path) == [path.name]


def test_it_is_roots_alone_when_nothing_else_is_said(path: Path) -> None:
    _whole_files.write(str(path), "new")
    assert (path.read_text(), path.stat().st_mode & 0o7777) == ("new", 0o600)


def test_who_has_the_old_one_open_reads_it_to_its_end(path: Path) -> None:
    with path.open() as reader:
        _whole_files.write(path, "new")
        assert reader.read() == "old"


@pytest.mark.parametrize("sync", [False, True])
def test_it_is_on_the_disk_before_it_gets_its_name_where_that_is_asked_for(path: Path, sync: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    really, seen = os.fsync, []

    def fsync(file: int) -> None:
        seen.append((os.readlink(f"/proc/self/fd/{file}"), os.fstat(file).st_size, path.read_text()))
        really(file)

    monkeypatch.setattr(os, "fsync", fsync)
    _whole_files.write(path, "newer", sync=sync)
    assert seen == ([(f"{path}.new", 5, "old")] if sync else [])
    assert path.read_text() == "newer"


def test_links_in_the_way_are_not_followed(path: Path, tmp_path: Path) -> None:
    """One that has the file's name makes room for it; nobody puts one in the place of what is being made, and it is not removed."""
    shadow = tmp_path / "shadow"
    shadow.write_text("root")
    path.unlink()
    path.symlink_to(shadow)
    _whole_files.write(path, "new")
    assert (path.is_symlink(), path.read_text()) == (False, "new")
    Path(f"{path}.new").symlink_to(shadow)
    with pytest.raises(OSError, match="symbolic links") as raised:
        _whole_files.write(path, "newer")
    assert raised.value.errno == errno.ELOOP
    assert (path.read_text(), shadow.read_text(), shadow.stat().st_nlink) == ("new", "root", 1)


def test_a_folder_in_the_way_is_an_error_and_the_old_one_stays(path: Path) -> None:
    Path(f"{path}.new").mkdir()
    with pytest.raises(IsADirectoryError):
        _whole_files.write(path, "new")
    assert path.read_text() == "old"


def test_a_folder_in_its_place_is_an_error_and_nothing_is_left(path: Path) -> None:
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        _whole_files.write(path, "new")
    assert names(path) == [path.name]


def test_no_folder_is_an_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _whole_files.write(path.parent / "more" / "file", "new")
    assert names(path) == [path.name]


@pytest.mark.parametrize("sync", [False, True])
def test_where_there_is_no_room_the_old_one_stays_and_nothing_is_left(path: Path, sync: bool) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGE // 2, before[1]))
    try:
        with pytest.raises(OSError, match="too large") as raised:
            _whole_files.write(path, "x" * LARGE, sync=sync)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert raised.value.errno == errno.EFBIG
    assert (path.read_text(), names(path)) == ("old", [path.name])


def test_what_cannot_be_encoded_is_an_error_and_the_old_one_stays(path: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        _whole_files.write(path, "\udcff")
    assert (path.read_text(), names(path)) == ("old", [path.name])


def _killed_before_it_is_named(path: str) -> None:
    os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    _whole_files.write(path, "x" * LARGE)


def test_what_one_that_was_killed_left_is_no_hindrance_and_is_not_in_the_next_one(path: Path) -> None:
    writer = multiprocessing.get_context("fork").Process(target=_killed_before_it_is_named, args=(str(path),))
    writer.start()
    writer.join(60)
    assert writer.exitcode == -signal.SIGKILL
    assert (path.read_text(), names(path)) == ("old", [path.name, f"{path.name}.new"])
    _whole_files.write(path, "new")
    assert (path.read_text(), names(path)) == ("new", [path.name])


def test_one_at_a_time_makes_it(path: Path) -> None:
    """Who waits writes into a file of his own, as the one that he waited for has its name."""
    new = Path(f"{path}.new")
    with new.open("w+") as first, ThreadPoolExecutor() as pool:
        fcntl.flock(first, fcntl.LOCK_EX)
        second = pool.submit(_whole_files.write, path, "second")
        with pytest.raises(TimeoutError):
            second.result(0.1)
        first.write("first, and longer")
        first.flush()
        new.replace(path)
        assert path.read_text() == "first, and longer"
        fcntl.flock(first, fcntl.LOCK_UN)
        second.result(10)
        assert os.pread(first.fileno(), 100, 0) == b"first, and longer"
    assert (path.read_text(), names(path)) == ("second", [path.name])


def _writer(path: str, letter: str) -> None:
    for number in range(30):
        _whole_files.write(path, letter * (LARGE + number))


def test_whoever_reads_finds_one_whole_text_while_several_write(path: Path) -> None:
    _whole_files.write(path, "o" * LARGE)
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_writer, args=(str(path), letter)) for letter in "ab"]
    thread = threading.Thread(target=_writer, args=(str(path), "c"))
    for one in (*writers, thread):
        one.start()
    found = set()
    while thread.is_alive() or any(one.is_alive() for one in writers):
        text = path.read_text()
        assert len(text) >= LARGE
        found.add(frozenset(text))
    assert [one.exitcode for one in writers] == [0, 0]
    assert all(len(one) == 1 for one in found)
    assert names(path) == [path.name]
