# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill runs at the points of their cases, let the same playbook run once more, and see that nothing tells of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edits.observed import different
from tests.integration.acceptance import Lab, Run, World
from tests.integration.pings import Ping
from tests.kills import story
from tests.kills.points import ABSENT, EDITED, FAULTS, JITTER, OPERATIONS, PLAYBOOKS, Case, Length, case
from tests.testbed import cgroups
from tests.testbed.testbed import Server

PATIENCE = 150.0
"""Seconds that a run may need which waits for what a killed one left at work."""

Say = Callable[[str], None]


@dataclasses.dataclass
class Outcome:
    """One case. killed: when it was, and how the run ended where it went on. late: it had ended before anything was killed.

    problems: empty when nothing tells of it any more.
    """

    case: Case
    killed: str = ""
    seconds: float = 0.0
    late: bool = False
    problems: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        told = f"{self.case} ({self.killed}), {self.seconds:.1f} s"
        return "\n    ".join([f"{told}: {'WRONG' if self.problems else 'ok'}", *self.problems])


class Runner:
    """The lab in one state after the other. wholes: operation -> what the servers have when nobody disturbed it.

    second: after so many cases the playbook that completed one runs once more, and must change nothing. What is equal to what another run
    changed nothing of would be left alone too.
    """

    def __init__(self, world: World, seed: str, operations: Collection[str] = tuple(OPERATIONS), second: int = 1) -> None:
        self.world = world
        self.second = second
        self.seed = seed
        self.operations = tuple(operations)
        self.labs = story.topologies(world)
        self.lengths: dict[str, Length] = {}
        self.wholes: dict[str, Any] = {}
        self.now = ABSENT

    @contextlib.contextmanager
    def beside_others(self) -> Iterator[Runner]:
        """With another lab and an admin's things on the servers, none of which may be touched or lose a ping."""
        story.clear(self.world)
        ping = Ping(self.world, *story.neighbours(self.world))
        try:
            yield self
        finally:
            ping.stop()
            story.clear(self.world)
        ping.check()

    def run(self, numbers: Collection[int], *, say: Say = print) -> list[Outcome]:
        outcomes = []
        for number in numbers:
            outcome = Outcome(case(self.seed, number, self.operations))
            began = time.monotonic()
            try:
                self._prepare(outcome.case.operation)
                began = time.monotonic()
                self._kill(outcome)
                outcome.problems += self._complete(outcome.case.operation, again=number % self.second == 0)
            except (AssertionError, pytest.fail.Exception, subprocess.TimeoutExpired) as error:
                outcome.problems.append(str(error))
            outcome.seconds = time.monotonic() - began
            if outcome.problems:
                self._start_over()
            outcomes.append(outcome)
            say(str(outcome))
        return outcomes

    def _lab(self, state: str) -> Lab:
        """A lab that is to go is destroyed by its last file."""
        return self.labs[EDITED if state == ABSENT else state]

    def _prepare(self, operation: str) -> None:
        """Have the state that it begins with, and know what it leads to and how long it takes: by doing it once undisturbed."""
        before = OPERATIONS[operation][0]
        if operation not in self.lengths:
            self._go_to(before)
            self._undisturbed(operation)
        self._go_to(before)

    def _go_to(self, wanted: str) -> None:
        while self.now != wanted:
            self._undisturbed(next(one for one in self.operations if OPERATIONS[one][0] == self.now and one != "reconcile"))

    def _undisturbed(self, operation: str) -> None:
        after = OPERATIONS[operation][1]
        if operation == "reconcile":
            self._break(FAULTS)
        began = time.monotonic()
        run = self._play(operation)
        length = Length(time.monotonic() - began, len(run.results))
        self.lengths.setdefault(operation, length)
        self.now = after
        if operation not in self.wholes:
            self.wholes[operation] = story.state(self.world, after)

    def _play(self, operation: str) -> Run:
        after = OPERATIONS[operation][1]
        run = self.world.play(PLAYBOOKS[operation], self._lab(after))
        if after == ABSENT:
            run.ok()
        else:
            run.green()
        return run

    def _complete(self, operation: str, *, again: bool) -> Iterator[str]:
        """The same playbook once more, and again: what is wrong then."""
        after = OPERATIONS[operation][1]
        self._play(operation)
        self.now = after
        if again:
            yield from self._changed_again(operation)
        yield from different(self.wholes[operation], story.state(self.world, after))
        yield from (f"{server} is locked" for server in self.world.locked())
        yield from (f"process {pid} of the run is there still: {_told(pid)}" for pid in self._controllers())

    def _break(self, faults: Collection[str]) -> None:
        for fault in faults:
            story.break_it(self.world, self._lab(self.now), fault)

    def _changed_again(self, operation: str) -> Iterator[str]:
        changed = self._play(operation).changed
        if changed:
            yield f"the second run changed {changed} results"

    def _start_over(self) -> None:
        self.world.forget(story.LAB)
        self.now = ABSENT

    # killing

    def _kill(self, outcome: Outcome) -> None:
        one = outcome.case
        self._break(one.faults)
        length = self.lengths[one.operation]
        run, results = self.world.start(PLAYBOOKS[one.operation], self._lab(OPERATIONS[one.operation][1]))
        began = time.monotonic()
        try:
            if one.event:
                enough = one.results(length)
                _wait(lambda: run.poll() is not None or len(results.read_text().splitlines()) >= enough, 60)
                time.sleep(one.jitter * JITTER)
            else:
                time.sleep(one.seconds(length))
            if one.victim == "module":
                self._kill_module(outcome, run)
            elif run.poll() is not None:
                outcome.late = True
            else:
                (os.kill if one.victim == "main process" else os.killpg)(run.pid, signal.SIGKILL)
            told = len(results.read_text().splitlines())
            ended = "" if run.poll() is None else f", it had ended with {run.returncode}" if run.returncode >= 0 else ""
            outcome.killed = (
                f"{time.monotonic() - began:.2f} s after it began, with {told} of {length.results} results{outcome.killed}{ended}"
            )
            code = run.wait(PATIENCE)
            if one.victim == "module" and code >= 0:
                outcome.killed += f", it ended with {code}"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait(10)

    def _kill_module(self, outcome: Outcome, run: subprocess.Popen[str]) -> None:
        """What runs on the server now, or the next that does. The run itself goes on, and gives its locks back."""
        server = self.world.testbed.servers[outcome.case.server]
        victims: list[int] = []
        while run.poll() is None and not victims:
            victims = _modules(server)
            time.sleep(0.005)
        outcome.killed, outcome.late = f", {len(victims)} processes of it", not victims
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _controllers(self) -> list[int]:
        """What is left of runs on the controller, but for the connections of SSH, which are kept for the next run."""
        _wait(lambda: not self._left(), 5)
        return self._left()

    def _left(self) -> list[int]:
        return [pid for pid in cgroups.pids(self.world.testbed.name, cgroups.RUN) if "ansible" in _told(pid)]


def _modules(server: Server) -> list[int]:
    """The processes of Python below the server's sshd: what Ansible runs there."""
    found = []
    for pid in cgroups.pids(server.config.name, server.name, "sshd"):
        with contextlib.suppress(OSError):
            if "python" in Path(f"/proc/{pid}/exe").readlink().name:
                found.append(pid)
    return found


def _told(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def _wait(question: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not question() and time.monotonic() < deadline:
        time.sleep(0.01)
