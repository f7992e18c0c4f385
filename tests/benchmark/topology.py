# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes from a topology file to what each server is declared to have, and how that grows.

Labs of 1,000 nodes and 2,000 links, and of 10,000 and 20,000, of several kinds with their vendors' names of interfaces and a management
network: loaded, resolved, placed, allocated and sliced, each stage timed where it happens. Then a lab of 400 nodes that netlab knows too:
netlab transforms its own file, we plan what it wrote and the containerlab file that it makes of the same lab, in turns, each in a fresh
process. C(seconds) are those from opening the file to the plan; C(process) those of the whole process, with the start of Python. Both
programs only compute, so that processor time decides, which other work on the machine changes least. Prints JSON; ends with 1 when a
limit is missed. Needs no root, and netlab in C(.build/netlab) (C(make netlab)).
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.archetype.lab.plugins.plugin_utils"
NETLAB = ROOT / ".build" / "netlab" / "bin" / "netlab"
CHORD = 17
NODES_OF_A_SERVER = 500
KINDS = {
    "linux": ("eth1", "eth2", "eth3", "eth4"),
    "arista_ceos": ("Ethernet1", "Ethernet2", "eth3", "et4"),
    "nokia_srlinux": ("ethernet-1/1", "e1-2", "ethernet-1/3", "e1-4"),
    "cisco_xrd": ("GigabitEthernet0/0/0/0", "Gi0/0/0/1", "Gi0-0-0-2", "Gi0-0-0-3"),
    "juniper_crpd": ("eth1", "eth2", "eth3", "eth4"),
    "cisco_iol": ("Ethernet0/1", "Ethernet0/2", "e0/3", "Ethernet1/0"),
}
"""Kind -> four interfaces, under names of all sorts."""
SMALL, LARGE = 1_000, 10_000
MOST = {SMALL: 2.0, LARGE: 20.0}
MOST_GROWTH = 2.0
"""How much longer a node of the large lab may take than one of the small lab."""
NETLAB_NODES = 400
DEVICES = ("frr", "linux", "eos", "srlinux", "iosxr", "iol")
LEAST_OF_NETLAB = 30.0
Json = dict[str, Any]


def ends(nodes: int) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """A ring, and from every node a chord over C(CHORD) others, each end as node and interface: two links and four interfaces a node."""
    for node in range(nodes):
        yield (node, 0), ((node + 1) % nodes, 1)
        yield (node, 2), ((node + CHORD) % nodes, 3)


def write_topology(path: Path, nodes: int) -> None:
    """A containerlab file as people write them, on many lines."""
    kinds = list(KINDS)

    def end(node: int, interface: int) -> str:
        return f"n{node}:{KINDS[kinds[node % len(kinds)]][interface]}"

    lines = ["name: scale", "mgmt: {ipv4-subnet: 10.0.0.0/16}", "topology:", "  kinds:"]
    lines += [f"    {kind}: {{image: 'example/{kind}:1'}}" for kind in kinds]
    lines.append("  nodes:")
    lines += [f"    n{node}:\n      kind: {kinds[node % len(kinds)]}" for node in range(nodes)]
    lines.append("  links:")
    lines += [f'    - endpoints: ["{end(*one)}", "{end(*other)}"]' for one, other in ends(nodes)]
    path.write_text("\n".join(lines) + "\n")


# in a process of its own


class Stages:
    """Seconds of wall clock and of processor time of each stage, taken where the collection itself calls it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.cpu: dict[str, float] = {}

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return work(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - wall
                self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - cpu

        return call

    def within(self, inner: str, outer: str) -> None:
        """Take the time of one stage out of that of the one which calls it."""
        self.seconds[outer] -= self.seconds.get(inner, 0.0)
        self.cpu[outer] -= self.cpu.get(inner, 0.0)


def plan(file: str, servers: int) -> tuple[Json, Json]:
    """The plan of a topology file over servers of which nothing is known, and how long each stage took."""
    sys.path.insert(0, str(ROOT / "collections"))
    topology, planning, model = (importlib.import_module(f"{PACKAGE}.{name}") for name in ("_topology", "_plan", "_model"))
    stages = Stages()
    for module, function, name in (
        (topology, "load_yaml", "load"),
        (planning, "place", "place"),
        (planning, "allocate", "allocate"),
    ):
        setattr(module, function, stages.timed(name, getattr(module, function)))
    gc.collect()
    resolved = stages.timed("resolve", topology.load_topology)(file, {})
    lab = model.LabFile(file, resolved, "lab_servers")
    there = {f"srv{number:03}": planning.ServerFacts(f"198.18.{number // 256}.{number % 256}") for number in range(1, servers + 1)}
    made = stages.timed("slice", planning.make_plan)(lab, there, {}, complete=False)
    stages.within("load", "resolve")
    stages.within("place", "slice")
    stages.within("allocate", "slice")
    order = ("load", "resolve", "place", "allocate", "slice")
    sizes = [len(json.dumps(one)) for one in made["slices"].values()]
    return made, {
        "stages": {name: stages.cpu[name] for name in order},
        "seconds": sum(stages.seconds.values()),
        "cpu": sum(stages.cpu.values()),
        "nodes": len(made["nodes"]),
        "links": len(made["links"]),
        "slice_kilobytes": max(sizes) / 1000,
        "slice_bytes_a_node": sum(sizes) / len(made["nodes"]),
    }


def in_a_process(file: Path, servers: int) -> Json:
    """What plan says, from a process that has done nothing before."""
    words = [sys.executable, __file__, "--plan", str(file), "--servers", str(servers)]
    began = time.perf_counter()
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, stdin=subprocess.DEVNULL)
    return {**json.loads(done.stdout), "process": time.perf_counter() - began}


# netlab


def write_netlab(folder: Path, nodes: int) -> None:
    """netlab's own file of the same ring and chords."""
    lines = ["name: scale", "provider: clab", "defaults.const.MAX_NODE_ID: 10000", "addressing:"]
    lines += ["  loopback: {ipv4: 10.0.0.0/16}", "  p2p: {ipv4: 10.1.0.0/16}", "  lan: {ipv4: 172.16.0.0/12}"]
    lines += ["  mgmt: {ipv4: 192.168.0.0/16, start: 100}", "nodes:"]
    lines += [f"  n{node}: {{device: {DEVICES[node % len(DEVICES)]}}}" for node in range(nodes)]
    lines.append("links:")
    lines += [f"- n{one}-n{other}" for (one, _first), (other, _second) in ends(nodes)]
    (folder / "topology.yml").write_text("\n".join(lines) + "\n")


