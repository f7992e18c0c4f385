# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The console of a machine as a probe. It looks at the screen before it sends a key, and answers nothing that is asked there.

A console shows only what comes while it is open, so that what was on the screen before is taken from its log: a question may stand there
whose default Enter would be.
"""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._console import _dialog
from ansible_collections.archetype.lab.plugins.module_utils._console._text import Screen

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import ConsoleStream

IDLE = 1.0
"""Seconds in which nothing must come before a key is sent."""
ANSWER = 2.0
"""Seconds that the answer to it has."""


def probe(stream: ConsoleStream, before: t.Sequence[str], pattern: str, again: t.Callable[[], t.Sequence[str]] | None = None) -> bool:
    """Whether the screen shows the pattern, now or after Enter, which is sent only where nothing is going on and nothing is asked.

    before: the lines that were on the screen before the console was opened. again: tells them once more, as something may have come while
    it was being opened.
    """
    wanted, screen = re.compile(pattern), Screen()
    received = 0

    def shows(seconds: float) -> bool:
        """Whether it comes within that time. What comes, comes in pieces."""
        nonlocal received
        deadline = time.monotonic() + seconds
        while came := stream.read(max(0.0, deadline - time.monotonic())):
            received += len(came)
            screen.feed(came)
            if any(wanted.search(line) for line in screen.tail()):
                return True
            if time.monotonic() > deadline:
                break
        return False

    if any(wanted.search(line) for line in before) or shows(IDLE):
        return True
    there = again() if again is not None else before
    if any(wanted.search(line) for line in there):
        return True
    if received or not _dialog.may_send_enter(there):
        return False
    stream.write(b"\r")
    return shows(ANSWER)
