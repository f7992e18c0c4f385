# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A device that plays a recorded console: it echoes, asks for a login, pages its output, and never lets a test wait.

It is as strict as a device is kind: a key that no person would have pressed there fails the test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Save

PIECE = 7
"""Bytes that are read at once: escape sequences come in two pieces."""
PAUSE = b"\xff"
"""In what is written: the device says nothing for a while, and goes on."""
LONG = b"\xfe"
"""The same for longer than anybody would wait who does not know what was asked for."""
SILENCE = {PAUSE: 1.0, LONG: 8.0}
"""Seconds of that while."""
ERASE = b"\x15"
"""Takes back a line that was typed."""
BREAK = b"\x03"
"""Gives up a command."""
USERNAME, PASSWORD = "admin", "geheim99"


@dataclass(frozen=True)
class Talk:
    """What a device says at its console once it runs, as it is on the wire.

    start: waits for Enter, empty where nothing does. login, secret: ask for a name and for a password, empty where they are not asked for.
    prompts: of the levels, from the first one after the login on, each with what stands before it; moves: commands that lead to another
    one; top: the one where the configuration is shown; configuring: the one where it is changed. locked: the command that asks for a
    password on its way there. answers: to further commands; asking: the one that asks something. command: shows the configuration;
    output: that, and expected: what is kept of it. pager: stands below a page; erased: comes before the next. redraws: the line is
    written anew with each key. noise: a message that comes by itself. save: how it is read where no kind says it.
    """

    prompts: tuple[bytes, ...]
    command: str
    output: bytes
    expected: str
    start: bytes = b""
    login: bytes = b""
    secret: bytes = b"Password: "
    refused: bytes = b"\r\nLogin incorrect\r\n"
    motd: bytes = b""
    moves: dict[str, int] = field(default_factory=dict)
    top: int = 0
    configuring: int = -1
    locked: str = ""
    answers: dict[str, bytes] = field(default_factory=dict)
    asking: str = ""
    pager: bytes = b""
    erased: bytes = b""
    page: int = 5
    pager_off: str = ""
    quits: tuple[str, ...] = ("exit",)
    redraws: bool = False
    noise: bytes = b""
    unknown: bytes = b"% Invalid input detected at '^' marker.\r\n"
    save: Save | None = None


@dataclass(frozen=True)
class Recorded:
    """The console of a device. kinds: those whose it is. boot: of one, up to where it becomes ready; ready: what shows that.

    detours: what some of its boots show besides. failures: how a boot ends that never becomes ready. questions: what it asks, and is the
    user's to answer. talk: None where nobody has anything to say to it.
    """

    family: str
    kinds: tuple[str, ...]
    boot: bytes
    ready: bytes
    detours: tuple[bytes, ...] = ()
    failures: tuple[bytes, ...] = ()
    questions: tuple[bytes, ...] = ()
    talk: Talk | None = None


