# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two controllers at the same time: two labs are deployed, edited and destroyed on three servers, beside a third that must not notice.

C(make two-labs ROUNDS=20) runs many rounds. Ranges of tags are so small that plans of the two are in each other's way in most rounds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.integration.acceptance import SERVERS, Json, Lab, Run, World, addressed, lock_of, make_lab
from tests.integration.lab_server import LabServer
from tests.integration.pings import pinging
from tests.testbed.testbed import Server

ROUNDS = int(os.environ.get("TWO_LABS_ROUNDS", "1"))
SEED = int(os.environ.get("TWO_LABS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
TAGS = {"cross": [3000, 3011], "local": [100, 107]}
FEW = {"cross": [3100, 3103], "local": [110, 111]}
"""As many as the links of two labs need, and not one more."""
NODES = {"a": "srv1", "b": "srv2", "c": "srv3", "d": "srv1"}
LINKS = [("a:eth1", "b:eth1"), ("b:eth2", "c:eth1"), ("a:eth2", "d:eth1"), ("c:eth2", "d:eth2")]
EDITED = [*LINKS[1:], ("a:eth3", "c:eth3")]


def two_labs(world: World, first: str, second: str, **options: Any) -> tuple[Lab, Lab]:
    """The same topology twice: nodes of the same names on the same servers."""
    one, two = (make_lab(world.folder / name, name, NODES, LINKS, **{"tags": TAGS, **options}) for name in (first, second))
    return one, two


@pytest.fixture(scope="module")
def bystander(world: World) -> Iterator[Lab]:
    """A lab that is there all the time, and that nobody touches."""
    world.forget("bystander")
    nodes = {
        "x": addressed("srv1", "10.9.0.1/24", "10.9.1.1/24"),
        "y": addressed("srv2", "10.9.0.2/24"),
        "z": addressed("srv3", "10.9.1.3/24"),
    }
    lab = make_lab(world.folder / "bystander", "bystander", nodes, [("x:eth1", "y:eth1"), ("x:eth2", "z:eth1")], tags=TAGS)
    world.deploy(lab).green()
    yield lab
    world.forget("bystander")


@contextlib.contextmanager
def undisturbed(world: World, lab: Lab) -> Iterator[None]:
    ways = [("srv1", f"{lab.container('x')}-sandbox", address) for address in ("10.9.0.2", "10.9.1.3")]
    with pinging(world, *ways, interval=0.05):
        yield


@dataclasses.dataclass
class Had:
    """What labs have on a server, each with whose it is."""

    tags: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    vnis: list[tuple[int, str]] = dataclasses.field(default_factory=list)
    names: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    macs: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def had(server: Server, labs: Sequence[str]) -> Had:
    """As the server itself says it, of each lab on its own."""
    found = Had()
    for lab in labs:
        observed: Json = LabServer(server).module("lab_info", lab=lab, server=server.name)["observed"]
        for port in observed["ports"]:
            found.tags += [(port["tag"], lab)] if port["tag"] is not None else []
            found.names.append((port["name"], lab))
            found.macs.append((port["mac"], lab))
        for tunnel in observed["tunnels"]:
            found.tags += [(tag, lab) for tag in [tunnel["tag"], *(one["tag"] for one in tunnel["links"])] if tag is not None]
            found.names.append((tunnel["name"], lab))
            found.vnis.append((tunnel["vni"], lab))
    return found


def shared(pairs: Sequence[tuple[Any, str]]) -> dict[Any, set[str]]:
    """What several labs have."""
    owners: dict[Any, set[str]] = {}
    for value, lab in pairs:
        owners.setdefault(value, set()).add(lab)
    return {value: labs for value, labs in owners.items() if len(labs) > 1}


def see_no_clash(world: World, *labs: Lab) -> None:
    names = [lab.name for lab in labs]
    everywhere = world.each(lambda server: had(server, names))
    for server, one in everywhere.items():
        assert {lab for _tag, lab in one.tags} == {*names}, f"{server} has not all labs: {one}"
        assert not shared(one.tags), f"tags on {server}"
        assert not shared(one.vnis), f"VNIs on {server}"
        assert not shared(one.names), f"names on {server}"
    assert not shared([pair for one in everywhere.values() for pair in one.vnis]), "VNIs of the underlay"
    assert not shared([pair for one in everywhere.values() for pair in one.macs]), "MAC addresses"


def at_once(world: World, playbook: str, labs: Sequence[Lab], shift: float) -> list[Run]:
    """Two controllers, the second of which begins so many seconds later."""
    commands = [world.command(playbook, lab, *(["-e", f"lab={lab.name}"] if playbook == "destroy_lab" else [])) for lab in labs]
    with ThreadPoolExecutor(len(commands)) as pool:
        runs = []
        for command in commands:
            runs.append(pool.submit(world.carry_out, *command))
            time.sleep(shift)
        return [run.result() for run in runs]


def plans_again(runs: Sequence[Run]) -> int:
    return sum(any(one["task"] == "Plan again" for one in run.results) for run in runs)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_two_labs_are_deployed_edited_and_destroyed_at_once(world: World, bystander: Lab, number: int) -> None:
    chance = random.Random(f"{SEED} {number}")
    shifts = [chance.uniform(0, 3) for _phase in range(3)]
    mode = chance.choice(["per_link", "shared"])
    names = [f"twin-{side}-{number:03}" for side in "ab"]
    one, two = two_labs(world, *names, overlay_mode=mode, management=number % 3 == 2)
    times = [time.monotonic()]
    again = []
    try:
        with undisturbed(world, bystander):
            for links, shift in zip((LINKS, EDITED), shifts, strict=False):
                for lab in (one, two):
                    lab.topology["topology"]["links"] = [{"endpoints": list(ends)} for ends in links]
                    lab.write()
                runs = at_once(world, "deploy_lab", chance.sample([one, two], 2), shift)
                for run in runs:
                    assert len(run.green().links()) >= len(links)
                again.append(plans_again(runs))
                see_no_clash(world, one, two, bystander)
                times.append(time.monotonic())
            for run in at_once(world, "destroy_lab", chance.sample([one, two], 2), shifts[-1]):
                run.ok()
            times.append(time.monotonic())
    finally:
        seconds = ", ".join(f"{end - begin:.1f}" for begin, end in itertools.pairwise(times))
        told = f"seed {SEED}, {mode}, shifts {', '.join(f'{one:.2f}' for one in shifts)} s"
        print(f"\nround {number}: {told}; deploy, edit, destroy in {seconds} s; planned again {again}")
    for name in names:
        assert world.traces(name) == {}
    assert not world.locked()


@contextlib.contextmanager
def paused(world: World, lab: Lab, after: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A controller that stands still, for as long as this lasts, when its run has a result of this task; with the file of its results."""
    run, results = world.start("deploy_lab", lab)
    try:
        deadline = time.monotonic() + 120
        while f'"task": "{after}"' not in results.read_text():
            assert time.monotonic() < deadline, f"the run did not come to {after}"
            time.sleep(0.01)
        os.killpg(run.pid, signal.SIGSTOP)
        yield run, results
    finally:
        os.killpg(run.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
def pair(world: World) -> Iterator[tuple[Lab, Lab]]:
    """Two labs, and not one tag to spare, so that both choose the same ones. Nothing of them is there."""
    world.forget("first", "second")
    yield two_labs(world, "first", "second", tags=FEW)
    world.forget("first", "second")


def test_a_plan_that_was_overtaken_is_made_again(world: World, pair: tuple[Lab, Lab]) -> None:
    one, two = pair
    with paused(world, one, "Plan") as (run, results):
        world.deploy(two).green()
    assert run.wait(120) == 0
    found = [json.loads(line) for line in results.read_text().splitlines()]
    tasks = [line["task"] for line in found]
    assert tasks.count("Plan again") == 1
    assert tasks.count("Converge") == 2 * len(SERVERS)
    assert next(line["result"]["report"]["ok"] for line in found if line["task"] == "Report")
    see_no_clash(world, one, two)


def test_a_run_that_stands_still_keeps_nobody_from_another_lab(world: World) -> None:
    """It has its lock still. Whoever wants the same lab is told who has it; whoever wants another one does not notice."""
    server = world.server("srv1")

    def converge(lab: str, token: str) -> Json:
        return server.module("lab_converge", declared={"lab": lab, "server": "srv1", "bridge": {}}, owner=f"run {token}", token=token)

    try:
        assert not converge("still", "one").get("failed")
        assert not converge("moving", "two").get("failed")
        refused = converge("still", "three")
        assert [error["type"] for error in refused["errors"]] == ["LockedError"]
        assert refused["lock"]["owner"] == "run one"
        assert world.locked() == ["srv1"]
        assert json.loads(server.run("cat", lock_of("still")))["token"] == "one"
    finally:
        world.forget("still", "moving")
    assert not world.locked()


def test_what_is_declared_is_claimed_though_it_is_not_there(world: World, pair: tuple[Lab, Lab]) -> None:
    """Somebody took all ports and tunnels of a lab off a server: another lab must not be planned with their numbers."""
    one, two = pair
    server = world.server("srv2")
    before = server.module("lab_info", lab=two.name)["observed"]["claims"]
    names = [name for name, row in world.ovs_marks("srv2").items() if row["external_ids"].get("archetype-lab") == one.name]
    assert len(names) >= 2
    for name in names:
        server.run("ovs-vsctl", "del-port", name)
        server.run("ip", "link", "del", name)
    after = server.module("lab_info", lab=two.name)["observed"]["claims"]
    assert {sort: after[sort] for sort in ("tags", "vnis", "devices")} == {sort: before[sort] for sort in ("tags", "vnis", "devices")}
    assert dict.fromkeys(names, f"lab {one.name}").items() <= after["devices"].items()
    server.run("sh", "-c", f"echo '{{' > /var/lib/archetype-lab/{one.name}.json")
    refused = server.module("lab_info", lab=two.name)
    assert refused["failed"]
    assert f"what lab {one.name} is declared to have on this server is not known" in refused["msg"]
