# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What happens on this server, from all sources, in one queue.

A source is a generator that blocks: its first item says that it listens, each further one that something changed; it raises LabError when
it cannot listen (any more). Each has a thread of its own, which tries again for ever. Nothing is lost by that: what changed while nobody
listened is found by the passes that "back" causes.
"""

from __future__ import annotations

import queue
import threading
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.2
"""Seconds before a source that was lost is tried again: the first time, and at most: a whole lab may wait for a daemon."""


class Event(t.NamedTuple):
    """Something that may have changed a lab, or any of them where none is named. back: its source was lost, and listens again."""

    source: str
    lab: str = ""
    back: bool = False


class Inbox:
    """Where all threads put what they see. The same event is there once at most: what comes while a pass works takes no memory."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._there: set[Event] = set()
        self._guard = threading.Lock()

    def put(self, event: Event) -> None:
        """Not for a handler of signals, which would wait for what it interrupts: see C(wake)."""
        with self._guard:
            if event in self._there:
                return
            self._there.add(event)
        self._queue.put(event)

    def wake(self) -> None:
        """End a wait. Handlers of signals may call it."""
        self._queue.put(Event(""))

    def take(self, seconds: float) -> list[Event]:
        """All that is there; waits for the first so many seconds at most."""
        found: list[Event] = []
        try:
            found.append(self._queue.get(timeout=max(0.0, seconds)))
            while True:
                found.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        with self._guard:
            self._there.difference_update(found)
        return [one for one in found if one.source]


def follow(source: str, listen: Callable[[], Iterator[str]], inbox: Inbox, say: Callable[[str], None]) -> threading.Thread:
    """Have a thread put what a source tells into the inbox."""
    thread = threading.Thread(target=_follow, args=(source, listen, inbox, say), name=source, daemon=True)
    thread.start()
    return thread


def _follow(source: str, listen: Callable[[], Iterator[str]], inbox: Inbox, say: Callable[[str], None]) -> None:
    pause = FIRST_PAUSE
    lost = False
    while True:
        try:
            for lab in listen():
                inbox.put(Event(source, lab, lost))
                if lost:
                    say(f"{source}: listening again")
                lost, pause = False, FIRST_PAUSE
        except LabError as error:
            if not lost:
                say(f"{source}: {error}")
        except Exception as error:  # noqa: BLE001 - a source that cannot be understood must not end in silence
            if not lost:
                say(f"{source}: {type(error).__name__}: {error}")
        lost = True
        time.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
