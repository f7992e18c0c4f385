# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watcher removes: what is the lab's and not declared. What it leaves: all else, and everything where it cannot read."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.measure import once
from tests.faults.repairers import watching
from tests.faults.scene import BRIDGE, NAME, Scene, Way
from tests.faults.table import FIRST, PLACES, Fault, Part, docker, ip, ovs
from tests.integration.acceptance import HOST, World
from tests.testbed.testbed import Server

WAYS = (Way("near", "p", "n"), Way("far", "p", "r"), Way("killed", "p", "killed"))
STALE, LEFT, LONE = "atstale0", "apleft0", "aplone0"
ELSEWHERE, BARE = "apelse0", "bare0"
BOX = f"clab-{NAME}-box"
PATIENCE = 10.0


@pytest.fixture(scope="module")
def scene(world: World) -> Iterator[Scene]:
    nodes = {node for way in WAYS for node in (way.near, way.far)}
    places = {node: server for node, server in PLACES.items() if node in nodes}
    with Scene(world.testbed, world.folder, places, WAYS).deployed() as one, watching(world.testbed):
        yield one


def server(scene: Scene) -> Server:
    return scene.testbed.server(FIRST)


def rows(scene: Scene) -> dict[str, Any]:
    """Every port of Open vSwitch, with what makes it this one."""
    found = scene.eyes[FIRST].select("Port", "_uuid", "name", "tag", "vlan_mode", "external_ids")
    assert found is not None
    return {one.pop("name"): one for one in found}


def device(scene: Scene, name: str) -> bool:
    return Path(f"{scene.eyes[FIRST].root}/sys/class/net/{name}").exists()


def journal(scene: Scene, since: int) -> list[dict[str, Any]]:
    path = Path(f"{scene.eyes[FIRST].root}/var/log/archetype-lab/{NAME}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()[since:]] if path.exists() else []


def deleted(scene: Scene, since: int) -> list[str]:
    """What was removed, as the journal has it."""
    return [line for entry in journal(scene, since) for line in entry["done"] if line.startswith("- ")]


def pair(name: str, alias: str = "") -> list[str]:
    """Lines of ip for a device as somebody left it."""
    return [f"link add {name} type veth peer name {name}x", *([f"link set {name} alias {alias}"] if alias else [])]


def add_port(scene: Scene, name: str, tag: str, **marks: str) -> None:
    words = [f"external_ids:{key.replace('_', '-')}={value}" for key, value in marks.items()]
    ovs(
        scene,
        FIRST,
        "add-port",
        BRIDGE,
        name,
        f"tag={tag}",
        "vlan_mode=dot1q-tunnel",
        "--",
        "set",
        "port",
        name,
        *(words or ["statistics={}"]),
    )


def test_what_is_the_labs_and_not_declared_goes(scene: Scene) -> None:
    """A tunnel that shares the tag of a live one; a port with its device, and a device alone, as a run that was killed leaves them."""
    live = scene.tunnel("far", FIRST)
    key = live["link"].replace(":", r"\:")
    admins, began = scene.admins(), time.monotonic()
    other = f"link add {STALE} type vxlan id {live['vni'] ^ 1} local {live['local']} remote {live['remotes'][0]} dstport 4789"
    marked = [f"link set {STALE} alias archetype-lab:{NAME}:tunnel:{live['link']}"]
    mark = f"archetype-lab:{NAME}:port:p:eth9"
    ip(scene, FIRST, other, *marked, *pair(LEFT, mark), *pair(LONE, mark))
    add_port(scene, STALE, str(live["tag"]), archetype_lab=NAME, archetype_role="tunnel", archetype_link=key)
    add_port(scene, LEFT, "77", archetype_lab=NAME, archetype_role="port", archetype_node="p", archetype_interface="eth9")
    gone = (STALE, LEFT, LONE)
    scene.world.wait(lambda: not any(device(scene, name) or name in rows(scene) for name in gone), PATIENCE, "what is stale has gone")
    assert scene.broken() == []
    assert scene.admins() == admins
    scene.pings.wait(list(scene.ways))
    assert [way for way in scene.bystanders if scene.pings.outages(way, began)] == []


def test_what_is_somebody_elses_stays(scene: Scene) -> None:
    """A port of a lab that is not known here, one without marks on a tag of the lab, and a container with a name like the lab's."""
    live = scene.tunnel("far", FIRST)
    ip(scene, FIRST, *pair(ELSEWHERE, "archetype-lab:elsewhere:port:a:eth1"), *pair(BARE))
    add_port(scene, ELSEWHERE, "78", archetype_lab="elsewhere", archetype_role="port")
    add_port(scene, BARE, str(live["tag"]))
    docker(scene, "run", "-d", "--name", BOX, "--network", "none", HOST)
    box = scene.eyes[FIRST].container(BOX)
    others = {name: row for name, row in rows(scene).items() if (FIRST, name) not in scene.healthy}
    lines = len(journal(scene, 0))
    port = scene.port("near", "n")
    for _time in range(2):
        done = once(scene, Fault("tag", lambda one: ovs(one, FIRST, "set", "port", port, "tag=4001"), (Part("tag", ("near",)),)))
        assert done.repairs[0].seconds is not None
        assert done.losses == {}
    assert {name: row for name, row in rows(scene).items() if (FIRST, name) not in scene.healthy} == others
    assert all(device(scene, name) for name in (ELSEWHERE, f"{ELSEWHERE}x", BARE, f"{BARE}x"))
    assert box is not None
    assert scene.eyes[FIRST].container(BOX) == box
    assert deleted(scene, lines) == []
    ovs(scene, FIRST, "del-port", ELSEWHERE, "--", "del-port", BARE)
    ip(scene, FIRST, f"link del {ELSEWHERE}", f"link del {BARE}")
    docker(scene, "rm", "-f", BOX)


def _hung(scene: Scene) -> None:
    """The database answers nobody for longer than it is waited for."""
    (pid,) = server(scene).pids("ovsdb")
    os.kill(pid, signal.SIGSTOP)
    try:
        _break(scene)
        time.sleep(6)
    finally:
        os.kill(pid, signal.SIGCONT)


def _away(scene: Scene) -> None:
    server(scene).daemon("kill", "ovsdb")
    _break(scene)
    time.sleep(2)
    server(scene).daemon("start", "ovsdb")


def _break(scene: Scene) -> None:
    """What the watcher hears of, and what it would want to mend."""
    ip(scene, FIRST, f"link del {scene.port('near', 'n')}")
    docker(scene, "kill", scene.container("killed"))


@pytest.mark.parametrize("unreadable", [_hung, _away])
def test_nothing_is_removed_while_the_database_cannot_be_read(scene: Scene, unreadable: Any) -> None:
    """Afterwards what was broken meanwhile is mended, and all ports are the same rows as before."""
    before, lines = rows(scene), len(journal(scene, 0))
    admins, containers = scene.admins(), server(scene).run(["docker", "ps", "-aq"]).stdout.split()
    unreadable(scene)
    scene.world.wait(lambda: scene.broken() == [], 4 * PATIENCE, "everything is as declared again")
    scene.pings.wait(list(scene.ways), seconds=PATIENCE)
    assert deleted(scene, lines) == []
    mended = {scene.port("near", "n")}
    assert {name: row for name, row in rows(scene).items() if name not in mended} == {
        name: row for name, row in before.items() if name not in mended
    }
    assert server(scene).run(["docker", "ps", "-aq"]).stdout.split() == containers
    assert scene.admins() == admins
