# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What watchers tell each other: what is sent and when, and all that is not taken."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._watch import _peers
from ansible_collections.archetype.lab.plugins.module_utils._watch._peer_messages import LARGEST, Message, Refused, decode, encode, read_key
from ansible_collections.archetype.lab.plugins.module_utils._watch._peer_state import AGAIN, EVERY, Hearing, Lab, Telling

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
LINK, THREE = "r1:eth1--r2:eth1", "r1:eth2--r3:eth1"
HERE, SECOND, THIRD = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def end(node: str, interface: str, server: str) -> dict[str, str]:
    return {"node": node, "interface": interface, "server": server, "port": f"{node}{interface}"}


def declared(**more: Any) -> Declared:
    """r1 and r4 are here; r2 is on s2, r3 on s3, each at a cable of r1; seg is a segment over all three."""
    values: dict[str, Any] = {
        "lab": "demo",
        "server": "s1",
        "containers": [{"name": f"demo-{node}", "sandbox": f"demo-{node}-sb", "node": node, "image": "i"} for node in ("r1", "r4")],
        "links": [
            {"key": LINK, "mtu": 1500, "endpoints": [end("r1", "eth1", "s1"), end("r2", "eth1", "s2")]},
            {"key": THREE, "mtu": 1500, "endpoints": [end("r1", "eth2", "s1"), end("r3", "eth1", "s3")]},
            {
                "key": "segment:seg",
                "mtu": 1500,
                "endpoints": [end("r4", "eth1", "s1"), end("r2", "eth2", "s2"), end("r3", "eth2", "s3")],
            },
        ],
        "tunnels": [
            {"name": "t1", "vni": 1, "local": HERE, "remotes": [SECOND], "mtu": 1450, "link": LINK, "tag": 1},
            {"name": "t2", "vni": 2, "local": HERE, "remotes": [THIRD], "mtu": 1450, "link": THREE, "tag": 2},
            {"name": "t3", "vni": 3, "local": HERE, "remotes": [SECOND, THIRD], "mtu": 1450, "link": "segment:seg", "tag": 3},
        ],
    }
    return Declared.from_params({**values, **more})


LABS = {"demo": Lab.of(declared())}


def test_of_who_says_nothing_for_long_nothing_is_known() -> None:
    hearing, lab = Hearing(), LABS["demo"]
    assert hearing.silent(lab, 100.0, 130.0) == set()
    hearing.accept(message(nodes={"r2": True}), SECOND, LABS, 130.0)
    assert hearing.silent(lab, 100.0, 136.0) == {"s3"}
    hearing.accept(message(nodes={"r2": True}), SECOND, LABS, 140.0)  # a repetition is a sign of life as well
    assert hearing.silent(lab, 100.0, 174.0) == {"s3"}
    assert hearing.silent(lab, 100.0, 176.0) == {"s2", "s3"}


def message(**more: Any) -> Message:
    return Message(**{"lab": "demo", "server": "s2", "start": 5, "number": 1, "part": 0, "parts": 1, "nodes": {"r2": True}, **more})


def refused(hearing: Hearing, one: Message, sender: str = SECOND) -> str:
    with pytest.raises(Refused) as raised:
        hearing.accept(one, sender, LABS)
    return raised.value.reason


# -- the datagram


def test_what_is_encoded_is_decoded() -> None:
    (datagram,) = encode(KEY, "demo", "s2", 5, 7, {"r2": True, "r9": False})
    assert decode(KEY, datagram) == Message("demo", "s2", 5, 7, 0, 1, {"r2": True, "r9": False})


@settings(deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=60), st.booleans(), max_size=120))
def test_many_nodes_are_split_into_datagrams_that_get_through_and_stand_alone(nodes: dict[str, bool]) -> None:
    datagrams = encode(KEY, "demo", "s2", 5, 7, nodes)
    found = [decode(KEY, one) for one in datagrams]
    assert all(len(one) <= LARGEST for one in datagrams)
    assert [one.part for one in found] == list(range(len(found)))
    assert {one.parts for one in found} == {len(found)}
    assert {name: runs for one in found for name, runs in one.nodes.items()} == nodes


