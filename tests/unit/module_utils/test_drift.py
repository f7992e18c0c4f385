# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The word for each link and node, from what would be changed and what went wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._drift import IN_SYNC, ORPHAN, Item, drift
from ansible_collections.archetype.lab.plugins.module_utils._errors import (
    ApplyError,
    Errors,
    ForeignError,
    LabError,
    ReadError,
    VerifyError,
)

AB, AC, BC, DUMMY = "a:eth1--b:eth1", "a:eth2--c:eth1", "b:eth2--c:eth2", "a:eth9--dummy"


def end(node: str, interface: str, server: str, port: str) -> dict[str, str]:
    return {"node": node, "interface": interface, "server": server, "port": port}


def port(name: str, link: str, node: str, interface: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "link": link, "node": node, "interface": interface, **more}


VALUES: dict[str, Any] = {
    "lab": "demo",
    "server": "s1",
    "containers": [
        {"name": "demo-a", "sandbox": "demo-a-sb", "node": "a", "image": "img", "volumes": ["vol:/data"]},
        {"name": "demo-a-side", "sandbox": "demo-a-sb", "node": "side", "image": "img", "network": "node"},
    ],
    "vms": [{"name": "demo_b", "node": "b", "image": "/images/b.qcow2"}],
    "ports": [
        port("pa1", AB, "a", "eth1"),
        port("pb1", AB, "b", "eth1"),
        port("pa2", AC, "a", "eth2"),
        port("pb2", BC, "b", "eth2"),
        port("pa9", DUMMY, "a", "eth9", device="dummy"),
        port("pa8", "", "a", "eth8"),
    ],
    "links": [
        {"key": AB, "mtu": 1500, "endpoints": [end("a", "eth1", "s1", "pa1"), end("b", "eth1", "s1", "pb1")]},
        {"key": AC, "mtu": 1500, "endpoints": [end("a", "eth2", "s1", "pa2"), end("c", "eth1", "s2", "pc1")]},
        {"key": BC, "mtu": 1500, "endpoints": [end("b", "eth2", "s1", "pb2"), end("c", "eth2", "s2", "pc2")]},
        {"key": DUMMY, "mtu": 1500, "endpoints": [end("a", "eth9", "s1", "pa9")]},
    ],
    "tunnels": [
        {
            "name": "t1",
            "vni": 1,
            "local": "192.0.2.1",
            "remotes": ["192.0.2.2"],
            "mtu": 1450,
            "links": [{"key": AC, "tag": 5}, {"key": BC, "tag": 6}],
        }
    ],
}
DECLARED = Declared.from_params(VALUES)
LINKS, NODES = [AB, AC, BC, DUMMY], ["a", "side", "b"]


def words(*changes: Change, errors: list[LabError] | None = None, declared: Declared = DECLARED) -> dict[str, tuple[str, str]]:
    """What is not in sync: name -> word, detail."""
    return {one.name: (one.word, one.detail) for one in drift(declared, changes, errors or []) if one.word != IN_SYNC}


def test_what_nobody_would_change_is_in_sync_in_the_order_of_the_declaration() -> None:
    assert [(one.sort, one.name, one.word, one.detail) for one in drift(DECLARED, [], [])] == [
        *(("link", key, "in sync", "") for key in LINKS),
        *(("node", node, "in sync", "") for node in NODES),
    ]


