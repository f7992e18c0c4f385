# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""README.md shows what C(make demo) shows: its table against the plan of the demo, and a demo whose commands suit its networks."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "playbooks" / "files" / "demo"
SERVER = "this_machine"


def test_the_table_is_that_of_the_demo(tmp_path: Path) -> None:
    for path in ("demo.lab.yml", "demo.clab.yml"):
        (tmp_path / path).symlink_to(DEMO / path)
    (tmp_path / "routers").symlink_to(DEMO / "routers")
    lab = load_lab_file(str(tmp_path / "demo.lab.yml"))
    plan = make_plan(lab, {SERVER: ServerFacts("127.0.0.1")}, {SERVER: {}}, complete=False)
    links, nodes = (
        [line.split() for line in part.split("\n\n", 1)[0].splitlines()[1:]]
        for part in (ROOT / "README.md").read_text().split("\nLINK ", 1)[1].split("\nNODE ", 1)
    )
    assert links == [[key, "up", f"{SERVER}:", str(link["tags"][SERVER]), str(link["mtu"])] for key, link in plan["links"].items()]
    shown = [[name, node["kind"], SERVER, node["management"]["ipv4"], "ready", node["shell"]] for name, node in plan["nodes"].items()]
    assert [" ".join(line) for line in nodes] == [" ".join(line) for line in shown]


def test_hosts_of_the_demo_leave_the_default_route_to_the_management_network() -> None:
    topology = load_lab_file(str(DEMO / "demo.lab.yml")).topology
    assert not [words for node in topology.nodes.values() for words in node.exec if "default" in words]
    assert not [path for path in (DEMO / "routers").glob("*.conf") if "network 0.0.0.0/0" in path.read_text()]
