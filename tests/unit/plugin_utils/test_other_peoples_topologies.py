# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies that other people wrote load as they are: every node and link of them, with the interfaces that containerlab gives them.

What is expected is found without our reader: the files are read with PyYAML, counted here, and interfaces follow containerlab_rules.py.
golden_endpoints.yml lists what every endpoint resolves to; to write it anew, run this file with Python, and read the difference.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import find_kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import linux_name, vendor_name
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from ansible_collections.archetype.lab.tests.unit.plugin_utils.containerlab_rules import RULES, SPECIAL, samples

ROOT = Path(__file__).resolve().parents[3]
SHARED = Path(os.environ.get("ARCHETYPE_LAB_TOPOLOGIES") or ROOT.parent / "shared" / "topologies")
GOLDEN = Path(__file__).with_name("golden_endpoints.yml")
NO_TOPOLOGIES = (
    "lab-examples/clos02/configs/leaf1.yaml",
    "lab-examples/clos02/configs/leaf2.yaml",
    "lab-examples/clos02/configs/leaf3.yaml",
    "lab-examples/clos02/configs/leaf4.yaml",
    "lab-examples/clos02/configs/spine1.yaml",
    "lab-examples/clos02/configs/spine2.yaml",
    "lab-examples/clos02/configs/spine3.yaml",
    "lab-examples/clos02/configs/spine4.yaml",
    "lab-examples/clos02/configs/superspine1.yaml",
    "lab-examples/clos02/configs/superspine2.yaml",
)
"""YAML files beside the topologies that are something else: configurations of devices."""
FILES = sorted(
    str(path.relative_to(SHARED))
    for path in (*SHARED.rglob("*.yml"), *SHARED.rglob("*.yaml"))
    if str(path.relative_to(SHARED)) not in NO_TOPOLOGIES
)
needs_shared = pytest.mark.skipif(not FILES, reason=f"no topologies of other people in {SHARED}")
SEGMENTS = {"bridge", "ovs-bridge"}
FAR = {"host", "mgmt-net", "macvlan"}


@dataclass
class Expected:
    """What is in a file by an independent reading. links: (what they are, written names by node) in the order of the file."""

    nodes: set[str] = field(default_factory=set)
    segments: set[str] = field(default_factory=set)
    kinds: dict[str, str] = field(default_factory=dict)
    links: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)


def substituted(text: str) -> str:
    """The one form of a variable that these files have."""
    return re.sub(r"\$\{\w+:=([^}]*)\}", r"\1", text)


def kind_of(topology: dict[str, Any], name: str) -> str:
    """Node, its group, the group of the defaults, the defaults."""
    node, defaults, groups = topology["nodes"][name] or {}, topology.get("defaults") or {}, topology.get("groups") or {}
    levels = (node, groups.get(node.get("group"), {}), groups.get(defaults.get("group"), {}), defaults)
    return next(level["kind"] for level in levels if "kind" in level)


def expected(path: Path) -> Expected:
    topology = yaml.safe_load(substituted(path.read_text(encoding="utf-8")))["topology"]
    found = Expected()
    for name in topology["nodes"]:
        kind = found.kinds[name] = kind_of(topology, name)
        (found.segments if kind in SEGMENTS else found.nodes).add(name)
    for link in topology.get("links") or []:
        if "endpoints" in link:
            ends = [(end["node"], end["interface"]) if isinstance(end, dict) else tuple(end.split(":", 1)) for end in link["endpoints"]]
            special = [node for node, _name in ends if node in FAR]
            sort = special[0] if special else "segment" if any(node in found.segments for node, _name in ends) else "veth"
        else:
            ends, sort = [(link["endpoint"]["node"], link["endpoint"]["interface"])], link["type"]
        found.links.append((sort, ends))
    return found


def resolved(path: Path) -> Topology:
    return load_topology(str(path), {})


