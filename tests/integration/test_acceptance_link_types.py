# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab with links of every type, as a user has it: predicted, deployed, used, looked at, mended, edited, destroyed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.acceptance import HOST, Lab, Run, World, make_lab

NAME = "far-ends"
A, B = f"clab-{NAME}-a", f"clab-{NAME}-b"
VNI = 4242
BOX = "foreign-box"
"""A container on srv3 that is not the lab's."""
KEYS = {
    "host": "a:eth2--host:fe-host2",
    "macvlan": "a:eth3--macvlan:foreignp",
    "dummy": "a:dum0--dummy",
    "vxlan": "a:eth4--vxlan:{remote}/4242",
    "veth": "a:eth1--b:eth1",
    "external": f"a:eth5--{BOX}:eth9",
}


def key(world: World, kind: str) -> str:
    return KEYS[kind].format(remote=world.testbed.server("srv3").address)


def states(run: Run) -> dict[str, tuple[str, str]]:
    return {one["key"]: (one["state"], one["proof"]) for one in run.report["links"] if one["key"] != "management"}


def make(world: World) -> Lab:
    lab = make_lab(world.folder / NAME, NAME, {"a": "srv1", "b": "srv2", BOX: {"kind": "ext-container"}}, [])
    lab.links[:] = [
        {"endpoints": ["b:eth1", "a:eth1"], "ipv4": ["198.51.100.2/29", "198.51.100.1/29"], "tc": {"rate": "50mbit"}},
        {"endpoints": ["host:fe-host2", "a:eth2"], "ipv4": ["", "198.51.100.9/29"]},
        {"endpoints": ["a:eth3", "macvlan:foreignp"], "ipv4": ["198.51.100.17/29"]},
        {"type": "dummy", "endpoint": {"node": "a", "interface": "dum0", "ipv4": "198.51.100.25/29"}},
        {
            "type": "vxlan-stitch",
            "endpoint": {"node": "a", "interface": "eth4", "ipv4": "198.51.100.33/29"},
            "remote": world.testbed.server("srv3").address,
            "vni": VNI,
            "dst-port": 14789,
        },
        {"endpoints": ["a:eth5", f"{BOX}:eth9"], "ipv4": ["198.51.100.41/29"]},
    ]
    return lab.write()


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Lab]:
    """srv1 has a device for the macvlan, with somebody behind it; srv3 a VTEP that was made by hand."""
    world.forget(NAME)
    here, far = world.testbed.server("srv1"), world.testbed.server("srv3")
    world.on("srv1", "ip", "link", "add", "foreignp", "type", "veth", "peer", "name", "foreignq")
    world.on("srv1", "ip", "netns", "add", "foreignns")
    world.on("srv1", "ip", "link", "set", "foreignq", "netns", "foreignns")
    world.on("srv1", "ip", "link", "set", "foreignp", "up")
    world.on("srv1", "ip", "-n", "foreignns", "link", "set", "foreignq", "up")
    world.on("srv1", "ip", "-n", "foreignns", "address", "add", "198.51.100.18/29", "dev", "foreignq")
    vxlan = ("type", "vxlan", "id", str(VNI), "local", far.address, "remote", here.address, "dstport", "14789")
    world.on("srv3", "ip", "link", "add", "foreignvx", *vxlan)
    world.on("srv3", "ip", "address", "add", "198.51.100.34/29", "dev", "foreignvx")
    world.on("srv3", "ip", "link", "set", "foreignvx", "up")
    world.on("srv3", "docker", "run", "--detach", "--name", BOX, "--network", "none", HOST)
    try:
        yield make(world)
    finally:
        world.forget(NAME)
        here.run(["ip", "link", "delete", "foreignp"])
        here.run(["ip", "netns", "delete", "foreignns"])
        far.run(["ip", "link", "delete", "foreignvx"])
        far.run(["docker", "rm", "--force", BOX])


