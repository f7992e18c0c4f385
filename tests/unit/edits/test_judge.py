# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge of edits sees each way in which a run can do more, less or other than its edit says."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils import _identifiers as ids
from tests.edits import judge, observed
from tests.edits.generator import Edit
from tests.edits.topology import Topology, first

BEFORE = first("lab", ("srv1", "srv2"))
GONE, KEPT = BEFORE.links[0], BEFORE.links[1]
AFTER = dataclasses.replace(BEFORE, links=BEFORE.links[1:])
EDIT = Edit("remove link", "remove a link", links=frozenset({GONE.key}))


def change(kind: str, label: str, action: str = "delete") -> tuple[Any, ...]:
    return (action, kind, f"name of {label}", label, "{}", "")


ALL = {"srv1": [change("port", end) for end in GONE.endpoints], "srv2": [change("state", "lab", "update")]}


def complaints(changes: judge.Changes, edit: Edit = EDIT) -> list[str]:
    args = (changes, edit, edit.links, BEFORE, AFTER)
    return [*judge.unnamed(*args), *judge.untouched(*args)]


def test_what_was_named_and_done_is_right() -> None:
    assert complaints(ALL) == []
    assert list(judge.mispredicted(ALL, ALL)) == []


@pytest.mark.parametrize(
    "more",
    [
        change("port", KEPT.endpoints[0], "update"),
        change("tunnel", KEPT.key, "update"),
        change("container", GONE.nodes[0], "recreate"),
        change("sandbox", GONE.nodes[0], "recreate"),
        change("state", "other"),
        change("bridge", "arch-ovs", "update"),
    ],
)
def test_what_was_not_named_is_seen(more: tuple[Any, ...]) -> None:
    assert len(complaints({**ALL, "srv2": [more]})) == 1


def test_what_was_not_done_is_seen() -> None:
    assert complaints({"srv1": []}) == [f"link {GONE.key} is named by 'remove a link', and nothing of it was changed"]
    both = dataclasses.replace(EDIT, nodes=frozenset({"n1"}))
    assert complaints(ALL, both) == ["node n1 is named by 'remove a link', and nothing of it was changed"]


def test_a_prediction_is_wrong_by_more_less_another_field_and_another_order() -> None:
    one, other = ALL["srv1"]
    changed = (*one[:4], '{"mtu": 1}', "")
    said = {"srv1": [one, other]}
    assert len(list(judge.mispredicted(said, {"srv1": [one]}))) == 1
    assert len(list(judge.mispredicted({"srv1": [one]}, said))) == 1
    assert len(list(judge.mispredicted(said, {"srv1": [changed, other]}))) == 2
    assert len(list(judge.mispredicted(said, {"srv1": [other, one]}))) == 1
    assert len(list(judge.mispredicted(said, {}))) == 2


def tags_of(topology: Topology) -> dict[str, dict[str, int]]:
    return {
        key: dict.fromkeys((topology.nodes[node].server for node in link.nodes), ids.preferred_tag("lab", key, topology.range_of(link)))
        for key, link in topology.by_key.items()
    }


def test_tags_are_what_their_identity_gives_or_what_they_were() -> None:
    fresh = tags_of(BEFORE)
    assert list(judge.wrong_tags(BEFORE, fresh, {})) == []
    kept = {**fresh, GONE.key: {"srv1": 555}}
    assert list(judge.wrong_tags(BEFORE, kept, kept)) == []
    other = Topology("lab", BEFORE.nodes, BEFORE.links, local=(100, 101))
    taken = {**tags_of(other), GONE.key: {"srv1": 100}}
    beside = {"n9:eth1--n9:eth2": {"srv1": ids.preferred_tag("lab", GONE.key, (100, 101))}}
    assert list(judge.wrong_tags(other, taken, {**taken, GONE.key: {}, **beside})) == []


@pytest.mark.parametrize(
    ("tag", "had", "words"),
    [(556, 555, "could keep"), (555, None, "was free"), (99, None, "outside"), (99, 99, "outside")],
)
def test_a_tag_that_moved_or_that_nobody_chose_is_seen(tag: int, had: int | None, words: str) -> None:
    fresh = tags_of(BEFORE)
    before = {**fresh, GONE.key: {"srv1": had} if had else {}}
    (found,) = judge.wrong_tags(BEFORE, {**fresh, GONE.key: {"srv1": tag}}, before)
    assert words in found


def test_two_links_with_one_tag_and_a_link_without_one_are_seen() -> None:
    fresh = tags_of(BEFORE)
    local = [link.key for link in BEFORE.links if not BEFORE.crosses(link)]
    cross = next(link.key for link in BEFORE.links if BEFORE.crosses(link))
    taken = {**fresh, local[0]: {"srv1": fresh[cross]["srv1"]}}
    assert sum("several" in one for one in judge.wrong_tags(BEFORE, taken, taken)) == 2
    assert "has tags on" in next(judge.wrong_tags(BEFORE, {**fresh, cross: {"srv1": fresh[cross]["srv1"]}}, fresh))


def test_links_are_quiet_that_are_there_before_and_after_and_have_no_named_node() -> None:
    assert [link.key for link in judge.quiet(BEFORE, AFTER, EDIT, EDIT.links)] == [link.key for link in AFTER.links]
    at = dataclasses.replace(EDIT, nodes=frozenset(KEPT.nodes[:1]))
    assert KEPT not in judge.quiet(BEFORE, AFTER, at, EDIT.links)


def test_differences_are_told_with_their_place() -> None:
    one = {"srv1": {"ports": {"a": {"mtu": 1}, "b": {}}}}
    other = {"srv1": {"ports": {"a": {"mtu": 2}, "c": {}}}}
    assert observed.different(one, other) == [
        "/srv1/ports/a/mtu: 1 is not 2",
        "/srv1/ports/b: only in the first",
        "/srv1/ports/c: only in the second",
    ]
    assert observed.different(one, one) == []
