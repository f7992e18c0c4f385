# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What has to be done to have the containers that are declared. Nothing is touched here.

A node is two containers: a sandbox, which holds hostname, interfaces and the sysctls of the network, and the node itself,
which joins the sandbox's network namespace. A name that is wanted is sorted into absent, ours, stale (ours, but of another
specification, not running, or in a namespace that its sandbox has no more) and foreign. A node may also have the network of the
server, of another node of the lab, or of a container that is not the lab's: then it has no sandbox of its own, and follows that one.

A node that is made anew is a new device: where a node already ran in the sandbox's namespace, the sandbox is restarted,
so that no address, route or device of the old node is left, and the exec commands find what they expect.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _files, _steps
from ansible_collections.archetype.lab.plugins.module_utils import _container_settings as settings
from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils import _ownership as marks
from ansible_collections.archetype.lab.plugins.module_utils._boots import Journal
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._container_checks import check
from ansible_collections.archetype.lab.plugins.module_utils._container_drops import drop_volumes, plan_drop
from ansible_collections.archetype.lab.plugins.module_utils._container_model import ContainersPlan, NodePlan, NodeStep, SandboxStep, State
from ansible_collections.archetype.lab.plugins.module_utils._container_order import Order
from ansible_collections.archetype.lab.plugins.module_utils._container_read import HaveContainers, read
from ansible_collections.archetype.lab.plugins.module_utils._container_spared import cannot_join, spared_of, unmet_by
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, File
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._steps import Step

__all__ = ["ContainersPlan", "HaveContainers", "NodePlan", "NodeStep", "SandboxStep", "State", "plan", "read", "run_again"]

_STARTABLE = ("created", "exited")
_BROKEN = ("dead", "removing")
_NEW = "(new)"


def plan(
    want: t.Sequence[Container],
    have: HaveContainers,
    *,
    lab: str,
    state: State = "started",
    prune: bool = False,
    spared: t.Collection[str] = (),
) -> ContainersPlan:
    """All that has to change. Raises what must stop the run, for all objects at once, before anything is touched.

    spared: nodes, containers and sandboxes to which nothing is done, and that nothing wrong with them stops the run for.
    """
    found = _plan(want, have, lab, state, prune=prune, spared=spared_of(want, have, lab, spared))

    def replan(names: t.Collection[str]) -> ContainersPlan:
        fewer = plan(want, have, lab=lab, state=state, prune=prune, spared={*spared, *names})
        run_again(fewer, found.renewed)
        return fewer

    found.replan = replan
    return found


def _plan(
    want: t.Sequence[Container], have: HaveContainers, lab: str, state: State, *, prune: bool, spared: frozenset[str]
) -> ContainersPlan:
    found = ContainersPlan(lab, state, Journal(lab, have.boots), have, Order(want))
    names = {name for one in want for name in (one.name, *([one.sandbox] if one.owns_sandbox else []))}
    nodes = {one.node for one in want}
    # What is left alone may have volumes that nobody declares any more.
    holds = any(
        marks.owner_of(labels) == lab and name in spared for name, labels in have.owners.items() if state == "absent" or name not in names
    )
    if state == "absent":
        plan_drop(found, have, lambda name: prune or name in names, lambda node: prune or node in nodes, spared)
        drop_volumes(found, have, () if prune and not holds else have.volumes)
        return found
    check(want, have, lab, spared)
    if prune:
        plan_drop(found, have, lambda name: name not in names, lambda node: node not in nodes, spared)
    wanted = sorted({name for one in want for name in settings.volume_names(one)})
    drop_volumes(found, have, wanted if prune and not holds else have.volumes)
    due = {name for one in want if one.name not in spared for name in settings.volume_names(one)}
    found.make_volumes = [name for name in wanted if name in due and name not in have.volumes]
    found.changes += [Change("create", "volume", name) for name in found.make_volumes]
    _plan_nodes(found, want, have, spared)
    return found


def _plan_nodes(found: ContainersPlan, want: t.Sequence[Container], have: HaveContainers, spared: frozenset[str]) -> None:
    """Nodes after those that they join, as what is done to these decides; told in the order of the list."""
    planned: dict[str, _Decided] = {}
    for one in found.order.sorted():
        if one.name in spared:
            idle = unmet_by(one, have) if found.state == "started" else ""
            planned[one.name] = _Decided(NodePlan(one, run=False, idle=idle), [], "keep")
            continue
        decided = _NodePlanner(one, have, found, planned).decide()
        stuck = cannot_join(one, have, found.order, spared) if decided.plan.busy or decided.changes else None
        planned[one.name] = _Decided(NodePlan(one, run=False, stuck=stuck), [], "keep") if stuck else decided
    for one in want:
        found.nodes.append(planned[one.name].plan)
        found.changes += planned[one.name].changes


def _exec_change(want: Container, commands: t.Sequence[Step], why: str = "") -> Change:
    count = f"{len(commands)} command" + ("s" if len(commands) > 1 else "")
    return Change("run", "exec", want.name, want.node, reason=f"{count}, {why}" if why else count)


