# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Running the commands of nodes: in the node, or on its server. Each is written down before it begins and when it has ended."""

from __future__ import annotations

import shlex
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _host_command
from ansible_collections.archetype.lab.plugins.module_utils._container_model import NodePlan
from ansible_collections.archetype.lab.plugins.module_utils._container_ready import EXEC_TIMEOUT, NotYetError, time_of, wait_for_log
from ansible_collections.archetype.lab.plugins.module_utils._container_work import Worker, cut
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._steps import BOOT, Step, Time

Containers = t.Mapping[str, DockerContainer]

_NOT_STARTED = 126
"""The exit code of a command that could not be started: it is none, or the node is just ending."""
_ENDING = 0.5
"""Seconds within which Docker knows that a node has ended into which no command could be started any more."""


def run_steps(worker: Worker, nodes: t.Sequence[NodePlan], *times: Time) -> None:
    """The commands of these nodes that are due now; nodes go in parallel, commands in order.

    Each started node begins its boot in the journal, with commands or without.
    """
    due = [one for one in nodes if one.run and (one.starts or bool(one.commands))]
    if not due or not ("started" in times or any(step.time in times for one in due for step in one.commands)):
        return
    there = worker.docker.inspect([name for one in due for name in (one.want.name, one.want.namespace_of) if name])

    def run(node: NodePlan) -> None:
        steps = [step for step in node.commands if step.time in times and not (step.time == "made" and node.starts)]
        boot = begin(worker, node.want, there)
        if boot is None:
            return  # the verification tells why
        for step in steps:
            if step.target == "container" and not there[node.want.name].running:
                _refuse_ended(node.want, step)
            else:
                run_step(worker, node.want, step, boot)

    def run_or_leave(node: NodePlan) -> None:
        try:
            run(node)
        except NotYetError:
            worker.leave(node)

    worker.on_nodes(due, run_or_leave)


def run_made(worker: Worker, node: NodePlan) -> None:
    """The commands that come between making a node and starting it."""
    steps = [step for step in node.commands if step.time == "made"]
    if not steps:
        return
    there = worker.docker.inspect([name for name in (node.want.name, node.want.namespace_of) if name])
    boot = begin(worker, node.want, there)
    if boot is not None:
        for step in steps:
            run_step(worker, node.want, step, boot)


def begin(worker: Worker, want: Container, there: Containers) -> _boots.Boot | None:
    """The node's present boot; None where its network, or the node itself, is not there."""
    container, box = there.get(want.name), there.get(want.namespace_of)
    if container is None or (want.namespace_of and box is None):
        return None
    process = _boots.sandbox_process(box.id, box.started_at) if box else worker.plan.have.network
    return worker.plan.journal.begin(want.node, container.id, process)


def run_step(worker: Worker, want: Container, step: Step, boot: _boots.Boot) -> None:
    """One command. One that may have run already may fail; a node that ended meanwhile is told by whoever verifies it."""
    journal = worker.plan.journal
    if step.moment == BOOT:
        wait_for_log(worker, want)
    journal.started(want.node, step)
    try:
        _execute(worker, want, step)
    except LabError:
        if step.target == "container" and not _runs(worker, want):
            _refuse_ended(want, step)
            return
        if step.digest not in boot.again:
            journal.failed(want.node, step)
            raise
    journal.done(want.node, step)


def _refuse_ended(want: Container, step: Step) -> None:
    """A node that is to end is not told to have ended too early by anybody else."""
    if want.hold == "exit":
        raise ApplyError(
            f"node {want.node} ended before its {step.name} {shlex.join(step.command)} had run",
            hint="give the node a process that lasts until its commands have run",
            objects=(want.name,),
        )


def _runs(worker: Worker, want: Container) -> bool:
    found = worker.docker.inspect([want.name]).get(want.name)
    return bool(found and found.running)


def _execute(worker: Worker, want: Container, step: Step) -> None:
    told = f"{step.name} {shlex.join(step.command)} of node {want.node}"
    if step.target == "container":
        result = worker.docker.execute(want.name, step.command, timeout=time_of(want) if step.moment == BOOT else EXEC_TIMEOUT)
    else:
        told += ", on the server,"
        try:
            result = _host_command.run(step.command, timeout=EXEC_TIMEOUT)
        except LabError as error:
            raise ApplyError(f"{told} failed: {error.message}", hint="correct it under stages", objects=(want.name,)) from error
    if result.exit_code:
        if step.target == "container" and result.exit_code == _NOT_STARTED:
            time.sleep(_ENDING)
        raise ApplyError(
            f"{told} ended with exit code {result.exit_code}: {cut(result.output)}",
            hint="correct it; the next run goes on with this command",
            objects=(want.name,),
        )
