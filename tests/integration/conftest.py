# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests against real daemons: everything here may use the testbed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.acceptance import prepared, world
from tests.integration.lab_server import box, box_server
from tests.testbed.fixtures import node_images, testbed
from tests.testbed.guest import guest_image

__all__ = ["box", "box_server", "guest_image", "node_images", "prepared", "testbed", "world"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("testbed")
