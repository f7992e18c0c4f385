# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The commands of a node in the order of its life: those of its stages, those of its kind, and C(exec).

When each stage is entered and left (its links are there before the node's first process, so that stages about links are over by then):
C(create) is entered when the container is made and not yet started, and left when it was started; C(create-links) is entered and left
right after that; then come C(configure), the kind's own commands, C(exec), and C(healthy), which is left when Docker says so; C(exit) is
entered after that, and left when the node's process has ended by itself: commands of this stage run only where it is waited for that end.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.module_utils._declared import Container

Command = tuple[str, ...]
Time = t.Literal["made", "started", "healthy", "ended"]

EXEC = "exec"
BOOT = "boot"
_TIMES: dict[str, Time] = {
    "create on-enter": "made",
    "create on-exit": "started",
    "create-links on-enter": "started",
    "create-links on-exit": "started",
    "configure on-enter": "started",
    "configure on-exit": "started",
    BOOT: "started",
    EXEC: "started",
    "healthy on-enter": "started",
    "healthy on-exit": "healthy",
    "exit on-enter": "healthy",
    "exit on-exit": "ended",
}
"""What must have happened before the commands of a moment run; in the order of the moments."""
_WITHOUT_PROCESS = ("create on-enter", "exit on-exit")


@dataclass(frozen=True)
class Step:
    """A command, and when and where it runs. target: C(container), or C(host), which is the server."""

    command: Command
    moment: str = EXEC
    target: str = "container"

    @property
    def time(self) -> Time:
        return _TIMES[self.moment]

    @property
    def digest(self) -> str:
        """What it is known by once it has run; of an C(exec) command that is its words alone."""
        known: t.Any = self.command if self.moment == EXEC else [self.moment, self.target, self.command]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """For people: C(exec command), or C(command of stage healthy, on-exit,)."""
        if self.moment == BOOT:
            return "command of its kind"
        return "exec command" if self.moment == EXEC else f"command of stage {self.moment.replace(' ', ', ')},"


def steps_of(want: Container) -> tuple[Step, ...]:
    found = [Step(command, BOOT) for command in want.boot_commands] + [Step(command) for command in want.exec]
    own = (one for one in want.stage_commands if one.stage != "exit" or want.hold == "exit")
    found += [Step(one.command, f"{one.stage} {one.phase}", one.target) for one in own]
    order = list(_TIMES)
    return tuple(sorted((one for one in found if one.moment in _TIMES), key=lambda one: order.index(one.moment)))


def impossible(want: Container) -> t.Iterator[str]:
    """What is wrong with the commands of the stages, in words."""
    try:
        re.compile(want.ready_log)
    except re.error as error:
        yield f"ready_log {want.ready_log} is not a regular expression: {error}"
    for one in want.stage_commands:
        moment = f"{one.stage} {one.phase}"
        if moment not in _TIMES:
            yield f"there is no stage {one.stage} with {one.phase}"
        elif moment in _WITHOUT_PROCESS and one.target == "container":
            yield f"a command of stage {one.stage}, {one.phase}, cannot run in the container, which does not run then; give it target host"


def awaits_health(want: Container) -> bool:
    """Whether it is waited for until the node is healthy: somebody asked for it, or commands are to run then."""
    return want.hold == "healthy" or any(one.stage == "healthy" for one in want.stage_commands)
