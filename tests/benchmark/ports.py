# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long 264 ports of containers take, beside the least that anybody could need and beside what a user would write today.

The floor is one netlink batch and one OVSDB transaction that waits for ovs-vswitchd, with the same libraries: no reading, no
comparing, no marks on devices, no verification, no interface of a node up. The user's way is a task that loops over the ports with
one C(ovs-vsctl) each, over SSH, with the same ansible.cfg; the devices are there already, for it and for the module it is compared
with. Prints JSON; ends with 1 when a limit is missed. Needs root: it makes a testbed of one server.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.archetype.lab.plugins"
NODES = 24
GROUP = 4711
MOST_OF_FLOOR = 1.5
MOST_OF_NO_OP = 0.3
LEAST_OF_LOOP = 50.0
SPAWNING = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system")
PLAY = {"hosts": "lab_servers", "gather_facts": False}


def sandbox(number: int) -> str:
    return f"bench.r{number % NODES}.sandbox"


def ports(count: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"ap{number:05d}",
            "device": "veth",
            "link": f"link{number}",
            "node": f"r{number % NODES}",
            "interface": f"eth{number // NODES + 1}",
            "sandbox": sandbox(number),
            "mac": f"02:00:00:00:{number // 256:02x}:{number % 256:02x}",
            "mtu": 9500,
            "tag": 100 + number,
            "group": GROUP,
        }
        for number in range(count)
    ]


def module_utils(name: str) -> Any:
    return importlib.import_module(f"{PACKAGE}.module_utils.{name}")


def namespaces() -> dict[str, str]:
    with module_utils("_server").Server() as server:
        found = server.docker.inspect([sandbox(number) for number in range(NODES)])
        return {name: one.netns for name, one in found.items()}


def floor(count: int) -> dict[str, Any]:
    paths = json.loads(os.environ["NAMESPACES"])
    began = time.perf_counter()
    from ovsdbapp.backend.ovs_idl import connection
    from ovsdbapp.schema.open_vswitch import impl_idl
    from pyroute2 import IPBatch, IPRoute

    batch = IPBatch()
    handles = {name: os.open(path, os.O_RDONLY) for name, path in paths.items()}
    with IPRoute() as route:
        for one in ports(count):
            peer = {"ifname": one["interface"], "address": one["mac"], "mtu": 9500, "net_ns_fd": handles[one["sandbox"]]}
            batch.link("add", ifname=one["name"], kind="veth", peer=peer, mtu=9500, group=GROUP, state="up")
        route.sendto(batch.batch, (0, 0))
    made = time.perf_counter()
    idl = connection.OvsdbIdl.from_server("unix:/var/run/openvswitch/db.sock", "Open_vSwitch")
    api = impl_idl.OvsdbIdl(connection.Connection(idl, timeout=60))
    with api.transaction(check_error=True) as transaction:
        for one in ports(count):
            transaction.add(api.add_port("arch-ovs", one["name"]))
            values = (("tag", one["tag"]), ("vlan_mode", "dot1q-tunnel"), ("external_ids", {"archetype-link": one["link"]}))
            transaction.add(api.db_set("Port", one["name"], *values))
    done = time.perf_counter()
    check_made(count, paths)
    return {"seconds": done - began, "netlink": made - began, "ovsdb": done - made}


def check_made(count: int, paths: dict[str, str]) -> None:
    """That the floor is one: every pair and every port is there, and works."""
    with module_utils("_server").Server() as server:
        inside = server.net.read_netns(list(paths.values()))
        known = server.ovs.read().ports
    good = [one for one in ports(count) if one["interface"] in inside[paths[one["sandbox"]]] and (known[one["name"]].ofport or -1) > 0]
    if len(good) != count:
        raise SystemExit(f"the floor made {len(good)} of {count} ports")


def run_module(arguments: dict[str, Any]) -> dict[str, Any]:
    """The module in this process. seconds: from before it is imported; within: from its main on, with its libraries' imports."""
    from ansible.module_utils.testing import patch_module_args

    spawned: list[str] = []
    sys.addaudithook(lambda event, _arguments: spawned.append(event) if event in SPAWNING else None)
    said = io.StringIO()
    began = time.perf_counter()
    module = importlib.import_module(f"{PACKAGE}.modules.ovs_port_vlan")
    entered = time.perf_counter()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit), patch_module_args({"lab": "bench", **arguments}):
        module.main()
    done = time.perf_counter()
    result = json.loads(said.getvalue())
    if result.get("failed"):
        raise SystemExit(result["msg"])
    return {"seconds": done - began, "within": done - entered, "changes": len(result["changes"]), "processes": len(spawned)}


def ours(count: int) -> dict[str, Any]:
    return run_module({"ports": ports(count)})


def gone(_count: int) -> dict[str, Any]:
    return run_module({"state": "absent", "prune": True})


def _links(count: int) -> tuple[Any, Any, list[Any]]:
    """A server, what a network device can be asked, and a pair in the server's own namespace for every port."""
    links = module_utils("_netlink._port")
    own = f"/proc/{os.getpid()}/ns/net"
    pairs = [links.NewVeth(one["name"], f"e{one['name']}", own, alias="archetype-lab:bench:port:x", group=GROUP) for one in ports(count)]
    return module_utils("_server").Server(), links, pairs


