# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What cannot be mended is tried again later and later: of each link and node, how often it failed and when it is next tried.

It outlives the process, in C(tries.json), and is forgotten when mending worked. An object that is mended over and over has somebody who
changes it: it waits like one that fails, but is mended as lightly as before.
"""

from __future__ import annotations

import typing as t
from dataclasses import asdict, dataclass, replace

from ansible_collections.archetype.lab.plugins.module_utils import _run_files, _server

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

FILE = "tries.json"
FIRST, LONGEST = 1.0, 300.0
"""Seconds after the first failure, doubled with each further one, up to the second."""
OFTEN, WITHIN = 30, 30.0
"""More mendings than this in so many seconds are somebody else's doing."""
MEMORY = LONGEST + WITHIN
"""Seconds after the last mending for which it is remembered that it was often."""
CHANGED = "it keeps being changed by somebody"
HEAVIEST = 3


class Try(t.NamedTuple):
    """failures: since it last worked. next: seconds since the epoch. reason: of the last failure."""

    failures: int
    next: float
    reason: str


@dataclass(frozen=True)
class _Record:
    """failures: of mending. fights: how often it was mended too often. mends: when, of the last ones."""

    failures: int = 0
    fights: int = 0
    next: float = 0.0
    reason: str = ""
    mends: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: t.Mapping[str, t.Any]) -> _Record:
        mends = tuple(float(one) for one in values["mends"])
        return cls(int(values["failures"]), int(values["fights"]), float(values["next"]), str(values["reason"]), mends)

    def waits(self, now: float) -> bool:
        """A time that is further off than any that is ever noted is of a clock that was set back."""
        return now < self.next <= now + LONGEST


def delay(failures: int) -> float:
    """Seconds to wait after so many failures."""
    return min(FIRST * 2.0 ** min(failures - 1, 16), LONGEST)


class Tries:
    """The tries of one lab. damage: what was wrong with the file, for the report; it is begun anew."""

    def __init__(self, lab: str, records: t.Mapping[str, _Record] | None = None, damage: LabError | None = None) -> None:
        self.lab = lab
        self.damage = damage
        self._records = dict(records or {})
        self._dirty = damage is not None

    def waiting(self, now: float) -> dict[str, Try]:
        """What is not to be tried yet."""
        return {
            name: Try(max(one.failures, one.fights), one.next, one.reason) for name, one in sorted(self._records.items()) if one.waits(now)
        }

    def level(self, name: str) -> int:
        """How heavily it is to be mended now: 1 lightly, 2 the endpoint anew, 3 the link anew."""
        record = self._records.get(name)
        return min(record.failures + 1, HEAVIEST) if record else 1

    def failed(self, names: t.Iterable[str], reason: str, now: float) -> None:
        for name in names:
            have = self._records.get(name, _Record())
            failures = have.failures + 1
            self._put(name, _Record(failures, have.fights, now + delay(failures), reason, have.mends))

    def mended(self, names: t.Iterable[str], now: float) -> None:
        """It worked: earlier failures are forgotten, and it is counted."""
        for name in names:
            have = self._records.get(name, _Record())
            mends = (*(one for one in have.mends if now - WITHIN < one <= now), now)[-OFTEN - 1 :]
            if len(mends) > OFTEN:
                fights = have.fights + (0 if have.waits(now) else 1)
                self._put(name, _Record(0, fights, now + delay(fights), CHANGED, mends))
                continue
            quiet = not have.mends or not 0 <= now - have.mends[-1] <= MEMORY
            self._put(name, _Record(0, 0 if quiet else have.fights, 0.0, "", mends))

    def settled(self, names: t.Iterable[str], now: float) -> None:
        """What is in sync by itself, or declared no more, fails no longer. That it was mended often is remembered while it counts."""
        for name in names:
            have = self._records.get(name)
            if have is None:
                continue
            if not have.mends or not 0 <= now - have.mends[-1] <= MEMORY:
                del self._records[name]
                self._dirty = True
            elif have.failures:
                self._put(name, replace(have, failures=0, next=have.next if have.fights else 0.0, reason=CHANGED if have.fights else ""))

    def save(self) -> None:
        """Write what changed. Raises ApplyError."""
        if self._dirty:
            with _run_files.exclusive(self.lab):
                _run_files.write(self.lab, FILE, {name: asdict(one) for name, one in self._records.items()})
            self._dirty = False

    def _put(self, name: str, record: _Record) -> None:
        self._records[name] = record
        self._dirty = True


def load(lab: str) -> Tries:
    """The tries of a lab. Raises LabError for a name that is none, and nothing else: what is damaged is in C(damage)."""
    content, damage = _run_files.read(lab, FILE)
    try:
        return Tries(lab, {str(name): _Record.of(one) for name, one in content.items()}, damage)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        return Tries(lab, {}, _run_files.damaged(_server.run_path(lab, FILE), repr(error), lab))
