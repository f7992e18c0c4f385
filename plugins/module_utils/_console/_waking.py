# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The way to a prompt, from whatever the console was left in.

It looks before it says something. What is asked there is the user's to answer; a key is sent only where it means nothing else than
"go on", and where nothing else is going on.
"""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._console import _dialog

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._console._session import Session
    from ansible_collections.archetype.lab.plugins.module_utils._errors import VerifyError

ANY_PROMPT = r"^[\w.@()/:~\[\]<*+!{}-]{0,80}(?: [\w~/.()@:-]{1,40})? ?(?:[>#$]|(?<!\d)%)"
"""A prompt of any device. What is 50% done is none."""
_HALF_TYPED = re.compile(r"^[\w.@()/:~\[\]<*-]+ ?[>#$] ?[\w/]")
CLEAR = "\x15"
"""Takes back what was typed in a line, and does nothing else."""
QUIET = 0.3
"""Seconds of silence after which a line is what the device waits in."""
IDLE = 2.0
"""Seconds of silence after which Enter may be sent to see who is there, and a question is one."""
LOGIN = 10.0
"""Seconds that a login may take in silence."""
ENTERS = 3
CREDENTIALS = "set the node's credentials (username and password of its kind's connection) in the lab file"


class Waking:
    """configures: whether a prompt where something is configured is one to be at."""

    def __init__(self, session: Session, prompt: str, username: str, password: str, *, configures: bool = False) -> None:
        self._session = session
        self._prompt = re.compile(rf"(?:{prompt})\s*$")
        self._username = username
        self._password = password
        self._configures = configures
        self._sent: list[str] = []
        self._left = ENTERS
        self._last: tuple[int, str] | None = None

    @property
    def logged_in(self) -> bool:
        return bool({"user", "password"} & set(self._sent))

    @property
    def entered(self) -> bool:
        """Whether nobody was there before."""
        return self.logged_in or "start" in self._sent

    def run(self, deadline: float) -> str:
        """The line of the prompt. Raises VerifyError with what is in the way."""
        session = self._session
        while time.monotonic() < deadline:
            if not session.settle(QUIET, deadline):
                break
            if self._at_prompt():
                return session.screen.line.strip()
            self._see_refusal()
            here = (session.screen.row, session.screen.line)
            answer = None if here == self._last else self._answer()
            if answer is None:
                session.settle(LOGIN if self.logged_in else IDLE, deadline)
                if here != (session.screen.row, session.screen.line):
                    continue
                answer = self._late_answer()
            self._last = (session.screen.row, session.screen.line)
            session.send(answer)
            session.react(min(IDLE, max(0.0, deadline - time.monotonic())))
        raise self._error("did not come to a prompt in time", "look at it yourself; it may still be starting")

    def _at_prompt(self) -> bool:
        line = self._session.screen.line
        if _dialog.hands_off(line) or _dialog.asks(line) or not self._prompt.search(line):
            return False
        if not self._configures and _dialog.configuring(self._session.screen.lines(self._session.screen.row - 1)):
            raise self._error("was left in the middle of configuring", "leave configuration mode on the console, and run again")
        return True

    def _see_refusal(self) -> None:
        line = self._session.screen.line
        again = _dialog.asks_user(line) or _dialog.asks_password(line)
        told = "password" in self._sent and any(map(_dialog.refused, self._session.since()))
        told = told or (again and "password" in self._sent and (self._session.screen.row, line) != self._last)
        if told and "user" not in self._sent and _dialog.asks_user(line):
            self._sent.remove("password")  # it was of somebody else, whose name was there
        elif told:
            raise self._error("refused the login", CREDENTIALS)

    def _answer(self) -> bytes | None:
        """What is said at once, as it is asked for; None where nothing is."""
        line = self._session.screen.line
        if _dialog.asks_user(line) and "user" not in self._sent:
            if not self._username:
                raise self._error("asks for a login, and the node has no credentials", CREDENTIALS)
            return self._say("user", f"{self._username}\r")
        if _dialog.asks_password(line) and "password" not in self._sent:
            return self._say("password", f"{self._password}\r")
        if self._left and self._starts():
            self._left -= 1
            return self._say("start", "\r")
        return None

    def _late_answer(self) -> bytes:
        """What is said where nothing happens any more: Enter, a few times, unless that would be an answer to something."""
        line = self._session.screen.line
        if _dialog.asks(line) or _dialog.hands_off(line) or self._asked_above():
            raise self._error("asks what is yours to answer", "answer it on the console, and run again")
        if _dialog.pager(line):
            return b"q"
        if _HALF_TYPED.search(line) and "clear" not in self._sent:
            return self._say("clear", CLEAR)
        if _HALF_TYPED.search(line):
            raise self._error("has half a command on it that somebody left", "finish or erase it on the console, and run again")
        if not self._left:
            raise self._error("does not answer", "look at it yourself; it may still be starting")
        self._left -= 1
        return b"\r"

    def _starts(self) -> bool:
        screen = self._session.screen
        return _dialog.starts(screen.lines(screen.row - _dialog.CONTEXT))

    def _asked_above(self) -> bool:
        """Whether a message came behind a question: where the cursor is then nothing shows that Enter would be an answer."""
        session = self._session
        if session.screen.line.strip():
            return False
        return not _dialog.may_send_enter(session.since()[1:] if self._last else session.screen.tail(), logins=True)

    def _say(self, what: str, text: str) -> bytes:
        self._sent.append(what)
        return text.encode()

    def _error(self, what: str, hint: str) -> VerifyError:
        return self._session.error(what, hint=hint)
