# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random
import struct
from collections.abc import Callable, Mapping, Sequence

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _underlay
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Route
from ansible_collections.archetype.lab.plugins.module_utils._underlay import IcmpEchoes, Underlay, measure, path_mtus

V4, V6 = "198.51.100.2", "2001:db8::2"


class Network:
    """Paths that let packets up to a size through, at once. rounds: how often somebody had to wait for nothing."""

    def __init__(self, mtus: Mapping[str, int], loses: Callable[[], bool] = lambda: False) -> None:
        self.mtus = mtus
        self.loses = loses
        self.replies: list[tuple[str, int]] = []
        self.sent: list[tuple[str, int]] = []
        self.silences = 0

    def send(self, peer: str, size: int) -> None:
        self.sent.append((peer, size))
        if size <= self.mtus.get(peer, 0) and not self.loses():
            self.replies.append((peer, size))

    def receive(self, timeout: float) -> Sequence[tuple[str, int]]:
        replies, self.replies = self.replies, []
        self.silences += not replies
        return replies


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands still while something is heard, and is over when nothing is."""
    now = [0.0]

    def tick() -> float:
        now[0] += 0.2
        return now[0]

    monkeypatch.setattr(_underlay.time, "monotonic", tick)


def test_a_path_that_carries_what_the_device_sends_is_known_after_one_round() -> None:
    network = Network({V4: 9000, V6: 1500})
    assert measure(network, {V4: 9000, V6: 1500}) == {V4: 9000, V6: 1500}
    assert len(network.sent) == 4
    assert network.silences == 0


@pytest.mark.parametrize("mtu", [576, 577, 1400, 1450, 1476, 1499, 1500, 4000, 8951, 8999])
def test_the_path_mtu_is_found_exactly(mtu: int) -> None:
    assert measure(Network({V4: mtu}), {V4: 9000}) == {V4: mtu}


def test_many_peers_are_searched_together() -> None:
    mtus = {f"198.51.100.{number}": 1300 + number for number in range(1, 21)}
    network = Network(mtus)
    assert measure(network, dict.fromkeys(mtus, 1500)) == mtus
    assert network.silences <= 12 * 3


def test_a_lossy_path_is_measured_all_the_same() -> None:
    dice = random.Random(4)
    assert measure(Network({V4: 1450}, lambda: dice.random() < 0.1), {V4: 1500}) == {V4: 1450}


def test_a_peer_that_never_answers_is_zero() -> None:
    assert measure(Network({V4: 1500}), {V4: 1500, V6: 1500}) == {V4: 1500, V6: 0}


def test_ipv6_is_never_searched_below_its_least_mtu() -> None:
    network = Network({V6: 1000})
    assert measure(network, {V6: 1500}) == {V6: 0}
    assert min(size for _peer, size in network.sent) == 1280


def test_a_device_that_is_smaller_than_any_path_may_be_is_measured_at_the_least() -> None:
    assert measure(Network({V4: 576}), {V4: 500}) == {V4: 576}


class Routes:
    def __init__(self, routes: Mapping[str, Route]) -> None:
        self.routes = routes

    def route(self, address: str) -> Route:
        if address not in self.routes:
            raise ReadError(f"no route to {address}")
        return self.routes[address]


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network({V4: 1450})
    monkeypatch.setattr(IcmpEchoes, "send", lambda _self, peer, size: network.send(peer, size))
    monkeypatch.setattr(IcmpEchoes, "receive", lambda _self, timeout: network.receive(timeout))
    return network


def test_the_result_names_the_address_that_this_server_uses(network: Network) -> None:
    net = Routes({V4: Route("198.51.100.1", "eth0", 1500)})
    assert path_mtus(net, [V4, V4]).to_dict() == {"address": "198.51.100.1", "mtu": {V4: 1450}}  # type: ignore[arg-type]
    assert path_mtus(net, []) == Underlay()  # type: ignore[arg-type]


def test_peers_that_cannot_be_reached_are_errors_all_at_once_that_name_both_ends(network: Network) -> None:
    net = Routes({V4: Route("198.51.100.1", "eth0", 1500), "198.51.100.9": Route("198.51.100.1", "eth0", 1500)})
    with pytest.raises(Errors) as caught:
        path_mtus(net, [V4, "198.51.100.9", "203.0.113.1"], server="srv1")  # type: ignore[arg-type]
    told = [str(error) for error in caught.value.errors]
    assert told[0] == "no route to 203.0.113.1"
    assert told[1].startswith("srv1 (198.51.100.1) gets no answer from 198.51.100.9; see that both servers are up")


def test_peers_that_are_not_needed_are_left_out_when_they_do_not_answer(network: Network) -> None:
    net = Routes({V4: Route("198.51.100.1", "eth0", 1500), "198.51.100.9": Route("198.51.100.1", "eth0", 1500)})
    found = path_mtus(net, [V4, "198.51.100.9", "203.0.113.1", "srv2.example"], needed=False)  # type: ignore[arg-type]
    assert found.to_dict() == {"address": "198.51.100.1", "mtu": {V4: 1450}}


def test_a_name_is_no_address_of_a_peer(network: Network) -> None:
    with pytest.raises(ReadError, match=r"srv2\.example is not an IP address; set lab_underlay_address of that server to one"):
        path_mtus(Routes({}), ["srv2.example"])  # type: ignore[arg-type]


def test_only_an_echo_of_this_run_with_the_whole_size_counts() -> None:
    echoes = IcmpEchoes()
    mark = echoes._mark
    reply = struct.pack("!BBHHH", 0, 0, 0, 1, 1) + (mark + struct.pack("!H", 1000)).ljust(972, b"\0")
    assert echoes._echoed(4, reply) == 1000
    assert echoes._echoed(4, reply[:-1]) == 0
    assert echoes._echoed(4, b"\x08" + reply[1:]) == 0
    assert echoes._echoed(4, reply.replace(mark, bytes(8))) == 0
    assert echoes._echoed(6, reply) == 0
    assert echoes._echoed(4, b"") == 0


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", bytes(range(255))])
def test_the_checksum_of_a_message_with_its_checksum_is_zero(data: bytes) -> None:
    if len(data) % 2:
        data += b"\0"
    assert _underlay._checksum(data + _underlay._checksum(data).to_bytes(2, "big")) == 0
