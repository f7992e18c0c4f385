# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Waiting until nodes are what the next wave, or their own next commands, need: healthy, or ended by themselves."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._container_model import ContainersPlan, NodePlan
from ansible_collections.archetype.lab.plugins.module_utils._container_settings import health_limit
from ansible_collections.archetype.lab.plugins.module_utils._container_work import Worker, cut, ended
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, VerifyError

POLL = 0.5
"""Seconds between two looks at the nodes that are waited for; all of them are looked at together."""
MARGIN = 10.0
"""Seconds that Docker may be late with its verdict on a node's health."""
END_LIMIT = 600.0
"""Seconds within which a node that is to end has to; nothing tells how long its work takes."""

Verdict = t.Union[bool, LabError]


def wait_for_health(worker: Worker, nodes: t.Sequence[NodePlan]) -> None:
    """Until Docker says of each that it is healthy. One that is not, or ended, fails."""

    def judge(node: NodePlan, found: DockerContainer | None) -> Verdict:
        if found is None or not found.running:
            return ended(worker, "container", node.want.name, node.want.node, found, "before it was healthy")
        return unhealthy(node, found) if found.health == "unhealthy" else found.health == "healthy"

    def limit(found: DockerContainer) -> float:
        return health_limit(found.raw.get("Config") or {}) + MARGIN

    _wait(worker, nodes, judge, limit, "is not healthy")


def wait_for_end(worker: Worker, nodes: t.Sequence[NodePlan]) -> None:
    """Until the process of each has ended, and well."""

    def judge(node: NodePlan, found: DockerContainer | None) -> Verdict:
        if found is not None and found.exit_code == 0:
            return True
        if found is None or not found.running:
            return ended(worker, "container", node.want.name, node.want.node, found, "and was to end with 0")
        return False

    _wait(worker, nodes, judge, lambda _found: END_LIMIT, "has not exited with 0")


def foreseen(found: ContainersPlan) -> list[LabError]:
    """What is wrong now with nodes that are waited for, and that nothing would be done about: for check mode."""
    stuck: list[LabError] = [one.stuck for one in found.nodes if one.stuck is not None]
    there = [(one, found.have.containers.get(one.want.name)) for one in found.nodes if one.opens and one.want.hold == "healthy"]
    return stuck + [unhealthy(one, container) for one, container in there if container is not None and container.health == "unhealthy"]


def unhealthy(node: NodePlan, found: DockerContainer) -> LabError:
    """What Docker has of a node that is not healthy."""
    log = ((found.raw.get("State") or {}).get("Health") or {}).get("Log") or [{}]
    return VerifyError(
        f"node {node.want.node} is {found.health or 'without a verdict on its health'}; its health check ended with exit code"
        f" {log[-1].get('ExitCode')}: {cut(str(log[-1].get('Output') or ''))}",
        hint="look at the node's log and at its health check",
        objects=(node.want.name,),
    )


def _wait(
    worker: Worker,
    nodes: t.Sequence[NodePlan],
    judge: t.Callable[[NodePlan, DockerContainer | None], Verdict],
    limit: t.Callable[[DockerContainer], float],
    reason: str,
) -> None:
    """reason: what those that wait for a node that fails are told."""
    left = list(nodes)
    begun = time.monotonic()
    while left:
        containers = worker.docker.inspect([one.want.name for one in left])
        waited = time.monotonic() - begun
        still = []
        for one in left:
            found = containers.get(one.want.name)
            verdict = judge(one, found)
            if verdict is False and found is not None and waited > limit(found):
                verdict = _too_late(one, found, waited, reason)
            if isinstance(verdict, LabError):
                worker.fail(one, verdict, reason)
            elif not verdict:
                still.append(one)
        left = still
        if left and not worker.waits:
            for one in left:
                worker.leave(one)
            return
        if left:
            time.sleep(POLL)


def _too_late(node: NodePlan, found: DockerContainer, waited: float, reason: str) -> LabError:
    told = f" (Docker says: {found.health})" if found.health else ""
    return VerifyError(
        f"node {node.want.node} {reason}{told} after {waited:.0f} s", hint="look at the node's log", objects=(node.want.name,)
    )
