# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""When to make a pass over which lab. Pure: times and events come in, and what to do next goes out; the clock is the caller's.

All passes are whole, so that all that has to be decided is when. What is said between two calls of C(next) is in no order that matters.
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, field

QUIET, LONGEST = 0.05, 0.2
"""Seconds: a pass begins when nothing has happened for so long; but so long after the first event, whatever happens."""
FULL = 60.0
"""Seconds from the beginning of a pass to that of the next, where nothing happens."""
LOCKED, BUSY = 0.5, 0.1
"""Seconds after which a lab is looked at again that a run has locked, and a server on which somebody is at work."""
FIRST_RETRY, LAST_RETRY = 0.25, 10.0
"""Seconds after a pass that failed, where nothing says when to try again: doubling from the first, up to the last."""
REST = 0.2
"""Seconds, at most, that a lab rests after a pass: as long as that took, so that a flood of events takes half of the time."""
STREAK = 40
"""Passes one after another that all change something. From then on, somebody undoes what they do: a lab that is declared to have the server
otherwise, or a program that ends as soon as it is started. The lab rests ever longer, up to C(LAST_RETRY)."""


GIVEN_BACK, DECLARED = "lock given back", "declared anew"
"""Triggers of the first pass after a run."""


class Pass(t.NamedTuple):
    """A pass that is to be made now. trigger: why, for people."""

    lab: str
    trigger: str


@dataclass
class _Lab:
    """What is known of a lab. first, last: times of the events that no pass has followed yet; triggers: their sources."""

    full: float
    first: float | None = None
    last: float = 0.0
    triggers: dict[str, None] = field(default_factory=dict)
    again: float = math.inf
    again_for: str = ""
    failures: int = 0
    streak: int = 0
    locked: bool = False
    rested: float = 0.0
    began: float = 0.0

    def due(self) -> float:
        """When something is to be done for it."""
        if self.locked:
            return self.again
        events = math.inf if self.first is None else min(self.last + QUIET, self.first + LONGEST)
        return max(self.rested, min(events, self.again, self.full))

    def note(self, trigger: str, now: float) -> None:
        if self.first is None:
            self.first = now
        self.last = now
        self.triggers[trigger] = None

    def why(self, now: float) -> str:
        if self.triggers:
            return ", ".join(self.triggers)
        return self.again_for if self.again <= now else "time"


class Loop:
    """The labs of a server, and what each waits for."""

    def __init__(self) -> None:
        self._labs: dict[str, _Lab] = {}

    @property
    def labs(self) -> tuple[str, ...]:
        return tuple(self._labs)

    def add(self, lab: str, trigger: str, now: float) -> None:
        """A lab that is there, or has another declared state: a pass is due at once, unless it is locked."""
        one = self._labs.setdefault(lab, _Lab(full=now + FULL))
        one.note(trigger, now - QUIET if one.first is None else now)

    def forget(self, lab: str) -> None:
        self._labs.pop(lab, None)

    def event(self, source: str, lab: str, now: float) -> None:
        """Something happened, in one lab, or where none is named, anywhere."""
        if not lab:
            for one in self._labs.values():
                one.note(source, now)
        elif lab in self._labs:
            self._labs[lab].note(source, now)

    def next(self, now: float) -> Pass | float:
        """The pass to make now, of the lab that has waited longest; or the seconds until there is one."""
        if not self._labs:
            return math.inf
        due, lab = min((one.due(), lab) for lab, one in self._labs.items())
        return Pass(lab, self._labs[lab].why(now)) if due <= now else due - now

    def began(self, lab: str, now: float) -> None:
        """A pass begins, which sees all that happened until now."""
        one = self._labs[lab]
        one.first, one.triggers = None, {}
        one.again, one.again_for = math.inf, ""
        one.locked = False
        one.began, one.full = now, now + FULL

    def locked(self, lab: str, now: float) -> None:
        """A run works on this lab: it is left alone, and what happens is seen by the pass after that."""
        one = self._labs[lab]
        one.locked = True
        one.again, one.again_for = now + LOCKED, GIVEN_BACK
        one.first, one.triggers = now, {GIVEN_BACK: None}

    def busy(self, lab: str, trigger: str, now: float) -> None:
        """Somebody else changes this server: nothing was done, and the pass is due again soon."""
        one = self._labs[lab]
        one.note(trigger, now)
        one.rested = now + BUSY

    def done(self, lab: str, now: float, *, changed: bool = False, failed: bool = False, wait: float | None = None) -> None:
        """A pass ended. failed: in a way that nothing waits for. wait: seconds until the first of what it left waiting is due."""
        one = self._labs.get(lab)
        if one is None:
            return
        one.streak = one.streak + 1 if changed else 0
        brake = min(FIRST_RETRY * 2.0 ** min(one.streak - STREAK, 16), LAST_RETRY) if one.streak > STREAK else 0.0
        one.rested = now + max(brake, min(now - one.began, REST))
        one.failures = one.failures + 1 if failed else 0
        retry = min(FIRST_RETRY * 2.0 ** min(one.failures - 1, 16), LAST_RETRY) if failed else math.inf
        one.again = now + min(retry, math.inf if wait is None else max(wait, BUSY))
        one.again_for = "tried again"
        if changed:
            one.note("looked again", now)