@pytest.mark.parametrize(
    ("change", "name", "word", "detail"),
    [
        # ports
        (Change("create", "port", "pa1", "a:eth1"), AB, "missing", "port pa1 (a:eth1)"),
        (Change("update", "port", "pa1", "a:eth1", {"tag": (118, 112)}), AB, "wrong", "tag: 118 -> 112"),
        (
            Change("update", "port", "pa1", "a:eth1", {"tag": (None, 112), "up": (False, True)}),
            AB,
            "wrong",
            "tag: (none) -> 112, up: False -> True",
        ),
        (Change("recreate", "port", "pa1", "a:eth1", reason="the device is missing"), AB, "wrong", "the device is missing"),
        (Change("recreate", "port", "pa1", "a:eth1", {"mtu": (1, 2)}, "so"), AB, "wrong", "mtu: 1 -> 2, so"),
        (Change("create", "port", "pa9", "a:eth9"), DUMMY, "missing", "port pa9 (a:eth9)"),
        (Change("update", "port", "pa8", "a:eth8", {"up": (False, True)}), "a", "wrong", "up: False -> True"),
        # tunnels
        (Change("create", "tunnel", "t1", "2 links", {"vni": (None, 1)}), AC, "missing", "tunnel t1 (2 links)"),
        (Change("recreate", "tunnel", "t1", "2 links", {"vni": (2, 1)}), BC, "wrong", "vni: 2 -> 1"),
        # nodes
        (Change("create", "container", "demo-a", "a"), "a", "missing", "container demo-a"),
        (Change("create", "sandbox", "demo-a-sb", "a"), "a", "missing", "sandbox demo-a-sb"),
        (Change("start", "container", "demo-a", "a"), "a", "wrong", "not running"),
        (Change("start", "vm", "demo_b", "b"), "b", "wrong", "not running"),
        (Change("stop", "vm", "demo_b", "b"), "b", "wrong", "running"),
        (Change("restart", "container", "demo-a", "a", reason="it is paused"), "a", "wrong", "it is paused"),
        (Change("recreate", "container", "demo-a", "a", {"image": ("x", "y")}), "a", "wrong", "image: x -> y"),
        (Change("create", "vm", "demo_b", "b"), "b", "missing", "vm demo_b"),
        (Change("run", "exec", "demo-a", "a", reason="2 commands"), "a", "wrong", "commands are due"),
        (Change("create", "file", "/etc/x", "a"), "a", "wrong", "file /etc/x is missing"),
        (Change("update", "file", "/etc/x", "a"), "a", "wrong", "file /etc/x is another"),
        (Change("delete", "file", "/etc/x", "a"), "a", "wrong", "file /etc/x is not declared"),
        (Change("create", "volume", "vol"), "a", "wrong", "volume vol is missing"),
        (Change("create", "disk", "/d/b.qcow2", "b"), "b", "wrong", "disk /d/b.qcow2 is missing"),
        (Change("update", "disk", "/d/b.qcow2", "b", {"size": (1, 2)}), "b", "wrong", "disk /d/b.qcow2: size: 1 -> 2"),
        (Change("delete", "medium", "/d/m.iso", "b"), "b", "wrong", "medium /d/m.iso is not declared"),
        # the server's own
        (
            Change("update", "bridge", "arch-ovs", fields={"fail_mode": ("secure", "standalone")}),
            "arch-ovs",
            "wrong",
            "fail_mode: secure -> standalone",
        ),
        (Change("create", "firewall", "table", "management"), "table", "missing", "firewall table"),
        (Change("update", "hosts", "/h", "management"), "/h", "wrong", "hosts /h is another"),
        (Change("update", "sysctl", "net.x", "management", {"value": ("0", "1")}), "net.x", "wrong", "value: 0 -> 1"),
        (Change("start", "dhcp", "/dhcp", "management", reason="it does not run"), "/dhcp", "wrong", "it does not run"),
        (Change("update", "state", "/s", "demo"), "/s", "wrong", "state /s is another"),
        (Change("delete", "lock", "/l"), "/l", "wrong", "lock /l is not declared"),
    ],
)
def test_a_change_has_one_place_and_one_word(change: Change, name: str, word: str, detail: str) -> None:
    assert words(change)[name] == (word, detail)


