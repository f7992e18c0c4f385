# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which run is killed when, and what of it. All of a case follows from the seed and its number, so that it can be run again alone."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Collection

ABSENT, FIRST, EDITED = "absent", "first", "edited"
"""What is declared of the lab: nothing, one file, or what it was edited to."""

OPERATIONS = {
    "deploy": (ABSENT, FIRST),
    "edit": (FIRST, EDITED),
    "reconcile": (EDITED, EDITED),
    "destroy": (EDITED, ABSENT),
}
"""Operation -> the state that it begins with, and the one that it leads to: one after the other, they go round."""

PLAYBOOKS = {"deploy": "deploy_lab", "edit": "deploy_lab", "reconcile": "reconcile_lab", "destroy": "destroy_lab"}

VICTIMS = ("controller", "controller", "main process", "module", "module")
"""All processes of ansible-playbook, that which began alone, or what it runs on a server."""

FAULTS = ("tag", "tunnel", "port", "node", "sandbox")
"""What is wrong before a lab is reconciled."""

JITTER = 0.3
"""Seconds after a result within which the run is killed."""


LAST_MODULE = 0.7
"""How far a run has come when its last module begins, about."""


@dataclasses.dataclass(frozen=True)
class Length:
    """How long an operation takes that nobody disturbs: seconds, and results of tasks."""

    seconds: float
    results: int


@dataclasses.dataclass(frozen=True)
class Case:
    """part: how far the run has come, of 1, by time or by C(event), results of tasks. jitter: of 1, how long after the result.

    server: whose module it is that is killed, as a number from 0.
    """

    number: int
    operation: str
    victim: str
    event: bool
    part: float
    jitter: float
    server: int
    faults: tuple[str, ...] = ()

    def seconds(self, length: Length) -> float:
        """When to kill, by time. After the last module of a run there is none to be killed."""
        return self.part * length.seconds * (LAST_MODULE if self.victim == "module" else 1.0)

    def results(self, length: Length) -> int:
        """After how many results to kill; never after the last."""
        if self.victim == "module":
            return int(self.part * LAST_MODULE * (length.results - 1))
        return min(int(self.part * length.results) + 1, length.results - 1)

    def __str__(self) -> str:
        where = f" on server {self.server + 1}" if self.victim == "module" else ""
        by = "of the results" if self.event else "of the time"
        faults = f" with {', '.join(self.faults)} wrong" if self.faults else ""
        return f"case {self.number}: {self.operation}{faults}, {self.victim}{where} killed after {self.part:.3f} {by}"


def case(seed: str, number: int, operations: Collection[str] = tuple(OPERATIONS), servers: int = 2) -> Case:
    """A case by its number, from 1."""
    chance = random.Random(f"{seed}:{number}")
    operation = tuple(operations)[(number - 1) % len(operations)]
    victim = chance.choice(VICTIMS)
    found = Case(number, operation, victim, chance.random() < 0.5, chance.random(), chance.random(), chance.randrange(servers))
    faults = tuple(sorted(chance.sample(FAULTS, 3)))
    return dataclasses.replace(found, faults=faults) if operation == "reconcile" else found
