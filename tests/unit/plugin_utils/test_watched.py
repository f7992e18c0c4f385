# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What reconciling found on each server, and how links stood before, in one report over all of them."""

from __future__ import annotations

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._from_slices import as_converged
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.plugins.plugin_utils._proof import KINDS
from ansible_collections.archetype.lab.plugins.plugin_utils._report import make_report
from ansible_collections.archetype.lab.plugins.plugin_utils._table import render_report
from ansible_collections.archetype.lab.plugins.plugin_utils._watched import Watched
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import lab_file, link, servers, topology

LOCAL, CROSS = "a:eth1--b:eth1", "a:eth2--c:eth1"
MADE = topology([link("a:eth1", "b:eth1"), link("a:eth2", "c:eth1")])
PLAN = make_plan(lab_file(MADE, pins={"a": "srv1", "b": "srv1", "c": "srv2"}), servers(2), {})
NOW = "2026-11-21T12:00:00+00:00"
UP = {"state": "up", "reason": "", "since": "2026-11-21T09:00:00+00:00", "proven": {"by": "frames", "at": "2026-11-21T09:00:05+00:00"}}


def passed(server, links=(), nodes=(), **more):
    """What lab_reconcile returned: all is in sync but what is given."""
    words = dict(links)
    keys = [key for key, one in PLAN["links"].items() if server in one["servers"]]
    names = [name for name, node in PLAN["nodes"].items() if node["server"] == server]
    return {
        "lab": "x", "server": server, "at": NOW, "trigger": "run", "ms": 80, "changed": False, "plan": {}, "changes": [],
        "links": [{"key": key, "word": "in sync", "detail": "", **UP, **words.get(key, {})} for key in keys],
        "nodes": [{"name": name, "word": "in sync", "detail": "", "status": "", **dict(nodes).get(name, {})} for name in names],
        "orphans": [], "server_items": [], "waiting": [], "held": [],
        "declared": PLAN["slices"][server], **more,
    }  # fmt: skip


def result(one, **more):
    return {"reconcile": one, "converge": as_converged(one), **more}


def drift(srv1=(), srv2=(), *, nodes=(), **more):
    """The report of a run in check mode."""
    results = {"srv1": result(passed("srv1", srv1, nodes, **more)), "srv2": result(passed("srv2", srv2))}
    return make_report(PLAN, results, predicted=True, at=NOW)


def link_of(report, key=CROSS):
    return next(one for one in report["links"] if one["key"] == key)


def certified(server):
    frames, ports = [], {}
    for key, one in PLAN["links"].items():
        names = [f"{end['node']}:{end['interface']}" for end in one["endpoints"]]
        for end, target in zip(one["endpoints"], names, strict=True):
            if end["server"] == server:
                ports[target] = {"carrier": True, "error": ""}
                frames += [{"link": key, "source": source, "target": target, "kinds": list(KINDS)} for source in names if source != target]
    return {"frames": frames, "leaks": [], "duplicates": [], "relays": [], "ports": ports, "kinds": list(KINDS), "dropped": 0}


def test_what_is_in_sync_stands_as_the_servers_know_it():
    report = drift()
    assert report["ok"]
    one = link_of(report)
    assert (one["state"], one["word"], one["since"], one["proven"]) == ("up", "in sync", UP["since"], UP["proven"])
    assert "in sync" in render_report(report)
    assert " 3h " in render_report(report)


def test_of_two_ends_the_worse_word_counts_and_it_is_told_where():
    wrong = {"word": "wrong", "detail": "tag: 118 -> 112"}
    report = drift({CROSS: wrong}, {CROSS: {"word": "missing", "detail": ""}})
    one = link_of(report)
    assert (one["word"], one["detail"]) == ("missing", "srv1: tag: 118 -> 112; srv2: missing")
    assert (one["state"], one["reason"]) == ("error", one["detail"])
    assert link_of(report, LOCAL)["state"] == "up"
    assert not report["ok"]


@pytest.mark.parametrize(
    ("here", "there", "state", "reason"),
    [
        ({"state": "pending", "reason": "mended, not proven since"}, {}, "pending", "mended, not proven since"),
        ({"state": "down", "reason": "node c does not run"}, {}, "down", "node c does not run"),
        ({"state": "pending", "reason": ""}, {"state": "error", "reason": "no frames"}, "error", "no frames"),
        ({"state": ""}, {}, "pending", "not certified"),
    ],
)
def test_the_worse_state_of_two_ends_counts(here, there, state, reason):
    one = link_of(drift({CROSS: here}, {CROSS: there}))
    assert (one["state"], one["reason"]) == (state, reason)


def test_a_proof_is_as_old_as_that_of_the_first_end_and_none_where_one_end_has_none():
    later = {"since": "2026-11-21T10:00:00+00:00", "proven": {"by": "frames", "at": "2026-11-21T11:00:00+00:00"}}
    one = link_of(drift({CROSS: later}))
    assert (one["since"], one["proven"]["at"]) == ("2026-11-21T10:00:00+00:00", UP["proven"]["at"])
    assert link_of(drift({CROSS: {"proven": {"by": "", "at": ""}}}))["proven"] == {"by": "", "at": ""}


def test_what_frames_show_in_this_run_is_proven_now():
    results = {server: result(passed(server), certify=certified(server)) for server in PLAN["slices"]}
    one = link_of(make_report(PLAN, results, at=NOW))
    assert (one["state"], one["since"], one["proven"]) == ("up", UP["since"], {"by": "frames", "at": NOW})
    results["srv2"]["certify"]["frames"] = []
    lost = link_of(make_report(PLAN, results, at=NOW))
    assert (lost["state"], lost["since"], lost["proven"]) == ("error", NOW, {"by": "", "at": ""})


