# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The state of every node of a report: whether it is there, whether it runs, and how ready it is."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._outcome import Outcome, describe_change, joined
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

State = tuple[str, str]
"""A state, and the reason for it."""


def object_of(node: Json) -> str:
    """The name of what a node is on its server: of its domain, or of its container."""
    return str(node["domain"] or node["container"])


class NodeStates:
    """outcomes: of every server. predicted, patient: as for the report. certifying: whether any server was asked for proof of the links."""

    def __init__(self, plan: Json, outcomes: t.Mapping[str, Outcome], *, predicted: bool, patient: bool, certifying: bool) -> None:
        self.nodes: Json = plan["nodes"]
        self.outcomes = outcomes
        self.predicted = predicted
        self.patient = patient
        self.certifying = certifying
        parts = plan["slices"].values()
        declared = {one["name"] for part in parts for sort in ("containers", "vms") for one in part.get(sort) or ()}
        self.foreign = {object_of(node) for node in self.nodes.values()} - declared
        """Containers that are not the lab's: their links tell whether they run."""
        self.ending = {one["name"] for part in parts for one in part["containers"] if one.get("hold") == "exit"}
        """Containers that are to end by themselves, and are ready when they did."""
        self.awaited = {str(one["node"]) for part in parts for one in part.get("access") or () if one.get("readiness")}
        """Nodes that are not ready as soon as they run."""

    def since(self, name: str) -> str:
        """When what runs of a node was started; empty where that is not known."""
        node = self.nodes[name]
        outcome = self.outcomes[node["server"]]
        return str((outcome.readiness or {}).get(name, {}).get("since") or outcome.starts.get(object_of(node), ""))

    def started(self, name: str) -> bool:
        """Whether this run started a node that was there, and did not run."""
        node = self.nodes[name]
        changes = self.outcomes[node["server"]].changes_of({object_of(node)})
        return not self.predicted and any(one.get("action") == "start" and one.get("kind") in ("container", "vm") for one in changes)

    def rests(self, name: str) -> str:
        """That a node does not run, as it was observed before this run foretold what it would do; nothing where that is not known."""
        node = self.nodes[name]
        outcome = self.outcomes[node["server"]]
        if outcome.seen is None or object_of(node) in self.foreign:
            return ""
        state, reason = self._observed_node(node, outcome)
        return reason if state == "stopped" else ""

    def state(self, name: str, names: t.Collection[str]) -> State:
        """names: of the node's objects, as errors have them."""
        node = self.nodes[name]
        outcome = self.outcomes[node["server"]]
        errors = [outcome.down()] if outcome.down() else outcome.errors_of(names)
        if errors:
            return "error", joined(errors)
        state, reason = self._state_there(name, node, outcome)
        return (state, reason) if state != "ready" else self._readiness(name, node, outcome)

    def _state_there(self, name: str, node: Json, outcome: Outcome) -> State:
        """Whether what is declared of a node is there, and runs: so far, it is ready."""
        if self.predicted:
            objects = {node["container"], node["sandbox"]} if node["type"] == "container" else {node["domain"], name}
            return self._predicted_node(outcome, outcome.changes_of(objects))
        if outcome.info is not None:
            return ("ready", "") if object_of(node) in self.foreign else self._observed_node(node, outcome)
        if outcome.cut_short:
            return "error", joined(message for message, _objects in outcome.errors)
        status = outcome.statuses.get(object_of(node), "running")
        if status != "running":
            return "stopped", f"{self._noun(node)} {object_of(node)} is {status}"
        return ("ready", "") if outcome.converged else ("pending", "nothing was done")

    def _readiness(self, name: str, node: Json, outcome: Outcome) -> State:
        """How ready a node is that runs. What nobody looked at is not called ready, unless it is as soon as it runs."""
        machine = outcome.machines.get(object_of(node), {})
        restart = f"needs restart ({', '.join(machine['needs_restart'])})" if machine.get("needs_restart") else ""
        found = (outcome.readiness or {}).get(name)
        if found is None:
            if outcome.unwatched and name in self.awaited:
                return "error", f"nobody knows whether it is ready: {outcome.unwatched}"
            if name in self.awaited and not self.predicted:
                return "starting", joined(["it runs, and nobody has looked whether it is ready", restart])
            return "ready", restart
        if found["state"] == "stopped" and object_of(node) in self.ending:
            return "ready", ""
        if found["state"] == "failed" or (found["late"] and not self.patient):
            return "error", joined([found["reason"], restart])
        return found["state"], joined([found["reason"], restart])

    def _noun(self, node: Json) -> str:
        return "domain" if node["type"] == "vm" else "container"

    def _predicted_node(self, outcome: Outcome, changes: t.Sequence[Json]) -> State:
        if outcome.silent or (changes and not self.certifying):
            return "pending", joined([f"{one['kind']} would be {_done(one['action'])}" for one in changes]) or "nothing was done"
        starts = [one for one in changes if one.get("action") == "start"]
        if starts and all(one.get("action") in ("start", "run") for one in changes):
            return "stopped", joined([f"{one['kind']} {one['name']} is not running" for one in starts])
        return ("error", joined([describe_change(one) for one in changes])) if changes else ("ready", "")

    def _observed_node(self, node: Json, outcome: Outcome) -> State:
        if node["type"] == "vm":
            status = outcome.seen_machines.get(object_of(node), "absent")
            if status == "absent":
                return "error", f"domain {object_of(node)} is missing"
            return ("ready", "") if status == "running" else ("stopped", f"domain {object_of(node)} is {status}")
        found = next((one for one in (outcome.seen or {}).get("containers") or () if one.get("name") == object_of(node)), None)
        if found is None:
            return "error", f"container {object_of(node)} is missing"
        done = object_of(node) in self.ending and found.get("status") == "exited" and found.get("exit_code") == 0
        for name, status in (
            (object_of(node), "running" if done else found.get("status")),
            (node["sandbox"], found.get("sandbox_status", "running")),
        ):
            if status != "running":
                return "stopped", f"container {name} is {status}"
        return "ready", ""


def _done(action: str) -> str:
    return {"stop": "stopped", "run": "run"}.get(action, action + ("d" if action.endswith("e") else "ed"))
