# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""C(stages) of one level: what each waits for, and which commands it runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, did_you_mean, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Scalar, Value

STAGES = ("create", "create-links", "configure", "healthy", "exit")
"""In the order in which a node goes through them."""
STAGE_KEYS = ("exec", "wait-for")
WAIT_KEYS = ("node", "stage")
EXEC_KEYS = ("command", "phase", "target")
PHASES = ("on-enter", "on-exit")
TARGETS = ("container", "host")


@dataclass(frozen=True)
class Wait:
    """A C(wait-for) as it was written."""

    at: Value
    node: str
    stage: str


@dataclass(frozen=True)
class Command:
    """A command of a stage as it was written; text holds its place."""

    text: Scalar
    phase: str
    target: str


@dataclass
class StageLevel:
    """One stage of one level."""

    waits: list[Wait] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)


def read_stages(reader: Reader, value: Value, what: str) -> dict[str, StageLevel] | None:
    """Stage -> what one level says of it."""
    stages = reader.mapping(value, what)
    if stages is None:
        return None
    reader.known_keys(stages, STAGES, what)
    found: dict[str, StageLevel] = {}
    for name in STAGES:
        stage = reader.mapping(stages.get(name), f"stage {name} of {what}")
        if stage is not None:
            where = f"stage {name} of {what}"
            reader.known_keys(stage, STAGE_KEYS, where)
            found[name] = StageLevel(_waits(reader, stage.get("wait-for"), where), _commands(reader, stage.get("exec"), where))
    return found


def _waits(reader: Reader, value: Value | None, where: str) -> list[Wait]:
    found: list[Wait] = []
    for item in reader.items(value, f"wait-for of {where}"):
        wait = reader.mapping(item, f"an entry of wait-for of {where}")
        if wait is None:
            continue
        reader.known_keys(wait, WAIT_KEYS, f"wait-for of {where}")
        node, stage = reader.text(wait.get("node"), "node of wait-for"), reader.text(wait.get("stage"), "stage of wait-for")
        if not node or not stage:
            reader.problems.add(wait, f"wait-for of {where} needs node and stage", "Write it as {node: r1, stage: healthy}")
        elif stage not in STAGES:
            _not_one_of(reader, wait.get("stage"), "stage", stage, STAGES)
        else:
            found.append(Wait(wait, node, stage))
    return found


def _commands(reader: Reader, value: Value | None, where: str) -> list[Command]:
    """A list of mappings; or, as containerlab had it before, a mapping of phase to lines, which ran in the node."""
    if isinstance(value, MapValue):
        reader.known_keys(value, PHASES, f"exec of {where}")
        return [
            Command(line, phase, "container")
            for phase in PHASES
            for line in reader.scalars(value.get(phase), f"{phase} of exec of {where}")
        ]
    found: list[Command] = []
    for item in reader.items(value, f"exec of {where}"):
        entry = reader.mapping(item, f"an entry of exec of {where}")
        if entry is None:
            continue
        reader.known_keys(entry, EXEC_KEYS, f"exec of {where}")
        command = entry.get("command")
        if not reader.text(command, "command of exec") or not isinstance(command, Scalar):
            reader.problems.add(entry, f"exec of {where} needs a command", "Write it as {command: ip link, phase: on-exit}")
            continue
        phase = _choice(reader, entry, "phase", PHASES)
        target = _choice(reader, entry, "target", TARGETS)
        found.append(Command(command, phase, target))
    return found


def _choice(reader: Reader, entry: MapValue, key: str, known: tuple[str, ...]) -> str:
    """One of the known words, the first where nothing is said."""
    text = reader.text(entry.get(key), f"{key} of exec")
    if text and text not in known:
        _not_one_of(reader, entry.get(key), key, text, known)
    return text or known[0]


def _not_one_of(reader: Reader, at: Value | None, what: str, text: str, known: tuple[str, ...]) -> None:
    reader.problems.add(at, f"{quote(text)} is not a {what}", did_you_mean(text, known) or f"It is one of {', '.join(known)}")
