# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that share something are on one server, and those that need a container of somebody else's are where that is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError, Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._foreign import bound_nodes
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import find_kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind
from ansible_collections.archetype.lab.plugins.plugin_utils._needs import needs_of
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import groups_of, place
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import lab_file, link, node, nothing_observed, servers, topology

SERVERS = ["srv1", "srv2", "srv3"]


def made(*nodes, links=()):
    return topology(links, nodes=nodes)


def test_nodes_beside_each_other_are_one_group_however_they_are_named():
    groups = groups_of(made(node("a"), node("b", beside=("c",)), node("c", beside=("d",)), node("d"), node("e", beside=("gone",))))
    assert groups == {"a": "a", "b": "b", "c": "b", "d": "b", "e": "e"}


def test_a_group_is_placed_as_one():
    nodes = [node(name) for name in "abcdef"] + [node("x", beside=("f",)), node("y", beside=("x",))]
    links = [link("x:eth1", "a:eth1"), link("f:eth1", "b:eth1")]
    placed = place(made(*nodes, links=links), SERVERS, {}, {})
    assert placed["f"] == placed["x"] == placed["y"]
    assert set(placed) == set("abcdefxy")


@pytest.mark.parametrize("member", ["a", "b"])
def test_a_pin_of_one_member_holds_for_all(member):
    assert place(made(node("a"), node("b", beside=("a",))), SERVERS, {member: "srv3"}, {"a": "srv1", "b": "srv1"}) == {
        "a": "srv3",
        "b": "srv3",
    }


def test_members_that_are_on_two_servers_come_together_on_that_of_the_first():
    assert place(made(node("a"), node("b", beside=("a",))), SERVERS, {}, {"a": "srv2", "b": "srv3"}) == {"a": "srv2", "b": "srv2"}


def test_pins_that_tear_a_group_apart_are_an_error():
    with pytest.raises(LabFileError) as caught:
        place(made(node("a"), node("b", beside=("a",))), SERVERS, {"a": "srv1", "b": "srv2"}, {}, file="x.lab.yml")
    assert caught.value.problems == (
        Problem(
            "x.lab.yml",
            0,
            0,
            "nodes a and b are pinned to servers srv1 and srv2, but one has the network of the other",
            "Pin them to one server",
        ),
    )


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=12), st.integers(1, 3))
def test_whoever_is_beside_another_is_on_its_server(pairs, count):
    beside = {number: tuple(f"n{other}" for one, other in pairs if one == number) for number in range(12)}
    found = made(*(node(f"n{number}", beside=names) for number, names in beside.items()))
    placed = place(found, SERVERS[:count], {}, {})
    assert sorted(placed) == sorted(found.nodes)
    assert all(placed[f"n{one}"] == placed[f"n{other}"] for one, other in pairs)


# containers that are not the lab's


def foreign(name="a", container="k8s", **fields):
    return node(name, network_mode=f"container:{container}", shares=container, **fields)


def observed(**containers):
    return {server: nothing_observed(containers=dict.fromkeys(containers.get(server, ()), "foreign")) for server in ("srv1", "srv2")}


def test_a_node_is_bound_to_the_server_that_has_its_container():
    assert bound_nodes(made(foreign(), node("b")), {}, observed(srv2=["k8s"])) == ({"a": "srv2"}, [])
    assert bound_nodes(made(foreign()), {"a": "srv1"}, observed(srv1=["k8s"], srv2=["k8s"])) == ({"a": "srv1"}, [])
    assert bound_nodes(made(foreign()), {}, {}) == ({}, [])


@pytest.mark.parametrize(
    ("pins", "there", "message"),
    [
        ({}, {}, "no server has a container k8s, whose network node a has. Start it there"),
        (
            {},
            {"srv1": ["k8s"], "srv2": ["k8s"]},
            "servers srv1 and srv2 have a container k8s, whose network node a has. Pin node a to one of them",
        ),
        (
            {"a": "srv1"},
            {"srv2": ["k8s"]},
            "node a is pinned to server srv1, but container k8s, whose network it has, is on srv2. Correct placement",
        ),
    ],
)
def test_where_such_a_node_cannot_be_placed_is_told(pins, there, message):
    _found, problems = bound_nodes(made(foreign()), pins, observed(**there))
    assert [str(problem) for problem in problems] == [f"x.clab.yml:3:1: {message}"]


def test_a_container_that_no_server_has_may_be_a_mistyped_node():
    _found, problems = bound_nodes(made(foreign(container="spine"), node("spine1")), {}, observed())
    assert [str(one) for one in problems] == [
        'x.clab.yml:3:1: no server has a container spine, whose network node a has. Did you mean "spine1"? Else start it there'
    ]


def external(name):
    kind = find_kind("ext-container")
    assert kind
    return replace(foreign(name, name), kind="ext-container", image="", container=name, profile=kind)


def test_a_container_that_is_there_already_is_wired_and_never_made():
    lab = lab_file(made(external("k8s"), node("b"), links=[link("k8s:eth1", "b:eth1")]))
    plan = make_plan(lab, servers(2), observed(srv2=["k8s"]))
    assert plan["placement"]["k8s"] == "srv2"
    assert [one["name"] for part in plan["slices"].values() for one in part["containers"]] == ["clab-x-b"]
    ports = [one for one in plan["slices"]["srv2"]["ports"] if one["node"] == "k8s"]
    assert [(one["interface"], one["sandbox"]) for one in ports] == [("eth1", "k8s")]


def test_what_must_be_looked_at_of_such_nodes():
    bind = Bind("/var/lib/archetype-lab/x/folders/b", "/data", made=True)
    needs = needs_of(lab_file(made(external("k8s"), foreign("b", "pod", binds=(bind, Bind("/srv/x", "/x"))))))
    assert (needs["images"], needs["binds"]) == (["img"], ["/srv/x"])
    assert needs["containers"] == ["clab-x-b", "clab-x-b-sandbox", "k8s", "pod"]


def test_a_folder_that_is_made_need_not_be_there():
    one = node("a", binds=(Bind("/var/lib/archetype-lab/x/folders/a", "/data", made=True),))
    seen = {"srv1": {**nothing_observed(), "binds": {"/var/lib/archetype-lab/x/folders/a": False}}}
    plan = make_plan(lab_file(made(one)), servers(1), seen)
    assert "/var/lib/archetype-lab/x/folders/a:/data" in plan["slices"]["srv1"]["containers"][0]["binds"]


# files that are missing


def test_a_missing_file_stops_a_plan():
    missing = Problem("x.clab.yml", 7, 15, 'node a: missing bind source "a.conf"', "Relative paths are looked for in /x")
    with pytest.raises(LabFileError) as caught:
        make_plan(lab_file(replace(made(node("a")), missing=(missing,))), servers(1), {})
    assert caught.value.problems == (missing,)
