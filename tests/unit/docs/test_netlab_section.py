# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/topology.md says of netlab's devices what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.archetype.lab.plugins.plugin_utils._netlab import COMMAND
from ansible_collections.archetype.lab.plugins.plugin_utils._netlab_nodes import DEVICES

SECTION = (Path(__file__).parents[3] / "docs" / "topology.md").read_text(encoding="utf-8").split("\n## 7. netlab\n")[1]


def test_every_device_is_told_with_its_kind() -> None:
    rows = re.findall(r"^\| (`.*`) \| `([^`]+)` \|$", SECTION.split("| device | kind |")[1], flags=re.MULTILINE)
    assert {device: kind for devices, kind in rows for device in re.findall(r"`([^`]+)`", devices)} == {
        device: one.kind for device, one in DEVICES.items()
    }


def test_the_command_is_that_of_the_messages() -> None:
    assert COMMAND.replace("FILE", "lab.json") in SECTION
