# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import socket
import tempfile
import time
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._certify import listener
from ansible_collections.archetype.lab.plugins.module_utils._certify.frames import KINDS, RunId, build
from ansible_collections.archetype.lab.plugins.module_utils._certify.run import Run, port_numbers
from ansible_collections.archetype.lab.plugins.module_utils._certify.tally import Tally
from ansible_collections.archetype.lab.plugins.module_utils._declared import Endpoint, Link
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsBridge, OvsInterface, OvsPort, OvsState

RUN = RunId("demo", "token")
NAMES = list(KINDS)


def link(key: str, *ends: tuple[str, str, str]) -> Link:
    return Link(key, 1500, tuple(Endpoint(node, interface, server, f"p-{node}-{interface}") for node, interface, server in ends))


AB = link("a:eth1--b:eth1", ("a", "eth1", "s1"), ("b", "eth1", "s1"))
BC = link("b:eth2--c:eth1", ("b", "eth2", "s1"), ("c", "eth1", "s2"))
FAR = link("x:eth1--y:eth1", ("x", "eth1", "s2"), ("y", "eth1", "s3"))


def tally(*links: Link) -> Tally:
    return Tally(RUN, "s1", links or (AB, BC))


def see(one: Tally, of: Link, source: str, kind: str, device: str, *, target: str = "", outgoing: bool = True, number: int = 1) -> bool:
    return one.add(build(RUN, of, source, KINDS[kind], target, number=number), device, outgoing=outgoing)


def see_all(one: Tally, of: Link, source: str, target: str, device: str) -> None:
    for kind in KINDS:
        see(one, of, source, kind, device, target=target)


def test_what_arrived_is_told_by_link_source_and_target() -> None:
    one = tally()
    see_all(one, AB, "a:eth1", "b:eth1", "p-b-eth1")
    see(one, AB, "b:eth1", "stp", "p-a-eth1")
    result = one.result()
    assert result["frames"] == [
        {"link": AB.key, "source": "b:eth1", "target": "a:eth1", "kinds": ["stp"]},
        {"link": AB.key, "source": "a:eth1", "target": "b:eth1", "kinds": NAMES},
        {"link": BC.key, "source": "c:eth1", "target": "b:eth2", "kinds": []},
    ]
    assert result["kinds"] == NAMES
    assert (result["leaks"], result["duplicates"], result["relays"], result["strays"], result["damaged"]) == ([], [], [], [], 0)


def test_it_is_complete_when_everything_for_this_server_arrived() -> None:
    one = tally()
    see_all(one, AB, "a:eth1", "b:eth1", "p-b-eth1")
    see_all(one, AB, "b:eth1", "a:eth1", "p-a-eth1")
    assert not one.complete
    see_all(one, BC, "c:eth1", "b:eth2", "p-b-eth2")
    assert one.complete


def test_frames_of_another_run_or_lab_do_not_count() -> None:
    one = tally()
    for other in (RunId("demo", "another"), RunId("lab2", "token")):
        assert not one.add(build(other, AB, "a:eth1", KINDS["stp"]), "p-b-eth1", outgoing=True)
    assert not one.add(b"\xff" * 60, "p-b-eth1", outgoing=True)
    assert all(entry["kinds"] == [] for entry in one.result()["frames"])


def test_unicast_counts_only_at_its_target() -> None:
    segment = link("segment:lan", ("a", "eth1", "s1"), ("b", "eth1", "s1"), ("c", "eth1", "s1"))
    one = tally(segment)
    for device in ("p-b-eth1", "p-c-eth1"):
        see(one, segment, "a:eth1", "unicast", device, target="b:eth1")
    arrived = [(entry["source"], entry["target"]) for entry in one.result()["frames"] if entry["kinds"]]
    assert arrived == [("a:eth1", "b:eth1")]


def test_a_frame_on_a_port_of_another_link_is_a_leak() -> None:
    one = tally()
    see(one, AB, "a:eth1", "broadcast", "p-b-eth2")
    assert one.result()["leaks"] == [{"link": AB.key, "source": "a:eth1", "kind": "broadcast", "seen_on": "b:eth2"}]


def test_a_leak_of_a_link_that_this_server_does_not_know_is_named() -> None:
    one = tally()
    see(one, FAR, "x:eth1", "lldp", "p-a-eth1")
    assert one.result()["leaks"] == [{"link": FAR.key, "source": "x:eth1", "kind": "lldp", "seen_on": "a:eth1"}]


def test_the_same_frame_twice_is_a_duplicate_but_a_second_round_is_none() -> None:
    one = tally()
    for number in (1, 2, 2):
        see(one, AB, "a:eth1", "stp", "p-b-eth1", number=number)
    see(one, AB, "a:eth1", "lldp", "p-b-eth1", number=1)
    see(one, AB, "a:eth1", "lldp", "p-b-eth1", number=2)
    assert one.result()["duplicates"] == [{"link": AB.key, "source": "a:eth1", "target": "b:eth1", "kind": "stp", "count": 2}]


def test_a_frame_that_comes_back_to_its_source_is_a_duplicate() -> None:
    one = tally()
    see(one, AB, "a:eth1", "broadcast", "p-a-eth1")
    assert one.result()["duplicates"] == [{"link": AB.key, "source": "a:eth1", "target": "a:eth1", "kind": "broadcast", "count": 1}]


