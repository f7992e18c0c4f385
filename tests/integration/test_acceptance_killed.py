# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed at any moment, on the controller or on a server: the next one ends green, and nothing is left over."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.acceptance import Lab, World, addressed, lock_of, make_lab
from tests.integration.dumps import namespaces
from tests.testbed import cgroups
from tests.testbed.testbed import Server

NODES = {
    "a": addressed("srv1", "10.10.0.1/24", "10.10.1.1/24", "10.10.2.1/24"),
    "b": addressed("srv2", "10.10.0.2/24", "10.10.3.2/24", binds=["b.conf:/etc/b.conf"]),
    "c": addressed("srv3", "10.10.1.3/24", "10.10.3.3/24"),
    "d": addressed("srv1", "10.10.2.4/24"),
}
LINKS = [("a:eth1", "b:eth1"), ("a:eth2", "c:eth1"), ("a:eth3", "d:eth1"), ("b:eth2", "c:eth2")]
WORK = "/run/archetype-lab/work"


@dataclasses.dataclass(frozen=True)
class Story:
    """What the servers have after a run that nobody disturbed."""

    lab: Lab
    whole: dict[str, dict[str, Any]]


def everything(server: Server) -> dict[str, Any]:
    """The names of all there is; they follow from the topology."""

    def run(*words: str) -> list[str]:
        return sorted(str(server.run(list(words), check=True).stdout).split())

    return {
        "containers": run("docker", "ps", "-a", "--format", "{{.Names}}={{.State}}"),
        "ports": run("ovs-vsctl", "--bare", "--columns=name", "list", "Port"),
        "interfaces": run("ovs-vsctl", "--bare", "--columns=name", "list", "Interface"),
        "devices": run("sh", "-c", "ls /sys/class/net"),
        "files": run("find", "/var/lib/archetype-lab", "-type", "f"),
        "work": [name for name in run("ls", "/run/archetype-lab") if not name.startswith("certify-")],
        "namespaces": namespaces(server),
    }


@pytest.fixture(scope="module")
def story(world: World) -> Iterator[Story]:
    world.forget("killed")
    lab = make_lab(world.folder / "killed", "killed", NODES, LINKS)
    lab.file.with_name("b.conf").write_text("whole\n")
    world.deploy(lab).green()
    yield Story(lab, world.each(everything))
    world.forget("killed")


@pytest.fixture
def moment(world: World, story: Story) -> Iterator[random.Random]:
    """The lab is not there before, and whole afterwards."""
    world.forget("killed")
    yield random.Random()
    world.deploy(story.lab).green()
    assert world.each(everything) == story.whole
    assert not world.locked()


# After how many results of tasks, and within how many seconds then: while converging begins, goes on, and is over; while certifying.
MOMENTS = ((5, 0.3), (5, 1.0), (6, 1.0), (9, 0.5), (12, 0.3))


@pytest.mark.parametrize("number", range(len(MOMENTS)))
def test_after_the_controller_was_killed(world: World, story: Story, moment: random.Random, number: int) -> None:
    """The process of ansible-playbook alone, or with all of its workers; what it began on the servers goes on."""
    results, seconds = MOMENTS[number]
    delay = moment.uniform(0, seconds)
    run, told = world.start("deploy_lab", story.lab)
    world.wait(lambda: len(told.read_text().splitlines()) >= results, 60, "the run came so far")
    time.sleep(delay)
    print(f"killed {delay:.3f} s after result {results}; {len(told.read_text().splitlines())} were there")
    (os.kill if number % 2 else os.killpg)(run.pid, signal.SIGKILL)
    assert run.wait(10) == -signal.SIGKILL


def at_work(server: Server) -> list[int]:
    """The processes of modules that change this server."""
    found = []
    for pid in cgroups.pids(server.config.name, server.name, "sshd"):
        with contextlib.suppress(OSError):
            links = [os.readlink(one) for one in Path(f"/proc/{pid}/fd").iterdir()]
            if WORK in links:
                found.append(pid)
    return found


@pytest.mark.parametrize("number", range(3))
def test_after_the_module_was_killed_on_a_server(world: World, story: Story, moment: random.Random, number: int) -> None:
    """The run sees it, fails, takes the halves back, and tells which server it was."""
    server = world.testbed.servers[number]
    delay = moment.uniform(0, 1.0)
    run, _told = world.start("deploy_lab", story.lab)
    world.wait(lambda: Path(f"{server.place.root}{lock_of('killed')}").exists(), 60, "the run works on the server")
    time.sleep(delay)
    victims = at_work(server)
    print(f"killed {victims} after {delay:.2f} s of work")
    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    code = run.wait(120)
    assert not world.locked()
    assert code != 0 or not victims
