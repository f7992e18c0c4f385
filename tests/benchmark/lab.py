# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a lab of 60 nodes and 120 links over three servers takes, beside the least that anybody could need, in the same run.

The playbooks run as a user runs them, over SSH: deploy_lab, the same once more with nothing to do, destroy_lab. The floor runs on all
servers at once: the same containers and sandboxes by a plain script with Docker's library and as many threads, the same devices in
one netlink batch, the same ports in one OVSDB transaction; it reads, compares, verifies and proves nothing. C(cpu) is the processor
time that Ansible and ssh used, C(modules_cpu) that of the modules on all servers together. The median of C(--rounds) counts. Prints
JSON; ends with 1 when a limit is missed. Needs root: it makes a testbed of three servers.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import importlib
import json
import os
import re
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible_collections.archetype.lab.plugins"
HOST = "archetype-lab/host:1"
SANDBOX = "archetype-lab/sandbox:1"
LAB = "bench"
SERVERS = 3
CHORD = 17
WORKERS = 8
MOST_OF_FLOOR = 1.5
MOST_OVER_FLOOR = 10.0
MOST_OF_NO_OP = 10.0
MOST_OF_DESTROY = 10.0
Json = dict[str, Any]


def topology(nodes: int) -> Json:
    """A ring, and from every node a chord over C(CHORD) others: each node has four interfaces, and there are two links a node."""
    names = [f"h{number}" for number in range(nodes)]
    links = [[f"{name}:eth1", f"{names[(number + 1) % nodes]}:eth2"] for number, name in enumerate(names)]
    reach = CHORD if nodes > 2 * CHORD else nodes // 2 - 1
    links += [[f"{name}:eth3", f"{names[(number + reach) % nodes]}:eth4"] for number, name in enumerate(names)]
    return {
        "name": LAB,
        "topology": {
            "defaults": {"kind": "linux", "image": HOST},
            "nodes": {name: {} for name in names},
            "links": [{"endpoints": ends} for ends in links],
        },
    }


def write_lab(folder: Path, nodes: int) -> Path:
    """The lab file: as many nodes on each server, neighbours on the ring together."""
    (folder / f"{LAB}.clab.yml").write_text(json.dumps(topology(nodes)))
    pins = {f"h{number}": f"srv{number * SERVERS // nodes + 1}" for number in range(nodes)}
    file = folder / f"{LAB}.lab.yml"
    lab = {"plugin": "archetype.lab.topology", "topology": f"{LAB}.clab.yml", "servers": "lab_servers", "placement": pins}
    file.write_text(json.dumps(lab))
    return file


def slices(file: Path, addresses: dict[str, str]) -> dict[str, Json]:
    """What each server is declared to have, as the playbooks plan it."""
    sys.path.insert(0, str(ROOT / "collections"))
    plan = importlib.import_module(f"{PACKAGE}.plugin_utils._plan")
    lab_file = importlib.import_module(f"{PACKAGE}.plugin_utils._labfile").load_lab_file(str(file))
    made = plan.make_plan(lab_file, {name: plan.ServerFacts(address) for name, address in addresses.items()}, {})
    return dict(made["slices"])


# on a server, in a process of its own


def floor(declared: Json) -> Json:
    """Make it all; seconds of each part."""
    began = time.perf_counter()
    import docker

    with docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto", num_pools=WORKERS) as client:
        processes = dict(_each(declared["containers"], lambda one: _start_sandbox(client, one)))
        boxes = time.perf_counter()
        _devices(declared, processes)
        wired = time.perf_counter()
        _ports(declared)
        switched = time.perf_counter()
        _each(declared["containers"], lambda one: _start_node(client, one))
    done = time.perf_counter()
    return {
        "seconds": done - began,
        "sandboxes": boxes - began,
        "netlink": wired - boxes,
        "ovsdb": switched - wired,
        "nodes": done - switched,
    }


def _each(items: list[Any], work: Callable[[Any], Any]) -> list[Any]:
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, items))


def _start_sandbox(client: Any, one: Json) -> tuple[str, int]:
    sysctls = {f"net.ipv6.conf.{which}.disable_ipv6": "0" for which in ("all", "default")}
    config = {"Image": SANDBOX, "Hostname": one["hostname"], "HostConfig": {"NetworkMode": "none", "Sysctls": sysctls}}
    client.create_container_from_config(config, one["sandbox"])
    client.start(one["sandbox"])
    return one["sandbox"], int(client.inspect_container(one["sandbox"])["State"]["Pid"])


def _start_node(client: Any, one: Json) -> None:
    config = {"Image": one["image"], "HostConfig": {"NetworkMode": f"container:{one['sandbox']}", "CapAdd": one.get("cap_add", [])}}
    client.create_container_from_config(config, one["name"])
    client.start(one["name"])


