# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module alone, killed on one server at random points of its work: many cases in the time that one playbook takes.

A point is a part of the processor time that it uses after it has taken the server for itself, so that the same seed means the same step on
a slow machine and on a fast one, as far as that can be. The other server of the lab is not there: one half of each link is.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan
from tests.edits.observed import different
from tests.integration.acceptance import HOST, Lab, World, make_lab
from tests.integration.lab_server import DRIVER, LabServer
from tests.kills import story
from tests.kills.points import ABSENT, EDITED, OPERATIONS
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server

WORK = "/run/archetype-lab/work"
FAULTS = ("tunnel", "port", "sandbox")
"""Those of C(story.break_it) that are on the first server."""
TICK = os.sysconf("SC_CLK_TCK")
Json = dict[str, Any]


class Modules:
    """One server, with half of the lab on it. wholes: operation -> what it has then. used: operation -> seconds before it, and in all."""

    def __init__(self, world: World, seed: str) -> None:
        self.world = world
        self.seed = seed
        self.server: Server = world.testbed.servers[0]
        self.box = LabServer(self.server)
        self.labs = story.topologies(world)
        self.slices = {state: self._slice(lab) for state, lab in self.labs.items()}
        self.wholes: dict[str, Json] = {}
        self.used: dict[str, tuple[float, float]] = {}

    @contextlib.contextmanager
    def beside_others(self) -> Iterator[Modules]:
        """With another lab and an admin's things on the server."""
        story.clear(self.world)
        lab = make_lab(self.world.folder / "other", story.NEIGHBOUR, {"x": "srv1", "y": "srv1"}, [("x:eth1", "y:eth1")])
        assert not self.box.module("lab_converge", declared=self._slice(lab), owner="other", token="other").get("failed")
        self.server.run(["sh", "-c", story.ADMIN, "admin", HOST], check=True)
        try:
            yield self
        finally:
            story.clear(self.world)

    def run(self, numbers: Collection[int], *, say: Callable[[str], None] = print) -> list[str]:
        """What was wrong, a text for each case in which something was."""
        self._learn()
        wrong = []
        for number in numbers:
            chance = random.Random(f"{self.seed}:module:{number}")
            operation = list(OPERATIONS)[(number - 1) % len(OPERATIONS)]
            part, faults = chance.random(), sorted(chance.sample(FAULTS, 2))
            began = time.monotonic()
            title = f"module case {number}: {operation}, killed after {part:.3f} of its work"
            try:
                self._go_to(OPERATIONS[operation][0])
                told = self._killed(operation, part, faults)
                problems = list(self._complete(operation))
            except AssertionError as error:
                told, problems = "", [str(error)]
            say("\n    ".join([f"{title}{told}, {time.monotonic() - began:.1f} s: {'WRONG' if problems else 'ok'}", *problems]))
            if problems:
                wrong.append(title)
                self._done("destroy")
        return wrong

    def _slice(self, lab: Lab) -> Json:
        """What the first server is declared to have, planned as for servers on which nothing is."""
        addresses = {"srv1": self.server.address, "srv2": self.server.config.address(2)}
        made = make_plan(load_lab_file(str(lab.file)), {name: ServerFacts(address) for name, address in addresses.items()}, {})
        return dict(made["slices"]["srv1"])

    def _arguments(self, operation: str) -> tuple[str, Json]:
        run = {"owner": "kills", "token": "kills"}
        if operation == "reconcile":
            return "lab_reconcile", {"lab": story.LAB, **run}
        after = OPERATIONS[operation][1]
        return "lab_converge", {**({"lab": story.LAB, "state": "absent"} if after == ABSENT else {"declared": self.slices[after]}), **run}

    def _done(self, operation: str) -> Json:
        name, arguments = self._arguments(operation)
        found = self.box.module(name, **arguments)
        assert not found.get("failed"), f"{operation} failed: {found.get('msg')}"
        return found

    def _state(self, state: str) -> Json:
        found: Json = {"others": story.others(self.server), "traces": story.traces_on(self.server)}
        return found if state == ABSENT else {**found, "lab": story.of_lab(self.server)}

    def _learn(self) -> None:
        """Each operation undisturbed, once round: what it leads to, and what it costs."""
        self._done("destroy")
        for operation, (_before, after) in OPERATIONS.items():
            if operation == "reconcile":
                self._break(FAULTS)
            self.used[operation] = self._watched(operation, 1e9)
            assert not self._done(operation)["changed"], f"{operation} that nobody disturbed is not done at once"
            self.wholes[operation] = self._state(after)
        self.now = ABSENT

    def _go_to(self, wanted: str) -> None:
        while self.now != wanted:
            following = next(one for one, (before, _after) in OPERATIONS.items() if before == self.now and one != "reconcile")
            self._done(following)
            self.now = OPERATIONS[following][1]

    def _break(self, faults: Collection[str]) -> None:
        for fault in faults:
            story.break_it(self.world, self.labs[EDITED], fault)

    def _killed(self, operation: str, part: float, faults: Collection[str]) -> str:
        if operation == "reconcile":
            self._break(faults)
        before, whole = self.used[operation]
        _worked, used = self._watched(operation, before + part * (whole - before))
        wrong = f" with {', '.join(faults)} wrong" if operation == "reconcile" else ""
        return f"{wrong} ({used:.2f} s, its work was {before:.2f}-{whole:.2f} s)"

    def _complete(self, operation: str) -> Iterator[str]:
        self._done(operation)
        after = self.now = OPERATIONS[operation][1]
        if self._done(operation)["changed"]:
            yield "the second call changed something"
        yield from different(self.wholes[operation], self._state(after))

    def _watched(self, operation: str, limit: float) -> tuple[float, float]:
        """Run it, and kill it when it has used so many seconds of a processor. Those that it had used before its work, and in all."""
        name, arguments = self._arguments(operation)
        given = {"module": name, "args": {**arguments, "_ansible_check_mode": False, "_ansible_diff": False}}
        line = self.server.entering(["env", f"PYTHONPATH={ROOT}/collections", sys.executable, "-c", DRIVER])
        worked = used = 0.0
        with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True) as module:
            if module.stdin is None:
                raise AssertionError("a process without the input that was asked for")
            module.stdin.write(json.dumps(given))
            module.stdin.close()
            while module.poll() is None:
                used = _used(module.pid) or used
                if not worked and _works(module.pid):
                    worked = used
                if used >= limit:
                    module.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.002)
        return worked, used


def _used(pid: int) -> float:
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    return 0.0


def _works(pid: int) -> bool:
    """Whether it has taken the server for itself."""
    with contextlib.suppress(OSError):
        return any(os.readlink(one) == WORK for one in Path(f"/proc/{pid}/fd").iterdir())
    return False
