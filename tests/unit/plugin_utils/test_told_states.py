# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is held, stopped, unreachable, unreadable, or worked on by somebody else: each is told as what it is, and once."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from ansible_collections.archetype.lab.plugins.action import lab_report
from ansible_collections.archetype.lab.plugins.module_utils import _carriers
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._pass_report import _skeleton
from ansible_collections.archetype.lab.plugins.plugin_utils._cables import stopped_ends
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._from_slices import as_converged, plan_of
from ansible_collections.archetype.lab.plugins.plugin_utils._holds import find_holds
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Management
from ansible_collections.archetype.lab.plugins.plugin_utils._outcome import describe_change
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.plugins.plugin_utils._proof import KINDS
from ansible_collections.archetype.lab.plugins.plugin_utils._report import make_report
from ansible_collections.archetype.lab.plugins.plugin_utils._table import render_report
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import lab_file, link, observed_after, servers, topology

LOCAL, CROSS, LAN = "a:eth1--b:eth1", "a:eth2--c:eth1", "segment:lan"
MADE = replace(
    topology([link("a:eth1", "b:eth1"), link("a:eth2", "c:eth1"), link("a:eth3", "b:eth3", "c:eth3", segment="lan")]),
    management=Management(),
)
PINS = {"a": "srv1", "b": "srv1", "c": "srv2"}
PLAN = make_plan(lab_file(MADE, pins=PINS), servers(2), {})
NOW = "2026-11-21T12:00:00+00:00"
UP = {"state": "up", "reason": "", "since": "2026-11-21T09:00:00+00:00", "proven": {"by": "frames", "at": "2026-11-21T09:00:05+00:00"}}
AT_REST = {"word": "wrong", "detail": "not running"}
LOCKED = {"type": "LockedError", "msg": "lab x is locked on this server by root", "hint": "wait", "objects": ["x"]}
UNREAD = {"type": "ReadError", "msg": "/var/lib/archetype-lab/x.json is not JSON", "hint": "deploy the lab again", "objects": []}


def certified(server, but=()):
    """All frames arrive, but those from and to ends of some nodes, whose ports are not there."""
    frames, ports = [], {}
    for key, one in PLAN["links"].items():
        names = {f"{end['node']}:{end['interface']}": end for end in one["endpoints"]}
        for target, end in names.items():
            if end["server"] != server:
                continue
            there = end["node"] not in but
            ports[target] = {"carrier": there, "error": "" if there else f"port {end['port']} is not on bridge arch-ovs: it does not exist"}
            sources = [source for source, one in names.items() if source != target and one["node"] not in but]
            frames += [{"link": key, "source": source, "target": target, "kinds": list(KINDS)} for source in sources if there]
    return {"frames": frames, "leaks": [], "duplicates": [], "relays": [], "ports": ports, "kinds": list(KINDS), "dropped": 0}


def items(server, found=()):
    words = dict(found)
    names = [("link", key) for key, one in PLAN["links"].items() if server in one["servers"]]
    names += [("node", name) for name, node in PLAN["nodes"].items() if node["server"] == server]
    return [{"sort": sort, "name": name, "word": "in sync", "detail": "", **words.get(name, {})} for sort, name in names]


def looked(*, held=(), stopped=(), words=(), proven=True, changes=()):
    """What status_lab finds: an observation, a comparison, and frames."""
    results = {}
    for server, info in observed_after(PLAN).items():
        for one in info["containers"]:
            one["status"] = "exited" if one["node"] in stopped else "running"
        results[server] = {
            "info": info,
            "converge": {"changed": False, "predicted": True, "changes": list(changes), "drift": items(server, words)},
            "watch": {"watcher": None, "reconciler": {"report": None, "held": list(held), "journal": []}},
            **({"certify": certified(server, stopped)} if proven else {}),
        }
    return results


