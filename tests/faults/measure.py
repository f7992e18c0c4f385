# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one fault and measure until it is repaired."""

from __future__ import annotations

import dataclasses
import math
import statistics
import threading
import time
from collections.abc import Sequence

from tests.faults.pings import Outage
from tests.faults.scene import Scene
from tests.faults.table import Fault, Part

CALM = 0.5
"""Seconds for which pings must be answered before an outage counts as over: a repair may come in steps."""
TICK = 0.01


@dataclasses.dataclass
class Seen:
    """What was seen of the state of something that is asked every 10 ms: when it was first not good, and since when it is good again."""

    bad: float | None = None
    good: float | None = None


class Watcher(threading.Thread):
    """Asks for the state of all parts, over and over."""

    def __init__(self, scene: Scene, parts: Sequence[Part], tick: float = TICK) -> None:
        super().__init__(daemon=True)
        self.scene = scene
        self.parts = [part for part in parts if part.good is not None]
        self.seen = {part.name: Seen() for part in self.parts}
        self.tick = tick
        self._end = threading.Event()

    def run(self) -> None:
        while not self._end.is_set():
            for part in self.parts:
                asked = time.monotonic()
                good = part.good is not None and part.good(self.scene)
                one = self.seen[part.name]
                if not good:
                    one.bad = one.bad or asked
                    one.good = None
                elif one.good is None:
                    one.good = time.monotonic()
            self._end.wait(self.tick)

    def stop(self) -> None:
        self._end.set()
        self.join(30)


@dataclasses.dataclass(frozen=True)
class Repair:
    """seconds: from the fault (or from the daemons being back) to the first ping that came back, or to the state that is as declared.

    None: it was not repaired in time. lost: pings.
    """

    part: str
    seconds: float | None
    lost: int


class NotSeenError(Exception):
    """A fault that was made and that nobody saw: neither a lost ping nor another state."""


def back(scene: Scene, part: Part, watcher: Watcher, since: float) -> bool:
    """Whether everything of it is well, and has been for a moment."""
    state = watcher.seen.get(part.name)
    now = time.monotonic()
    if state is not None and (state.good is None or now - state.good < CALM / 2):
        return False
    return now > since + CALM and all(scene.pings.well(way, min(CALM, now - since)) for way in part.ways)


def judge(scene: Scene, part: Part, watcher: Watcher, began: float, base: float | None) -> Repair:
    """Of a part that is well again."""
    found: list[Outage] = [one for way in part.ways for one in scene.pings.outages(way, began)]
    state = watcher.seen.get(part.name)
    seen = state is not None and state.bad is not None and state.bad >= began
    starts = [one.begin for one in found] + ([state.bad] if seen and state and state.bad else [])
    ends = [one.end for one in found] + ([state.good] if seen and state and state.good else [])
    if not starts:
        raise NotSeenError(part.name)
    first = base if base is not None else max(began, min(starts))
    return Repair(part.name, max(0.0, max(ends) - first), sum(one.lost for one in found))


@dataclasses.dataclass
class Once:
    """What became of a fault that was made once. losses: bystanders that lost pings."""

    repairs: list[Repair]
    losses: dict[str, int]


def once(scene: Scene, fault: Fault) -> Once:
    ways = [way for part in fault.parts for way in part.ways]
    scene.pings.forget()
    scene.pings.wait([*ways, *scene.bystanders], calm=0.3, seconds=60)
    if fault.down:
        scene.stop_pings(fault.down)
    watcher = Watcher(scene, fault.parts)
    began = time.monotonic()  # what is to be started anew is not as it should be from the first look on
    watcher.start()
    try:
        base = fault.make(scene)
        made = time.monotonic()
        deadline = made + fault.patience
        waiting = list(fault.parts)
        while waiting and time.monotonic() < deadline:
            waiting = [part for part in waiting if not back(scene, part, watcher, made)]
            time.sleep(TICK)
    finally:
        watcher.stop()
    repairs = [Repair(part.name, None, 0) if part in waiting else judge(scene, part, watcher, began, base) for part in fault.parts]
    losses = {} if fault.everybody else {way: sum(one.lost for one in scene.pings.outages(way, began)) for way in scene.bystanders}
    if fault.down:
        scene.rebooted(fault.down)
    return Once(repairs, {way: lost for way, lost in losses.items() if lost})


def percentile(values: Sequence[float], part: float) -> float:
    """The nearest rank: at least this part of all values is not greater."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table. own: what the object needs by itself; beyond: p95 without that; never: how often it was not repaired."""

    name: str
    runs: int
    never: int
    least: float
    median: float
    p95: float
    most: float
    own: float
    beyond: float
    lost: int

    @classmethod
    def of(cls, name: str, repairs: Sequence[Repair], own: float) -> Row:
        seconds = [one.seconds for one in repairs if one.seconds is not None]
        never = len(repairs) - len(seconds)
        values = seconds + [math.inf] * never
        p95 = percentile(values, 0.95)
        lost = round(statistics.median(one.lost for one in repairs))
        return cls(name, len(values), never, min(values), statistics.median(values), p95, max(values), own, max(0.0, p95 - own), lost)