def test_a_server_without_nodes_says_that_it_is_there() -> None:
    assert [decode(KEY, one).nodes for one in encode(KEY, "demo", "s2", 5, 7, {})] == [{}]


@settings(deadline=None)
@given(st.integers(min_value=0), st.integers(min_value=0, max_value=7))
def test_a_datagram_of_which_any_bit_was_changed_is_refused(place: int, bit: int) -> None:
    (good,) = encode(KEY, "demo", "s2", 5, 7, {"r2": True})
    forged = bytearray(good)
    forged[place % len(good)] ^= 1 << bit
    with pytest.raises(Refused, match="code"):
        decode(KEY, bytes(forged))


@settings(deadline=None)
@given(st.binary(max_size=2000))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(Refused, match=r"code|size"):
        decode(KEY, noise)


def test_another_key_is_refused() -> None:
    with pytest.raises(Refused, match="code"):
        decode(KEY, encode(OTHER_KEY, "demo", "s2", 5, 7, {"r2": True})[0])


GOOD = {"format": 1, **message()._asdict()}


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        "[" * 500,
        "{}",
        json.dumps({**GOOD, "format": 2}),
        json.dumps({**GOOD, "more": 1}),
        json.dumps({**GOOD, "lab": ""}),
        json.dumps({**GOOD, "lab": 1}),
        json.dumps({**GOOD, "server": None}),
        json.dumps({**GOOD, "nodes": ["r2"]}),
        json.dumps({**GOOD, "nodes": {"r2": 1}}),
        json.dumps({**GOOD, "nodes": {"": True}}),
        json.dumps({**GOOD, "start": True}),
        json.dumps({**GOOD, "start": -1}),
        json.dumps({**GOOD, "number": 1.0}),
        json.dumps({**GOOD, "number": 1 << 63}),
        json.dumps({**GOOD, "part": 1}),
        "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    ],
)
def test_what_has_the_right_code_and_is_no_message_is_refused(content: str) -> None:
    text = content.encode("latin-1")
    datagram = hmac.new(KEY, text, hashlib.sha256).hexdigest().encode() + text
    with pytest.raises(Refused, match="content"):
        decode(KEY, datagram)


def test_what_is_longer_than_any_message_is_refused() -> None:
    text = json.dumps({**GOOD, "nodes": {f"r{number}": True for number in range(200)}}).encode()
    with pytest.raises(Refused, match="size"):
        decode(KEY, hmac.new(KEY, text, hashlib.sha256).hexdigest().encode() + text)


# -- the key


def key_file(folder: Path, content: str = "ab" * 32 + "\n", mode: int = 0o600) -> str:
    path = folder / "key"
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def test_a_key_of_64_digits_is_read(tmp_path: Path) -> None:
    assert read_key(key_file(tmp_path)) == bytes.fromhex("ab" * 32)
    assert read_key(key_file(tmp_path, "AB" * 32)) == bytes.fromhex("ab" * 32)


def test_without_a_key_there_is_none(tmp_path: Path) -> None:
    assert read_key(str(tmp_path / "key")) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o610])
def test_a_key_that_others_may_know_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ReadError, match="others may know it"):
        read_key(key_file(tmp_path, mode=mode))


@pytest.mark.parametrize("content", ["", "ab", "ab" * 33, "zz" * 32, "ab" * 32 + "\n\n", "ab" * 32 + " "])
def test_a_key_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(ReadError, match="64 hexadecimal digits"):
        read_key(key_file(tmp_path, content))


def test_links_folders_and_pipes_are_no_key(tmp_path: Path) -> None:
    link, folder, pipe = tmp_path / "link", tmp_path / "folder", tmp_path / "pipe"
    link.symlink_to(key_file(tmp_path))
    with pytest.raises(ReadError, match="is a link"):
        read_key(str(link))
    folder.mkdir(mode=0o700)
    os.mkfifo(pipe, mode=0o600)
    for one in (folder, pipe):
        with pytest.raises(ReadError, match="64 hexadecimal digits"):
            read_key(str(one))


# -- what a lab says of others


