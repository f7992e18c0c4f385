# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves: a node starts after all that it waits for, and a circle is an error."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils._declare_container import declare_container
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._files import FileReader
from ansible_collections.archetype.lab.plugins.plugin_utils._stages import MAX_CYCLES, Dependency, closed, waves
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology

NAMES = "abcdefgh"


def waits(*texts):
    """Dependencies as C(a>b:healthy)."""
    found = []
    for text in texts:
        node, _sign, rest = text.partition(">")
        on, _colon, stage = rest.partition(":")
        found.append(Dependency(node, on, stage or "create", text))
    return found


def test_a_node_that_waits_is_in_the_next_wave():
    found = waves("abcd", waits("a>b", "b>c:healthy", "a>d:exit"))
    assert found.order == {"a": (2, ""), "b": (1, ""), "c": (0, "healthy"), "d": (0, "exit")}
    assert not found.cycles
    assert not found.torn


def test_a_node_that_joins_another_is_in_no_earlier_wave():
    assert waves("abc", waits("a>b:joins", "b>c")).order == {"a": (1, ""), "b": (1, ""), "c": (0, "")}
    assert waves("abc", waits("a>b:joins", "a>c", "c>b")).order == {"a": (2, ""), "b": (0, ""), "c": (1, "")}
    assert [circle for _one, circle in waves("ab", waits("a>b:joins", "b>a")).cycles] == [["a", "b"]]


@pytest.mark.parametrize("stage", ["create", "create-links", "configure"])
def test_stages_that_are_over_once_a_node_runs_hold_no_wave(stage):
    assert waves("ab", waits(f"a>b:{stage}")).order == {"a": (1, ""), "b": (0, "")}


def test_circles_are_told_with_the_nodes_in_them():
    found = waves("abcd", waits("a>b", "b>c", "c>b", "d>d"))
    assert [(one.at, circle) for one, circle in found.cycles] == [("c>b", ["b", "c"]), ("d>d", ["d"])]


def test_not_all_circles_of_many_are_told():
    every = [Dependency(one, other, "create") for one in NAMES for other in NAMES]
    assert len(waves(NAMES, every).cycles) == MAX_CYCLES


def test_one_node_cannot_be_waited_for_in_two_ways():
    found = waves("abc", waits("a>c:healthy", "b>c:exit", "b>c:healthy"))
    assert [(one.at, before.at) for one, before in found.torn] == [("b>c:exit", "a>c:healthy")]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES), st.sampled_from(["create", "healthy"])), max_size=20))
def test_every_node_is_after_all_that_it_waits_for_or_there_is_a_circle(edges):
    found = waves(NAMES, [Dependency(*edge) for edge in edges])
    late = all(found.order[node][0] > found.order[on][0] for node, on, _stage in edges)
    assert late != bool(found.cycles)
    if late:
        lengths = {node: max((found.order[on][0] + 1 for name, on, _stage in edges if name == node), default=0) for node in NAMES}
        assert lengths == {node: wave for node, (wave, _hold) in found.order.items()}
    assert {node for node, (_wave, hold) in found.order.items() if hold} == {on for _node, on, stage in edges if stage == "healthy"}


def test_a_chain_of_ten_thousand_nodes_is_ordered_at_once():
    names = [f"n{number}" for number in range(10_000)]
    chain = [Dependency(one, other, "healthy") for one, other in itertools.pairwise(names)]
    start = time.process_time()
    found = waves(names, chain)
    assert time.process_time() - start < 1
    assert (found.order["n0"], found.order["n9999"]) == ((9999, ""), (0, "healthy"))


# in a file


@pytest.fixture
def load(tmp_path):
    def call(*nodes):
        path = tmp_path / "t.clab.yml"
        path.write_text("name: t\ntopology:\n  defaults: {kind: linux, image: i}\n  nodes:\n" + "".join(f"    {one}\n" for one in nodes))
        return load_topology(str(path), {})

    return call


def wait(on, stage, own="create"):
    return f"{{stages: {{{own}: {{wait-for: [{{node: {on}, stage: {stage}}}]}}}}}}"


def test_waves_and_commands_are_declared(load):
    nodes = load(f"a: {wait('b', 'healthy')}", "b: {stages: {exit: {exec: [{command: x y, target: host}]}}, startup-delay: 3}").nodes
    declared = {name: declare_container(node, [], FileReader("t")) for name, node in nodes.items()}
    assert [(declared[name]["wave"], declared[name]["hold"], declared[name]["startup_delay"]) for name in "ab"] == [
        (1, "", 0),
        (0, "healthy", 3),
    ]
    assert declared["b"]["stage_commands"] == [{"stage": "exit", "command": ["x", "y"], "phase": "on-enter", "target": "host"}]


