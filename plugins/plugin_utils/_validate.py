# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""All that can be said of a file without a server: it is loaded as the inventory does it, and planned as a deployment does it.

What a deployment asks the servers for (images, what is there already, path MTU) is left out, and nothing is written.
"""

from __future__ import annotations

import ipaddress
import os
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError, Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import SUFFIXES, load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._model import LabFile, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._overlay import ServerFacts
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology

LAB_FILE = "lab file"
TOPOLOGY = "topology"
_STAND_IN = "server"
_RESERVED = int(ipaddress.IPv4Address("240.0.0.0"))
"""Addresses that no server has (RFC 1112, section 4), for servers whose own is not known here."""
_MEASURED = ("the path MTU was not measured", " is lowered to ")
"""Notes that would be others once the servers are asked."""

Groups = t.Callable[[str], t.Sequence[str]]


@dataclass(frozen=True)
class Checked:
    """What came of a file. sort: what it is. problems: why it cannot be deployed. notes: what the user should know all the same.

    unchecked: what could not be looked at, and why. nodes: kind -> how many. links: type -> how many; a segment is one, however many
    links of the file end at it. servers: server -> how many nodes; empty where they are not known.
    """

    path: str
    sort: str
    lab: str = ""
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    nodes: t.Mapping[str, int] = field(default_factory=dict)
    links: t.Mapping[str, int] = field(default_factory=dict)
    servers: t.Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, t.Any]:
        return {
            "path": self.path,
            "sort": self.sort,
            "lab": self.lab,
            "ok": not self.problems,
            "problems": [
                {"file": one.file, "line": one.line, "column": one.column, "what": one.what, "remedy": one.remedy} for one in self.problems
            ],
            "notes": [*self.notes],
            "unchecked": [*self.unchecked],
            "nodes": dict(self.nodes),
            "links": dict(self.links),
            "servers": dict(self.servers),
        }


def validate(path: str, groups: Groups | None = None, environment: t.Mapping[str, str] | None = None) -> Checked:
    """Check a file. groups: the hosts of a group of the inventory, none where there is no such group. environment: see load_topology."""
    path = os.path.abspath(path)
    sort = LAB_FILE if path.endswith(SUFFIXES) else TOPOLOGY
    try:
        lab_file = load_lab_file(path, environment) if sort == LAB_FILE else _around(path, environment)
    except LabFileError as error:
        return Checked(path, sort, problems=tuple(_misnamed(path, error.problems) if sort == TOPOLOGY else error.problems))
    servers, unchecked = _servers(lab_file, groups) if sort == LAB_FILE else ([], "")
    facts = _facts(lab_file, servers or sorted({_STAND_IN, *lab_file.pins.values()}))
    problems: tuple[Problem, ...] = ()
    notes = lab_file.topology.notes
    placement: dict[str, str] = {}
    try:
        plan = make_plan(lab_file, facts, {}, complete=False)
    except LabFileError as error:
        problems = error.problems
    else:
        notes = tuple(note for note in plan["notes"] if not any(words in note for words in _MEASURED))
        placement = plan["placement"] if servers else {}
    topology = lab_file.topology
    return Checked(
        path=path,
        sort=sort,
        lab=topology.name,
        problems=tuple(sorted({*problems, *topology.missing})),
        notes=notes,
        unchecked=(unchecked,) if unchecked else (),
        nodes=_counted(node.kind for node in topology.nodes.values()),
        links=_counted(_type_of(link) for link in topology.links.values()),
        servers=_counted(placement.values()),
    )


def _around(path: str, environment: t.Mapping[str, str] | None) -> LabFile:
    """The lab file that somebody might write for a topology: all that it may leave out is left out."""
    if path.endswith(".gotmpl"):
        raise LabFileError([Problem(path, 0, 0, "Go templates are not supported", "Name the file that the template was rendered to")])
    return LabFile(path, load_topology(path, environment), _STAND_IN)


def _misnamed(path: str, problems: t.Sequence[Problem]) -> t.Sequence[Problem]:
    """A lab file that is not called like one would only be told that it is no topology."""
    for problem in problems:
        if problem.what.startswith('unknown key "plugin"'):
            what = "this is a lab file, but is not called like one"
            return [Problem(path, problem.line, problem.column, what, f"Rename it to end in {SUFFIXES[0]}")]
    return problems


def _servers(lab_file: LabFile, groups: Groups | None) -> tuple[list[str], str]:
    """The names of the servers, and what is not checked where they are not known."""
    if not isinstance(lab_file.servers, str):
        return sorted(lab_file.servers), ""
    names = sorted(groups(lab_file.servers)) if groups else []
    if names:
        return names, ""
    what = f"where nodes go and whether there are tags for all links: group {lab_file.servers} of servers is not in the inventory"
    return [], f"{what}. Give it, with -i"


def _facts(lab_file: LabFile, servers: t.Sequence[str]) -> dict[str, ServerFacts]:
    """Servers with the addresses that the lab file itself says; with others in place of all of them where it does not say each."""
    written = {} if isinstance(lab_file.servers, str) else lab_file.servers
    found = {name: _literal(written.get(name) or {}) for name in servers}
    if not all(found.values()):
        found = {name: str(ipaddress.IPv4Address(_RESERVED + place)) for place, name in enumerate(servers, 1)}
    return {name: ServerFacts(address) for name, address in found.items()}


def _literal(variables: t.Mapping[str, t.Any]) -> str:
    """The address of a server, where it is written as one and not as a name."""
    text = str(variables.get("lab_underlay_address") or variables.get("ansible_host") or "")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _type_of(link: TopologyLink) -> str:
    if link.far:
        return link.far.type
    return "segment" if link.segment else "veth"


def _counted(names: t.Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))
