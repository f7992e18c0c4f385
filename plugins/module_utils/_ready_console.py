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
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._console import _dialog
from ansible_collections.archetype.lab.plugins.module_utils._console._text import Screen

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import ConsoleStream

IDLE = 1.0
"""Seconds in which nothing must come before a key is sent."""
ANSWER = 2.0
"""Seconds that the answer to it has."""
_CHOICE = re.compile(r"[\[(]\s*(?:yes|no|y|n)(?:\s*[/|]\s*\w+)*\s*[\])]|\[confirm\]|configuration dialog", re.IGNORECASE)
"""A question wherever it stands in its line, as messages come behind it."""
_PROMPT = re.compile(r"\S{1,80}[>#$%]\s*")


def may_send_enter(screen: t.Sequence[str]) -> bool:
    """Whether Enter answers nothing on this screen: on an empty one, at a command prompt, and where it is asked for.

    Messages may have come since: the last line that is an invitation, a question, or a prompt is what counts.
    """
    for line in reversed(screen):
        if _dialog.noise(line) and not _CHOICE.search(line):
            continue
        if _dialog.starts([line]):
            return True
        if _CHOICE.search(line) or any(kind(line) for kind in _ANSWERED):
            return False
        if _PROMPT.fullmatch(line.strip()):
            return True
    return True


_ANSWERED = (_dialog.asks, _dialog.asks_user, _dialog.asks_password, _dialog.pager, _dialog.hands_off)


def probe(stream: ConsoleStream, before: t.Sequence[str], pattern: str) -> bool:
    """Whether the screen shows the pattern, now or after Enter, which is sent only where nothing is going on and nothing is asked.

    before: the lines that were on the screen when the console was opened.
    """
    wanted, screen = re.compile(pattern), Screen()

    def shows(seconds: float) -> bool:
        came = stream.read(seconds)
        screen.feed(came)
        return any(wanted.search(line) for line in screen.tail())

    if any(wanted.search(line) for line in before) or shows(IDLE):
        return True
    if screen.tail() or not may_send_enter(before):
        return False
    stream.write(b"\r")
    return shows(ANSWER)
