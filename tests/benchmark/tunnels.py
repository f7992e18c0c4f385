# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the module needs for 264 tunnels, beside the least that anybody could need, in the same run.

The floor is one netlink batch and one OVSDB transaction that waits for ovs-vswitchd, with the same libraries: no reading, no
comparing, no marks on devices, no verification. Both sides run in a new process each time, which imports what it needs; the best
of C(--rounds) counts. Prints JSON; ends with 1 when a limit is missed. Needs root: it makes a testbed of one server.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MODULE = "ansible_collections.archetype.lab.plugins.modules.ovs_vxlan_tunnel"
ADDRESS, FAR = "198.51.100.1", "198.51.100.2"
MOST_OF_FLOOR = 2.0
MOST_OF_NO_OP = 0.3
SPAWNING = ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system")


def tunnels(count: int) -> list[dict[str, Any]]:
    return [
        {
            "name": f"at{index:05d}",
            "vni": 70000 + index,
            "local": ADDRESS,
            "remotes": [FAR],
            "mtu": 1450,
            "link": f"r{index}:eth1--s{index}:eth1",
            "tag": 3000 + index,
            "group": 4711,
        }
        for index in range(count)
    ]


def floor(count: int) -> dict[str, Any]:
    began = time.perf_counter()
    from ovsdbapp.backend.ovs_idl import connection
    from ovsdbapp.schema.open_vswitch import impl_idl
    from pyroute2 import IPBatch, IPRoute

    batch = IPBatch()
    with IPRoute() as route:
        for one in tunnels(count):
            batch.link(
                "add",
                ifname=one["name"],
                kind="vxlan",
                vxlan_id=one["vni"],
                vxlan_local=ADDRESS,
                vxlan_group=FAR,
                vxlan_port=4789,
                vxlan_learning=0,
                mtu=1450,
                group=4711,
                state="up",
            )
        route.sendto(batch.batch, (0, 0))
    made = time.perf_counter()
    idl = connection.OvsdbIdl.from_server("unix:/var/run/openvswitch/db.sock", "Open_vSwitch")
    api = impl_idl.OvsdbIdl(connection.Connection(idl, timeout=60))
    with api.transaction(check_error=True) as transaction:
        for one in tunnels(count):
            transaction.add(api.add_port("arch-ovs", one["name"]))
            values = (("tag", one["tag"]), ("vlan_mode", "dot1q-tunnel"), ("external_ids", {"archetype-link": one["link"]}))
            transaction.add(api.db_set("Port", one["name"], *values))
    done = time.perf_counter()
    check_made(count)
    return {"seconds": done - began, "netlink": made - began, "ovsdb": done - made}


def check_made(count: int) -> None:
    """That the floor is one: every device and every port is there, and works."""
    module = importlib.import_module("ansible_collections.archetype.lab.plugins.module_utils._server")
    with module.Server() as server:
        devices, ports = server.net.read(), server.ovs.read().ports
    names = [one["name"] for one in tunnels(count)]
    good = [name for name in names if name in devices and devices[name].vxlan and name in ports and (ports[name].ofport or -1) > 0]
    if len(good) != count:
        raise SystemExit(f"the floor made {len(good)} of {count} tunnels")


def ours(count: int) -> dict[str, Any]:
    from ansible.module_utils.testing import patch_module_args

    spawned: list[str] = []
    sys.addaudithook(lambda event, _arguments: spawned.append(event) if event in SPAWNING else None)
    said = io.StringIO()
    began = time.perf_counter()
    module = importlib.import_module(MODULE)
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit), patch_module_args({"lab": "bench", "tunnels": tunnels(count)}):
        module.main()
    seconds = time.perf_counter() - began
    result = json.loads(said.getvalue())
    if result.get("failed"):
        raise SystemExit(result["msg"])
    return {"seconds": seconds, "changes": len(result["changes"]), "processes": len(spawned)}


def clear(_count: int) -> dict[str, Any]:
    """Whatever either side made. The devices first, all at once; then the bridge, which is far quicker than its ports."""
    module = importlib.import_module("ansible_collections.archetype.lab.plugins.module_utils._server")
    ports = importlib.import_module("ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port")
    links = importlib.import_module("ansible_collections.archetype.lab.plugins.module_utils._netlink._port")
    with module.Server() as server:
        server.net.apply([links.DropGroup(4711)])
        server.ovs.apply([ports.DropBridge("arch-ovs")], timeout=120)
        marks = {"archetype-bridge": "1"}
        server.ovs.apply([ports.PutBridge("arch-ovs", "netdev", "standalone", {"forward-bpdu": "true"}, marks)], timeout=120)
        left = [name for name in server.net.read() if name.startswith("at")]
    return {"left": len(left)}


STEPS: dict[str, Callable[[int], dict[str, Any]]] = {"floor": floor, "ours": ours, "clear": clear}


def measure(name: str, count: int, rounds: int) -> dict[str, Any]:
    from tests.testbed.testbed import Testbed

    testbed = Testbed(name)
    testbed.up(servers=1)
    try:
        server = testbed.server("srv1")

        def step(what: str) -> dict[str, Any]:
            path = f"PYTHONPATH={ROOT / 'collections'}"
            done = server.run(["env", path, sys.executable, __file__, "--step", what, "--count", str(count)], check=True, timeout=300)
            return dict(json.loads(done.stdout.splitlines()[-1]))

        found: dict[str, list[dict[str, Any]]] = {"floor": [], "ours": [], "no_op": []}
        for _round in range(rounds):
            for what in ("floor", "ours"):
                step("clear")
                found[what].append(step(what))
            found["no_op"].append(step("ours"))
        step("clear")
    finally:
        testbed.down()
    return report(found, count)


def report(found: dict[str, list[dict[str, Any]]], count: int) -> dict[str, Any]:
    best = {what: min(runs, key=lambda run: float(run["seconds"])) for what, runs in found.items()}
    ratio = best["ours"]["seconds"] / best["floor"]["seconds"]
    processes = sum(run["processes"] for what in ("ours", "no_op") for run in found[what])
    wrong = {run["changes"] for run in found["ours"]} != {count} or any(run["changes"] for run in found["no_op"])
    good = ratio <= MOST_OF_FLOOR and best["no_op"]["seconds"] < MOST_OF_NO_OP and not processes and not wrong
    return {
        "benchmark": "tunnels",
        "count": count,
        "floor": best["floor"],
        "ours": best["ours"],
        "no_op": best["no_op"],
        "ratio": round(ratio, 2),
        "limits": {"ratio": MOST_OF_FLOOR, "no_op": MOST_OF_NO_OP, "processes": 0},
        "processes": processes,
        "ok": good,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=264)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--name", default="bt", help="of the testbed that is made for it")
    parser.add_argument("--step", choices=tuple(STEPS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(STEPS[options.step](options.count)))
        return 0
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    result = measure(options.name, options.count, options.rounds)
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
