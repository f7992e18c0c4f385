# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is up, what is not and why; and which halves of links are taken back."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import pytest
from ansible.template import Templar, trust_as_template

from ansible_collections.archetype.lab.plugins.plugin_utils._lean import PORT, whole
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Management
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.plugins.plugin_utils._proof import KINDS
from ansible_collections.archetype.lab.plugins.plugin_utils._report import failed_links, make_report
from ansible_collections.archetype.lab.plugins.plugin_utils._table import render_report
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import lab_file, link, observed_after, servers, topology

LOCAL, CROSS = "a:eth1--b:eth1", "a:eth2--c:eth1"
MADE = topology([link("a:eth1", "b:eth1"), link("a:eth2", "c:eth1"), link("a:eth3", "b:eth3", "c:eth3", segment="lan")])
PLAN = make_plan(lab_file(MADE, pins={"a": "srv1", "b": "srv1", "c": "srv2"}), servers(2), {})
SHARED = make_plan(lab_file(MADE, pins={"a": "srv1", "b": "srv1", "c": "srv2"}, overlay_mode="shared"), servers(2), {})

UNWATCHED = {"watcher": None, "last_pass": None}


def certified(plan, server):
    frames, ports = [], {}
    for key, one in plan["links"].items():
        names = [f"{end['node']}:{end['interface']}" for end in one["endpoints"]]
        for end, target in zip(one["endpoints"], names, strict=True):
            if end["server"] == server:
                ports[target] = {"carrier": True, "error": ""}
                frames += [{"link": key, "source": source, "target": target, "kinds": list(KINDS)} for source in names if source != target]
    return {"frames": frames, "leaks": [], "duplicates": [], "relays": [], "ports": ports, "kinds": list(KINDS), "dropped": 0}


def running(part):
    return [{"name": one["name"], "status": "running"} for one in part["containers"]]


def good(plan=None):
    """The results of a run in which nothing went wrong."""
    plan = plan or PLAN
    return {
        server: {
            "converge": {"changed": False, "changes": [], "plan": {}, "containers": running(part)},
            "certify": certified(plan, server),
        }
        for server, part in plan["slices"].items()
    }


def link_of(report, key):
    return next(one for one in report["links"] if one["key"] == key)


def states(report):
    return {one["key"]: one["state"] for one in report["links"]}, {one["name"]: one["state"] for one in report["nodes"]}


def port_of(node, interface, plan=None):
    return next(one["port"] for one in (plan or PLAN)["nodes"][node]["interfaces"] if one["name"] == interface)


def error(*objects, msg="it broke", hint="mend it"):
    return {"type": "ApplyError", "msg": msg, "hint": hint, "objects": list(objects)}


def lose(results, key, source, target, *kinds):
    for result in results.values():
        for frame in result["certify"]["frames"]:
            if (frame["link"], frame["source"], frame["target"]) == (key, source, target):
                frame["kinds"] = [kind for kind in frame["kinds"] if kinds and kind not in kinds]


def test_all_is_up_and_ready_when_every_frame_arrived():
    report = make_report(PLAN, good())
    assert report["ok"]
    assert report["summary"]["links"] == {"up": 3, "down": 0, "error": 0, "pending": 0}
    assert report["summary"]["nodes"] == {"ready": 3, "starting": 0, "stopped": 0, "error": 0, "pending": 0}
    assert report["servers"] == {server: {**UNWATCHED, "state": "ok", "reason": ""} for server in ("srv1", "srv2")}
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize("kind", KINDS)
def test_one_kind_that_is_missing_in_one_direction_is_an_error_that_says_so(kind):
    results = good()
    lose(results, CROSS, "a:eth2", "c:eth1", kind)
    report = make_report(PLAN, results)
    assert not report["ok"]
    assert link_of(report, CROSS)["reason"] == f"no {kind} frames from a:eth2 to c:eth1"
    assert link_of(report, LOCAL)["state"] == "up"