@pytest.mark.parametrize(
    ("change", "orphan"),
    [
        (Change("delete", "port", "px", "z:eth1", reason="not declared"), Item("link", "px", ORPHAN, "port px (z:eth1)")),
        (Change("delete", "port", "z:eth1", "", reason="not declared"), Item("link", "z:eth1", ORPHAN, "port z:eth1")),
        (Change("delete", "tunnel", "tx", "y:e--z:e"), Item("link", "y:e--z:e", ORPHAN, "tunnel tx")),
        (Change("delete", "tunnel", "tx", "3 links"), Item("link", "tx", ORPHAN, "tunnel tx (3 links)")),
        (Change("delete", "tunnel", "tx", AB), Item("link", "tx", ORPHAN, f"tunnel tx ({AB})")),
        (Change("delete", "tunnel", "tx"), Item("link", "tx", ORPHAN, "tunnel tx")),
        (Change("delete", "container", "demo-z", "z"), Item("node", "z", ORPHAN, "container demo-z")),
        (Change("delete", "container", "demo-old", "a"), Item("node", "demo-old", ORPHAN, "container demo-old (a)")),
        (Change("delete", "sandbox", "demo-z-sb", "z"), Item("node", "z", ORPHAN, "sandbox demo-z-sb")),
        (Change("delete", "vm", "demo_z", "z"), Item("node", "z", ORPHAN, "vm demo_z")),
        (Change("delete", "volume", "old"), Item("node", "old", ORPHAN, "volume old")),
        (Change("delete", "file", "/f/z", "z"), Item("node", "z", ORPHAN, "file /f/z")),
        (Change("delete", "disk", "/v/demo_z", "demo_z"), Item("node", "demo_z", ORPHAN, "disk /v/demo_z")),
    ],
)
def test_what_is_there_and_not_declared_is_an_orphan_and_declared_things_stay_in_sync(change: Change, orphan: Item) -> None:
    found = drift(DECLARED, [change], [])
    assert [one for one in found if one.word != IN_SYNC] == [orphan]
    assert found[-1] == orphan


def test_an_orphan_is_told_once_with_all_that_is_of_it() -> None:
    changes = [Change("delete", kind, f"demo-z{number}", "z") for number, kind in enumerate(("container", "sandbox"))]
    assert words(*changes) == {"z": (ORPHAN, "container demo-z0, sandbox demo-z1")}


def test_both_ends_of_a_link_are_told_with_their_names() -> None:
    changes = [Change("update", "port", name, label, {"tag": (1, 2)}) for name, label in (("pa1", "a:eth1"), ("pb1", "b:eth1"))]
    assert words(*changes) == {AB: ("wrong", "port pa1 (a:eth1): tag: 1 -> 2; port pb1 (b:eth1): tag: 1 -> 2")}


def test_missing_is_told_before_wrong_and_with_it() -> None:
    changes = [Change("update", "port", "pa1", "a:eth1", {"tag": (1, 2)}), Change("create", "port", "pb1", "b:eth1")]
    assert words(*changes) == {AB: ("missing", "port pa1 (a:eth1): tag: 1 -> 2; port pb1 (b:eth1)")}


def test_commands_and_files_of_a_node_that_is_made_anyhow_are_not_told() -> None:
    made = [Change("create", "container", "demo-a", "a"), Change("create", "file", "/etc/x", "a"), Change("run", "exec", "demo-a", "a")]
    assert words(*made) == {"a": ("missing", "container demo-a")}
    started = [Change("start", "container", "demo-a", "a"), Change("run", "exec", "demo-a", "a")]
    assert words(*started) == {"a": ("wrong", "not running")}


def test_a_shared_tunnel_concerns_all_of_its_links() -> None:
    assert set(words(Change("update", "tunnel", "t1", "2 links", {"mtu": (1, 2)}))) == {AC, BC}


def test_a_shared_tunnel_that_carries_other_links_concerns_those_only() -> None:
    other_tag = {"links": ((f"{AC} (4)", f"{BC} (6)"), (f"{AC} (5)", f"{BC} (6)"))}
    assert set(words(Change("update", "tunnel", "t1", "2 links", other_tag))) == {AC}
    one_more = {"links": ((f"{BC} (6)",), (f"{AC} (5)", f"{BC} (6)"))}
    assert set(words(Change("update", "tunnel", "t1", "2 links", one_more))) == {AC}
    with_trunks = {**one_more, "trunks": ((6,), (5, 6))}
    assert set(words(Change("update", "tunnel", "t1", "2 links", with_trunks))) == {AC}
    less = {"links": ((f"{AC} (5)", f"{BC} (6)", "old (7)"), (f"{AC} (5)", f"{BC} (6)"))}
    assert words(Change("update", "tunnel", "t1", "2 links", less)) == {"old": (ORPHAN, "tunnel t1")}


