# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Why a text is not YAML, as line, column, what is wrong and what to do, from the errors of the parser."""

from __future__ import annotations

import typing as t

SHOWN = 60

Fault = tuple[int, int, str, str]


def shortened(text: str) -> str:
    """A text of the file for a message, not too long."""
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def syntax_fault(exc: t.Any, text: str) -> Fault:
    """What a parser says. A quote that is not closed is told where it is opened, and not at the end of the file."""
    unclosed = exc.context_mark is not None and exc.problem == "found unexpected end of stream"
    mark = exc.context_mark if unclosed else exc.problem_mark or exc.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    words = ", ".join(shortened(str(part)) for part in (exc.context, exc.problem) if part)
    if unclosed:
        return line, column, f"not valid YAML: {words}", "Close the quote that is opened there"
    before = _line(text, line)[:column]
    if before.strip(" ") == "\t":
        return line, column, "not valid YAML: a line is indented with a tab", "Indent with spaces"
    return line, column, f"not valid YAML: {words}", "Check indentation, quotes and brackets there"


def _line(text: str, number: int) -> str:
    """A line of a text, from 1; empty where there is none."""
    lines = text.split("\n", number)
    return lines[number - 1] if 0 < number <= len(lines) else ""


def bad_character(exc: t.Any, text: str) -> Fault:
    position = exc.position if isinstance(exc.position, int) else 0
    before = text[:position]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
    return line, column, "a character that YAML does not allow", "Take it out, or write it as an escape in quotes"
