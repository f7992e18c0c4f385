# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The containers of a server: what is there, and what has to be done to have what is declared. Nothing is touched here.

A node is two containers: a sandbox, which holds hostname, interfaces and the sysctls of the network, and the node itself,
which joins the sandbox's network namespace. A name that is wanted is sorted into absent, ours, stale (ours, but of another
specification, not running, or in a namespace that its sandbox has no more) and foreign.

A node that is made anew is a new device: where a node already ran in the sandbox's namespace, the sandbox is restarted,
so that no address, route or device of the old node is left, and the exec commands find what they expect.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _files
from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils import _ownership as marks
from ansible_collections.archetype.lab.plugins.module_utils._boots import Boot, Command, Journal
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, File
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError, raise_all

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

State = t.Literal["present", "started", "stopped", "absent"]
SandboxStep = t.Literal["keep", "create", "recreate", "start", "restart"]
NodeStep = t.Literal["keep", "create", "recreate", "start", "restart", "stop"]

IPV6_PATH = "/proc/sys/net/ipv6"
_STARTABLE = ("created", "exited")
_BROKEN = ("dead", "removing")


@dataclass(frozen=True)
class HaveContainers:
    """What is on the server, read once.

    owners: every container of the server -> its labels. containers: those of the lab and those with a wanted name.
    folders: nodes that have delivered files. missing_files, missing_binds: wanted paths that are not on the disk.
    """

    owners: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    containers: t.Mapping[str, DockerContainer] = field(default_factory=dict)
    images: t.Mapping[str, Image | None] = field(default_factory=dict)
    boots: t.Mapping[str, Boot] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    missing_files: frozenset[str] = frozenset()
    missing_binds: frozenset[str] = frozenset()
    ipv6: bool = True


@dataclass(frozen=True)
class NodePlan:
    """What is done for one node. run: it is to run in the end. deliver, discard: files. commands: exec commands that are due."""

    want: Container
    sandbox: SandboxStep = "keep"
    node: NodeStep = "keep"
    run: bool = True
    deliver: tuple[File, ...] = ()
    discard: tuple[str, ...] = ()
    commands: tuple[Command, ...] = ()

    @property
    def starts(self) -> bool:
        return self.run and self.node in ("create", "recreate", "start", "restart")


@dataclass
class ContainersPlan:
    """changes: for the result. failed: names of nodes that an earlier stage gave up, filled while the plan is carried out.

    again: nodes whose commands run once more.
    """

    lab: str
    state: State
    journal: Journal
    have: HaveContainers
    nodes: list[NodePlan] = field(default_factory=list)
    drop_nodes: list[str] = field(default_factory=list)
    drop_sandboxes: list[str] = field(default_factory=list)
    drop_folders: list[str] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    again: list[str] = field(default_factory=list)

    @property
    def fresh_sandboxes(self) -> frozenset[str]:
        """Sandboxes that get a new network namespace: whatever interfaces they had are gone after C(apply_sandboxes)."""
        return frozenset(one.want.sandbox for one in self.nodes if one.sandbox != "keep")


# -- reading --------------------------------------------------------------------------------------------------------


def read(server: Server, lab: str, want: t.Sequence[Container]) -> HaveContainers:
    """Everything that C(plan) looks at. Raises ReadError."""
    docker = server.docker
    owners = docker.list_names()
    wanted = {name for one in want for name in (one.name, one.sandbox)}
    names = sorted(name for name, labels in owners.items() if name in wanted or marks.owner_of(labels) == lab)
    references = {one.image for one in want} | ({spec.SANDBOX_IMAGE} if want else set())
    return HaveContainers(
        owners=owners,
        containers=docker.inspect(names),
        images=docker.images(sorted(references)),
        boots=_boots.load(lab),
        folders=_files.folders(lab),
        missing_files=_files.missing(want),
        missing_binds=frozenset(path for one in want for path in _missing_binds(one, lab)),
        ipv6=os.path.isdir(IPV6_PATH),
    )


def _missing_binds(want: Container, lab: str) -> t.Iterator[str]:
    """Sources of binds that are neither on the disk nor delivered; Docker would make empty folders of them.

    In the node's own folder that is what is wanted: there, a source without a file is a folder that was empty on the controller.
    """
    own = _files.folder_of(lab, want.node) + "/"
    for source, _target, _options in map(spec.parse_bind, want.binds):
        comes = any(file.path == source or file.path.startswith(source + "/") for file in want.files)
        if source.startswith("/") and not source.startswith(own) and not comes and not os.path.exists(source):
            yield source


# -- what stops a run -----------------------------------------------------------------------------------------------