def test_what_a_node_relayed_is_told_and_excuses_what_it_caused_on_that_link_only() -> None:
    one = tally()
    see(one, AB, "a:eth1", "broadcast", "p-b-eth2", outgoing=False)
    see(one, AB, "a:eth1", "broadcast", "p-b-eth2")
    see(one, BC, "b:eth2", "broadcast", "p-a-eth1")
    result = one.result()
    assert result["relays"] == [{"link": AB.key, "source": "a:eth1", "kind": "broadcast", "seen_on": "b:eth2"}]
    assert result["leaks"] == [{"link": BC.key, "source": "b:eth2", "kind": "broadcast", "seen_on": "a:eth1"}]


def test_what_only_came_in_at_a_port_has_not_arrived() -> None:
    one = tally()
    see(one, AB, "a:eth1", "stp", "p-b-eth1", outgoing=False)
    assert one.result()["frames"][1] == {"link": AB.key, "source": "a:eth1", "target": "b:eth1", "kinds": []}


def test_a_frame_whose_tags_were_changed_has_not_arrived() -> None:
    one = tally()
    frame = build(RUN, AB, "a:eth1", KINDS["qinq"])
    one.add(frame[:16] + frame[20:], "p-b-eth1", outgoing=True)
    result = one.result()
    assert result["damaged"] == 1
    assert result["frames"][1]["kinds"] == []


def test_what_leaves_on_a_device_that_is_no_port_of_these_links_is_a_stray() -> None:
    one = tally()
    see(one, AB, "a:eth1", "broadcast", "tunnel9")
    see(one, AB, "a:eth1", "broadcast", "tunnel9", outgoing=False)
    assert one.result()["strays"] == [{"link": AB.key, "source": "a:eth1", "kind": "broadcast", "seen_on": "tunnel9"}]


def ovs(*ports: OvsPort) -> OvsState:
    return OvsState(bridges={"br": OvsBridge("br")}, ports={port.name: port for port in ports})


def test_each_port_that_cannot_send_has_its_reason() -> None:
    run = Run("demo", "t", "s1", "br", (AB, BC))
    state = ovs(
        OvsPort("p-a-eth1", "br", interfaces=(OvsInterface("p-a-eth1", ofport=4),)),
        OvsPort("p-b-eth1", "br", interfaces=(OvsInterface("p-b-eth1", ofport=-1, error="could not open network device p-b-eth1"),)),
        OvsPort("p-b-eth2", "other", interfaces=(OvsInterface("p-b-eth2", ofport=5),)),
    )
    numbers, reasons = port_numbers(run, state)
    assert numbers == {"a:eth1": 4}
    assert reasons == {
        "b:eth1": "port p-b-eth1 does not work: could not open network device p-b-eth1",
        "b:eth2": "port p-b-eth2 is not on bridge br: it is on bridge other",
    }


def test_without_its_bridge_nothing_is_sent() -> None:
    with pytest.raises(ReadError, match="bridge br does not exist on server s1; run archetype\\.lab\\.prepare_servers"):
        port_numbers(Run("demo", "t", "s1", "br", (AB,)), OvsState())


@pytest.fixture
def run_dir(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Path]:
    """A folder with a short name: the path of a Unix socket has 107 bytes at most, and pytest's own folders are deep."""
    with tempfile.TemporaryDirectory(prefix="al", dir="/tmp") as folder:
        monkeypatch.setattr(listener, "RUN_DIR", folder)
        yield Path(folder)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """Instead of the packet socket: datagrams, which need no root."""
    inner, outer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    inner.setblocking(False)
    monkeypatch.setattr(listener, "open_socket", lambda: inner)
    return outer


def test_the_listener_lives_on_is_found_by_its_token_and_leaves_nothing(run_dir: Path, wire: socket.socket) -> None:
    listener.start(tally(), 2.0)
    assert [path.stat().st_mode & 0o777 for path in run_dir.iterdir()] == [0o600]
    with pytest.raises(LabError, match="a certification of lab demo with this token is already under way"):
        listener.start(tally(), 2.0)
    with pytest.raises(ReadError, match="no listener of this certification of lab demo"):
        listener.ask(RunId("demo", "other"), {"do": "collect", "timeout": 0.1}, timeout=1.0)
    assert listener.ask(RUN, {"do": "sent", "unsent": {"a:eth1": "why"}}, timeout=5.0) == {}
    answer = listener.ask(RUN, {"do": "greet"}, timeout=5.0)
    assert answer == {}
    assert len(list(run_dir.iterdir())) == 1
    wire.close()


def test_a_listener_ends_after_its_lifetime(run_dir: Path, wire: socket.socket) -> None:
    listener.start(tally(), 0.2)
    deadline = time.monotonic() + 5
    while list(run_dir.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    wire.close()


def test_the_socket_of_a_listener_that_was_killed_is_swept_away(run_dir: Path, wire: socket.socket) -> None:
    left = run_dir / "certify-old-0123456789abcdef.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(left))
    listener.start(tally(), 0.1)
    assert not left.exists()
    wire.close()


def test_the_name_of_a_control_socket_is_short_whatever_the_lab_is_called(run_dir: Path) -> None:
    path = listener.control_path(RunId("ä/" * 60, "t"))
    assert "/" not in path.removeprefix(f"{run_dir}/")
    assert len(path.encode()) - len(str(run_dir)) < 80


def test_a_detached_child_holds_none_of_our_files(tmp_path: Path) -> None:
    target = tmp_path / "fds"
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)

    def work() -> None:
        partial = tmp_path / "partial"
        partial.write_text(json.dumps({"fds": os.listdir("/proc/self/fd"), "session": os.getsid(0), "pid": os.getpid()}))
        partial.rename(target)

    listener.detach(work, keep=set())
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)
    deadline = time.monotonic() + 5
    while not target.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found = json.loads(target.read_text())
    assert found["session"] != os.getsid(0)
    assert len(found["fds"]) <= 5
