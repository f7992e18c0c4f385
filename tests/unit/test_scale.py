# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planning takes a time in proportion to the lab. Limits are of processor time, which other work on the machine changes little.

C(python -m tests.benchmark topology) measures the same at full size, and netlab beside it.
"""

from __future__ import annotations

import json
import time

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from tests.benchmark import topology as bench

NODES = 1_000
MANY = 10_000
MOST_SECONDS_OF_MISTAKES = 5.0


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    found = {}
    for nodes in (NODES, 4 * NODES):
        bench.write_topology(folder / f"{nodes}.clab.yml", nodes)
        found[nodes] = bench.in_a_process(folder / f"{nodes}.clab.yml", nodes // bench.NODES_OF_A_SERVER)
    return found


def test_a_thousand_nodes_and_two_thousand_links_are_planned_within_two_seconds(measured):
    one = measured[NODES]
    assert (one["nodes"], one["links"] >= 2 * NODES) == (NODES, True)
    limit = bench.MOST[NODES]
    assert one["cpu"] < limit, f"planning {NODES} nodes took {one['cpu']:.2f} s of processor time, more than {limit} s: {one['stages']}"


def test_four_times_the_lab_takes_no_more_than_four_times_as_long_and_a_bit(measured):
    """Something quadratic would take four times as long for each node."""
    growth = measured[4 * NODES]["cpu"] / measured[NODES]["cpu"] / 4
    stages = {nodes: one["stages"] for nodes, one in measured.items()}
    assert growth < bench.MOST_GROWTH, f"a node takes {growth:.2f} times as long in a lab of four times the size: {stages}"


def topology(nodes, links):
    return json.dumps({"name": "t", "topology": {"nodes": nodes, "links": links}})


GOOD = {f"n{number}": {"kind": "linux", "image": "i"} for number in range(MANY)}
MISTAKES = {
    "kinds that nobody knows": topology({name: {"kind": f"kind-{name}", "image": "i"} for name in GOOD}, []),
    "links of nodes that are not there": topology(GOOD, [{"endpoints": [f"m{number}:eth1", f"x{number}:eth1"]} for number in range(MANY)]),
    "every link twice": topology(GOOD, 2 * [{"endpoints": [f"n{number}:eth1", f"n{number - 1}:eth2"]} for number in range(1, MANY)]),
    "interfaces in many links": topology(GOOD, [{"endpoints": [f"n{number}:eth1", "n0:eth1"]} for number in range(1, MANY)]),
    "one address of an interface for all": topology(
        GOOD,
        [
            {"endpoints": [{"node": f"n{number}", "interface": "eth1", "mac": "02:00:00:00:00:01"}, f"n{number - 1}:eth2"]}
            for number in range(1, MANY)
        ],
    ),
    "keys that nobody knows": topology({name: {"kind": "linux", "image": "i", f"key-{name}": 1} for name in GOOD}, []),
    "interfaces without a name of the kind": topology(
        {name: {"kind": "cisco_xrd", "image": "i"} for name in GOOD},
        [{"endpoints": [f"n{number}:Ether{number}", f"n{number - 1}:port{number}"]} for number in range(1, MANY)],
    ),
}


@pytest.mark.parametrize("name", sorted(MISTAKES))
def test_ten_thousand_mistakes_are_told_in_a_time_that_is_in_proportion(name, tmp_path):
    path = tmp_path / "t.clab.yml"
    path.write_text(MISTAKES[name])
    began = time.process_time()
    with pytest.raises(LabFileError) as caught:
        load_topology(str(path), {})
    seconds = time.process_time() - began
    assert caught.value.problems
    assert seconds < MOST_SECONDS_OF_MISTAKES, f"{name}: {seconds:.1f} s of processor time"


def test_ten_thousand_mistakes_in_a_lab_file_are_told_in_a_time_that_is_in_proportion(tmp_path):
    (tmp_path / "t.clab.yml").write_text(topology(GOOD, []))
    pins = {f"m{number}": f"srv{number}" for number in range(MANY)}
    lab = {"plugin": "archetype.lab.topology", "topology": "t.clab.yml", "placement": pins, "images": {f"image-{one}": "x" for one in pins}}
    (tmp_path / "t.lab.yml").write_text(json.dumps(lab))
    began = time.process_time()
    with pytest.raises(LabFileError) as caught:
        load_lab_file(str(tmp_path / "t.lab.yml"), {})
    seconds = time.process_time() - began
    assert caught.value.problems
    assert seconds < MOST_SECONDS_OF_MISTAKES, f"{seconds:.1f} s of processor time"


def test_ten_thousand_replacements_that_no_node_has_are_told_in_a_time_that_is_in_proportion(tmp_path):
    """Notes have no bound, other than problems: what is looked for to propose for each must have one."""
    nodes = {f"n{number}": {"kind": "linux", "image": f"img{number}"} for number in range(MANY)}
    (tmp_path / "t.clab.yml").write_text(topology(nodes, []))
    images = {f"image-{number}": "x" for number in range(MANY)}
    lab = {"plugin": "archetype.lab.topology", "topology": "t.clab.yml", "images": images}
    (tmp_path / "t.lab.yml").write_text(json.dumps(lab))
    began = time.process_time()
    notes = load_lab_file(str(tmp_path / "t.lab.yml"), {}).topology.notes
    seconds = time.process_time() - began
    assert sum("no node has the image" in note for note in notes) == MANY
    assert seconds < MOST_SECONDS_OF_MISTAKES, f"{seconds:.1f} s of processor time"


@pytest.mark.parametrize("forwards", [True, False])
@pytest.mark.parametrize("what", ["network-mode", "stages"])
def test_a_chain_of_five_thousand_nodes_is_followed_in_a_time_that_is_in_proportion(what, forwards, tmp_path):
    """Each has the network of the next, or waits for it; written from either end."""

    def on(number):
        if what == "network-mode":
            return {"network-mode": f"container:n{number}"}
        return {"stages": {"create": {"wait-for": [{"node": f"n{number}", "stage": "configure"}]}}}

    length = MANY // 2
    nodes = {f"n{number}": {"kind": "linux", "image": "i", **(on(number + 1) if number < length else {})} for number in range(length + 1)}
    path = tmp_path / "t.clab.yml"
    path.write_text(topology(nodes if forwards else dict(reversed(nodes.items())), []))
    began = time.process_time()
    found = load_topology(str(path), {}).nodes
    seconds = time.process_time() - began
    assert what != "network-mode" or {node.shares for node in found.values()} == {"", f"clab-t-n{length}"}
    assert seconds < MOST_SECONDS_OF_MISTAKES, f"{seconds:.1f} s of processor time"
