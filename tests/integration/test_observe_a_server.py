# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""lab_info and lab_state against real daemons."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, pair, port, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


def test_observed_ports_equal_the_declared_ones_field_by_field(wired: Wired) -> None:
    declared = pair(wired)
    observed = wired.module("lab_info", lab="x", server="srv1").ok().result["observed"]
    wanted = {
        one["name"]: {**one, "sandbox": "", "enabled": True, "trunks": [], "vlan_mode": "dot1q-tunnel", "lab": "x"} for one in declared
    }
    assert set(wanted) == {one["name"] for one in observed["ports"]}
    for one in observed["ports"]:
        found = {key: value for key, value in one.items() if key in wanted[one["name"]]}
        assert found == {**wanted[one["name"]], "mac": ""}, "these sandboxes carry no mark of the lab, so that it does not look inside"
        assert one["carrier"]
        assert one["ofport"] > 0
    assert observed["bridge"]["name"] == "arch-ovs"
    assert observed["bridge"]["forward_bpdu"]
    assert all(observed["versions"].values())


def test_the_mac_is_read_inside_the_sandbox_of_the_lab(wired: Wired) -> None:
    marks = ["--label", "archetype-lab=x", "--label", "archetype-node=r1", "--label", "archetype-role=sandbox"]
    wired.sh("docker", "run", "--detach", "--name", "x.r1.sandbox", "--network", "none", *marks, "archetype-lab/sandbox:1")
    wired.ports(port(1, "r1", 100)).ok()
    observed = wired.module("lab_info", lab="x").ok().result["observed"]
    assert [(one["mac"], one["sandbox"]) for one in observed["ports"]] == [("02:00:00:00:78:01", "x.r1.sandbox")]
    assert [(one["node"], one["status"], one["sandbox_status"]) for one in observed["containers"]] == [("r1", "absent", "running")]


def test_what_another_lab_and_what_nobody_owns_is_a_claim(wired: Wired) -> None:
    pair(wired)
    wired.sh("ip", "link", "add", "foreign0", "type", "dummy", check=False)
    wired.sh("ip", "link", "add", "foreign1", "type", "vxlan", "id", "4242", "dstport", "4799", "local", wired.server.address)
    wired.sh("ovs-vsctl", "add-port", "arch-ovs", "foreign1", "tag=2050")
    claims = wired.module("lab_info", lab="y").ok().result["observed"]["claims"]
    assert claims["tags"] == {"100": "lab x", "2050": "port foreign1 (foreign)"}
    assert claims["vnis"] == {"4242": "device foreign1 (foreign)"}
    assert claims["devices"]["xp1"] == "lab x"
    assert claims["devices"]["foreign1"] == "port foreign1 (foreign)"
    assert claims["containers"]["x.r1.sandbox"] == "foreign (no archetype-lab mark)"


def test_images_are_looked_up_by_reference(wired: Wired) -> None:
    observed = (
        wired.module("lab_info", lab="x", images=["archetype-lab/sandbox:1", "no/such:1"], binds=["/etc", "/no/such"])
        .ok()
        .result["observed"]
    )
    assert observed["images"]["archetype-lab/sandbox:1"].startswith("sha256:")
    assert observed["images"]["no/such:1"] is None
    assert observed["binds"] == {"/etc": True, "/no/such": False}


def test_daemons_that_do_not_run_are_errors_all_at_once_with_the_remedy(wired: Wired) -> None:
    wired.server.daemon("stop", "dockerd")
    wired.server.daemon("stop", "ovsdb")
    try:
        ran = wired.module("lab_info", lab="x")
    finally:
        wired.server.daemon("start", "ovsdb")
        wired.server.daemon("start", "dockerd")
    assert ran.failed
    assert len(ran.result["errors"]) == 2
    assert "ovsdb-server" in ran.result["errors"][0]["msg"]
    assert "dockerd" in ran.result["errors"][1]["msg"]
    assert all("archetype.lab.prepare_servers" in one["hint"] for one in ran.result["errors"]), ran.result["errors"]


def test_declared_state_is_kept_and_forgotten_and_the_lock_given_back(wired: Wired) -> None:
    path = "/var/lib/archetype-lab/x.json"
    declared = {"lab": "x", "ports": []}
    predicted = wired.module("lab_state", check=True, lab="x", declared=declared).ok()
    assert wired.server.run(["test", "-e", path]).returncode == 1
    first = wired.module("lab_state", lab="x", declared=declared, release="nobody").ok()
    assert predicted.lines == first.lines == [f"+ state {path} (x)"]
    assert first.result["released"] is False
    assert json.loads(wired.sh("cat", path)) == declared
    assert wired.sh("stat", "--format", "%a", path).strip() == "600"
    assert not wired.module("lab_state", lab="x", declared=declared).ok().result["changed"]
    assert wired.module("lab_state", lab="x", state="absent").ok().lines == [f"- state {path} (x)"]
    assert not wired.module("lab_state", lab="x", state="absent").ok().result["changed"]
