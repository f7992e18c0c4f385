# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that is stopped has no carrier to give: its neighbour on another server sees that within a second, without a controller."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.lab_server import LabServer
from tests.integration.watched import HOST_IMAGE, Watched
from tests.testbed import images
from tests.testbed.testbed import Testbed

LAB, LINK, TAG = "hbc", "hbc1:eth1--hbc2:eth1", 741
PATIENCE = 5.0
"""Seconds, on a machine that is busy with other tests. The promise is one."""


def slice_of(number: int, addresses: list[str]) -> dict[str, Any]:
    """One node of the link on each server."""
    ends = [{"node": f"{LAB}{one}", "interface": "eth1", "server": f"srv{one}", "port": f"{LAB}p{one}"} for one in (1, 2)]
    port = {
        "name": f"{LAB}p{number}",
        "link": LINK,
        "node": f"{LAB}{number}",
        "interface": "eth1",
        "sandbox": f"{LAB}-{number}.sb",
        "mac": f"02:00:00:00:41:{number:02x}",
        "mtu": 1400,
        "device": "veth",
        "group": 3741,
        "tag": TAG,
    }
    container = {"name": f"{LAB}-{number}", "sandbox": f"{LAB}-{number}.sb", "node": f"{LAB}{number}", "kind": "linux", "image": HOST_IMAGE}
    tunnel = {
        "name": f"{LAB}t",
        "vni": 74100,
        "local": addresses[number - 1],
        "remotes": [addresses[2 - number]],
        "mtu": 1400,
        "link": LINK,
        "tag": TAG,
        "group": 3741,
    }
    return {
        "lab": LAB,
        "server": f"srv{number}",
        "bridge": {},
        "containers": [container],
        "ports": [port],
        "tunnels": [tunnel],
        "links": [{"key": LINK, "mtu": 1400, "endpoints": ends}],
    }


def carrier(one: Watched) -> str:
    sandbox = f"{LAB}-{one.server.index}.sb"
    return one.box.run("nsenter", f"--net=/proc/{one.box.pid(sandbox)}/ns/net", "ip", "-oneline", "link", "show", "eth1")


def deploy(one: Watched, declared: dict[str, Any], *hold: str) -> None:
    """As deploying does, with the lock given back at the end."""
    result = one.box.module("lab_converge", declared=declared, hold=list(hold), owner="test", token="t")
    assert not result.get("failed"), result
    one.unlock(LAB)


def off(one: Watched) -> bool:
    return "NO-CARRIER" in carrier(one)


@pytest.fixture(scope="module")
def pair(testbed: Testbed) -> Iterator[list[Watched]]:
    """Both servers with the lab, a watcher and the same key."""
    images.ensure(testbed, ["sandbox", "host"])
    servers = testbed.servers[:2]
    both = [Watched(LabServer(one)) for one in servers]
    addresses = [one.address for one in servers]
    with contextlib.ExitStack() as after:
        for one in both:
            key = one.path("/etc/archetype-lab/key")
            key.write_text("5a" * 32 + "\n")
            key.chmod(0o600)
            after.callback(key.unlink)
            after.callback(one.destroy, LAB)
            after.callback(one.unlock, LAB)
            deploy(one, slice_of(one.server.index, addresses))
        deploy(both[0], slice_of(1, addresses), f"{LAB}1")  # what was never there would not be held, but missing
        for one in both:
            after.callback(one.server.daemon, "stop", "watch")
            one.server.daemon("start", "watch")
        yield both


def test_the_neighbour_of_a_node_that_is_stopped_and_started_sees_it(pair: list[Watched]) -> None:
    near, far = pair
    for one in pair:
        one.quiet(LAB)
    assert not off(far)
    took = []
    for _round in range(2):
        near.box.docker("kill", f"{LAB}-1")  # it is held: nobody starts it again
        took.append(far.seconds_until(lambda: off(far), PATIENCE, "the far end has no carrier"))
        assert f"{LAB}p2" not in far.ports()
        near.box.docker("start", f"{LAB}-1")
        took.append(far.seconds_until(lambda: not off(far), PATIENCE, "the far end has its carrier back"))
    print(f"carrier over servers, off and on: {', '.join(f'{one:.2f}' for one in took)} s")
    assert far.journal(LAB)[-1]["trigger"].startswith("peers")
    near.box.docker("kill", f"{LAB}-1")
    far.seconds_until(lambda: off(far), PATIENCE, "the far end has no carrier")
    near.server.daemon("stop", "watch")
    near.box.docker("start", f"{LAB}-1")
    far.quiet(LAB)
    assert off(far)  # of who is silent, what was told last is so
    near.server.daemon("start", "watch")
    far.seconds_until(lambda: not off(far), 4 * PATIENCE, "a watcher that is back has told what is so")


def test_a_deployment_that_starts_a_node_does_not_wait_for_its_watcher_to_say_so(pair: list[Watched]) -> None:
    near, far = pair
    for one in pair:
        one.quiet(LAB)
    near.box.docker("kill", f"{LAB}-1")
    far.seconds_until(lambda: off(far), PATIENCE, "the far end has no carrier")
    addresses = [one.server.address for one in pair]
    for one, hold, expected in ((far, [f"{LAB}1"], True), (near, [], True), (far, [], False)):
        result = one.box.module("lab_converge", declared=slice_of(one.server.index, addresses), hold=hold, owner="test", token="t")
        assert not result.get("failed"), result
        assert off(far) == expected  # while the lock keeps watchers from making a pass
    for one in pair:
        one.unlock(LAB)
        one.quiet(LAB)
    assert not off(far)
