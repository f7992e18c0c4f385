# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tests.faults.measure import Row

HEAD = ("fault", "runs", "min", "median", "p95", "max", "own", "p95 beyond", "lost pings", "")


def number(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.2f}"


def table(rows: Sequence[Row], limit: float | None) -> str:
    """As Markdown. limit: of p95 beyond what the object itself needs; None judges nothing."""
    lines = [HEAD, tuple("---" for _column in HEAD)]
    for row in rows:
        verdict = "" if limit is None or row.beyond < limit else f"NOT under {limit:g} s"
        verdict += f" {row.never} of {row.runs} not repaired" if row.never else ""
        figures = (row.least, row.median, row.p95, row.most, row.own, row.beyond)
        lines.append((row.name, str(row.runs), *map(number, figures), str(row.lost), verdict.strip()))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bystanders(losses: Mapping[str, Mapping[str, int]]) -> str:
    """losses: fault -> who lost how many pings that had nothing to do with it."""
    if not losses:
        return "Pings of another lab and of an admin's own wire: none lost."
    return "\n".join(f"LOST by {who} during {fault!r}: {lost}" for fault, one in losses.items() for who, lost in one.items())