def passed(server, words=(), **more):
    """What lab_reconcile returned."""
    found = items(server, words)
    one = {
        "lab": "x", "server": server, "at": NOW, "trigger": "reconciled by root", "ms": 80, "changed": False, "plan": {}, "changes": [],
        "links": [{"key": one["name"], **UP, **one} for one in found if one["sort"] == "link"],
        "nodes": [{"status": "", **one} for one in found if one["sort"] == "node"],
        "orphans": [], "server_items": [], "waiting": [], "held": [],
        "declared": _skeleton(Declared.from_params(PLAN["slices"][server])), **more,
    }  # fmt: skip
    return {"reconcile": one, "converge": as_converged(one)}


def failed(*errors, **more):
    one = {"failed": True, "msg": errors[0]["msg"], "errors": list(errors), **more}
    return {"reconcile": one, "converge": as_converged(one)}


def kept(*, but=()):
    return plan_of(
        "x", {server: None if server in but else _skeleton(Declared.from_params(part)) for server, part in PLAN["slices"].items()}
    )


def link_of(report, key=CROSS):
    one = next(one for one in report["links"] if one["key"] == key)
    return one["state"], one["reason"]


def node_of(report, name):
    one = next(one for one in report["nodes"] if one["name"] == name)
    return one["state"], one["reason"]


# (a) what is stopped


@pytest.mark.parametrize("seen", [True, False], ids=["observed", "compared"])
def test_a_held_node_that_does_not_run_is_stopped_and_its_cables_are_down(seen):
    results = looked(held=["c"], stopped=["c"], words={"c": AT_REST})
    if not seen:
        for result in results.values():
            del result["info"]
    report = make_report(PLAN, results, predicted=True, at=NOW)
    assert node_of(report, "c")[0] == "stopped"
    assert node_of(report, "c")[1].startswith("held; ")
    assert link_of(report) == ("down", "node c does not run")
    assert (link_of(report, LOCAL), link_of(report, LAN), link_of(report, "management")) == (("up", ""),) * 3
    assert report["ok"]
    assert report["summary"]["nodes"]["ready"] == 2


def test_a_held_node_that_runs_and_differs_is_ready():
    report = make_report(PLAN, looked(held=["c"], words={"c": {"word": "wrong", "detail": "image: a -> b"}}), predicted=True, at=NOW)
    assert node_of(report, "c") == ("ready", "")
    assert "wrong, held" in render_report(report)


def test_a_node_that_is_not_held_and_stopped_takes_its_cables_down_and_not_its_commands_with_it():
    name = PLAN["nodes"]["c"]["container"]
    changes = [{"action": action, "kind": kind, "name": name, "label": "c"} for action, kind in (("start", "container"), ("run", "exec"))]
    report = make_report(PLAN, looked(stopped=["c"], words={"c": AT_REST}, changes=changes), predicted=True, at=NOW)
    assert node_of(report, "c") == ("stopped", f"container {name} is not running")
    assert link_of(report) == ("down", "node c does not run")
    assert not report["ok"]


# (c) cables and switches


def test_a_switch_loses_only_the_ends_of_a_stopped_node():
    results = looked(held=["b", "c"], stopped=["b", "c"], words={"b": AT_REST, "c": AT_REST})
    report = make_report(PLAN, results, predicted=True, at=NOW)
    assert link_of(report, LAN) == ("down", "fewer than two of its nodes run")
    assert link_of(report, "management") == ("up", "")
    results["srv1"]["certify"]["frames"] = [one for one in results["srv1"]["certify"]["frames"] if one["link"] != "management"]
    results["srv2"]["certify"]["frames"] = [one for one in results["srv2"]["certify"]["frames"] if one["link"] != "management"]
    state, reason = link_of(make_report(PLAN, results, predicted=True, at=NOW), "management")
    assert state == "error"
    assert "c:" not in reason
    assert "b:" not in reason


@pytest.mark.parametrize("stopped", [[], ["a"], ["b", "c"]])
def test_the_rule_is_that_of_the_servers(stopped):
    for part in PLAN["slices"].values():
        declared = Declared.from_params(part)
        theirs = _carriers.stopped_ends(declared.links, stopped)
        ours = {one.key: found[0] for one in declared.links if (found := stopped_ends(one.key, PLAN["links"][one.key], stopped))}
        assert set(ours) == set(theirs)


