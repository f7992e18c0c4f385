# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whether a watcher runs, and since when, without disturbing it: who tries its lock for a moment may be in the way of one that starts."""

from __future__ import annotations

import os
import time

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

_STARTED = 19
"""Of the fields in C(/proc/<pid>/stat) behind the name: when the process started, in ticks since the boot."""


def lock_path() -> str:
    return os.path.join(_server.RUN_DIR, "watch.lock")


def running() -> int:
    """The process that has the lock of the watcher, 0 if there is none. Raises ReadError."""
    try:
        status = os.stat(lock_path())
        with open("/proc/locks", encoding="ascii") as table:
            rows = [line.split() for line in table]
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise ReadError(f"whether a watcher runs cannot be told: {error}", hint=f"look at {lock_path()} and /proc/locks") from error
    file = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    return next((int(row[4]) for row in rows if row[1] == "FLOCK" and row[3] == "WRITE" and row[5] == file), 0)


def since(pid: int) -> float | None:
    """When a process started, as the time of files is counted; None if it has ended. Raises ReadError."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError as error:
        raise ReadError(f"/proc/{pid}/stat cannot be read: {error.strerror}") from error
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_STARTED]) / os.sysconf("SC_CLK_TCK")
    return time.time() - age