def bare(count: int) -> dict[str, Any]:
    """The devices alone, for the user's way, who puts them on the bridge."""
    server, _links_module, pairs = _links(count)
    with server:
        return {"refused": len(server.net.apply(pairs))}


def one_by_one(count: int) -> dict[str, Any]:
    """The same pairs deleted in one batch, and with one request each."""
    server, links, pairs = _links(count)
    with server:
        server.net.apply(pairs)
        began = time.perf_counter()
        for pair in pairs:
            server.net.apply([links.DropDevice(pair.name)])
        single = time.perf_counter() - began
        server.net.apply(pairs)
        began = time.perf_counter()
        server.net.apply([links.DropDevice(pair.name) for pair in pairs])
        batch = time.perf_counter() - began
    return {"one_by_one": single, "batch": batch, "ratio": round(single / batch, 1)}


def clear(_count: int) -> dict[str, Any]:
    """Whatever any side made. The devices first, all at once; then the bridge, which is far quicker than its ports."""
    links, ovs = module_utils("_netlink._port"), module_utils("_ovsdb._port")
    with module_utils("_server").Server() as server:
        server.net.apply([links.DropGroup(GROUP)])
        server.ovs.apply([ovs.DropBridge("arch-ovs")], timeout=120)
        marks = {"archetype-bridge": "1"}
        server.ovs.apply([ovs.PutBridge("arch-ovs", "netdev", "standalone", {"forward-bpdu": "true"}, marks)], timeout=120)
        left = [name for name in server.net.read() if name.startswith("ap")]
    return {"left": len(left)}


STEPS: dict[str, Callable[[int], dict[str, Any]]] = {
    "floor": floor,
    "ours": ours,
    "gone": gone,
    "bare": bare,
    "one_by_one": one_by_one,
    "clear": clear,
    "namespaces": lambda _count: namespaces(),
}