def test_the_volume_of_two_nodes_concerns_both() -> None:
    both = Declared.from_params({**VALUES, "containers": [{**one, "volumes": ["vol:/data"]} for one in VALUES["containers"]]})
    assert set(words(Change("create", "volume", "vol"), declared=both)) == {"a", "side"}


# -- errors


def test_words_of_errors_go_before_words_of_changes() -> None:
    changes = [Change("create", "port", "pa1", "a:eth1"), Change("create", "container", "demo-a", "a")]
    assert words(*changes, errors=[ApplyError("no room", objects=("pa1",))])[AB] == ("wrong", "no room")
    assert words(*changes, errors=[ForeignError("it is hers", hint="ask", objects=("demo-a",))])["a"] == ("foreign", "it is hers; ask")


def test_the_worst_error_has_the_word() -> None:
    errors: list[LabError] = [ApplyError("no", objects=("pa1",)), ForeignError("hers", objects=("pb1",))]
    assert words(errors=errors)[AB] == ("foreign", "hers")
    assert words(errors=[*errors, ReadError("dark", objects=("pa1",))])[AB] == ("unreadable", "dark")


@pytest.mark.parametrize(
    ("objects", "names"),
    [
        (("pa1",), {AB}),
        (("pb1", "foreign0"), {AB}),
        (("pa8",), {"a"}),
        (("t1",), {AC, BC}),
        ((AB,), {AB}),
        (("demo-a",), {"a"}),
        (("demo-a-sb",), {"a"}),
        (("a",), {"a"}),
        (("demo_b",), {"b"}),
        (("vol",), {"a"}),
        (("img", "other"), {"a", "side"}),
        (("/images/b.qcow2",), {"b"}),
        (("pa1", "demo_b"), {AB, "b"}),
    ],
)
def test_an_error_is_of_what_it_names(objects: tuple[str, ...], names: set[str]) -> None:
    for sort, word in ((ReadError, "unreadable"), (ForeignError, "foreign"), (VerifyError, "wrong")):
        assert words(errors=[sort("so", objects=objects)]) == dict.fromkeys(names, (word, "so"))


@pytest.mark.parametrize("objects", [(), ("demo",)])
def test_what_cannot_be_read_and_may_concern_all_makes_all_unreadable(objects: tuple[str, ...]) -> None:
    assert words(errors=[ReadError("dark", objects=objects)]) == dict.fromkeys([*LINKS, *NODES], ("unreadable", "dark"))


def test_a_bridge_that_cannot_be_read_concerns_every_link_and_no_node() -> None:
    assert words(errors=[ReadError("dark", objects=("arch-ovs",))]) == dict.fromkeys(LINKS, ("unreadable", "dark"))


def test_errors_about_what_is_not_declared_are_the_servers() -> None:
    kept = [ForeignError("the folder is left", objects=("demo_old", "hers")), ReadError("its disk is dark", objects=("demo_older",))]
    found = drift(DECLARED, [], kept)
    assert [one for one in found if one.word != IN_SYNC] == [
        Item("server", "demo_old", "foreign", "the folder is left"),
        Item("server", "demo_older", "unreadable", "its disk is dark"),
    ]
    assert words(errors=[ApplyError("no route")]) == {"s1": ("wrong", "no route")}
    assert words(errors=[ForeignError("hers", objects=("arch-ovs",))]) == {"arch-ovs": ("foreign", "hers")}
    assert words(errors=[ReadError("dark", objects=("management",))]) == {"management": ("unreadable", "dark")}


def test_errors_in_one_are_told_apart() -> None:
    several = Errors([ApplyError("one", objects=("pa1",)), Errors([ApplyError("two", objects=("demo-a",))])])
    assert words(errors=[several]) == {AB: ("wrong", "one"), "a": ("wrong", "two")}


def test_the_same_error_of_both_ends_is_told_once() -> None:
    assert words(errors=[ApplyError("no", objects=("pa1", "pb1")), ApplyError("no", objects=("pb1",))])[AB] == ("wrong", "no")


