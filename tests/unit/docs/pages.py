# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of a page of the documentation, for tests that hold them against the code."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def tables(text: str, title: str) -> dict[str, dict[str, list[str]]]:
    """Head of the first column -> key -> the other cells of its row, for the tables below a heading."""
    section = re.split(r"^#+ ", text.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    found: dict[str, dict[str, list[str]]] = {}
    for table in re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE):
        head, _line, *rows = [[cell.strip() for cell in row.strip("|\n").split("|")] for row in table.splitlines()]
        found[head[0]] = {key: row[1:] for row in rows for key in re.findall(r"`([^`]+)`", row[0])}
    return found
