# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/topology.md names every key of file, mgmt, nodes and stages that the code reads, no other, and says of each what the code does."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils import _inherit, _magic, _mgmt_reader, _noted, _stage_reader, _stages, _topology
from ansible_collections.archetype.lab.tests.unit.docs.pages import page, tables

PAGE = page("topology")
STATES = {"as is", "differently", "note", "refused"}
WHY = {key: why for key, (_says, why) in _noted.NOTED.items()}


@pytest.mark.parametrize(
    ("title", "head", "known", "noted"),
    [
        ("The file", "key", _topology.FILE_KEYS, _topology.NOTED),
        ("Management network", "key of mgmt", _mgmt_reader.KEYS, _mgmt_reader.NOTED),
        ("Nodes", "key", _inherit.KEYS, WHY),
    ],
)
def test_every_key_is_told_as_the_code_has_it(title: str, head: str, known: Collection[str], noted: Mapping[str, str]) -> None:
    told = tables(PAGE, title)[head]
    assert set(told) == set(known)
    assert {state for state, _words in told.values()} <= STATES
    assert {key for key, (state, _words) in told.items() if state == "note"} == set(noted)
    assert all(told[key][1].startswith(why) for key, why in noted.items())


def test_every_magic_variable_is_told() -> None:
    told = tables(PAGE, "Nodes")["variable"]
    assert set(told) == {*_magic.FOLDERS, "__clabNodeName__", "__clabLabName__", "__gitBranch__", "__gitHash__"}
    assert all(name in told["__clabDir__"][1] for name in ("topology-data.json", "ansible-inventory.yml"))
    assert {"topology-data.json", "ansible-inventory.yml"} <= set(_magic.GENERATED)


def test_every_stage_is_told() -> None:
    found = tables(PAGE, "4. Files and commands")
    waited, commands = found["stage that is waited for"], found["stage"]
    assert tuple(commands) == tuple(waited) == _stage_reader.STAGES
    held = {stage for stage, (words,) in waited.items() if "runs" not in words}
    assert held == set(_stages.HOLDS)
    assert {*_stage_reader.PHASES, *_stage_reader.EXEC_KEYS} <= set(re.findall(r"`([^`:]+)`", PAGE.split("## 4. Files and commands", 1)[1]))


def test_what_is_united_and_what_is_merged_is_told() -> None:
    text = PAGE.split("**Settings are inherited", 1)[1].split("\n\n", 1)[0]
    united, merged = (set(re.findall(r"`([^`]+)`", part)) for part in re.findall(r"(?:Lists|mappings) \(([^)]*)\)", text))
    assert united == _inherit.LISTS
    assert merged - {"config", "vars"} == _inherit.MAPS
    assert all(f"`{key}`" in text for key in _inherit.NODE_ONLY)


def test_the_parts_of_a_topology_are_told() -> None:
    assert set(re.findall(r"`([a-z]+)`", tables(PAGE, "The file")["key"]["topology"][1])) == set(_topology.TOPOLOGY_KEYS)