def test_a_dead_link_is_told_once_for_both_directions():
    results = good()
    lose(results, CROSS, "a:eth2", "c:eth1")
    lose(results, CROSS, "c:eth1", "a:eth2")
    assert link_of(make_report(PLAN, results), CROSS)["reason"] == "no frames between a:eth2 and c:eth1"


def test_frames_that_no_server_mentions_did_not_arrive():
    results = good()
    for result in results.values():
        result["certify"]["frames"] = []
    assert set(states(make_report(PLAN, results))[0].values()) == {"error"}


def test_only_the_kinds_that_were_sent_are_required():
    results = good()
    for result in results.values():
        result["certify"]["kinds"] = ["unicast"]
    lose(results, CROSS, "a:eth2", "c:eth1", *(kind for kind in KINDS if kind != "unicast"))
    assert make_report(PLAN, results)["ok"]


def test_no_carrier_names_the_interface_inside_the_node():
    results = good()
    lose(results, CROSS, "a:eth2", "c:eth1")
    lose(results, CROSS, "c:eth1", "a:eth2")
    results["srv2"]["certify"]["ports"]["c:eth1"]["carrier"] = False
    assert link_of(make_report(PLAN, results), CROSS)["reason"] == "no carrier: interface eth1 is down inside node c"


def test_frames_that_could_not_be_sent_say_why():
    results = good()
    results["srv2"]["certify"]["ports"]["c:eth1"]["error"] = "port ap1 is not on bridge arch-ovs"
    assert link_of(make_report(PLAN, results), CROSS)["reason"] == "srv2: port ap1 is not on bridge arch-ovs"


def test_a_leak_is_an_error_of_the_link_that_lost_it_and_of_the_one_that_got_it():
    results = good()
    results["srv1"]["certify"]["leaks"] = [{"link": CROSS, "source": "c:eth1", "kind": "stp", "seen_on": "b:eth1"}]
    report = make_report(PLAN, results)
    assert link_of(report, CROSS)["reason"] == f"stp frames of c:eth1 leaked into link {LOCAL} (b:eth1)"
    assert link_of(report, LOCAL)["reason"] == f"frames of link {CROSS} leaked into it at b:eth1"
    assert link_of(report, "segment:lan")["state"] == "up"


def test_a_duplicate_is_an_error():
    results = good()
    results["srv1"]["certify"]["duplicates"] = [
        {"link": "segment:lan", "source": "c:eth3", "target": "b:eth3", "kind": "broadcast", "count": 3}
    ]
    reason = link_of(make_report(PLAN, results), "segment:lan")["reason"]
    assert reason == "broadcast frames of c:eth3 arrive 3 times at b:eth3"


def test_what_a_node_that_is_a_switch_sends_on_is_not_the_fault_of_a_wire():
    results = good()
    results["srv1"]["certify"]["relays"] = [{"link": LOCAL, "source": "b:eth1", "kind": "broadcast", "seen_on": "a:eth2"}]
    results["srv2"]["certify"]["leaks"] = [{"link": LOCAL, "source": "b:eth1", "kind": "broadcast", "seen_on": "c:eth1"}]
    assert make_report(PLAN, results)["ok"]
    results["srv2"]["certify"]["leaks"][0]["kind"] = "stp"
    assert not make_report(PLAN, results)["ok"]


@pytest.mark.parametrize(
    "name",
    [
        port_of("a", "eth2"), PLAN["links"][CROSS]["tunnels"]["srv1"], CROSS, "a:eth2",
    ],
    ids=["port", "tunnel", "link", "endpoint"],
)  # fmt: skip
def test_an_error_on_an_object_of_a_link_is_an_error_of_that_link_only(name):
    results = good()
    results["srv1"]["converge"]["errors"] = [error(name)]
    links, nodes = states(make_report(PLAN, results))
    assert links == {LOCAL: "up", CROSS: "error", "segment:lan": "up"}
    assert set(nodes.values()) == {"ready"}
    assert link_of(make_report(PLAN, results), CROSS)["reason"] == "srv1: it broke; mend it"


