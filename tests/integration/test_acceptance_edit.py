# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The topology of a running lab is edited: check mode predicts the change, and nothing else notices it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.acceptance import SERVERS, Lab, Run, World, addressed, make_lab
from tests.integration.pings import Ping, pinging

NODES = {
    "a": addressed("srv1", "10.9.0.1/24", "10.9.1.1/24", "10.9.2.1/24"),
    "b": addressed("srv2", "10.9.0.2/24", "10.9.3.2/24"),
    "c": addressed("srv1", "10.9.1.3/24", "10.9.4.3/24"),
    "d": addressed("srv3", "10.9.2.4/24", env={"LEVEL": "1"}),
    "e": addressed("srv3", "10.9.3.5/24", binds=["e.conf:/etc/e.conf"]),
    "old": addressed("srv2", "10.9.4.6/24"),
}
LINKS = [("a:eth1", "b:eth1"), ("a:eth2", "c:eth1"), ("a:eth3", "d:eth1"), ("b:eth2", "e:eth1"), ("c:eth2", "old:eth1")]
KEPT = ("a:eth1--b:eth1", "a:eth2--c:eth1")


@dataclasses.dataclass(frozen=True)
class Story:
    lab: Lab
    before: Run
    predicted: Run
    edited: Run
    second: Run
    pings: list[Ping]


def edit(lab: Lab) -> None:
    """A link more, a link less, a node with another name, a variable, and the content of a bound file."""
    lab.links.append({"endpoints": ["b:eth3", "d:eth2"]})
    lab.nodes["b"]["exec"].append("ip link set eth3 up")
    lab.links.remove({"endpoints": ["b:eth2", "e:eth1"]})
    del lab.nodes["e"]["exec"]
    lab.nodes["new"] = lab.nodes.pop("old")
    lab.links[lab.links.index({"endpoints": ["c:eth2", "old:eth1"]})]["endpoints"][1] = "new:eth1"
    lab.nodes["d"]["env"]["LEVEL"] = "2"
    lab.file.with_name("e.conf").write_text("second\n")
    pins: dict[str, Any] = {name: str(one["server"]) for name, one in copy.deepcopy(NODES).items()}
    pins["new"] = pins.pop("old")
    lab.write(placement=pins)


@pytest.fixture(scope="module")
def story(world: World) -> Iterator[Story]:
    world.forget("edit")
    lab = make_lab(world.folder / "edit", "edit", copy.deepcopy(NODES), LINKS)
    lab.file.with_name("e.conf").write_text("first\n")
    before = world.deploy(lab).green()
    edit(lab)
    ways = [("srv1", lab.container("a"), "10.9.0.2"), ("srv1", lab.container("c"), "10.9.1.1")]
    with pinging(world, *ways) as pings:
        predicted = world.check(lab)
        edited = world.deploy(lab)
    yield Story(lab, before, predicted, edited, world.deploy(lab), pings)
    world.forget("edit")


def test_the_edited_lab_is_green_and_stays(story: Story) -> None:
    story.edited.green()
    assert story.second.green().changed == 0


def test_check_mode_predicted_exactly_what_was_done(story: Story) -> None:
    for server in SERVERS:
        assert story.predicted.changes()[server] == story.edited.changes()[server]


def test_links_that_were_not_edited_lost_no_ping(story: Story) -> None:
    assert len(story.pings) == 2
    for one in story.pings:
        one.check(at_least=50)


def test_nothing_is_renumbered(story: Story) -> None:
    def numbers(run: Run) -> dict[str, Any]:
        fields = ("tags", "vni", "tunnels", "endpoints", "mtu")
        return {one["key"]: {field: one[field] for field in fields} for one in run.report["links"]}

    before, after = numbers(story.before), numbers(story.edited)
    assert set(after) - set(before) == {"b:eth3--d:eth2", "c:eth2--new:eth1"}
    assert set(before) - set(after) == {"b:eth2--e:eth1", "c:eth2--old:eth1"}
    for key in set(before) & set(after):
        assert after[key] == before[key]
    ports = {end["port"] for key in KEPT for end in before[key]["endpoints"]}
    changed = {change[2] for changes in story.edited.changes().values() for change in changes}
    assert not ports & changed


def test_every_change_has_its_cause(story: Story) -> None:
    """a and c are in links that stay; only the end of the renamed node's link concerns c."""
    labels = {server: story.edited.changed_labels(server) for server in SERVERS}
    assert labels["srv1"] == {
        "c:eth2": {"update port"},
        "c:eth2--new:eth1": {"create tunnel"},
        "c:eth2--old:eth1": {"delete tunnel"},
        "edit": {"update state"},
    }
    assert {"create container", "create sandbox"} <= labels["srv2"]["new"]
    assert {"delete container", "delete sandbox"} <= labels["srv2"]["old"]
    assert labels["srv2"]["b:eth3"] == {"create port"}
    assert labels["srv2"]["b:eth2"] == {"delete port"}
    assert "a:eth3--d:eth1" not in labels["srv3"]


def test_a_variable_is_a_difference_of_a_field(world: World, story: Story) -> None:
    """Which variable it is is told; its value may be a secret."""
    changes = [one for one in story.predicted.of("Converge")["srv3"]["changes"] if one["name"] == story.lab.container("d")]
    fields = next(one["fields"] for one in changes if one["kind"] == "container")
    assert fields == {"env: LEVEL": {"have": "set", "want": "changed"}}
    assert world.node("srv3", story.lab.container("d"), "printenv", "LEVEL").strip() == "2"


def test_the_content_of_a_bound_file_reaches_the_node(world: World, story: Story) -> None:
    assert world.node("srv3", story.lab.container("e"), "cat", "/etc/e.conf") == "second\n"
    assert "second" not in story.edited.stdout
