# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The log of a container as dockerd sends it, taken apart as it comes: a container that writes without end fills no memory.

Without a terminal it comes in frames (1 byte stream, 3 unused, 4 length, then the data), one for each entry; with one it comes as it is,
an entry to a line. Each entry begins with its moment, and a line that is longer than Docker's buffer is several entries of one moment.
"""

from __future__ import annotations

import re
import typing as t

BUFFER = 16384
"""Bytes after which Docker begins another entry in the same line."""
LONGEST = 16 * BUFFER
"""Bytes of a line that are waited for."""
_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")


class Entry(t.NamedTuple):
    """moment: as Docker writes it, so that those of later entries are not less; empty where it said none."""

    moment: str
    data: bytes


def entries(pieces: t.Iterable[bytes], *, terminal: bool) -> t.Iterator[Entry]:
    """What is in an answer that was asked for with the moments."""
    moment = b""
    for raw, begins in _lines(pieces) if terminal else _frames(pieces):
        found = _MOMENT.match(raw) if begins else None
        data = raw[found.end() :] if found else raw
        moment = found[0] if found else moment
        yield Entry(moment.decode().strip(), _joined(data, moment) if terminal and moment else data)


def _frames(pieces: t.Iterable[bytes]) -> t.Iterator[tuple[bytes, bool]]:
    rest = b""
    for piece in pieces:
        rest += piece
        while len(rest) >= 8:
            end = 8 + int.from_bytes(rest[4:8], "big")
            if len(rest) < end:
                break
            yield rest[8:end], True
            rest = rest[end:]


def _lines(pieces: t.Iterable[bytes]) -> t.Iterator[tuple[bytes, bool]]:
    """Lines with their ends, and whether it is the beginning of one."""
    rest, begins = b"", True
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n", begins
            begins = True
        if len(rest) > LONGEST:
            yield rest, begins
            rest, begins = b"", False
    if rest:
        yield rest, begins


def _joined(line: bytes, moment: bytes) -> bytes:
    """Without the moments of the further entries of a long line."""
    begin = BUFFER
    while line[begin : begin + len(moment)] == moment:
        line = line[:begin] + line[begin + len(moment) :]
        begin += BUFFER
    return line
