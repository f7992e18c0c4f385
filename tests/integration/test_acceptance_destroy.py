# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Destroying a lab leaves nothing of it, and nobody else notices."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.acceptance import HOST, SERVERS, Lab, Run, World, addressed, make_lab
from tests.integration.dumps import dump, namespaces
from tests.integration.pings import Ping, pinging
from tests.testbed.testbed import Server

FOREIGN = ("foreign-a", "foreign-b")
FOREIGN_TAG = 77


def _lab(world: World, name: str, network: str) -> Lab:
    """Two hosts over two servers, two on one server, and a segment of three."""
    nodes = {
        "a": addressed("srv1", f"{network}.0.1/24", f"{network}.1.1/24", f"{network}.2.1/24"),
        "b": addressed("srv2", f"{network}.0.2/24", f"{network}.2.2/24", binds=["note.txt:/note.txt"]),
        "c": addressed("srv1", f"{network}.1.2/24"),
        "d": addressed("srv3", f"{network}.2.3/24"),
        "lan": {"kind": "bridge"},
    }
    links = [("a:eth1", "b:eth1"), ("a:eth2", "c:eth1"), ("a:eth3", "lan:one"), ("b:eth2", "lan:two"), ("d:eth1", "lan:three")]
    lab = make_lab(world.folder / name, name, nodes, links, management=True)
    lab.file.with_name("note.txt").write_text("hello\n")
    return lab


def _plant(world: World) -> None:
    """Two containers that are joined over a tagged pair of ports on our bridge, by somebody who has never heard of labs."""
    server = world.server("srv1")
    for index, name in enumerate(FOREIGN, 1):
        server.docker("run", "-d", "--name", name, "--network=none", HOST, "sleep", "infinity")
        device = f"{name}0"
        server.run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth1", "netns", str(server.pid(name)))
        server.run("ip", "link", "set", device, "up")
        server.run("ovs-vsctl", "add-port", "arch-ovs", device, f"tag={FOREIGN_TAG}", "--", "set", "Port", device, "external_ids:owner=me")
        inside = ("nsenter", f"--net=/proc/{server.pid(name)}/ns/net")
        server.run(*inside, "ip", "address", "add", f"10.77.0.{index}/24", "dev", "eth1")
        server.run(*inside, "ip", "link", "set", "eth1", "up")
    server.run("ip", "link", "add", "foreign-vx", "type", "vxlan", "id", "77", "dstport", "4790", "local", "198.18.4.1")
    server.run("sh", "-c", "mkdir -p /var/lib/archetype-lab && echo mine > /var/lib/archetype-lab/README")


def _uproot(world: World) -> None:
    def clean(server: Server) -> None:
        for name in FOREIGN:
            server.run(["docker", "rm", "-f", name])
            server.run(["ovs-vsctl", "--if-exists", "del-port", "arch-ovs", f"{name}0"])
        server.run(["ip", "link", "del", "foreign-vx"])
        server.run(["rm", "-f", "/var/lib/archetype-lab/README"])

    world.each(clean)


@dataclasses.dataclass(frozen=True)
class Story:
    gone: Lab
    kept: Lab
    before: dict[str, dict[str, Any]]
    after: dict[str, dict[str, Any]]
    namespaces: dict[str, tuple[int, int]]
    pings: list[Ping]
    destroyed: Run


@pytest.fixture(scope="module")
def story(world: World) -> Iterator[Story]:
    world.forget("gone", "kept")
    _uproot(world)
    gone, kept = _lab(world, "gone", "10.1"), _lab(world, "kept", "10.2")
    world.deploy(kept).green()
    _plant(world)
    empty = world.each(namespaces)
    world.deploy(gone).green()
    before = world.each(lambda server: dump(server, "gone"))
    ways = [
        ("srv1", kept.container("a"), "10.2.0.2"),
        ("srv1", kept.container("a"), "10.2.1.2"),
        ("srv3", kept.container("d"), "10.2.2.1"),
        ("srv1", FOREIGN[0], "10.77.0.2"),
    ]
    with pinging(world, *ways) as pings:
        destroyed = world.play("destroy_lab", gone)
    after = world.each(lambda server: dump(server, "gone"))
    full = world.each(namespaces)
    yield Story(gone, kept, before, after, {server: (empty[server], full[server]) for server in SERVERS}, pings, destroyed)
    _uproot(world)
    world.forget("gone", "kept")


def test_nothing_of_the_lab_is_left_on_any_server(world: World, story: Story) -> None:
    story.destroyed.ok()
    assert world.traces("gone") == {}


def test_the_search_for_traces_finds_those_of_a_lab_that_is_there(world: World, story: Story) -> None:
    found = world.traces("kept")
    assert {line.split()[0] for line in found["srv2"]} >= {"container", "ovs", "alias", "file"}


def test_its_networknamespaces_are_gone(story: Story) -> None:
    for before, after in story.namespaces.values():
        assert after == before


@pytest.mark.parametrize("server", SERVERS)
def test_nothing_else_was_touched(story: Story, server: str) -> None:
    before, after = story.before[server], story.after[server]
    for what in before:
        assert after[what] == before[what], what


def test_what_was_there_and_foreign_is_in_the_comparison(story: Story) -> None:
    there = story.before["srv1"]
    assert {f"/{name}" for name in FOREIGN} <= set(there["containers"])
    assert {"foreign-a0", "foreign-b0"} <= set(there["ports"])
    assert "foreign-vx" in there["devices"]
    assert any("/kept.json" in one for one in there["files"])


def test_pings_of_others_lost_nothing(story: Story) -> None:
    assert len(story.pings) == 4
    for one in story.pings:
        one.check(at_least=50)


def test_destroying_again_changes_nothing(world: World, story: Story) -> None:
    again = world.play("destroy_lab", None, "-e", "lab=gone")
    again.ok()
    assert again.changed == 0