def test_an_empty_slice_that_cannot_be_read_says_so() -> None:
    nothing = Declared.from_params({"lab": "demo", "server": "s1"})
    assert drift(nothing, [], [ReadError("dark")]) == (Item("server", "s1", "unreadable", "dark"),)


def test_a_link_that_was_taken_back_is_told_by_its_ports() -> None:
    less = DECLARED.without_links([AB])
    assert [one.name for one in drift(less, [], []) if one.sort == "link"] == [AC, BC, DUMMY, AB]
    assert words(Change("update", "port", "pa1", "a:eth1", {"up": (True, False)}), declared=less)[AB] == ("wrong", "up: True -> False")


# -- whatever it is

NAMES = [
    "pa1",
    "pb1",
    "pa2",
    "pb2",
    "pa8",
    "pa9",
    "t1",
    "demo-a",
    "demo-a-sb",
    "demo_b",
    "vol",
    "/x",
    "px",
    "demo-z",
    "arch-ovs",
    "demo",
    AB,
]
KINDS = [
    "bridge",
    "port",
    "tunnel",
    "sandbox",
    "container",
    "file",
    "exec",
    "firewall",
    "hosts",
    "sysctl",
    "dhcp",
    "vm",
    "disk",
    "medium",
    "volume",
    "state",
    "lock",
    "library",
    "new",
]
CHANGES = st.builds(
    Change,
    st.sampled_from(["create", "update", "recreate", "delete", "start", "restart", "stop", "run"]),
    st.sampled_from(KINDS),
    st.sampled_from(NAMES),
    st.sampled_from(["", "a", "b", "z", "a:eth1", "2 links", AB, "y:e--z:e", "management"]),
    st.dictionaries(
        st.sampled_from(["tag", "links", "mtu"]),
        st.tuples(st.sampled_from([None, 1, (), ("x (1)",)]), st.sampled_from([None, 2, (f"{AC} (5)",)])),
    ),
    st.sampled_from(["", "because"]),
)
OBJECTS = st.lists(st.sampled_from([*NAMES, *NODES, "img"]), max_size=3).map(tuple)
ERRORS = st.builds(
    lambda sort, text, objects: sort(text, objects=objects),
    st.sampled_from([ReadError, ForeignError, ApplyError, VerifyError, LabError]),
    st.sampled_from(["one", "two"]),
    OBJECTS,
)


@settings(deadline=None)
@given(st.lists(CHANGES, max_size=12), st.lists(ERRORS, max_size=4))
def test_every_declared_link_and_node_is_told_once_and_nothing_is_lost(changes: list[Change], errors: list[LabError]) -> None:
    found = drift(DECLARED, changes, errors)
    keys = [(one.sort, one.name) for one in found]
    assert [name for (sort, name), one in zip(keys, found, strict=True) if sort == "link" and one.word != ORPHAN] == LINKS
    assert [name for (sort, name), one in zip(keys, found, strict=True) if sort == "node" and one.word != ORPHAN] == NODES
    assert len(keys) == len(set(keys))
    words_of = [one.word for one in found]
    assert ORPHAN not in words_of or words_of.index(ORPHAN) == len(words_of) - words_of.count(ORPHAN)
    assert bool(changes or errors) == any(one.word != IN_SYNC for one in found)
    assert all(one.detail for one in found if one.word != IN_SYNC)
    assert all(not one.detail for one in found if one.word == IN_SYNC)
    assert drift(DECLARED, list(changes), list(errors)) == found


@settings(deadline=None)
@given(st.lists(CHANGES, max_size=8), st.lists(ERRORS, max_size=4), st.randoms())
def test_words_do_not_depend_on_the_order_of_changes_and_errors(changes: list[Change], errors: list[LabError], random: Any) -> None:
    mixed, other = list(changes), list(errors)
    random.shuffle(mixed)
    random.shuffle(other)
    assert [one[:3] for one in drift(DECLARED, mixed, other)] == [one[:3] for one in drift(DECLARED, changes, errors)]
