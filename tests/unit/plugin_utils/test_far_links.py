# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links to far ends in a plan: what is declared for them, and what is told before a server is touched."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._link_types import far_key
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, Far, Impairment, Place, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.plugins.plugin_utils._report import failed_links, make_report
from ansible_collections.archetype.lab.plugins.plugin_utils._table import render_report
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import (
    FILE,
    lab_file,
    link,
    node,
    nothing_observed,
    servers,
    topology,
)

HOST = Far("host", "h1")
MACVLAN = Far("macvlan", "ens3", "vepa")
VXLAN = Far("vxlan", remote="198.51.100.77", vni=100, dst_port=14789)
LINUX = Kind("linux", "container", addresses=True)


def far(end: str | EndpointRef, what: Far, *, line: int = 9, mtu: int | None = None) -> TopologyLink:
    ref = end if isinstance(end, EndpointRef) else EndpointRef(*end.split(":"))
    return TopologyLink(far_key(ref.name, what), (ref,), Place(FILE, line, 1), mtu=mtu, far=what)


def plan_of(*links: TopologyLink, pins=None, observed=None, nodes=(), **options):
    made = topology(links, nodes=nodes)
    return make_plan(lab_file(made, pins=pins or {}, **options), servers(2), observed or {}, complete=False)


def refused(*links: TopologyLink, **options) -> list[str]:
    with pytest.raises(LabFileError) as caught:
        plan_of(*links, **options)
    return [str(problem) for problem in caught.value.problems]


def ports_of(plan, server="srv1"):
    """The ports of a server with what is left out of the slice."""
    return [json.loads(json.dumps(asdict(port))) for port in Declared.from_params(plan["slices"][server]).ports]


def only_port(plan, server="srv1"):
    (port,) = ports_of(plan, server)
    return port


ALL = {
    "host": (HOST, {"device": "host", "name": "h1", "tag": None, "mtu": 9500, "parent": "", "mode": ""}),
    "macvlan": (MACVLAN, {"device": "macvlan", "tag": None, "mtu": None, "parent": "ens3", "mode": "vepa"}),
    "dummy": (Far("dummy"), {"device": "veth", "mtu": 9500}),
    "vxlan": (VXLAN, {"device": "veth", "mtu": 1450}),
}


@pytest.mark.parametrize("kind", ALL)
def test_what_is_declared_for_each_type(kind):
    what, wanted = ALL[kind]
    plan = plan_of(far("a:eth1", what), pins={"a": "srv1"})
    port = only_port(plan)
    assert {key: port[key] for key in wanted} == wanted
    (one,) = plan["links"].values()
    assert (one["type"], one["scope"], one["proof"], one["probe"], one["servers"]) == (kind, "local", "device", "device", ["srv1"])
    assert set(one["tags"]) == (set() if kind in ("host", "macvlan") else {"srv1"})
    assert (port["tag"] is None) == (not one["tags"])
    (certified,) = plan["slices"]["srv1"]["links"]
    assert certified["endpoints"][0]["sandbox"] == ("clab-x-a-sandbox" if kind == "macvlan" else "")
    assert json.loads(json.dumps(plan)) == plan
    Declared.from_params(plan["slices"]["srv1"])


def test_the_tunnel_of_a_vxlan_link_leads_to_its_remote_with_its_own_numbers():
    plan = plan_of(far("a:eth1", VXLAN), pins={"a": "srv2"})
    (one,) = plan["links"].values()
    (tunnel,) = plan["slices"]["srv2"]["tunnels"]
    assert tunnel["link"] in plan["links"]
    wanted = {
        "vni": 100,
        "remotes": ["198.51.100.77"],
        "dst_port": 14789,
        "mtu": 1450,
        "tag": one["tags"]["srv2"],
    }
    assert {key: tunnel[key] for key in wanted} == wanted
    assert one["tunnels"] == {"srv2": tunnel["name"]}
    assert (one["vni"], plan["slices"]["srv1"]["tunnels"]) == (100, [])


def test_a_tunnel_between_servers_never_gets_the_vni_of_a_far_one():
    crossing = link("a:eth2", "b:eth2")
    pins = {"a": "srv1", "b": "srv2"}
    vni = plan_of(crossing, pins=pins)["links"][crossing.key]["vni"]
    taken = replace(VXLAN, vni=vni, dst_port=4789)
    plan = plan_of(crossing, far("a:eth1", taken), pins=pins)
    assert plan["links"][crossing.key]["vni"] != vni
    other_port = plan_of(crossing, far("a:eth1", replace(taken, dst_port=14789)), pins=pins)
    assert other_port["links"][crossing.key]["vni"] == vni