def test_what_is_held_is_shown_as_it_is_and_is_no_error():
    wrong = {"word": "wrong", "detail": "tag: 118 -> 112"}
    report = drift({CROSS: wrong}, held=[CROSS])
    one = link_of(report)
    assert (one["state"], one["held"], one["word"]) == ("down", True, "wrong")
    assert one["reason"].startswith("held; ")
    assert report["ok"]
    assert report["held"] == [CROSS]
    assert "wrong, held" in render_report(report)


def test_a_held_node_may_be_stopped():
    changes = [{"action": "start", "kind": "container", "name": "clab-x-b", "label": "b", "fields": {}, "reason": ""}]
    stopped = {"b": {"word": "wrong", "detail": "not running"}}
    report = drift(nodes=stopped, changes=changes)
    assert not report["ok"]
    held = drift(nodes=stopped, changes=changes, held=["b"])
    assert held["ok"]
    assert next(one for one in held["nodes"] if one["name"] == "b")["state"] == "stopped"
    assert link_of(held, LOCAL)["state"] == "down"


def test_what_was_put_right_is_told_in_a_run_and_not_in_check_mode():
    fields = {"tag": {"have": 118, "want": 112}}
    changes = [{"action": "update", "kind": "port", "name": "ap1", "label": "a:eth2", "fields": fields, "reason": ""}] * 22
    results = {
        server: result(passed(server, changes=changes if server == "srv1" else []), certify=certified(server)) for server in PLAN["slices"]
    }
    report = make_report(PLAN, results, at=NOW)
    assert report["mended"][0] == {"server": "srv1", "what": "port ap1: tag 118 instead of 112"}
    assert "mended on srv1: port ap1: tag 118 instead of 112\n" in render_report(report)
    assert "and 2 more, which are in the report" in render_report(report)
    assert make_report(PLAN, results, predicted=True, at=NOW)["mended"] == []


def test_a_long_entry_of_a_journal_is_cut_and_one_of_another_server_left_out():
    entry = {"at": NOW, "server": "srv1", "trigger": "netlink", "ms": 1, "seen": [], "done": [f"~ port p{number}" for number in range(9)]}
    entries = [entry, {**entry, "server": "srv2"}]
    report = make_report(PLAN, {"srv1": {"watch": {"reconciler": {"report": None, "journal": entries}}}}, at=NOW, journal=5)
    assert report["journal"] == [entry]
    assert "~ port p4; and 4 more" in render_report(report)


def test_orphans_are_not_as_declared_and_are_listed():
    report = drift(orphans=[{"name": "vx1", "kind": "link", "detail": "tunnel vx1"}])
    assert not report["ok"]
    assert report["orphans"] == [{"server": "srv1", "name": "vx1", "kind": "link", "detail": "tunnel vx1"}]
    assert "orphan on srv1: vx1 (tunnel vx1)" in render_report(report)


def test_what_waits_is_told_with_its_next_try():
    waiting = [{"name": CROSS, "failures": 4, "next": "2026-11-21T12:00:08+00:00", "reason": "the bridge refused it"}]
    report = drift(waiting=waiting)
    assert report["waiting"] == [{"server": "srv1", **waiting[0]}]
    assert f"waiting on srv1: {CROSS}, 4 failures, next try in 8s: the bridge refused it" in render_report(report)


def test_a_server_that_is_not_as_declared_itself_is_told():
    report = drift(server_items=[{"name": "arch-ovs", "word": "wrong", "detail": "fail_mode: secure -> standalone"}])
    assert report["servers"]["srv1"]["state"] == "error"
    assert "fail_mode: secure -> standalone" in report["servers"]["srv1"]["reason"]
    assert not report["ok"]


def test_what_an_observation_knows_is_told_and_its_words_are_not_those_of_this_run():
    entry = {
        "at": "2026-11-21T11:00:00+00:00",
        "server": "srv1",
        "trigger": "ovsdb",
        "ms": 83,
        "seen": ["link y: wrong"],
        "done": ["~ port p"],
    }
    watch = {
        "watcher": {"state": "running", "pid": 7, "since": "2026-11-21T11:00:00+00:00", "version": "abc"},
        "reconciler": {"report": passed("srv1", {CROSS: {"word": "wrong"}}), "held": [LOCAL], "journal": [entry, entry]},
    }
    report = make_report(PLAN, {"srv1": {"watch": watch}, "srv2": {}}, at=NOW, journal=1)
    assert link_of(report)["word"] == ""
    assert report["held"] == [LOCAL]
    assert report["journal"] == [entry]
    text = render_report(report)
    assert "srv1    running  1h   0s ago (run, 80 ms): nothing to do" in text
    assert "2026-11-21 11:00:00 srv1 (ovsdb, 83 ms): saw link y: wrong; ~ port p" in text
    assert make_report(PLAN, {"srv1": {"watch": watch}}, hold=[], at=NOW)["held"] == []


def test_watchers_are_told_of_unasked_only_where_one_is_not_like_the_others():
    def shown(*states):
        watches = [{"watch": {"watcher": {"state": state, "pid": None, "since": "", "version": ""}}} for state in states]
        return render_report(make_report(PLAN, dict(zip(("srv1", "srv2"), watches, strict=True))))

    assert "WATCHER" not in shown("absent", "absent")
    assert "WATCHER" not in shown("running", "running")
    assert "stopped" in shown("running", "stopped")
    assert "not installed" in shown("running", "absent")


def test_seconds_and_text_are_times_alike():
    facts = {"srv1": {"reconcile": passed("srv1", {LOCAL: {"since": 1_795_255_200.0}})}}
    assert Watched(facts).since(LOCAL, ["srv1"], "up", NOW) == "2026-11-21T10:00:00+00:00"
