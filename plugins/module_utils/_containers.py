# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The layer of containers: sandboxes, the nodes that join them, their delivered files and their exec commands.

It is carried out in two stages, because the ports come between them: C(apply_sandboxes), then the ports layer, then
C(apply_nodes), so that a node's interfaces are there, with their exact names, before its first process runs.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._container_holds import foreseen
from ansible_collections.archetype.lab.plugins.module_utils._container_model import ContainersPlan, NodePlan, State
from ansible_collections.archetype.lab.plugins.module_utils._container_nodes import apply_nodes
from ansible_collections.archetype.lab.plugins.module_utils._container_plan import plan
from ansible_collections.archetype.lab.plugins.module_utils._container_read import HaveContainers, read
from ansible_collections.archetype.lab.plugins.module_utils._container_sandboxes import apply_sandboxes
from ansible_collections.archetype.lab.plugins.module_utils._container_work import check_interfaces, no_interface
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

__all__ = [
    "ContainersPlan",
    "ContainersResult",
    "HaveContainers",
    "NodePlan",
    "apply_nodes",
    "apply_sandboxes",
    "converge",
    "describe",
    "foreseen",
    "names_of",
    "plan",
    "read",
    "stopped",
]


@dataclass
class ContainersResult(LayerResult):
    sandboxes: list[dict[str, t.Any]] = field(default_factory=list)

    def to_result(self, name: str, *, diff: bool) -> dict[str, t.Any]:
        try:
            return {**super().to_result(name, diff=diff), "sandboxes": self.sandboxes}
        except PartialResult as error:
            error.result["sandboxes"] = self.sandboxes
            raise


def describe(containers: t.Mapping[str, DockerContainer], lab: str, want: t.Sequence[Container]) -> list[dict[str, t.Any]]:
    """The observed state of these nodes; status is C(absent) where there is no container.

    sandbox: the container whose network namespace the node has. The server's own has no name, and always runs.
    done: the node was to end by itself, and did.
    """

    def status(name: str) -> str:
        found = containers.get(name)
        return found.status if found else "absent"

    return [
        {
            "lab": lab,
            "name": one.name,
            "sandbox": one.namespace_of,
            "node": one.node,
            "kind": one.kind,
            "image": one.image,
            "status": status(one.name),
            "sandbox_status": status(one.namespace_of) if one.namespace_of else "running",
            "started_at": containers[one.name].started_at if one.name in containers else "",
            "done": one.hold == "exit" and one.name in containers and containers[one.name].exit_code == 0,
        }
        for one in want
    ]


def names_of(want: t.Iterable[Container]) -> list[str]:
    """The containers that these nodes consist of, and those that they join."""
    return [name for one in want for name in (one.name, one.namespace_of) if name]


def stopped(found: ContainersPlan, doubted: t.Collection[str] = ()) -> frozenset[str]:
    """Nodes that do not run, and that nobody is about to start. doubted: those whose start failed, so that it is to be seen first."""
    there = found.have.containers
    asked = (one.want for one in found.nodes if not one.run or one.want.node in doubted)
    return frozenset(one.node for one in asked if not (one.name in there and there[one.name].running))


# -- all or part of it ----------------------------------------------------------------------------------------------


def converge(
    server: Server,
    lab: str,
    want: t.Sequence[Container],
    *,
    state: State = "started",
    prune: bool = False,
    check_mode: bool = False,
) -> ContainersResult:
    """The whole layer without the ports between its stages: these must be there for what is to be started."""
    have = read(server, lab, want)
    found = plan(want, have, lab=lab, state=state, prune=prune)
    raise_all(_lacking_interfaces(server, found))
    errors = foreseen(found) if check_mode else []
    containers = have.containers
    if not check_mode and found.busy:
        errors = apply_sandboxes(server, found)
        errors += apply_nodes(server, found)
        try:
            containers = server.docker.inspect(names_of(want))
        except LabError as error:
            errors.append(error)
    objects = describe(containers, lab, want)
    own = {one.node for one in want if one.owns_sandbox}
    sandboxes = [{"name": one["sandbox"], "node": one["node"], "status": one["sandbox_status"]} for one in objects if one["node"] in own]
    return ContainersResult(found.changes, errors, objects, sandboxes)


def _lacking_interfaces(server: Server, found: ContainersPlan) -> list[LabError]:
    """Nodes that would be started without an interface they declare, told before anything is touched."""
    asked = [one for one in found.nodes if one.starts and one.want.interfaces]
    kept = [one for one in asked if one.sandbox == "keep"]
    errors = [no_interface(one, one.want.interfaces) for one in asked if one.sandbox != "keep"]
    return errors + check_interfaces(server, kept, found.have.containers)
