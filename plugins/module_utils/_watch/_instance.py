# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""One watcher on a server: it keeps a file locked, which the kernel unlocks when it dies, and in which its number is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import typing as t
from pathlib import Path

from ansible_collections.archetype.lab.plugins.module_utils import _running, _server
from ansible_collections.archetype.lab.plugins.module_utils._errors import LockedError, ReadError

_INSTALLED = re.compile(r"([0-9a-f]{16})(-\d+)?")
_ROOT = 6
"""Folders from this file up to the one that the library is in, which has its version as a name where it is installed (C(_installed.py))."""


@contextlib.contextmanager
def alone() -> t.Iterator[None]:
    """As the one watcher of this server. Raises LockedError when there is one."""
    handle = _open()
    try:
        _take(handle)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _open() -> int:
    try:
        _server.make_run_dir()
        return os.open(_running.lock_path(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ReadError(f"{_running.lock_path()} cannot be opened: {error.strerror}", hint="run archetype-lab-watch as root") from error


def _take(handle: int) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        number = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
        raise LockedError(f"archetype-lab-watch runs on this server already, as process {number}") from error


def version() -> str:
    """Of the library that this process was started from."""
    name = _INSTALLED.fullmatch(Path(__file__).parents[_ROOT].name)
    return name[1] if name else "not installed"
