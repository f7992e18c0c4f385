# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watcher is put in place whole or not at all, in a folder of the test. What runs is a real process with the lock of the watcher."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _installed, _running, _server, _unpack
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.plugin_utils._library import PLACE, Library, read_library

KEY, OTHER_KEY = "ab" * 32, "cd" * 32
HOLD = """
import fcntl, os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(60)
"""


def library(text: str = "print('watching')\n") -> Library:
    base = {path: content for path, content in read_library().contents.items() if path.count("/") < 4 or path == f"{PLACE}/__init__.py"}
    return Library(dict(sorted({**base, f"{PLACE}/_watch/__init__.py": b"", f"{PLACE}/_watch/__main__.py": text.encode()}.items())))


ONE, TWO = library(), library("print('watching better')\n")


def want(of: Library = ONE, key: str | None = KEY, made_of: tuple[str, ...] = ()) -> _installed.Want:
    return _installed.Want(version=of.version, files=of.files, python=sys.executable, key=key, made_of=made_of)


def install(of: Library = ONE, **options: object) -> _installed.Done:
    return _installed.install(want(of, **options), base64.b64decode(of.archive))  # type: ignore[arg-type]


def lines(done: _installed.Done) -> list[str]:
    return [change.to_line() for change in done.changes]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, path in {"LIBRARY": "lib", "PROGRAM": "sbin/watch", "KEY": "etc/key", "METRICS": "metrics"}.items():
        monkeypatch.setattr(_installed, name, str(tmp_path / path))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    return tmp_path


@contextmanager
def a_watcher() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", HOLD, _running.lock_path()], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "locked\n"
            yield process.pid
        finally:
            process.kill()


def run() -> str:
    return subprocess.run([_installed.PROGRAM], capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def versions(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "lib").iterdir())


def test_what_is_installed_runs_and_the_second_time_nothing_is_done(place: Path) -> None:
    done = install()
    assert lines(done) == [f"+ library {place}/lib: version {ONE.version}", f"+ program {place}/sbin/watch", f"+ key {place}/etc/key"]
    assert (done.stale, run()) == (False, "watching")
    assert (place / "etc/key").read_text() == KEY + "\n"
    assert [(place / path).stat().st_mode & 0o777 for path in ("etc", "etc/key", "sbin/watch")] == [0o700, 0o600, 0o755]
    assert _installed.install(want(), None) == _installed.Done()


def test_the_library_is_asked_for_before_anything_is_done(place: Path) -> None:
    assert _installed.install(want(), None) == _installed.Done(needs_library=True)
    assert not (place / "sbin").exists()
    assert not (place / "etc").exists()
    install()
    (place / "etc/key").unlink()
    assert _installed.install(want(TWO), None) == _installed.Done(needs_library=True)
    assert not (place / "etc/key").exists()


def test_another_library_takes_the_place_of_the_old_one(place: Path) -> None:
    install()
    assert lines(install(TWO)) == [
        f"~ library {place}/lib: version {ONE.version} -> {TWO.version}",
        f"- library {place}/lib/{ONE.version}",
    ]
    assert (run(), versions(place)) == ("watching better", sorted([TWO.version, "current"]))


@pytest.mark.parametrize("damage", ["changed", "more", "less", "open", "link"])
def test_a_library_that_was_changed_is_put_right_in_another_folder(place: Path, damage: str) -> None:
    """What Python compiled from the changed file is of no account then."""
    install()
    run()
    file = place / "lib/current" / PLACE / "_watch/__main__.py"
    named = file
    if damage == "changed":
        about = file.stat()
        file.write_text("print('WATCHING')\n")
        os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    elif damage == "more":
        named = file.with_name("_more.py")
        named.write_text("")
    elif damage == "less":
        file.unlink()
    elif damage == "open":
        file.chmod(0o666)
    else:
        content = place / "elsewhere.py"
        content.write_bytes(file.read_bytes())
        file.unlink()
        file.symlink_to(content)
    done = install()
    name = named.relative_to(place / "lib/current")
    assert lines(done) == [f"~ library {place}/lib: changed on the server: {name}", f"- library {place}/lib/{ONE.version}"]
    assert (run(), versions(place)) == ("watching", sorted([f"{ONE.version}-2", "current"]))
    assert _installed.install(want(), None) == _installed.Done()


def test_check_mode_says_the_same_and_writes_nothing(place: Path) -> None:
    predicted = _installed.install(want(), None, check=True)
    assert sorted(path.name for path in place.iterdir()) == ["run"]
    assert predicted == install()
    (place / "etc/key").chmod(0o644)
    (place / "sbin/watch").chmod(0o700)
    predicted = _installed.install(want(TWO, OTHER_KEY), None, check=True)
    assert run() == "watching"
    assert predicted == install(TWO, key=OTHER_KEY)
    with a_watcher():
        predicted = _installed.install(want(), None, check=True)
        assert predicted == install()
        assert predicted.stale


