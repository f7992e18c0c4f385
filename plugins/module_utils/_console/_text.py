# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a person would read of what a console wrote: lines without the terminal's control sequences, and without what was overwritten.

A terminal of any width that forgets nothing: a configuration is not broken where a screen would end, and what was on a page stays when
the next page is begun. A line feed begins a line, as logs have it without its carriage return.
"""

from __future__ import annotations

import codecs
import re

HEIGHT = 24
"""Lines that devices think the screen has: how far up a cursor goes."""
WIDEST = 1000
"""The furthest column that a cursor is put in. Text goes on behind it."""
LONGEST = 65536
"""Characters after which a line is broken, whatever wrote it."""
KEEP = 200_000
"""Lines that are kept; of those before them nothing is left."""
ROOM = 32 * 1024 * 1024
"""Characters that the lines may have which are kept: a few bytes that move the cursor may make a long line."""

_TOKEN = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI, such as the colour or the place of the cursor
    r"|\x1b[\]PX^_][^\x07\x1b\x18\x1a]*(?:\x07|\x1b\\|\x18|\x1a)"  # OSC, DCS and the like, such as the title of the window
    r"|\x1b[ -/]*[0-Z\\`-~]"  # everything short, such as a character set
    r"|[\x00-\x1f\x7f\x80-\x9f]"
    r"|[^\x00-\x1f\x7f\x80-\x9f]+"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\x18\x1a]*\x1b?|[ -/]*)?\Z")
_PATIENCE = 4096
"""Characters after which a sequence that does not end is text."""


def plain(raw: bytes | str) -> str:
    """All lines, with blanks at their ends as they were written: a prompt may be told by the blank behind it."""
    screen = Screen()
    screen.feed(raw)
    return screen.text()


class Screen:
    """Fed with what arrives, in any pieces. row counts from the first line that ever was, so that it stays the same line.

    keep, room: lines that are kept, and characters of them; the last HEIGHT lines always are. longest: characters of a line.
    """

    def __init__(self, keep: int = KEEP, room: int = ROOM, longest: int = LONGEST) -> None:
        self._keep, self._room, self._longest = max(keep, HEIGHT), room, longest
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._lines = [""]
        self._gone = 0
        self._row = 0
        self._column = 0
        self._top = 0
        self._counted = 0
        self._size = 0
        self._saved = (0, 0)
        self._rest = ""

    def feed(self, raw: bytes | str) -> None:
        text = self._rest + (raw if isinstance(raw, str) else self._decoder.decode(raw))
        self._rest = ""
        unfinished = _UNFINISHED.search(text, max(0, len(text) - _PATIENCE))
        if unfinished is not None:
            text, self._rest = text[: unfinished.start()], unfinished[0]
        for found in _TOKEN.finditer(text):
            token = found[0]
            if token[0] >= " " and not "\x7f" <= token[0] <= "\x9f":
                self._write(token)
            elif token[0] != "\x1b":
                self._control(token)
            elif token[1:2] == "[":
                self._sequence(token)
            else:
                self._escape(token)

    @property
    def row(self) -> int:
        """The line that the cursor is in."""
        return self._gone + self._row

    @property
    def line(self) -> str:
        return self._lines[self._row]

    def lines(self, first: int = 0) -> list[str]:
        """The lines from that row on."""
        return self._lines[max(0, first - self._gone) :]

    def text(self, first: int = 0) -> str:
        return "\n".join(self.lines(first))

    def tail(self, count: int = HEIGHT) -> list[str]:
        """The last lines that have something in them, for people."""
        filled = [line.rstrip() for line in self._lines[-10 * count :] if line.strip()]
        return filled[-count:]

    def erase_line(self) -> None:
        """Take away the line of the cursor, as a device does with its pager."""
        self._lines[self._row] = ""
        self._column = 0

    def _write(self, text: str) -> None:
        while text:
            room = self._longest - self._column
            line, here, text = self._lines[self._row], text[:room], text[room:]
            if len(line) < self._column:
                line = line.ljust(self._column)
            end = self._column + len(here)
            self._lines[self._row] = line[: self._column] + here + line[end:]
            self._column = end
            if text:
                self._next_line()

    def _control(self, code: str) -> None:
        if code in "\n\x0b\x0c\x85":
            self._next_line()
        elif code == "\r":
            self._column = 0
        elif code == "\b":
            self._column = max(0, self._column - 1)
        elif code == "\t":
            self._column = min(self._longest, self._column // 8 * 8 + 8)

    def _escape(self, token: str) -> None:
        code = token[1:]
        if code == "E":
            self._next_line()
        elif code == "D":
            self._move(self._row + 1, self._column)
        elif code == "M":
            self._move(self._row - 1, self._column)
        elif code == "7":
            self._saved = (self.row, self._column)
        elif code == "8":
            self._move(self._saved[0] - self._gone, self._saved[1])
        elif code == "c":
            self._new_page()

    def _sequence(self, token: str) -> None:
        body, final = token[2:-1], token[-1]
        if not re.fullmatch(r"[0-9;]*", body):
            return
        first, second = ([int(one[:6] or 0) for one in body.split(";")] + [0, 0])[:2]
        count = min(first, WIDEST) or 1
        if final in _MOVES:
            down, right = _MOVES[final]
            self._move(self._row + down * min(count, HEIGHT), self._column + right * count)
        elif final in "EF":
            self._move(self._row + min(count, HEIGHT) * (1 if final == "E" else -1), 0)
        elif final in "G`":
            self._move(self._row, count - 1)
        elif final == "d":
            self._move(self._top + min(count, HEIGHT) - 1, self._column)
        elif final in "Hf":
            self._move(self._top + min(count, HEIGHT) - 1, (min(second, WIDEST) or 1) - 1)
        elif final in "su":
            self._escape("\x1b7" if final == "s" else "\x1b8")
        else:
            self._change(final, first, count)

    def _change(self, final: str, first: int, count: int) -> None:
        line, column = self._lines[self._row], self._column
        if final == "K":
            blank = " " * (min(column, len(line)) + 1)
            self._lines[self._row] = {0: line[:column], 1: blank + line[column + 1 :], 2: ""}.get(first, line)
        elif final == "J":
            self._erase_display(first)
        elif final == "P":
            self._lines[self._row] = line[:column] + line[column + count :]
        elif final == "X":
            self._lines[self._row] = line[:column] + " " * min(count, max(0, len(line) - column)) + line[column + count :]
        elif final == "@":
            self._lines[self._row] = (line[:column].ljust(column) + " " * count + line[column:])[: self._longest]

    def _erase_display(self, how: int) -> None:
        """A page that is wiped is one that ended: what was on it was read."""
        if how in (2, 3) or (how == 0 and (self._row, self._column) == (self._top, 0)):
            self._new_page()
        elif how == 0:
            self._lines[self._row] = self._lines[self._row][: self._column]
            del self._lines[self._row + 1 :]

    def _new_page(self) -> None:
        while self._lines and not self._lines[-1].strip():
            gone = self._lines.pop()
            if len(self._lines) < self._counted:
                self._counted -= 1
                self._size -= len(gone)
        self._lines.append("")
        self._top = self._row = len(self._lines) - 1
        self._column = 0
        self._forget()

    def _next_line(self) -> None:
        self._move(self._row + 1, 0)

    def _move(self, row: int, column: int) -> None:
        self._row = max(row, self._top, 0)
        self._column = max(0, min(column, self._longest if column == self._column else WIDEST))
        missing = self._row - len(self._lines) + 1
        if missing > 0:
            self._lines.extend([""] * missing)
        self._top = max(self._top, len(self._lines) - HEIGHT)
        self._forget()

    def _forget(self) -> None:
        """The oldest lines, where there are too many, or too long ones. Those above the page are as they will be, and are counted once."""
        self._size += sum(map(len, self._lines[self._counted : self._top]))
        self._counted = max(self._counted, self._top)
        if len(self._lines) <= self._keep + self._keep // 10 and self._size <= self._room:
            return
        count = max(0, len(self._lines) - self._keep)
        left = self._size - sum(map(len, self._lines[: min(count, self._top)]))
        while left > self._room * 9 // 10 and count < self._top:
            left -= len(self._lines[count])
            count += 1
        count = min(count, self._top)
        del self._lines[:count]
        self._size = left
        self._gone += count
        self._row -= count
        self._top -= count
        self._counted -= count


_MOVES = {"A": (-1, 0), "B": (1, 0), "C": (0, 1), "D": (0, -1)}
