# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at a lab goes on with the servers that there are, says which are not, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.acceptance import Lab, Run, World, make_lab
from tests.integration.dumps import dump

NODES = {"a": "srv1", "b": "srv2", "c": "srv3", "d": "srv2"}
LINKS = [("a:eth1", "b:eth1"), ("b:eth2", "c:eth1"), ("b:eth3", "d:eth1"), ("a:eth2", "net:a"), ("c:eth2", "net:c")]
WITHOUT_SRV1 = {
    "a:eth1--b:eth1": "error",
    "b:eth2--c:eth1": "up",
    "b:eth3--d:eth1": "up",
    "segment:net": "error",
}


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Lab]:
    world.forget("looking")
    lab = make_lab(world.folder / "looking", "looking", {**NODES, "net": {"kind": "bridge"}}, LINKS)
    world.deploy(lab).green()
    yield lab
    world.forget("looking")


def look(world: World, lab: Lab) -> Run:
    """The status, which succeeds; and certification, which says the same and fails."""
    before = {name: dump(world.testbed.server(name)) for name in ("srv2", "srv3")}
    status = world.play("status_lab", lab)
    assert status.rc == 0, status.said
    certified = world.play("certify_lab", lab).failed()
    assert certified.links() == status.links()
    assert {name: dump(world.testbed.server(name)) for name in ("srv2", "srv3")} == before
    return status


def test_a_server_that_cannot_be_reached_takes_only_what_ends_there(world: World, lab: Lab) -> None:
    world.hang_up("srv1")
    try:
        status = look(world, lab)
    finally:
        world.testbed.server("srv1").daemon("start", "sshd")
    assert {key: state for key, (state, _reason) in status.links().items()} == WITHOUT_SRV1
    assert status.links()["a:eth1--b:eth1"][1] == "server srv1 is unreachable"
    assert {name: state for name, (state, _reason) in status.nodes().items()} == {"a": "error", "b": "ready", "c": "ready", "d": "ready"}
    assert status.report["servers"]["srv1"]["state"] == "unreachable"
    world.play("certify_lab", lab).green()


def test_a_server_without_docker_is_named_and_the_others_are_proven(world: World, lab: Lab) -> None:
    one = world.testbed.server("srv1")
    one.daemon("kill", "dockerd")
    try:
        status = look(world, lab)
    finally:
        one.daemon("start", "dockerd")
    assert {key: state for key, (state, _reason) in status.links().items()} == WITHOUT_SRV1
    assert "dockerd does not answer" in status.report["servers"]["srv1"]["reason"]
    world.deploy(lab).green()
