# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Stages of nodes: inherited, checked against the other nodes, and made into waves."""

from __future__ import annotations

import shlex
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node, Stage, StageCommand, WaitFor
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._stage_reader import STAGES, StageLevel
from ansible_collections.archetype.lab.plugins.plugin_utils._stages import HOLDS, JOINS, Dependency, waves
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

Split = t.Callable[[str, str, Scalar], tuple[str, ...] | None]
"""Node, key and a line -> the words of the line."""
WITHOUT_PROCESS = (("create", "on-enter", "container"), ("exit", "on-exit", "container"))
"""Stage, phase and target of commands that no node could run."""
_SHOWN = 8


class StageReader:
    """kinds: of all nodes of the file, None where one is not known."""

    def __init__(self, problems: Problems, kinds: t.Mapping[str, Kind | None], split: Split) -> None:
        self.problems = problems
        self.kinds = kinds
        self.split = split
        self.notes: list[str] = []
        self._dependencies: list[Dependency] = []

    def stages(self, name: str, settings: Settings) -> tuple[Stage, ...]:
        """The stages of a node: what its levels wait for is united, and the commands of all of them run."""
        levels: list[dict[str, StageLevel]] = settings.blocks("stages")
        found = [self._stage(name, stage, [level[stage] for level in levels if stage in level]) for stage in STAGES] if levels else []
        return tuple(stage for stage in found if stage.wait_for or stage.commands)

    def _stage(self, name: str, stage: str, levels: list[StageLevel]) -> Stage:
        waits: dict[WaitFor, None] = {}
        for wait in (wait for level in levels for wait in level.waits):
            one = WaitFor(wait.node, wait.stage)
            if one not in waits and self._may_wait(name, Dependency(name, wait.node, wait.stage, wait.at)):
                waits[one] = None
        commands = []
        for command in (command for level in levels for command in level.commands):
            words = self.split(name, f"exec of stage {stage}", command.text)
            if (stage, command.phase, command.target) in WITHOUT_PROCESS:
                what = f"node {name}: a command of stage {stage}, {command.phase}, cannot run in the node, which does not run then"
                other = "on-enter" if command.phase == "on-exit" else "on-exit"
                self.problems.add(command.text, what, f"Give it target: host, or phase: {other}")
            elif words:
                commands.append(StageCommand(words, command.phase, command.target))
        return Stage(stage, tuple(waits), tuple(commands))

    def _may_wait(self, name: str, one: Dependency) -> bool:
        """Whether it can wait for that; then it is noted. A node that is no device is there before any other."""
        if one.on not in self.kinds:
            remedy = did_you_mean(one.on, self.kinds) or "Name a node of this file"
            self.problems.add(one.at, f"wait-for names the unknown node {quote(one.on)}", remedy)
            return False
        kind = self.kinds[one.on]
        if one.on == name:
            self.problems.add(one.at, f"node {name} waits for itself", "Name another node")
            return False
        if kind is None:
            return False
        if kind.provider in ("container", "vm"):
            self._dependencies.append(one)
            return True
        if one.stage in HOLDS:
            what = f"node {name} waits for {word(one.on)} to reach {one.stage}, which a node of kind {kind.name} never does"
            self.problems.add(one.at, what, "Wait for create-links")
            return False
        return True

    def order(self, nodes: dict[str, Node]) -> None:
        """Say of each node in which wave it starts, and what its wave is held for."""
        known = [one for one in self._dependencies if one.node in nodes and one.on in nodes]
        for name, node in nodes.items():
            known += [Dependency(name, on, JOINS, Scalar("", node.place.line, node.place.column)) for on in node.beside]
        found = waves(nodes, known)
        for one, circle in found.cycles:
            names = " -> ".join([*circle[:_SHOWN], *(["..."] if len(circle) > _SHOWN else []), circle[0]])
            what = f"nodes wait for each other: {names}"
            self.problems.add(one.at, what, "Whole nodes wait here, not single stages: take one wait-for out")
        for one, before in found.torn:
            what = f"{word(one.on)} is waited for until {one.stage} here, and until {before.stage} on line {before.at.line}"
            self.problems.add(one.at, what, "Wait for one of the two everywhere")
        waits: dict[str, dict[str, None]] = {}
        for one in known:
            waits.setdefault(one.node, {})[one.on] = None
        for name, (wave, hold) in found.order.items():
            if wave or hold or name in waits:
                nodes[name] = replace(nodes[name], wave=wave, hold=hold, waits_for=tuple(sorted(waits.get(name, ()))))
        for name, node in nodes.items():
            self.notes += [_never_runs(name, command) for command in commands_of_exit(node)]


def commands_of_exit(node: Node) -> t.Iterator[StageCommand]:
    """Commands about the end of a node that nobody waits for: it may run for ever."""
    if node.hold != HOLDS["exit"]:
        for stage in node.stages:
            yield from stage.commands if stage.name == "exit" else ()


def _never_runs(name: str, command: StageCommand) -> str:
    return f"node {name}: the command {quote(shlex.join(command.command))} of stage exit never runs, as no node waits for that stage"
