# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the watcher says to people: a line for each thing that matters, to standard error."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import sys
import time

LARGEST = 4 * 1024 * 1024
"""Bytes of a log that is a file, before it is begun anew: without systemd it is in /run, and that is memory."""


def log(line: str) -> None:
    """With the time where nobody adds it, as systemd does. One line, whatever is in it."""
    stamp = "" if os.environ.get("JOURNAL_STREAM") else time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime())
    with contextlib.suppress(OSError, ValueError):  # a full disk must not be the end of what mends labs
        _keep_small(sys.stderr.fileno())
        sys.stderr.write(f"{stamp}{' '.join(line.split())}\n")
        sys.stderr.flush()


def _keep_small(handle: int) -> None:
    """Only of a file that everybody who has it open appends to: others would leave a hole in it."""
    about = os.fstat(handle)
    if stat.S_ISREG(about.st_mode) and about.st_size > LARGEST and fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_APPEND:
        os.ftruncate(handle, 0)