def run_again(found: ContainersPlan, sandboxes: t.Collection[str]) -> None:
    """Interfaces in these sandboxes will be made anew: where the node runs on, the addresses and routes on them need its commands again.

    What is on the server itself (no sandbox), such as the tap of a machine, is no interface of a node that shares the server's network.
    """
    sandboxes = {one for one in sandboxes if one}
    found.renewed |= sandboxes
    for place, node in enumerate(found.nodes):
        want = node.want
        boot = found.have.boots.get(want.node)
        steps = tuple(one for one in _steps.steps_of(want) if one.target == "container" or one in node.commands)
        if want.namespace_of not in sandboxes or node.sandbox != "keep" or node.node not in ("keep", "start") or not (node.run and steps):
            continue
        if boot is None or not boot.done:
            continue
        found.again.append(want.node)
        found.nodes[place] = replace(node, commands=steps)
        found.changes = [one for one in found.changes if (one.kind, one.name) != ("exec", want.name)]
        found.changes.append(_exec_change(want, steps, "as an interface is made anew"))


class _Decided(t.NamedTuple):
    """A node's plan, its changes, and what happens to the network namespace that it is in."""

    plan: NodePlan
    changes: list[Change]
    network: SandboxStep


class _NodePlanner:
    """The decisions for one node: its sandbox first, then the node, then its files and commands."""

    def __init__(self, want: Container, have: HaveContainers, found: ContainersPlan, planned: t.Mapping[str, _Decided]) -> None:
        self.want = want
        self.have = have
        self.lab = found.lab
        self.state = found.state
        self.order = found.order
        self.planned = planned
        self.box = have.containers.get(want.namespace_of)
        self.node = have.containers.get(want.name)
        self.boot = have.boots.get(want.node)

    def decide(self) -> _Decided:
        sandbox, sandbox_fields, sandbox_reason = self._sandbox() if self.want.owns_sandbox else self._joined()
        differences = self._node_differences(sandbox)
        node, reason = self._node(sandbox, differences)
        if self.want.owns_sandbox and sandbox == "keep" and node in ("create", "recreate") and self._namespace_used():
            sandbox, sandbox_reason = "restart", "a new node gets a new network namespace"
        commands = self._commands(sandbox, node)
        node, reason = self._over(sandbox, node, reason, commands)
        deliver, discard = self._file_work(node)
        opens = self.state == "started" and node == "keep" and self._opens()
        own: SandboxStep = sandbox if self.want.owns_sandbox else "keep"
        found = NodePlan(self.want, own, node, self.state == "started", deliver, discard, commands, opens)
        changes: list[Change] = []
        if own != "keep":
            changes.append(Change(own, "sandbox", self.want.sandbox, self.want.node, sandbox_fields, sandbox_reason))
        changes += [self._file_change(file.path) for file in deliver]
        changes += [Change("delete", "file", path, self.want.node) for path in discard]
        if node != "keep":
            fields = differences if node == "recreate" else {}
            changes.append(Change(node, "container", self.want.name, self.want.node, fields, reason))
        if commands:
            changes.append(_exec_change(self.want, commands))
        return _Decided(found, changes, sandbox)

    def _file_change(self, path: str) -> Change:
        return Change("create" if path in self.have.missing_files else "update", "file", path, self.want.node)

    def _image(self, reference: str) -> Image:
        image = self.have.images.get(reference)
        if image is None:
            raise LabError(f"image {reference} was not read", objects=(reference,))
        return image

    # the network

    def _sandbox(self) -> tuple[SandboxStep, spec.Differences, str]:
        if self.box is None:
            return "create", {}, ""
        wanted = spec.wanted_sandbox(self.lab, self.want, self._image(spec.SANDBOX_IMAGE), ipv6=self.have.ipv6)
        fields = spec.compare(spec.observed_sandbox(self.box), wanted)
        if fields:
            return "recreate", fields, ""
        if self.box.running:
            return "keep", {}, ""
        if self.box.status in _BROKEN:
            return "recreate", {}, f"it is {self.box.status}"
        return ("start", {}, "") if self.box.status in _STARTABLE else ("restart", {}, f"it is {self.box.status}")

    def _joined(self) -> tuple[SandboxStep, spec.Differences, str]:
        """What happens to the namespace of another. Nothing is done to the server's, and to those of containers that are not the lab's."""
        owner = self.order.owner_of(self.want)
        return (self.planned[owner].network if owner else "keep"), {}, ""

    def _attached(self, sandbox: SandboxStep) -> bool:
        """Whether the node runs in the network namespace that it is to have, and that stays."""
        if self.want.network == "host":
            return bool(self.node and self.node.running)
        return bool(sandbox == "keep" and self.box and self.node and self.node.netns_id and self.node.netns_id == self.box.netns_id)

    def _process(self) -> str:
        """What tells the present network from that of an earlier boot."""
        if self.want.network == "host":
            return self.have.network
        return _boots.sandbox_process(self.box.id, self.box.started_at) if self.box else ""

    def _namespace_used(self) -> bool:
        """Whether some container of the node already ran in the sandbox's present namespace."""
        return bool(self.boot and self.boot.sandbox == self._process()) or self._attached("keep")

    # the node

    def _around(self, sandbox: SandboxStep) -> spec.Surroundings:
        kept = self.box is not None and sandbox not in ("create", "recreate")
        network = "host" if self.want.network == "host" else self.box.id if self.box is not None and kept else _NEW
        return spec.Surroundings(network, self._pid_mode(), self.have.cgroupns)

    def _pid_mode(self) -> str:
        leader = self.order.process_leader(self.want)
        if not leader:
            return self.want.pid_mode
        there = self.have.containers.get(leader)
        anew = leader in self.planned and self.planned[leader].plan.node in ("create", "recreate")
        return f"container:{_NEW if there is None or anew else there.id}"

    def _node_differences(self, sandbox: SandboxStep) -> spec.Differences:
        """Why the node has to be made anew; nothing when it is not there."""
        if self.node is None:
            return {}
        around = self._around(sandbox)
        observed = spec.observed_node(self.node)
        if around.network != _NEW and observed["sandbox"] == self.want.namespace_of:
            observed["sandbox"] = around.network
        found = spec.compare(observed, spec.wanted_node(self.lab, self.want, self._image(self.want.image), around))
        if "sandbox" in found:
            found["sandbox"] = (spec.short_id(observed["sandbox"]), spec.short_id(around.network))
        if "pid_mode" in found:
            found["pid_mode"] = (_short_mode(observed["pid_mode"]), _short_mode(around.pid_mode))
        return {**found, **self._file_differences(self.node)}

    def _file_differences(self, node: DockerContainer) -> spec.Differences:
        have = _files.delivered(node.labels)
        want = _files.digests_of(self.want)
        found: spec.Differences = {}
        for path in sorted({*have, *want}):
            before = "missing" if path in self.have.missing_files and path in have else have.get(path, "")[:8]
            after = want.get(path, "")[:8]
            if before != after:
                found[f"files: {path}"] = (before or None, after or None)
        return found

    def _node(self, sandbox: SandboxStep, differences: spec.Differences) -> tuple[NodeStep, str]:
        if self.node is None:
            return "create", ""
        status = self.node.status
        if differences or status in _BROKEN:
            return "recreate", "" if differences else f"it is {status}"
        if status in _STARTABLE:
            return ("start", "") if self.state == "started" else ("keep", "")
        if self.state == "stopped":
            return "stop", ""
        restarted = self._restarted_leader()
        if self._attached(sandbox) and status == "running" and not restarted:
            return "keep", ""
        reason = f"it is {status}"
        if status == "running":
            reason = f"node {restarted}, whose processes it joins, is restarted" if restarted else "its sandbox has a new network namespace"
        return ("restart" if self.state == "started" else "stop"), reason

    def _restarted_leader(self) -> str:
        """The node in whose process namespace this one is, where that ends: all processes in it end with it."""
        leader = self.planned.get(self.order.process_leader(self.want))
        return leader.plan.want.node if leader and leader.plan.node in ("start", "restart", "stop") else ""

    def _over(self, sandbox: SandboxStep, node: NodeStep, reason: str, commands: t.Sequence[Step]) -> tuple[NodeStep, str]:
        """A node that was to end, and did, in this boot of its network and after its commands, has nothing left to do."""
        done = self.want.hold == "exit" and self.node is not None and self.node.exit_code == 0 and self._known(sandbox, node) is not None
        return ("keep", "") if node == "start" and done and not any(one.target == "container" for one in commands) else (node, reason)

    def _opens(self) -> bool:
        if self.node is None:
            return False
        if self.want.hold == "healthy":
            return self.node.health != "healthy"
        return self.want.hold == "exit" and self.node.running

    # files and commands

    def _file_work(self, node: NodeStep) -> tuple[tuple[File, ...], tuple[str, ...]]:
        """Files to write, and files that are declared no more.

        What the node itself changed on the disk is left alone, unless it is always to start with the file as it is declared.
        """
        have = _files.delivered(self.node.labels) if self.node else {}
        starts = self.state == "started" and node not in ("keep", "stop")
        changed = {one.path for one in self.want.files if have.get(one.path) != _files.digest_of(one)} | self.have.missing_files
        due = tuple(one for one in self.want.files if one.path in changed or (starts and one.enforce))
        declared = {one.path for one in self.want.files}
        return due, tuple(path for path in sorted(have) if path not in declared)

    def _known(self, sandbox: SandboxStep, node: NodeStep) -> _boots.Boot | None:
        """The node's present boot, if it goes on."""
        same = sandbox == "keep" and node not in ("create", "recreate") and self.node is not None
        boot = self.boot
        return boot if same and boot and self.node and (boot.container, boot.sandbox) == (self.node.id, self._process()) else None

    def _commands(self, sandbox: SandboxStep, node: NodeStep) -> tuple[Step, ...]:
        if self.state != "started":
            return ()
        return _boots.pending(_steps.steps_of(self.want), self._known(sandbox, node))


def _short_mode(mode: str) -> str:
    kind, separator, identity = mode.partition(":")
    return f"{kind}{separator}{spec.short_id(identity)}"
