# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that have the network of the server, of another node, or of a container that is not the lab's, against a real dockerd."""

from __future__ import annotations

from typing import Any

from tests.integration.lab_server import LabServer
from tests.integration.test_node_settings import converge, node, ok


def joined(name: str, to: str, **fields: Any) -> dict[str, Any]:
    return node(name, network="node", **{**fields, "sandbox": f"lc-{to}.sb"})


def netns(box: LabServer, name: str) -> str:
    return box.run("readlink", f"/proc/{box.pid(name)}/ns/net").strip()


def addresses(box: LabServer, name: str) -> str:
    return box.docker("exec", f"lc-{name}", "ip", "address")


ADD = [["ip", "address", "add", "203.0.113.9/32", "dev", "lo"]]


def test_the_servers_network(box: LabServer) -> None:
    want = node(network="host", exec=[["touch", "/tmp/ran"]], dns=["198.51.100.53"])
    found = converge(box, want)
    assert ok(found) == [("create", "container", "lc-r1"), ("run", "exec", "lc-r1")]
    assert [(one["sandbox"], one["sandbox_status"]) for one in found["containers"]] == [("", "running")]
    assert box.names() == ["lc-r1"]
    assert netns(box, "lc-r1") == box.run("readlink", "/proc/self/ns/net").strip()
    assert box.docker("exec", "lc-r1", "hostname") == box.run("hostname").strip()
    assert "nameserver 198.51.100.53" in box.docker("exec", "lc-r1", "cat", "/etc/resolv.conf")
    assert ok(converge(box, want)) == []
    box.docker("restart", "-t", "0", "lc-r1")
    assert ok(converge(box, want)) == []
    ok(converge(box, want, state="absent"))
    assert box.names() == []


def test_two_nodes_in_one_network(box: LabServer) -> None:
    want = [joined("side", "r1", cap_add=["NET_ADMIN"]), node(cap_add=["NET_ADMIN"], exec=ADD, hostname="core")]
    ok(converge(box, *want))
    assert netns(box, "lc-side") == netns(box, "lc-r1") == netns(box, "lc-r1.sb")
    assert box.names() == ["lc-r1", "lc-r1.sb", "lc-side"]
    assert "203.0.113.9/32" in addresses(box, "side")
    assert box.docker("exec", "lc-side", "hostname") == "core"
    begun = {name: box.inspect(f"lc-{name}")["State"]["StartedAt"] for name in ("r1", "side")}
    assert begun["r1"] < begun["side"]
    assert ok(converge(box, *want)) == []


def test_the_owner_restarts_and_the_other_stays_where_it_is(box: LabServer) -> None:
    """docker restart of the node that owns the network: its sandbox holds it, and nobody loses anything."""
    want = [joined("side", "r1"), node(cap_add=["NET_ADMIN"], exec=ADD)]
    ok(converge(box, *want))
    before = netns(box, "lc-side")
    box.docker("restart", "-t", "0", "lc-r1")
    assert netns(box, "lc-r1") == netns(box, "lc-side") == before
    assert ok(converge(box, *want)) == []
    assert "203.0.113.9/32" in addresses(box, "side")


def test_the_sandbox_dies_or_restarts_and_one_run_brings_all_back_into_one_network(box: LabServer) -> None:
    want = [joined("side", "r1"), node(cap_add=["NET_ADMIN"], exec=ADD), node("r2")]
    ok(converge(box, *want))
    other = box.inspect("lc-r2")["State"]["StartedAt"]
    for break_it in (["kill", "lc-r1.sb"], ["restart", "-t", "0", "lc-r1.sb"]):
        box.docker(*break_it)
        predicted = converge(box, *want, check_mode=True)
        done = converge(box, *want)
        assert {("restart", "container", "lc-side"), ("restart", "container", "lc-r1"), ("run", "exec", "lc-r1")} <= set(ok(done))
        assert predicted["changes"] == done["changes"]
        assert netns(box, "lc-side") == netns(box, "lc-r1") == netns(box, "lc-r1.sb")
        assert "203.0.113.9/32" in addresses(box, "side")
        assert ok(converge(box, *want)) == []
    box.docker("rm", "-f", "lc-r1.sb")
    done = converge(box, *want)
    assert {("recreate", "container", "lc-side"), ("recreate", "container", "lc-r1"), ("create", "sandbox", "lc-r1.sb")} <= set(ok(done))
    assert netns(box, "lc-side") == netns(box, "lc-r1") == netns(box, "lc-r1.sb")
    assert box.inspect("lc-r2")["State"]["StartedAt"] == other


def test_a_change_of_either_node(box: LabServer) -> None:
    want = [joined("side", "r1"), node(cap_add=["NET_ADMIN"], exec=ADD)]
    ok(converge(box, *want))
    owner = box.inspect("lc-r1")["State"]["StartedAt"]
    assert ok(converge(box, joined("side", "r1", env={"X": "1"}), want[1])) == [("recreate", "container", "lc-side")]
    assert box.inspect("lc-r1")["State"]["StartedAt"] == owner
    done = ok(converge(box, joined("side", "r1", env={"X": "1"}), {**want[1], "env": {"Y": "1"}}))
    assert ("restart", "container", "lc-side") in done
    assert netns(box, "lc-side") == netns(box, "lc-r1")
    assert "203.0.113.9/32" in addresses(box, "side")
    ok(converge(box, want[1], prune=True))
    assert box.names() == ["lc-r1", "lc-r1.sb"]


def test_the_network_of_a_container_that_is_not_the_labs(box: LabServer) -> None:
    want = node(network="container", sandbox="lc-foreign", cap_add=["NET_ADMIN"], exec=ADD)
    refused = converge(box, want)
    assert refused["failed"] is True
    assert "node r1 joins the network of container lc-foreign, which is not on this server" in refused["msg"]
    box.docker("run", "-d", "--name", "lc-foreign", "--network", "none", "box:1")
    begun = box.inspect("lc-foreign")["State"]["StartedAt"]
    ok(converge(box, want))
    assert netns(box, "lc-r1") == netns(box, "lc-foreign")
    assert ok(converge(box, want)) == []
    ok(converge(box, want, state="stopped"))
    ok(converge(box, want))
    assert box.inspect("lc-foreign")["State"]["StartedAt"] == begun
    box.docker("restart", "-t", "0", "lc-foreign")
    assert ok(converge(box, want)) == [("restart", "container", "lc-r1"), ("run", "exec", "lc-r1")]
    assert netns(box, "lc-r1") == netns(box, "lc-foreign")
    begun = box.inspect("lc-foreign")["State"]["StartedAt"]
    box.docker("stop", "-t", "0", "lc-foreign")
    stopped = converge(box, want)
    assert "which is exited; start that container first; it is not the lab's, and is never touched" in stopped["msg"]
    ok(converge(box, state="absent", prune=True))
    assert box.names() == ["lc-foreign"]
    assert box.inspect("lc-foreign")["State"]["StartedAt"] == begun


def test_a_sandbox_has_one_owner(box: LabServer) -> None:
    twice = converge(box, node(), node("r2", sandbox="lc-r1.sb"))
    assert "container lc-r1.sb is in containers[0] and in containers[1]" in twice["msg"]
    nobody = converge(box, joined("side", "r1"))
    assert "node side joins sandbox lc-r1.sb, which no node of the lab on this server has" in nobody["msg"]
    assert box.names() == []
