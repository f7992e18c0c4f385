# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Which node runs on which server, and the lock file that makes it last.

A pin wins over the lock file, the lock file over where the node runs now, and this over the default.
"""

from __future__ import annotations

import heapq
import json
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError, Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Place, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean

LOCK_FORMAT = 1
_LOCK_HEADER = """\
# Written by archetype.lab at the last deployment; commit it, and every node stays on its server. Do not edit: pin nodes in the lab file.
# placement, management, gateways and addresses are read at the next deployment; tags and vnis are for readers.
"""
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def place(
    topology: Topology,
    servers: t.Sequence[str],
    pins: t.Mapping[str, str],
    locked: t.Mapping[str, str],
    live: t.Mapping[str, str] | None = None,
    *,
    bound: t.Mapping[str, str] | None = None,
    file: str = "",
    places: t.Mapping[str, Place] | None = None,
) -> dict[str, str]:
    """Node -> server, sorted by node. Neither the order of the servers nor that of the file matters.

    locked and live: a server that is not there any more is passed over. Raises LabFileError for a pin to such a server.
    bound: nodes that can run on one server only, because of what is there; a pin to another one is for others to complain about.
    places: where pins are written, for messages.
    Nodes that must be beside each other are placed as one. Deciding by capacity belongs into C(_Default).
    """
    there = sorted(set(servers))
    file = file or topology.file
    if not there:
        raise LabFileError([Problem(file, 0, 0, "there is no server to place nodes on", "Put hosts into the group that servers names")])
    problems = [
        Problem(
            *_at(node, places, file),
            f"node {node} is pinned to server {server}, which is not one of {', '.join(there)}",
            did_you_mean(server, there) or "Correct placement",
        )
        for node, server in pins.items()
        if node in topology.nodes and server not in there
    ]
    groups = groups_of(topology)
    problems += _torn(groups, pins, topology, lambda node: _at(node, places, file))
    if problems:
        raise LabFileError(problems)
    if len(there) == 1:
        return dict.fromkeys(sorted(topology.nodes), there[0])
    fixed: dict[str, str] = {}
    for source in (live or {}, locked, bound or {}, pins):
        known = {node: source[node] for node in sorted(source, reverse=True) if node in topology.nodes and source[node] in there}
        fixed.update({groups[node]: server for node, server in known.items()})
    placed = _Default(topology, groups, there, fixed).place()
    return {node: placed[groups[node]] for node in sorted(topology.nodes)}


def groups_of(topology: Topology) -> dict[str, str]:
    """Node -> the first, by name, of the nodes that must be on one server with it; itself where it is alone."""
    first = {name: name for name in topology.nodes}

    def find(name: str) -> str:
        while first[name] != name:
            first[name] = first[first[name]]
            name = first[name]
        return name

    for name in sorted(topology.nodes):
        for other in topology.nodes[name].beside:
            if other in first:
                one, two = sorted((find(name), find(other)))
                first[two] = one
    return {name: find(name) for name in first}


def _at(node: str, places: t.Mapping[str, Place] | None, file: str) -> tuple[str, int, int]:
    """Where a pin is written; the file, where that is not known."""
    place = (places or {}).get(node)
    return (place.file, place.line, place.column) if place else (file, 0, 0)


def _torn(
    groups: t.Mapping[str, str], pins: t.Mapping[str, str], topology: Topology, at: t.Callable[[str], tuple[str, int, int]]
) -> list[Problem]:
    """Pins of nodes that must be beside each other to different servers."""
    first: dict[str, str] = {}
    problems = []
    for node in sorted(pins):
        if node in topology.nodes:
            other = first.setdefault(groups[node], node)
            if pins[other] != pins[node]:
                what = (
                    f"nodes {other} and {node} are pinned to servers {pins[other]} and {pins[node]}, but one has the network of the other"
                )
                problems.append(Problem(*at(node), what, "Pin them to one server"))
    return problems


class _Default:
    """The deterministic default for the nodes that nothing fixes: as many everywhere, linked nodes together.

    One server after the other is filled to its share, always with the node that has the most links to those already there.
    """

    def __init__(self, topology: Topology, groups: t.Mapping[str, str], servers: t.Sequence[str], fixed: t.Mapping[str, str]) -> None:
        """groups: see groups_of; a group is a node here, called like its first."""
        nodes = sorted(set(groups.values()))
        self.servers = servers
        self.placement = dict(fixed)
        self.left = {node for node in nodes if node not in fixed}
        self.links: dict[str, list[str]] = {node: [] for node in nodes}
        self.ends = {key: sorted({groups[end.node] for end in link.endpoints}) for key, link in topology.links.items()}
        for key in sorted(self.ends):
            for node in self.ends[key]:
                self.links[node].append(key)

    def place(self) -> dict[str, str]:
        here: dict[str, list[str]] = {server: [] for server in self.servers}
        for node in sorted(self.placement):
            here[self.placement[node]].append(node)
        for server, share in self._shares({server: len(nodes) for server, nodes in here.items()}).items():
            self._fill(server, here[server], share)
        return self.placement

    def _shares(self, loads: t.Mapping[str, int]) -> dict[str, int]:
        """How many more nodes each server takes: each goes where there are fewest, so none exceeds ceil(nodes / servers) by them."""
        shares = dict.fromkeys(self.servers, 0)
        queue = [(loads[server], server) for server in self.servers]
        heapq.heapify(queue)
        for _node in self.left:
            load, server = queue[0]
            shares[server] += 1
            heapq.heapreplace(queue, (load + 1, server))
        return shares

    def _fill(self, server: str, here: t.Sequence[str], share: int) -> None:
        """Place C(share) nodes. A node may be in the queue several times; the entry with its highest gain comes first."""
        gains: dict[str, int] = {}
        reached: set[str] = set()
        queue: list[tuple[int, int, str]] = []

        def reach(node: str) -> None:
            for key in self.links[node]:
                if key in reached:
                    continue
                reached.add(key)
                for other in self.ends[key]:
                    if other in self.left:
                        gains[other] = gains.get(other, 0) + 1
                        heapq.heappush(queue, (-gains[other], len(self.links[other]), other))

        if share:
            for node in here:
                reach(node)
            starts = iter(sorted(self.left, key=lambda node: (len(self.links[node]), node)))
        while share:
            node = ""
            while queue and not node:
                _gain, _degree, best = heapq.heappop(queue)
                node = best if best in self.left else ""
            node = node or next(one for one in starts if one in self.left)
            self.left.discard(node)
            self.placement[node] = server
            share -= 1
            reach(node)


@dataclass(frozen=True)
class Lock:
    """What the lock file of a lab says; empty where there is none. management: C(ipv4), C(ipv6) -> subnet.

    addresses, gateways: node or server -> its own.
    """

    lab: str = ""
    placement: t.Mapping[str, str] = field(default_factory=dict)
    tags: t.Mapping[str, t.Mapping[str, int]] = field(default_factory=dict)
    vnis: t.Mapping[str, int] = field(default_factory=dict)
    management: t.Mapping[str, str] = field(default_factory=dict)
    addresses: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    gateways: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)


def read_lock(path: str) -> Lock:
    """The lock file, or an empty Lock when there is none. Raises LabFileError when it cannot be used."""
    remedy = "Restore it from version control, or delete it: nodes that run stay where they are"
    try:
        with open(path, encoding="utf-8") as stream:
            content = yaml.load(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except FileNotFoundError:
        return Lock()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        what = f"this lock file is not YAML: {getattr(error, 'problem', None) or 'it cannot be parsed'}"
        raise LabFileError([Problem(path, line, column, what, remedy)]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise LabFileError([Problem(path, 0, 0, f"this lock file cannot be read: {error}", remedy)]) from error
    wrong = _lock_fault(content)
    if wrong:
        raise LabFileError([Problem(path, 0, 0, f"this lock file is broken: {wrong}", remedy)])
    rest = {key: content.get(key) or {} for key in ("tags", "vnis", "management", "addresses", "gateways")}
    return Lock(content["lab"], content["placement"], **rest)


def _lock_fault(content: t.Any) -> str:
    """What is wrong with the content of a lock file, or nothing."""
    if not isinstance(content, dict):
        return "it is not a mapping"
    if content.get("format") != LOCK_FORMAT:
        return f"format is {content.get('format')!r}, not {LOCK_FORMAT}"
    if not isinstance(content.get("lab"), str):
        return "lab is not a name"
    for key in ("placement", "tags", "vnis", "management", "addresses", "gateways"):
        if not isinstance(content.get(key) or {}, dict):
            return f"{key} is not a mapping"
    placement = content.get("placement")
    if not isinstance(placement, dict):
        return "placement is missing"
    bad = [str(node) for node, server in placement.items() if not isinstance(node, str) or not isinstance(server, str)]
    if bad:
        return f"placement of {bad[0]} is not the name of a server"
    if not all(isinstance(subnet, str) for subnet in (content.get("management") or {}).values()):
        return "management has something else than subnets"
    lists = [(key, str(name), known) for key in ("addresses", "gateways") for name, known in (content.get(key) or {}).items()]
    return next((f"{key} of {name} are not a list of addresses" for key, name, known in lists if not _are_texts(known)), "")


def _are_texts(values: t.Any) -> bool:
    return isinstance(values, list) and all(isinstance(one, str) for one in values)


def render_lock(plan: t.Mapping[str, t.Any]) -> str:
    """The content of the lock file of a plan: the same plan gives the same bytes."""
    lines = [f"format: {LOCK_FORMAT}", f"lab: {_text(plan['lab'])}"]
    links = sorted(plan["links"].items())
    lines += _block("placement", ((node, _text(server)) for node, server in sorted(plan["placement"].items())))
    if plan.get("management"):
        lines += _network_blocks(plan["management"])
    lines += _block("tags", ((key, _flow(link["tags"])) for key, link in links if link["tags"]))
    lines += _block("vnis", ((key, str(link["vni"])) for key, link in links if link["vni"] is not None))
    return _LOCK_HEADER + "".join(line + "\n" for line in lines)


def _network_blocks(network: t.Mapping[str, t.Any]) -> list[str]:
    subnets = ((name, network[f"{name}_subnet"]) for name in ("ipv4", "ipv6"))
    lists = (("gateways", network["gateways"]), ("addresses", network["nodes"]))
    return [
        *_block("management", ((name, _text(subnet)) for name, subnet in subnets if subnet)),
        *(line for key, known in lists for line in _block(key, ((name, _addresses(known[name])) for name in sorted(known)))),
    ]


def _addresses(own: t.Mapping[str, str]) -> str:
    return _list(own[name] for name in ("ipv4", "ipv6") if own[name])


def holds_lock(path: str, text: str) -> bool:
    """Whether a file has this content. One that cannot be read is for whoever writes it to complain about."""
    try:
        return Path(path).read_bytes() == text.encode()
    except OSError:
        return False


def _block(name: str, entries: t.Iterable[tuple[str, str]]) -> list[str]:
    """A mapping with one line an entry, which reads well in a diff."""
    lines = [f"  {_text(key)}: {value}" for key, value in entries]
    return [f"{name}:", *lines] if lines else [f"{name}: {{}}"]


def _flow(values: t.Mapping[str, int]) -> str:
    return "{" + ", ".join(f"{_text(name)}: {value}" for name, value in sorted(values.items())) + "}"


def _list(values: t.Iterable[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _text(value: str) -> str:
    """A text in YAML: bare where no reader of YAML can take it for anything else, quoted as in JSON where one might."""
    bare = _BARE.fullmatch(value) and value.lower() not in _WORDS
    return value if bare else json.dumps(value, ensure_ascii=False)
