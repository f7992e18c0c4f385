# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What objects need by themselves, measured by hand in the same run: nothing watches, and Docker and libvirt are told to start them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.faults.measure import once
from tests.faults.scene import Scene
from tests.faults.table import CONTAINERS, FAULTS, FIRST


def restart(scene: Scene) -> float:
    began = time.monotonic()
    scene.eyes[FIRST].docker.restart(scene.container("restarted"))
    return time.monotonic() - began


def node(scene: Scene) -> float:
    return _started(scene, [[scene.container("killed")]])


def new_node(scene: Scene) -> float:
    """The same container made anew."""
    docker, name = scene.eyes[FIRST].docker, scene.container("removed")
    have = docker.inspect_container(name)
    docker.remove_container(name, force=True)
    config = {**have["Config"], "HostConfig": have["HostConfig"]}
    config.pop("Hostname", None)  # it is the sandbox's
    began = time.monotonic()
    docker.create_container_from_config(config, name)
    docker.start(name)
    return time.monotonic() - began


def sandbox_and_node(scene: Scene) -> float:
    return _started(scene, [[scene.sandbox("boxed")], [scene.container("boxed")]])


def everything(scene: Scene) -> float:
    """All containers of the lab on the server, sandboxes first."""
    return _started(scene, [[scene.sandbox(one) for one in CONTAINERS], [scene.container(one) for one in CONTAINERS]])


def _started(scene: Scene, steps: Sequence[Sequence[str]]) -> float:
    docker = scene.eyes[FIRST].docker
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(docker.kill, [name for step in steps for name in step]))
        for name in (name for step in steps for name in step):
            docker.wait(name)
        began = time.monotonic()
        for step in steps:
            list(pool.map(docker.start, step))
        return time.monotonic() - began


def guest(scene: Scene) -> float:
    """From its end to its first answer, when it is started as soon as libvirt has ended it: that waits for QEMU to be gone."""
    server, domain = scene.testbed.server(FIRST), scene.container("g")
    began = time.monotonic()
    for word in ("destroy", "start"):
        server.run(["virsh", "-c", "qemu:///system", word, domain], check=True)
    scene.pings.wait(["g"], calm=0.1, seconds=60)
    return scene.pings.outages("g", began)[-1].end - scene.pings.outages("g", began)[0].begin


def vswitchd(scene: Scene) -> float:
    """From its being back to the first ping: devices and database are still there."""
    (repair,) = once(scene, FAULTS["ovs-vswitchd killed"]).repairs
    if repair.seconds is None:
        raise TimeoutError("without any help the links do not come back after a restart of ovs-vswitchd")
    return repair.seconds


OWN: dict[str, Callable[[Scene], float]] = {
    "restart": restart,
    "node": node,
    "new node": new_node,
    "guest": guest,
    "ovs-vswitchd": vswitchd,
    "sandbox and node": sandbox_and_node,
    "all": everything,
}


def by_hand(scene: Scene, wanted: Sequence[str], times: int = 3) -> dict[str, float]:
    """The median of each that is wanted. Afterwards everything is as declared again."""
    found = {"": 0.0}
    scene.listen([way for way in ("g", "spare near", "spare far", "from afar") if way in scene.ways])
    for name, measure in OWN.items():
        if name in wanted:
            if name == "all":
                scene.stop_pings(FIRST)
            found[name] = statistics.median(measure(scene) for _time in range(times))
            scene.mend()
    if "all" in wanted:
        scene.start_pings(FIRST)
    scene.pings.wait(list(scene.pings.pingers))
    return found
