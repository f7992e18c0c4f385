# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose carrier is off, and what is remembered of nodes of other servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils import _carriers, _run_files, _server
from ansible_collections.archetype.lab.plugins.module_utils._carriers import load_far, overlay, save_far, stopped_ends
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared, Endpoint, Link, Port
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

AB, AC, AA, SEGMENT, FAR = "a:eth1--b:eth1", "a:eth2--c:eth1", "a:eth3--a:eth4", "segment:lan", "a:eth9--host:eth5"


def link(key: str, *ends: str) -> Link:
    return Link(key, 1500, tuple(Endpoint(one.split(":")[0], one.split(":")[1], "s1", one.replace(":", "-")) for one in ends))


LINKS = (
    link(AB, "a:eth1", "b:eth1"),
    link(AC, "a:eth2", "c:eth1"),
    link(AA, "a:eth3", "a:eth4"),
    link(SEGMENT, "a:eth5", "b:eth5"),
    link("management", "a:eth0", "b:eth0"),
    link(FAR, "a:eth9"),
)
PORTS = tuple(
    Port(end.port, link=one.key, node=end.node, interface=end.interface) for one in LINKS for end in one.endpoints if end.node != "c"
)
DECLARED = Declared.from_params({"lab": "demo", "server": "s1"})


def declared() -> Declared:
    return Declared("demo", "s1", DECLARED.bridge, ports=PORTS, links=LINKS)


@pytest.fixture(autouse=True)
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run" / "labs" / "demo"


def off(*stopped: str) -> list[str]:
    return [port.name for port in overlay(declared(), stopped).ports if not port.enabled]


def test_cables_have_two_ends_and_are_no_switch() -> None:
    assert [one.key for one in LINKS if _carriers.is_cable(one)] == [AB, AC, AA]


def test_links_of_a_node_that_does_not_run_are_found_with_that_node() -> None:
    assert stopped_ends(LINKS, {"b"}) == {AB: "b"}
    assert stopped_ends(LINKS, {"a"}) == {AB: "a", AC: "a", AA: "a"}
    assert stopped_ends(LINKS, {"a", "b"}) == {AB: "a", AC: "a", AA: "a"}
    assert stopped_ends(LINKS, ()) == {}


def test_the_near_end_is_off_and_the_end_at_the_node_itself_is_left() -> None:
    assert off("b") == ["a-eth1"]
    assert off("c") == ["a-eth2"]
    assert off("a") == ["b-eth1"]
    assert off("b", "c") == ["a-eth1", "a-eth2"]
    assert off("a", "b") == []
    assert off("nobody") == []


def test_what_is_declared_is_not_changed() -> None:
    want = declared()
    assert overlay(want, ()) is want
    overlay(want, {"b"})
    assert all(port.enabled for port in want.ports)


def test_a_port_that_is_declared_down_stays_down() -> None:
    down = Declared("demo", "s1", DECLARED.bridge, ports=(Port("a-eth1", link=AB, node="a", enabled=False),), links=LINKS)
    assert [port.enabled for port in overlay(down, {"c"}).ports] == [False]


@settings(deadline=None)
@given(st.sets(st.sampled_from(["a", "b", "c"])))
def test_only_carriers_differ_and_only_at_nodes_that_run(stopped: set[str]) -> None:
    laid = overlay(declared(), stopped)
    assert (laid.links, laid.tunnels, laid.containers) == (LINKS, (), ())
    ends = stopped_ends(LINKS, stopped)
    for before, now in zip(PORTS, laid.ports, strict=True):
        assert now.enabled == (before.link not in ends or before.node in stopped)
    assert overlay(laid, stopped) == laid


def test_what_others_told_is_kept_and_only_written_when_it_changed(run_dir: Path) -> None:
    assert load_far("demo") == {}
    assert save_far("demo", {"c": True})
    file = run_dir / "far.json"
    before = file.stat().st_ino
    assert not save_far("demo", {"c": True})
    assert file.stat().st_ino == before
    assert save_far("demo", {"c": False})
    assert load_far("demo") == {"c": False}
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", ["{", "[]", "1", '{"c": "no", "d": 1, "e": null}'])
def test_what_is_damaged_was_not_told(run_dir: Path, content: str) -> None:
    run_dir.mkdir(parents=True)
    (run_dir / "far.json").write_text(content)
    assert load_far("demo") == {}
    assert save_far("demo", {})
    assert _run_files.read("demo", "far.json") == ({}, None)


def test_folders_that_are_made_are_roots_alone(run_dir: Path) -> None:
    save_far("demo", {"c": True})
    assert [one.stat().st_mode & 0o777 for one in (run_dir, run_dir.parent, run_dir.parent.parent)] == [0o700] * 3


def test_a_link_in_the_place_of_the_new_file_is_not_followed(run_dir: Path, tmp_path: Path) -> None:
    run_dir.mkdir(parents=True)
    target = tmp_path / "shadow"
    target.write_text("")
    (run_dir / "far.json.new").symlink_to(target)
    with pytest.raises(LabError, match="cannot be written"):
        save_far("demo", {"c": True})
    assert target.read_text() == ""


@pytest.mark.parametrize("lab", ["", "..", "a/b", ".hidden"])
def test_a_name_that_is_no_lab_is_refused(lab: str) -> None:
    with pytest.raises(LabError, match="is not a name for a lab"):
        load_far(lab)
