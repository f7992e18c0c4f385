# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certification finds whole wires whole, and says of broken ones what is broken. Real bridges, real tunnels, three servers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.integration.fabric import AB, AB2, CD, IJ2, KINDS, LAB, SEGMENT, Fabric, port_of, wired_fabric
from tests.testbed.testbed import Testbed


@pytest.fixture(scope="module")
def fabric(testbed: Testbed) -> Iterator[Fabric]:
    with wired_fabric(testbed) as one:
        yield one


def test_every_kind_arrives_over_every_link_and_nothing_leaks(fabric: Fabric) -> None:
    proof = fabric.certify()
    assert proof.missing() == {}
    assert proof.clean
    assert proof.results["srv1"]["kinds"] == KINDS
    assert proof.pairs(CD) == {("c:eth1", "d:eth1"), ("d:eth1", "c:eth1")}
    ends = {"e:eth1", "f:eth1", "g:eth1", "h:eth1"}
    assert proof.pairs(SEGMENT) == {(source, target) for source in ends for target in ends - {source}}
    assert all(port == {"carrier": True, "error": ""} for result in proof.results.values() for port in result["ports"].values())


def test_one_server_alone_is_certified_in_one_step(fabric: Fabric) -> None:
    arguments = {"lab": LAB, "server": "srv1", "links": fabric.links("srv1", [AB, AB2])}
    result = fabric["srv1"].module("lab_certify", **arguments).ok().result
    assert [one["kinds"] for one in result["frames"]] == [KINDS] * 4
    assert not result["changed"]
    refused = fabric["srv1"].module("lab_certify", **{**arguments, "links": fabric.links("srv1", [CD])}).result
    assert "c:eth1--d:eth1" in refused["msg"]
    assert "listen, send and collect" in refused["msg"]


def test_check_mode_sends_nothing_and_says_so(fabric: Fabric) -> None:
    ran = fabric["srv1"].module(
        "lab_certify", check=True, lab=LAB, server="srv1", links=fabric.links("srv1", [AB]), step="listen", token="x"
    )
    assert ran.ok().result["skipped"]
    assert "no frame is sent" in ran.result["msg"]
    assert "certify-" not in fabric["srv1"].sh("sh", "-c", "ls /run/archetype-lab 2>/dev/null || true")


def test_a_wrong_tag_breaks_the_whole_link_and_no_other(fabric: Fabric) -> None:
    fabric.set_port("b:eth1", "srv1", "tag=2999")
    try:
        proof = fabric.certify()
    finally:
        fabric.set_port("b:eth1", "srv1", "tag=101")
    assert proof.missing() == {AB: set(KINDS)}
    assert proof.all("leaks") == []


def test_a_cleared_vlan_mode_loses_exactly_the_tagged_frames(fabric: Fabric) -> None:
    for endpoint in ("a:eth1", "b:eth1"):
        fabric["srv1"].sh("ovs-vsctl", "clear", "port", port_of(endpoint), "vlan_mode")
    try:
        proof = fabric.certify([AB, AB2])
    finally:
        for endpoint in ("a:eth1", "b:eth1"):
            fabric.set_port(endpoint, "srv1", "vlan_mode=dot1q-tunnel")
    assert proof.missing() == {AB: {"dot1q", "qinq"}}


def test_without_forward_bpdu_exactly_the_reserved_addresses_are_lost(fabric: Fabric) -> None:
    fabric["srv1"].sh("ovs-vsctl", "set", "bridge", "arch-ovs", "other_config:forward-bpdu=false")
    try:
        proof = fabric.certify([AB])
    finally:
        fabric["srv1"].sh("ovs-vsctl", "set", "bridge", "arch-ovs", "other_config:forward-bpdu=true")
    assert proof.missing() == {AB: {"lldp", "lacp", "stp"}}


def test_two_tags_are_lost_when_open_vswitch_reads_two_of_them(fabric: Fabric) -> None:
    fabric["srv1"].sh("ovs-vsctl", "set", "Open_vSwitch", ".", "other_config:vlan-limit=0")
    try:
        proof = fabric.certify([AB])
    finally:
        fabric["srv1"].sh("ovs-vsctl", "set", "Open_vSwitch", ".", "other_config:vlan-limit=1")
    assert proof.missing() == {AB: {"qinq"}}
    assert proof.results["srv1"]["damaged"] == 2


