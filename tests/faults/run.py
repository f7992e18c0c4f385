# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fault table: every fault, again and again, one after the other, while the watcher repairs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.faults import own, show
from tests.faults.measure import NotSeenError, Once, Repair, Row, once
from tests.faults.scene import Scene, Way
from tests.faults.table import FAULTS, PLACES, Fault, ways
from tests.integration import acceptance
from tests.testbed import fixtures, guest, images
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

LIMIT = 1.0


def say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def servers(name: str, count: int, *, keep: bool, prepared: bool = False) -> Iterator[Testbed]:
    """A testbed as prepare_servers leaves it. prepared: it is up, and was prepared before."""
    testbed = Testbed(name)
    if prepared:
        yield testbed
        return
    testbed.up(servers=count)
    try:
        images.ensure(testbed, ["host", "sandbox"])
        for server in testbed.servers:
            guest.install(server)
        fixtures.run_playbook(testbed, ROOT / "playbooks" / "prepare_servers.yml").ok()
        yield testbed
    finally:
        if not keep:
            testbed.down()


@contextlib.contextmanager
def scene_on(testbed: Testbed, folder: Path, faults: Sequence[Fault], interval: float = 0.01) -> Iterator[Scene]:
    """The lab with what these faults need of it."""
    needed = {way for fault in faults for part in fault.parts for way in part.ways}
    chosen: list[Way] = [way for way in ways() if way.name in needed]
    nodes = {node for way in chosen for node in (way.near, way.far)}
    if {fault.name for fault in faults} & {"dockerd restarted", "server rebooted"}:
        chosen, nodes = ways(), set(PLACES)
    places = {node: server for node, server in PLACES.items() if node in nodes}
    with Scene(testbed, folder, places, chosen, interval).deployed() as scene:
        yield scene


@dataclasses.dataclass
class Measured:
    rows: list[Row]
    losses: dict[str, dict[str, int]]
    touched: list[str]

    def ok(self, limit: float) -> bool:
        return not self.losses and not self.touched and all(row.beyond < limit and not row.never for row in self.rows)


def measured(scene: Scene, fault: Fault, runs: int, chance: random.Random) -> tuple[dict[str, list[Repair]], Counter[str]]:
    """A fault, made so often. What was not repaired in time is mended by a deployment, so that the next one can be made."""
    found: dict[str, list[Repair]] = {part.name: [] for part in fault.parts}
    losses: Counter[str] = Counter()
    unseen = 0
    while min(len(one) for one in found.values()) < runs:
        try:
            done = once(scene, fault)
        except NotSeenError as error:
            unseen += 1
            say(f"{error}: it was made, and nobody saw it")
            if unseen <= 3:
                continue
            done = Once([Repair(part.name, None, 0) for part in fault.parts], {})
        losses.update(done.losses)
        for repair in done.repairs:
            found[repair.part].append(repair)
            if repair.seconds is None:
                say(f"{repair.part}: not repaired within {fault.patience:.0f} s")
        if any(repair.seconds is None for repair in done.repairs):
            scene.mend()
        time.sleep(chance.uniform(0.3, 0.9))
    return found, losses


def measure(scene: Scene, faults: Sequence[Fault], runs: int, mine: Mapping[str, float], seed: int = 1) -> Measured:
    """All of them. mine: what objects need by themselves, measured by hand."""
    result = Measured([], {}, [])
    chance = random.Random(seed)
    for fault in faults:
        admins = scene.admins()
        scene.listen([way for part in fault.parts for way in part.ways])
        found, losses = measured(scene, fault, runs, chance)
        for part in fault.parts:
            row = Row.of(part.name, found[part.name], mine.get(part.own, 0.0))
            result.rows.append(row)
            say(show.table([row], LIMIT).splitlines()[-1])
        if losses:
            result.losses[fault.name] = dict(losses)
        if not fault.down and scene.admins() != admins:
            result.touched.append(f"{fault.name}: {admins} -> {scene.admins()}")
    return result


def run(scene: Scene, faults: Sequence[Fault], runs: int) -> tuple[Measured, dict[str, float]]:
    """By hand first, with nobody watching; then with the watchers."""
    from tests.faults.repairers import watching

    wanted = {part.own for fault in faults for part in fault.parts if part.own}
    mine = own.by_hand(scene, sorted(wanted))
    say("by hand: " + ", ".join(f"{name or 'nothing'} {seconds:.2f} s" for name, seconds in mine.items()))
    with watching(scene.testbed):
        return measure(scene, faults, runs, mine), mine


def chosen(names: str) -> list[Fault]:
    """The faults of these names (or beginnings of them), in the table's order; all, when there are none."""
    words = [word.strip() for word in names.split(",") if word.strip()]
    unknown = [word for word in words if not any(name.startswith(word) for name in FAULTS)]
    if unknown:
        raise SystemExit(f"there is no fault {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    return [fault for name, fault in FAULTS.items() if not words or any(name.startswith(word) for word in words)]


def about() -> dict[str, Any]:
    from tests.benchmark.__main__ import machine

    return {**machine(), "load_after": round(os.getloadavg()[0], 1), "servers_of_testbed": len(acceptance.SERVERS)}