def test_an_error_of_a_sandbox_is_one_of_the_node_and_its_links_one_of_a_container_of_the_node_alone():
    results = good()
    results["srv2"]["converge"]["errors"] = [error(PLAN["nodes"]["c"]["sandbox"])]
    links, nodes = states(make_report(PLAN, results))
    assert links == {LOCAL: "up", CROSS: "error", "segment:lan": "error"}
    assert nodes == {"a": "ready", "b": "ready", "c": "error"}
    results["srv2"]["converge"]["errors"] = [error(PLAN["nodes"]["c"]["container"], msg="exec failed")]
    links, nodes = states(make_report(PLAN, results))
    assert set(links.values()) == {"up"}
    assert nodes["c"] == "error"


def test_no_error_is_swallowed():
    results = good()
    results["srv1"]["converge"]["errors"] = [error("something-else")]
    report = make_report(PLAN, results)
    assert report["servers"]["srv1"] == {**UNWATCHED, "state": "error", "reason": "it broke; mend it"}
    assert not report["ok"]


@pytest.mark.parametrize("objects", [(), ("arch-ovs",)], ids=["of no object", "of the bridge"])
def test_an_error_that_concerns_all_of_a_server_is_one_of_all_its_links_and_nodes(objects):
    results = good()
    results["srv2"]["converge"]["errors"] = [error(*objects)]
    assert states(make_report(PLAN, results)) == (
        {LOCAL: "up", CROSS: "error", "segment:lan": "error"},
        {"a": "ready", "b": "ready", "c": "error"},
    )


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"unreachable": "timed out"}, "server srv2 is unreachable"),
        ({"converge": {"unreachable": True, "msg": "timed out"}}, "server srv2 is unreachable"),
        ({"converge": {"failed": True, "msg": "locked by X"}}, "srv2: locked by X"),
        ({"converge": {"failed": False, "msg": "locked by X", "errors": [error("lock", msg="locked by X", hint="")]}}, "srv2: locked by X"),
    ],
    ids=["unreachable", "as Ansible says it", "stopped", "stopped, and failed_when is false"],
)
def test_a_server_that_failed_as_a_whole_is_the_reason_for_all_of_its_links_and_nodes(result, said):
    results = good()
    results["srv2"] = result
    report = make_report(PLAN, results)
    assert states(report) == ({LOCAL: "up", CROSS: "error", "segment:lan": "error"}, {"a": "ready", "b": "ready", "c": "error"})
    assert link_of(report, CROSS)["reason"] == said
    assert report["servers"]["srv2"]["state"] != "ok"


def test_a_certification_that_failed_proves_nothing():
    results = good()
    results["srv2"]["certify"] = {"failed": False, "msg": "no  such\nsocket"}
    report = make_report(PLAN, results)
    assert link_of(report, CROSS)["reason"] == "srv2 was not certified: no such socket"
    assert report["servers"]["srv2"]["reason"] == "certification failed: no such socket"
    del results["srv2"]["certify"]
    assert link_of(make_report(PLAN, results), CROSS)["reason"] == "srv2 was not certified: no result"


def test_nothing_done_is_pending():
    report = make_report(PLAN, {})
    assert states(report) == (dict.fromkeys(PLAN["links"], "pending"), dict.fromkeys(PLAN["nodes"], "pending"))
    assert report["ok"]


def test_converged_and_not_certified_is_not_up():
    results = good()
    for result in results.values():
        del result["certify"]
    report = make_report(PLAN, results)
    assert {one["state"] for one in report["links"]} == {"pending"}
    assert {one["reason"] for one in report["links"]} == {"not certified"}


def predicted_changes(*changes):
    return {"changed": True, "changes": list(changes)}