def test_links_of_every_type_are_predicted_deployed_and_work(world: World, lab: Lab) -> None:
    predicted = world.check(lab)
    run = world.deploy(lab).green()
    assert run.changes() == predicted.changes()
    assert states(run) == {key(world, kind): ("up", "frames" if kind in ("veth", "external") else "device") for kind in KEYS}
    assert "up (device)" in run.stdout
    world.on("srv1", "ip", "address", "add", "198.51.100.10/29", "dev", "fe-host2")
    world.node("srv3", BOX, "ip", "link", "show", "dev", "eth9")
    for address in ("198.51.100.2", "198.51.100.10", "198.51.100.18", "198.51.100.34"):
        world.node("srv1", A, "ping", "-c", "2", "-i", "0.2", "-W", "2", address)
    told = json.loads(world.node("srv1", A, "ip", "-json", "-details", "link", "show", "dev", "eth3"))
    assert told[0]["linkinfo"]["info_kind"] == "macvlan"
    assert "198.51.100.25/29" in world.node("srv1", A, "ip", "address", "show", "dev", "dum0")
    assert "rate 50Mbit" in world.node("srv1", A, "tc", "qdisc", "show", "dev", "eth1")


def test_a_second_run_changes_nothing(world: World, lab: Lab) -> None:
    run = world.deploy(lab).green()
    assert not any(run.changes().values())


def test_looking_at_the_lab_tells_the_same_and_what_is_down(world: World, lab: Lab) -> None:
    assert set(states(world.play("certify_lab", lab).ok()).values()) == {("up", "device"), ("up", "frames")}
    world.node("srv1", A, "ip", "link", "set", "eth2", "down")
    found = world.play("certify_lab", lab).links()[key(world, "host")]
    assert found == ("down", "no carrier: interface eth2 of node a, or what is at its far end, is down")
    world.node("srv1", A, "ip", "link", "set", "eth2", "up")
    run = world.play("status_lab", lab)
    assert not [reason for _state, reason in run.links().values() if "instead of" in reason or "missing" in reason], run.links()


def test_what_is_lost_is_mended(world: World, lab: Lab) -> None:
    world.on("srv1", "ip", "link", "delete", "fe-host2")
    world.node("srv1", A, "ip", "link", "delete", "eth3")
    (tunnel,) = [name for name, one in world.devices("srv1").items() if one.get("linkinfo", {}).get("info_data", {}).get("id") == VNI]
    world.on("srv1", "ip", "link", "delete", tunnel)
    assert set(world.deploy(lab).green().changed_labels("srv1")) >= {"a:eth2", "a:eth3", key(world, "vxlan")}
    world.node("srv1", A, "ping", "-c", "2", "-i", "0.2", "-W", "2", "198.51.100.34")
    world.node("srv1", A, "ping", "-c", "2", "-i", "0.2", "-W", "2", "198.51.100.18")


def test_a_changed_far_end_changes_only_its_link(world: World, lab: Lab) -> None:
    lab.links[1]["endpoints"] = ["a:eth2", "host:fe-other"]
    run = world.deploy(lab.write()).green()
    assert set(run.changed_labels("srv1")) == {"a:eth2", NAME}
    assert not run.changes()["srv2"]
    assert ("fe-other" in world.devices("srv1"), "fe-host2" in world.devices("srv1")) == (True, False)


def test_a_far_end_that_cannot_be_is_told_before_anything_is_touched(world: World, lab: Lab) -> None:
    before = lab.links[2]["endpoints"]
    lab.links[2]["endpoints"] = ["a:eth3", "macvlan:nope0"]
    lab.links[1]["endpoints"] = ["a:eth2", "host:foreignp"]
    said = world.deploy(lab.write()).failed().said
    assert "server srv1 has no device nope0, which link a:eth3--macvlan:nope0 needs for a macvlan" in said
    assert "server srv1 has foreignp already, which link a:eth2--host:foreignp wants to make" in said
    lab.links[2]["endpoints"] = before
    lab.links[1]["endpoints"] = ["a:eth2", "host:fe-other"]
    assert not any(world.deploy(lab.write()).green().changes().values())


def test_nothing_is_left_of_a_destroyed_lab_and_what_is_not_its_own_stays(world: World, lab: Lab) -> None:
    world.play("destroy_lab", lab).ok()
    assert world.traces(NAME) == {}
    assert "fe-other" not in world.devices("srv1")
    assert "foreignp" in world.devices("srv1")
    assert "foreignvx" in world.devices("srv3")
    assert "eth9" not in world.node("srv3", BOX, "ip", "link")
