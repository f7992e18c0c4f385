# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology of netlab's own, transformed by the real netlab, deployed over three servers; and netlab's own scripts run on it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
import yaml

from tests.integration.acceptance import FRR, HOST, SERVERS, Lab, World
from tests.netlab_runs import netlab, transformed

NAME = "netlab3"
TOPOLOGY = f"""
name: {NAME}
provider: clab
defaults.device: frr
module: [ospf]
addressing.mgmt: {{ipv4: 198.51.100.0/24, start: 10}}
nodes: {{r1: , r2: , h1: {{device: linux}}}}
links:
- {{r1: , r2: , mtu: 1400}}
- {{r2: , h1: , mtu: 1400}}
- {{r1: , r2: , h1: , mtu: 1300}}
- {{r1: , role: stub}}
"""
PLACES = dict(zip(("r1", "r2", "h1"), SERVERS, strict=True))


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Lab]:
    folder = world.folder / NAME
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "topology.yml").write_text(TOPOLOGY)
    netlab(folder, "create")
    data = json.loads(transformed(folder, TOPOLOGY).read_text())
    images = {data["nodes"]["r1"]["box"]: FRR, data["nodes"]["h1"]["box"]: HOST}
    file = folder / f"{NAME}.lab.yml"
    options = {"topology": "lab.json", "servers": "lab_servers", "placement": PLACES, "images": images}
    file.write_text(yaml.safe_dump({"plugin": "archetype.lab.topology", **options}))
    world.forget(NAME)
    lab = Lab(file, {"name": NAME, **data})
    run = world.deploy(lab).green()
    assert len(run.links()) >= len(data["links"])
    yield lab
    world.forget(NAME)


def inside(world: World, lab: Lab, node: str, *words: str) -> str:
    return world.node(PLACES[node], lab.container(node), *words)


def test_every_neighbour_answers_over_its_own_link(world: World, lab: Lab) -> None:
    """netlab says of each interface who is at its far end, and under which address."""
    asked = 0
    for node, one in lab.topology["nodes"].items():
        for interface in one["interfaces"]:
            for neighbour in interface["neighbors"]:
                address = neighbour["ipv4"].partition("/")[0]
                said = inside(world, lab, node, "ping", "-c", "2", "-W", "2", "-I", interface["ifname"], address)
                assert " 0% packet loss" in said, said
                asked += 1
    assert asked == 10


def test_interfaces_have_the_addresses_and_mtus_of_the_file(world: World, lab: Lab) -> None:
    wanted = {("r1", "eth1"): 1400, ("r2", "eth1"): 1400, ("h1", "eth2"): 1300}
    for node, one in lab.topology["nodes"].items():
        for interface in one["interfaces"]:
            said = inside(world, lab, node, "ip", "address", "show", "dev", interface["ifname"])
            assert f"inet {interface['ipv4']} " in said
            if (node, interface["ifname"]) in wanted:
                assert f"mtu {wanted[node, interface['ifname']]} " in said


def test_the_second_run_changes_nothing(world: World, lab: Lab) -> None:
    run = world.deploy(lab).green()
    assert all(counts["changed"] == 0 for counts in run.recap.values()), run.stdout


def test_netlabs_own_scripts_configure_the_devices_and_change_nothing_of_the_lab(world: World, lab: Lab) -> None:
    """What netlab initial does with containers: it runs in each what it generated and bound into it."""
    for script in ("01-initial.sh", "02-ospf.sh"):
        for node in ("r1", "r2"):
            inside(world, lab, node, f"/etc/config/{script}")
    world.wait(lambda: "Full" in inside(world, lab, "r1", "vtysh", "-c", "show ip ospf neighbor"), 60, "OSPF neighbours are Full")
    for node, loopback in (("r1", "10.0.0.2"), ("r2", "10.0.0.1")):  # the answer has to find its way, too
        world.wait(lambda node=node, to=loopback: to in inside(world, lab, node, "ip", "route"), 30, f"{node} knows {loopback}")  # type: ignore[misc]
    assert " 0% packet loss" in inside(world, lab, "r1", "ping", "-c", "2", "-W", "2", "-I", "10.0.0.1", "10.0.0.2")
    run = world.deploy(lab).green()
    assert all(counts["changed"] == 0 for counts in run.recap.values()), run.stdout