def test_check_mode_says_what_would_change():
    results = {
        "srv1": {
            "converge": predicted_changes(
                {"action": "create", "kind": "container", "name": PLAN["nodes"]["a"]["container"], "label": "a"},
                {"action": "create", "kind": "port", "name": port_of("a", "eth2"), "label": "a:eth2"},
                {"action": "create", "kind": "tunnel", "name": PLAN["links"][CROSS]["tunnels"]["srv1"], "label": CROSS},
            )
        },
        "srv2": {"converge": predicted_changes()},
    }
    report = make_report(PLAN, results, predicted=True)
    assert set(states(report)[0].values()) == {"pending"}
    assert states(report)[1] == {"a": "pending", "b": "ready", "c": "ready"}
    assert next(one for one in report["nodes"] if one["name"] == "a")["reason"] == "container would be created"
    assert report["ok"]


def test_a_difference_that_is_still_there_is_an_error_however_well_frames_pass():
    results = good()
    change = {
        "action": "update",
        "kind": "port",
        "name": port_of("a", "eth2"),
        "label": "a:eth2",
        "fields": {"tag": {"have": 118, "want": 112}},
    }
    results["srv1"]["converge"] = predicted_changes(change)
    report = make_report(PLAN, results, predicted=True)
    assert link_of(report, CROSS)["reason"] == f"srv1: port {port_of('a', 'eth2')}: tag 118 instead of 112"
    assert link_of(report, LOCAL)["state"] == "up"
    assert make_report(PLAN, results)["ok"], "a run that made this change has nothing left to do"


def test_the_links_of_a_stopped_node_are_down():
    results = good()
    results["srv2"]["converge"] = predicted_changes(
        {"action": "start", "kind": "container", "name": PLAN["nodes"]["c"]["container"], "label": "c"}
    )
    report = make_report(PLAN, results, predicted=True)
    assert states(report) == ({LOCAL: "up", CROSS: "down", "segment:lan": "up"}, {"a": "ready", "b": "ready", "c": "stopped"})
    assert link_of(report, CROSS)["reason"] == "node c does not run"
    assert not report["ok"], "a node that is declared and does not run is not as declared"


def test_observation_alone_tells_drift_and_stopped_nodes():
    results = {server: {"info": state} for server, state in observed_after(PLAN).items()}
    assert set(states(make_report(PLAN, results))[0].values()) == {"pending"}
    assert set(states(make_report(PLAN, results))[1].values()) == {"ready"}
    broken = copy.deepcopy(results)
    broken["srv1"]["info"]["ports"] = [one for one in broken["srv1"]["info"]["ports"] if one["name"] != port_of("a", "eth1")]
    broken["srv2"]["info"]["tunnels"][0]["vni"] = 5
    broken["srv2"]["info"]["containers"][0]["status"] = "exited"
    report = make_report(PLAN, broken)
    assert link_of(report, LOCAL)["reason"] == f"srv1: port {port_of('a', 'eth1')} is missing"
    assert states(report)[1]["c"] == "stopped"
    assert link_of(report, CROSS)["state"] == "down"


@pytest.mark.parametrize(
    ("hold", "status", "code", "state"),
    [
        ("exit", "exited", 0, "ready"),
        ("exit", "exited", 7, "stopped"),
        ("exit", "exited", None, "stopped"),
        ("exit", "created", 0, "stopped"),
        ("", "exited", 0, "stopped"),
    ],
)
def test_observation_alone_tells_a_node_that_was_to_end_and_did_from_one_that_stopped(hold, status, code, state):
    plan = copy.deepcopy(PLAN)
    plan["slices"]["srv2"]["containers"][0]["hold"] = hold
    results = {server: {"info": info} for server, info in observed_after(plan).items()}
    results["srv2"]["info"]["containers"][0].update(status=status, exit_code=code)
    assert states(make_report(plan, results))[1] == {"a": "ready", "b": "ready", "c": state}


@pytest.mark.parametrize(("ends", "reason"), [(["a:eth1"], "only one endpoint"), ([], "no endpoint")])
def test_a_segment_with_nothing_to_prove_is_down(ends, reason):
    plan = make_plan(lab_file(topology([link(*ends, segment="lan"), link("a:eth2", "b:eth2")])), servers(1), {})
    report = make_report(plan, good(plan))
    assert (link_of(report, "segment:lan")["state"], link_of(report, "segment:lan")["reason"]) == ("down", reason)
    assert report["ok"]