def test_a_lab_knows_whom_it_tells_what() -> None:
    lab = LABS["demo"]
    assert lab.own == {"r1"}  # r4 is at a segment only, on which nobody's carrier shows
    assert lab.paths == {HERE: (SECOND, THIRD)}
    assert lab.addresses == {"s2": {SECOND, THIRD}, "s3": {SECOND, THIRD}}
    assert lab.placed == {"r1": "s1", "r2": "s2", "r3": "s3", "r4": "s1"}
    assert lab.far({"r1": True, "r2": False, "gone": True}) == {"r2": False}


def test_a_server_sends_from_where_its_own_tunnels_lead() -> None:
    without = Lab.of(declared(tunnels=[vars(one) for one in declared().tunnels if one.name != "t3"]))
    assert without.addresses == {"s2": {SECOND}, "s3": {THIRD}}


def test_links_of_shared_tunnels_and_ipv6_count_as_well() -> None:
    tunnel = {
        "name": "t1",
        "vni": 1,
        "local": "2001:DB8::1",
        "remotes": ["2001:db8:0::2"],
        "mtu": 1430,
        "links": [{"key": LINK, "tag": 1}],
    }
    lab = Lab.of(declared(tunnels=[tunnel]))
    assert lab.paths == {"2001:db8::1": ("2001:db8::2",)}
    assert lab.addresses == {"s2": {"2001:db8::2"}}


def test_a_lab_on_one_server_tells_nobody() -> None:
    alone = declared(tunnels=[], links=[{"key": "a", "mtu": 1500, "endpoints": [end("r1", "eth1", "s1"), end("r4", "eth1", "s1")]}])
    assert (Lab.of(alone).own, Lab.of(alone).paths) == (frozenset(), {})


# -- what is taken


def test_news_are_taken_and_a_repetition_is_nothing() -> None:
    hearing = Hearing()
    assert hearing.accept(message(), SECOND, LABS) == ({"r2": True}, True)
    assert hearing.accept(message(), SECOND, LABS) is None
    assert hearing.accept(message(number=2, nodes={"r2": False}), SECOND, LABS) == ({"r2": False}, False)
    assert hearing.dropped == {}


def test_nodes_that_are_not_known_here_are_left_out() -> None:
    assert Hearing().accept(message(nodes={"r2": True, "far": True}), SECOND, LABS) == ({"r2": True}, True)


def test_all_parts_of_a_state_are_taken_once_in_any_order() -> None:
    hearing = Hearing()
    assert hearing.accept(message(part=1, parts=2), SECOND, LABS) == ({"r2": True}, True)
    assert hearing.accept(message(part=0, parts=2, nodes={}), SECOND, LABS) == ({}, False)
    assert hearing.accept(message(part=1, parts=2), SECOND, LABS) is None


def test_an_old_number_is_dropped_and_one_of_an_old_process_too() -> None:
    hearing = Hearing()
    hearing.accept(message(number=9), SECOND, LABS)
    assert refused(hearing, message(number=8)) == "old"
    assert refused(hearing, message(start=4, number=99)) == "old"
    assert hearing.accept(message(start=6, number=1), SECOND, LABS) == ({"r2": True}, True)
    assert refused(hearing, message(start=5, number=100)) == "old"


def test_numbers_are_of_each_server() -> None:
    hearing = Hearing()
    hearing.accept(message(number=9), SECOND, LABS)
    assert hearing.accept(message(server="s3", number=1, nodes={"r3": True}), THIRD, LABS) == ({"r3": True}, True)


def test_what_was_taken_by_the_process_before_is_not_taken_again() -> None:
    before, hearing = Hearing(), Hearing()
    before.accept(message(number=9), SECOND, LABS)
    assert before.last("demo") == {"s2": (5, 9)}
    assert before.last("other") == {}
    hearing.remember("demo", before.last("demo"))
    assert hearing.accept(message(number=9), SECOND, LABS) is None
    assert refused(hearing, message(number=8)) == "old"
    assert hearing.accept(message(number=10), SECOND, LABS) == ({"r2": True}, False)


