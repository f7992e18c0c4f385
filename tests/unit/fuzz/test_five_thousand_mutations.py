# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""5,000 broken files: each is answered within 2 s, by problems or by a whole lab; never by a traceback, never by half of a lab."""

from __future__ import annotations

import copy
import functools
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils import _validate
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import find_kind, kind_files
from ansible_collections.archetype.lab.plugins.plugin_utils._model import LabFile, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._read import plain_data
from ansible_collections.archetype.lab.plugins.plugin_utils._validate import validate
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import load_yaml
from ansible_collections.archetype.lab.tests.unit.fuzz import mutations, sources

ROUNDS = 50
PER_ROUND = 100
SECONDS = 2
LONGEST = 4000
MANAGEMENT = "management"
"""The link of the management network, which links of type mgmt-net are ends of."""
KINDS = sorted(kind_files())
TOPOLOGIES = sources.topologies()
LAB_FILES = sources.lab_files()


@functools.cache
def _parsed(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def parsed(text: str) -> Any:
    """A file as values that may be broken."""
    return copy.deepcopy(_parsed(text))


def mutated(seed: int) -> tuple[str, bytes]:
    """The name and the content of a file. Most are topologies, some are lab files."""
    chance = random.Random(seed)
    is_lab = chance.random() < 0.2
    text = chance.choice(LAB_FILES if is_lab else TOPOLOGIES)
    name = "x.lab.yml" if is_lab else "x.clab.yml"
    way = chance.random()
    if way < 0.4:
        return name, mutations.break_bytes(chance, text.encode())
    if way < 0.8:
        return name, mutations.break_values(chance, parsed(text))
    if way < 0.9 and not is_lab:
        return name, mutations.break_interfaces(chance, parsed(text), KINDS)
    return name, mutations.bomb(chance, parsed(text))


Made = list[tuple[Topology, dict[str, Any]]]
"""What was loaded on the way, and its plan, which is empty for what can be looked at only (files that it names are not there)."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    return watched(monkeypatch.setattr)


def watched(replace: Callable[[Any, str, Any], None]) -> Made:
    found: Made = []
    real = _validate.make_plan

    def remember(lab_file: LabFile, *args: Any, **kwargs: Any) -> dict[str, Any]:
        found.append((lab_file.topology, {}))
        plan = real(lab_file, *args, **kwargs)
        found[-1] = (lab_file.topology, plan)
        return plan

    replace(_validate, "make_plan", remember)
    return found


def is_whole(topology: Topology, plan: dict[str, Any]) -> None:
    """Every node and link of the topology is in the plan, and nothing else is."""
    assert set(plan["nodes"]) == set(topology.nodes) == set(plan["placement"])
    joins = {key for key, link in topology.links.items() if link.far and link.far.type == "mgmt-net"}
    assert set(plan["links"]) - {MANAGEMENT} == set(topology.links) - joins
    wired = {f"{end['node']}:{end['interface']}" for link in plan["links"].values() for end in link["endpoints"]}
    assert wired >= {end.name for link in topology.links.values() for end in link.endpoints}
    ends = Counter(end.name for link in topology.links.values() for end in link.endpoints)
    assert all(count == 1 for count in ends.values())
    assert all(end.node in topology.nodes for link in topology.links.values() for end in link.endpoints)
    containers = [one["node"] for part in plan["slices"].values() for one in part["containers"]]
    assert Counter(containers) == Counter([name for name, node in topology.nodes.items() if node.profile.provider != "external"])


def written(path: Path) -> tuple[dict[str, str], int]:
    """Node -> kind, and how many links, as a file says them."""
    file = plain_data(load_yaml(str(path), {}))
    if path.name.endswith(".lab.yml"):
        if not file.get("lab"):
            return written(path.parent / file["topology"])
        file = file["lab"]
    topology = file["topology"]
    groups, defaults = topology.get("groups") or {}, topology.get("defaults") or {}
    kinds = {}
    for name, node in topology["nodes"].items():
        levels = (node or {}, groups.get(str((node or {}).get("group"))) or {}, groups.get(str(defaults.get("group"))) or {}, defaults)
        kinds[name] = next(str(level["kind"]) for level in levels if level.get("kind"))
    return kinds, len(topology.get("links") or [])


def nothing_is_lost(path: Path, topology: Topology) -> None:
    """What is in the file came out: but for a node that is a wire or the server itself, each; an end of a bridge is one of its segment."""
    kinds, links = written(path)
    assert set(topology.nodes) == {name for name, kind in kinds.items() if provider(kind) not in ("segment", "host")}
    assert links == sum(len(link.endpoints) if link.segment else 1 for link in topology.links.values())


def provider(name: str) -> str:
    kind = find_kind(name)
    assert kind is not None
    return kind.provider


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_broken_file_is_answered_in_time_and_whole(number: int, tmp_path: Path, made: Made) -> None:
    (tmp_path / "good.clab.yml").write_text(sources.EVERYTHING)
    for name in ("lic.txt", "a.yml"):
        (tmp_path / name).write_text("x")
    for seed in range(number * PER_ROUND, (number + 1) * PER_ROUND):
        name, content = mutated(seed)
        (tmp_path / name).write_bytes(content)
        made.clear()
        fault = fault_of(tmp_path / name, made)
        assert not fault, f"seed {seed}: {fault}"


def fault_of(path: Path, made: Made) -> str:
    """What is wrong with our answer to a file, empty where nothing is."""
    start = time.process_time()
    try:
        found = validate(str(path), None, {})
        took = time.process_time() - start
        if took > SECONDS:
            return f"took {took:.1f} s"
        bad = [problem for problem in found.problems if not str(problem).isprintable() or len(str(problem)) > LONGEST]
        if bad:
            return f"a message is too long, or not for a terminal: {str(bad[0])[:LONGEST]!r}"
        for topology, plan in made:
            nothing_is_lost(path, topology)
            if plan:
                is_whole(topology, plan)
    except Exception as error:  # noqa: BLE001 - any is what is looked for
        return "".join(traceback.format_exception(error)[-3:])
    return ""


def test_the_files_that_are_broken_are_good_ones(tmp_path: Path) -> None:
    for name in ("lic.txt", "a.yml", "good.clab.yml"):
        (tmp_path / name).write_text(sources.EVERYTHING)
    for name, text in (("x.clab.yml", sources.EVERYTHING), *(("x.lab.yml", text) for text in LAB_FILES)):
        (tmp_path / name).write_text(text)
        assert [str(one) for one in validate(str(tmp_path / name), None, {}).problems] == []


def test_mutations_are_the_same_each_time_and_break_most_files_but_not_all(tmp_path: Path) -> None:
    assert [mutated(seed) for seed in range(20)] == [mutated(seed) for seed in range(20)]
    broken = 0
    for seed in range(200):
        name, content = mutated(seed)
        (tmp_path / name).write_bytes(content)
        try:
            load_yaml(str(tmp_path / name), {})
        except LabFileError:
            broken += 1
    assert 30 < broken < 170


NODE = "{kind: linux, image: i}"
LARGE = {
    "lists": f"[{'[],' * 1_398_000}]",
    "keys": "".join(f"k{number}:\n" for number in range(400_000)),
    "documents": "--- a\n" * 600_000,
    "aliases": f"a: &a {{{', '.join(f'k{number}: 1' for number in range(900))}}}\nb: [{'{<<: *a}, ' * 300_000}]\n",
    "inherited": "name: x\ntopology:\n  defaults: {kind: linux, image: i, exec: ["
    + "x, " * 20_000
    + "x]}\n  nodes:\n"
    + "".join(f"    n{number}:\n" for number in range(2_000)),
    "more links than tags": f"name: x\ntopology:\n  nodes: {{a: {NODE}, b: {NODE}}}\n  links:\n"
    + "".join(f"    - endpoints: [a:e{number}, b:e{number}]\n" for number in range(8_000)),
    "ports": f"name: x\ntopology:\n  nodes:\n    a: {{kind: linux, image: i, ports: [{', '.join(['1-65535'] * 30)}]}}\n",
    "names that are near": "name: x\ntopology:\n  nodes: {"
    + ", ".join(f"node{number}: {NODE}" for number in range(4_000))
    + "}\n  links:\n"
    + "".join(f"    - endpoints: [nodx{number}:e1, nody{number}:e1]\n" for number in range(4_000)),
    "circle": "name: x\ntopology:\n  defaults: {kind: linux, image: i}\n  nodes:\n"
    + "".join(f"    n{number}: {{network-mode: 'container:n{(number + 1) % 3000}'}}\n" for number in range(3_000)),
}


@pytest.mark.parametrize("what", LARGE)
def test_a_large_or_costly_file_is_refused_in_time(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x.clab.yml"
    path.write_text(LARGE[what])
    start = time.process_time()
    found = validate(str(path), None, {})
    assert time.process_time() - start < SECONDS
    assert found.problems