def test_nodes_that_converging_did_not_come_to_are_not_called_ready():
    results = good()
    results["srv2"]["converge"] = {"changes": [], "errors": [error("management", msg="hosts cannot be written", hint="")]}
    report = make_report(PLAN, results)
    assert states(report)[1] == {"a": "ready", "b": "ready", "c": "error"}
    assert next(one["reason"] for one in report["nodes"] if one["name"] == "c") == "hosts cannot be written"


# taking back


def fresh(*names):
    return {"changed": True, "changes": [{"action": "create", "kind": "port", "name": name, "label": ""} for name in names]}


def test_nothing_is_taken_back_when_nothing_failed():
    assert failed_links(PLAN, good()) == {"srv1": [], "srv2": []}


def test_the_other_half_of_a_failed_link_is_taken_back():
    results = good()
    results["srv2"]["converge"]["errors"] = [error(port_of("c", "eth1"))]
    assert failed_links(PLAN, results) == {"srv1": [CROSS], "srv2": []}
    results["srv1"]["converge"]["errors"] = [error(port_of("a", "eth2"))]
    assert failed_links(PLAN, results) == {"srv1": [], "srv2": []}


def test_an_error_on_a_local_link_takes_nothing_back():
    results = good()
    results["srv1"]["converge"]["errors"] = [error(port_of("a", "eth1"))]
    assert failed_links(PLAN, results) == {"srv1": [], "srv2": []}


@pytest.mark.parametrize("down", [{"unreachable": "timed out"}, {"converge": {"msg": "locked by X"}}])
def test_of_a_server_that_failed_as_a_whole_only_new_halves_are_taken_back(down):
    results = {**good(), "srv2": down}
    assert failed_links(PLAN, results) == {"srv1": [], "srv2": []}
    results["srv1"]["converge"] = fresh(port_of("a", "eth2"))
    assert failed_links(PLAN, results) == {"srv1": [CROSS], "srv2": []}


def test_an_error_of_a_shared_tunnel_takes_back_all_of_its_links():
    results = good(SHARED)
    results["srv2"]["converge"]["errors"] = [error(SHARED["links"][CROSS]["tunnels"]["srv2"])]
    assert failed_links(SHARED, results) == {"srv1": [CROSS, "segment:lan"], "srv2": []}


@pytest.mark.parametrize("bad", [{"unreachable": "timed out"}, {"converge": {"msg": "locked by X"}}, None])
def test_a_segment_stays_between_servers_that_are_well_and_a_last_half_does_not(bad):
    made = topology([link("a:eth1", "b:eth1", "c:eth1", segment="lan"), link("a:eth2", "c:eth2")])
    plan = make_plan(lab_file(made, pins={"a": "srv1", "b": "srv2", "c": "srv3"}), servers(3), {})
    results = {server: {"converge": fresh(*(port["name"] for port in part["ports"]))} for server, part in plan["slices"].items()}
    wrong = bad or {"converge": {"changes": [], "errors": [error("segment:lan", "a:eth2--c:eth2")]}}
    assert failed_links(plan, {**results, "srv3": wrong}) == {"srv1": ["a:eth2--c:eth2"], "srv2": [], "srv3": []}
    assert link_of(make_report(plan, {**results, "srv3": wrong}), "segment:lan")["state"] == "error"
    assert failed_links(plan, {**results, "srv2": wrong, "srv3": wrong})["srv1"] == ["a:eth2--c:eth2", "segment:lan"]


@pytest.mark.parametrize("bad", [{"unreachable": "timed out"}, {"converge": {"msg": "locked by X"}}, None])
def test_nodes_of_a_server_that_is_well_keep_their_management_network(bad):
    managed = make_plan(lab_file(replace(MADE, management=Management()), pins={"a": "srv1", "b": "srv1", "c": "srv2"}), servers(2), {})
    results = {server: {"converge": fresh(*(port["name"] for port in part["ports"]))} for server, part in managed["slices"].items()}
    results["srv2"] = bad or {"converge": {"changes": [], "errors": [error("management", msg="no rules")]}}
    assert "management" not in failed_links(managed, results)["srv1"]
    assert link_of(make_report(managed, results), "management")["state"] == "error"