def _devices(declared: Json, processes: dict[str, int]) -> None:
    from pyroute2 import IPBatch, IPRoute

    with contextlib.ExitStack() as stack:
        handles = {box: os.open(f"/proc/{pid}/ns/net", os.O_RDONLY) for box, pid in processes.items()}
        for handle in handles.values():
            stack.callback(os.close, handle)
        route = stack.enter_context(IPRoute())
        batch = IPBatch()
        for one in declared["ports"]:
            # The server's own end of the management network is in no sandbox, but stays where it is.
            where = {"net_ns_fd": handles[one["sandbox"]]} if one.get("sandbox") else {}
            peer = {"ifname": one["interface"], "address": one["mac"], "mtu": one["mtu"], **where}
            batch.link("add", ifname=one["name"], kind="veth", peer=peer, mtu=one["mtu"], group=one["group"], state="up")
        for one in declared["tunnels"]:
            vxlan = {"vxlan_id": one["vni"], "vxlan_local": one["local"], "vxlan_group": one["remotes"][0], "vxlan_port": 4789}
            batch.link("add", ifname=one["name"], kind="vxlan", **vxlan, mtu=one["mtu"], group=one["group"], state="up")
        route.sendto(batch.batch, (0, 0))


def _ports(declared: Json) -> None:
    from ovsdbapp.backend.ovs_idl import connection
    from ovsdbapp.schema.open_vswitch import impl_idl

    idl = connection.OvsdbIdl.from_server("unix:/var/run/openvswitch/db.sock", "Open_vSwitch")
    api = impl_idl.OvsdbIdl(connection.Connection(idl, timeout=60))
    with api.transaction(check_error=True) as transaction:
        for one in (*declared["ports"], *declared["tunnels"]):
            transaction.add(api.add_port("arch-ovs", one["name"]))
            values = (("tag", one["tag"]), ("vlan_mode", "dot1q-tunnel"), ("external_ids", {"archetype-link": one["link"]}))
            transaction.add(api.db_set("Port", one["name"], *values))


def check_floor(declared: Json) -> Json:
    """That the floor is one: every container runs, every port works."""
    with importlib.import_module(f"{PACKAGE}.module_utils._server").Server() as server:
        found = server.docker.inspect([name for one in declared["containers"] for name in (one["name"], one["sandbox"])])
        known = server.ovs.read().ports
    running = sum(one.running for one in found.values())
    names = [one["name"] for one in (*declared["ports"], *declared["tunnels"])]
    working = sum(name in known and (known[name].ofport or -1) > 0 for name in names)
    if (running, working) != (2 * len(declared["containers"]), len(names)):
        raise SystemExit(f"the floor made {running} containers and {working} of {len(names)} ports")
    return {"containers": running, "ports": working}


def clear(declared: Json) -> Json:
    """Whatever the floor made, or a run that failed. The bridge is far quicker than its ports."""
    import docker

    with docker.APIClient(base_url="unix:///var/run/docker.sock", version="auto", num_pools=WORKERS) as client:
        names = {name for one in declared["containers"] for name in (one["name"], one["sandbox"])}
        there = [one["Id"] for one in client.containers(all=True) if names & {name.lstrip("/") for name in one["Names"]}]
        _each(there, lambda name: client.remove_container(name, force=True, v=True))
    links, ovs = (importlib.import_module(f"{PACKAGE}.module_utils.{name}") for name in ("_netlink._port", "_ovsdb._port"))
    with importlib.import_module(f"{PACKAGE}.module_utils._server").Server() as server:
        groups = {one["group"] for one in declared["ports"]} & {device.group for device in server.net.read().values()}
        server.net.apply([links.DropGroup(group) for group in sorted(groups)])
        server.ovs.apply([ovs.DropBridge("arch-ovs")], timeout=120)
        marks = {"archetype-bridge": "1"}
        server.ovs.apply([ovs.PutBridge("arch-ovs", "netdev", "standalone", {"forward-bpdu": "true"}, marks)], timeout=120)
    return {}


STEPS: dict[str, Callable[[Json], Json]] = {"floor": floor, "check_floor": check_floor, "clear": clear}


# on the controller


