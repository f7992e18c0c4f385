# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The lock of a lab on a server: one run at a time changes it there. Runs of other labs go on beside it.

It is a file with the owner and the time, so that whoever runs into it reads who holds it. A lock that was not refreshed for
as long as it says is stale, and is taken over; a reboot clears it. The processes that really change the server, of whichever lab
and run, take turns (C(at_work)).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import time
import typing as t
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.archetype.lab.plugins.module_utils import _server, _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, LockedError, ReadError

EXPIRES = 1800.0
"""Seconds after the last sign of life of its run after which a lock is stale."""

SILENT = 300.0
"""Seconds after the last sign of life of its run after which a lock keeps the watcher off no more, though still other runs: what is
declared was kept before anything was changed, so both work towards the same."""

PATIENCE = 600.0
"""Seconds to wait for one's turn: a lab of many nodes takes minutes to start, as does what an ended run left at work."""


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

    def silent(self, now: float) -> bool:
        return now >= self.touched + min(SILENT, self.expires)

    def same_run(self, lab: str, owner: str, token: str) -> bool:
        """Whether this is the lock of that run. One that has no token is told from others by its owner and lab."""
        return self.token == token and (bool(token) or (self.owner, self.lab) == (owner, lab))

    def to_dict(self) -> dict[str, str]:
        return {"owner": self.owner, "lab": self.lab, "since": self.since, "token": self.token}


def path(lab: str) -> Path:
    """The file of a lab's lock. Raises LabError for a name that is none."""
    return Path(_server.run_path(lab, "lock.json"))


def acquire(lab: str, owner: str, token: str, *, ended: str = "", expires: float = EXPIRES, now: float | None = None) -> Lock | None:
    """Take the lock, or refresh it for the run that has it. Returns the stale lock of another run that was taken over, if any.

    ended: the token of a run that is known to have ended; its lock is stale. Raises LockedError when another run has it.
    """
    moment = time.time() if now is None else now
    with _exclusive():
        held = _load(lab)
        since = _iso(moment)
        if held is not None and held.same_run(lab, owner, token):
            since, held = held.since, None
        elif held is not None and not held.stale(moment) and not (ended and held.token == ended):
            raise _locked(held)
        _store(Lock(owner, lab, token, since, expires, moment))
        return held


def release(lab: str, token: str) -> bool:
    """Give the lock back; whether it was this run's. The lock of another run is left alone."""
    if not path(lab).parent.is_dir():
        return False
    with _exclusive():
        held = _load(lab)
        if held is None or held.token != token:
            return False
        path(lab).unlink()
        return True


def forget(lab: str, token: str) -> None:
    """Remove all that is known of a lab until the next boot, and give its lock back: the lab is not there any more.

    Where another run has the lock, it is that run's to decide. Raises ReadError, ApplyError.
    """
    folder = path(lab).parent
    if not folder.is_dir():
        return
    with _exclusive():
        held = _load(lab)
        if held is not None and held.token != token and not held.stale(time.time()):
            return
        try:
            _server.remove_run_dir(lab)
        except OSError as error:
            raise ApplyError(f"{folder} cannot be removed: {error}", objects=(str(folder),)) from error


def current(lab: str, *, now: float | None = None) -> Lock | None:
    """The lock that is held now; None when there is none, or a stale one."""
    held = _load(lab)
    return None if held is None or held.stale(time.time() if now is None else now) else held


def held(lab: str) -> bool:
    """Whether a run has the lock now, and is not silent. For the watcher, which asks often: most times there is no such file."""
    if not path(lab).exists():
        return False
    now = time.time()
    lock = current(lab, now=now)
    return lock is not None and not lock.silent(now)


def refuse_if_held(lab: str, token: str, *, watching: bool = False, now: float | None = None) -> None:
    """Raises LockedError when another run has the lock; takes nothing. For what works between runs, and never against one.

    To be asked where it counts: inside C(at_work), as a run takes the lock before it waits for its turn.
    watching: only by a run that is not silent.
    """
    moment = time.time() if now is None else now
    lock = current(lab, now=moment)
    if lock is not None and not (token and lock.token == token) and not (watching and lock.silent(moment)):
        raise _locked(lock)


@contextlib.contextmanager
def at_work(lab: str, *, patience: float = PATIENCE) -> t.Iterator[None]:
    """One process at a time works on this server, whichever lab and run it is of.

    The processes of a run that was killed on the controller work on for a while; whoever took over its lock waits here until they are
    done. Raises LockedError when that takes longer than C(patience) seconds.
    """
    guard = _open("work")
    try:
        _wait_for(guard, lab, time.monotonic() + patience)
        _say_who(guard, f"process {os.getpid()}, which works on lab {lab},")
        try:
            yield
        finally:
            _say_who(guard, "")
    finally:
        os.close(guard)


def _say_who(guard: int, text: str) -> None:
    """For who waits in vain. What a killed process said stands until the next one has its turn, and nobody waits for it meanwhile."""
    with contextlib.suppress(OSError):  # where /run is full, the work goes on
        os.ftruncate(guard, 0)
        os.pwrite(guard, text.encode(), 0)


def _wait_for(guard: int, lab: str, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                who = os.pread(guard, 400, 0).decode(errors="replace") or "another process"
                what = f"{who} still is at work on this server, perhaps for a run that has ended"
                hint = "wait until it has ended, and run again; if it hangs, end that process on the server"
                raise LockedError(what, hint=hint, objects=(lab,)) from error
            time.sleep(0.05)
        else:
            return


def _locked(held: Lock) -> LockedError:
    end = f"if it is dead, remove {path(held.lab)} on the server (it counts no more from {_iso(held.ends)})"
    return LockedError(
        f"lab {held.lab} is locked on this server by {held.owner}, who works on it since {held.since}",
        hint=f"wait until that run has ended; {end}",
        objects=(held.lab,),
    )


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).isoformat(timespec="seconds")


@contextlib.contextmanager
def _exclusive() -> t.Iterator[None]:
    """One process at a time looks at locks and changes them. The kernel gives this up when the process dies.

    One for all labs: it is held for a moment, and a lab's folder may go meanwhile.
    """
    guard = _open("lock")
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)


def _open(name: str) -> int:
    try:
        _server.make_run_dir()
        return os.open(Path(_server.RUN_DIR) / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _failed(error) from error


def _load(lab: str) -> Lock | None:
    try:
        found = Lock(**json.loads(path(lab).read_text(encoding="utf-8")))
        _check(found)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _failed(error) from error
    except (TypeError, ValueError, RecursionError) as error:
        raise ReadError(f"{path(lab)} is not a lock: {error}", hint="remove it on the server if no run is under way") from error
    return found


def _check(found: Lock) -> None:
    """Raises ValueError."""
    texts, numbers = (found.owner, found.lab, found.token, found.since), (found.touched, found.expires)
    if not all(isinstance(one, str) for one in texts) or not all(type(one) in (int, float) and math.isfinite(one) for one in numbers):
        raise ValueError("its values are of other types")


def _store(lock: Lock) -> None:
    try:
        _server.make_run_dir(lock.lab)
        _whole_files.write(path(lock.lab), json.dumps(asdict(lock)))
    except OSError as error:
        raise _failed(error) from error


def _failed(error: OSError) -> LabError:
    return ReadError(f"the lock of this server cannot be used: {error}", hint="run the module as root (become: true)")
