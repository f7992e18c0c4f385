# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings that never end, and the outages that are seen in them."""

from __future__ import annotations

import bisect
import contextlib
import dataclasses
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.testbed.testbed import Server

PROGRAM = Path(__file__).with_name("_pinger.py")


@dataclasses.dataclass(frozen=True)
class Answer:
    """A request that was answered. sent, answered: seconds of CLOCK_MONOTONIC."""

    number: int
    sent: float
    answered: float


@dataclasses.dataclass(frozen=True)
class Outage:
    """From when the last ping was sent that was answered, to when the first was sent that was answered again. lost: how many between."""

    begin: float
    end: float
    lost: int


def outages(answers: Sequence[Answer], since: float) -> list[Outage]:
    """The gaps among the answers to what was sent after that moment; the answers are in the order of their numbers."""
    found = []
    for before, after in itertools.pairwise(answers):
        if after.number > before.number + 1 and after.sent > since:
            found.append(Outage(before.sent, after.sent, after.number - before.number - 1))
    return found


class Pinger:
    """One process in a network namespace, which pings all its targets. targets: name of the way -> address."""

    def __init__(self, server: Server, namespace: str, targets: Mapping[str, str], folder: Path, interval: float = 0.01) -> None:
        """namespace: a path, as the server sees it."""
        self.names = list(targets)
        self.interval = interval
        self._answers: dict[str, list[Answer]] = {name: [] for name in self.names}
        self._rest = ""
        self._file = folder / f"pings-{time.monotonic_ns()}.txt"
        inside = ["nsenter", f"--net={namespace}", sys.executable, "-S", "-E", str(PROGRAM), str(round(interval * 1000))]
        with self._file.open("w") as output:
            self._process = subprocess.Popen(server.entering([*inside, *targets.values()]), stdout=output, stdin=subprocess.DEVNULL)
        self._reader = self._file.open()

    def read(self) -> None:
        """Take in what was written since. Answers that came out of order are put in order."""
        text = self._rest + self._reader.read()
        whole, _newline, self._rest = text.rpartition("\n")
        for line in whole.splitlines():
            target, number, sent, answered = map(int, line.split())
            known = self._answers[self.names[target]]
            one = Answer(number, sent / 1e9, answered / 1e9)
            if known and known[-1].number >= number:
                bisect.insort(known, one, key=lambda answer: answer.number)
            else:
                known.append(one)

    def of(self, way: str) -> list[Answer]:
        self.read()
        return self._answers[way]

    def since(self, way: str, moment: float) -> list[Answer]:
        """The last answer to what was sent before that moment, and all later ones."""
        answers = self.of(way)
        return answers[max(0, bisect.bisect_left(answers, moment, key=lambda one: one.sent) - 1) :]

    def outages(self, way: str, since: float) -> list[Outage]:
        return outages(self.since(way, since), since)

    def well(self, way: str, calm: float) -> bool:
        """Whether everything was answered in the last so many seconds, which are as many as a slow pinger needs to tell."""
        now = time.monotonic()
        late = max(0.1, 4 * self.interval)
        calm = max(calm, late)
        answers = self.since(way, now - calm)
        return len(answers) > 2 and answers[0].sent <= now - calm and answers[-1].sent > now - late and not outages(answers, now - calm)

    def forget(self) -> None:
        """Let go of all but the last answers."""
        self.read()
        for answers in self._answers.values():
            del answers[:-5]

    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(10)
        self._reader.close()
        self._file.unlink(missing_ok=True)


class Pings:
    """All pingers of a lab, asked by the name of the way."""

    def __init__(self) -> None:
        self.pingers: dict[str, Pinger] = {}

    def add(self, pinger: Pinger) -> None:
        self.pingers.update(dict.fromkeys(pinger.names, pinger))

    def remove(self, ways: Sequence[str]) -> None:
        for pinger in {self.pingers.pop(way) for way in ways if way in self.pingers}:
            pinger.stop()

    def outages(self, way: str, since: float) -> list[Outage]:
        return self.pingers[way].outages(way, since)

    def well(self, way: str, calm: float) -> bool:
        return self.pingers[way].well(way, calm)

    def wait(self, ways: Sequence[str], calm: float = 0.2, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while sick := [way for way in ways if not self.well(way, calm)]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {seconds:.0f} s there is still no answer on {', '.join(sick)}")
            time.sleep(0.02)

    def forget(self) -> None:
        for pinger in set(self.pingers.values()):
            pinger.forget()

    @contextlib.contextmanager
    def running(self) -> Iterator[Pings]:
        try:
            yield self
        finally:
            for pinger in set(self.pingers.values()):
                pinger.stop()
