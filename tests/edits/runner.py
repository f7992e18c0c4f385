# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply edits to a lab that runs, while every link that an edit does not name is pinged, and judge each."""

from __future__ import annotations

import dataclasses
import itertools
import shutil
import time
from collections.abc import Callable, Iterator

import pytest

from tests.edits import generator, judge, observed
from tests.edits.generator import Edit
from tests.edits.topology import Link, Topology, first
from tests.integration.acceptance import Lab, Run, World
from tests.integration.pings import Ping

LAB = "edits"
INTERVAL = 0.02
Say = Callable[[str], None]


@dataclasses.dataclass
class Outcome:
    """One edit, applied. problems: empty when all was as it must be."""

    number: int
    edit: Edit
    seconds: float = 0.0
    changes: int = 0
    links: int = 0
    pings: int = 0
    problems: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        told = (
            f"{self.number:3} {self.edit.text}: {self.changes} changes, {self.links} links pinged {self.pings} times, {self.seconds:.1f} s"
        )
        return "\n    ".join([f"{told}: {'WRONG' if self.problems else 'ok'}", *self.problems])


class Runner:
    """A lab on its way through edits. spare: empty servers for fresh deployments; without them its own are cleared for that."""

    def __init__(self, world: World, seed: str, spare: World | None = None) -> None:
        self.world = world
        self.spare = spare
        self.seed = seed
        self.topology = first(LAB, [one.name for one in world.testbed.servers])
        self.tags: judge.Tags = {}

    def run(self, count: int, *, fresh: int, start: int = 1, say: Say = print) -> list[Outcome]:
        """Edits number C(start) to C(count). After every C(fresh)th, and at the end, the lab is compared with a fresh deployment."""
        steps = list(itertools.islice(generator.edits(self.topology, self.seed), count))
        for _edit, passed in steps[: start - 1]:
            self.topology = passed
        self.world.forget(LAB)
        self._note(self.world.deploy(self.lab(self.world, self.topology)).green())
        outcomes = []
        for number, (edit, after) in enumerate(steps[start - 1 :], start):
            outcome = Outcome(number, edit)
            began = time.monotonic()
            try:
                self._apply(outcome, after)
                if number % fresh == 0 or number == count:
                    outcome.problems += self._compare(after)
            except (AssertionError, pytest.fail.Exception) as error:
                outcome.problems.append(str(error))
            self.topology = after
            outcome.seconds = time.monotonic() - began
            outcomes.append(outcome)
            say(str(outcome))
        self.world.forget(LAB)
        return outcomes

    def lab(self, world: World, topology: Topology) -> Lab:
        """Its files, as a user would have edited them."""
        folder = world.folder / LAB
        folder.mkdir(exist_ok=True)
        return Lab(folder / f"{LAB}.lab.yml", topology.document()).write(management=False, **topology.options())

    def _apply(self, outcome: Outcome, after: Topology) -> None:
        edit, before = outcome.edit, self.topology
        links = edit.named_by_tags(after, self.tags)
        quiet = judge.quiet(before, after, edit, links)
        lab = self.lab(self.world, after)
        with Pings(self.world, lab, after, quiet) as pings:
            said = self.world.check(lab)
            done = self.world.deploy(lab)
            again = self.world.deploy(lab)
        tags = _tags(done.green())
        changes = done.changes()
        outcome.changes, outcome.links, outcome.pings = sum(map(len, changes.values())), len(quiet), pings.sent
        outcome.problems += [
            *judge.mispredicted(said.changes(), changes),
            *judge.unnamed(changes, edit, links, before, after),
            *judge.untouched(changes, edit, links, before, after),
            *judge.wrong_tags(after, tags, self.tags),
            *pings.problems,
        ]
        if again.green().changed or any(again.changes().values()):
            outcome.problems.append(f"the second run changed something: {again.changes()}")
        self._note(done)

    def _note(self, run: Run) -> None:
        self.tags = _tags(run)

    def _compare(self, after: Topology) -> Iterator[str]:
        """With the same file, deployed where nothing of it is."""
        have = observed.observe(self.world, LAB)
        world = self.spare or self.world
        world.forget(LAB)
        shutil.rmtree(world.folder / LAB, ignore_errors=True)
        made = world.deploy(self.lab(world, after)).green()
        yield from judge.wrong_tags(after, _tags(made), {})
        yield from (f"not as deployed afresh: {line}" for line in observed.different(have, observed.observe(world, LAB)))
        if self.spare:
            self.spare.forget(LAB)
        else:
            self._note(made)


class Pings:
    """Pings along links while something happens. problems: what was lost, and where."""

    def __init__(self, world: World, lab: Lab, topology: Topology, links: list[Link]) -> None:
        self.pings = []
        for link in links:
            node, address = link.nodes[0], link.address(1)
            self.pings.append(Ping(world, topology.nodes[node].server, f"{lab.container(node)}-sandbox", address, INTERVAL))
        self.sent = 0
        self.problems: list[str] = []

    def __enter__(self) -> Pings:
        deadline = time.monotonic() + 15
        while not all(one.begun() for one in self.pings) and time.monotonic() < deadline:
            time.sleep(0.02)
        return self

    def __exit__(self, *_error: object) -> None:
        for one in self.pings:
            one.stop()
        self.sent = sum(one.sent for one in self.pings)
        for one in self.pings:
            try:
                one.check(at_least=50)
            except AssertionError as error:
                self.problems.append(str(error))


def _tags(run: Run) -> judge.Tags:
    return {one["key"]: one["tags"] for one in run.report["links"]}