def test_a_bridge_whose_flows_forward_nothing_is_no_wire(fabric: Fabric) -> None:
    fabric["srv1"].sh("ovs-vsctl", "set-fail-mode", "arch-ovs", "secure", "--", "set", "bridge", "arch-ovs", "protocols=[]")
    fabric["srv1"].sh("ovs-ofctl", "del-flows", "arch-ovs")
    try:
        proof = fabric.certify([AB, CD])
    finally:
        fabric["srv1"].sh("ovs-vsctl", "set-fail-mode", "arch-ovs", "standalone")
    assert proof.missing() == {AB: set(KINDS), CD: set(KINDS)}


def test_a_deleted_tunnel_breaks_its_link(fabric: Fabric) -> None:
    fabric.drop_tunnel(CD, "srv2")
    try:
        proof = fabric.certify()
    finally:
        fabric.tunnel(CD, "srv2")
    assert proof.missing() == {CD: set(KINDS)}


def test_a_wrong_vni_breaks_the_segment_only(fabric: Fabric) -> None:
    fabric.drop_tunnel(SEGMENT, "srv3")
    fabric.tunnel(SEGMENT, "srv3", vni=79999)
    try:
        proof = fabric.certify()
    finally:
        fabric.drop_tunnel(SEGMENT, "srv3")
        fabric.tunnel(SEGMENT, "srv3")
    assert proof.missing() == {SEGMENT: set(KINDS)}
    arrived = {(one["source"], one["target"]) for one in proof.all("frames") if one["link"] == SEGMENT and one["kinds"]}
    assert arrived == {("e:eth1", "f:eth1"), ("f:eth1", "e:eth1"), ("g:eth1", "h:eth1"), ("h:eth1", "g:eth1")}


def test_an_mtu_that_is_too_small_loses_exactly_the_full_frames(fabric: Fabric) -> None:
    tunnel = "ce-t70001"
    fabric["srv1"].sh("ip", "link", "set", tunnel, "mtu", "1400")
    try:
        proof = fabric.certify()
    finally:
        fabric["srv1"].sh("ip", "link", "set", tunnel, "mtu", "1450")
    assert proof.missing() == {CD: {"full_mtu"}}


def test_a_tag_that_a_shared_tunnel_does_not_carry_breaks_that_link_only(fabric: Fabric) -> None:
    fabric["srv2"].sh("ovs-vsctl", "set", "port", "ce-shared", "trunks=3201")
    try:
        proof = fabric.certify()
    finally:
        fabric["srv2"].sh("ovs-vsctl", "set", "port", "ce-shared", "trunks=3201,3202")
    assert proof.missing() == {IJ2: set(KINDS)}
    assert proof.all("leaks") == []


def test_links_that_share_a_tag_leak_into_each_other(fabric: Fabric) -> None:
    for endpoint in ("a:eth2", "b:eth2"):
        fabric.set_port(endpoint, "srv1", "tag=101")
    try:
        proof = fabric.certify()
    finally:
        for endpoint in ("a:eth2", "b:eth2"):
            fabric.set_port(endpoint, "srv1", "tag=102")
    assert proof.missing() == {}
    leaks = {(one["link"], one["source"], one["seen_on"]) for one in proof.all("leaks") if one["kind"] == "broadcast"}
    expected = {(AB, source, seen) for source in ("a:eth1", "b:eth1") for seen in ("a:eth2", "b:eth2")}
    assert leaks == expected | {(AB2, source, seen) for source in ("a:eth2", "b:eth2") for seen in ("a:eth1", "b:eth1")}


def test_a_leak_is_seen_on_a_link_that_is_not_certified(fabric: Fabric) -> None:
    fabric.set_port("a:eth2", "srv1", "tag=101")
    try:
        proof = fabric.certify([AB])
    finally:
        fabric.set_port("a:eth2", "srv1", "tag=102")
    assert {one["seen_on"] for one in proof.all("leaks")} == {"port ce-a-eth2 (a:eth2 of lab ce)"}


def test_an_interface_that_is_down_in_the_node_shows_as_no_carrier(fabric: Fabric) -> None:
    fabric["srv1"].sh("ip", "-n", "ce-b", "link", "set", "eth1", "down")
    try:
        proof = fabric.certify()
    finally:
        fabric["srv1"].sh("ip", "-n", "ce-b", "link", "set", "eth1", "up")
    assert set(proof.missing()) == {AB}
    assert proof.port("b:eth1") == {"carrier": False, "error": ""}
    assert proof.port("a:eth1")["carrier"]


