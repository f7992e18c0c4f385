# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Command lines and amounts of memory, read as containerlab reads them.

It splits commands with a library whose rules are not those of Python's shlex: within double quotes a backslash
takes any next character as it is, and a word that begins with # starts a comment.
"""

from __future__ import annotations

import re
import typing as t

_SPACE = " \t\r\n"
_AMOUNT = re.compile(r"([0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)\s*([a-zA-Z]*)")
_UNITS = {
    "": 1,
    "b": 1,
    **{unit: 1000**power for power, prefix in enumerate("kmgtpe", 1) for unit in (prefix, f"{prefix}b")},
    **{unit: 1024**power for power, prefix in enumerate("kmgtpe", 1) for unit in (f"{prefix}i", f"{prefix}ib")},
}


def split_command(text: str) -> tuple[str, ...]:
    """The words of a command line. Raises ValueError with what is missing."""
    splitter = _Splitter()
    for char in text:
        splitter.feed(char)
    return splitter.finish()


class _Splitter:
    """The state machine: one state is one method, chosen by what was seen before."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.word: list[str] | None = None
        self.state: t.Callable[[str], None] = self._outside

    def feed(self, char: str) -> None:
        self.state(char)

    def finish(self) -> tuple[str, ...]:
        if self.state in (self._quoted, self._double_quoted):
            raise ValueError("a quote is not closed")
        if self.state in (self._escaped, self._escaped_in_quotes):
            raise ValueError("nothing stands after the last backslash")
        self._end_word()
        return tuple(self.words)

    def _end_word(self) -> None:
        if self.word is not None:
            self.words.append("".join(self.word))
        self.word = None

    def _add(self, char: str) -> None:
        if self.word is None:
            self.word = []
        self.word.append(char)

    def _outside(self, char: str) -> None:
        if char == "#":
            self.state = self._comment
        elif char not in _SPACE:
            self.word = []
            self.state = self._inside
            self._inside(char)

    def _inside(self, char: str) -> None:
        if char in _SPACE:
            self._end_word()
            self.state = self._outside
        elif char == '"':
            self.state = self._double_quoted
        elif char == "'":
            self.state = self._quoted
        elif char == "\\":
            self.state = self._escaped
        else:
            self._add(char)

    def _escaped(self, char: str) -> None:
        self._add(char)
        self.state = self._inside

    def _escaped_in_quotes(self, char: str) -> None:
        self._add(char)
        self.state = self._double_quoted

    def _double_quoted(self, char: str) -> None:
        if char == '"':
            self.state = self._inside
        elif char == "\\":
            self.state = self._escaped_in_quotes
        else:
            self._add(char)

    def _quoted(self, char: str) -> None:
        if char == "'":
            self.state = self._inside
        else:
            self._add(char)

    def _comment(self, char: str) -> None:
        if char == "\n":
            self.state = self._outside


def memory_bytes(text: str) -> int:
    """Bytes of an amount such as C(512mb) or C(1Gib); C(1G) is 1000 MB, as in containerlab. Raises ValueError."""
    found = _AMOUNT.fullmatch(text.strip()[:40])
    factor = _UNITS.get(found.group(2).lower()) if found else None
    if found is None or factor is None:
        raise ValueError("not an amount of memory")
    amount = int(float(found.group(1).replace(",", "")) * factor)
    if not 0 < amount < 2**63:
        raise ValueError("not an amount of memory that a server can have")
    return amount
