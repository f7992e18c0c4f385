# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""One watcher on a server: it keeps a file locked, which the kernel unlocks when it dies, and in which its number is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._errors import LockedError, ReadError


_PATIENCE = 0.5


def path() -> str:
    return os.path.join(_server.RUN_DIR, "watch.lock")


@contextlib.contextmanager
def alone() -> t.Iterator[None]:
    """As the one watcher of this server. Raises LockedError when there is one."""
    handle = _open(os.O_RDWR | os.O_CREAT)
    try:
        _take(handle)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    """Not at the first refusal: who asks whether a watcher runs has the lock for a moment."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise LockedError(f"archetype-lab-watch runs on this server already, as process {_number(handle)}") from error
            time.sleep(0.02)
        else:
            return


def running() -> str:
    """The number of the process that watches this server; empty where none does."""
    try:
        handle = _open(os.O_RDWR)
    except FileNotFoundError:
        return ""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _number(handle)
    finally:
        os.close(handle)
    return ""


def _number(handle: int) -> str:
    return os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"


def _open(flags: int) -> int:
    try:
        if flags & os.O_CREAT:
            _server.make_run_dir()
        return os.open(path(), flags | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ReadError(f"{path()} cannot be opened: {error.strerror}", hint="run archetype-lab-watch as root") from error
