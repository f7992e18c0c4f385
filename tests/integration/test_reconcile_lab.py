# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was declared last comes back by one command, whoever broke it, and whatever the topology says today; check mode only tells."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.acceptance import Lab, Run, World, addressed, make_lab
from tests.integration.dumps import dump

NODES = {
    "a": addressed("srv1", "10.8.0.1/24", "10.8.1.1/24"),
    "b": addressed("srv2", "10.8.0.2/24"),
    "c": addressed("srv1", "10.8.1.3/24", "10.8.2.3/24"),
    "d": addressed("srv2", "10.8.2.4/24"),
}
CROSS, LOCAL, OTHER = "a:eth1--b:eth1", "a:eth2--c:eth1", "c:eth2--d:eth1"
LINKS = [("a:eth1", "b:eth1"), ("a:eth2", "c:eth1"), ("c:eth2", "d:eth1")]
ORPHAN = "x:eth1--y:eth1"
STRANGE = 4001


@dataclasses.dataclass(frozen=True)
class Story:
    """The runs, one after the other, and what was on the servers before and after some of them."""

    lab: Lab
    deployed: Run
    predicted: Run
    snapshots: tuple[Any, Any]
    mended: Run
    second: Run
    misspelt: Run
    held: Run
    held_tag: str
    shown: Run
    released: Run
    released_tag: str


def words(run: Run) -> tuple[dict[str, str], dict[str, str]]:
    return {one["key"]: one["word"] for one in run.report["links"]}, {one["name"]: one["word"] for one in run.report["nodes"]}


def link_of(run: Run, key: str) -> dict[str, Any]:
    return next(one for one in run.report["links"] if one["key"] == key)


def port_of(run: Run, key: str, node: str) -> str:
    return next(str(end["port"]) for end in link_of(run, key)["endpoints"] if end["node"] == node)


def break_it(world: World, lab: Lab, deployed: Run) -> None:
    """On two servers at once: a tag, a tunnel, a node, and a tunnel of the lab that was never declared."""
    world.on("srv1", "ovs-vsctl", "set", "Port", port_of(deployed, LOCAL, "c"), f"tag={STRANGE}")
    tunnel = link_of(deployed, CROSS)["tunnels"]["srv2"]
    world.on("srv2", "ovs-vsctl", "del-port", tunnel)
    world.on("srv2", "ip", "link", "del", tunnel)
    world.on("srv2", "docker", "kill", lab.container("d"))
    world.on("srv1", "ip", "link", "add", "oldtunnel", "type", "vxlan", "id", "4711", "local", "198.18.0.99", "dstport", "4790")
    world.on("srv1", "ip", "link", "set", "oldtunnel", "alias", f"archetype-lab:{lab.name}:tunnel:{ORPHAN}")


def snapshot(world: World) -> dict[str, Any]:
    return world.each(dump)


@pytest.fixture(scope="module")
def story(world: World) -> Iterator[Story]:
    world.forget("again")
    lab = make_lab(world.folder / "again", "again", copy.deepcopy(NODES), LINKS)
    deployed = world.deploy(lab).green()
    break_it(world, lab, deployed)
    before = snapshot(world)
    predicted = world.play("reconcile_lab", lab, "--check", "--diff")
    snapshots = before, snapshot(world)
    mended = world.play("reconcile_lab", lab)
    second = world.play("reconcile_lab", lab)
    port = port_of(deployed, CROSS, "a")

    def tag() -> str:
        return world.on("srv1", "ovs-vsctl", "get", "Port", port, "tag").strip()

    world.on("srv1", "ovs-vsctl", "set", "Port", port, f"tag={STRANGE}")
    misspelt = world.play("reconcile_lab", lab, "-e", "lab_hold=a:eth1--b:eth2,c")
    held = world.play("reconcile_lab", lab, "-e", "lab_hold=b:eth1--a:eth1")
    held_tag = tag()
    shown = world.play("status_lab", lab, "-e", "lab_journal=20")
    lab.links.append({"endpoints": ["b:eth2", "d:eth2"]})
    lab.write()
    released = world.play("reconcile_lab", lab)
    yield Story(lab, deployed, predicted, snapshots, mended, second, misspelt, held, held_tag, shown, released, tag())
    world.forget("again")


