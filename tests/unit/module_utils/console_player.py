# SPDX-License-Identifier: GPL-3.0-or-later
"""A device that plays a recorded console: it echoes, asks for a login, pages its output, and never waits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

PIECE = 7
"""Bytes that are read at once: escape sequences come in two pieces."""


@dataclass
class Recorded:
    """The console of a device of a family. prompts: of the levels, from the first one after the login on; they are sent with a line before them.

    login: what asks for a user's name and for a password. commands: what is written for each, as it is on the wire; those that lead to
    another level have its number. pager: what stands below a page; erased: what comes when it goes on; page: lines of one.
    """

    family: str
    kinds: tuple[str, ...]
    boot: bytes
    prompts: tuple[bytes, ...] = (b"",)
    failed: bytes = b""
    login: tuple[bytes, bytes] | None = None
    refused: bytes = b"\r\nLogin incorrect\r\n"
    username: str = "admin"
    password: str = "geheim99"
    enable: tuple[str, bytes, str] | None = None
    moves: dict[str, int] = field(default_factory=dict)
    command: str = ""
    output: bytes = b""
    expected: str = ""
    pager: bytes = b""
    erased: bytes = b""
    page: int = 6
    end: bytes = b""
    pager_off: str = ""
    newline: bytes = b"\r\n"
    start: bytes = b""
    unknown: bytes = b"% Invalid input detected at '^' marker.\r\n"


class Player:
    """The stream of such a console. sent: all that was written to it. obeys: whether the pager can be turned off."""

    def __init__(self, recorded: Recorded, *, obeys: bool = True, booted: bool = True) -> None:
        self.recorded = recorded
        self.sent = b""
        self._obeys = obeys
        self._out = b"" if booted else recorded.boot
        self._typed = b""
        self._level = 0
        self._paging = bool(recorded.pager)
        self._pages: list[bytes] = []
        self._user = ""
        self._state = "start" if recorded.start else "login" if recorded.login else "prompt"

    def read(self, timeout: float) -> bytes:
        piece, self._out = self._out[:PIECE], self._out[PIECE:]
        return piece

    def write(self, data: bytes) -> None:
        self.sent += data
        for byte in data:
            self._key(bytes([byte]))

    def close(self) -> None: ...

    def _key(self, key: bytes) -> None:
        if self._pages:
            self._page(key)
        elif key == b"\x15":
            self._out += b"\b \b" * len(self._typed)
            self._typed = b""
        elif key == b"\r":
            line, self._typed = self._typed.decode(), b""
            self._out += self.recorded.newline
            self._line(line)
        else:
            self._typed += key
            if self._state != "password":
                self._out += key

    def _line(self, line: str) -> None:
        recorded = self.recorded
        if self._state == "start":
            self._ask_or_prompt()
        elif self._state == "login":
            self._user, self._state = line, "password"
            self._out += recorded.login[1] if recorded.login else b""
        elif self._state == "password":
            self._check(line)
        else:
            self._run(line)

    def _ask_or_prompt(self) -> None:
        if self.recorded.login:
            self._state = "login"
            self._out += self.recorded.login[0]
        else:
            self._show_prompt()

    def _show_prompt(self) -> None:
        self._state = "prompt"
        self._out += self.recorded.prompts[self._level]

    def _check(self, password: str) -> None:
        recorded = self.recorded
        if recorded.enable and self._user == recorded.enable[0]:
            good = password == recorded.enable[2]
            self._level = 1 if good else 0
            self._out += b"" if good else b"% Access denied\r\n"
            self._show_prompt()
        elif (self._user, password) == (recorded.username, recorded.password):
            self._show_prompt()
        else:
            self._state = "login"
            self._out += recorded.refused + (recorded.login[0] if recorded.login else b"")

    def _run(self, line: str) -> None:
        recorded = self.recorded
        if recorded.enable and line == recorded.enable[0] and self._level == 0:
            self._user, self._state = line, "password"
            self._out += recorded.enable[1]
            return
        if line in ("exit", "logout", "quit") and line == "exit":
            self._level, self._state = 0, "login" if recorded.login else "start" if recorded.start else "prompt"
            self._out += recorded.login[0] if recorded.login else recorded.start or recorded.prompts[0]
            return
        if line in recorded.moves:
            self._level = recorded.moves[line]
        elif line == recorded.pager_off and line:
            self._paging = self._paging and not self._obeys
        elif line == recorded.command:
            self._pages = _pages(recorded.output, recorded.page) if self._paging else [recorded.output]
            self._page(b" ", first=True)
            return
        elif line.strip():
            self._out += recorded.unknown
        self._show_prompt()

    def _page(self, key: bytes, *, first: bool = False) -> None:
        recorded = self.recorded
        if key == b"q":
            self._pages = []
        else:
            assert key == b" ", f"a pager got {key!r}"
        self._out += b"" if first else recorded.erased
        if self._pages:
            self._out += self._pages.pop(0)
        if self._pages:
            self._out += recorded.pager
        else:
            self._show_prompt()


def _pages(output: bytes, lines: int) -> list[bytes]:
    found = re.findall(rb"[^\n]*\n\r?", output)
    return [b"".join(found[place : place + lines]) for place in range(0, len(found), lines)]