def endpoints(path: Path) -> dict[str, dict[str, str]]:
    """Link as it was written -> node -> written name, Linux name and vendor name, the latter two as our reader has them."""
    topology = resolved(path)
    found: dict[str, dict[str, str]] = {}
    ends = {(end.node, end.interface): end for link in topology.links.values() for end in link.endpoints}
    for _sort, written in expected(path).links:
        shown = found.setdefault(" -- ".join(f"{node}:{name}" for node, name in written), {})
        for node, name in written:
            if node in topology.nodes:
                end = ends[node, linux_name(topology.nodes[node].profile, name)]
                shown[node] = f"{name} -> {end.interface} -> {end.vendor_name}"
    return found


def test_the_files_that_are_no_topologies_are_none() -> None:
    for name in NO_TOPOLOGIES:
        path = SHARED / name
        assert not path.exists() or "topology" not in yaml.safe_load(path.read_text(encoding="utf-8"))


@needs_shared
def test_there_are_as_many_topologies_as_were_looked_at() -> None:
    assert len(FILES) == len(yaml.safe_load(GOLDEN.read_text())) == 28


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_nothing_is_lost(name: str) -> None:
    """Nodes and links are as many as an independent count says; a link that ends at a bridge is one end of the bridge's segment."""
    topology, wanted = resolved(SHARED / name), expected(SHARED / name)
    assert set(topology.nodes) == wanted.nodes
    sorts = Counter(sort for sort, _ends in wanted.links)
    got = Counter(link.far.type if link.far else "segment" if link.segment else "veth" for link in topology.links.values())
    joined = {node for _sort, ends in wanted.links for node, _name in ends if node in wanted.segments}
    assert {sort: count for sort, count in got.items() if sort != "segment"} == {
        sort: count for sort, count in sorts.items() if sort != "segment"
    }
    assert {link.segment for link in topology.links.values() if link.segment} == joined
    assert sum(len(link.endpoints) for link in topology.links.values() if link.segment) == sorts["segment"]
    ends = sum(len(link.endpoints) for link in topology.links.values())
    assert ends == sum(node in wanted.nodes for _sort, written in wanted.links for node, _name in written)


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_every_endpoint_has_the_interface_that_containerlab_gives_it(name: str) -> None:
    topology, wanted = resolved(SHARED / name), expected(SHARED / name)
    got = Counter((end.node, end.interface) for link in topology.links.values() for end in link.endpoints)
    should = Counter(
        (node, RULES[wanted.kinds[node]].linux(written)) for _sort, ends in wanted.links for node, written in ends if node in wanted.nodes
    )
    assert got == should


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_every_endpoint_is_as_in_the_golden_file(name: str) -> None:
    assert endpoints(SHARED / name) == yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))[name]


@needs_shared
@pytest.mark.parametrize("name", FILES)
def test_only_files_that_are_not_there_are_missing(name: str) -> None:
    for problem in resolved(SHARED / name).missing:
        named = re.findall(r'"([^"]+)"', problem.what)
        assert problem.line
        assert named
        assert not (SHARED / name).parent.joinpath(os.path.expanduser(named[0])).exists()


# the rules themselves, for every kind and alias


@pytest.mark.parametrize("name", sorted({*RULES, *SPECIAL}))
def test_every_kind_of_containerlab_is_known(name: str) -> None:
    assert find_kind(name) is not None


@pytest.mark.parametrize(("kind", "name"), samples())
def test_every_form_of_a_name_is_the_interface_that_containerlab_gives_it(kind: str, name: str) -> None:
    linux = linux_name(kind, name)
    assert linux == RULES[kind].linux(name)
    assert linux_name(kind, vendor_name(kind, linux)) == linux


def write_golden() -> None:
    head = (
        "# SPDX-License-Identifier: GPL-3.0-or-later\n"
        "# What every endpoint of ../shared/topologies resolves to: file -> link -> node: written name -> Linux name -> vendor name.\n"
        "# Written by test_other_peoples_topologies.py; every line was compared with containerlab's rules by hand and by that test.\n"
    )
    found = {name: endpoints(SHARED / name) for name in FILES}
    GOLDEN.write_text(head + yaml.safe_dump(found, sort_keys=False, width=200), encoding="utf-8")


if __name__ == "__main__":
    write_golden()