# text


def test_table_is_aligned_and_fits():
    results = good()
    lose(results, CROSS, "a:eth2", "c:eth1", "lldp", "stp", "lacp")
    results["srv1"]["certify"]["leaks"] = [{"link": CROSS, "source": "c:eth1", "kind": "stp", "seen_on": "b:eth1"}]
    plan = {**PLAN, "notes": ["an MTU was lowered"]}
    for width in (100, 120, 140):
        text = render_report(make_report(plan, results), width)
        lines = text.splitlines()
        assert all(len(line) <= width for line in lines)
        assert all(line == line.rstrip() for line in lines)
        column = lines[0].index("STATE")
        assert [line[column:].split()[0] for line in lines if line.startswith(("a:eth", "segment:"))] == ["error", "error", "up"]
        assert "docker exec -it clab-x-a sh" in text
        assert "note: an MTU was lowered" in text
        assert lines[-1] == "lab x: 3 links (1 up, 2 error), 3 nodes (3 ready); not ok"


def test_table_of_a_good_lab_has_no_column_for_reasons():
    text = render_report(make_report(PLAN, good()))
    assert text.splitlines()[0].split() == ["LINK", "STATE", "SERVERS:", "TAG", "VNI", "MTU"]
    assert text.splitlines()[-1] == "lab x: 3 links (3 up), 3 nodes (3 ready)"


def test_a_segment_over_many_servers_does_not_burst_the_table():
    made = topology([link(*(f"n{number}:eth1" for number in range(1, 10)), segment="lan")])
    plan = make_plan(lab_file(made, pins={f"n{number}": f"srv{number}" for number in range(1, 10)}), servers(9), {})
    line = render_report(make_report(plan, {})).splitlines()[1]
    assert len(line) <= 120
    assert "srv3: " in line
    assert ", 6 more" in line


def test_table_of_an_empty_lab_is_its_summary():
    plan = make_plan(lab_file(topology([])), servers(1), {})
    assert render_report(make_report(plan, {})) == "lab x: 0 links, 0 nodes\n"


def test_filters_take_what_templates_hand_to_them(tmp_path):
    templar = Templar(loader=None, variables={"plan": PLAN, "results": good()})
    report = templar.template(trust_as_template("{{ plan | archetype.lab.report(results) }}"))
    assert json.loads(json.dumps(report)) == make_report(PLAN, good())
    table = templar.template(trust_as_template("{{ plan | archetype.lab.report(results) | archetype.lab.report_table(100) }}"))
    assert table.rstrip("\n") == render_report(make_report(PLAN, good()), 100).rstrip("\n")
    assert templar.template(trust_as_template("{{ plan | archetype.lab.take_back(results) }}")) == failed_links(PLAN, good())
    assert templar.template(trust_as_template("{{ plan | archetype.lab.lock }}")).startswith("# Written by archetype.lab")


def test_management_addresses_are_shown_where_there_are_some():
    managed = make_plan(lab_file(replace(MADE, management=Management()), pins={"a": "srv1", "b": "srv1", "c": "srv2"}), servers(2), {})
    report = make_report(managed, good(managed))
    assert {one["name"]: one["management"] for one in report["nodes"]} == managed["management"]["nodes"]
    shown = render_report(report)
    assert "ADDRESS" in shown
    assert all(own["ipv4"] in shown for own in managed["management"]["nodes"].values())
    assert "ADDRESS" not in render_report(make_report(PLAN, good()))


