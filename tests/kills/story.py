# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab that is killed at, what it is edited to, what is broken of it, and what else is on its servers and must stay."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any

from tests.edits import observed
from tests.integration import dumps
from tests.integration.acceptance import HOST, Lab, World, addressed, make_lab, ovs_table, traces_of
from tests.integration.lab_server import LabServer
from tests.kills.points import ABSENT, EDITED, FIRST
from tests.testbed.testbed import Server

LAB = "killed"
NEIGHBOUR = "neighbour"
SERVERS = ("srv1", "srv2")
NODES: Mapping[str, Any] = {
    "a": addressed("srv1", "10.10.0.1/24", "10.10.1.1/24"),
    "b": addressed("srv2", "10.10.0.2/24", "10.10.2.2/24", binds=["b.conf:/etc/b.conf"]),
    "c": addressed("srv1", "10.10.1.3/24", "10.10.3.3/24"),
    "d": addressed("srv2", "10.10.2.4/24", "10.10.3.4/24"),
}
LINKS = [("a:eth1", "b:eth1"), ("a:eth2", "c:eth1"), ("b:eth2", "d:eth1"), ("c:eth2", "d:eth2")]
BETWEEN, INSIDE = "a:eth1--b:eth1", "a:eth2--c:eth1"
SHARED = ("/run/archetype-lab/lock ", "/run/archetype-lab/work ")
Json = dict[str, Any]

ADMIN = """
ip link show admin0 >/dev/null 2>&1 || ip link add admin0 type veth peer name admin1
ip link set admin0 up
ip link set admin1 up
ovs-vsctl --may-exist add-port arch-ovs admin0 tag=77 -- set Port admin0 external_ids:owner=admin
docker inspect admins >/dev/null 2>&1 || docker run --detach --name admins --network none "$1"
"""


def topologies(world: World) -> dict[str, Lab]:
    """State -> the lab's files in it. Each has a folder of its own, and the lock file of its own with it."""
    made = {state: make_lab(world.folder / state, LAB, copy.deepcopy(dict(NODES)), LINKS) for state in (FIRST, EDITED)}
    for lab in made.values():
        lab.file.with_name("b.conf").write_text("whole\n")
    _edit(made[EDITED])
    return made


def _edit(lab: Lab) -> None:
    """A link less, a link more, a node with another name, another variable, another file."""
    lab.links.remove({"endpoints": ["b:eth2", "d:eth1"]})
    lab.links.append({"endpoints": ["a:eth3", "b:eth2"]})
    lab.nodes["e"] = lab.nodes.pop("c")
    for link in lab.links:
        link["endpoints"] = [end.replace("c:", "e:") for end in link["endpoints"]]
    del lab.nodes["d"]["exec"]
    lab.nodes["d"]["env"] = {"LEVEL": "2"}
    lab.file.with_name("b.conf").write_text("edited\n")
    lab.write(placement={"a": "srv1", "b": "srv2", "e": "srv1", "d": "srv2"})


def neighbours(world: World) -> tuple[str, str, str]:
    """Make another lab, and what an admin has on each server. The way of a ping inside the other lab."""
    nodes = {"x": addressed("srv1", "10.11.0.1/24"), "y": addressed("srv2", "10.11.0.2/24")}
    lab = make_lab(world.folder / NEIGHBOUR, NEIGHBOUR, nodes, [("x:eth1", "y:eth1")])
    world.deploy(lab).green()
    world.each(lambda server: server.run(["sh", "-c", ADMIN, "admin", HOST], check=True))
    return "srv1", lab.container("x"), "10.11.0.2"


def clear(world: World) -> None:
    """Take all of it away."""
    world.forget(LAB, NEIGHBOUR)
    away = "ovs-vsctl --if-exists del-port admin0; ip link del admin0; docker rm -f admins"
    world.each(lambda server: server.run(["sh", "-c", away]))


def state(world: World, declared: str) -> Json:
    """All that is on the servers: of the lab, with its name on it, and of others."""
    found: Json = {"others": world.each(others), "traces": world.each(traces_on)}
    return found if declared == ABSENT else {**found, "lab": world.each(of_lab)}


def others(server: Server) -> Json:
    """The files by which all runs wait for one another are nobody's own."""
    found = dumps.dump(server, LAB)
    return {**found, "files": dict.fromkeys((one for one in found["files"] if not one.startswith(SHARED)), "there")}


def of_lab(server: Server) -> Json:
    """With its tags, which are the same whatever happened on the way."""
    ports = ovs_table(LabServer(server).run("ovs-vsctl", "--format=json", "--columns=name,tag,external_ids", "list", "Port"))
    return {**observed.of_server(server, LAB), "tags": {name: row["tag"] for name, row in ports.items()}}


def traces_on(server: Server) -> Json:
    return dict.fromkeys(filter(None, map(_steady, traces_of(LabServer(server), LAB))), "there")


_NUMBERS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|archetype-ifindex=\"\d+\"")


def _steady(line: str) -> str:
    """A trace without what each deployment has another of. Rows of the database are compared as what they are.

    How often something was mended is remembered where it was, and faults are not on each server.
    """
    return "" if line.startswith("ovs ") or "/certify-" in line or line.endswith("/tries.json") else _NUMBERS.sub("", line)


def break_it(world: World, lab: Lab, fault: str) -> None:
    """Do to the lab what somebody might."""
    marks = {one.name: world.ovs_marks(one.name) for one in world.testbed.servers}

    def named(server: str, **wanted: str) -> str:
        fits = (name for name, row in sorted(marks[server].items()) if {**row["external_ids"], **wanted} == row["external_ids"])
        return next(fits)

    lab_of = {"archetype-lab": lab.name, "archetype-link": BETWEEN}
    if fault == "tag":
        world.on("srv2", "ovs-vsctl", "set", "Port", named("srv2", **lab_of, **{"archetype-role": "port"}), "tag=99")
    elif fault == "tunnel":
        world.on("srv1", "ip", "link", "delete", named("srv1", **lab_of, **{"archetype-role": "tunnel"}))
    elif fault == "port":
        world.on("srv1", "ovs-vsctl", "del-port", named("srv1", **lab_of, **{"archetype-role": "port"}))
    elif fault == "node":
        world.on("srv2", "docker", "rm", "-f", lab.container("d"))
    else:
        world.on("srv1", "docker", "kill", f"{lab.container('a')}-sandbox")
