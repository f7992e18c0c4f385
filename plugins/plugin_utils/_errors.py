# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The errors of the controller side. A topology's problems are collected and shown all at once."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file: where (line and column count from 1, 0 is unknown), what, and what to do."""

    file: str
    line: int
    column: int
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        where = self.file
        if self.line:
            where += f":{self.line}"
            if self.column:
                where += f":{self.column}"
        return f"{where}: {self.what}" + (f". {self.remedy}" if self.remedy else "")


class LabFileError(Exception):
    """A topology, a lab file or a plan that cannot be used; C(problems) holds every reason, in the order of the file."""

    def __init__(self, problems: t.Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))