def test_an_error_of_the_management_network_is_told_at_its_link():
    managed = make_plan(lab_file(replace(MADE, management=Management()), pins={"a": "srv1", "b": "srv1", "c": "srv2"}), servers(2), {})
    results = good(managed)
    results["srv1"]["converge"]["errors"] = [error("management", msg="no rules")]
    report = make_report(managed, results)
    assert link_of(report, "management")["state"] == "error"
    assert "srv1: no rules" in link_of(report, "management")["reason"]
    assert {state for key, state in states(report)[0].items() if key != "management"} == {"up"}


def awaiting(*nodes, vms=()):
    """A plan in which these nodes are not ready as soon as they run; those in vms are machines."""
    plan = copy.deepcopy(PLAN)
    for part in plan["slices"].values():
        own = {one["name"]: one["node"] for one in part["containers"]}
        part["access"] = [
            {"node": node, "type": "container", "name": name, "readiness": {"probe": "log"}} for name, node in own.items() if node in nodes
        ]
        part["vms"] = [{"name": name, "node": node} for name, node in own.items() if node in vms]
        part["containers"] = [one for one in part["containers"] if one["node"] not in vms]
    for node in vms:
        one = plan["nodes"][node]
        one.update(type="vm", domain=one["container"], container="", sandbox="")
    return plan


def found(node, state="ready", reason="", *, late=False):
    return {"node": node, "state": state, "reason": reason, "late": late, "since": "2026-11-21T07:00:00+00:00"}


def node_of(report, name):
    one = next(one for one in report["nodes"] if one["name"] == name)
    return one["state"], one["reason"]


def test_a_node_is_as_ready_as_it_was_found_to_be():
    results = good()
    results["srv1"]["ready"] = {"nodes": [found("a", "starting", "waits for 'x'"), found("b")], "changed": False}
    plan = awaiting("a", "b")
    report = make_report(plan, results)
    assert (node_of(report, "a"), node_of(report, "b"), node_of(report, "c")) == (
        ("starting", "waits for 'x'"),
        ("ready", ""),
        ("ready", ""),
    )
    assert report["ok"]
    assert report["summary"]["nodes"]["starting"] == 1
    assert states(report)[0] == dict.fromkeys(plan["links"], "up")
    assert "3 nodes (2 ready, 1 starting)" in render_report(report)
    assert next(one for one in report["nodes"] if one["name"] == "a")["since"] == "2026-11-21T07:00:00+00:00"


def test_a_node_that_failed_or_is_late_is_an_error_unless_nobody_wanted_to_wait():
    results = good()
    results["srv1"]["ready"] = {"nodes": [found("a", "failed", "panic"), found("b", "starting", "is not ready after 9 s", late=True)]}
    report = make_report(awaiting("a", "b"), results)
    assert (node_of(report, "a"), node_of(report, "b")) == (("error", "panic"), ("error", "is not ready after 9 s"))
    assert not report["ok"]
    patient = make_report(awaiting("a", "b"), results, patient=True)
    assert (node_of(patient, "a")[0], node_of(patient, "b")[0]) == ("error", "starting")


def test_what_nobody_looked_at_is_not_called_ready():
    report = make_report(awaiting("a"), good())
    assert node_of(report, "a") == ("starting", "it runs, and nobody has looked whether it is ready")
    assert report["ok"]
    results = good()
    results["srv1"]["ready"] = {"failed": True, "msg": "dockerd does not answer"}
    assert node_of(make_report(awaiting("a"), results), "a") == (
        "error",
        "nobody knows whether it is ready: dockerd does not answer",
    )


def test_readiness_takes_no_link_back():
    results = good()
    results["srv1"]["converge"]["changes"] = [{"action": "create", "kind": "port", "name": port_of("a", "eth2"), "label": CROSS}]
    for ready in (
        {"nodes": [found("a", "failed", "panic")]},
        {"failed": True, "msg": "no"},
        {"unreachable": True, "msg": "gone"},
    ):
        results["srv2"]["ready"] = ready
        assert failed_links(awaiting("a", "c"), results) == {"srv1": [], "srv2": []}
    assert make_report(awaiting("a", "c"), results)["servers"]["srv2"]["state"] == "unreachable"


