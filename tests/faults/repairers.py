# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who repairs: the watcher of each server; or, to compare with, a full pass every so many seconds and no events."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.scene import NAME, OTHER, Scene
from tests.integration.lab_server import LabServer
from tests.testbed.testbed import Server, Testbed


@contextlib.contextmanager
def watching(testbed: Testbed) -> Iterator[None]:
    """With the watcher of every server. It is ended by whatever ends a server's daemons, too."""
    for server in testbed.servers:
        server.daemon("start", "watch")
    try:
        yield
    finally:
        for server in testbed.servers:
            server.daemon("stop", "watch")


def rss(server: Server) -> int:
    """Kilobytes of memory that the watcher of a server has."""
    return sum(int(_status(pid, "VmRSS")) for pid in server.pids("watch"))


def _status(pid: int, key: str) -> str:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return line.split()[1]
    return "0"


def cpu(server: Server) -> float:
    """Seconds of processor time that it has used, with what it started and waited for."""
    ticks = 0
    for pid in server.pids("watch"):
        with contextlib.suppress(OSError):
            ticks += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


class _Passes(threading.Thread):
    """A full pass over both labs on one server, again and again, by the module."""

    def __init__(self, scene: Scene, server: Server, period: float) -> None:
        super().__init__(daemon=True)
        self.scene = scene
        self.server = LabServer(server)
        self.declared = {lab: scene.kept(server.name, lab) for lab in (NAME, OTHER)}
        self.period = period
        self.ended = threading.Event()

    def run(self) -> None:
        due = time.monotonic()
        while not self.ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + self.period, time.monotonic())
            for lab, declared in self.declared.items():
                with contextlib.suppress(Exception):  # a daemon or the server is away: the next pass finds it back
                    self.server.module("lab_converge", declared=declared, token="passes")
                    self.server.module("lab_state", lab=lab, release="passes")


@contextlib.contextmanager
def passing(scene: Scene, period: float) -> Iterator[None]:
    """With a full pass on every server every I(period) seconds."""
    threads = [_Passes(scene, server, period) for server in scene.testbed.servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for thread in threads:
            thread.ended.set()
        for thread in threads:
            thread.join(60)