def test_an_mtu_of_the_file_is_taken_as_it_is():
    for what in (HOST, MACVLAN, VXLAN, Far("dummy")):
        assert only_port(plan_of(far("a:eth1", what, mtu=1300), pins={"a": "srv1"}))["mtu"] == 1300
    six = replace(VXLAN, remote="2001:db8::77")
    (error,) = refused(far("a:eth1", six), pins={"a": "srv1"})
    assert "leads to 2001:db8::77, but server srv1 is known by 198.18.0.1, which is of the other IP version" in error


def test_the_lab_puts_addresses_only_on_interfaces_of_kinds_that_leave_it_to_the_lab():
    end = EndpointRef("a", "eth1", ipv4="198.51.100.1/24", ipv6="2001:db8::1/64", impairment=Impairment(rate=8))
    linux = plan_of(far(end, HOST), pins={"a": "srv1"}, nodes=[node("a", profile=LINUX)])
    other = plan_of(far(end, HOST), pins={"a": "srv1"}, nodes=[node("a", profile=replace(LINUX, addresses=False))])
    assert only_port(linux)["addresses"] == ["198.51.100.1/24", "2001:db8::1/64"]
    assert only_port(other)["addresses"] == []
    assert only_port(other)["impairment"]["rate"] == 8


# what cannot be


def test_one_host_interface_for_two_links_is_an_error_on_one_server_only():
    links = (far("a:eth1", HOST), far("b:eth1", HOST, line=12))
    (error,) = refused(*links, pins={"a": "srv1", "b": "srv1"})
    assert error.startswith(
        "x.clab.yml:12:1: links a:eth1--host:h1 (line 9) and b:eth1--host:h1 both want the interface h1 of server srv1."
    )
    plan = plan_of(*links, pins={"a": "srv1", "b": "srv2"})
    assert {only_port(plan, server)["name"] for server in ("srv1", "srv2")} == {"h1"}


def observed(**devices):
    return {server: nothing_observed(devices=devices) for server in ("srv1", "srv2")}


def test_what_a_server_has_and_has_not_is_told_before_it_is_touched():
    seen = observed(h1="device h1 (foreign)")
    found = refused(far("a:eth1", HOST), far("a:eth2", MACVLAN), pins={"a": "srv1"}, observed=seen)
    assert [one.partition(": ")[2].partition(".")[0] for one in found] == [
        "server srv1 has h1 already, which link a:eth1--host:h1 wants to make: device h1 (foreign)",
        "server srv1 has no device ens3, which link a:eth2--macvlan:ens3 needs for a macvlan",
    ]
    plan_of(far("a:eth2", MACVLAN), pins={"a": "srv1"}, observed=observed(ens3="device ens3 (foreign)"))


def test_a_macvlan_may_be_on_a_device_that_the_lab_makes():
    links = (far("a:eth1", HOST), far("b:eth1", replace(MACVLAN, interface="h1")))
    assert len(plan_of(*links, pins={"a": "srv1", "b": "srv1"}, observed=observed())["links"]) == 2
    assert refused(*links, pins={"a": "srv1", "b": "srv2"}, observed=observed())


def test_two_tunnels_of_one_number_and_port_on_one_server_are_an_error():
    links = (far("a:eth1", VXLAN), far("b:eth1", replace(VXLAN, remote="198.51.100.78")))
    (error,) = refused(*links, pins={"a": "srv1", "b": "srv1"})
    assert "both have VNI 100 at UDP port 14789 of srv1" in error
    assert plan_of(*links, pins={"a": "srv1", "b": "srv2"})


def test_interfaces_of_a_container_that_is_not_the_labs_go_into_it_and_nothing_is_made_of_it():
    outside = node("box", profile=Kind("ext-container", "external"))
    outside = replace(outside, container="box")
    plan = plan_of(link("a:eth1", "box:eth1"), nodes=[node("a"), outside], pins={"a": "srv1", "box": "srv1"})
    assert [one["name"] for one in plan["slices"]["srv1"]["containers"]] == ["clab-x-a"]
    assert {port["node"]: port["sandbox"] for port in ports_of(plan)} == {"a": "clab-x-a-sandbox", "box": "box"}


