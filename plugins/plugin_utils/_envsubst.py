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
_MAX_NESTING = 8


def substitute(text: str, environment: t.Mapping[str, str], depth: int = 0) -> str:
    """The text with its variables replaced. What is no known form stays."""
    parts: list[str] = []
    position = 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0 or depth > _MAX_NESTING:
            parts.append(text[position:])
            return "".join(parts)
        parts.append(text[position:dollar])
        replaced, position = _variable(text, dollar, environment, depth)
        parts.append(replaced)


def _variable(text: str, dollar: int, environment: t.Mapping[str, str], depth: int) -> tuple[str, int]:
    """What stands for the variable at a dollar sign, and where the text goes on."""
    if text.startswith("$$", dollar):
        return "$", dollar + 2
    if text.startswith("${", dollar):
        return _braces(text, dollar, environment, depth)
    name = _NAME.match(text, dollar + 1)
    if name is None:
        return "$", dollar + 1
    return environment.get(name.group(), text[dollar : name.end()]), name.end()


def _braces(text: str, dollar: int, environment: t.Mapping[str, str], depth: int) -> tuple[str, int]:
    end = _closing(text, dollar + 2)
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


def _closing(text: str, start: int) -> int:
    """Where the brace that was opened before start is closed, or -1."""
    level = 1
    for position in range(start, len(text)):
        if text[position] == "}":
            level -= 1
            if not level:
                return position
        elif text.startswith("${", position):
            level += 1
    return -1