class Bench:
    """The lab on a testbed that is up."""

    def __init__(self, testbed: Any, folder: Path, nodes: int) -> None:
        self.testbed = testbed
        self.folder = folder
        self.file = write_lab(folder, nodes)
        self.slices = slices(self.file, {one.name: one.address for one in testbed.servers})

    def prepare(self) -> None:
        from tests.testbed import images

        images.ensure(self.testbed, ["sandbox", "host"])
        self.play("prepare_servers")

    def step(self, what: str) -> list[Json]:
        """A step on all servers at once; what each of them said."""

        def on(server: Any) -> Json:
            words = ["env", f"PYTHONPATH={ROOT / 'collections'}", sys.executable, __file__, "--step", what]
            done = server.run(words, stdin=json.dumps(self.slices[server.name]), timeout=600)
            if done.returncode:
                raise SystemExit(f"step {what} on {server.name} failed: {done.stderr}{done.stdout}")
            return dict(json.loads(done.stdout.splitlines()[-1]))

        with concurrent.futures.ThreadPoolExecutor(SERVERS) as pool:
            return list(pool.map(on, self.testbed.servers))

    def floor(self) -> Json:
        began = time.perf_counter()
        parts = self.step("floor")
        seconds = time.perf_counter() - began
        self.step("check_floor")
        self.step("clear")
        return {"seconds": seconds, **{part: max(one[part] for one in parts) for part in parts[0] if part != "seconds"}}

    def modules_cpu(self) -> float:
        """Seconds of processor time that all modules on all servers have used so far: of their sshd, and of what it has waited for."""
        from tests.testbed import cgroups

        ticks = 0
        for server in self.testbed.servers:
            for pid in cgroups.pids(self.testbed.name, server.name):
                with contextlib.suppress(OSError):
                    name, fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)
                    ticks += sum(map(int, fields.split()[11:15])) if name.endswith("(sshd") else 0
        return ticks / os.sysconf("SC_CLK_TCK")

    def play(self, playbook: str) -> Json:
        from tests.testbed.fixtures import run_playbook

        modules = self.modules_cpu()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        played = run_playbook(self.testbed, ROOT / "playbooks" / f"{playbook}.yml", inventories=[self.file], timeout=1200)
        seconds = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if played.rc:
            raise SystemExit(f"{playbook} failed:\n{played.stdout}{played.stderr}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        changed = sum(counts["changed"] for host, counts in played.recap.items() if host.startswith("srv"))
        return {"seconds": seconds, "cpu": cpu, "modules_cpu": self.modules_cpu() - modules, "changed": changed}

    def round(self) -> dict[str, Json]:
        found = {"floor": self.floor()}
        for name, playbook in (("deploy", "deploy_lab"), ("no_op", "deploy_lab"), ("destroy", "destroy_lab")):
            found[name] = self.play(playbook)
        return found


@contextlib.contextmanager
def bench_on(testbed: Any, nodes: int, *, prepared: bool = False) -> Iterator[Bench]:
    """prepared: the servers are so already."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(testbed, Path(folder), nodes)
        if not prepared:
            bench.prepare()
        bench.step("clear")
        try:
            yield bench
        finally:
            bench.step("clear")


def judge(rounds: list[dict[str, Json]]) -> Json:
    """The medians of all rounds, beside their limits. rounds: what C(Bench.round) returned."""
    seconds = {name: statistics.median(one[name]["seconds"] for one in rounds) for name in rounds[0]}
    most = {
        "deploy": MOST_OF_FLOOR * seconds["floor"] + MOST_OVER_FLOOR,
        "no_op": MOST_OF_NO_OP,
        "destroy": MOST_OF_DESTROY,
    }
    same = all(not one["no_op"]["changed"] for one in rounds) and all(
        one[name]["changed"] for one in rounds for name in ("deploy", "destroy")
    )
    return {
        "seconds": seconds,
        "cpu": {name: statistics.median(one[name]["cpu"] for one in rounds) for name in most},
        "modules_cpu": {name: statistics.median(one[name]["modules_cpu"] for one in rounds) for name in most},
        "floor": {part: statistics.median(one["floor"][part] for one in rounds) for part in rounds[0]["floor"]},
        "ratio": seconds["deploy"] / seconds["floor"],
        "limits": most,
        "met": {name: seconds[name] <= limit for name, limit in most.items()},
        "no_op_changes_nothing": same,
        "rounds": [{name: found["seconds"] for name, found in one.items()} for one in rounds],
        "ok": same and all(seconds[name] <= limit for name, limit in most.items()),
    }


def measure(options: argparse.Namespace) -> Json:
    from tests.testbed.testbed import Testbed

    testbed = Testbed(options.name)
    testbed.up(servers=SERVERS)
    try:
        with bench_on(testbed, options.nodes) as bench:
            found = judge([bench.round() for _number in range(options.rounds)])
    finally:
        if not options.keep:
            testbed.down()
    return {"benchmark": "lab", "nodes": options.nodes, "links": 2 * options.nodes, "servers": SERVERS, **found}


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [rounded(one) for one in value]
    return round(value, 2) if isinstance(value, float) else value


def main() -> int:
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    parser.add_argument("--nodes", type=int, default=60, help="a multiple of 3; there are twice as many links")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--name", default="bl", help="of the testbed that is made for it")
    parser.add_argument("--keep", action="store_true", help="leave the testbed up")
    parser.add_argument("--step", choices=tuple(STEPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](json.load(sys.stdin))))
        return 0
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    result = rounded(measure(options))
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
