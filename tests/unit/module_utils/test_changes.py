# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change, differences, result_of


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (Change("create", "port", "ap1", "r1:eth1"), "+ port ap1 (r1:eth1)"),
        (Change("create", "tunnel", "at1", fields={"vni": (None, 7), "trunks": (None, [])}), "+ tunnel at1: vni 7"),
        (Change("delete", "tunnel", "at1"), "- tunnel at1"),
        (Change("update", "port", "ap1", "r1:eth1", {"tag": (112, 118)}), "~ port ap1 (r1:eth1): tag 112 -> 118"),
        (Change("recreate", "container", "c1", "r1", {"env": (None, ["A"])}), "~ container c1 (r1) recreate: env (none) -> [A]"),
        (Change("delete", "port", "ap2", reason="not declared"), "- port ap2: not declared"),
    ],
)
def test_a_change_is_one_line_of_the_diff(change: Change, line: str) -> None:
    assert change.to_line() == line


def test_differences_name_only_the_fields_that_differ_in_the_order_wanted() -> None:
    assert differences({"tag": 1, "mtu": 1500, "x": 1}, {"mtu": 1450, "tag": 1, "mac": "02"}) == {"mtu": (1500, 1450), "mac": (None, "02")}


def test_no_change_is_not_changed_and_has_an_empty_diff() -> None:
    assert result_of([], diff=True) == {"changed": False, "plan": {}, "changes": [], "diff": {"before": "", "after": ""}}


def test_the_same_list_gives_changed_counts_and_diff() -> None:
    result = result_of(
        [Change("create", "port", "a"), Change("create", "port", "b"), Change("update", "port", "c", fields={"tag": (1, 2)})], diff=True
    )
    assert result["changed"]
    assert result["plan"] == {"create": 2, "update": 1}
    assert result["diff"]["prepared"] == "+ port a\n+ port b\n~ port c: tag 1 -> 2\n"
    assert result["changes"][2]["fields"] == {"tag": {"have": 1, "want": 2}}


def test_without_diff_none_is_returned() -> None:
    assert "diff" not in result_of([Change("create", "port", "a")], diff=False)
