# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A topology in which nodes have the network of another node, of the server, and of a container that is not the lab's: the playbooks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.acceptance import HOST, Lab, World, addressed, make_lab
from tests.integration.lab_server import LabServer

FOREIGN = "kept-by-others"


@pytest.fixture
def lab(world: World) -> Iterator[Lab]:
    server = world.server("srv1")
    world.forget("shared")
    server.run("sh", "-c", f"docker rm -f {FOREIGN} || true")
    server.docker("run", "-d", "--name", FOREIGN, "--network", "none", HOST, "sleep", "100000")
    nodes = {
        "router": addressed("srv1", "203.0.113.1/30"),
        "probe": {"network-mode": "container:router"},
        "peer": addressed("srv2", "203.0.113.2/30"),
        "onhost": {"server": "srv1", "network-mode": "host"},
        "guest": {"server": "srv1", "network-mode": f"container:{FOREIGN}"},
    }
    yield make_lab(world.folder / "shared", "shared", nodes, [("router:eth1", "peer:eth1")])
    world.forget("shared")
    server.docker("rm", "-f", FOREIGN)


def netns(server: LabServer, container: str) -> str:
    return server.run("readlink", f"/proc/{server.pid(container)}/ns/net").strip()


def test_networks_are_shared_as_the_topology_says_and_come_back_as_they_were(world: World, lab: Lab) -> None:
    server = world.server("srv1")
    begun = server.inspect(FOREIGN)["State"]["StartedAt"]
    predicted = world.check(lab)
    run = world.deploy(lab).green()
    assert predicted.changes() == run.changes()
    space = {name: netns(server, lab.container(name)) for name in ("router", "probe", "onhost", "guest")}
    assert space["router"] == space["probe"]
    assert space["onhost"] == server.run("readlink", "/proc/self/ns/net").strip()
    assert space["guest"] == netns(server, FOREIGN)
    assert world.node("srv1", lab.container("probe"), "ping", "-c", "1", "-W", "2", "203.0.113.2")
    assert world.deploy(lab).green().changed == 0
    told = world.play("status_lab", lab)
    assert {state for state, _reason in told.nodes().values()} == {"ready"}

    sandbox = f"{lab.container('router')}-sandbox"
    before = server.inspect(sandbox)["State"]["StartedAt"]
    server.docker("kill", sandbox)
    world.deploy(lab).green()
    assert server.inspect(sandbox)["State"]["StartedAt"] > before
    # The kernel may give the new namespace the number of the one that is gone, so that the three are compared, and not before with after.
    assert netns(server, lab.container("router")) == netns(server, lab.container("probe")) == netns(server, sandbox)
    assert world.node("srv1", lab.container("probe"), "ping", "-c", "1", "-W", "2", "203.0.113.2")

    world.play("destroy_lab", lab).ok()
    assert world.traces("shared") == {}
    assert server.inspect(FOREIGN)["State"]["StartedAt"] == begun
