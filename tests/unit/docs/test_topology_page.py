# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/topology.md names every key that the code knows, says the same of it as the code does, and names no other."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.inventory import topology
from ansible_collections.archetype.lab.plugins.plugin_utils import _impairment, _labfile, _link_ends, _link_types
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import kind_files
from ansible_collections.archetype.lab.plugins.plugin_utils._model import LabFile

PAGE = (Path(__file__).parents[3] / "docs" / "topology.md").read_text(encoding="utf-8")
NOT_YET = "not honoured yet (note)"


def tables(title: str) -> dict[str, dict[str, str]]:
    """Head of the first column -> key -> what is said of it, for the tables below a heading."""
    section = re.split(r"^#+ ", PAGE.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    found: dict[str, dict[str, str]] = {}
    for table in re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE):
        head, _line, *rows = [[cell.strip() for cell in row.strip("|\n").split("|")] for row in table.splitlines()]
        found[head[0]] = {key: row[1] for row in rows for key in re.findall(r"`([^`]+)`", row[0])}
    return found


@pytest.mark.parametrize(
    ("title", "head", "known", "passed_over"),
    [
        ("Links", "key", {*_link_types.COMMON_KEYS, "endpoints"}, ()),
        ("Links", "key of an endpoint", _link_ends._END_KEYS, ()),
        ("Links", "key of a link with one end", {"endpoint"}.union(*_link_types._FAR_KEYS.values()), ()),
        ("Links", "key of `tc`", _impairment.KEYS, ()),
        ("2. Keys of a lab file", "key", _labfile._KEYS, ()),
    ],
)
def test_every_key_is_told_as_the_code_has_it(title: str, head: str, known: Collection[str], passed_over: Collection[str]) -> None:
    told = tables(title)[head]
    assert set(told) == set(known)
    assert {key for key, words in told.items() if words.startswith(NOT_YET)} == set(passed_over) & set(known)


def test_kinds_that_are_told_are_there() -> None:
    assert {"bridge", "linux"} <= set(tables("Kinds")["kind"]) <= set(kind_files())


def test_every_type_of_a_link_is_told() -> None:
    told = tables("Links")["type of a link"]
    assert set(told) == set(_link_types.TYPES)
    assert not [kind for kind, words in told.items() if words.startswith("refused")]
    for kind in _link_types.BRIEF:
        assert f"`{kind}:" in told[kind]


def test_the_defaults_of_a_lab_file_are_told() -> None:
    told = PAGE.split("## 2. Keys of a lab file", 1)[1]
    assert f"tags: {{local: {list(LabFile.local_tags)}, cross: {list(LabFile.cross_tags)}}}" in told
    assert f"| {LabFile.link_mtu} |" in told
    assert f"| `{LabFile.overlay_mode}` |" in told
    assert f"| `{_labfile.DEFAULT_SERVERS}` |" in told


def test_the_inventory_plugin_documents_every_key_of_a_lab_file() -> None:
    documented = yaml.safe_load(topology.DOCUMENTATION)["options"]
    assert set(documented) == set(_labfile._KEYS)
