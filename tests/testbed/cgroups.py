# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes are found through control groups, never through pid files: nothing that was started can get lost.

The tree below the tracking root is C(altb/<testbed>/<server>/<daemon>), and C(altb/<testbed>/<server>/docker/<id>) for containers.
Processes are only ever in leaves, as the unified hierarchy demands.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.testbed.paths import PREFIX

MOUNT = Path("/sys/fs/cgroup")
RUN = "run"


def tracking_root() -> Path:
    """The hierarchy in which processes are looked up: the unified one, or one of the old ones that Docker uses too."""
    if (MOUNT / "cgroup.controllers").exists():
        return MOUNT
    for name in ("pids", "freezer", "cpu", "systemd"):
        if (MOUNT / name / "cgroup.procs").exists():
            return MOUNT / name
    raise RuntimeError(f"no control group hierarchy is mounted on {MOUNT}")


def _roots() -> list[Path]:
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    return sorted({path.parent for path in MOUNT.glob("*/cgroup.procs")})


def make(*parts: str) -> Path:
    path = tracking_root().joinpath(PREFIX, *parts)
    while not path.is_dir():
        with contextlib.suppress(FileNotFoundError):  # the end of another testbed removes the common top
            path.mkdir(parents=True, exist_ok=True)
    return path


def docker_parent(*parts: str) -> str:
    return "/" + "/".join((PREFIX, *parts, "docker"))


def _walk(path: Path) -> Iterator[Path]:
    for top, _dirs, _files in os.walk(path, topdown=False):
        yield Path(top)


def pids(*parts: str) -> list[int]:
    """All processes at or below a group, over all hierarchies."""
    found: set[int] = set()
    for root in _roots():
        for group in _walk(root.joinpath(PREFIX, *parts)):
            with contextlib.suppress(OSError):
                found.update(int(word) for word in (group / "cgroup.procs").read_text().split())
    return sorted(found)


def comm(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def parent(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def lineage(pid: int) -> list[int]:
    """The process and its ancestors."""
    line = []
    while pid > 0:
        line.append(pid)
        pid = parent(pid)
    return line


def _namespaces(pid: int) -> set[str]:
    found = set()
    for kind in ("net", "mnt"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
    return found


def _marks(*parts: str) -> set[str]:
    """The namespaces that are a testbed's own. What C(run) started is left out: it lives in its caller's mount namespace."""
    marks: set[str] = set()
    for group in _walk(tracking_root().joinpath(PREFIX, *parts)):
        if group.name != RUN:
            with contextlib.suppress(OSError):
                marks.update(*(_namespaces(int(pid)) for pid in (group / "cgroup.procs").read_text().split()))
    return marks - _namespaces(1) - _namespaces(os.getpid())


def _inside(marks: set[str]) -> set[int]:
    if not marks:
        return set()
    return {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _namespaces(int(path.name)) & marks}


def kill(*parts: str, timeout: float = 20.0) -> None:
    """End every process of a group and every other one in their namespaces; this process and its ancestors step out instead."""
    ours = set(lineage(os.getpid()))
    marks = _marks(*parts)
    deadline = time.monotonic() + timeout
    while members := (set(pids(*parts)) | _inside(marks)) - ours:
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(members)} of {'/'.join(parts)} do not end; look at /proc/PID/stack of one of them")
        time.sleep(0.02)
    for pid in set(pids(*parts)) & ours:
        (tracking_root() / "cgroup.procs").write_text(str(pid))


def remove(*parts: str, timeout: float = 10.0) -> None:
    """Remove the groups of all hierarchies; those of processes that have just died are busy for a moment.

    A process that was on its way into a group while the others were ended (of an C(up) that was killed) is ended too.
    """
    deadline = time.monotonic() + timeout
    for root in _roots():
        for group in _walk(root.joinpath(PREFIX, *parts)):
            while group.exists():
                try:
                    group.rmdir()
                except OSError:
                    if time.monotonic() > deadline:
                        raise
                    kill(*parts)
                    time.sleep(0.02)
        with contextlib.suppress(OSError):
            (root / PREFIX).rmdir()
