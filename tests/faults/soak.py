# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An hour of watching a lab of 264 ports on one server, with a random fault every second; and what an idle watcher costs."""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.faults import run
from tests.faults.eye import Eye
from tests.faults.measure import percentile
from tests.faults.repairers import cpu, rss, watching
from tests.faults.scene import NAME, Scene, Way
from tests.faults.table import FIRST, OF_PORTS, OF_TUNNELS, End
from tests.integration.lab_server import LabServer
from tests.testbed.testbed import Testbed

Json = dict[str, Any]
_Made = tuple[str, frozenset[str], Callable[[], None], Callable[[], bool]]
NODES, EACH, FAR = 24, 11, 6
MOST_GROWTH, MOST_GROWTH_KB = 1.05, 1024
"""How much larger the median of the memory may be in the last quarter than in the first one, of measuring and of a few pages."""
MOST_IDLE = 0.01
LAST_REPAIR = 330.0
"""Seconds that the last repairs may take: what failed often waits for up to five minutes."""


def ways() -> list[Way]:
    """Every node of srv1 has 11 ports, 264 in all; 6 of the links lead to the other server."""
    pairs = [(f"h{2 * number}", f"h{(2 * number + 1 + 2 * turn) % NODES}") for turn in range(EACH) for number in range(NODES // 2)]
    inner = [Way(f"link{number}", *ends) for number, ends in enumerate(pairs[: -FAR // 2], 1)]
    ends = [node for pair in pairs[-FAR // 2 :] for node in pair]
    return [*inner, *(Way(f"far{number}", node, "r") for number, node in enumerate(ends, 1))]


@dataclasses.dataclass
class Pending:
    """A fault that was made, of which objects, and what has to be well again."""

    fault: str
    objects: frozenset[str]
    began: float
    good: Callable[[], bool]


class Follower(threading.Thread):
    """Sees how long each fault lasts, through a connection of its own."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seconds: dict[str, list[float]] = {}
        self.pending: list[Pending] = []
        self._guard = threading.Lock()
        self._end = threading.Event()

    def follow(self, one: Pending) -> None:
        with self._guard:
            self.pending.append(one)

    def run(self) -> None:
        while not self._end.wait(0.05):
            with self._guard:
                waiting = list(self.pending)
            for one in [one for one in waiting if one.good()]:
                self.seconds.setdefault(one.fault, []).append(time.monotonic() - one.began)
                with self._guard:
                    self.pending.remove(one)

    def stop(self) -> None:
        self._end.set()
        self.join(10)


class Faults:
    """Random faults of one object each."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.scene = scene
        self.chance = random.Random(seed)
        self.made: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.follower = Follower()
        self.eye = Eye(scene.testbed.server(FIRST))
        self.nodes = [node for node, server in scene.places.items() if server == FIRST]
        self.far = [name for name in scene.ways if name.startswith("far")]

    def one(self) -> None:
        """One fault of what is not broken already: a device that has lost all that tells whose it is would be nobody's."""
        sorts = {"port": self._port, "tunnel": self._tunnel, "node": self._node}
        broken = {name for one in list(self.follower.pending) for name in one.objects}
        for _try in range(100):
            sort = self.chance.choices([*sorts], (0.6, 0.25, 0.15))[0]
            name, touched, make, good = sorts[sort]()
            if broken.isdisjoint(touched):
                break
        began = time.monotonic()
        try:
            make()
        except Exception:  # noqa: BLE001 - of a tool: the object is away
            self.failed[name] += 1
            return
        self.made[name] += 1
        self.follower.follow(Pending(name, touched, began, good))

    def _port(self) -> _Made:
        way = self.chance.choice([*self.scene.ways.values()])
        node = self.chance.choice([node for node in (way.near, way.far) if self.scene.places[node] == FIRST])
        name = self.chance.choice([*OF_PORTS])
        end = End.of(self.scene, way.name, node)
        return name, frozenset({end.port, node}), lambda: OF_PORTS[name](self.scene, end), lambda: self._well(end.port)

    def _tunnel(self) -> _Made:
        one = self.scene.tunnel(self.chance.choice(self.far), FIRST)
        name = self.chance.choice([*OF_TUNNELS])
        return name, frozenset({one["name"]}), lambda: OF_TUNNELS[name](self.scene, FIRST, one), lambda: self._well(one["name"])

    def _node(self) -> _Made:
        node = self.chance.choice(self.nodes)
        container, sandbox = self.scene.container(node), self.scene.sandbox(node)
        name, words = self.chance.choice(
            [
                ("node container killed", ["kill", container]),
                ("node container removed", ["rm", "-f", container]),
                ("sandbox killed", ["kill", sandbox]),
            ]
        )
        server = self.scene.testbed.server(FIRST)

        def good() -> bool:
            return all(self.eye.container(one) is not None for one in (container, sandbox))

        def make() -> None:
            server.run(["docker", *words], check=True)

        return name, frozenset({node}), make, good

    def _well(self, port: str) -> bool:
        return self.eye.port(port) == self.scene.healthy[FIRST, port]


@dataclasses.dataclass(frozen=True)
class Sample:
    at: float
    rss: int
    cpu: float


def growth(samples: Sequence[Sample]) -> tuple[float, float]:
    """The median memory of the first and of the last quarter, after the first tenth, in which it has not made everything once."""
    warm = samples[len(samples) // 10 :]
    quarter = max(1, len(warm) // 4)
    return statistics.median(one.rss for one in warm[:quarter]), statistics.median(one.rss for one in warm[-quarter:])


def repairs(scene: Scene, server: str) -> int:
    """How many changes are in the journal, as far back as it goes."""
    folder = Path(f"{scene.eyes[server].root}/var/log/archetype-lab")
    lines = [line for path in folder.glob(f"{NAME}.jsonl*") for line in path.read_text().splitlines()]
    return sum(len(json.loads(line).get("done") or ()) for line in lines)


def hour(scene: Scene, minutes: float, seed: int) -> Json:
    """Faults for so long, and then the time to repair the last ones."""
    server = scene.testbed.server(FIRST)
    faults = Faults(scene, seed)
    pids = server.pids("watch")
    admins = scene.admins()
    samples: list[Sample] = []
    began = time.monotonic()
    end, step = began + minutes * 60, min(60.0, minutes * 60 / 20)
    faults.follower.start()
    due = began
    while time.monotonic() < end:
        if time.monotonic() >= began + len(samples) * step:
            samples.append(Sample(time.monotonic() - began, rss(server), cpu(server)))
            waiting = len(faults.follower.pending)
            run.say(f"{samples[-1].at / 60:5.1f} min: {samples[-1].rss} kB, {faults.made.total()} faults, {waiting} not repaired yet")
        faults.one()
        due = max(due + 1.0, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
    took = time.monotonic() - began
    used = cpu(server)
    left = settled(scene)
    faults.follower.stop()
    faults.eye.close()
    first, last = growth(samples)
    seconds = [one for some in faults.follower.seconds.values() for one in some]
    return {
        "seconds": took,
        "faults": dict(faults.made),
        "could_not_be_made": dict(faults.failed),
        "journal": repairs(scene, FIRST),
        "repaired_after": {"median": statistics.median(seconds), "p95": percentile(seconds, 0.95), "most": max(seconds)},
        "memory_kb": {"first_quarter": first, "last_quarter": last, "samples": [one.rss for one in samples]},
        "cpu_share": (used - samples[0].cpu) / took,
        "left_broken": left,
        "same_process": server.pids("watch") == pids,
        "admins_untouched": scene.admins() == admins,
        "bystanders_lost": {way: sum(one.lost for one in scene.pings.outages(way, began)) for way in scene.bystanders},
    }


def settled(scene: Scene) -> list[str]:
    """What is still broken after all that waits was tried again."""
    deadline = time.monotonic() + LAST_REPAIR
    while (left := scene.broken()) and time.monotonic() < deadline:
        time.sleep(1)
    return left


def declared(scene: Scene) -> Json:
    """What a deployment would still change, and what its proof says of each link."""

    def check(name: str) -> Any:
        done = LabServer(scene.testbed.server(name)).module("lab_converge", check_mode=True, declared=scene.slices[name])
        return [done["msg"]] if done.get("failed") else done["changes"]

    changes = {name: check(name) for name in scene.slices}
    proof = scene.world.play("certify_lab", scene.lab)
    links = Counter(state for state, _reason in proof.links().values()) if proof.results else Counter()
    return {"changes": changes, "links": dict(links), "proven": proof.rc == 0}


def idle(scene: Scene, seconds: float) -> Json:
    """What the watcher uses while nothing happens, with full passes among it."""
    server, eye = scene.testbed.server(FIRST), scene.eyes[FIRST]
    time.sleep(min(20.0, seconds))
    number, used, began = eye.next_cfg(), cpu(server), time.monotonic()
    time.sleep(seconds)
    share = (cpu(server) - used) / (time.monotonic() - began)
    return {"seconds": seconds, "cpu_share": share, "writes": (eye.next_cfg() or 0) - (number or 0), "rss_kb": rss(server)}


def scenes(testbed: Testbed, folder: Path) -> Iterator[Scene]:
    places = {**{f"h{number}": FIRST for number in range(NODES)}, "r": testbed.servers[-1].name}
    with Scene(testbed, folder, places, ways(), interval=0.1, quiet=True).deployed() as scene:
        yield scene


def measure(scene: Scene, what: str, minutes: float, seed: int) -> Json:
    ports = sum(1 for one in scene.slices[FIRST]["ports"])
    with watching(scene.testbed):
        quiet = idle(scene, min(180.0, minutes * 60))
        run.say(f"idle: {quiet}")
        found: Json = {"what": what, "ports": ports, "idle": quiet}
        ok = quiet["cpu_share"] < MOST_IDLE and not quiet["writes"]
        if what == "idle":
            return {**found, "ok": ok}
        found["soak"] = hour(scene, minutes, seed)
        found["after"] = declared(scene)
    one = found["soak"]
    memory = one["memory_kb"]
    steady = memory["last_quarter"] <= MOST_GROWTH * memory["first_quarter"] + MOST_GROWTH_KB
    whole = not one["left_broken"] and not any(found["after"]["changes"].values()) and found["after"]["proven"]
    others = one["admins_untouched"] and not any(one["bystanders_lost"].values())
    return {**found, "ok": bool(ok and steady and whole and others and one["same_process"])}


def main(options: argparse.Namespace) -> Json:
    with run.servers(options.name, 2, keep=options.keep, prepared=options.prepared) as testbed, tempfile.TemporaryDirectory() as folder:
        for scene in scenes(testbed, Path(folder)):
            found = measure(scene, options.what, options.minutes, options.seed)
    print(json.dumps(found, indent=2))
    return found
