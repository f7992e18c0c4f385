# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said of a file without a server, all of it at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import sandbox_name
from ansible_collections.archetype.lab.plugins.plugin_utils._validate import Checked, validate
from ansible_collections.archetype.lab.plugins.plugin_utils._validate_text import complaint, render_checked

GOOD = """
name: demo
topology:
  defaults: {kind: linux, image: i}
  nodes:
    a: {}
    b: {}
    c: {kind: bridge}
  links:
    - endpoints: [a:eth1, b:eth1]
    - endpoints: [a:eth2, c:p1]
    - endpoints: [b:eth2, c:p2]
"""
LAB = "plugin: archetype.lab.topology\ntopology: demo.clab.yml\n"


@pytest.fixture
def check(tmp_path: Path):
    def call(name: str = "demo.clab.yml", groups=None, **files: str) -> Checked:
        for key, text in {"demo__clab__yml": GOOD, **files}.items():
            (tmp_path / key.replace("__", ".")).write_text(text)
        return validate(str(tmp_path / name), groups, {})

    return call


@pytest.fixture
def problems(check, tmp_path: Path):
    def call(*args, **files) -> list[str]:
        return [str(one).replace(f"{tmp_path}/", "") for one in check(*args, **files).problems]

    return call


def test_a_good_topology_is_counted(check) -> None:
    found = check()
    assert (found.sort, found.lab, found.problems, found.unchecked) == ("topology", "demo", (), ())
    assert (found.nodes, found.links, found.servers) == ({"linux": 2}, {"segment": 1, "veth": 1}, {})


def test_a_good_lab_file_tells_where_nodes_go(check) -> None:
    found = check("demo.lab.yml", demo__lab__yml=LAB + "servers: {x: {}, y: {}}\n")
    assert (found.sort, found.problems, found.servers) == ("lab file", (), {"x": 1, "y": 1})


def test_servers_of_a_group_come_from_the_inventory(check, problems) -> None:
    text = LAB + "servers: metal\nplacement: {a: x}\n"
    assert check("demo.lab.yml", {"metal": ["x", "y"]}.get, demo__lab__yml=text).servers == {"x": 1, "y": 1}
    assert problems("demo.lab.yml", {"metal": ["w", "y"]}.get, demo__lab__yml=text) == [
        "demo.lab.yml:4:16: node a is pinned to server x, which is not one of w, y. Correct placement"
    ]


def test_what_cannot_be_checked_without_an_inventory_is_said(check) -> None:
    found = check("demo.lab.yml", lambda _group: [], demo__lab__yml=LAB + "placement: {a: anywhere}\n")
    assert (found.problems, found.servers) == ((), {})
    assert found.unchecked == (
        "where nodes go and whether there are tags for all links: group lab_servers of servers is not in the inventory. Give it, with -i",
    )


def test_problems_of_both_files_are_told_at_once_in_their_order(problems) -> None:
    text = GOOD.replace("b: {}", "b: {kind: lnux}").replace("a:eth2", "z:eth2")
    found = problems("demo.lab.yml", demo__clab__yml=text, demo__lab__yml=LAB + "overlay_mode: both\nplacement: {a: q}\nservers: {x: {}}\n")
    assert [one.split(". ")[0] for one in found] == [
        'demo.clab.yml:7:15: unknown kind "lnux"',
        'demo.clab.yml:11:19: unknown node "z" in a link',
        'demo.lab.yml:3:15: overlay_mode is "both"',
        'demo.lab.yml:4:16: node a is pinned to the unknown server "q"',
    ]


def test_running_out_of_tags_is_told(problems) -> None:
    (message,) = problems("demo.lab.yml", demo__lab__yml=LAB + "management: false\nservers: {x: {}}\ntags: {local: [100, 100]}\n")
    assert "server x has no tag left: 2 links want one of 100-100 (1 tags)" in message


def test_containers_of_one_name_are_told(problems) -> None:
    name = sandbox_name("a")
    text = f"name: demo\nprefix: ''\ntopology:\n  defaults: {{kind: linux, image: i}}\n  nodes: {{a: {{}}, {name}: {{}}}}\n"
    assert [message.split(". ")[0] for message in problems(demo__clab__yml=text)] == [
        f"demo.clab.yml:5:18: node {name} and the sandbox of node a would both be container {name}"
    ]


