# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which server a node is placed on, and the lock file."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import Lock, holds_lock, place, read_lock, render_lock
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import (
    lab_file,
    link,
    node,
    random_links,
    servers,
    shuffled,
    topology,
)

THREE = ("srv1", "srv2", "srv3")
FRR = topology(
    [
        link("router1:eth1", "router2:eth1"), link("router1:eth2", "router3:eth1"), link("router2:eth2", "router3:eth2"),
        link("PC1:eth1", "router1:eth3"), link("PC2:eth1", "router2:eth3"), link("PC3:eth1", "router3:eth3"),
    ]
)  # fmt: skip


def test_linked_nodes_are_kept_together():
    placement = place(FRR, THREE, {}, {})
    assert [placement[f"PC{number}"] for number in (1, 2, 3)] == [placement[f"router{number}"] for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("pins", "locked", "live", "wanted"),
    [
        ({"PC1": "srv3"}, {"PC1": "srv2"}, {"PC1": "srv1"}, "srv3"),
        ({}, {"PC1": "srv2"}, {"PC1": "srv1"}, "srv2"),
        ({}, {}, {"PC1": "srv3"}, "srv3"),
        ({}, {"PC1": "gone"}, {"PC1": "srv3"}, "srv3"),
        ({}, {"nobody": "srv1"}, {"PC1": "gone"}, "srv1"),
    ],
    ids=["a pin wins", "then the lock", "then where it runs", "a lock to a server that is gone is passed over", "else the default"],
)
def test_precedence(pins, locked, live, wanted):
    assert place(FRR, THREE, pins, locked, live)["PC1"] == wanted


def test_a_pin_to_a_server_that_is_not_there_is_an_error():
    with pytest.raises(LabFileError, match=r"node PC1 is pinned to server srv9, which is not one of srv1, srv2, srv3"):
        place(FRR, THREE, {"PC1": "srv9"}, {})


def test_no_server_is_an_error():
    with pytest.raises(LabFileError, match="no server"):
        place(FRR, [], {}, {})


def test_one_server_takes_all():
    assert set(place(FRR, ["only"], {}, {"PC1": "gone"}).values()) == {"only"}


@given(st.integers(2, 40), st.integers(0, 60), st.integers(1, 7), st.integers(0, 99), st.data())
def test_default_is_balanced_whatever_is_fixed_and_the_order_of_the_file_does_not_matter(count, links, places, seed, data):
    made = topology(random_links(links, count, seed), nodes=[node(f"n{number}") for number in range(count)])
    names = sorted(servers(places))
    pins = data.draw(st.dictionaries(st.sampled_from(sorted(made.nodes)), st.sampled_from(names), max_size=count))
    placement = place(made, names, pins, {})
    assert set(placement) == set(made.nodes)
    assert pins.items() <= placement.items()
    fair, pinned = math.ceil(count / places), Counter(pins.values())
    for server, load in Counter(placement.values()).items():
        assert load <= max(fair, pinned[server])
    assert place(shuffled(made, seed), names[::-1], pins, {}) == placement


def test_lock_file_comes_back_as_it_was_written(tmp_path):
    plan = make_plan(lab_file(FRR), servers(3), {})
    path = tmp_path / "x.lock.yml"
    path.write_text(render_lock(plan))
    lock = read_lock(str(path))
    assert lock.lab == "x"
    assert lock.placement == plan["placement"]
    assert lock.tags == {key: one["tags"] for key, one in plan["links"].items()}
    assert lock.vnis == {key: one["vni"] for key, one in plan["links"].items() if one["vni"]}
    again = make_plan(lab_file(shuffled(FRR, 1), lock_file=str(path)), servers(3), {})
    assert render_lock(again) == path.read_text()


@pytest.mark.parametrize("name", ["yes", "null", "1", "1e3", "0x10", "a b", "~", "12:30:45", "-", "y", "2026-01-01", "a: b", "é"])
def test_names_that_yaml_could_take_for_something_else_survive(name, tmp_path):
    plan = {"lab": name, "placement": {name: name}, "links": {f"{name}:eth1--z:eth1": {"tags": {name: 100}, "vni": None}}}
    content = yaml.safe_load(render_lock(plan))
    assert content["lab"] == name
    assert content["placement"] == {name: name}
    assert content["tags"] == {f"{name}:eth1--z:eth1": {name: 100}}
    assert content["vnis"] == {}


def test_no_lock_file_is_an_empty_lock(tmp_path):
    assert read_lock(str(tmp_path / "none.lock.yml")) == Lock()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not a mapping"),
        ("- a", "it is not a mapping"),
        ("format: 2\nlab: x\nplacement: {}", "format is 2, not 1"),
        ("format: 1\nplacement: {}", "lab is not a name"),
        ("format: 1\nlab: x", "placement is missing"),
        ("format: 1\nlab: x\nplacement: {a: 1}", "placement of a is not the name of a server"),
        ("format: 1\nlab: x\nplacement: {a: s}\ntags: [1]", "tags is not a mapping"),
        ("format: 1\n<<<<<<< HEAD\nlab: x", ":3:1: this lock file is not YAML"),
        ("\x00", "not YAML"),
    ],
)
def test_a_broken_lock_file_says_what_to_do(text, said, tmp_path):
    path = tmp_path / "x.lock.yml"
    path.write_text(text)
    with pytest.raises(LabFileError, match="Restore it from version control, or delete it") as error:
        read_lock(str(path))
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_a_lock_file_that_cannot_be_read_is_not_taken_for_none(tmp_path):
    with pytest.raises(LabFileError, match="cannot be read"):
        read_lock(str(tmp_path))
    binary = tmp_path / "b.lock.yml"
    binary.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(LabFileError):
        read_lock(str(binary))


def test_the_lock_file_of_another_lab_is_an_error(tmp_path):
    path = tmp_path / "x.lock.yml"
    path.write_text("format: 1\nlab: other\nplacement: {PC1: srv1}\n")
    with pytest.raises(LabFileError, match="that of lab other, not of x"):
        make_plan(lab_file(FRR, lock_file=str(path)), servers(3), {})


def test_a_lock_file_is_known_by_its_text(tmp_path):
    path = tmp_path / "x.lock.yml"
    assert not holds_lock(str(path), "format: 1\n")
    path.write_text("format: 1\n")
    assert holds_lock(str(path), "format: 1\n")
    assert not holds_lock(str(path), "format: 2\n")
    assert not holds_lock(str(tmp_path), "format: 1\n")
