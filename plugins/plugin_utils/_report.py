# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The report: per link and node, what is proven and what is wrong with it; and which halves of links must be taken back.

A link is up only after every kind of frame came from each of its endpoints to every other, and nothing of it came anywhere else.
"""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.archetype.lab.plugins.plugin_utils._cables import is_cable, running_ends, stopped_ends
from ansible_collections.archetype.lab.plugins.plugin_utils._compared import differences_of
from ansible_collections.archetype.lab.plugins.plugin_utils._node_states import NodeStates, State
from ansible_collections.archetype.lab.plugins.plugin_utils._outcome import Outcome, describe_change, joined
from ansible_collections.archetype.lab.plugins.plugin_utils._proof import Proof
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json
from ansible_collections.archetype.lab.plugins.plugin_utils._watched import IN_SYNC, Watched

LINK_STATES = ("up", "down", "error", "pending")
NODE_STATES = ("ready", "starting", "stopped", "error", "pending")
_HELD = "held; "
"""What an error of a link begins with that somebody holds. Its servers, which do not know why it is held, know it as an error."""
_LET_GO = "is held now, and would be let go"
"""Of what a run that names no holds would mend."""
_BUSY = "another run works on it"
_LINK_FIELDS = ("type", "far", "proof", "segment", "scope", "mtu", "asked_mtu", "vni", "tags", "tunnels", "endpoints")


def make_report(
    plan: Json,
    results: Json,
    *,
    predicted: bool = False,
    patient: bool = False,
    hold: t.Collection[str] | None = None,
    at: str = "",
    journal: int | None = None,
) -> dict[str, t.Any]:
    """The report on a run, as JSON values.

    results: server -> C({converge, certify, info, ready, reconcile, watch, unreachable}), each as the module returned it, or absent where
    it did not run. info counts only where converge is absent, or foretold: then it tells which nodes run. reconcile is what lab_reconcile
    said, which is given as converge too. watch is C(watcher) and C(reconciler) of lab_info. predicted: converge ran in check mode, so that
    its changes are differences that are still there. patient: a node that is late is starting; else it is an error. hold: links and nodes
    that are left alone; None is what the servers say of it.
    at: the time of the report. journal: how many entries of the servers' journals are in it; None where nobody asked.
    """
    return _Reporter(plan, results, predicted, patient, hold).report(at, journal)


def failed_links(plan: Json, results: Json) -> dict[str, list[str]]:
    """Server -> the links whose half must be taken back there, as their other half failed.

    It failed when there is an error on one of its objects. Where a whole server failed, or cannot be reached, the other half may be there
    from an earlier run, and working: then a half is only taken back where this run made or changed it. What still joins something stays:
    a segment of two or more servers that are well, and the management network, which joins the nodes of each server to that server.
    Whether nodes are ready has no say in it.
    """
    wired = {server: {stage: one for stage, one in result.items() if stage != "ready"} for server, result in results.items()}
    reporter = _Reporter(plan, wired)
    back: dict[str, list[str]] = {server: [] for server in sorted(plan["slices"])}
    for key, link in sorted(plan["links"].items()):
        own = {server: reporter.outcomes[server].errors_of(reporter.link_names(key, server)) for server in link["servers"]}
        down = {server for server in link["servers"] if reporter.outcomes[server].down()}
        failed = {server for server, errors in own.items() if errors and server not in down}
        well = sorted(set(own) - failed - down)
        if len(well) > 1 or (plan["management"] and key == plan["management"]["link"]):
            continue
        for server in well:
            fresh = bool(reporter.outcomes[server].changes_of(reporter.link_names(key, server)))
            if failed or (down and fresh):
                back[server].append(key)
    return back


class _Reporter:
    def __init__(
        self, plan: Json, results: Json, predicted: bool = False, patient: bool = False, hold: t.Collection[str] | None = None
    ) -> None:
        self.plan = plan
        self.predicted = predicted
        self.watched = Watched(results)
        self.held = self.watched.held() if hold is None else set(hold)
        self.differing: Json = plan.get("differences") or {"links": {}, "nodes": {}}
        self.off = {port["link"] for part in plan["slices"].values() for port in part["ports"] if port.get("enabled") is False}
        self.nodes: Json = plan["nodes"]
        self.links: Json = plan["links"]
        self.outcomes = {server: Outcome(plan, server, results.get(server) or {}) for server in sorted(plan["slices"])}
        self.busy = {server: one.busy for server, one in self.outcomes.items() if one.busy}
        if self.busy:  # a run that is under way brings halves of links one after the other
            self.differing = {"links": {}, "nodes": {}}
        self.certifying = any(one.certified is not None or one.certify_error for one in self.outcomes.values())
        self.looking = self.certifying or self.watched.compared
        """Whether this run tells how the lab is, and not only what would be done to it."""
        self.released = self.watched.held_before() - self.held if predicted and self.watched.compared else set()
        """What is held now, and would not be after this run."""
        self.devices = NodeStates(plan, self.outcomes, predicted=predicted, patient=patient, certifying=self.looking)
        self.proof = Proof(plan, {server: one.certified for server, one in self.outcomes.items() if one.certified is not None})

    def report(self, at: str = "", journal: int | None = None) -> dict[str, t.Any]:
        self.at = at
        self.node_states = {name: self._node_state(name) for name in sorted(self.nodes)}
        self.stopped = {name for name, (state, _reason) in self.node_states.items() if state == "stopped"}
        link_states = {key: self._link_state(key) for key in sorted(self.links)}
        servers = {server: self._server(outcome) for server, outcome in self.outcomes.items()}
        states = {
            "links": Counter(state for state, _reason in link_states.values()),
            "nodes": Counter(state for state, _reason in self.node_states.values()),
        }
        orphans = self.watched.orphans()
        return {
            "lab": self.plan["lab"],
            "at": at,
            "busy": next(iter(self.busy.values()), ""),
            "ok": not (self._wrong(states) or any(one["state"] != "ok" for one in servers.values()) or (self.watched.compared and orphans)),
            "summary": {
                "links": {state: states["links"][state] for state in LINK_STATES},
                "nodes": {state: states["nodes"][state] for state in NODE_STATES},
            },
            "links": [self._link(key, *link_states[key]) for key in link_states],
            "nodes": [self._node(name, *self.node_states[name]) for name in self.node_states],
            "notes": [*self.plan["notes"], *self.proof.notes],
            "servers": servers,
            "mended": self._mended(),
            "orphans": orphans,
            "waiting": self.watched.waiting(),
            "held": sorted(self.held),
            **({} if journal is None else {"journal": self.watched.journal(journal)}),
        }

    def _wrong(self, states: t.Mapping[str, Counter[str]]) -> bool:
        """Every node is declared to run: one that does not is wrong, once somebody looked, and so are its links; but for what is held."""
        return bool(states["links"]["error"] or states["nodes"]["error"] or (self.looking and self.stopped - self.held))

    def _link(self, key: str, state: str, reason: str) -> dict[str, t.Any]:
        link = self.links[key]
        word, detail = self.watched.link_word(key, link["servers"])
        proven = self.watched.proven(key, link["servers"])
        if self.proven(key):
            proven = {"by": link["proof"] if state == "up" else "", "at": self.at if state == "up" else ""}
        return {
            "key": key,
            "state": state,
            "reason": reason,
            "since": self._since(key, state, reason),
            "proven": proven,
            "word": word,
            "detail": detail,
            "held": key in self.held | self.released,
            **{name: link[name] for name in _LINK_FIELDS},
        }

    def _since(self, key: str, state: str, reason: str) -> str:
        """Since when a link is in this state. What would be done to it is in no state yet; a cable was down till its nodes were started."""
        if state == "pending" and not self.looking:
            return ""
        link = self.links[key]
        ends = {end["node"] for end in link["endpoints"]}.intersection(self.nodes) if is_cable(key, link) else set()
        if state == "up" and any(self.devices.started(name) for name in ends):
            return self.at
        return self.watched.since(key, self.links[key]["servers"], "error" if reason.startswith(_HELD) else state, self.at)

    def _node(self, name: str, state: str, reason: str) -> dict[str, t.Any]:
        node = self.nodes[name]
        return {
            "name": name,
            "state": state,
            "reason": reason,
            "since": self.devices.since(name),
            **dict(zip(("word", "detail"), self.watched.node_word(name, node["server"]), strict=True)),
            "held": name in self.held | self.released,
            **{field: node[field] for field in ("type", "kind", "server", "container", "domain", "image", "shell")},
            "console": node.get("console"),
            "management": {family: (node["management"] or {}).get(family, "") for family in ("ipv4", "ipv6")},
        }

    # names of objects, as errors and changes have them

    def link_names(self, key: str, server: str) -> set[str]:
        """What a link has on a server: its ports, its tunnel, and the sandboxes that its endpoints are in.

        An end that is a server's own is in none.
        """
        link = self.links[key]
        names = {key, link["tunnels"].get(server, key)}
        for end in link["endpoints"]:
            if end["server"] == server:
                names |= {end["port"], f"{end['node']}:{end['interface']}"}
        return names | self._sandboxes(link, server)

    def _sandboxes(self, link: Json, server: str) -> set[str]:
        ends = (end for end in link["endpoints"] if end["server"] == server and end["node"] in self.nodes)
        return {self.nodes[end["node"]]["sandbox"] for end in ends} - {""}

    def node_names(self, name: str) -> set[str]:
        """A machine is in no sandbox."""
        return {name, *(self.nodes[name][field] for field in ("container", "sandbox", "domain"))} - {""}

    # servers

    def _mended(self) -> list[dict[str, str]]:
        """What reconciling put right, in words of what was wrong."""
        return [
            {"server": server, "what": describe_change(change)}
            for server, outcome in self.outcomes.items()
            if server in self.watched.fresh and not self.predicted
            for change in outcome.told
            if change.get("kind") != "state"
        ]

    def _server(self, outcome: Outcome) -> dict[str, t.Any]:
        """Whether all is well beside its links and nodes, whether it watches itself, and when it last did."""
        state, reason = self._server_state(outcome)
        known = {"watcher": self.watched.watcher(outcome.server), "last_pass": self.watched.last_pass(outcome.server)}
        return {"state": state, "reason": reason, **known}

    def _server_state(self, outcome: Outcome) -> State:
        """Every error is told somewhere: what is neither a link's nor a node's is the server's."""
        if outcome.unreachable:
            return "unreachable", outcome.unreachable
        if outcome.broken:
            return "error", outcome.broken
        names: set[str] = set()
        for key, link in self.links.items():
            if outcome.server in link["servers"]:
                names |= self.link_names(key, outcome.server)
        for name, node in self.nodes.items():
            if node["server"] == outcome.server:
                names |= self.node_names(name)
        reasons = outcome.errors_beside(names)
        if outcome.certify_error:
            reasons.append(f"certification failed: {outcome.certify_error}")
        if self.predicted and self.watched.compared:
            reasons += self.watched.faults_of_server(outcome.server)
        return "error" if reasons else "ok", joined(reasons)

    # nodes

    def _node_state(self, name: str) -> State:
        """What somebody holds may be as it is, where that is known."""
        outcome = self.outcomes[self.nodes[name]["server"]]
        if outcome.busy:
            return "pending", _BUSY
        state, reason = self.devices.state(name, self.node_names(name))
        if name in self.differing["nodes"]:
            state, reason = "error", joined([self.differing["nodes"][name], reason])
        word, detail = self.watched.node_word(name, outcome.server)
        if state == "error" and not outcome.down() and word not in ("", IN_SYNC) and name not in self.differing["nodes"]:
            reason = detail or reason
        if name in self.held and not outcome.down():
            rests = (self.devices.rests(name) if self.predicted else "") or self.watched.rests(name, outcome.server)
            if state in ("error", "stopped"):
                return "stopped", joined(["held", reason])
            if state == "ready" and rests:
                return "stopped", joined(["held", rests])
        return state, joined([_LET_GO, reason]) if name in self.released else reason

    # links

    def _link_state(self, key: str) -> State:
        """What somebody holds may be as it is: then it is down, and no error. Of what cannot be asked, nobody knows."""
        servers = [self.outcomes[server] for server in self.links[key]["servers"]]
        if any(one.busy for one in servers):
            return "pending", _BUSY
        state, reason = self._judged(key)
        if key in self.held and state == "error" and not any(one.down() for one in servers):
            return "down", f"{_HELD}{reason}"
        return state, joined([_LET_GO, reason]) if key in self.released else reason

    def proven(self, key: str) -> bool:
        """Whether this run looked at what proves a link, on any of its servers."""
        return any(self.outcomes[server].certified is not None for server in self.links[key]["servers"] if server in self.outcomes)

    def _judged(self, key: str) -> State:
        link = self.links[key]
        ends = link["endpoints"]
        errors = [reason for server in link["servers"] for reason in self._link_errors(key, server)]
        if key in self.differing["links"]:
            errors.insert(0, self.differing["links"][key])
        if errors:
            return "error", joined(errors)
        dead = stopped_ends(key, link, self.stopped)
        if dead:
            return "down", f"node {', '.join(dead)} does not run" if len(dead) == 1 else f"nodes {', '.join(dead)} do not run"
        if len(ends) < 2 and link["proof"] == "frames":
            return "down", "only one endpoint" if ends else "no endpoint"
        if key in self.off:
            return "down", "it is declared down"
        differences = [text for server in link["servers"] for text in self._differences(key, server)]
        _word, detail = self.watched.link_word(key, link["servers"])
        if differences and detail:
            differences = [detail]
        unproven = [self.outcomes[server] for server in link["servers"] if self.outcomes[server].certified is None]
        if len(unproven) == len(link["servers"]) and not any(one.certify_error for one in unproven):
            if self.watched.compared:
                return self._remembered(key, differences)
            if differences and not (self.predicted and not self.certifying):
                return "error", joined(differences)
            silent = all(one.silent for one in unproven)
            would = f"{len(differences)} of its objects would change" if differences else "would not change" if self.predicted else ""
            return "pending", "nothing was done" if silent else would or "not certified"
        missing = [f"{one.server} was not certified: {one.certify_error or 'no result'}" for one in unproven]
        faults = [*differences, *missing, *self.proof.faults(key, {one.server for one in unproven}, self.stopped)]
        if faults:
            return "error", joined(faults)
        if link["proof"] == "frames" and not is_cable(key, link) and len(running_ends(link, self.stopped)) < 2:
            return "down", "fewer than two of its nodes run"
        silent_ends = self.proof.without_carrier(key) if link["proof"] == "device" else ""
        return ("down", silent_ends) if silent_ends else ("up", "")

    def _remembered(self, key: str, differences: t.Sequence[str]) -> State:
        """How a link is that was compared in this run, and not sent frames through: as its servers know it, where nothing differs."""
        servers = self.links[key]["servers"]
        word, detail = self.watched.link_word(key, servers)
        if differences or word not in ("", IN_SYNC):
            return "error", detail or joined(differences)
        state, reason = self.watched.standing(key, servers)
        return (state, reason) if state else ("pending", "not certified")

    def _link_errors(self, key: str, server: str) -> list[str]:
        outcome = self.outcomes[server]
        if outcome.down():
            return [outcome.down()]
        return [f"{server}: {message}" for message in outcome.errors_of(self.link_names(key, server))]

    def _differences(self, key: str, server: str) -> list[str]:
        """What is not as declared on a server now; a converge that was no prediction has read everything back itself."""
        outcome = self.outcomes[server]
        if self.predicted:
            names = self.link_names(key, server) - self._sandboxes(self.links[key], server)
            return [f"{server}: {describe_change(one)}" for one in outcome.changes_of(names)]
        if outcome.info is None:
            return []
        return differences_of(key, server, outcome.info, self.plan["slices"][server])
