# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""One writer at a time: whoever talks over a console holds a file that says who it is. The kernel gives it up when the process dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils._errors import LockedError, ReadError

_HINT = "wait until that has ended, and run again"


@contextlib.contextmanager
def hold(folder: str, name: str, what: str, *, patience: float = 0.0) -> t.Iterator[None]:
    """Hold the console of a domain. what: for what, for the message that others get. patience: seconds to wait for whoever has it.

    Raises LockedError, which names that one.
    """
    path = os.path.join(folder, f"console-{name}.lock")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        hint = "run the module as root (become: true)"
        raise ReadError(f"the lock of the console of {name} cannot be used: {error}", hint=hint) from error
    try:
        _lock(held, name, time.monotonic() + patience)
        since = datetime.now(tz=timezone.utc).isoformat(timespec="seconds")
        os.truncate(held, 0)
        os.pwrite(held, f"process {os.getpid()} ({what}) since {since}".encode(), 0)
        yield
        os.truncate(held, 0)
    finally:
        os.close(held)


def _lock(held: int, name: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                who = os.pread(held, 200, 0).decode(errors="replace") or "another process"
                raise LockedError(f"the console of {name} is in use by {who}", hint=_HINT, objects=(name,)) from error
            time.sleep(0.1)
        else:
            return
