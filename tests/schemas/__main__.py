# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "collections"))

from tests.schemas.files import written  # noqa: E402 - the collection must be found first

for name, text in written().items():
    (ROOT / "docs" / "schemas" / name).write_text(text, encoding="utf-8")
