# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is asked of a pass over a lab, what came of it, and the report on that."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils import _backoff, _drift, _standing
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change, result_of
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._outcome import LAYERS
from ansible_collections.archetype.lab.plugins.module_utils._runner import error_dicts

Json = dict[str, t.Any]


@dataclass(frozen=True)
class Pass:
    """What is asked of a pass. trigger: why it is made, for the journal. patient: what failed lately is not tried before its time.

    starting: a run of several servers has just started nodes, so that what was told of those of others may be over.
    hold: link keys and nodes that are left alone from now on; None leaves held what is held.
    """

    lab: str
    owner: str = "someone"
    token: str = ""
    trigger: str = "run"
    check: bool = False
    diff: bool = False
    patient: bool = False
    starting: bool = False
    hold: t.Collection[str] | None = None


@dataclass
class Course:
    """What came of a pass. seen: changes that were due, with those that were left out. left: these alone.

    refused: errors of planning. errors: of doing it. waiting: links, nodes and objects that are not tried before their time.
    """

    declared: Declared
    layers: dict[str, t.Sequence[Change]] = field(default_factory=dict)
    seen: list[Change] = field(default_factory=list)
    left: list[Change] = field(default_factory=list)
    refused: list[LabError] = field(default_factory=list)
    errors: list[LabError] = field(default_factory=list)
    result: Json = field(default_factory=dict)
    stopped: frozenset[str] = frozenset()
    planned: bool = False
    waiting: frozenset[str] = frozenset()

    @property
    def done(self) -> list[Change]:
        """What was changed, without what was tried in vain."""
        lost = {name for error in self.errors for name in error.objects}
        return [change for layer in LAYERS for change in self.layers.get(layer, ()) if change.name not in lost]


def report_of(
    todo: Pass,
    course: Course,
    items: t.Sequence[_drift.Item],
    tries: _backoff.Tries,
    begun: float,
    took: int,
    errors: t.Sequence[LabError],
) -> Json:
    declared = course.declared
    changes = course.done
    links = {one.name: one for one in items if one.sort == "link"}
    nodes = {one.name: one for one in items if one.sort == "node"}
    keys = [link.key for link in declared.links]
    standing = _standing.load(todo.lab)
    statuses = {one["node"]: one["status"] for sort in ("containers", "vms") for one in course.result.get(sort) or ()}
    kinds = {**{one.node: ("container", one.kind) for one in declared.containers}, **{one.node: ("vm", one.kind) for one in declared.vms}}
    orphans = [one for one in items if one.word == _drift.ORPHAN and one.name not in kinds and one.name not in keys]
    return {
        **result_of(changes, diff=todo.diff),
        "lab": todo.lab,
        "server": declared.server,
        "at": _iso(begun),
        "trigger": todo.trigger,
        "ms": took,
        "errors": [one for error in errors for one in error_dicts(error)],
        "links": [{"key": key, **_worded(links.get(key)), **(standing.get(key) or _standing.UNKNOWN)} for key in keys],
        "nodes": [
            {"name": node, "type": sort, "kind": kind, **_worded(nodes.get(node)), "status": statuses.get(node, "")}
            for node, (sort, kind) in sorted(kinds.items())
        ],
        "orphans": [{"name": one.name, "kind": one.sort, "detail": one.detail} for one in orphans],
        "server_items": [{"name": one.name, "word": one.word, "detail": one.detail} for one in items if one.sort == "server"],
        "waiting": [
            {"name": name, "failures": one.failures, "next": _iso(one.next), "reason": one.reason}
            for name, one in sorted(tries.waiting(begun + took / 1000).items())
            if name not in declared.wires
        ],
        "coming": list(course.result.get("coming") or ()),
        "held": sorted(declared.hold),
        "declared": _skeleton(declared),
    }


def _worded(item: _drift.Item | None) -> Json:
    return {"word": item.word, "detail": item.detail} if item is not None else {"word": _drift.IN_SYNC, "detail": ""}


def _skeleton(declared: Declared) -> Json:
    """What a controller needs to know of the slice, without what may be secret: files, environment, commands, access."""
    return {
        "bridge": declared.bridge.name,
        "taken_back": list(declared.taken_back),
        "links": [
            {"key": one.key, "mtu": one.mtu, "probe": one.probe, "endpoints": [vars(end) for end in one.endpoints]}
            for one in declared.links
        ],
        "ports": [
            {
                name: getattr(one, name)
                for name in ("name", "device", "link", "node", "interface", "sandbox", "mac", "mtu", "tag", "enabled")
            }
            for one in declared.ports
        ],
        "tunnels": [
            {
                **{name: getattr(one, name) for name in ("name", "vni", "local", "mtu", "link", "tag")},
                "remotes": list(one.remotes),
                "links": [vars(link) for link in one.links],
            }
            for one in declared.tunnels
        ],
        "containers": [
            {name: getattr(one, name) for name in ("name", "sandbox", "node", "kind", "image", "network", "hold")}
            for one in declared.containers
        ],
        "vms": [{name: getattr(one, name) for name in ("name", "node", "kind", "image")} for one in declared.vms],
        "management": {"hosts": [{"address": one.address, "names": list(one.names)} for one in declared.management.hosts]}
        if declared.management
        else None,
    }


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=timezone.utc).isoformat(timespec="milliseconds")
