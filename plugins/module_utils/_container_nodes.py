# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The second stage of the containers: files are delivered, nodes made and started, wave after wave, and their commands run.

A wave begins when every node of all earlier ones is as it is to be: it runs and its commands have run, and where somebody waits for that
it is healthy, or has ended. Where one of them is not, the nodes of later waves that wait for it are not started.
"""

from __future__ import annotations

import time
import typing as t
from itertools import groupby

from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils import _files
from ansible_collections.archetype.lab.plugins.module_utils._container_holds import wait_for_end, wait_for_health
from ansible_collections.archetype.lab.plugins.module_utils._container_model import ContainersPlan, NodePlan
from ansible_collections.archetype.lab.plugins.module_utils._container_steps import run_made, run_steps
from ansible_collections.archetype.lab.plugins.module_utils._container_work import Worker, check_interfaces, ended
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._waves import BROKEN, NOT_STARTED, in_turn

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

SETTLE = 0.5
"""Seconds for which a node must have run before it is called running."""

Containers = t.Mapping[str, DockerContainer]


def apply_nodes(
    server: Server,
    found: ContainersPlan,
    *,
    wave: int | None = None,
    blocked: t.Mapping[str, str] | None = None,
    after: int | None = None,
    waits: bool = True,
) -> list[LabError]:
    """Deliver files, make and start nodes, run their commands, and see that they stay. One error per object that failed.

    wave: nodes of later waves are left alone, all are done without it. blocked: nodes that failed in an earlier wave, with the reason:
    they are not tried again, and who waits for one of them is not started. after: the wave up to which all was done already.
    waits: whether what takes its time is waited for; otherwise it is left to the next run, in C(found.coming), and delays are left out.
    """
    worker = Worker(server, found, waits=waits)
    before = dict(blocked or {})
    found.failed.update(one.want.name for one in found.nodes if one.want.node in before)
    with worker.collecting():
        for number in found.waves():
            if not in_turn(number, wave, after):
                continue
            nodes = [one for one in found.of_wave(number) if one.want.node not in before]
            worker.refuse(nodes, {**before, **found.unmet})
            for one in worker.alive(nodes):
                if one.stuck is not None:
                    worker.fail(one, one.stuck, NOT_STARTED)
            _do_wave(worker, nodes)
            found.unmet.update({one.want.node: worker.told(one) for one in nodes if one.want.name in found.failed})
            found.unmet.update({one.want.node: one.idle for one in nodes if one.idle})
    found.put_off |= worker.put_off
    if worker.broken:
        found.unmet.update({one.want.node: BROKEN for one in found.nodes if one.want.node not in {**before, **found.unmet}})
    return worker.errors


def _do_wave(worker: Worker, nodes: t.Sequence[NodePlan]) -> None:
    if not worker.alive(nodes, lambda one: one.busy):
        return
    order = worker.plan.order
    begun = time.monotonic()
    started: float | None = None

    starting = {one.want.name for one in nodes if one.starts}

    def place(one: NodePlan) -> tuple[int, int]:
        return (order.delay(one.want.name, starting) if one.starts else 0, order.depth(one.want.name))

    for (delay, _depth), group in groupby(sorted(nodes, key=place), place):
        batch = worker.alive(group, lambda one: one.node != "keep" or bool(one.commands))
        if batch:
            if worker.waits:
                time.sleep(max(0.0, begun + delay - time.monotonic()))
            _make_batch(worker, batch)
            started = time.monotonic() if worker.alive(batch, lambda one: one.starts) else started
            run_steps(worker, worker.alive(batch), "made", "started")
    _verify_nodes(worker, nodes, started)
    _hold(worker, nodes)


def _hold(worker: Worker, nodes: t.Sequence[NodePlan]) -> None:
    """Until all of them are healthy, or have ended, where that is waited for; with the commands that come then."""
    wait_for_health(worker, worker.alive(nodes, lambda one: one.awaits_health))
    run_steps(worker, worker.alive(nodes), "healthy")
    wait_for_end(worker, worker.alive(nodes, lambda one: one.awaits_end))
    run_steps(worker, worker.alive(nodes), "ended")


def _make_batch(worker: Worker, batch: t.Sequence[NodePlan]) -> None:
    boxes = worker.docker.inspect([one.want.namespace_of for one in batch if one.want.namespace_of])
    for error in check_interfaces(worker.server, [one for one in batch if one.starts and one.want.interfaces], boxes):
        worker.plan.failed.update(error.objects)
        worker.errors.append(error)
    worker.on_nodes(worker.alive(batch, lambda one: one.node != "keep"), lambda one: _make_node(worker, one, boxes))


def _make_node(worker: Worker, node: NodePlan, boxes: Containers) -> None:
    lab = worker.plan.lab
    _follows(worker, node)
    _files.deliver(lab, node.want.node, node.deliver)
    _files.discard(lab, node.want.node, node.discard)
    if node.node in ("create", "recreate"):
        around = _around(worker, node, boxes)
        worker.docker.create(node.want.name, spec.node_config(lab, node.want, _files.digests_of(node.want), around))
        _verify_made(worker, node, around)
    if node.starts:
        run_made(worker, node)
        worker.docker.start(node.want.name)


def _follows(worker: Worker, node: NodePlan) -> None:
    """A node that joins another one is not started without it."""
    lost = [name for name in worker.plan.order.leaders(node.want) if name in worker.plan.failed]
    if lost:
        raise ApplyError(
            f"node {node.want.node} is not started: it joins container {', '.join(lost)}, which failed",
            hint="mend that; the next run goes on here",
            objects=(node.want.name,),
        )


def _around(worker: Worker, node: NodePlan, boxes: Containers) -> spec.Surroundings:
    """What a node joins, now that it is there."""
    want = node.want
    leader = worker.plan.order.process_leader(want)
    there = {**boxes, **(worker.docker.inspect([leader]) if leader else {})}
    for name in (want.namespace_of, leader):
        if name and name not in there:
            raise _gone(name, node)
    network = there[want.namespace_of].id if want.namespace_of else "host"
    pid_mode = f"container:{there[leader].id}" if leader else want.pid_mode
    return spec.Surroundings(network, pid_mode, worker.plan.have.cgroupns)


def _gone(name: str, node: NodePlan) -> LabError:
    return VerifyError(
        f"container {name} of node {node.want.node} is gone right after it was made",
        hint="look who removes it",
        objects=(node.want.name,),
    )


def _verify_made(worker: Worker, node: NodePlan, around: spec.Surroundings) -> None:
    """Docker drops what the kernel cannot do; a node that is not what was declared is not started."""
    want = node.want
    made = worker.docker.inspect([want.name]).get(want.name)
    image = worker.plan.have.images.get(want.image)
    if made is None or image is None:
        raise _gone(want.name, node)
    observed = spec.observed_node(made)
    if observed["sandbox"] == want.namespace_of:
        observed["sandbox"] = around.network
    differences = spec.compare(observed, spec.wanted_node(worker.plan.lab, want, image, around))
    if differences:
        told = ", ".join(f"{name} is {have!r}, not {wanted!r}" for name, (have, wanted) in differences.items())
        raise VerifyError(
            f"Docker did not take what container {want.name} of node {want.node} declares: {told}",
            hint="this server's kernel or Docker cannot do it; declare it otherwise",
            objects=(want.name,),
        )


def _verify_nodes(worker: Worker, wave: t.Sequence[NodePlan], begun: float | None) -> None:
    """Every node that is to run does so a moment later, in the namespace of its sandbox. begun: when the last was started."""
    nodes = worker.alive(wave, lambda one: one.run)
    if begun is not None:
        time.sleep(max(0.0, begun + SETTLE - time.monotonic()))
    containers = worker.docker.inspect([name for one in nodes for name in (one.want.name, one.want.namespace_of) if name])
    for one in nodes:
        container, box = containers.get(one.want.name), containers.get(one.want.namespace_of)
        if one.want.namespace_of and (box is None or not box.running):
            worker.fail(one, ended(worker, "sandbox", one.want.sandbox, one.want.node, box))
        elif one.want.hold == "exit" and container is not None and container.exit_code == 0:
            continue
        elif container is None or not container.running:
            worker.fail(one, ended(worker, "container", one.want.name, one.want.node, container))
        elif box is not None and container.netns_id != box.netns_id:
            worker.fail(one, _detached(one))


def _detached(node: NodePlan) -> LabError:
    return VerifyError(
        f"node {node.want.node} does not run in the network namespace of its sandbox {node.want.sandbox}, which was restarted meanwhile",
        hint="run again",
        objects=(node.want.name,),
    )
