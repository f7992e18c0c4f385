# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings that go on while something else happens, and what became of each."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.integration.acceptance import World

_ANSWER = re.compile(r"icmp_seq=(\d+) ttl=\S+ time=", re.MULTILINE)
_SENT = re.compile(r"(\d+) packets transmitted")
_NUMBERS = 1 << 16
"""After so many, ping begins again with 0."""


def counted(numbers: Iterable[int]) -> Counter[int]:
    """Answers by the number of their ping, counted on where ping begins again. One that is late belongs to those before it."""
    found: Counter[int] = Counter()
    last = 0
    for number in numbers:
        ahead = (number - last + _NUMBERS // 2) % _NUMBERS - _NUMBERS // 2
        found[last + ahead] += 1
        last = max(last, last + ahead)
    return found


class Ping:
    """A ping out of a container's network (or a named one's). It is judged after it was stopped."""

    def __init__(self, world: World, server: str, container: str, address: str, interval: float = 0.02) -> None:
        self.title = f"{container} on {server} to {address}"
        self.file = world.folder / f"ping-{time.monotonic_ns()}.txt"
        self.answers: Counter[int] = Counter()
        self.sent = 0
        self.calm = False
        pid = world.server(server).pid(container)
        inside = ["nsenter", f"--net=/proc/{pid}/ns/net", "ping", "-n", "-i", str(interval), address]
        self._stream = self.file.open("w")
        line = world.testbed.server(server).entering(inside)
        self._process = subprocess.Popen(line, stdout=self._stream, stderr=subprocess.STDOUT)

    def answered(self) -> int:
        return len(_ANSWER.findall(self.file.read_text()))

    def begun(self) -> bool:
        return self.answered() >= 5

    def stop(self) -> None:
        """End it after some more answers, so that it is known of all before them whether they were lost or only late."""
        enough = self.answered() + 5
        deadline = time.monotonic() + 5
        while self._process.poll() is None and not self.calm and time.monotonic() < deadline:
            self.calm = self.answered() >= enough
            time.sleep(0.02)
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._process.wait(10)
        self._stream.close()
        text = self.file.read_text()
        self.answers = counted(map(int, _ANSWER.findall(text)))
        told = _SENT.search(text)
        self.sent = int(told.group(1)) if told else 0

    @property
    def lost(self) -> list[int]:
        """The numbers of those that were not answered; the last ones may still have been on their way."""
        end = max(self.answers, default=0) if self.calm else self.sent
        return [number for number in range(1, end + 1) if number not in self.answers]

    @property
    def twice(self) -> list[int]:
        return [number for number, count in self.answers.items() if count > 1]

    def check(self, at_least: int = 4) -> None:
        assert self.sent >= at_least, f"{self.title}: only {self.sent} were sent: {Path(self.file).read_text()[-500:]}"
        assert not self.lost, f"{self.title}: {len(self.lost)} of {self.sent} were lost, from {self.lost[0]} on"
        assert not self.twice, f"{self.title}: {len(self.twice)} of {self.sent} were answered twice"


@contextlib.contextmanager
def pinging(world: World, *ways: tuple[str, str, str], interval: float = 0.02) -> Iterator[list[Ping]]:
    """Ping all these ways (server, container, address) meanwhile, and see that every single one was answered once."""
    pings = [Ping(world, *way, interval=interval) for way in ways]
    try:
        for one in pings:
            world.wait(one.begun, 15, f"{one.title} is answered")
        yield pings
    finally:
        for one in pings:
            one.stop()
    for one in pings:
        one.check()