class Player:
    """The stream of such a console, and what is on its screen (C(shown)) when it is opened. sent: all that was written to it.
    secret: the password of its higher level.

    left: how it was left: C(new), C(prompt) (of somebody who is logged in), C(top) (at the last level but that of configuring), C(half)
    (with half a command), C(pager), C(user) (with a name at the question for a password), C(configuring), or C(asks).
    obeys: whether its pager can be turned off. question: what it asks in C(asks). noisy: where a message comes: behind the question for a
    C(login), in the C(output), or behind the prompt at its C(end); a device does not say again what its message took the line of.
    """

    def __init__(self, talk: Talk, left: str = "new", *, obeys: bool = True, question: bytes = b"", noisy: str = "") -> None:
        self.talk = talk
        self.sent = b""
        self.open = True
        self.secret = PASSWORD
        self.logins = 0
        self._tries = 0
        self.turned = 0
        self._obeys = obeys
        self._noisy = noisy
        self._out = b""
        self._silent = 0.0
        self._typed = b""
        self._level = 0
        self._paging = bool(talk.pager)
        self._pages: list[bytes] = []
        self._user = ""
        self._state = "prompt"
        self._leave(left, question)
        self.shown, self._out = self._out.replace(PAUSE, b""), b""

    def _leave(self, left: str, question: bytes) -> None:
        talk = self.talk
        if left == "new":
            self._begin()
        elif left == "asks":
            self._state = "asks"
            self._out = question
        elif left == "user":
            self._out = talk.login + b"bob\r\n" + talk.secret
            self._user, self._state = "bob", "login secret"
        else:
            self._level = {"prompt": 0, "configuring": talk.configuring}.get(left, talk.top)
            self._show_prompt()
            if left == "half":
                self.write(b"show interf")
            if left == "pager":
                self._run(talk.command)
            self.sent = b""

    @property
    def quiet(self) -> bool:
        """Whether nobody is logged in."""
        return self._state in ("start", "login")

    def read(self, timeout: float) -> bytes:
        assert self.open, "a console that is closed is read"
        self._silent -= timeout
        if self._silent > 0:
            return b""
        if (silence := SILENCE.get(self._out[:1])) is not None:
            self._out = self._out[1:]
            self._silent = silence - timeout
            if self._silent > 0:
                return b""
        piece = re.split(rb"[\xfe\xff]", self._out[:PIECE])[0]
        self._out = self._out[len(piece) :]
        return piece

    def write(self, data: bytes) -> None:
        assert self._state != "asks", f"a question that is the user's to answer got {data!r}"
        self.sent += data
        for byte in data:
            self._key(bytes([byte]))

    def close(self) -> None:
        self.open = False

    def _key(self, key: bytes) -> None:
        if self._pages:
            self._page(key)
        elif key == ERASE:
            self._out += b"\b \b" * len(self._typed)
            self._typed = b""
        elif key == BREAK and self._state == "prompt":
            self._typed = b""
            self._out += b"^C\r\n"
            self._show_prompt()
        elif key == b"\r":
            line, self._typed = self._typed.decode(), b""
            self._out += b"\r\n"
            self._line(line)
        else:
            assert key >= b" ", f"the key {key!r} is pressed"
            self._typed += key
            if self._state == "prompt" and self.talk.redraws:
                self._out += b"\r" + self.talk.prompts[self._level].rpartition(b"\n")[2] + self._typed + b"\x1b[K"
            elif self._state in ("prompt", "login"):
                self._out += key

    def _line(self, line: str) -> None:
        if self._state == "start":
            self._begin(started=True)
        elif self._state == "login":
            self._user = line
            self._state, self._out = ("login secret", self._out + self.talk.secret) if line else ("login", self._out + self.talk.login)
        elif self._state == "login secret":
            self._check(line)
        elif self._state == "locked secret":
            self._unlock(line)
        else:
            self._run(line)

    def _begin(self, *, started: bool = False) -> None:
        if self.talk.start and not started:
            self._state = "start"
            self._out += self.talk.start
        elif self.talk.login:
            self._state = "login"
            self._out += self.talk.login + self._noise("login")
        else:
            self._out += self.talk.motd
            self._show_prompt()

    def _show_prompt(self) -> None:
        self._state = "prompt"
        self._out += self.talk.prompts[self._level]

    def _noise(self, place: str) -> bytes:
        """It comes once."""
        if self._noisy != place:
            return b""
        self._noisy = ""
        return self.talk.noise if place == "output" else PAUSE + b"\r\n" + self.talk.noise

    def _check(self, password: str) -> None:
        if (self._user, password) == (USERNAME, PASSWORD):
            self.logins += 1
            self._level = 0
            self._out += PAUSE + self.talk.motd
            self._show_prompt()
        else:
            self._state = "login"
            self._out += PAUSE + self.talk.refused + self.talk.login

    def _unlock(self, password: str) -> None:
        """It asks three times."""
        self._tries += 1
        if password == self.secret:
            self._level = self.talk.moves[self.talk.locked]
            self._show_prompt()
        elif self._tries % 3:
            self._out += b"% Access denied\r\n" + self.talk.secret
        else:
            self._out += b"% Bad secrets\r\n\r\n"
            self._show_prompt()

    def _run(self, line: str) -> None:
        talk = self.talk
        if line and line == talk.locked and self._level == 0:
            self._state = "locked secret"
            self._out += talk.secret
        elif line == talk.command:
            self._out += PAUSE
            begin, end, rest = talk.output.partition(b"!\r\n") if self._noisy == "output" else (talk.output, b"", b"")
            output = begin + end + self._noise("output") + rest
            self._pages = pages(output, talk.page) if self._paging else [output]
            self._page(b" ", first=True)
        elif line in talk.quits:
            self._level = 0
            self._begin()
        else:
            if line in talk.moves:
                self._level = talk.moves[line]
            elif line in talk.answers:
                self._out += talk.answers[line]
                if line == talk.asking:
                    self._state = "asks"
                    return
            elif line.strip() and not self._sets_pager(line):
                self._out += talk.unknown
            self._show_prompt()

    def _sets_pager(self, line: str) -> bool:
        if line == self.talk.pager_off:
            self._paging = self._paging and not self._obeys
        return line == self.talk.pager_off

    def _page(self, key: bytes, *, first: bool = False) -> None:
        assert key in (b" ", b"q"), f"a pager gets {key!r}"
        if not first:
            self.turned += 1
            self._out += self.talk.erased
        if key == b"q":
            self._pages = []
        else:
            self._out += self._pages.pop(0)
        if self._pages:
            self._out += self.talk.pager
        else:
            self._show_prompt()
            self._out += self._noise("end")


def pages(output: bytes, lines: int) -> list[bytes]:
    found = re.findall(rb"[^\n]*\n|[^\n]+$", output)
    return [b"".join(found[place : place + lines]) for place in range(0, len(found), lines)]


def wire(text: str) -> bytes:
    """As it is on a line: with carriage returns."""
    return text.replace("\n", "\r\n").encode()