def test_check_mode_tells_exactly_what_differs_and_writes_nothing(story: Story) -> None:
    run = story.predicted
    run.ok()
    links, nodes = words(run)
    assert links == {CROSS: "missing", LOCAL: "wrong", OTHER: "in sync"}
    assert nodes == {"a": "in sync", "b": "in sync", "c": "in sync", "d": "wrong"}
    assert f"tag: {STRANGE} -> {link_of(run, LOCAL)['tags']['srv1']}" in link_of(run, LOCAL)["detail"]
    assert [(one["server"], one["name"]) for one in run.report["orphans"]] == [("srv1", "oldtunnel")]
    assert not run.report["ok"]
    assert run.links()[OTHER] == ("down", "node d does not run")
    assert not {"Listen", "Send", "Collect"} & {one["task"] for one in run.results if not one["result"].get("skipped")}
    assert story.snapshots[0] == story.snapshots[1]


def test_one_run_brings_all_of_it_back_and_proves_it(world: World, story: Story) -> None:
    story.mended.green()
    assert story.mended.changes("Reconcile") == story.predicted.changes("Reconcile")
    assert {one["proven"]["by"] for one in story.mended.report["links"]} == {"frames"}
    assert story.mended.report["orphans"] == []
    assert {(one["server"], one["what"].split(" is ")[0]) for one in story.mended.report["mended"]} >= {
        ("srv1", "tunnel oldtunnel"),
        ("srv2", f"tunnel {link_of(story.deployed, CROSS)['tunnels']['srv2']}"),
    }
    assert story.mended.of("Report")["srv1"]["ansible_stats"]["data"]["archetype_lab_report"] == story.mended.report
    assert "oldtunnel" not in world.devices("srv1")
    before = {one["key"]: (one["tags"], one["vni"], one["tunnels"], one["endpoints"]) for one in story.deployed.report["links"]}
    assert {one["key"]: (one["tags"], one["vni"], one["tunnels"], one["endpoints"]) for one in story.mended.report["links"]} == before


def test_the_next_run_changes_nothing(story: Story) -> None:
    assert story.second.green().changed == 0
    assert words(story.second) == ({CROSS: "in sync", LOCAL: "in sync", OTHER: "in sync"}, dict.fromkeys("abcd", "in sync"))
    assert {one["proven"]["by"] for one in story.second.report["links"]} == {"frames"}


def test_a_name_that_is_none_is_refused_before_anything_is_done(story: Story) -> None:
    said = story.misspelt.failed().said
    told = "a:eth1--b:eth2 is neither. Did you mean "
    assert f'{told}\\"{CROSS}\\"?' in said or f'{told}"{CROSS}"?' in said
    assert not story.misspelt.of("Reconcile")


def test_what_an_admin_holds_is_shown_and_left_alone(story: Story) -> None:
    run = story.held
    run.ok()
    assert story.held_tag == str(STRANGE)
    link = link_of(run, CROSS)
    assert (link["word"], link["held"], link["state"]) == ("wrong", True, "down")
    assert f"tag: {STRANGE} -> " in link["detail"]
    assert run.report["held"] == [CROSS]
    assert "wrong, held" in run.stdout
    assert run.report["ok"]
    assert run.changes("Reconcile")["srv1"] == [] or all(change[1] == "state" for change in run.changes("Reconcile")["srv1"])


def test_status_tells_of_the_hold_and_of_what_was_done(story: Story) -> None:
    story.shown.ok()
    report = story.shown.report
    assert report["held"] == [CROSS]
    assert (link_of(story.shown, CROSS)["state"], link_of(story.shown, CROSS)["word"]) == ("down", "wrong")
    assert {one["watcher"]["state"] for one in report["servers"].values()} == {"absent"}
    done = [(entry["server"], text) for entry in report["journal"] for text in entry["done"]]
    assert ("srv1", "- tunnel oldtunnel") in [(server, text[: len("- tunnel oldtunnel")]) for server, text in done]
    assert "JOURNAL" in story.shown.stdout
    assert "not installed" in story.shown.stdout


def test_a_run_without_the_hold_ends_it(story: Story) -> None:
    assert story.released_tag != str(STRANGE)
    assert story.released.report["held"] == []
    assert link_of(story.released, CROSS)["state"] == "up"


def test_an_edit_that_was_not_deployed_is_not_deployed_by_this(story: Story) -> None:
    run = story.released.green()
    assert set(run.links()) == {CROSS, LOCAL, OTHER}
    assert "d:eth2" not in json.dumps(run.changes("Reconcile"))