def test_a_port_that_is_not_on_the_bridge_is_named_and_the_rest_is_proven(fabric: Fabric) -> None:
    fabric["srv2"].sh("ovs-vsctl", "del-port", port_of("d:eth1"))
    try:
        proof = fabric.certify()
    finally:
        fabric.attach(CD, port_of("d:eth1"), "srv2")
    assert proof.missing() == {CD: set(KINDS)}
    assert proof.port("d:eth1") == {"carrier": True, "error": "port ce-d-eth1 is not on bridge arch-ovs: it does not exist"}


def test_two_ways_for_one_link_show_as_duplicates(fabric: Fabric) -> None:
    """A second device of the link at the far server, fed by a second flood entry: a frame arrives twice, and comes back once."""
    srv1, srv2 = fabric["srv1"], fabric["srv2"]
    twin = ["id", "70001", "local", fabric.addresses["srv2"], "dstport", "4790", "df", "unset", "nolearning"]
    entry = ["00:00:00:00:00:00", "dev", "ce-t70001", "dst", fabric.addresses["srv2"], "port", "4790"]
    srv2.sh("ip", "link", "add", "ce-twin", "mtu", "1450", "up", "type", "vxlan", *twin)
    fabric.attach(CD, "ce-twin", "srv2")
    srv1.sh("bridge", "fdb", "append", *entry)
    try:
        proof = fabric.certify([CD])
    finally:
        srv1.sh("bridge", "fdb", "delete", *entry)
        srv2.sh("ovs-vsctl", "del-port", "ce-twin", "--", "--if-exists", "del-port", "ce-twin")
        srv2.sh("ip", "link", "delete", "ce-twin")
        for server in (srv1, srv2):  # what the bridges learned of the loop is part of what was broken
            server.sh("ovs-appctl", "fdb/flush")
    twins = {(one["source"], one["target"], one["count"]) for one in proof.all("duplicates") if one["kind"] == "broadcast"}
    assert twins == {("c:eth1", "d:eth1", 2), ("c:eth1", "c:eth1", 1)}
    assert fabric.certify([CD]).clean


def test_what_a_node_that_is_a_switch_floods_is_no_leak_of_the_wires(fabric: Fabric) -> None:
    """Node a bridges its two interfaces: what enters at one leaves at the other, and reaches b twice."""
    inside = ["ip", "-n", "ce-a", "link"]
    fabric["srv1"].sh(*inside, "add", "br0", "up", "type", "bridge", "stp_state", "0", "forward_delay", "0")
    for interface in ("eth1", "eth2"):
        fabric["srv1"].sh(*inside, "set", interface, "master", "br0")
    try:
        time.sleep(0.2)
        proof = fabric.certify([AB, AB2])
    finally:
        fabric["srv1"].sh(*inside, "delete", "br0")
    assert proof.missing() == {}
    assert proof.all("leaks") == []
    assert {"link": AB, "source": "b:eth1", "kind": "broadcast", "seen_on": "a:eth2"} in proof.all("relays")


def test_two_runs_at_once_do_not_mix(fabric: Fabric) -> None:
    fabric.step("listen", "one", [AB])
    fabric.step("listen", "two", [AB])
    fabric.step("send", "two", [AB])
    second = fabric.step("collect", "two", [AB], timeout=0.3)["srv1"]
    first = fabric.step("collect", "one", [AB], timeout=0.3)["srv1"]
    assert [one["kinds"] for one in second["frames"]] == [KINDS, KINDS]
    assert [one["kinds"] for one in first["frames"]] == [[], []]
    assert first["leaks"] == []


def test_a_listener_that_nobody_collects_ends_by_itself(fabric: Fabric) -> None:
    fabric.step("listen", "left", [AB], lifetime=1.0)
    assert "certify-ce-" in fabric["srv1"].sh("ls", "/run/archetype-lab")
    deadline = time.monotonic() + 5
    while "certify-ce-" in fabric["srv1"].sh("ls", "/run/archetype-lab"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    ran = fabric["srv1"].module("lab_certify", lab=LAB, server="srv1", links=fabric.links("srv1", [AB]), step="collect", token="left")
    assert "no listener of this certification of lab ce" in ran.result["msg"]
    assert "run step listen first" in ran.result["msg"]


def test_without_the_bridge_the_message_says_what_to_do(fabric: Fabric) -> None:
    arguments = {"lab": LAB, "server": "srv1", "links": fabric.links("srv1", [AB]), "bridge": "no-such-br"}
    ran = fabric["srv1"].module("lab_certify", **arguments)
    assert ran.failed
    assert "bridge no-such-br does not exist on server srv1" in ran.result["msg"]
    assert "prepare_servers" in ran.result["msg"]
