# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random edits are edits of a valid topology, follow from their seed, and name all that is other afterwards."""

from __future__ import annotations

import itertools

import pytest

from tests.edits.generator import SORTS, Edit, edits
from tests.edits.topology import Link, Topology, first

START = first("lab", ("srv1", "srv2", "srv3"))
COUNT = 60


def made(seed: str, count: int = COUNT) -> list[tuple[Edit, Topology]]:
    return list(itertools.islice(edits(START, seed), count))


def as_said(link: Link) -> tuple[object, ...]:
    return (link.number, link.ends, link.mtu)


def test_the_same_seed_gives_the_same_edits_and_another_one_others() -> None:
    assert made("1") == made("1")
    assert made("1") != made("2")
    assert made("1", 9) == made("1")[:9]


def test_every_sort_comes_before_one_comes_a_third_time() -> None:
    sorts = [edit.sort for edit, _after in made("1", 30)]
    assert set(sorts) == set(SORTS)
    assert all(sorts[:index].count(sort) < 4 for index, sort in enumerate(sorts))


@pytest.mark.parametrize("seed", [str(number) for number in range(20)])
def test_every_topology_is_one_that_can_be_deployed(seed: str) -> None:
    for _edit, after in made(seed):
        ends = [end for link in after.links for end in link.ends]
        assert len(ends) == len(set(ends))
        assert {node for node, _interface in ends} <= set(after.nodes)
        assert all(first_node != second for first_node, second in (link.nodes for link in after.links))
        assert len({link.number for link in after.links}) == len(after.links)
        assert after.local[1] < after.cross[0]
        assert min(after.local[1] - after.local[0], after.cross[1] - after.cross[0]) + 1 >= len(after.links)


@pytest.mark.parametrize("seed", [str(number) for number in range(20)])
def test_an_edit_names_all_that_it_changes(seed: str) -> None:
    before = START
    for edit, after in made(seed):
        assert after != before, edit
        for name in before.nodes.keys() | after.nodes.keys():
            assert name in edit.nodes or before.nodes[name] == after.nodes[name], edit
        for key in before.by_key.keys() | after.by_key.keys():
            same = key in before.by_key and key in after.by_key and as_said(before.by_key[key]) == as_said(after.by_key[key])
            assert key in edit.links or same, edit
        assert edit.sort == "tag range" or (before.local, before.cross) == (after.local, after.cross)
        assert all(key in edit.links for node in edit.nodes for one in (before, after) for key in (link.key for link in one.of(node)))
        before = after


def test_a_range_names_the_links_whose_tag_is_not_in_it() -> None:
    after = Topology("lab", START.nodes, START.links, local=(100, 199), cross=(3000, 4094))
    local = next(link for link in after.links if not after.crosses(link))
    tags = {link.key: {"srv1": 3000 if after.crosses(link) else 150} for link in after.links}
    edit = Edit("tag range", "a range")
    assert edit.named_by_tags(after, tags) == frozenset()
    assert edit.named_by_tags(after, {**tags, local.key: {"srv1": 200}}) == {local.key}
    assert Edit("mtu", "an MTU").named_by_tags(after, {**tags, local.key: {"srv1": 200}}) == frozenset()


def test_the_files_say_what_the_topology_is() -> None:
    document = START.document()["topology"]
    assert set(document["nodes"]) == set(START.nodes) == set(START.options()["placement"])
    assert document["links"][0] == {"endpoints": ["n1:eth1", "n2:eth1"], "ipv4": ["10.0.1.1/24", "10.0.1.2/24"]}
    assert {START.crosses(link) for link in START.links} == {True, False}
