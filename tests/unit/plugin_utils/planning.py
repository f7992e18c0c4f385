# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Topologies made by hand, and what a server would show after a plan was carried out."""

from __future__ import annotations

import random
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.plugin_utils._model import (
    EndpointRef,
    LabFile,
    Management,
    Node,
    Place,
    Topology,
    TopologyLink,
)
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts

FILE = "x.clab.yml"


def node(name: str, lab: str = "x", **fields: t.Any) -> Node:
    return Node(name, "linux", "img", Place(FILE, 3, 1), f"clab-{lab}-{name}", **fields)


def link(*ends: str | EndpointRef, segment: str = "", mtu: int | None = None) -> TopologyLink:
    refs = tuple(sorted(end if isinstance(end, EndpointRef) else EndpointRef(*end.split(":")) for end in ends))
    key = f"segment:{segment}" if segment else "--".join(ref.name for ref in refs)
    return TopologyLink(key, refs, Place(FILE, 9, 1), mtu=mtu, segment=segment)


def topology(
    links: t.Iterable[TopologyLink], *, lab: str = "x", nodes: t.Iterable[Node] = (), management: Management | None = None
) -> Topology:
    """Wires only, unless a management network is given."""
    links = list(links)
    named = {end.node: node(end.node, lab) for one in links for end in one.endpoints}
    named.update({one.name: one for one in nodes})
    return Topology(lab, named, {one.key: one for one in links}, FILE, management=management or Management(enabled=False))


def lab_file(made: Topology, **fields: t.Any) -> LabFile:
    return LabFile("x.lab.yml", made, "lab_servers", **fields)


def servers(count: int) -> dict[str, ServerFacts]:
    return {f"srv{number}": ServerFacts(f"198.18.0.{number}") for number in range(1, count + 1)}


def shuffled(made: Topology, seed: int) -> Topology:
    """The same topology, written in another order."""
    chance = random.Random(seed)
    nodes, links = list(made.nodes.items()), list(made.links.items())
    chance.shuffle(nodes)
    chance.shuffle(links)
    return replace(made, nodes=dict(nodes), links={key: replace(one, endpoints=one.endpoints[::-1]) for key, one in links})


def random_links(count: int, nodes: int, seed: int) -> list[TopologyLink]:
    chance = random.Random(seed)
    used = dict.fromkeys(range(nodes), 0)
    made = []
    for _number in range(count):
        ends = []
        for place in chance.sample(range(nodes), 2):
            used[place] += 1
            ends.append(f"n{place}:eth{used[place]}")
        made.append(link(*ends))
    return made


def nothing_observed(*, mtu: t.Mapping[str, int] | None = None, **claims: t.Any) -> dict[str, t.Any]:
    return {"claims": claims, "containers": [], "ports": [], "tunnels": [], "underlay": {"mtu": dict(mtu or {})}}


def observed_after(plan: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """What each server shows once the plan is carried out."""
    lab = plan["lab"]
    found = {}
    for server, declared in plan["slices"].items():
        found[server] = {
            **nothing_observed(),
            "containers": [{"lab": lab, "name": one["name"], "node": one["node"], "status": "running"} for one in declared["containers"]],
            "ports": [{**one, "lab": lab, "ofport": 1} for one in declared["ports"]],
            "tunnels": [{**one, "lab": lab, "ofport": 1} for one in declared["tunnels"]],
        }
    return found


def claims_after(plan: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    """What another lab sees of this one."""
    who = f"lab {plan['lab']}"
    found = {}
    for server, declared in plan["slices"].items():
        tunnels, ports = declared["tunnels"], declared["ports"]
        tags = [one["tag"] for one in (*ports, *tunnels) if one["tag"]] + [one["tag"] for tunnel in tunnels for one in tunnel["links"]]
        found[server] = nothing_observed(
            tags={str(tag): who for tag in tags},
            vnis={str(one["vni"]): who for one in tunnels},
            devices={one["name"]: who for one in (*ports, *tunnels)},
            macs={one["mac"]: who for one in ports},
            containers={name: who for one in declared["containers"] for name in (one["name"], one["sandbox"])},
        )
    return found