def test_what_a_node_waits_for_is_known_through_all_others_and_through_whom_they_join(load):
    nodes = load(
        f"a: {wait('b', 'create')}", f"b: {wait('j', 'create')}", "j: {network-mode: 'container:o'}", "o: {}", f"z: {wait('o', 'healthy')}"
    ).nodes
    assert {name: node.waits_for for name, node in nodes.items()} == {"a": ("b",), "b": ("j",), "j": ("o",), "o": (), "z": ("o",)}
    whole = closed({name: node.waits_for for name, node in nodes.items()})
    assert whole == {"a": ("b", "j", "o"), "b": ("j", "o"), "j": ("o",), "o": (), "z": ("o",)}
    declared = {name: declare_container(node, [], FileReader("t"), waits_for=whole[name]) for name, node in nodes.items()}
    assert {name: one["waits_for"] for name, one in declared.items()} == {
        "a": ["b", "j", "o"], "b": ["j", "o"], "j": None, "o": None, "z": ["o"],
    }  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)).filter(lambda edge: edge[0] < edge[1]), max_size=20))
def test_a_node_waits_for_all_that_can_be_reached_through_others(edges):
    waits_for = {name: {on for node, on in edges if node == name} for name in NAMES}

    def reached(name):
        return set().union(*({on, *reached(on)} for on in waits_for[name]))

    assert closed(waits_for) == {name: tuple(sorted(reached(name))) for name in NAMES}


def test_commands_about_an_end_that_nobody_waits_for_are_noted(load):
    own = "{stages: {exit: {exec: [{command: x 'y z', target: host}, {command: w}]}, healthy: {exec: [{command: v}]}}}"
    assert [one for one in load(f"a: {own}", f"b: {wait('a', 'create')}").notes if "exit" in one] == [
        "node a: the command \"x 'y z'\" of stage exit never runs, as no node waits for that stage",
        'node a: the command "w" of stage exit never runs, as no node waits for that stage',
    ]
    assert [one for one in load(f"a: {own}", f"b: {wait('a', 'exit')}").notes if "exit" in one] == []


@pytest.mark.parametrize(
    ("mode", "declared"),
    [
        ("", ("", "clab-t-a-sandbox")),
        ("none", ("", "clab-t-a-sandbox")),
        ("host", ("host", "clab-t-a-sandbox")),
        ("container:b", ("node", "clab-t-b-sandbox")),
        ("container:x", ("container", "x")),
    ],
)
def test_the_network_is_declared(load, mode, declared):
    one = declare_container(load(f"a: {{network-mode: '{mode}'}}", "b: {}").nodes["a"], [], FileReader("t"))
    assert (one["network"], one["sandbox"]) == declared


@pytest.mark.parametrize(
    ("nodes", "messages"),
    [
        (
            [f"a: {wait('b', 'create')}", f"b: {wait('c', 'exit', 'configure')}", f"c: {wait('a', 'healthy')}"],
            ["7:38: nodes wait for each other: a -> b -> c -> a. Whole nodes wait here, not single stages: take one wait-for out"],
        ),
        (
            ["a: {network-mode: 'container:b'}", f"b: {wait('a', 'create')}"],
            ["6:38: nodes wait for each other: a -> b -> a. Whole nodes wait here, not single stages: take one wait-for out"],
        ),
        (
            ["a: {}", f"b: {wait('a', 'healthy')}", f"c: {wait('a', 'exit')}"],
            ["7:38: a is waited for until exit here, and until healthy on line 6. Wait for one of the two everywhere"],
        ),
        (
            ["a: {kind: bridge}", f"b: {wait('a', 'healthy')}"],
            ["6:38: node b waits for a to reach healthy, which a node of kind bridge never does. Wait for create-links"],
        ),
        ([f"a: {wait('spine', 'create')}", "spine1: {}"], ['5:38: wait-for names the unknown node "spine". Did you mean "spine1"?']),
    ],
    ids=["circle", "circle through a network", "two stages", "bridge", "unknown"],
)
def test_what_cannot_be_waited_for_is_told_with_its_line(load, tmp_path, nodes, messages):
    with pytest.raises(LabFileError) as caught:
        load(*nodes)
    assert [str(one).replace(f"{tmp_path}/t.clab.yml:", "") for one in caught.value.problems] == messages


def test_a_node_that_is_no_device_is_there_before_any_other(load):
    assert load("a: {kind: bridge}", f"b: {wait('a', 'create-links')}").nodes["b"].wave == 0


def test_a_circle_of_many_nodes_names_some_of_them(load):
    names = [f"n{number}" for number in range(12)]
    with pytest.raises(LabFileError, match=r"n0 -> n1 -> n2 -> n3 -> n4 -> n5 -> n6 -> n7 -> \.\.\. -> n0"):
        load(*(f"{one}: {wait(other, 'create')}" for one, other in zip(names, [*names[1:], "n0"], strict=True)))
