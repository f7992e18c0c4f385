# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A conversation with a device over its console: what is read, what is sent, a command with its output. C(_waking.py) comes to a prompt."""

from __future__ import annotations

import re
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._console import _dialog
from ansible_collections.archetype.lab.plugins.module_utils._console._text import Screen
from ansible_collections.archetype.lab.plugins.module_utils._console._waking import ANY_PROMPT, Waking
from ansible_collections.archetype.lab.plugins.module_utils._errors import VerifyError

QUIET = 0.3
"""Seconds of silence after which a line is what the device waits in."""
SURE = 0.05
"""The same, of a line that looks like it."""
SLOW = 5.0
"""Seconds of silence after which a prompt is not to be expected any more: a message of the system took its line."""
BACK = 2.0
"""Seconds that it has for each step back to its prompt, where something went wrong."""
TURNS = 5
LIMIT = 10 * 1024 * 1024
"""Bytes of what one command may write."""


class Stream(t.Protocol):
    def read(self, timeout: float) -> bytes: ...

    def write(self, data: bytes) -> None: ...


class Session:
    """name: of the node, for messages. seen: what the console showed before it was opened, from its log; its last lines are enough."""

    def __init__(self, stream: Stream, name: str, seen: bytes | str = b"") -> None:
        self.name = name
        self.screen = Screen()
        self.screen.feed(seen)
        self.prompt = ""
        """The whole line that the device waits in, as C(wake) found it."""
        self.entered = False
        """Whether nobody was logged in before."""
        self._first = ""
        self._climbs = False  # whether a password is one of a higher level, and not of a login
        self._stream = stream
        self._secrets: set[str] = set()
        self._mark = self.screen.row
        self._received = 0

    def look(self, timeout: float = 1.0) -> str:
        """The last lines. Nothing is sent."""
        self.settle(QUIET, time.monotonic() + timeout)
        return self._hidden("\n".join(self.screen.tail()))

    def wait_for(self, pattern: str, timeout: float) -> re.Match[str]:
        """Wait until the pattern is in one of the lines that came since something was sent last."""
        wanted, deadline, row = re.compile(pattern), time.monotonic() + timeout, self._mark
        while True:
            found = next(filter(None, map(wanted.search, self.screen.lines(row))), None)
            if found is not None:
                return found
            row = max(row, self.screen.row)
            if time.monotonic() >= deadline:
                raise self.error(f"did not show {pattern!r} within {timeout:g} s")
            self._pump(min(1.0, deadline - time.monotonic()))

    def send(self, data: bytes) -> None:
        self._mark = self.screen.row
        self._received = 0
        self._stream.write(data)

    def send_line(self, text: str) -> None:
        self.send(text.encode() + b"\r")

    def wake(self, prompt: str = ANY_PROMPT, *, username: str = "", password: str = "", timeout: float = 60.0) -> str:
        """Come to a prompt, with a login where one is asked for. Returns the line that it is."""
        if password:
            self._secrets.add(password)
        waking = Waking(self, prompt, username, password)
        try:
            self.prompt = waking.run(time.monotonic() + timeout)
        finally:
            self.entered = self.entered or (waking.entered and not self._climbs)
        self._first = self._first or self.prompt
        return self.prompt

    def enable(self, command: str, prompt: str, *, password: str = "", timeout: float = 30.0) -> str:
        """Go from the prompt where it is to the one that is wanted. Returns that."""
        self._climbs = True
        self.send_line(command)
        self.react(timeout)
        found = self.wake(f"{prompt}|^{re.escape(self.prompt)}", password=password, timeout=timeout)
        if not re.search(f"(?:{prompt})$", found):
            raise self.error(f"is at {found!r} after {command!r}", hint=f"a prompt like {prompt} is expected; see save_config of its kind")
        return found

    def step(self, command: str, *, password: str = "", timeout: float = 120.0) -> str:
        """Give a command that may lead to another prompt, by a password where one is asked for. Returns what it wrote."""
        start, deadline = self.screen.row, time.monotonic() + timeout
        if password:
            self._secrets.add(password)
        self._climbs = True
        self.send_line(command)
        nudged = False
        while self.settle(SLOW, deadline, lambda: self._waits(start)) and not self._waits(start):
            if not nudged and self._covered():
                nudged = True
                self._stream.write(b"\r")
        self.prompt = Waking(self, ANY_PROMPT, "", password, configures=True).run(deadline)
        return self._output(start, "", nudged=nudged)

    def run(self, command: str, *, timeout: float = 120.0, limit: int = LIMIT) -> str:
        """Give a command at the prompt where it is. Returns what it wrote, without command and prompts, the pages put together."""
        above = self.screen.lines(self.screen.row - 1)[0] if self.screen.row else ""
        start, total, nudged = self.screen.row, 0, False
        self.send_line(command)
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.settle(QUIET, deadline, lambda: self._back(start) or bool(_dialog.pager(self.screen.line)), limit - total)
            total, self._received = total + self._received, 0
            line = self.screen.line
            if total > limit:
                self._stream.write(b"q\x03")
                raise self.error(f"wrote more than {limit} bytes for {command!r}", told=False)
            if self._back(start):
                return self._output(start, above, nudged=nudged)
            if key := _dialog.pager(line):
                self.screen.erase_line()
                self._stream.write(key.encode())
            elif _dialog.asks(line) or _dialog.asks_password(line):
                raise self.error(f"asks what is yours to answer after {command!r}", told=False)
            elif not nudged and self.settle(SLOW, deadline, lambda: self._back(start)) and not self.screen.line.strip():
                nudged = True
                self._stream.write(b"\r")
        raise self.error(f"did not end {command!r} within {timeout:g} s", told=False)

    def leave(self) -> None:
        """Log out where nobody was logged in, and go back where another prompt was. The device is not waited for long.

        Where it is not at its prompt, something asks there, and nothing is said: but a pager is ended, and the question for a password
        that a command of ours led to.
        """
        self._go_back()
        words = ("exit", "quit", "logout") if self.entered else ("exit",) if self.prompt != self._first else ()
        for word in words if self.prompt and self.screen.line.strip() == self.prompt else ():
            self.send_line(word)
            self.react(QUIET * 3)
            self.settle(QUIET, time.monotonic() + 2.0)
            if self.screen.line.strip() != self.prompt and not re.search(rf"{ANY_PROMPT}\s*$", self.screen.line):
                return

    def _go_back(self) -> None:
        """To the prompt, where something went wrong behind it. A device asks three times for a password."""
        if not self.prompt or self.screen.line.strip() == self.prompt:
            return
        self._received = 0
        self.settle(QUIET, time.monotonic() + BACK)
        for _turn in range(TURNS):
            line = self.screen.line
            if line.strip() == self.prompt:
                return
            key = "q" if _dialog.pager(line) else "\r" if self._climbs and _dialog.asks_password(line) else ""
            if key:
                self.send(key.encode())
                self.react(BACK)
            self._received = 0
            self.settle(BACK, time.monotonic() + BACK, self._stands)
            if not key and self.screen.line == line:
                return

    def _stands(self) -> bool:
        line = self.screen.line
        return line.strip() == self.prompt or bool(_dialog.pager(line)) or _dialog.asks_password(line)

    def settle(self, quiet: float, deadline: float, sure: t.Callable[[], bool] = lambda: False, limit: int = LIMIT) -> bool:
        """Read until nothing came for so long; False where that was not until the deadline. sure: whether a short silence is enough."""
        while self._received <= limit:
            left = deadline - time.monotonic()
            wait = min(SURE if sure() else quiet, left)
            if left <= 0:
                return False
            if not self._pump(wait):
                return wait < left
        return False

    def react(self, timeout: float) -> bool:
        """Wait until anything comes."""
        return self._pump(timeout)

    def since(self) -> list[str]:
        """The lines since something was sent last, with the one that it was sent in."""
        return self.screen.lines(self._mark)

    def error(self, what: str, *, hint: str = "", told: bool = True) -> VerifyError:
        """told: whether the last lines may be shown; of a configuration they may not, as secrets are in it."""
        lines = [line.strip()[:200] for line in self.screen.tail(4)] if told else []
        shown = f"; its last lines: {' / '.join(lines)}" if lines else ""
        if not told and self.screen.line.strip():
            shown = f"; it waits in the line {self.screen.line.strip()[:60]!r}"
        return VerifyError(f"the console of {self.name} {what}{self._hidden(shown)}", hint=hint, objects=(self.name,))

    def _back(self, start: int) -> bool:
        return self.screen.row > start and self.screen.line.strip() == self.prompt

    def _waits(self, start: int) -> bool:
        """Whether it waits for something, in a line below that one."""
        line = self.screen.line
        waits = (_dialog.asks, _dialog.asks_user, _dialog.asks_password, _dialog.pager)
        return self.screen.row > start and (bool(re.search(rf"{ANY_PROMPT}\s*$", line)) or any(kind(line) for kind in waits))

    def _covered(self) -> bool:
        """Whether a message of the system took the line of the prompt. What only takes its time may ask something, and gets no Enter."""
        above = [line for line in self.screen.lines(self.screen.row - 2)[:-1] if line.strip()]
        return not self.screen.line.strip() and bool(above) and _dialog.noise(above[-1])

    def _output(self, start: int, above: str, *, nudged: bool) -> str:
        lines = [line.rstrip() for line in self.screen.lines(start)[1:]]
        end = lines.index(self.prompt) if nudged and self.prompt in lines else len(lines) - 1
        lines = [line for line in lines[:end] if not _dialog.noise(line)]
        while lines and (not lines[-1] or (lines[-1] == above.rstrip() and _dialog.above_prompt(above))):
            lines.pop()
        while lines and not lines[0]:
            lines.pop(0)
        return "".join(f"{line}\n" for line in lines)

    def _pump(self, timeout: float) -> bool:
        data = self._stream.read(max(0.0, timeout))
        self._received += len(data)
        self.screen.feed(data)
        return bool(data)

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "********")
        return text
