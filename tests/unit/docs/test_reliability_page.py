# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reliability.md promises nothing that no test proves: every test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:unit/[a-z_/]+)?test_\w+\.py)(?:::(test_\w+))?`", PAGE)))


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_is_named_is_there(file: str, test: str) -> None:
    path = ROOT / "tests" / (file if file.startswith("unit/") else f"integration/{file}")
    assert re.search(rf"^def {test or 'test_'}", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_line_of_a_table_has_its_test() -> None:
    rows = [row for row in PAGE.splitlines() if row.startswith("| ") and not row.startswith("| what ")]
    assert rows
    assert [row for row in rows if "::test_" not in row] == []
