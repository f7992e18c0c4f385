# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Who runs a pass over a server, and what has happened in it."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _journal, _lock
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change, result_of
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, LabError, LockedError
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult

LAYERS = ("bridge", "containers", "vms", "ports", "tunnels", "management", "state")


@dataclass(frozen=True)
class Run:
    """Who runs this. token tells the run from others: the lock that it takes is given back by the same token.

    ended: the token of a run that has ended without giving its lock back.
    wave: nodes of later waves are not started; without it, all are. blocked: nodes that failed in an earlier wave, with the reason.
    recreate, restart: machines that are to get a new disk, or to be started anew.
    patience: seconds that a machine has to become ready where others wait for that; without it, what its kind gives it.
    waits: whether nodes that take their time are waited for; otherwise they are left to the next pass, in the result's coming.
    doubted: nodes that could not be started lately, whose neighbours get no carrier before they run.
    spare: names of objects that are left alone. anew: names of ports and tunnels that are made anew, as lighter mending was in vain.
    """

    owner: str
    token: str
    ended: str = ""
    check: bool = False
    diff: bool = False
    wave: int | None = None
    blocked: t.Mapping[str, str] = field(default_factory=dict)
    recreate: t.Collection[str] = ()
    restart: t.Collection[str] = ()
    patience: float | None = None
    waits: bool = True
    doubted: t.Collection[str] = ()
    spare: t.Collection[str] = ()
    anew: t.Collection[str] = ()


@dataclass
class Outcome:
    """What has happened so far, over all layers. Changes are told in one order, whatever order they were made in."""

    layers: dict[str, t.Sequence[Change]] = field(default_factory=dict)
    errors: list[LabError] = field(default_factory=list)
    result: dict[str, t.Any] = field(default_factory=dict)

    @property
    def changes(self) -> list[Change]:
        return [change for layer in LAYERS for change in self.layers.get(layer, ())]

    def note(self, run: Run, lab: str, server: str, trigger: str, took: float) -> None:
        """Write what was done into the journal, where what the watcher does is, too. took: seconds. It stops nothing where that fails."""
        if run.check or not (self.changes or self.errors):
            return
        who, ms = f"{trigger} by {run.owner}", round(1000 * took)
        lost = _journal.note(lab, who, server=server, done=self.changes, errors=self.errors, ms=ms)
        if lost is not None:
            self.result["warnings"] = [str(lost)]

    def finish(self, run: Run) -> dict[str, t.Any]:
        """The result of the module. Raises PartialResult when something failed."""
        changes = self.changes
        found = {**result_of(changes, diff=run.diff), "predicted": run.check, **self.result}
        if self.errors:
            raise PartialResult(self.errors, found)
        return found


def _take_lock(lab: str, run: Run) -> None:
    """Raises PartialResult, with the lock of the other run, when another run works on this server."""
    try:
        _lock.acquire(lab, run.owner, run.token, ended=run.ended)
    except LockedError as error:
        held = _lock.current(lab)
        raise PartialResult([error], {"lock": held.to_dict() if held else None}) from error


@contextlib.contextmanager
def at_work(lab: str, run: Run) -> t.Iterator[None]:
    """With the lock, and after what a run that was killed left at work here. Check mode only looks, and needs neither."""
    if run.check:
        yield
        return
    _take_lock(lab, run)
    with _lock.at_work(lab):
        yield


def errors_of(step: t.Callable[[], list[LabError]]) -> list[LabError]:
    """What went wrong, whether it was raised or returned."""
    try:
        return step()
    except Errors as several:
        return several.errors
    except LabError as error:
        return [error]