def machines(plan, status="running", **fields):
    """What converging returns of the machines."""
    results = good(plan)
    for server, part in plan["slices"].items():
        results[server]["converge"]["vms"] = [
            {"name": one["name"], "node": one["node"], "status": status, "started_at": "2026-11-21T06:00:00+00:00", **fields}
            for one in part["vms"]
        ]
    return results


def test_a_machine_is_what_converging_says_of_it():
    plan = awaiting(vms=("c",))
    report = make_report(plan, machines(plan))
    one = next(one for one in report["nodes"] if one["name"] == "c")
    assert (one["type"], one["state"], one["since"]) == ("vm", "ready", "2026-11-21T06:00:00+00:00")
    assert (one["domain"], one["container"]) == ("clab-x-c", "")
    assert report["ok"]


@pytest.mark.parametrize("status", ["paused", "shutoff", "crashed"])
def test_links_of_a_machine_that_does_not_run_are_down_and_say_why(status):
    plan = awaiting(vms=("c",))
    report = make_report(plan, machines(plan, status))
    assert node_of(report, "c") == ("stopped", f"domain clab-x-c is {status}")
    assert (link_of(report, CROSS)["state"], link_of(report, CROSS)["reason"]) == ("down", "node c does not run")
    assert not report["ok"]


def test_a_machine_that_waits_for_a_restart_is_ready_and_says_so():
    plan = awaiting(vms=("c",))
    results = machines(plan, needs_restart=["memory", "config medium"])
    assert node_of(make_report(plan, results), "c") == ("ready", "needs restart (memory, config medium)")
    assert make_report(plan, results)["ok"]
    shown = render_report(make_report(plan, results))
    assert "needs restart (memory, config medium)" in shown
    assert make_report(plan, results)["nodes"][2]["shell"] in shown.replace("\xa0", " "), "how to get at it is told all the same"
    plan = awaiting("c", vms=("c",))
    results["srv2"]["ready"] = {"nodes": [found("c", "starting", "waits for 'login:'")]}
    assert node_of(make_report(plan, results), "c") == ("starting", "waits for 'login:'; needs restart (memory, config medium)")


def test_machines_are_told_from_an_observation_where_nothing_converged():
    plan = awaiting(vms=("c",))
    for vms, state in (
        ([{"name": "clab-x-c", "node": "c", "status": "running"}], ("ready", "")),
        ([{"name": "clab-x-c", "node": "c", "status": "shutoff"}], ("stopped", "domain clab-x-c is shutoff")),
        ([], ("error", "domain clab-x-c is missing")),
    ):
        results = {"srv2": {"info": {"observed": {"containers": [], "vms": vms, "ports": [], "tunnels": []}}}}
        assert node_of(make_report(plan, results), "c") == state


def test_what_check_mode_says_of_a_machine_is_told_of_its_node():
    plan = awaiting(vms=("c",))
    results = good(plan)
    results["srv2"]["converge"].update(
        predicted=True, changes=[{"action": "start", "kind": "vm", "name": "clab-x-c", "label": "c", "fields": {}, "reason": ""}]
    )
    assert node_of(make_report(plan, results, predicted=True), "c") == ("stopped", "vm clab-x-c is not running")


def test_a_tap_has_no_address_that_could_differ():
    plan = awaiting(vms=("c",))
    port = next(one for one in plan["slices"]["srv2"]["ports"] if one["link"] == CROSS)
    port.update(device="tap", mac="02:00:00:00:00:01", sandbox="")
    results = {
        server: {"info": {"observed": {"containers": [], "ports": [], "tunnels": part["tunnels"], "vms": []}}}
        for server, part in plan["slices"].items()
    }
    observed = {**whole(port, PORT), "mac": "", "lab": "x", "carrier": False}
    results["srv2"]["info"]["observed"]["ports"] = [observed]
    assert "instead of" not in link_of(make_report(plan, results), CROSS)["reason"]
    observed["tag"] = 1
    assert "tag 1 instead of" in link_of(make_report(plan, results), CROSS)["reason"]
