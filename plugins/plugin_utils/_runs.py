# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Which run of a playbook this is, and whether another one has ended.

A run that was killed cannot give back the locks of the servers. Its token tells machine and process, so that the next run on the same
machine sees that nobody holds them any more. Of runs on other machines nothing is known, and nothing assumed.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import multiprocessing
import os
import secrets
import socket
from pathlib import Path


def this_run() -> dict[str, str]:
    """token: C(<random>@<machine>/<process>/<its beginning>). owner: the same for people."""
    parent = multiprocessing.parent_process()
    process = (parent.pid if parent else None) or os.getpid()
    return {
        "token": f"{secrets.token_hex(8)}@{_machine()}/{process}/{_began(process)}",
        "owner": f"{_user()} on {socket.gethostname()}, process {process}",
    }


def has_ended(token: str) -> bool:
    """Whether this is the token of a run on this machine whose process is there no more."""
    words = token.partition("@")[2].split("/")
    if len(words) != 3 or words[0] != _machine() or not words[1].isdecimal():
        return False
    began = _began(int(words[1]))
    return not _alive(int(words[1])) or (bool(began) and began != words[2])


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _machine() -> str:
    """What tells this system, since it was started, from all others; in a container of its own, the container."""
    told = [socket.gethostname()]
    with contextlib.suppress(OSError):
        told.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        told.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256(" ".join(told).encode()).hexdigest()[:16]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(process) != "Z"


def _stat(process: int) -> list[str]:
    """The fields of /proc/<process>/stat behind the name, where there is such a file."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return []


def _state(process: int) -> str:
    return next(iter(_stat(process)), "")


def _began(process: int) -> str:
    """When a process began, in ticks since the machine did; empty where that cannot be told."""
    fields = _stat(process)
    return fields[19] if len(fields) > 19 else ""
