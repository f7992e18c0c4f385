# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""As much of Go templates as people have in configurations of nodes: fields, conditions on one field, comments, and white space trimmed.

C({{ .Name }}); C({{ if .Name }}), C({{ if not .Name }}), C({{ else if .Name }}), C({{ else }}), C({{ end }}); C({{/* a comment */}}).
A dash right inside the braces takes the white space on its side away.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

Field = t.Callable[[str], "str | None"]
"""The value of a field by its name without the dot; None where there is no such field."""

_ACTION = re.compile(r"\{\{(-(?=\s))?(.{0,300}?)((?<=\s)-)?\}\}")
_NAME = re.compile(r"\.([A-Za-z_][A-Za-z0-9_.]*)")
_IF = re.compile(r"(else\s+)?if\s+(not\s+)?\.([A-Za-z_][A-Za-z0-9_.]*)")
_OPENING = re.compile(r"(?:if|range|with|block|define)\b")


@dataclass
class _Branch:
    """A condition that is open. shown: whether its present branch is. done: whether one of its branches was. broken: told already."""

    at: int
    action: str
    outer: bool
    shown: bool
    done: bool
    broken: bool = False
    last: bool = False


@dataclass(frozen=True)
class Fault:
    """An action that cannot be filled in. at: its place in the text."""

    at: int
    action: str


def render(text: str, field: Field) -> tuple[str, list[Fault]]:
    """The text filled in, and what could not be: that stays as it was written."""
    found = _Renderer(text, field)
    return found.text(), sorted(found.faults, key=lambda one: one.at)


class _Renderer:
    def __init__(self, source: str, field: Field) -> None:
        self.source = source
        self.field = field
        self.faults: list[Fault] = []
        self._open: list[_Branch] = []

    def text(self) -> str:
        pieces: list[str] = []
        position, trim = 0, False
        for match in _ACTION.finditer(self.source):
            piece = self.source[position : match.start()]
            piece = piece.lstrip() if trim else piece
            if self._shown:
                pieces.append(piece.rstrip() if match.group(1) else piece)
            value = self._action(match)
            if self._shown:
                pieces.append(value)
            position, trim = match.end(), bool(match.group(3))
        rest = self.source[position:]
        self.faults += [Fault(one.at, one.action) for one in self._open if not one.broken]
        return "".join([*pieces, rest.lstrip() if trim else rest])

    @property
    def _shown(self) -> bool:
        return not self._open or self._open[-1].shown

    def _action(self, match: re.Match[str]) -> str:
        """What stands in the place of an action; conditions open and close on the way."""
        body = match.group(2).strip()
        if body.startswith("/*") and body.endswith("*/"):
            return ""
        name, condition = _NAME.fullmatch(body), _IF.fullmatch(body)
        if name:
            value = self.field(name.group(1))
            return self._fault(match) if value is None else value
        if condition:
            return self._condition(match, condition)
        if body == "end" and self._open:
            self._open.pop()
        elif body == "else" and self._open and not self._open[-1].last:
            branch = self._open[-1]
            branch.shown, branch.last = branch.outer and not branch.done, True
        elif _OPENING.match(body):
            self._open.append(_Branch(match.start(), match.group(), self._shown, self._shown, True, broken=True))
            return self._fault(match)
        else:
            return self._fault(match)
        return ""

    def _condition(self, match: re.Match[str], condition: re.Match[str]) -> str:
        other, negated, name = condition.groups()
        value = self.field(name)
        holds = bool(value) != bool(negated)
        if not other:
            self._open.append(_Branch(match.start(), match.group(), self._shown, self._shown and holds, holds, broken=value is None))
        elif self._open and not self._open[-1].last:
            branch = self._open[-1]
            branch.shown, branch.done = branch.outer and holds and not branch.done, branch.done or holds
        else:
            return self._fault(match)
        return self._fault(match) if value is None else ""

    def _fault(self, match: re.Match[str]) -> str:
        self.faults.append(Fault(match.start(), match.group()))
        return match.group()
