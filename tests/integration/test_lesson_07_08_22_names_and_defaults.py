# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lessons 7, 8 and 22: one link has one identity however it is written, the first data port is eth1, and a default that changes is seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.acceptance import Lab, World, make_lab

LAB = "lesson7"


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Lab]:
    made = make_lab(world.folder / LAB, LAB, {"a": "srv1", "b": "srv2"}, [("a:eth1", "b:eth1")])
    world.deploy(made).green()
    yield made
    world.forget(LAB)


def test_lesson_07_a_link_that_is_written_another_way_is_the_same_link(world: World, lab: Lab) -> None:
    before = world.each(lambda server: world.ovs_marks(server.name))
    for way in (
        {"endpoints": ["b:eth1", "a:eth1"]},
        {"type": "veth", "endpoints": [{"node": "b", "interface": "eth1"}, {"node": "a", "interface": "eth1"}]},
        {"endpoints": ["a:eth1", "b:eth1"], "labels": {"note": "the same"}},
    ):
        lab.topology["topology"]["links"] = [way]
        run = world.deploy(lab.write()).green()
        assert not run.changed, way
        assert list(run.links()) == ["a:eth1--b:eth1"]
    assert world.each(lambda server: world.ovs_marks(server.name)) == before


def test_lesson_07_the_same_link_twice_is_an_error_that_names_both_lines(world: World, lab: Lab) -> None:
    kept = list(lab.links)
    lab.topology["topology"]["links"] = [{"endpoints": ["a:eth1", "b:eth1"]}, {"endpoints": ["b:eth1", "a:eth1"]}]
    run = world.deploy(lab.write()).failed()
    lab.topology["topology"]["links"] = kept
    lab.write()
    assert 'link a:eth1--b:eth1 is there twice, here as "b:eth1, a:eth1" and on line' in run.said
    assert "Keep one of the two" in run.said
    assert run.changes() == {}


def test_lesson_08_the_first_data_port_is_eth1_and_management_is_none_of_it(world: World, lab: Lab) -> None:
    for server, node in (("srv1", "a"), ("srv2", "b")):
        names = world.node(server, lab.container(node), "ls", "/sys/class/net").split()
        assert sorted(names) == ["eth1", "lo"]


def test_lesson_22_a_default_that_changes_is_seen_on_the_nodes_that_use_it(world: World, lab: Lab) -> None:
    lab.topology["topology"]["kinds"]["linux"]["env"] = {"COLOUR": "green"}
    lab.nodes["b"]["env"] = {"COLOUR": "blue"}
    world.deploy(lab.write()).green()
    lab.topology["topology"]["kinds"]["linux"]["env"] = {"COLOUR": "red"}
    predicted = world.check(lab.write()).names("container")
    run = world.deploy(lab).green()
    assert predicted == run.names("container") == {"srv1": {lab.container("a")}, "srv2": set(), "srv3": set()}
    assert world.node("srv1", lab.container("a"), "printenv", "COLOUR").strip() == "red"
    assert world.node("srv2", lab.container("b"), "printenv", "COLOUR").strip() == "blue"
