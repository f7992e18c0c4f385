# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What was seen and done in each pass over a lab, and why: a line of JSON each, in C(/var/log/archetype-lab/<lab>.jsonl).

Several processes write at once: a line is one write to the end of the file. What is told of objects is what a diff tells, so that no secret
gets here. A journal that cannot be written stops no mending; whoever writes is told so.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError

JOURNAL_DIR = "/var/log/archetype-lab"
LARGEST = 4 << 20
"""Bytes of a file, after which a new one is begun."""
OLDER = 3
LONGEST_LIST, LONGEST_TEXT = 50, 500
_DEPTH = 4


def path(lab: str) -> str:
    """The journal of a lab. Raises LabError for a name that is none."""
    return os.path.join(JOURNAL_DIR, f"{os.path.basename(_server.lab_path(lab))}.jsonl")


def write(lab: str, entry: t.Mapping[str, t.Any]) -> LabError | None:
    """Append an entry, with the time where it has none. What could not be written is returned and not raised."""
    target = path(lab)
    at = datetime.now(tz=timezone.utc).isoformat(timespec="milliseconds")
    text = json.dumps(_bounded({"at": at, "lab": lab, **entry}, _DEPTH), ensure_ascii=False, default=str)
    line = text.encode(errors="backslashreplace") + b"\n"
    try:
        with contextlib.suppress(FileExistsError):
            os.makedirs(JOURNAL_DIR, mode=0o700)
        if _append(target, line) >= LARGEST:
            _rotate(target)
    except OSError as error:
        return ApplyError(f"{target} cannot be written: {error.strerror}", hint="see that the disk has room", objects=(lab,))
    return None


def note(
    lab: str,
    trigger: str,
    *,
    server: str = "",
    at: str = "",
    seen: t.Sequence[str] = (),
    done: t.Iterable[Change] = (),
    errors: t.Iterable[object] = (),
    waiting: t.Sequence[t.Mapping[str, t.Any]] = (),
    ms: int = 0,
) -> LabError | None:
    """Append what a pass or a run came to. at: when it began; without it, now. What could not be written is returned and not raised."""
    told = {"server": server, "at": at}
    return write(
        lab,
        {
            **{name: value for name, value in told.items() if value},
            "trigger": trigger,
            "seen": list(seen),
            "done": [change.to_line() for change in done],
            "errors": [str(error) for error in errors],
            "waiting": list(waiting),
            "ms": ms,
        },
    )


def _append(target: str, line: bytes) -> int:
    """One write at the end, on a line of its own even behind one that a full disk cut off. Returns the size of the file."""
    file = os.open(target, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            line = b"\n" + line
        done = os.write(file, line)
        if done != len(line):
            raise OSError(28, os.strerror(28))
        return size + done
    finally:
        os.close(file)


def _rotate(target: str) -> None:
    """From the oldest on, so that a rotation that is killed loses the oldest only. Who has it open writes on in what is older."""
    guard = os.open(JOURNAL_DIR, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if os.stat(target).st_size < LARGEST:
            return
        for number in range(OLDER, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{target}.{number - 1}" if number > 1 else target, f"{target}.{number}")
    except FileNotFoundError:
        return
    finally:
        os.close(guard)


def tail(lab: str, number: int) -> list[dict[str, t.Any]]:
    """The last entries, oldest first. Lines that are none are left out. Raises ReadError."""
    target = path(lab)
    found: list[dict[str, t.Any]] = []
    for one in (target, *(f"{target}.{older}" for older in range(1, OLDER + 1))):
        if len(found) >= number:
            break
        try:
            with open(one, "rb") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ReadError(f"{one} cannot be read: {error.strerror}", hint="run as root", objects=(lab,)) from error
        for line in reversed(lines):
            if len(found) >= number:
                break
            entry = _entry(line)
            if entry is not None:
                found.append(entry)
    return found[::-1]


def _entry(line: bytes) -> dict[str, t.Any] | None:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _bounded(value: t.Any, depth: int) -> t.Any:
    """The same, without what would make an entry longer than anybody reads."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}..."
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth == 0:
        return _bounded(str(value), 0)
    if isinstance(value, t.Mapping):
        kept = dict(list(value.items())[:LONGEST_LIST])
        found = {str(key)[:LONGEST_TEXT]: _bounded(one, depth - 1) for key, one in kept.items()}
        return found if len(value) <= LONGEST_LIST else {**found, "...": f"and {len(value) - LONGEST_LIST} more"}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else list(value)
        told = [_bounded(one, depth - 1) for one in items[:LONGEST_LIST]]
        return told if len(items) <= LONGEST_LIST else [*told, f"... and {len(items) - LONGEST_LIST} more"]
    return _bounded(str(value), 0)
