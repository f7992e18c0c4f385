# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes on a Docker in memory, for the tests of what is done with their settings."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils._container_nodes import apply_nodes
from ansible_collections.archetype.lab.plugins.module_utils._container_plan import plan
from ansible_collections.archetype.lab.plugins.module_utils._container_read import read
from ansible_collections.archetype.lab.plugins.module_utils._container_sandboxes import apply_sandboxes
from ansible_collections.archetype.lab.plugins.module_utils._containers import ContainersResult, converge
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, StageCommand
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from ansible_collections.archetype.lab.tests.unit.module_utils.docker_fake import FakeDocker

SECOND = 1_000_000_000
HEALTH = {"Test": ["CMD", "own"], "Interval": 5 * SECOND, "Retries": 2}
IMAGES = {
    spec.SANDBOX_IMAGE: Image("sha256:5a"),
    "plain:1": Image("sha256:11", cmd=("serve",)),
    "full:1": Image("sha256:22", cmd=("serve",), healthcheck=HEALTH, volumes=("/image",)),
}


class NoNet:
    """No interfaces anywhere; none is asked for."""

    def read_netns(self, netns: t.Sequence[str]) -> dict[str, dict[str, object]]:
        return {path: {} for path in netns}

    def close(self) -> None:
        pass


def node(name: str = "r1", **fields: t.Any) -> Container:
    return Container(**{"name": f"demo-{name}", "sandbox": f"demo-{name}.sb", "node": name, "image": "plain:1", **fields})


def stage(stage: str, *command: str, phase: str = "on-enter", target: str = "container") -> StageCommand:
    return StageCommand(stage, command, phase, target)


def server_of(docker: FakeDocker) -> Server:
    return Server(docker=t.cast(t.Any, docker), net=t.cast(t.Any, NoNet()))


def run(docker: FakeDocker, *want: Container, **options: t.Any) -> ContainersResult:
    return converge(server_of(docker), "demo", want, **options)


def run_wave(
    docker: FakeDocker, *want: Container, wave: int, blocked: t.Mapping[str, str] | None = None
) -> tuple[list[str], dict[str, str], list[str]]:
    """One call of several, as the playbook makes them: errors, nodes that cannot be waited for, and what still has to be started."""
    server = server_of(docker)
    found = plan(want, read(server, "demo", want), lab="demo", prune=True)
    errors: list[LabError] = []
    if found.busy:
        errors = apply_sandboxes(server, found)
        errors += apply_nodes(server, found, wave=wave, blocked=blocked)
    return [str(one) for one in errors], found.unmet, found.waiting(wave)


def glance(docker: FakeDocker, *want: Container) -> tuple[list[str], list[str]]:
    """A pass that waits for nobody: its errors, and who is on the way."""
    server = server_of(docker)
    found = plan(want, read(server, "demo", want), lab="demo", prune=True)
    errors: list[LabError] = []
    if found.busy:
        errors = apply_sandboxes(server, found)
        errors += apply_nodes(server, found, waits=False)
    return [str(one) for one in errors], found.coming


def lines(result: ContainersResult) -> list[str]:
    return [change.to_line() for change in result.changes]


def ok(result: ContainersResult) -> list[str]:
    assert [str(one) for one in result.errors] == []
    return lines(result)


def started(docker: FakeDocker) -> list[str]:
    """Nodes in the order in which they were started, since this was last asked."""
    found = [call[1] for call in docker.calls if call[0] == "start" and not call[1].endswith(".sb")]
    docker.calls.clear()
    return found


def executed(docker: FakeDocker) -> list[str]:
    found = [" ".join(call[2:]) for call in docker.calls if call[0] == "execute"]
    docker.calls.clear()
    return found
