# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""One pass over one lab, as the watcher makes it: whatever comes of it is an outcome, and never the end of the process."""

from __future__ import annotations

import time
import traceback
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils import _backoff, _journal, _lock, _state
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, LockedError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._pass_report import Pass
from ansible_collections.archetype.lab.plugins.module_utils._reconcile import reconcile
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult, error_dicts
from ansible_collections.archetype.lab.plugins.module_utils._watch._loop import DECLARED, GIVEN_BACK

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

OWNER = "archetype-lab-watch"
RUNNING = "running"
_LONGEST = 300
_COMING = 2.0
"""Seconds between two looks at nodes that are on their way."""

Json = dict[str, t.Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a pass. report: none where it did not come so far. busy: nothing was done, as somebody else works here.

    unread: something could not be read, which says nothing of when to try again.
    """

    report: Json | None = None
    errors: tuple[str, ...] = ()
    unread: bool = False
    busy: bool = False
    changes: tuple[str, ...] = field(default=())

    @property
    def failed(self) -> bool:
        """Whether it failed in a way that nothing waits for."""
        return bool(self.errors) and (self.unread or self.wait is None)

    @property
    def wait(self) -> float | None:
        """Seconds until the first object that waits is tried again, or nodes on their way are looked at; None where there are none."""
        report = self.report or {}
        nexts = [datetime.fromisoformat(one["next"]) for one in report.get("waiting", ())]
        seconds = [(min(nexts) - datetime.now(tz=timezone.utc)).total_seconds()] if nexts else []
        return min([*seconds, *([_COMING] if report.get("coming") else [])], default=None)

    @property
    def running(self) -> dict[str, bool]:
        """Which nodes run; those are left out of which it is not known."""
        nodes = (self.report or {}).get("nodes", ())
        return {one["name"]: one["status"] == RUNNING for one in nodes if one.get("status")}


def make(open_server: t.Callable[[], Server], lab: str, trigger: str, *, anew: bool = False) -> Outcome:
    """anew: what failed is tried now. A daemon was gone, which may be all that was wrong, and is back."""
    try:
        if anew:
            _forgive(lab)
        # A run may have started nodes on other servers whose watchers have not told it yet.
        starting = any(one in trigger for one in (GIVEN_BACK, DECLARED))
        return _outcome(reconcile(open_server(), Pass(lab, owner=OWNER, trigger=trigger, patient=True, starting=starting)), [])
    except LockedError:
        return Outcome(busy=True)
    except PartialResult as error:
        return _outcome(error.result, error_dicts(error))
    except LabError as error:
        if not _state.path(lab).exists():
            return Outcome()  # it went in this moment, and leaves nothing to tell
        return note_failure(lab, trigger, _said(error_dicts(error)))
    except Exception as error:  # noqa: BLE001 - a fault of ours in one lab must not leave the others unwatched
        where = traceback.extract_tb(error.__traceback__)[-1]
        return note_failure(lab, trigger, (f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"[:_LONGEST],))


def _forgive(lab: str) -> None:
    """What somebody keeps changing waits on."""
    tries = _backoff.load(lab)
    now = time.time()
    tries.settled(tries.waiting(now), now)
    tries.save()


def _said(errors: t.Sequence[Json]) -> tuple[str, ...]:
    """Each thing once: several layers may miss the same daemon."""
    return tuple(dict.fromkeys(one["msg"] for one in errors))


def _outcome(report: Json, errors: t.Sequence[Json]) -> Outcome:
    changes = tuple(f"{one['action']} {one['kind']} {one['name']}" for one in report.get("changes", ()))
    return Outcome(report, _said(errors), any(one["type"] == ReadError.__name__ for one in errors), changes=changes)


def note_failure(lab: str, trigger: str, errors: tuple[str, ...]) -> Outcome:
    """A pass that did not come so far as to write into the journal itself."""
    try:
        lost = _journal.note(lab, trigger, errors=errors)
    except LabError as error:  # a file whose name is no lab's
        lost = error
    return Outcome(errors=errors if lost is None else (*errors, str(lost)))


def locked(lab: str) -> bool:
    """Whether a run works on this lab. Where the lock cannot be read, a pass is tried: it finds the same, and says so."""
    try:
        return _lock.held(lab)
    except LabError:
        return False
