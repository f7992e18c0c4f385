# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Files of environment variables (C(env-files)), in the form that containerlab reads: that of the tools called dotenv.

A line is C(NAME=value) or C(NAME: value), with C(export) before it or not. In single quotes a value is taken as it is; in double quotes
backslashes escape; both may have several lines. Elsewhere a value ends before C( #). C($NAME) and C(${NAME}) are of the same file.
"""

from __future__ import annotations

import re
import typing as t

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*([=:])[ \t]*")
_BLANK = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_REST = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_QUOTED = {
    "'": re.compile(r"'([^']*)'", re.DOTALL),
    '"': re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL),
}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_VARIABLE = re.compile(r"(\\)?\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")


class EnvFault(ValueError):
    """What is wrong with a file, and on which line."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line = line


def parse_env(text: str) -> dict[str, str]:
    """The variables of a file. Of a name that is there twice, the last counts. Raises EnvFault."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str] = {}
    position, line = 0, 1
    while position < len(text):
        start = position
        blank = _BLANK.match(text, position)
        position = blank.end() if blank and blank.end() > position else _entry(text, position, line, found)
        line += text.count("\n", start, position)
    return found


def _entry(text: str, position: int, line: int, found: dict[str, str]) -> int:
    """One variable; where the text goes on behind it."""
    name = _NAME.match(text, position)
    if name is None:
        raise EnvFault(line, "this is not NAME=value")
    end = name.end()
    quote = text[end : end + 1]
    if quote in _QUOTED:
        value = _QUOTED[quote].match(text, end)
        if value is None:
            raise EnvFault(line, "a quote is not closed")
        after = _BLANK.match(text, value.end())
        if after is None:
            raise EnvFault(line + text.count("\n", end, value.end()), "something stands behind the closing quote")
        found[name.group(1)] = value.group(1) if quote == "'" else _unescape(value.group(1), found)
        return after.end()
    rest = t.cast("re.Match[str]", _REST.match(text, end))
    found[name.group(1)] = _expand(_COMMENT.sub("", rest.group()).strip(), found)
    return min(rest.end() + 1, len(text))


def _unescape(text: str, found: t.Mapping[str, str]) -> str:
    """The inside of double quotes: variables first, as an escaped dollar sign is none, then the other escapes."""
    return _ESCAPE.sub(lambda one: _ESCAPES.get(one.group(1), one.group(1)), _expand(text, found, keep=True))


def _expand(text: str, found: t.Mapping[str, str], *, keep: bool = False) -> str:
    """The text with the variables of the file put in; one that is not there is empty. keep: leave the backslash of an escaped one."""

    def value(one: re.Match[str]) -> str:
        if one.group(1):
            return one.group() if keep else one.group()[1:]
        text = found.get(one.group(2) or one.group(3), "")
        return text.replace("\\", "\\\\") if keep else text

    return _VARIABLE.sub(value, text)
