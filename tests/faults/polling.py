# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same faults where nobody listens: a full pass every 60 s. All of them are made within one period, each at a moment of its own."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from tests.faults.measure import TICK, Repair, Row, Watcher, back, judge
from tests.faults.repairers import passing
from tests.faults.scene import Scene
from tests.faults.table import Fault


def measure(scene: Scene, faults: Sequence[Fault], rounds: int, period: float, seed: int = 1) -> list[Row]:
    from tests.faults.run import say

    chance = random.Random(seed)
    found: dict[str, list[Repair]] = {part.name: [] for fault in faults for part in fault.parts}
    with passing(scene, period):
        for number in range(1, rounds + 1):
            say(f"round {number} of {rounds}")
            scene.pings.wait([way for fault in faults for part in fault.parts for way in part.ways], seconds=2 * period)
            for repair in _round(scene, faults, period, chance):
                found[repair.part].append(repair)
    return [Row.of(name, repairs, 0.0) for name, repairs in found.items()]


def _round(scene: Scene, faults: Sequence[Fault], period: float, chance: random.Random) -> list[Repair]:
    """Each fault is made once, at random within a period, and waited for until the passes have repaired it."""
    plan = sorted(((chance.uniform(0, period), fault) for fault in faults), key=lambda one: one[0])
    watcher = Watcher(scene, [part for fault in faults for part in fault.parts], tick=10 * TICK)
    watcher.start()
    begun: dict[str, tuple[float, float]] = {}
    repairs: dict[str, Repair] = {}
    start = time.monotonic()
    limit = start + 3 * period + 60
    try:
        while len(repairs) < sum(len(fault.parts) for fault in faults) and time.monotonic() < limit:
            if plan and time.monotonic() >= start + plan[0][0]:
                _moment, fault = plan.pop(0)
                began = time.monotonic()
                fault.make(scene)
                begun.update({part.name: (began, time.monotonic()) for part in fault.parts})
            for part in (part for fault in faults for part in fault.parts if part.name in begun and part.name not in repairs):
                began, made = begun[part.name]
                if back(scene, part, watcher, made):
                    repairs[part.name] = judge(scene, part, watcher, began, None)
            time.sleep(10 * TICK)
    finally:
        watcher.stop()
    return [repairs.get(part.name, Repair(part.name, None, 0)) for fault in faults for part in fault.parts]