# (b) a server that cannot tell


def test_a_server_that_cannot_tell_says_why_once_and_is_no_node():
    plan = kept(but=["srv2"])
    report = make_report(plan, {"srv1": passed("srv1"), "srv2": failed(UNREAD)}, at=NOW)
    assert {one["name"] for one in report["nodes"]} == {"a", "b", "c"}
    assert link_of(report) == ("error", "srv2 could not tell")
    assert node_of(report, "c") == ("error", "srv2 could not tell")
    assert report["servers"]["srv2"]["reason"] == f"{UNREAD['msg']}; {UNREAD['hint']}"
    assert render_report(report).count("is not JSON") == 1
    complaint = lab_report._complaint(report)
    assert complaint.count("is not JSON") == 1
    assert complaint.splitlines()[1].startswith("server srv2: ")


# (d) a check that would let go


def test_what_a_check_would_let_go_is_told_to_be_held_now():
    wrong = {"word": "wrong", "detail": "tag: 118 -> 112"}
    results = {server: passed(server, {CROSS: wrong, "c": AT_REST}, held_before=[LOCAL, CROSS]) for server in PLAN["slices"]}
    report = make_report(PLAN, results, predicted=True, at=NOW)
    assert link_of(report) == ("error", "is held now, and would be let go; srv1: tag: 118 -> 112; srv2: tag: 118 -> 112")
    assert link_of(report, LOCAL) == ("up", "is held now, and would be let go")
    assert "wrong, held" in render_report(report)
    assert report["held"] == []
    assert not report["ok"]
    held = {server: passed(server, {CROSS: wrong}, held_before=[CROSS], held=[CROSS]) for server in PLAN["slices"]}
    assert link_of(make_report(PLAN, held, predicted=True, at=NOW))[0] == "down"


def test_a_check_that_holds_a_stopped_node_tells_that_it_is_stopped():
    results = {server: passed(server, {"c": AT_REST}, held=["c"]) for server in PLAN["slices"]}
    report = make_report(PLAN, results, predicted=True, at=NOW)
    assert node_of(report, "c") == ("stopped", "held; not running")
    assert link_of(report) == ("down", "node c does not run")
    assert report["ok"]


# (e) servers that are not there


def test_of_a_held_node_whose_server_is_unreachable_nobody_knows():
    results = {**looked(held=["c", CROSS]), "srv2": {"unreachable": "timed out"}}
    report = make_report(PLAN, results, predicted=True, at=NOW)
    assert node_of(report, "c") == ("error", "server srv2 is unreachable")
    assert "node c: server srv2 is unreachable" in lab_report._complaint(report)
    assert link_of(report) == ("error", "server srv2 is unreachable")


def test_names_that_only_a_silent_server_has_are_not_called_none():
    complaint = find_holds("f", [LOCAL], ["a"], [], ["srv3"])["complaint"]
    assert complaint.endswith("f is none that is known. srv3 could not be asked, so that names of what is only there are not known.")
    assert find_holds("f,c:eth1--a:eth2", [LOCAL], ["a"], ["f", CROSS], ["srv3"]) == {"names": [CROSS, "f"], "complaint": ""}


# (f) another run


def test_of_another_run_that_is_at_work_is_told_and_of_nothing_that_it_is_about_to_change():
    plan = kept(but=["srv2"])
    plan["differences"]["links"][LOCAL] = "declared differently on srv1 and srv3; deploy the lab again"
    by = {"owner": "root on vm", "since": "2026-11-21T11:59:00+00:00"}
    report = make_report(plan, {"srv1": passed("srv1"), "srv2": failed(LOCKED, locked_by=by)}, at=NOW)
    assert link_of(report) == ("pending", "another run works on it")
    assert link_of(report, LOCAL)[0] != "error"
    assert not report["ok"]
    assert lab_report._complaint(report) == (
        "lab x is being worked on by root on vm since 2026-11-21T11:59:00+00:00; wait until that run has ended"
    )


# (g) what is in the way


