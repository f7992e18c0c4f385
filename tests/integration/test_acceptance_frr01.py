# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A published containerlab topology, unchanged, over three servers: predicted, deployed, proven, and used."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.integration.acceptance import FRR, HOST, SERVERS, Lab, Run, World
from tests.testbed import fixtures
from tests.testbed.paths import ROOT

SOURCE = ROOT.parent / "shared" / "topologies" / "lab-examples" / "frr01"
PLACES = {"router1": "srv1", "PC1": "srv1", "router2": "srv2", "PC2": "srv2", "router3": "srv3", "PC3": "srv3"}
ADDRESSES = {"PC1": "192.168.11.2", "PC2": "192.168.12.2", "PC3": "192.168.13.2"}
MEGABYTES = 100


@dataclasses.dataclass(frozen=True)
class Story:
    """The three runs, and what Docker and Open vSwitch had before them."""

    lab: Lab
    ports_before: dict[str, set[str]]
    inventory_before: Any
    predicted: Run
    first: Run
    second: Run


@pytest.fixture(scope="module")
def story(world: World) -> Iterator[Story]:
    if not SOURCE.is_dir():
        pytest.skip(f"the topology frr01 of containerlab's examples is not in {SOURCE}")
    world.forget("frr01")
    folder = world.folder / "frr01"
    shutil.copytree(SOURCE, folder)
    topology = yaml.safe_load((folder / "frr01.clab.yml").read_text())
    lab = Lab(folder / "frr01.lab.yml", topology)
    content = {
        "plugin": "archetype.lab.topology",
        "topology": "frr01.clab.yml",
        "servers": "lab_servers",
        "placement": PLACES,
        "images": {"quay.io/frrouting/frr:10.5.1": FRR, "wbitt/network-multitool:3.22.2": HOST},
    }
    lab.file.write_text(yaml.safe_dump(content))
    ports = {server: set(world.ovs_marks(server)) for server in SERVERS}
    yield Story(lab, ports, listed(world, lab), world.check(lab), world.deploy(lab), world.deploy(lab))
    world.forget("frr01")


def listed(world: World, lab: Lab) -> Any:
    told = fixtures.run_ansible(world.testbed, "ansible-inventory", "-i", str(lab.file), "--list")
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


def in_node(world: World, lab: Lab, node: str, *words: str) -> str:
    return world.node(PLACES[node], lab.container(node), *words)


def test_the_topology_is_the_published_one(story: Story) -> None:
    assert story.lab.file.with_name("frr01.clab.yml").read_bytes() == (SOURCE / "frr01.clab.yml").read_bytes()


def test_deploying_is_green(story: Story) -> None:
    story.first.green()
    assert len(story.first.links()) == 6 + 1
    assert story.first.links()["management"] == ("up", "")
    assert len(story.first.nodes()) == 6


def test_check_mode_wrote_nothing_and_predicted_every_change(story: Story) -> None:
    assert story.predicted.changes() == story.first.changes()
    assert all(story.first.changes()[server] for server in SERVERS)


def test_check_mode_named_every_object_that_is_there_now(world: World, story: Story) -> None:
    said = story.predicted.names
    for server in SERVERS:
        containers = world.docker_names("clab-frr01-")[server]
        assert containers == said("container")[server] | said("sandbox")[server]
        assert len(containers) == 4
        ports = set(world.ovs_marks(server)) - story.ports_before[server]
        assert ports == said("port")[server] | said("tunnel")[server]
        files = set(world.on(server, "find", "/var/lib/archetype-lab/frr01/files", "-type", "f").split())
        assert files == said("file")[server]
        assert {change[2] for change in story.predicted.changes()[server] if change[1] == "exec"} == {
            f"clab-frr01-{node}" for node, place in PLACES.items() if place == server and node in ADDRESSES
        }


def test_the_diff_shows_the_names_to_people(story: Story) -> None:
    for server, result in story.predicted.of("Converge").items():
        shown = result["diff"]["prepared"]
        for change in story.predicted.changes()[server]:
            assert change[2] in shown
            assert change[2] in story.predicted.stdout


def test_a_second_run_changes_nothing(story: Story) -> None:
    story.second.green()
    assert {host: counts["changed"] for host, counts in story.second.recap.items()} == dict.fromkeys(SERVERS, 0)


def test_ospf_neighbours_are_full(world: World, story: Story) -> None:
    def full(router: str) -> bool:
        told = json.loads(in_node(world, story.lab, router, "vtysh", "-c", "show ip ospf neighbor json"))["neighbors"]
        return [one[0]["converged"] for one in told.values()] == ["Full", "Full"]

    world.wait(lambda: all(full(f"router{index}") for index in (1, 2, 3)), 90, "two Full neighbours on each router")


def test_all_hosts_ping_each_other(world: World, story: Story) -> None:
    for node in ADDRESSES:
        for other, address in ADDRESSES.items():
            if other != node:
                world.wait(
                    lambda node=node, address=address: (  # type: ignore[misc]
                        "1 received" in in_node(world, story.lab, node, "sh", "-c", f"ping -c1 -W1 {address} || true")
                    ),
                    60,
                    f"{node} pings {other}",
                )


def test_a_large_tcp_transfer_completes(world: World, story: Story) -> None:
    """Over local links with a large MTU, and tunnels with a small one."""
    in_node(world, story.lab, "PC3", "iperf3", "--server", "--one-off", "--daemon")
    said = in_node(world, story.lab, "PC1", "iperf3", "--client", ADDRESSES["PC3"], "--bytes", f"{MEGABYTES}M", "--json")
    assert json.loads(said)["end"]["sum_received"]["bytes"] >= MEGABYTES * 10**6


def test_the_inventory_reads_the_same_before_and_after(world: World, story: Story) -> None:
    inventory = listed(world, story.lab)
    assert inventory == story.inventory_before
    assert sorted(inventory["lab_frr01"]["hosts"]) == sorted(PLACES)
    assert {node: inventory["_meta"]["hostvars"][node]["lab_server"] for node in PLACES} == PLACES