def _duplicates(want: t.Sequence[Container]) -> t.Iterator[LabError]:
    first: dict[str, int] = {}
    for index, one in enumerate(want):
        for name in (f"container {one.name}", f"container {one.sandbox}", f"node {one.node}"):
            if name in first:
                yield LabError(
                    f"{name} is in containers[{first[name]}] and in containers[{index}]", hint="give each its own name", objects=(one.name,)
                )
            first.setdefault(name, index)


def _foreign(want: Container, have: HaveContainers, lab: str) -> t.Iterator[LabError]:
    for name in (want.name, want.sandbox):
        labels = have.owners.get(name)
        if labels is not None and marks.owner_of(labels) != lab:
            yield ForeignError(
                f"container {name} is wanted for node {want.node} of lab {lab}, but is {marks.describe_owner(labels)}",
                hint="remove or rename it, or give the lab another name",
                objects=(name,),
            )


def _lacking(want: Container, have: HaveContainers) -> t.Iterator[LabError]:
    if have.images.get(want.image) is None:
        yield LabError(
            f"image {want.image} of node {want.node} is not on this server",
            hint="pull, load or build it there, or replace it under images: in the lab file",
            objects=(want.name, want.image),
        )
    for source, _target, _options in map(spec.parse_bind, want.binds):
        if source in have.missing_binds:
            yield LabError(
                f"bind source {source} of node {want.node} is not on this server",
                hint="create it there, or correct binds",
                objects=(want.name,),
            )


def _check(want: t.Sequence[Container], have: HaveContainers, lab: str) -> None:
    errors = list(_duplicates(want))
    for one in want:
        errors += [*_foreign(one, have, lab), *_lacking(one, have), *_files.check(lab, one)]
    if want and have.images.get(spec.SANDBOX_IMAGE) is None:
        errors.append(
            LabError(
                f"image {spec.SANDBOX_IMAGE} of the sandboxes is not on this server",
                hint="run archetype.lab.prepare_servers, which builds it",
                objects=(spec.SANDBOX_IMAGE,),
            )
        )
    raise_all(errors)


# -- planning -------------------------------------------------------------------------------------------------------


def plan(want: t.Sequence[Container], have: HaveContainers, *, lab: str, state: State = "started", prune: bool = False) -> ContainersPlan:
    """All that has to change. Raises what must stop the run, for all objects at once, before anything is touched."""
    found = ContainersPlan(lab, state, Journal(lab, have.boots), have)
    if state == "absent":
        names = {name for one in want for name in (one.name, one.sandbox)}
        _plan_drop(found, have, lambda name: prune or name in names, lambda node: prune or node in {one.node for one in want})
        return found
    _check(want, have, lab)
    if prune:
        names = {name for one in want for name in (one.name, one.sandbox)}
        nodes = {one.node for one in want}
        _plan_drop(found, have, lambda name: name not in names, lambda node: node not in nodes)
    for one in want:
        _NodePlanner(one, have, lab, state).add_to(found)
    return found


def _plan_drop(found: ContainersPlan, have: HaveContainers, of_name: t.Callable[[str], bool], of_node: t.Callable[[str], bool]) -> None:
    """Only what carries the lab's mark is ever dropped."""
    for name, labels in sorted(have.owners.items()):
        if marks.owner_of(labels) != found.lab or not of_name(name):
            continue
        sandbox = labels.get(marks.ROLE) == spec.ROLE_SANDBOX
        (found.drop_sandboxes if sandbox else found.drop_nodes).append(name)
        found.changes.append(Change("delete", "sandbox" if sandbox else "container", name, labels.get(marks.NODE, "")))
    found.drop_folders = sorted(node for node in have.folders if of_node(node))
    found.changes += [Change("delete", "file", _files.folder_of(found.lab, node), node) for node in found.drop_folders]
    found.forget = sorted(node for node in have.boots if of_node(node))


def _exec_change(want: Container, commands: t.Sequence[Command], why: str = "") -> Change:
    count = f"{len(commands)} command" + ("s" if len(commands) > 1 else "")
    return Change("run", "exec", want.name, want.node, reason=f"{count}, {why}" if why else count)


def run_again(found: ContainersPlan, sandboxes: t.Collection[str]) -> None:
    """Interfaces in these sandboxes will be made anew: where the node runs on, the addresses and routes on them need its commands again."""
    for place, node in enumerate(found.nodes):
        want = node.want
        boot = found.have.boots.get(want.node)
        if want.sandbox not in sandboxes or node.sandbox != "keep" or node.node not in ("keep", "start") or not (node.run and want.exec):
            continue
        if boot is None or not boot.done:
            continue
        found.again.append(want.node)
        found.nodes[place] = replace(node, commands=want.exec)
        found.changes = [one for one in found.changes if (one.kind, one.name) != ("exec", want.name)]
        found.changes.append(_exec_change(want, want.exec, "as an interface is made anew"))