class Bench:
    """The steps on a server of a testbed, each in a process of its own."""

    def __init__(self, testbed: Any, count: int, peer: str = "") -> None:
        """peer: a folder with C(ansible_collections/openvswitch/openvswitch) in it, to be run beside; none when it is empty."""
        self.testbed = testbed
        self.peer = peer
        self.server = testbed.server("srv1")
        self.count = count
        self.paths = ""

    def start(self) -> None:
        from tests.testbed import images

        images.ensure(self.testbed, ["sandbox"])
        for number in range(NODES):
            self.server.run(["docker", "run", "-d", "--name", sandbox(number), "--network", "none", "archetype-lab/sandbox:1"], check=True)
        self.paths = json.dumps(self.step("namespaces"))
        self.step("clear")

    def stop(self) -> None:
        self.step("clear")
        self.server.run(["docker", "rm", "-f", *(sandbox(number) for number in range(NODES))])

    def step(self, what: str, count: int | None = None) -> dict[str, Any]:
        variables = [f"PYTHONPATH={ROOT / 'collections'}", f"NAMESPACES={self.paths}"]
        words = [sys.executable, __file__, "--step", what, "--count", str(count or self.count)]
        done = self.server.run(["env", *variables, *words], timeout=600)
        if done.returncode:
            raise SystemExit(f"step {what} failed: {done.stderr}{done.stdout}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def play(self, task: dict[str, Any]) -> float:
        """Seconds that a playbook with this one task takes, end to end."""
        from tests.testbed.fixtures import run_playbook

        with tempfile.TemporaryDirectory() as directory:
            playbook = Path(directory) / "play.yml"
            playbook.write_text(json.dumps([{**PLAY, "tasks": [{"name": "Measure", **task}]}]))
            began = time.perf_counter()
            run_playbook(self.testbed, playbook, timeout=3600, collections=[self.peer] if self.peer else []).ok()
            return time.perf_counter() - began


def compare_with_floor(bench: Bench, rounds: int) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {"floor": [], "ours": [], "no_op": [], "gone": []}
    for _round in range(rounds):
        found["floor"].append(bench.step("floor"))
        bench.step("clear")
        found["ours"].append(bench.step("ours"))
        found["no_op"].append(bench.step("ours"))
        found["gone"].append(bench.step("gone"))
        bench.step("clear")
    best = {what: min(runs, key=lambda run: float(run["seconds"])) for what, runs in found.items()}
    ratios = [mine["seconds"] / least["seconds"] for mine, least in zip(found["ours"], found["floor"], strict=True)]
    wrong = {run["changes"] for run in (*found["ours"], *found["gone"])} != {bench.count} or any(run["changes"] for run in found["no_op"])
    return {
        **best,
        "ratio": round(best["ours"]["seconds"] / best["floor"]["seconds"], 2),
        "ratio_median": round(statistics.median(ratios), 2),
        "processes": sum(run["processes"] for what in ("ours", "no_op", "gone") for run in found[what]),
        "wrong": wrong,
    }


def with_ovs_vsctl() -> dict[str, Any]:
    """What a user writes who has no module: a task of a loop, whose item is a port."""
    command = "ovs-vsctl add-port arch-ovs {{ item.name }} tag={{ item.tag }} vlan_mode=dot1q-tunnel"
    return {"ansible.builtin.command": command + " -- set port {{ item.name }} external_ids:link={{ item.link }}"}


def with_peer() -> dict[str, Any]:
    """The same with the module of collection openvswitch.openvswitch."""
    words = {"bridge": "arch-ovs", "port": "{{ item.name }}", "tag": "{{ item.tag }}", "external_ids": {"link": "{{ item.link }}"}}
    return {"openvswitch.openvswitch.openvswitch_port": {**words, "set": ["port {{ item.name }} vlan_mode=dot1q-tunnel"]}}


def loop_of(bench: Bench, sample: int, task: dict[str, Any], *, pipelining: bool) -> dict[str, Any]:
    """The user's way. Where only a sample is run, what one more port costs is multiplied, which flatters it: the last cost the most."""
    everything = ports(bench.count)

    def looped(some: list[dict[str, Any]]) -> float:
        return bench.play({**task, "loop": some, "vars": {"ansible_pipelining": pipelining}})

    bench.step("bare")
    whole = sample >= bench.count
    first = 0.0 if whole else looped(everything[:1])
    some = looped(everything[-sample:])
    bench.step("clear")
    if whole:
        return {"seconds": some, "each": some / bench.count, "sample": sample}
    each = (some - first) / max(1, sample - 1)
    return {"seconds": first + each * (bench.count - 1), "each": each, "sample": sample}


def same_job(count: int) -> list[dict[str, Any]]:
    """Ports as the loops make them: of devices that are there already."""
    kept = ("name", "link", "tag")
    return [{**{key: one[key] for key in kept}, "device": "none"} for one in ports(count)]


def timed(bench: Bench, some: list[dict[str, Any]], rounds: int = 3) -> dict[str, float]:
    """Our module with these ports, end to end, and once more with nothing to do."""
    task = {"archetype.lab.ovs_port_vlan": {"lab": "bench", "ports": some}}
    first, again = [], []
    for _round in range(rounds):
        if some[0]["device"] == "none":
            bench.step("bare")
        first.append(bench.play(task))
        again.append(bench.play(task))
        bench.step("clear")
    return {"seconds": statistics.median(first), "no_op": statistics.median(again)}


def compare_with_loop(bench: Bench, sample: int, peer_sample: int) -> dict[str, Any]:
    """All over SSH, end to end. The loops once with Ansible's own settings, and once with pipelining, as ours has it."""
    bench.play({"ansible.builtin.ping": {}})  # opens the connection, which all of them use
    mine = timed(bench, same_job(bench.count))
    whole = timed(bench, ports(bench.count))
    ways = {"loop": (with_ovs_vsctl, sample, False), "loop_pipelined": (with_ovs_vsctl, sample, True)}
    if bench.peer:
        ways |= {"peer": (with_peer, peer_sample, False), "peer_pipelined": (with_peer, peer_sample, True)}
    loops = {name: loop_of(bench, size, way(), pipelining=pipelining) for name, (way, size, pipelining) in ways.items()}
    ratios = {f"{name}_ratio": round(one["seconds"] / mine["seconds"], 1) for name, one in loops.items()}
    return {"ours": mine, "ours_with_devices": whole, **loops, **ratios, "peer_measured": bool(bench.peer)}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    from tests.testbed.testbed import Testbed

    testbed = Testbed(options.name)
    testbed.up(servers=1)
    try:
        bench = Bench(testbed, options.count, options.peer)
        bench.start()
        inside = compare_with_floor(bench, options.rounds)
        deleting = bench.step("one_by_one", 50)
        ansible = compare_with_loop(bench, min(options.sample, options.count), min(options.peer_sample, options.count))
    finally:
        testbed.down()
    good = inside["ratio"] <= MOST_OF_FLOOR and inside["no_op"]["within"] < MOST_OF_NO_OP and not inside["processes"]
    return {
        "benchmark": "ports",
        "count": options.count,
        "sandboxes": NODES,
        **inside,
        "ansible": ansible,
        "deleting_50_devices": deleting,
        "limits": {"ratio": MOST_OF_FLOOR, "no_op_within": MOST_OF_NO_OP, "processes": 0, "loop_ratio": LEAST_OF_LOOP},
        "ok": good and not inside["wrong"] and ansible["loop_ratio"] >= LEAST_OF_LOOP,
    }


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    parser.add_argument("--count", type=int, default=264)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=int, default=264, help="how many ports the loop of ovs-vsctl is measured with")
    parser.add_argument("--peer-sample", type=int, default=40, help="how many ports the loop of the other collection is measured with")
    parser.add_argument("--name", default="bp", help="of the testbed that is made for it")
    parser.add_argument("--peer", default=os.environ.get("BENCHMARK_PEER", ""), help="a folder of collections with openvswitch.openvswitch")
    parser.add_argument("--step", choices=tuple(STEPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.count)))
        return 0
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    result = rounded(measure(options))
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