def test_who_only_looks_is_refused_no_plan_for_what_is_in_the_way():
    taken = copy.deepcopy(observed_after(PLAN))
    taken["srv2"]["claims"]["containers"] = {PLAN["nodes"]["c"]["container"]: "container clab-x-c (foreign)"}
    given = lab_file(MADE, pins=PINS), servers(2), taken
    with pytest.raises(LabFileError):
        make_plan(*given, complete=False)
    assert set(make_plan(*given, complete=False, looking=True)["nodes"]) == {"a", "b", "c"}


# (h) notation


@pytest.mark.parametrize(
    ("field", "have", "want", "said"),
    [
        ("remotes", ["198.18.1.2"], ["198.18.1.2", "198.18.1.3"], "remotes 198.18.1.2 instead of 198.18.1.2, 198.18.1.3"),
        ("remotes", [], ["198.18.1.3"], "remotes none instead of 198.18.1.3"),
        ("up", False, True, "down instead of up"),
        ("enabled", True, False, "up instead of down"),
        ("forward_bpdu", None, True, "forward_bpdu none instead of yes"),
        ("vlan_limit", 0, 1, "vlan_limit 0 instead of 1"),
    ],
)
def test_values_are_written_as_people_write_them(field, have, want, said):
    change = {"action": "update", "kind": "tunnel", "name": "at1", "fields": {field: {"have": have, "want": want}}}
    assert describe_change(change) == f"tunnel at1: {said}"


def test_where_a_drift_is_known_its_words_are_used():
    port = next(end["port"] for end in PLAN["links"][CROSS]["endpoints"] if end["node"] == "a")
    change = {"action": "update", "kind": "port", "name": port, "label": "a:eth2", "fields": {"tag": {"have": 99, "want": 112}}}
    results = looked(words={CROSS: {"word": "wrong", "detail": "tag: 99 -> 112"}}, changes=[change])
    assert link_of(make_report(PLAN, results, predicted=True, at=NOW)) == ("error", "srv1: tag: 99 -> 112; srv2: tag: 99 -> 112")


def test_one_failure_is_one():
    waiting = [{"name": CROSS, "failures": 1, "next": NOW, "reason": "no"}]
    assert "1 failure, next try" in render_report(make_report(PLAN, {"srv1": passed("srv1", waiting=waiting)}, at=NOW))


# (i) a deployment that is foretold


def test_a_deployment_that_is_foretold_says_what_would_not_change_and_for_how_long_of_nothing():
    results = looked(proven=False, stopped=["c"], words={"c": AT_REST})
    for result in results.values():
        result["watch"]["reconciler"]["report"] = passed("srv1")["reconcile"]
    report = make_report(PLAN, results, predicted=True, hold=["c"], at=NOW)
    assert link_of(report, LOCAL) == ("pending", "would not change")
    assert {one["since"] for one in report["links"] if one["state"] == "pending"} == {""}
    assert node_of(report, "c")[0] == "stopped"
    assert link_of(report) == ("down", "node c does not run")


def test_a_look_is_not_the_last_pass():
    results = looked()
    kept_report = passed("srv1", trigger="time")["reconcile"]
    results["srv1"].update(passed("srv1", trigger="reconciled by root"))
    results["srv1"]["watch"] = {"watcher": None, "reconciler": {"report": kept_report, "held": [], "journal": []}}
    assert make_report(PLAN, results, predicted=True, at=NOW)["servers"]["srv1"]["last_pass"]["trigger"] == "time"


def test_a_cable_is_up_since_the_node_at_its_end_was_started():
    start = {"action": "start", "kind": "container", "name": PLAN["nodes"]["c"]["container"], "label": "c", "fields": {}, "reason": ""}
    results = {server: {**passed(server), "certify": certified(server)} for server in PLAN["slices"]}
    results["srv2"].update(passed("srv2", changes=[start]))
    report = make_report(PLAN, results, at=NOW)
    since = {one["key"]: one["since"] for one in report["links"]}
    assert since == {LOCAL: UP["since"], CROSS: NOW, LAN: UP["since"], "management": UP["since"]}
    assert f"mended on srv2: container {start['name']} is not running" in render_report(report)