def test_two_servers_with_one_address_are_told(problems) -> None:
    servers = "servers: {x: {ansible_host: 198.51.100.1}, y: {lab_underlay_address: 198.51.100.1}}\n"
    (message,) = problems("demo.lab.yml", demo__lab__yml=LAB + servers)
    assert "servers x and y have the same underlay address 198.51.100.1" in message


def test_a_broken_lock_file_is_told(problems) -> None:
    (message,) = problems("demo.lab.yml", demo__lab__yml=LAB + "servers: {x: {}}\n", demo__lock__yml="format: 7\n")
    assert message.startswith("demo.lock.yml: this lock file is broken")


def test_a_missing_file_is_told_with_its_line(problems) -> None:
    (message,) = problems(demo__clab__yml=GOOD.replace("a: {}", "a: {binds: [no.txt:/x]}"))
    assert message.startswith("demo.clab.yml:6:17: ")
    assert '"no.txt"' in message


def test_a_lab_file_of_another_name_is_told_to_be_renamed(problems) -> None:
    assert problems("demo.yml", demo__yml=LAB) == [
        "demo.yml:1:1: this is a lab file, but is not called like one. Rename it to end in .lab.yml"
    ]


def test_a_template_is_refused_with_what_to_do(problems) -> None:
    assert problems("x.clab.gotmpl") == ["x.clab.gotmpl: Go templates are not supported. Name the file that the template was rendered to"]


def test_a_file_that_is_not_there_is_told(problems) -> None:
    assert problems("nowhere.yml") == ["nowhere.yml: cannot be read: No such file or directory. Check the path and its permissions"]


def test_what_comes_out_is_json(check) -> None:
    found = check(demo__clab__yml="name: demo\ntopology: {nodes: {a: {kind: x, image: i}}}\n").as_json()
    assert json.loads(json.dumps(found)) == found
    assert (found["ok"], found["problems"][0]["line"], found["problems"][0]["column"]) == (False, 2, 30)
    assert found["problems"][0]["what"] == 'unknown kind "x"'


def test_a_good_file_is_shown_as_a_table(check, tmp_path: Path) -> None:
    assert render_checked([check()], str(tmp_path)).splitlines() == [
        "demo.clab.yml: good, topology of lab demo",
        "  nodes      2   linux 2",
        "  links      2   segment 1, veth 1",
    ]


def test_problems_are_shown_each_with_its_place_and_what_to_do(check, tmp_path: Path) -> None:
    bad = check(demo__clab__yml=GOOD.replace("a:eth2", "z:eth2").replace("name: demo", "nmae: demo"))
    assert render_checked([bad], str(tmp_path)).splitlines() == [
        "demo.clab.yml: 3 problems",
        "  demo.clab.yml:2:1: name is missing",
        "      Give the lab a name",
        '  demo.clab.yml:2:1: unknown key "nmae" in a topology file',
        '      Did you mean "name"?',
        '  demo.clab.yml:11:19: unknown node "z" in a link',
        "      Add it under nodes, or correct its name",
    ]


def test_several_files_are_summed_up(check, tmp_path: Path) -> None:
    good, bad = check(), check("no.yml")
    assert render_checked([good, good], str(tmp_path)).endswith("\n\n2 files, all good\n")
    assert render_checked([good, bad], str(tmp_path)).endswith("\n\n1 problem in no.yml\n")
    assert complaint([good]) == ""
    assert complaint([bad] * 7, str(tmp_path)).endswith("no.yml and 2 more")


def test_a_group_that_is_nearly_one_with_settings_is_noted(check) -> None:
    text = (
        GOOD.replace("a: {}", "a: {group: rotuers}")
        .replace("b: {}", "b: {group: racks}")
        .replace("  nodes:", "  groups: {routers: {}}\n  nodes:")
    )
    assert check(demo__clab__yml=text).notes == ('group "rotuers" has no settings under groups. Did you mean "routers"?',)