def test_a_macvlan_in_a_container_that_is_not_the_labs_would_outlive_the_lab():
    outside = replace(node("box", profile=Kind("ext-container", "external")), container="box", network_mode="container:box", shares="box")
    (error,) = refused(far("box:eth1", MACVLAN), nodes=[outside], pins={"box": "srv1"})
    assert "would put a macvlan into a container that is not the lab's, where it could not be found again" in error
    plan_of(far("box:eth1", HOST), nodes=[outside], pins={"box": "srv1"})


# the report


def result_of(plan, server, *, carrier=True, error=""):
    ports = {f"{end['node']}:{end['interface']}": {"carrier": carrier, "error": error}
             for one in plan["links"].values() for end in one["endpoints"] if end["server"] == server}  # fmt: skip
    certify = {"frames": [], "leaks": [], "duplicates": [], "relays": [], "ports": ports, "kinds": ["unicast"], "dropped": 0}
    return {"converge": {"changed": False, "changes": [], "plan": {}}, "certify": certify}


def test_a_far_end_is_up_by_its_device_and_the_table_says_so():
    plan = plan_of(far("a:eth1", HOST), pins={"a": "srv1"})
    report = make_report(plan, {server: result_of(plan, server) for server in plan["slices"]})
    (one,) = report["links"]
    assert (one["state"], one["proof"], one["type"], report["ok"]) == ("up", "device", "host", True)
    assert "a:eth1--host:h1  up (device)  srv1" in render_report(report)


def test_a_far_end_without_carrier_is_down_and_one_that_is_not_there_is_an_error():
    plan = plan_of(far("a:eth1", HOST), pins={"a": "srv1"})
    for change, state, words in (
        ({"carrier": False}, "down", "no carrier: interface eth1 of node a, or what is at its far end, is down"),
        ({"error": "device h1 does not exist"}, "error", "srv1: device h1 does not exist"),
    ):
        report = make_report(plan, {server: result_of(plan, server, **change) for server in plan["slices"]})
        assert [(one["state"], one["reason"]) for one in report["links"]] == [(state, words)]
    assert failed_links(plan, {server: result_of(plan, server) for server in plan["slices"]}) == {"srv1": [], "srv2": []}


def test_an_error_on_the_tunnel_of_a_vxlan_link_is_the_links():
    plan = plan_of(far("a:eth1", VXLAN), pins={"a": "srv1"})
    results = {server: result_of(plan, server) for server in plan["slices"]}
    (name,) = next(iter(plan["links"].values()))["tunnels"].values()
    results["srv1"]["converge"]["errors"] = [{"type": "ForeignError", "msg": "taken", "hint": "", "objects": [name]}]
    report = make_report(plan, results)
    assert [(one["state"], one["reason"]) for one in report["links"]] == [("error", "srv1: taken")]
    assert report["servers"]["srv1"]["state"] == "ok"


@pytest.mark.parametrize("kind", ALL)
def test_what_a_server_shows_of_a_far_end_is_no_difference_and_what_is_lost_is_one(kind):
    end = EndpointRef("a", "eth1", ipv4="198.51.100.1/24", impairment=Impairment(rate=8))
    plan = plan_of(far(end, ALL[kind][0]), pins={"a": "srv1"}, nodes=[node("a", profile=LINUX)])
    bridged = kind in ("dummy", "vxlan")
    shown = {**only_port(plan), "lab": "x", "carrier": True, "ofport": 5 if bridged else None}
    shown.update({} if bridged else {"vlan_mode": "", "tag": None}, name="" if kind == "macvlan" else shown["name"])
    shown["mtu"] = shown["mtu"] or 1500

    def states(**changed):
        seen = {**nothing_observed(), "ports": [{**shown, **changed}], "tunnels": plan["slices"]["srv1"]["tunnels"]}
        results = {server: {"info": {"observed": seen}} for server in plan["slices"]}
        return [(one["state"], one["reason"]) for one in make_report(plan, results)["links"]]

    assert states() == [("pending", "not certified")]
    assert states(addresses=[])[0][1].endswith("address 198.51.100.1/24 is missing")
    assert states(impairment=None)[0][1].startswith("srv1: port ")
    assert states(enabled=False)[0][0] == "error"
