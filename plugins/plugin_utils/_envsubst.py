# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Environment variables in a topology, in the forms that containerlab understands.

C($V) C(${V}) C(${V:-d}) C(${V:=d}) C(${V-d}) C(${V=d}) C(${V+o}) C(${V:+o}), and C($$) for one dollar sign. A variable
that is not set and has no default stays as it was written, so that commands for the node keep their own variables.
"""

from __future__ import annotations

import re
import typing as t

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-=+]")
_BRACE = re.compile(r"\$\{|\}")
_MAX_NESTING = 8
MAX_TEXT = 4 * 1024 * 1024
"""Longest text that comes out, in characters: one variable with a long value, named often, must not fill the memory."""


class TooLongError(ValueError):
    """A text whose variables make it longer than MAX_TEXT."""


def substitute(text: str, environment: t.Mapping[str, str], depth: int = 0) -> str:
    """The text with its variables replaced. What is no known form stays. Raises TooLongError."""
    closing = _closing(text) if "${" in text else {}
    parts: list[str] = []
    position = length = 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0 or depth > _MAX_NESTING:
            parts.append(text[position:])
            return "".join(parts)
        replaced, end = _variable(text, dollar, environment, depth, closing)
        parts += (text[position:dollar], replaced)
        length += dollar - position + len(replaced)
        if length > MAX_TEXT:
            raise TooLongError
        position = end


def _variable(text: str, dollar: int, environment: t.Mapping[str, str], depth: int, closing: t.Mapping[int, int]) -> tuple[str, int]:
    """What stands for the variable at a dollar sign, and where the text goes on."""
    if text.startswith("$$", dollar):
        return "$", dollar + 2
    if text.startswith("${", dollar):
        return _braces(text, dollar, environment, depth, closing)
    name = _NAME.match(text, dollar + 1)
    if name is None:
        return "$", dollar + 1
    return environment.get(name.group(), text[dollar : name.end()]), name.end()


def _braces(text: str, dollar: int, environment: t.Mapping[str, str], depth: int, closing: t.Mapping[int, int]) -> tuple[str, int]:
    end = closing.get(dollar, -1)
    name = _NAME.match(text, dollar + 2)
    if end < 0 or name is None or name.end() > end:
        return "${", dollar + 2
    whole, value = text[dollar : end + 1], environment.get(name.group())
    if name.end() == end:
        return whole if value is None else value, end + 1
    operator = _OPERATOR.match(text, name.end())
    if operator is None:
        return whole, end + 1
    other = text[operator.end() : end]
    present = bool(value) if operator.group().startswith(":") else value is not None
    if operator.group().endswith("+"):
        return substitute(other, environment, depth + 1) if present else "", end + 1
    return value if present and value is not None else substitute(other, environment, depth + 1), end + 1


def _closing(text: str) -> dict[int, int]:
    """Where each C(${) is closed, in one pass: looking from each of them would take the square of their number."""
    opened: list[int] = []
    found: dict[int, int] = {}
    for brace in _BRACE.finditer(text):
        if brace.group() == "${":
            opened.append(brace.start())
        elif opened:
            found[opened.pop()] = brace.start()
    return found