@pytest.mark.parametrize(
    ("one", "sender", "reason"),
    [
        (message(lab="other"), SECOND, "lab"),
        (message(server="s9"), SECOND, "server"),
        (message(server="s1", nodes={"r1": False}), SECOND, "server"),
        (message(), "192.0.2.9", "address"),
        (message(), HERE, "address"),
        (message(nodes={"r3": False}), SECOND, "nodes"),
        (message(nodes={"r2": True, "r1": False}), SECOND, "nodes"),
        (message(server="s3", nodes={"r2": False}), THIRD, "nodes"),
    ],
)
def test_what_a_server_may_not_say_is_dropped(one: Message, sender: str, reason: str) -> None:
    hearing = Hearing()
    assert refused(hearing, one, sender) == reason
    assert hearing.accept(message(), SECOND, LABS) == ({"r2": True}, True)  # and nothing of it is remembered


def test_what_is_dropped_is_counted_by_lab_and_said_once() -> None:
    hearing = Hearing()
    assert hearing.drop(Refused("old", "demo"))
    assert not hearing.drop(Refused("old", "demo"))
    assert hearing.drop(Refused("code"))
    assert hearing.dropped == {"demo": {"old": 2}, "": {"code": 1}}
    hearing.forget("demo")
    assert hearing.dropped == {"": {"code": 1}}


def test_every_reason_has_words() -> None:
    assert {"size", "code", "content", "lab", "server", "address", "nodes", "old"} == set(_peers.WHY)


# -- when something is told


def sent(telling: Telling, moments: list[float]) -> list[tuple[float, int, dict[str, bool]]]:
    found = []
    for moment in moments:
        for one in telling.due(KEY, moment):
            said = decode(KEY, one)
            found.append((moment, said.number, dict(said.nodes)))
    return found


def test_a_lab_that_comes_back_is_not_taken_for_what_it_was_before() -> None:
    hearing, numbers = Hearing(), []
    for begun in (1000, 9000):  # of one process, whose lab was destroyed and deployed again between
        telling = Telling("demo", "s2", 5, begun)
        telling.tell({"r2": begun == 1000}, 0.0)
        (datagram,) = telling.due(KEY, 0.0)
        said = decode(KEY, datagram)
        assert hearing.accept(said, SECOND, LABS) == ({"r2": begun == 1000}, begun == 1000)
        numbers.append(said.number)
        hearing.forget("demo")
    assert numbers == [1001, 9001]


def test_a_change_is_told_three_times_and_then_now_and_then() -> None:
    telling = Telling("demo", "s1", 5)
    assert (telling.next(), telling.due(KEY, 100.0)) == (None, [])
    telling.tell({"r1": True}, 100.0)
    moments = []
    found = []
    for _turn in range(5):
        moment = telling.next()
        assert moment is not None
        moments.append(round(moment, 3))
        found += sent(telling, [moment])
    assert moments == [100.0 + AGAIN[0], 100.0 + AGAIN[1], 100.0 + AGAIN[2], 100.1 + EVERY, 100.1 + 2 * EVERY]
    assert [number for _moment, number, _nodes in found] == [1, 1, 1, 2, 3]


def test_what_did_not_change_is_not_told_at_once() -> None:
    telling = Telling("demo", "s1", 5)
    telling.tell({"r1": True}, 100.0)
    sent(telling, [100.0, 100.05, 100.1])
    telling.tell({"r1": True}, 101.0)
    assert telling.next() == 100.1 + EVERY
    telling.tell({"r1": False}, 102.0)
    assert sent(telling, [102.0, 102.05, 102.1, 102.2]) == [(one, 3, {"r1": False}) for one in (102.0, 102.05, 102.1)]


def test_a_change_right_after_another_has_a_number_of_its_own() -> None:
    telling = Telling("demo", "s1", 5)
    telling.tell({"r1": True}, 100.0)
    assert [number for _moment, number, _nodes in sent(telling, [100.0])] == [1]
    telling.tell({"r1": False}, 100.01)
    assert [number for _moment, number, _nodes in sent(telling, [100.02, 100.06, 100.2])] == [2, 2, 2]


# -- the number of a process


def test_each_process_has_a_higher_number_also_when_the_clock_is_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    first = _peers.next_start()
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    assert _peers.next_start() == first + 1
    assert _peers.next_start() == first + 2
    assert [one.name for one in (tmp_path / "state").iterdir()] == [".watch-start"]
    (tmp_path / "state" / ".watch-start").write_text("damaged")
    assert _peers.next_start() == 1_000_000
