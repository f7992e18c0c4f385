# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What servers keep as declared tells a report the same as the plan that it came from, and what does not fit is told."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._pass_report import _skeleton
from ansible_collections.archetype.lab.plugins.plugin_utils._from_slices import as_converged, plan_of
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, Far, Management, Place, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.plugins.plugin_utils._report import make_report
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import lab_file, link, servers, topology

CROSS = "a:eth2--c:eth1"
LINK_FIELDS = ("type", "far", "proof", "probe", "servers", "segment", "scope", "mtu", "vni", "tags", "tunnels", "endpoints")
NODE_FIELDS = ("kind", "type", "server", "container", "sandbox", "domain", "image")
PINS = {"a": "srv1", "b": "srv1", "c": "srv2"}


def planned(mode="per_link", **fields):
    made = topology([link("a:eth1", "b:eth1"), link("a:eth2", "c:eth1"), link("a:eth3", "b:eth3", "c:eth3", segment="lan")])
    return make_plan(lab_file(replace(made, **fields), pins=PINS, overlay_mode=mode), servers(2), {})


def kept(plan):
    """What each server reports of what it keeps, in the very words of the server side."""
    return {server: _skeleton(Declared.from_params(part)) for server, part in plan["slices"].items()}


@pytest.mark.parametrize("mode", ["per_link", "shared"])
def test_links_and_nodes_are_those_of_the_plan(mode):
    plan = planned(mode)
    again = plan_of("x", kept(plan))
    assert {key: {field: one[field] for field in LINK_FIELDS} for key, one in again["links"].items()} == {
        key: {field: one[field] for field in LINK_FIELDS} for key, one in plan["links"].items()
    }
    assert {name: {field: one[field] for field in NODE_FIELDS} for name, one in again["nodes"].items()} == {
        name: {field: one[field] for field in NODE_FIELDS} for name, one in plan["nodes"].items()
    }
    assert (again["bridge"]["name"], again["placement"]) == (plan["bridge"]["name"], plan["placement"])
    assert again["differences"] == {"links": {}, "nodes": {}}


def test_addresses_are_those_of_the_hosts_file():
    plan = planned(management=Management())
    again = plan_of("x", kept(plan))
    for name, node in plan["nodes"].items():
        assert again["nodes"][name]["management"] == {family: node["management"][family] for family in ("ipv4", "ipv6")}


@pytest.mark.parametrize(
    "far", [Far("host", "eth5"), Far("macvlan", "eth0", "bridge"), Far("dummy"), Far("vxlan", remote="198.51.100.7", vni=77, dst_port=4789)]
)
def test_a_far_end_is_told_by_its_key(far):
    key = {"host": "host:eth5", "macvlan": "macvlan:eth0", "dummy": "dummy", "vxlan": "vxlan:198.51.100.7/77"}[far.type]
    one = TopologyLink(f"a:eth9--{key}", (EndpointRef("a", "eth9"),), Place("x.yml", 1, 1), far=far)
    plan = make_plan(lab_file(topology([link("a:eth1", "b:eth1"), one]), pins={"a": "srv1", "b": "srv1"}), servers(1), {})
    again = plan_of("x", kept(plan))["links"][one.key]
    wanted = plan["links"][one.key]
    assert {name: value for name, value in again["far"].items() if name != "mode"} == {
        name: value for name, value in wanted["far"].items() if name != "mode"
    }
    assert {field: again[field] for field in LINK_FIELDS if field != "far"} == {
        field: wanted[field] for field in LINK_FIELDS if field != "far"
    }


def test_a_link_that_is_down_has_no_far_end():
    plan = planned()
    parts = kept(plan)
    for part in parts.values():
        for one in part["links"]:
            one["probe"] = "device" if one["key"] == CROSS else one["probe"]
        for port in part["ports"]:
            port["enabled"] = port["link"] != CROSS
    again = plan_of("x", parts)
    assert (again["links"][CROSS]["type"], again["links"][CROSS]["far"]) == ("veth", None)
    states = {one["key"]: (one["state"], one["reason"]) for one in make_report(again, {})["links"]}
    assert states[CROSS] == ("down", "it is declared down")


def differing(parts):
    return plan_of("x", parts)["differences"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda part: part["links"].__setitem__(slice(None), [one for one in part["links"] if one["key"] != CROSS]),
            "declared on srv1 and not on srv2",
        ),
        (lambda part: [one.update(mtu=1400) for one in part["links"] if one["key"] == CROSS], "declared differently on srv1 and srv2"),
        (lambda part: [one.update(vni=5) for one in part["tunnels"] if one["link"] == CROSS], "declared differently on srv1 and srv2"),
        (
            lambda part: [one.update(port="else") for link in part["links"] if link["key"] == CROSS for one in link["endpoints"]],
            "differently",
        ),
        (lambda part: part.update(taken_back=[CROSS]), "taken back on srv2, as its other half had failed"),
    ],
    ids=["gone", "mtu", "vni", "port", "taken back"],
)
def test_halves_that_do_not_fit_are_told(change, said):
    parts = copy.deepcopy(kept(planned()))
    change(parts["srv2"])
    found = differing(parts)
    assert set(found["links"]) == {CROSS}
    assert said in found["links"][CROSS]
    assert found["links"][CROSS].endswith("; deploy the lab again")
    report = make_report(plan_of("x", parts), {})
    assert next(one for one in report["links"] if one["key"] == CROSS)["state"] == "error"


def test_a_node_on_two_servers_is_told():
    parts = copy.deepcopy(kept(planned()))
    parts["srv2"]["containers"].append(copy.deepcopy(parts["srv1"]["containers"][0]))
    name = parts["srv1"]["containers"][0]["node"]
    assert differing(parts)["nodes"] == {name: "declared differently on srv1 and srv2; deploy the lab again"}


def test_a_server_that_did_not_answer_is_no_difference_and_its_nodes_are_known():
    parts = kept(planned())
    parts["srv2"] = None
    again = plan_of("x", parts)
    assert again["differences"] == {"links": {}, "nodes": {}}
    assert again["nodes"]["c"]["server"] == "srv2"
    report = make_report(again, {"srv2": {"unreachable": "no route to host"}})
    assert next(one for one in report["nodes"] if one["name"] == "c")["reason"] == "server srv2 is unreachable"
    assert report["servers"]["srv2"] == {"state": "unreachable", "reason": "no route to host", "watcher": None, "last_pass": None}


def test_a_server_that_is_not_asked_is_told_where_its_half_would_be():
    parts = kept(planned())
    del parts["srv2"]
    assert "its other half is on srv2" in differing(parts)["links"][CROSS]


def test_the_status_of_nodes_is_told_as_converging_tells_it():
    part = kept(planned())["srv2"]
    result = {"declared": part, "changes": [], "nodes": [{"name": "c", "status": "running"}]}
    assert as_converged(result)["containers"] == [{"name": "clab-x-c", "status": "running"}]
    assert "containers" not in as_converged({**result, "nodes": [{"name": "c", "status": ""}]})
