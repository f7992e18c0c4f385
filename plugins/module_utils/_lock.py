# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The lock of a server: one run at a time changes it.

It is a file with the owner and the time, so that whoever runs into it reads who holds it. A lock that was not refreshed for
as long as it says is stale, and is taken over; a reboot clears it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
import typing as t
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, LockedError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._server import RUN_DIR

EXPIRES = 1800.0
"""Seconds after the last sign of life of its run after which a lock is stale."""

PATIENCE = 120.0
"""Seconds to wait for what an ended run left at work."""


@dataclass(frozen=True)
class Lock:
    """owner: who runs, for people. token: which run. since: ISO time. touched: seconds since the epoch, of the last sign of life."""

    owner: str
    lab: str
    token: str
    since: str
    expires: float
    touched: float

    @property
    def ends(self) -> float:
        return self.touched + self.expires

    def stale(self, now: float) -> bool:
        return not self.touched - self.expires <= now < self.ends

    def same_run(self, lab: str, owner: str, token: str) -> bool:
        """A run that has no token is told from others by its owner and lab."""
        return self.token == token and (bool(token) or (self.owner, self.lab) == (owner, lab))

    def to_dict(self) -> dict[str, str]:
        return {"owner": self.owner, "lab": self.lab, "since": self.since, "token": self.token}


def path() -> Path:
    return Path(RUN_DIR) / "lock.json"


def acquire(lab: str, owner: str, token: str, *, ended: str = "", expires: float = EXPIRES, now: float | None = None) -> Lock | None:
    """Take the lock, or refresh it for the run that has it. Returns the stale lock of another run that was taken over, if any.

    ended: the token of a run that is known to have ended; its lock is stale. Raises LockedError when another run has it.
    """
    moment = time.time() if now is None else now
    with _exclusive():
        held = _load()
        since = _iso(moment)
        if held is not None and held.same_run(lab, owner, token):
            since, held = held.since, None
        elif held is not None and not held.stale(moment) and not (ended and held.token == ended):
            raise _locked(held)
        _store(Lock(owner, lab, token, since, expires, moment))
        return held


def release(token: str) -> bool:
    """Give the lock back; whether it was this run's. The lock of another run is left alone."""
    if not path().parent.is_dir():
        return False
    with _exclusive():
        held = _load()
        if held is None or held.token != token:
            return False
        path().unlink()
        return True


def current(*, now: float | None = None) -> Lock | None:
    """The lock that is held now; None when there is none, or a stale one."""
    held = _load()
    return None if held is None or held.stale(time.time() if now is None else now) else held


@contextlib.contextmanager
def at_work(lab: str, *, patience: float = PATIENCE) -> t.Iterator[None]:
    """One process at a time works on this server, whichever run it is of.

    The processes of a run that was killed on the controller work on for a while; whoever took over its lock waits here until they are
    done. Raises LockedError when that takes longer than C(patience) seconds.
    """
    guard = _open("work")
    try:
        _wait_for(guard, lab, time.monotonic() + patience)
        yield
    finally:
        os.close(guard)


def _wait_for(guard: int, lab: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                what = "another process, perhaps of an earlier run that has ended, still works on this server"
                hint = "look for lab_converge and lab_vm in its list of processes, and run again"
                raise LockedError(what, hint=hint, objects=(lab,)) from error
            time.sleep(0.05)
        else:
            return


def _locked(held: Lock) -> LockedError:
    return LockedError(
        f"this server is locked by {held.owner}, who works on lab {held.lab} since {held.since}",
        hint=f"wait until that run has ended; if it is dead, remove {path()} on the server (it counts no more from {_iso(held.ends)})",
        objects=(held.lab,),
    )


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).isoformat(timespec="seconds")


@contextlib.contextmanager
def _exclusive() -> t.Iterator[None]:
    """One process at a time looks at the lock and changes it. The kernel gives this up when the process dies."""
    guard = _open("lock")
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)


def _open(name: str) -> int:
    folder = path().parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _failed(error) from error


def _load() -> Lock | None:
    try:
        return Lock(**json.loads(path().read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(error) from error
    except (TypeError, ValueError) as error:
        raise ReadError(f"{path()} is not a lock: {error}", hint="remove it on the server if no run is under way") from error


def _store(lock: Lock) -> None:
    made = path().with_suffix(".new")
    try:
        made.write_text(json.dumps(asdict(lock)), encoding="utf-8")
        made.chmod(0o600)
        made.replace(path())
    except OSError as error:
        raise _failed(error) from error


def _failed(error: OSError) -> LabError:
    return ReadError(f"the lock of this server cannot be used: {error}", hint="run the module as root (become: true)")
