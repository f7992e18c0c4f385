# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What carrying out a plan has in common for containers and machines: who is still worked on, who failed, who is not started."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._parallel import attempt

BROKEN = "is on a server where an error came between"
"""How it is told of a node that was not come to."""
NOT_STARTED = "was not started"
NOT_YET = "is not ready yet"
"""How it is told of a node that is on its way, where nobody waits for it to come."""
_TOLD = 5
"""Of what keeps a node from starting, so many are named."""


class Wanted(t.Protocol):
    """A declared node of either sort."""

    @property
    def name(self) -> str: ...

    @property
    def node(self) -> str: ...

    @property
    def waits_for(self) -> tuple[str, ...] | None: ...


class Planned(t.Protocol):
    """What is done for one."""

    @property
    def want(self) -> Wanted: ...

    @property
    def busy(self) -> bool: ...


def in_turn(number: int, wave: int | None, after: int | None) -> bool:
    """Whether a wave is done now. wave: the last one, None for all; after: the one up to which all was done already."""
    return (wave is None or number <= wave) and (after is None or number > after)


_P = t.TypeVar("_P", bound=Planned)


class Workers(t.Generic[_P]):
    """Work on nodes, in which the failure of one is remembered, so that later stages leave it out. failed: their names, of the plan.

    waits: whether nodes are waited for until they are as they are to be. Where not, those that take their time are left to the next run,
    in coming, and so are those that wait for them: none of them failed. put_off: of these, those to which nothing was done.
    """

    def __init__(self, failed: set[str], coming: list[str] | None = None, *, waits: bool = True) -> None:
        self.failed = failed
        self.coming = [] if coming is None else coming
        self.put_off: set[str] = set()
        self.waits = waits
        self.errors: list[LabError] = []
        self.reasons: dict[str, str] = {}
        self.broken = False

    def alive(self, nodes: t.Iterable[_P], choose: t.Callable[[_P], bool] = lambda _node: True) -> list[_P]:
        return [one for one in nodes if one.want.name not in self.failed and choose(one)]

    def fail(self, node: _P, error: LabError, reason: str = "") -> None:
        """reason: how it is told to those that wait for the node."""
        self.failed.add(node.want.name)
        self.errors.append(error)
        if reason:
            self.reasons[node.want.name] = reason

    def leave(self, node: _P) -> None:
        """To the next run: it is on its way."""
        self.failed.add(node.want.name)
        self.reasons[node.want.name] = NOT_YET
        if node.want.node not in self.coming:
            self.coming.append(node.want.node)

    def told(self, node: _P) -> str:
        return self.reasons.get(node.want.name, "failed")

    @contextlib.contextmanager
    def collecting(self) -> t.Iterator[None]:
        """An error that ends a stage early (broken) is one of its errors; what was done before is not forgotten for it."""
        try:
            yield
        except LabError as error:
            self.errors.append(error)
            self.broken = True

    def on_nodes(self, nodes: t.Sequence[_P], work: t.Callable[[_P], None]) -> None:
        def one(node: _P) -> None:
            try:
                work(node)
            except LabError:
                self.failed.add(node.want.name)
                raise

        self.errors += attempt(nodes, one)

    def refuse(self, nodes: t.Sequence[_P], unmet: t.Mapping[str, str]) -> None:
        """Nodes that are not started, as what they wait for is not as it must be. unmet: that, with the reason."""
        for one in self.alive(nodes, lambda one: bool(unmet) and one.busy):
            waits_for = None if one.want.waits_for is None else frozenset(one.want.waits_for)
            causes = {node: reason for node, reason in unmet.items() if waits_for is None or node in waits_for}
            if causes and not self.waits and all(reason == NOT_YET for reason in causes.values()):
                self.leave(one)
                self.put_off.add(one.want.node)
            elif causes:
                self.fail(one, _refusal(one.want, causes), NOT_STARTED)


def _refusal(want: Wanted, unmet: t.Mapping[str, str]) -> LabError:
    causes = [f"node {node}, which {reason}" for node, reason in unmet.items()]
    more = len(causes) - _TOLD
    told = "; ".join(causes[:_TOLD]) + (f"; and {more} more" if more > 0 else "")
    return ApplyError(
        f"node {want.node} is not started: it waits for {told}", hint="mend that; the next run goes on here", objects=(want.name,)
    )
