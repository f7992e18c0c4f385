# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The first stage of the containers: what has to go goes, and sandboxes are made and started. The ports come after it."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils import _files
from ansible_collections.archetype.lab.plugins.module_utils import _ownership as marks
from ansible_collections.archetype.lab.plugins.module_utils._container_model import ContainersPlan, NodePlan
from ansible_collections.archetype.lab.plugins.module_utils._container_work import Worker, ended
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._parallel import attempt

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

STOP_TIMEOUT = 10


def apply_sandboxes(server: Server, found: ContainersPlan) -> list[LabError]:
    """Stop and remove what has to go, then make and start sandboxes. One error per object that failed."""
    worker = Worker(server, found)
    with worker.collecting():
        _clear_nodes(worker)
        _drop(worker)
        worker.on_nodes(worker.alive(worker.plan.nodes, _renewed), lambda one: _make_sandbox(worker, one))
        _verify_sandboxes(worker, worker.alive(worker.plan.nodes, _renewed))
    return worker.errors


def _renewed(node: NodePlan) -> bool:
    return node.sandbox != "keep"


def _clear_nodes(worker: Worker) -> None:
    """Nodes leave their namespace before their sandbox does."""

    def clear(node: NodePlan) -> None:
        if node.node == "recreate":
            worker.docker.remove(node.want.name)
        elif node.node == "restart":
            worker.docker.kill(node.want.name)
        else:
            worker.docker.stop(node.want.name, timeout=STOP_TIMEOUT)

    worker.on_nodes(worker.alive(worker.plan.nodes, lambda one: one.node in ("recreate", "restart", "stop")), clear)


def _drop(worker: Worker) -> None:
    """Nodes and sandboxes that are wanted no more, and what was delivered for them."""
    found = worker.plan
    worker.errors += attempt(found.drop_nodes + found.drop_sandboxes, worker.docker.remove)
    worker.errors += attempt(found.drop_folders, lambda node: _files.remove(found.lab, node))
    try:
        found.journal.forget(found.forget)
    except LabError as error:
        worker.errors.append(error)
    if found.drop_folders or found.forget:
        _files.remove_empty(found.lab)
    _change_volumes(worker)


def _change_volumes(worker: Worker) -> None:
    """Volumes with the lab's mark go with what is in them. One that was there before is nobody's: it is used, and stays."""
    found = worker.plan
    worker.errors += attempt(found.drop_volumes, worker.docker.remove_volume)
    worker.errors += attempt(found.make_volumes, lambda name: worker.docker.create_volume(name, {marks.LAB: found.lab}))


def _make_sandbox(worker: Worker, node: NodePlan) -> None:
    name = node.want.sandbox
    if node.sandbox == "recreate":
        worker.docker.remove(name)
    if node.sandbox == "restart":
        worker.docker.kill(name)
    if node.sandbox in ("create", "recreate"):
        worker.docker.create(name, spec.sandbox_config(worker.plan.lab, node.want, ipv6=worker.plan.have.ipv6))
    worker.docker.start(name)


def _verify_sandboxes(worker: Worker, nodes: t.Sequence[NodePlan]) -> None:
    containers = worker.docker.inspect([one.want.sandbox for one in nodes]) if nodes else {}
    for one in nodes:
        box = containers.get(one.want.sandbox)
        if box is None or not box.running:
            worker.fail(one, ended(worker, "sandbox", one.want.sandbox, one.want.node, box))
