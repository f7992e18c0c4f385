# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The layer of containers: sandboxes, the nodes that join them, their delivered files and their exec commands.

It is carried out in two stages, because the ports come between them: C(apply_sandboxes), then the ports layer, then
C(apply_nodes), so that a node's interfaces are there, with their exact names, before its first process runs.
"""

from __future__ import annotations

import contextlib
import shlex
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _files
from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils._container_plan import (
    ContainersPlan,
    HaveContainers,
    NodePlan,
    State,
    plan,
    read,
)
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, VerifyError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._parallel import attempt
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
    "plan",
    "read",
]

SETTLE = 0.5
"""Seconds for which a node must have run before it is called running."""
STOP_TIMEOUT = 10
EXEC_TIMEOUT = 60.0
LOG_LINES = 10
OUTPUT_LENGTH = 2000


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
    """The observed state of these nodes; status is C(absent) where there is no container."""

    def status(name: str) -> str:
        found = containers.get(name)
        return found.status if found else "absent"

    return [
        {
            "lab": lab,
            "name": one.name,
            "sandbox": one.sandbox,
            "node": one.node,
            "kind": one.kind,
            "image": one.image,
            "status": status(one.name),
            "sandbox_status": status(one.sandbox),
            "started_at": containers[one.name].started_at if one.name in containers else "",
        }
        for one in want
    ]


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
    errors: list[LabError] = []
    containers = have.containers
    if not check_mode and found.changes:
        errors = apply_sandboxes(server, found)
        errors += apply_nodes(server, found)
        try:
            containers = server.docker.inspect([name for one in want for name in (one.name, one.sandbox)])
        except LabError as error:
            errors.append(error)
    objects = describe(containers, lab, want)
    sandboxes = [{"name": one["sandbox"], "node": one["node"], "status": one["sandbox_status"]} for one in objects]
    return ContainersResult(found.changes, errors, objects, sandboxes)


def _lacking_interfaces(server: Server, found: ContainersPlan) -> list[LabError]:
    """Nodes that would be started without an interface they declare, told before anything is touched."""
    asked = [one for one in found.nodes if one.starts and one.want.interfaces]
    kept = [one for one in asked if one.sandbox == "keep"]
    errors = [_no_interface(one, one.want.interfaces) for one in asked if one.sandbox != "keep"]
    return errors + _check_interfaces(server, kept, found.have.containers)


def _no_interface(node: NodePlan, names: t.Iterable[str]) -> LabError:
    return ApplyError(
        f"node {node.want.node} cannot be started: its sandbox {node.want.sandbox} has no interface {', '.join(names)}",
        hint="make its ports first: lab_container with state=present, then ovs_port_vlan, then state=started",
        objects=(node.want.name,),
    )


def _check_interfaces(server: Server, nodes: t.Sequence[NodePlan], containers: t.Mapping[str, DockerContainer]) -> list[LabError]:
    """An error for each node whose sandbox lacks an interface. Raises ReadError."""
    paths = {one.want.name: containers[one.want.sandbox].netns for one in nodes if one.want.sandbox in containers}
    present = server.net.read_netns(sorted({path for path in paths.values() if path})) if nodes else {}
    errors: list[LabError] = []
    for one in nodes:
        devices = present.get(paths.get(one.want.name, ""), {})
        absent = [name for name in one.want.interfaces if name not in devices]
        if absent:
            errors.append(_no_interface(one, absent))
    return errors


class _Worker:
    """Work on the nodes of a plan, in which the failure of a node is remembered, so that later stages leave it out."""

    def __init__(self, server: Server, found: ContainersPlan) -> None:
        self.server = server
        self.docker = server.docker
        self.plan = found
        self.errors: list[LabError] = []

    def alive(self, choose: t.Callable[[NodePlan], bool] = lambda _node: True) -> list[NodePlan]:
        return [one for one in self.plan.nodes if one.want.name not in self.plan.failed and choose(one)]

    def fail(self, node: NodePlan, error: LabError) -> None:
        self.plan.failed.add(node.want.name)
        self.errors.append(error)

    @contextlib.contextmanager
    def collecting(self) -> t.Iterator[None]:
        """An error that ends a stage early is one of its errors; what was done before is not forgotten for it."""
        try:
            yield
        except LabError as error:
            self.errors.append(error)

    def on_nodes(self, nodes: t.Sequence[NodePlan], work: t.Callable[[NodePlan], None]) -> None:
        def one(node: NodePlan) -> None:
            try:
                work(node)
            except LabError:
                self.plan.failed.add(node.want.name)
                raise

        self.errors += attempt(nodes, one)


# -- first stage: sandboxes -----------------------------------------------------------------------------------------


def apply_sandboxes(server: Server, found: ContainersPlan) -> list[LabError]:
    """Stop and remove what has to go, then make and start sandboxes. One error per object that failed."""
    worker = _Worker(server, found)
    with worker.collecting():
        _clear_nodes(worker)
        _drop(worker)
        worker.on_nodes(worker.alive(_renewed), lambda one: _make_sandbox(worker, one))
        _verify_sandboxes(worker, worker.alive(_renewed))
    return worker.errors


def _renewed(node: NodePlan) -> bool:
    return node.sandbox != "keep"


def _clear_nodes(worker: _Worker) -> None:
    """Nodes leave their namespace before their sandbox does."""

    def clear(node: NodePlan) -> None:
        if node.node == "recreate":
            worker.docker.remove(node.want.name)
        elif node.node == "restart":
            worker.docker.kill(node.want.name)
        else:
            worker.docker.stop(node.want.name, timeout=STOP_TIMEOUT)

    worker.on_nodes(worker.alive(lambda one: one.node in ("recreate", "restart", "stop")), clear)


def _drop(worker: _Worker) -> None:
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


def _make_sandbox(worker: _Worker, node: NodePlan) -> None:
    name = node.want.sandbox
    if node.sandbox == "recreate":
        worker.docker.remove(name)
    if node.sandbox == "restart":
        worker.docker.kill(name)
    if node.sandbox in ("create", "recreate"):
        worker.docker.create(name, spec.sandbox_config(worker.plan.lab, node.want, ipv6=worker.plan.have.ipv6))
    worker.docker.start(name)


def _verify_sandboxes(worker: _Worker, nodes: t.Sequence[NodePlan]) -> None:
    containers = worker.docker.inspect([one.want.sandbox for one in nodes]) if nodes else {}
    for one in nodes:
        box = containers.get(one.want.sandbox)
        if box is None or not box.running:
            worker.fail(one, _ended(worker, "sandbox", one.want.sandbox, one.want.node, box))


# -- second stage: nodes --------------------------------------------------------------------------------------------


def apply_nodes(server: Server, found: ContainersPlan) -> list[LabError]:
    """Deliver files, make and start nodes, run their commands, and see that they stay. One error per object that failed."""
    worker = _Worker(server, found)
    with worker.collecting():
        _make_nodes(worker)
    return worker.errors


def _make_nodes(worker: _Worker) -> None:
    busy = worker.alive(lambda one: one.node != "keep" or bool(one.commands))
    if not busy:
        return
    boxes = worker.docker.inspect([one.want.sandbox for one in busy])
    for error in _check_interfaces(worker.server, [one for one in busy if one.starts and one.want.interfaces], boxes):
        worker.plan.failed.update(error.objects)
        worker.errors.append(error)
    worker.on_nodes(worker.alive(lambda one: one.node != "keep"), lambda one: _make_node(worker, one, boxes))
    begun = time.monotonic() if worker.alive(lambda one: one.starts) else None
    _run_commands(worker, boxes)
    _verify_nodes(worker, begun)


def _make_node(worker: _Worker, node: NodePlan, boxes: t.Mapping[str, DockerContainer]) -> None:
    lab = worker.plan.lab
    _files.deliver(lab, node.want.node, node.deliver)
    _files.discard(lab, node.want.node, node.discard)
    if node.node in ("create", "recreate"):
        worker.docker.create(node.want.name, spec.node_config(lab, node.want, _files.digests_of(node.want)))
        _verify_made(worker, node, boxes)
    if node.starts:
        worker.docker.start(node.want.name)


def _verify_made(worker: _Worker, node: NodePlan, boxes: t.Mapping[str, DockerContainer]) -> None:
    """Docker drops what the kernel cannot do; a node that is not what was declared is not started."""
    want = node.want
    made = worker.docker.inspect([want.name]).get(want.name)
    image = worker.plan.have.images.get(want.image)
    box = boxes.get(want.sandbox)
    if made is None or image is None or box is None:
        raise VerifyError(
            f"container {want.name} of node {want.node} is gone right after it was made", hint="look who removes it", objects=(want.name,)
        )
    observed = spec.observed_node(made)
    if observed["sandbox"] == want.sandbox:
        observed["sandbox"] = box.id
    differences = spec.compare(observed, spec.wanted_node(worker.plan.lab, want, image, sandbox=box.id))
    if differences:
        told = ", ".join(f"{name} is {have!r}, not {wanted!r}" for name, (have, wanted) in differences.items())
        raise VerifyError(
            f"Docker did not take what container {want.name} of node {want.node} declares: {told}",
            hint="this server's kernel or Docker cannot do it; declare it otherwise",
            objects=(want.name,),
        )


def _run_commands(worker: _Worker, boxes: t.Mapping[str, DockerContainer]) -> None:
    """Each started node begins its boot in the journal, with commands or without; nodes go in parallel, commands in order."""
    nodes = worker.alive(lambda one: one.run and (one.starts or bool(one.commands)))
    made = worker.docker.inspect([one.want.name for one in nodes])

    def run(node: NodePlan) -> None:
        want = node.want
        box, container = boxes.get(want.sandbox), made.get(want.name)
        if box is None or container is None or not container.running:
            return  # the verification tells why
        boot = worker.plan.journal.begin(want.node, container.id, _boots.sandbox_process(box.id, box.started_at))
        for command in node.commands:
            worker.plan.journal.started(want.node, command)
            try:
                _run_command(worker, want, command)
            except LabError:
                if not _runs(worker, want.name):
                    return
                if _boots.digest_of(command) not in boot.again:
                    worker.plan.journal.failed(want.node, command)
                    raise
            worker.plan.journal.done(want.node, command)

    worker.on_nodes(nodes, run)


def _runs(worker: _Worker, name: str) -> bool:
    found = worker.docker.inspect([name]).get(name)
    return bool(found and found.running)


def _run_command(worker: _Worker, want: Container, command: _boots.Command) -> None:
    result = worker.docker.execute(want.name, command, timeout=EXEC_TIMEOUT)
    if result.exit_code:
        raise ApplyError(
            f"exec command {shlex.join(command)} of node {want.node} ended with exit code {result.exit_code}: {_cut(result.output)}",
            hint="correct it; the next run goes on with this command",
            objects=(want.name,),
        )


def _cut(text: str) -> str:
    """The end of an output, where the error is."""
    text = text.strip() or "(no output)"
    return text if len(text) <= OUTPUT_LENGTH else "... " + text[-OUTPUT_LENGTH:]


def _verify_nodes(worker: _Worker, begun: float | None) -> None:
    """Every node that is to run does so a moment later, in the namespace of its sandbox. begun: when the last was started."""
    nodes = worker.alive(lambda one: one.run)
    if begun is not None:
        time.sleep(max(0.0, begun + SETTLE - time.monotonic()))
    containers = worker.docker.inspect([name for one in nodes for name in (one.want.name, one.want.sandbox)])
    for one in nodes:
        container, box = containers.get(one.want.name), containers.get(one.want.sandbox)
        if box is None or not box.running:
            worker.fail(one, _ended(worker, "sandbox", one.want.sandbox, one.want.node, box))
        elif container is None or not container.running:
            worker.fail(one, _ended(worker, "container", one.want.name, one.want.node, container))
        elif container.netns_id != box.netns_id:
            worker.fail(one, _detached(one))


def _detached(node: NodePlan) -> LabError:
    return VerifyError(
        f"node {node.want.node} does not run in the network namespace of its sandbox {node.want.sandbox}, which was restarted meanwhile",
        hint="run again",
        objects=(node.want.name,),
    )


def _ended(worker: _Worker, what: str, name: str, node: str, found: DockerContainer | None) -> LabError:
    """A container that should run and does not, with what is known of its end."""
    if found is None:
        return VerifyError(f"{what} {name} of node {node} is gone right after its start", hint="look who removes it", objects=(name,))
    state = found.raw.get("State") or {}
    message = f"{what} {name} of node {node} is {found.status} right after its start, with exit code {state.get('ExitCode')}"
    if state.get("OOMKilled"):
        message += " (out of memory)"
    if what == "sandbox":
        return VerifyError(message, hint=f"rebuild image {spec.SANDBOX_IMAGE} with archetype.lab.prepare_servers", objects=(name,))
    try:
        log = worker.docker.logs(name, lines=LOG_LINES)
    except LabError as error:
        log = f"(no log: {error.message})"
    return VerifyError(f"{message}; its last lines: {_cut(log)}", hint="look at its image, cmd and entrypoint", objects=(name,))