def test_the_key_is_in_no_change(place: Path) -> None:
    install()
    (place / "etc").chmod(0o755)
    done = install(key=OTHER_KEY)
    assert lines(done) == [f"~ key {place}/etc/key: folder 0755 -> 0700"]
    assert not [key for key in (KEY, OTHER_KEY) if key in str(done)]
    assert lines(install(key=None)) == []
    assert (place / "etc/key").read_text() == OTHER_KEY + "\n"


def test_a_watcher_that_runs_keeps_its_library_until_it_was_started_again(place: Path) -> None:
    install()
    with a_watcher():
        done = install(TWO)
        assert done.stale
        assert versions(place) == sorted([ONE.version, TWO.version, "current"])
        again = _installed.install(want(TWO), None)
        assert (again.stale, again.changes) == (True, [])
    time.sleep(0.02)
    with a_watcher():
        done = _installed.install(want(TWO), None)
        assert (done.stale, lines(done)) == (False, [f"- library {place}/lib/{ONE.version}"])


@pytest.mark.parametrize("what", ["sbin/watch", "etc/key", "made_of", "nothing"])
def test_a_watcher_is_stale_when_what_it_is_made_of_is_newer(place: Path, what: str) -> None:
    (place / "made_of").touch()
    install()
    time.sleep(0.02)
    with a_watcher():
        time.sleep(0.02)
        if what != "nothing":
            (place / what).touch()
        assert _installed.install(want(made_of=(str(place / "made_of"), str(place / "none"))), None).stale == (what != "nothing")


def test_a_lock_that_nobody_holds_is_no_watcher(place: Path) -> None:
    assert _running.running() == 0
    Path(_running.lock_path()).write_text(f"{os.getpid()}\n")
    assert _running.running() == 0
    with a_watcher() as pid:
        assert _running.running() == pid
        started = _running.since(pid)
        assert started is not None
        assert abs(time.time() - started) < 10
    assert _running.running() == 0
    assert _running.since(pid) is None


def test_a_run_that_is_killed_leaves_the_old_library_working(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install()

    def killed(archive: bytes, files: dict[str, str], folder: str) -> None:
        _unpack._make_folders(f"{folder}/{PLACE}")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(_unpack, "unpack", killed)
        with pytest.raises(KeyboardInterrupt):
            install(TWO)
    assert run() == "watching"


def test_what_a_killed_run_left_goes_with_the_next(place: Path) -> None:
    install()
    (place / "lib" / TWO.version / "ansible_collections").mkdir(parents=True)
    (place / "lib/current.new").symlink_to("nowhere")
    install(TWO)
    assert (run(), versions(place)) == ("watching better", sorted([f"{TWO.version}-2", "current"]))


@pytest.mark.parametrize("archive", [b"", b"no zip", base64.b64decode(TWO.archive), base64.b64decode(ONE.archive)[:-30]])
def test_an_archive_that_is_not_the_announced_one_changes_nothing(place: Path, archive: bytes) -> None:
    with pytest.raises(LabError, match="library that was sent"):
        _installed.install(want(), archive)
    assert versions(place) == []


def test_a_path_that_leads_elsewhere_is_refused(place: Path) -> None:
    bad = Library({"../../evil.py": b"x"})
    with pytest.raises(LabError, match="not the one that was announced"):
        install(bad)
    assert not list(place.rglob("evil.py"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"python": "python3"}, "cannot be the interpreter"),
        ({"python": "/opt/my python"}, "cannot be the interpreter"),
        ({"python": "/" + "x" * 150}, "cannot be the interpreter"),
        ({"key": "secret"}, "not 64 hexadecimal digits$|not 64 hexadecimal digits;"),
        ({"version": "../x"}, "no library was given"),
        ({"files": {}}, "no library was given"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_done(place: Path, change: dict[str, object], message: str) -> None:
    values = {"version": ONE.version, "files": ONE.files, "python": sys.executable, "key": KEY, **change}
    with pytest.raises(LabError, match=message) as caught:
        _installed.install(_installed.Want(**values), None)  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)
    assert not (place / "lib").exists()


def test_all_of_it_is_removed_and_only_once(place: Path) -> None:
    install()
    (place / "metrics").mkdir()
    names = [str(place / name) for name in ("metrics", "etc", "lib", "sbin/watch")]
    assert [change.name for change in _installed.remove(check=True)] == names
    assert run() == "watching"
    assert [change.name for change in _installed.remove()] == names
    assert sorted(path.name for path in place.iterdir()) == ["run", "sbin"]
    assert _installed.remove() == []


def test_another_collection_of_the_interpreter_does_not_get_in_its_way(place: Path, tmp_path: Path) -> None:
    """The program takes its library first, even where another one of the same name is a package."""
    install()
    text = Path(_installed.PROGRAM).read_text()
    assert text.splitlines()[0] == f"#!{sys.executable} -I"
    other = tmp_path / "other"
    (other / "ansible_collections").mkdir(parents=True)
    (other / "ansible_collections/__init__.py").write_text("raise SystemExit('the wrong one')\n")
    line = f"import sys; sys.path.insert(0, {str(other)!r}); exec(open({_installed.PROGRAM!r}).read())"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("watching", "")
