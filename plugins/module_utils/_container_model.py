# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a plan for the containers of a server is: per node and as a whole."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _steps
from ansible_collections.archetype.lab.plugins.module_utils._boots import Journal
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._container_order import Order
from ansible_collections.archetype.lab.plugins.module_utils._container_read import HaveContainers
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, File
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._steps import Step

State = t.Literal["present", "started", "stopped", "absent"]
SandboxStep = t.Literal["keep", "create", "recreate", "start", "restart"]
NodeStep = t.Literal["keep", "create", "recreate", "start", "restart", "stop"]


@dataclass(frozen=True)
class NodePlan:
    """What is done for one node. run: it is to run in the end. deliver, discard: files. commands: those that are due.

    sandbox: what is done to its own sandbox. opens: it runs or ran, and is not yet as its hold wants it.
    idle: why those that wait for it cannot be started: it is left alone, and is not as they need it.
    stuck: why nothing can be done for it, as what it joins is left alone.
    """

    want: Container
    sandbox: SandboxStep = "keep"
    node: NodeStep = "keep"
    run: bool = True
    deliver: tuple[File, ...] = ()
    discard: tuple[str, ...] = ()
    commands: tuple[Step, ...] = ()
    opens: bool = False
    idle: str = ""
    stuck: LabError | None = None

    @property
    def starts(self) -> bool:
        return self.run and self.node in ("create", "recreate", "start", "restart")

    @property
    def busy(self) -> bool:
        """Whether it is not yet as it is wanted."""
        return self.node != "keep" or bool(self.commands) or self.opens or self.stuck is not None

    @property
    def awaits_health(self) -> bool:
        due = any(one.time == "healthy" for one in self.commands)
        return self.run and (due or (self.want.hold == "healthy" and (self.starts or self.opens))) and _steps.awaits_health(self.want)

    @property
    def awaits_end(self) -> bool:
        due = any(one.time == "ended" for one in self.commands)
        return self.run and (due or (self.want.hold == "exit" and (self.starts or self.opens)))


@dataclass
class ContainersPlan:
    """changes: for the result. failed: names of nodes that an earlier stage gave up, filled while the plan is carried out.

    again: nodes whose commands run once more. unmet: nodes that others cannot go on waiting for, with the reason, filled as well.
    coming: nodes that are on their way, where nobody waited for them; put_off: of these, those to which nothing was done. Filled as well.
    renewed: sandboxes whose interfaces were said to be made anew.
    replan: plans again without what is done to some, which may change what is done to those that join them.
    """

    lab: str
    state: State
    journal: Journal
    have: HaveContainers
    order: Order = field(default_factory=lambda: Order(()))
    nodes: list[NodePlan] = field(default_factory=list)
    drop_nodes: list[str] = field(default_factory=list)
    drop_sandboxes: list[str] = field(default_factory=list)
    drop_folders: list[str] = field(default_factory=list)
    drop_volumes: list[str] = field(default_factory=list)
    make_volumes: list[str] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    again: list[str] = field(default_factory=list)
    renewed: set[str] = field(default_factory=set)
    unmet: dict[str, str] = field(default_factory=dict)
    coming: list[str] = field(default_factory=list)
    put_off: set[str] = field(default_factory=set)
    replan: t.Callable[[t.Collection[str]], ContainersPlan] | None = None

    def sparing(self, names: t.Collection[str]) -> ContainersPlan:
        """The same without what would be done to these nodes, named as they are, or by their containers or sandboxes.

        What was begun to be carried out cannot be planned again.
        """
        return self.replan(names) if self.replan is not None and names else self

    @property
    def fresh_sandboxes(self) -> frozenset[str]:
        """Sandboxes that get a new network namespace: whatever interfaces they had are gone after C(apply_sandboxes)."""
        return frozenset(one.want.sandbox for one in self.nodes if one.sandbox != "keep")

    @property
    def busy(self) -> bool:
        """Whether there is anything to do or to wait for."""
        return bool(self.changes) or any(one.opens or one.idle or one.stuck for one in self.nodes)

    def waves(self) -> list[int]:
        return sorted({self.order.wave(one.want.name) for one in self.nodes})

    def of_wave(self, wave: int) -> list[NodePlan]:
        return [one for one in self.nodes if self.order.wave(one.want.name) == wave]

    def waiting(self, wave: int | None) -> list[str]:
        """Nodes of later waves that still have to be started, or to become what the wave after them waits for."""
        return [] if wave is None else [one.want.node for one in self.nodes if one.busy and self.order.wave(one.want.name) > wave]

    def redo(self) -> None:
        """Write down that commands are due again. What ran on the server itself is not undone by the loss of an interface."""
        nodes = {one.want.node: one.want for one in self.nodes}
        kept = {step.digest for name in self.again for step in _steps.steps_of(nodes[name]) if step.target == "host"}
        self.journal.redo(self.again, kept)