class _NodePlanner:
    """The decisions for one node: its sandbox first, then the node, then its files and commands."""

    def __init__(self, want: Container, have: HaveContainers, lab: str, state: State) -> None:
        self.want = want
        self.have = have
        self.lab = lab
        self.state = state
        self.box = have.containers.get(want.sandbox)
        self.node = have.containers.get(want.name)
        self.boot = have.boots.get(want.node)

    def add_to(self, found: ContainersPlan) -> None:
        sandbox, sandbox_fields, sandbox_reason = self._sandbox()
        differences = self._node_differences(sandbox)
        node, reason = self._node(sandbox, differences)
        if sandbox == "keep" and node in ("create", "recreate") and self._namespace_used():
            sandbox, sandbox_reason = "restart", "a new node gets a new network namespace"
        deliver, discard = self._file_work()
        commands = self._commands(sandbox, node)
        found.nodes.append(NodePlan(self.want, sandbox, node, self.state == "started", deliver, discard, commands))
        self._add_changes(
            found, sandbox, Change(t.cast(t.Any, sandbox), "sandbox", self.want.sandbox, self.want.node, sandbox_fields, sandbox_reason)
        )
        found.changes += [self._file_change(file.path) for file in deliver]
        found.changes += [Change("delete", "file", path, self.want.node) for path in discard]
        fields = differences if node == "recreate" else {}
        self._add_changes(found, node, Change(t.cast(t.Any, node), "container", self.want.name, self.want.node, fields, reason))
        if commands:
            found.changes.append(_exec_change(self.want, commands))

    def _add_changes(self, found: ContainersPlan, step: str, change: Change) -> None:
        if step != "keep":
            found.changes.append(change)

    def _file_change(self, path: str) -> Change:
        return Change("create" if path in self.have.missing_files else "update", "file", path, self.want.node)

    def _image(self, reference: str) -> Image:
        image = self.have.images.get(reference)
        if image is None:
            raise LabError(f"image {reference} was not read", objects=(reference,))
        return image

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

    def _node_differences(self, sandbox: SandboxStep) -> spec.Differences:
        """Why the node has to be made anew; nothing when it is not there."""
        if self.node is None:
            return {}
        kept = self.box is not None and sandbox not in ("create", "recreate")
        identity = self.box.id if self.box is not None and kept else "(new)"
        wanted = spec.wanted_node(self.lab, self.want, self._image(self.want.image), sandbox=identity)
        observed = spec.observed_node(self.node)
        if kept and observed["sandbox"] == self.want.sandbox:
            observed["sandbox"] = identity
        found = spec.compare(observed, wanted)
        if "sandbox" in found:
            found["sandbox"] = (spec.short_id(observed["sandbox"]), spec.short_id(identity))
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

    def _attached(self, sandbox: SandboxStep) -> bool:
        """Whether the node runs in the network namespace that its sandbox has, and keeps."""
        return bool(sandbox == "keep" and self.box and self.node and self.node.netns_id and self.node.netns_id == self.box.netns_id)

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
        if self._attached(sandbox) and status == "running":
            return "keep", ""
        reason = "its sandbox has a new network namespace" if status == "running" else f"it is {status}"
        return ("restart" if self.state == "started" else "stop"), reason

    def _process(self) -> str:
        return _boots.sandbox_process(self.box.id, self.box.started_at) if self.box else ""

    def _namespace_used(self) -> bool:
        """Whether some container of the node already ran in the sandbox's present namespace."""
        return bool(self.boot and self.boot.sandbox == self._process()) or self._attached("keep")

    def _file_work(self) -> tuple[tuple[File, ...], tuple[str, ...]]:
        """Files to write, and files that are declared no more. What the node itself changed on the disk is left alone."""
        have = _files.delivered(self.node.labels) if self.node else {}
        due = tuple(one for one in self.want.files if have.get(one.path) != _files.digest_of(one) or one.path in self.have.missing_files)
        declared = {one.path for one in self.want.files}
        return due, tuple(path for path in sorted(have) if path not in declared)

    def _commands(self, sandbox: SandboxStep, node: NodeStep) -> tuple[Command, ...]:
        if self.state != "started":
            return ()
        same = sandbox == "keep" and node not in ("create", "recreate") and self.node is not None
        boot = self.boot
        known = boot if same and boot and self.node and (boot.container, boot.sandbox) == (self.node.id, self._process()) else None
        return _boots.pending(self.want.exec, known)
