# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is looked for in what a node writes: whether it is ready, whether it never will be, and how far it is.

A pattern counts when it is in what came, byte for byte, or in what a person would read of it: some are written for the one, some for the
other, and a device may put its cursor or its colours into the middle of a word. C(^) and C($) are those of a line.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._console._text import HEIGHT, Screen
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Probe
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

OVERLAP = 4096
"""Characters that are looked at once more with what comes next, as what is looked for may be in two pieces."""
LONGEST = 160
"""Characters of a line that is shown."""
PIECE = 16384
"""Bytes that are looked at at once. A node may write as much as it likes, and is looked at as long as somebody waits."""
KEEP = 2 * PIECE
"""Lines and, with some more, characters that are kept: a piece, and what was on the screen before it."""
LINE = 8192
"""Characters of a line."""
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class Scan:
    """Fed with what a node writes, in any pieces. ready: what matched first. failure: the line that shows it, empty where none does.

    marker: what of the markers, of either sort, was seen last. A failure is over when something shows that the node is on its way again.
    """

    def __init__(self, probe: Probe) -> None:
        self._pattern = _compiled(probe.pattern)
        markers = [(one, False) for one in probe.boot_markers] + [(one, True) for one in probe.failure_markers]
        self._markers = [(_compiled(one), failure) for one, failure in markers]
        self._screen = Screen(KEEP, 8 * KEEP, LINE)
        self._raw = ""
        self.ready = ""
        self.failure = ""
        self.marker = ""

    def feed(self, data: bytes) -> None:
        for begin in range(0, len(data), PIECE):
            self._feed(data[begin : begin + PIECE])

    def _feed(self, data: bytes) -> None:
        first = self._screen.row - HEIGHT
        self._screen.feed(data)
        self._raw += data.decode(errors="replace")
        for text in (self._raw, self._screen.text(max(0, first))):
            self.ready = self.ready or self._first(text)
        self._look_for_markers(self._screen.text(max(0, first)))
        if len(self._raw) > OVERLAP:
            self._raw = self._raw[-OVERLAP:].partition("\n")[2] or self._raw[-OVERLAP:]

    @property
    def last(self) -> str:
        """The last line that says something, for people."""
        return shown(next(iter(reversed(self._screen.tail(1))), ""))

    @property
    def screen(self) -> list[str]:
        """The last lines that say something."""
        return self._screen.tail()

    def _first(self, text: str) -> str:
        found = self._pattern.search(text) if self._pattern else None
        return shown(found[0]) or "(nothing)" if found else ""

    def _look_for_markers(self, text: str) -> None:
        """The last one counts. What was looked at before is there again, and changes nothing: the order is the same."""
        found = [(_begin(match), match[0], failure) for pattern, failure in self._markers if pattern for match in pattern.finditer(text)]
        if found:
            place, marker, failure = max(found)
            self.marker = shown(marker)
            self.failure = _line_at(text, place) if failure else ""


def shown(text: str) -> str:
    """One line for people: no control characters, and not too long."""
    line = _CONTROLS.sub(" ", text).strip()
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def _begin(match: re.Match[str]) -> int:
    """Where what was found begins: a pattern may take the end of the line before with it."""
    return match.end() - len(match[0].lstrip("\r\n"))


def _line_at(text: str, place: int) -> str:
    begin = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    return shown(text[begin : len(text) if end < 0 else end])


def _compiled(pattern: str) -> re.Pattern[str] | None:
    """None for no pattern. Raises LabError for one that is none: it would be waited for in vain."""
    try:
        return re.compile(pattern, re.MULTILINE) if pattern else None
    except re.error as error:
        raise LabError(f"{pattern} is not a regular expression: {error}", hint="mend readiness of the node's kind") from error


def check(probes: t.Iterable[Probe]) -> None:
    """Raises LabError for a probe whose patterns are none."""
    for probe in probes:
        for pattern in (probe.pattern, *probe.boot_markers, *probe.failure_markers):
            _compiled(pattern)
