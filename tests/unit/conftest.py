# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No unit test writes to the places of a real server."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_places(monkeypatch, tmp_path):
    """A test may choose others; these are for what it does not think of."""
    # Not before: the collection can be imported only once its tests are being collected.
    from ansible_collections.archetype.lab.plugins.module_utils import _journal, _server

    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "var-lib"))
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(_journal, "JOURNAL_DIR", str(tmp_path / "var-log"))
