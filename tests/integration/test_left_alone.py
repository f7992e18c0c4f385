# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node that is held, and nodes that join it or wait for it, on a real Docker."""

from __future__ import annotations

from typing import Any

from tests.integration.lab_server import PREFIX, LabServer, box, box_server

__all__ = ["box", "box_server"]

LAB = "lc-held"
Json = dict[str, Any]


def node(name: str, **fields: Any) -> Json:
    return {"name": f"{PREFIX}{name}", "sandbox": f"{PREFIX}{name}.sb", "node": name, "kind": "linux", "image": "box:1", **fields}


JOINING = node("b", network="node", sandbox=f"{PREFIX}a.sb")
WAITING = node("c", wave=1, waits_for=["a"])


def converge(server: LabServer, *nodes: Json, hold: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    """What was done, and what is wrong."""
    declared = {"lab": LAB, "server": "srv1", "bridge": {"name": "lc-ovs"}, "containers": list(nodes)}
    result = server.module("lab_converge", declared=declared, hold=list(hold), owner="test", token="t")
    server.run("rm", "-f", f"/run/archetype-lab/labs/{LAB}/lock.json")
    done = [f"{one['action']} {one['name']}" for one in result["changes"] if one["kind"] == "container"]
    return done, [one["msg"] for one in result.get("errors", [])]


def test_a_held_node_is_left_and_others_join_it_and_wait_for_it_as_long_as_it_runs(box: LabServer) -> None:
    try:
        assert converge(box, node("a")) == ([f"create {PREFIX}a"], [])
        before = box.inspect(f"{PREFIX}a")["Id"]
        other = node("a", env={"A": "other"})
        made = [f"create {PREFIX}b", f"create {PREFIX}c"]
        assert converge(box, other, JOINING, WAITING, hold=("a",)) == (made, [])
        assert box.inspect(f"{PREFIX}a")["Id"] == before
        box.docker("rm", "-f", f"{PREFIX}a", f"{PREFIX}a.sb", f"{PREFIX}b", f"{PREFIX}c")
        done, errors = converge(box, other, JOINING, WAITING, hold=("a",))
        assert done == [f"create {PREFIX}c"]
        assert errors == [
            f"node b is not started: it joins container {PREFIX}a.sb, which is left alone and does not run",
            "node c is not started: it waits for node a, which is left alone, and does not run",
        ]
        assert not {f"{PREFIX}a", f"{PREFIX}a.sb", f"{PREFIX}b", f"{PREFIX}c"} & set(box.names())
        assert converge(box, other, JOINING, WAITING) == ([f"create {PREFIX}a", *made], [])
        assert converge(box, WAITING, hold=("a", "b"))[0] == []
        assert {f"{PREFIX}a", f"{PREFIX}a.sb", f"{PREFIX}b"} <= set(box.names())
        assert converge(box, other, JOINING, WAITING) == ([], [])
    finally:
        box.run("sh", "-c", f"ovs-vsctl --if-exists del-br lc-ovs; rm -rf /run/archetype-lab/labs/{LAB} /var/lib/archetype-lab/{LAB}.json")