def netlab(folder: Path, *words: str) -> Json:
    """Run netlab in the folder of its topology; how long it took."""
    if not NETLAB.exists():
        raise SystemExit(f"{NETLAB} is missing: run make netlab")
    environment = {"HOME": str(folder), "PATH": f"{NETLAB.parent}:/usr/bin:/bin"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [str(NETLAB), *words], cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"netlab {' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return {"seconds": seconds, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def spread(values: list[float]) -> Json:
    return {"minimum": min(values), "median": statistics.median(values), "maximum": max(values)}


def beside_netlab(nodes: int, rounds: int) -> Json:
    """netlab, and ours of both of its files, in turns."""
    servers = max(2, nodes // NODES_OF_A_SERVER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_netlab(folder, nodes)
        netlab(folder, "create")  # clab.yml, and the files that its nodes bind
        found: dict[str, list[Json]] = {"netlab": [], "of_netlab_json": [], "of_containerlab_file": []}
        for _round in range(rounds):
            found["netlab"].append(netlab(folder, "create", "-o", "json:nodefault=netlab.json"))
            found["of_netlab_json"].append(in_a_process(folder / "netlab.json", servers))
            found["of_containerlab_file"].append(in_a_process(folder / "clab.yml", servers))
        expected = {"nodes": nodes, "links": 2 * nodes}
        for one in (*found["of_netlab_json"], *found["of_containerlab_file"]):
            if one["nodes"] != nodes or one["links"] < 2 * nodes:
                raise SystemExit(f"planned {one['nodes']} nodes and {one['links']} links, not {expected}")
    ours = ("of_netlab_json", "of_containerlab_file")

    def ratios(what: str) -> Json:
        turns = {name: zip(found["netlab"], found[name], strict=True) for name in ours}
        return {name: spread([there[what] / here[what] for there, here in both]) for name, both in turns.items()}

    return {
        "nodes": nodes,
        "links": 2 * nodes,
        "servers": servers,
        "rounds": rounds,
        "seconds": {name: spread([one["seconds"] for one in all_of]) for name, all_of in found.items()},
        "cpu": {name: spread([one["cpu"] for one in all_of]) for name, all_of in found.items()},
        "process": {name: spread([one["process"] for one in found[name]]) for name in ours},
        "ratio": ratios("seconds"),
        "ratio_of_cpu": ratios("cpu"),
        "limit": LEAST_OF_NETLAB,
        "ok": all(one["median"] >= LEAST_OF_NETLAB for one in ratios("cpu").values()),
    }


def growth(rounds: int) -> Json:
    """Both sizes in turns; the median of their processor time counts, which other work on the machine changes little."""
    found: dict[int, list[Json]] = {SMALL: [], LARGE: []}
    with tempfile.TemporaryDirectory() as name:
        files = {nodes: Path(name) / f"{nodes}.clab.yml" for nodes in found}
        for nodes, file in files.items():
            write_topology(file, nodes)
        for _round in range(rounds):
            for nodes, file in files.items():
                found[nodes].append(in_a_process(file, nodes // NODES_OF_A_SERVER))
    sizes: Json = {}
    for nodes, all_of in found.items():
        seconds = spread([one["seconds"] for one in all_of])
        sizes[str(nodes)] = {
            "nodes": nodes,
            "links": 2 * nodes,
            "servers": nodes // NODES_OF_A_SERVER,
            "seconds": seconds,
            "cpu": spread([one["cpu"] for one in all_of]),
            "stages_cpu": {stage: statistics.median(one["stages"][stage] for one in all_of) for stage in all_of[0]["stages"]},
            "largest_slice_kilobytes": max(one["slice_kilobytes"] for one in all_of),
            "slice_bytes_a_node": all_of[0]["slice_bytes_a_node"],
            "limit": MOST[nodes],
            "ok": seconds["median"] <= MOST[nodes] and all(one["nodes"] == nodes for one in all_of),
        }
    ratio = sizes[str(LARGE)]["cpu"]["median"] / sizes[str(SMALL)]["cpu"]["median"] / (LARGE / SMALL)
    return {"sizes": sizes, "growth_a_node": ratio, "limit_of_growth": MOST_GROWTH, "rounds": rounds}


def measure(options: argparse.Namespace) -> Json:
    grown = growth(options.rounds)
    beside = beside_netlab(options.nodes, options.rounds)
    ok = all(one["ok"] for one in grown["sizes"].values()) and grown["growth_a_node"] <= MOST_GROWTH and beside["ok"]
    return {"benchmark": "topology", **grown, "netlab": beside, "ok": ok}


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    parser.add_argument("--nodes", type=int, default=NETLAB_NODES, help="of the lab that netlab transforms")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plan", help=argparse.SUPPRESS)
    parser.add_argument("--servers", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.plan:
        print(json.dumps(plan(options.plan, options.servers)[1]))
        return 0
    os.chdir(ROOT)
    result = rounded(measure(options))
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
