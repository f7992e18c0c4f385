# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Links and nodes that are left alone, as people name them."""

from __future__ import annotations

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._holds import find_holds

LINKS = ["r1:eth1--r2:eth1", "r1:eth9--host:eth5", "segment:lan"]
NODES = ["r1", "r2", "spine-1"]


@pytest.mark.parametrize("given", ["r2:eth1--r1:eth1,spine-1", ["spine-1", "r1:eth1--r2:eth1"], ["spine-1 , r1:eth1--r2:eth1", ""]])
def test_lists_and_commas_are_the_same_and_ends_may_be_in_any_order(given):
    assert find_holds(given, LINKS, NODES) == {"names": ["r1:eth1--r2:eth1", "spine-1"], "complaint": ""}


@pytest.mark.parametrize("given", [None, "", [], " , "])
def test_nothing_is_nothing(given):
    assert find_holds(given, LINKS, NODES) == {"names": [], "complaint": ""}


def test_segments_and_far_ends_have_their_own_names():
    assert find_holds(LINKS, LINKS, NODES)["names"] == sorted(LINKS)


def test_what_is_none_is_told_with_what_is_near():
    found = find_holds("r1,spine1,r1:eth1--r2:eth2", LINKS, NODES)
    assert found["names"] == ["r1"]
    assert found["complaint"] == (
        'lab_hold names links and nodes of the lab: spine1 is neither. Did you mean "spine-1"? '
        'r1:eth1--r2:eth2 is neither. Did you mean "r1:eth1--r2:eth1"?'
    )


def test_a_long_list_of_nonsense_is_cut():
    complaint = find_holds([f"nonsense{number}" for number in range(25)], LINKS, NODES)["complaint"]
    assert complaint.endswith("And 15 more.")
