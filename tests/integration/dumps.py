# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server has, in a form that can be compared before and after."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from tests.testbed import cgroups
from tests.testbed.testbed import Server


def dump(server: Server, lab: str = "") -> dict[str, Any]:
    """Everything on a server that is not the lab's; without a lab, all."""

    def run(*words: str) -> str:
        return str(server.run(list(words), check=True).stdout)

    def of_lab(value: Any) -> bool:
        return bool(lab) and lab in json.dumps(value)

    ids = run("docker", "ps", "-aq", "--no-trunc").split()
    containers = json.loads(run("docker", "inspect", *ids)) if ids else []
    tables = {}
    for name in ("Port", "Interface"):
        table = json.loads(run("ovs-vsctl", "--format=json", "list", name))
        rows = [dict(zip(table["headings"], row, strict=True)) for row in table["data"]]
        moving = ("statistics", "ifindex", "_uuid")
        tables[name] = {row["name"]: {key: row[key] for key in row if key not in moving} for row in rows}
    devices = {one["ifname"]: one for one in json.loads(run("ip", "-json", "-details", "link"))}
    files = run("find", "/var/lib/archetype-lab", "/run/archetype-lab", "-type", "f", "-printf", "%p %s %m %T@\n").splitlines()
    return {
        "containers": {one["Name"]: [one["Id"], one["State"]["Pid"], one["State"]["StartedAt"]] for one in containers if not of_lab(one)},
        "images": sorted(run("docker", "images", "-q", "--no-trunc").split()),
        "ports": {name: row for name, row in tables["Port"].items() if not of_lab(row["external_ids"])},
        "interfaces": {name: row for name, row in tables["Interface"].items() if name in devices and not of_lab(devices[name])},
        "devices": {name: one for name, one in devices.items() if not of_lab(one)},
        # Whose turn it is on the server is written by whoever has it.
        "files": sorted(
            _lasting(one) for one in files if (not lab or f"/{lab}" not in one) and not one.startswith("/run/archetype-lab/work ")
        ),
        "bridges": run("ovs-vsctl", "list-br"),
        "settings": run("ovs-vsctl", "--columns=other_config,external_ids", "list", "Open_vSwitch"),
    }


def _lasting(line: str) -> str:
    """A file with size, mode and time. By what links were proven is written down by whoever proves them, which looking does, too."""
    name, _size, mode, _time = line.rsplit(" ", 3)
    return f"{name} {mode}" if name.endswith("/standing.json") else line


def namespaces(server: Server) -> int:
    """How many network namespaces the server's processes and mounts hold."""
    held = set()
    for pid in cgroups.pids(server.config.name, server.name):
        with contextlib.suppress(OSError):
            held.add(os.readlink(f"/proc/{pid}/ns/net"))
    mounts = Path(f"/proc/{server.place.holder}/mountinfo").read_text()
    return len(held | set(re.findall(r"net:\[\d+\]", mounts)))
