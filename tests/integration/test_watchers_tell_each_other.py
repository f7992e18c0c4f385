# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watchers of two servers tell each other over the underlay which nodes run; what is forged, replayed or not theirs to say is dropped."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._watch._peer_messages import PORT, encode
from tests.testbed import underlay
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Server, Testbed

LAB, LINK = "hb", "r1:eth1--r2:eth1"
KEY, OTHER_KEY = bytes.fromhex("ab" * 32), bytes.fromhex("cd" * 32)
DRIVER = ROOT / "tests" / "integration" / "files" / "peers_driver.py"
SEND = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as sock:
    for one in sys.argv[3:]:
        sock.sendto(bytes.fromhex(one), (sys.argv[1], int(sys.argv[2])))
"""

Address = Callable[[Server], str]


def slice_of(server: Server, far: Server, address: Address) -> dict[str, Any]:
    node, other = f"r{server.index}", f"r{far.index}"
    ends = [{"node": one, "interface": "eth1", "server": where.name, "port": f"p{one}"} for one, where in ((node, server), (other, far))]
    tunnel = {"name": "t1", "vni": 1, "local": address(server), "remotes": [address(far)], "mtu": 1400, "link": LINK, "tag": 1}
    return {
        "lab": LAB,
        "server": server.name,
        "containers": [{"name": f"{LAB}-{node}", "sandbox": f"{LAB}-{node}-sb", "node": node, "image": "i"}],
        "links": [{"key": LINK, "mtu": 1400, "endpoints": ends}],
        "tunnels": [tunnel],
    }


class Peer:
    """One watcher's peers, as a process on its server."""

    def __init__(self, server: Server, far: Server, folder: Path, address: Address) -> None:
        self.server = server
        self.folder = folder / server.name
        self.folder.mkdir(exist_ok=True)
        self.key = self.folder / "key"
        self.address = address(server)
        self._given = {"folder": str(self.folder), "key": str(self.key), "declared": slice_of(server, far, address)}
        self._process: subprocess.Popen[str] | None = None
        self.heard: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.said: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def put_key(self, key: bytes = KEY, mode: int = 0o600) -> None:
        made = self.folder / "key.new"
        made.write_text(key.hex() + "\n")
        made.chmod(mode)
        made.replace(self.key)

    def begin(self) -> None:
        command = ["env", f"PYTHONPATH={ROOT / 'collections'}", sys.executable, str(DRIVER), json.dumps(self._given)]
        process = subprocess.Popen(self.server.entering(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process = process
        threading.Thread(target=self._listen, args=(process,), daemon=True).start()
        self.wait("ready")

    def _listen(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            what, value = json.loads(line)
            (self.said if what == "said" else self.heard).put((what, value))

    def order(self, order: str, value: Any = None) -> None:
        if self._process is None or self._process.stdin is None:
            raise AssertionError("it was not begun")
        self._process.stdin.write(json.dumps([order, value]) + "\n")
        self._process.stdin.flush()

    def wait(self, wanted: str, seconds: float = 10.0) -> Any:
        """What it says of this; what it says before is left out."""
        end = time.monotonic() + seconds
        while True:
            what, value = (self.said if wanted == "said" else self.heard).get(timeout=max(0.01, end - time.monotonic()))
            if what == wanted:
                return value

    def ask(self, what: str) -> Any:
        self.order(what)
        return self.wait(what)

    def far(self, want: dict[str, bool], seconds: float = 10.0) -> float:
        """Wait until this is what it knows of others; seconds that it took."""
        begun = time.monotonic()
        while self.ask("far") != want:
            if time.monotonic() > begun + seconds:
                raise AssertionError(f"{self.server.name} knows {self.ask('far')}, not {want}; dropped: {self.ask('dropped')}")
            time.sleep(0.01)
        return time.monotonic() - begun

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def start(self) -> int:
        return int((self.folder / "state" / ".watch-start").read_text())

    def listens(self) -> bool:
        return f"{PORT}" in self.server.run(["ss", "--udp", "--listening", "--numeric", "--no-header"], check=True).stdout


def four(server: Server) -> str:
    return server.address


def six(server: Server) -> str:
    return server.address6


@contextlib.contextmanager
def two(testbed: Testbed, folder: Path, address: Address) -> Iterator[tuple[Peer, Peer]]:
    first, second = testbed.servers[:2]
    peers = Peer(first, second, folder, address), Peer(second, first, folder, address)
    try:
        yield peers
    finally:
        for one in peers:
            one.kill()


@pytest.fixture(params=[four, six], ids=["ipv4", "ipv6"])
def pair(testbed: Testbed, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[Peer, Peer]]:
    with two(testbed, tmp_path, request.param) as peers:
        for one in peers:
            one.put_key()
            one.begin()
        yield peers


def test_a_far_server_knows_within_a_second_and_keeps_it(pair: tuple[Peer, Peer]) -> None:
    one, other = pair
    one.order("tell", {"r1": True})
    other.order("tell", {"r2": True})
    other.far({"r1": True})
    one.far({"r2": True})
    took = []
    for runs in (False, True) * 5:
        one.order("tell", {"r1": runs})
        assert other.wait("changed", 1.0) == LAB
        took.append(other.far({"r1": runs}, 1.0))
    one.order("tell", {"r1": False})
    other.far({"r1": False}, 1.0)
    one.kill()
    time.sleep(0.3)
    assert other.ask("far") == {"r1": False}  # who is silent for a moment keeps what was told last
    other.kill()
    other.begin()
    assert other.ask("far") == {"r1": False}  # and so does a watcher that is started again
    one.begin()
    one.order("tell", {"r1": True})
    other.far({"r1": True}, 1.0)  # a watcher that is started again is believed
    one.far({"r2": True}, 1.0)
    assert (one.ask("dropped"), other.ask("dropped")) == ({}, {})


def test_a_watcher_that_comes_later_is_told_at_once(pair: tuple[Peer, Peer]) -> None:
    one, other = pair
    other.kill()
    one.order("tell", {"r1": False})
    time.sleep(0.3)  # all three times
    other.begin()
    other.order("tell", {"r2": True})  # by which it is known to be there
    assert other.far({"r1": False}, 1.0) < 1.0


def test_what_is_forged_or_replayed_changes_nothing(pair: tuple[Peer, Peer], testbed: Testbed) -> None:
    one, other = pair
    one.order("tell", {"r1": False})
    other.far({"r1": False})
    one.order("tell", {"r1": True})
    other.far({"r1": True})
    start = one.start()
    far, own = one.server.name, other.server.name
    replayed = encode(KEY, LAB, far, start, 1, {"r1": False})  # to the byte what was sent before
    evil = {
        "code": encode(OTHER_KEY, LAB, far, start, 1000, {"r1": False}),
        "old": replayed,
        "lab": encode(KEY, "another", far, start, 1000, {"r1": False}),
        "server": [*encode(KEY, LAB, "srv9", start, 1000, {"r1": False}), *encode(KEY, LAB, own, start, 1000, {"r2": False})],
        "nodes": [*encode(KEY, LAB, far, start, 1000, {"r2": False}), *encode(KEY, LAB, far, start, 1000, {"r1": False, "r2": True})],
    }
    noise = [b"", b"{}", bytes(1100), replayed[0][:-1], bytes(1500)]
    datagrams = [*(one for some in evil.values() for one in some), *noise]
    one.server.run([sys.executable, "-c", SEND, other.address, str(PORT), *(datagram.hex() for datagram in datagrams)], check=True)
    stranger = encode(KEY, LAB, far, start, 1000, {"r1": False})  # the key is right, and it comes from elsewhere
    underlay.inside(testbed.underlay, sys.executable, "-c", SEND, other.address, str(PORT), stranger[0].hex())
    want = {"": {"code": 5, "size": 1, "lab": 1}, LAB: {"old": 1, "server": 2, "nodes": 2, "address": 1}}
    end = time.monotonic() + 5
    while other.ask("dropped") != want and time.monotonic() < end:
        time.sleep(0.02)
    assert other.ask("dropped") == want
    assert other.ask("far") == {"r1": True}
    other.kill()
    other.begin()
    one.server.run([sys.executable, "-c", SEND, other.address, str(PORT), replayed[0].hex()], check=True)  # a new process knows what is old
    end = time.monotonic() + 5
    while not other.ask("dropped") and time.monotonic() < end:
        time.sleep(0.02)
    assert (other.ask("dropped"), other.ask("far")) == ({LAB: {"old": 1}}, {"r1": True})
    one.order("tell", {"r1": False})  # and who is who it says is heard as before
    other.far({"r1": False}, 1.0)


def test_without_a_key_that_nobody_else_knows_nobody_listens(testbed: Testbed, tmp_path: Path) -> None:
    with two(testbed, tmp_path, four) as (one, other):
        other.put_key()
        other.begin()
        one.begin()
        assert "there is no key" in one.wait("said")
        one.order("tell", {"r1": False})
        one.put_key(mode=0o644)
        assert "others may know it" in one.wait("said")
        assert not one.listens()
        assert other.listens()
        assert other.ask("far") == {}
        one.put_key()
        other.far({"r1": False}, 2.0)
        assert one.listens()
        one.put_key(OTHER_KEY)
        end = time.monotonic() + 5
        while "code" not in other.ask("dropped").get("", {}) and time.monotonic() < end:
            one.order("tell", {"r1": bool(int(time.monotonic() * 10) % 2)})
        assert "code" in other.ask("dropped")[""]
        one.order("forget")
        end = time.monotonic() + 5
        while one.listens() and time.monotonic() < end:
            time.sleep(0.05)
        assert not one.listens()  # without a lab there is nobody to listen to
