# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The watcher as it is installed on a server: a folder for each version of the library, a link to the one that counts, program and key.

A version is put beside the others and complete before the link is moved, in one step, so that what was there works until then. A watcher
that runs stays in the version that it was started from, whose folder goes when it has been started again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _running, _unpack, _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError

LIBRARY = "/usr/local/lib/archetype-lab"
PROGRAM = "/usr/local/sbin/archetype-lab-watch"
KEY = "/etc/archetype-lab/key"
METRICS = "/run/archetype-lab-metrics"
CURRENT = "current"
_VERSION = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"[0-9a-f]{64}")
_LONGEST = 120
"""Of the first line of a program: older kernels cut it off at 127 bytes."""
_SHOWN = 3

_TEXT = """\
#!{python} -I
# Installed by the role archetype.lab.lab_server, which puts it right when it is changed.
import os
import runpy
import sys

# Not the link itself: a process stays with the library that it was started with.
sys.path.insert(0, os.path.realpath({current!r}))
runpy.run_module("ansible_collections.archetype.lab.plugins.module_utils._watch", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Want:
    """files: path in the library -> SHA-256. key: None leaves it as it is. made_of: other files that outdate a watcher which is older."""

    version: str
    files: t.Mapping[str, str]
    python: str
    key: str | None = None
    made_of: t.Sequence[str] = ()

    @property
    def program(self) -> str:
        return _TEXT.format(python=self.python, current=os.path.join(LIBRARY, CURRENT))


@dataclass
class Done:
    """needs_library: nothing was done, as the library has to be given first. stale: a watcher runs that was started with something else."""

    changes: list[Change] = field(default_factory=list)
    needs_library: bool = False
    stale: bool = False


def install(want: Want, archive: bytes | None, *, check: bool = False) -> Done:
    """Put in place what differs. archive: a zip of the library, which is only needed where it differs. Raises LabError."""
    _check(want)
    with contextlib.nullcontext() if check else _alone():
        library, program, key = _plan_library(want), _plan_program(want), _plan_key(want)
        pid = _running.running()
        if library and archive is None and not check:
            return Done(needs_library=True)
        if library and not check:
            _put_library(want, archive or b"")
        if program and not check:
            _write(PROGRAM, want.program, 0o755, 0o755)
        if key and not check:
            _write(KEY, f"{want.key}\n", 0o600, 0o700)
        changes = [*library, *program, *key]
        stale = bool(pid) and (bool(changes) or _outdated(pid, want))
        keep = () if library and check else (os.path.basename(_current()),)
        if not stale:
            changes += _tidy([one for one in _others() if one not in keep], check=check)
        return Done(changes, stale=stale)


def remove(*, check: bool = False) -> list[Change]:
    """Remove all of it, the program last, by which it is known that there is something.

    Folders that something is mounted on stay, empty. Journals stay: runs write them too. Raises ApplyError.
    """
    there = [path for path in (METRICS, os.path.dirname(KEY), LIBRARY, PROGRAM) if _anything(path)]
    for path in () if check else there:
        _remove(path)
    return [Change("delete", "file", path) for path in there]


def _check(want: Want) -> None:
    if not _VERSION.fullmatch(want.version) or not want.files:
        raise LabError("no library was given", hint="the options version, files and archive are set by the controller: leave them out")
    if not os.path.isabs(want.python) or re.search(r"\s", want.python) or len(want.python) > _LONGEST:
        hint = f"give an absolute path without spaces, at most {_LONGEST} characters (lab_server_python, lab_server_directory)"
        raise LabError(f"{want.python!r} cannot be the interpreter of a program", hint=hint, objects=(PROGRAM,))
    if want.key is not None and not _KEY.fullmatch(want.key):
        raise LabError("the key of the watchers is not 64 hexadecimal digits", hint="make one with openssl rand -hex 32", objects=(KEY,))


@contextlib.contextmanager
def _alone() -> t.Iterator[None]:
    """Two runs at once would remove what the other is about to put in place."""
    try:
        os.makedirs(LIBRARY, mode=0o755, exist_ok=True)
        handle = os.open(LIBRARY, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ApplyError(f"{LIBRARY} cannot be made: {error.strerror}", objects=(LIBRARY,)) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _current() -> str:
    """The folder of the version that counts; empty where there is none."""
    path = os.path.join(LIBRARY, CURRENT)
    return os.path.realpath(path) if os.path.islink(path) and os.path.isdir(path) else ""


def _plan_library(want: Want) -> list[Change]:
    here = _current()
    if not here:
        return [Change("create", "library", LIBRARY, fields={"version": (None, want.version)})]
    have = os.path.basename(here).partition("-")[0]
    if have != want.version:
        return [Change("update", "library", LIBRARY, fields={"version": (have, want.version)})]
    wrong = _differing(here, want.files)
    if not wrong:
        return []
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return [Change("update", "library", LIBRARY, reason=f"changed on the server: {', '.join(wrong[:_SHOWN])}{more}")]


def _differing(folder: str, files: t.Mapping[str, str]) -> list[str]:
    """Files that are not as they were installed, missing, of no business there, or open to others than root. Raises ReadError."""
    found: dict[str, str] = {}
    try:
        for place, folders, names in os.walk(folder):
            folders[:] = [one for one in folders if one != "__pycache__"]
            for name in names:
                path = os.path.join(place, name)
                found[os.path.relpath(path, folder)] = _digest(path)
    except OSError as error:
        raise ReadError(f"{folder} cannot be read: {error}", objects=(folder,)) from error
    return sorted({path for path in files.keys() | found.keys() if files.get(path) != found.get(path)})


def _digest(path: str) -> str:
    about = os.lstat(path)
    if os.path.islink(path) or about.st_uid != os.geteuid() or about.st_mode & 0o022:
        return ""
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def _plan_program(want: Want) -> list[Change]:
    have, mode = _read(PROGRAM)
    if have is None:
        return [Change("create", "program", PROGRAM)]
    fields = {"mode": (f"{mode:04o}", "0755")} if mode != 0o755 else {}
    return [Change("update", "program", PROGRAM, fields=fields)] if fields or have != want.program else []


def _plan_key(want: Want) -> list[Change]:
    """What the key is, or was, is told nowhere."""
    if want.key is None:
        return []
    have, mode = _read(KEY)
    if have is None:
        return [Change("create", "key", KEY)]
    fields = {"mode": (f"{mode:04o}", "0600")} if mode != 0o600 else {}
    folder = os.stat(os.path.dirname(KEY)).st_mode & 0o777
    if folder != 0o700:
        fields["folder"] = (f"{folder:04o}", "0700")
    return [Change("update", "key", KEY, fields=fields)] if fields or have != f"{want.key}\n" else []


def _read(path: str) -> tuple[str | None, int]:
    """Content and mode of a file, None where it is not there, or is a link. Raises ReadError."""
    if os.path.islink(path):
        return None, 0
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(), os.fstat(file.fileno()).st_mode & 0o777
    except FileNotFoundError:
        return None, 0
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror}", objects=(path,)) from error


def _write(path: str, text: str, mode: int, folder_mode: int) -> None:
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, exist_ok=True)
        if folder_mode == 0o700:
            os.chmod(folder, folder_mode)
        _whole_files.write(path, text, mode=mode, sync=True)
    except OSError as error:
        raise ApplyError(f"{path} cannot be written: {error.strerror}", hint="see that the disk has room", objects=(path,)) from error


def _put_library(want: Want, archive: bytes) -> None:
    """Into a folder that nobody uses: what is compiled from a file is kept beside it, and would be taken for that of another."""
    taken = set(os.listdir(LIBRARY))
    names = (want.version, *(f"{want.version}-{number}" for number in range(2, len(taken) + 3)))
    name = next(one for one in names if one not in taken)
    folder, link = os.path.join(LIBRARY, name), os.path.join(LIBRARY, f"{CURRENT}.new")
    try:
        _unpack.unpack(archive, want.files, folder)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(name, link)
        os.replace(link, os.path.join(LIBRARY, CURRENT))
    except OSError as error:
        raise ApplyError(f"{folder} cannot be written: {error}", hint="see that the disk has room", objects=(folder,)) from error


def _outdated(pid: int, want: Want) -> bool:
    """Whether the watcher was started before what it is made of was changed, as by a run that was killed before it started it again."""
    started = _running.since(pid)
    changed = [os.lstat(path).st_ctime for path in (os.path.join(LIBRARY, CURRENT), PROGRAM, KEY, *want.made_of) if os.path.lexists(path)]
    return started is not None and max(changed, default=0.0) > started


def _others() -> list[str]:
    """Names in the folder of the library besides the link."""
    try:
        return sorted(name for name in os.listdir(LIBRARY) if name != CURRENT)
    except FileNotFoundError:
        return []


def _tidy(names: t.Sequence[str], *, check: bool) -> list[Change]:
    paths = [os.path.join(LIBRARY, name) for name in names]
    for path in () if check else paths:
        _remove(path)
    return [Change("delete", "library", path) for path in paths]


def _anything(path: str) -> bool:
    """Whether there is something to remove; a mount point that is empty is none."""
    return bool(os.listdir(path)) if _is_mounted(path) else os.path.lexists(path)


def _is_mounted(path: str) -> bool:
    """As the kernel tells it: of a folder of the same disk, os.path.ismount does not know. Raises ReadError."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as table:
            return any(line.split()[4] == path for line in table)
    except OSError as error:
        raise ReadError(f"/proc/self/mountinfo cannot be read: {error.strerror}") from error


def _remove(path: str) -> None:
    try:
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
        elif _is_mounted(path):
            for name in os.listdir(path):
                _remove(os.path.join(path, name))
        else:
            shutil.rmtree(path)
    except OSError as error:
        raise ApplyError(f"{path} cannot be removed: {error}", hint="remove it by hand", objects=(path,)) from error
