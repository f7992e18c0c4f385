# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the watcher hears: the framing of each source, what is left out, and what happens when one is lost."""

from __future__ import annotations

import errno
import json
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._docker import _events as docker
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink import _monitor as netlink
from ansible_collections.archetype.lab.plugins.module_utils._netlink._messages import RTM_DELLINK, RTM_NEWLINK
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import attribute
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb import _monitor as ovsdb
from ansible_collections.archetype.lab.plugins.module_utils._watch import _events
from ansible_collections.archetype.lab.plugins.module_utils._watch._events import Event, Inbox, follow

UPDATE = {"id": None, "method": "update", "params": [None, {"Port": {"u": {"new": {"name": "ü}{"}}}}]}
ECHO = {"id": "echo", "method": "echo", "params": ["x"]}


class Daemon:
    """Something that listens at a socket, and does with each connection what the test says."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.settimeout(10)

    def serve(self, *talks: Callable[[socket.socket], None]) -> threading.Thread:
        def work() -> None:
            for talk in talks:
                connection, _address = self.listener.accept()
                connection.settimeout(10)
                with connection:
                    talk(connection)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    one = Daemon(tmp_path / "s")
    yield one
    one.listener.close()


def received(connection: socket.socket) -> Any:
    data = b""
    while True:
        data += connection.recv(65536)
        try:
            return json.loads(data)
        except ValueError:
            continue


def as_bytes(*messages: Any) -> bytes:
    return b"".join(json.dumps(one, ensure_ascii=False).encode() for one in messages)


def test_the_database_is_heard_however_its_messages_are_cut(daemon: Daemon) -> None:
    answers: list[Any] = []

    def talk(connection: socket.socket) -> None:
        request = received(connection)
        answers.append(request)
        reply = {"id": request["id"], "result": {}, "error": None}
        first = as_bytes(UPDATE)
        connection.sendall(as_bytes(reply) + first[:20])
        time.sleep(0.02)
        for byte in first[20:]:
            connection.sendall(bytes([byte]))
        connection.sendall(as_bytes(ECHO))
        answers.append(received(connection))
        connection.sendall(as_bytes(UPDATE, ECHO, UPDATE))
        answers.append(received(connection))

    thread = daemon.serve(talk)
    heard = []
    with pytest.raises(ReadError, match="was lost: it closed the connection"):
        heard.extend(ovsdb.changes(f"unix:{daemon.path}"))
    thread.join(10)
    assert len(heard) in (2, 3)  # what came together with the answer is told by the word that it listens
    request, *echoes = answers
    assert request["method"] == "monitor"
    assert echoes == [{"id": "echo", "result": ["x"], "error": None}] * 2


def test_what_changes_with_every_transaction_is_not_asked_for() -> None:
    heard = ovsdb.heard()
    assert heard["Open_vSwitch"]["columns"] == ["other_config"]
    assert {"tag", "vlan_mode", "name", "external_ids"} <= set(heard["Port"]["columns"])
    assert "statistics" not in heard["Interface"]["columns"]
    assert all(one["select"] == {"initial": False} for one in heard.values())


def test_a_database_that_refuses_is_an_error(daemon: Daemon) -> None:
    def talk(connection: socket.socket) -> None:
        request = received(connection)
        connection.sendall(as_bytes({"id": request["id"], "result": None, "error": {"error": "unknown database"}}))

    daemon.serve(talk)
    with pytest.raises(ReadError, match="cannot answer monitor: unknown database"):
        next(ovsdb.changes(f"unix:{daemon.path}"))


def test_no_database_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="cannot connect to ovsdb-server"):
        next(ovsdb.changes(f"unix:{tmp_path}/none"))


def answer(connection: socket.socket, body: bytes, *head: str) -> None:
    lines = ("HTTP/1.1 200 OK", "Content-Type: application/json", *head, "", "")
    connection.sendall("\r\n".join(lines).encode() + body)


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_docker_tells_of_containers_by_the_lab_they_are_of(daemon: Daemon) -> None:
    asked: list[bytes] = []
    lines = [
        {"Action": "die", "Actor": {"Attributes": {"archetype-lab": "a", "name": "n"}}},
        {"Action": "start", "Actor": {"Attributes": {"archetype-lab": "b"}}},
        {"strange": True},
    ]
    text = b"".join(json.dumps(one).encode() + b"\n" for one in lines)

    def version(connection: socket.socket) -> None:
        connection.recv(65536)
        body = json.dumps({"ApiVersion": "1.41"}).encode()
        answer(connection, body, f"Content-Length: {len(body)}")

    def events(connection: socket.socket) -> None:
        asked.append(connection.recv(65536))
        answer(connection, b"", "Transfer-Encoding: chunked")
        for start in range(0, len(text), 37):
            connection.sendall(chunk(text[start : start + 37]))
        connection.sendall(b"0\r\n\r\n")

    daemon.serve(version, events)
    heard = docker.changes("archetype-lab", daemon.path)
    assert [next(heard) for _turn in range(4)] == ["", "a", "b", ""]
    with pytest.raises(ReadError, match="dockerd ended the connection"):
        next(heard)
    assert asked[0].startswith(b"GET /v1.41/events?filters=%7B%22type%22%3A%20%5B%22container%22%5D%2C")


def test_no_docker_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="dockerd does not answer"):
        next(docker.changes("archetype-lab", f"{tmp_path}/none"))


@pytest.mark.parametrize(
    ("kind", "family", "attributes", "wakes"),
    [
        (RTM_NEWLINK, 0, b"", True),
        (RTM_DELLINK, 0, attribute(3, b"eth0\0"), True),
        (RTM_NEWLINK, 7, b"", False),
        (RTM_NEWLINK, 0, attribute(3, b"wlan0\0") + attribute(11, b"scan"), False),
        (20, 0, b"", False),
    ],
)
def test_what_the_kernel_says_of_devices(kind: int, family: int, attributes: bytes, wakes: bool) -> None:
    assert netlink.matters(kind, struct.pack("=BxHiII", family, 1, 7, 0, 0) + attributes) is wakes


class Crowded:
    """A socket that lost messages, then has one that does not matter, and then is broken."""

    def __init__(self) -> None:
        header = struct.pack("=IHHII", 16, RTM_NEWLINK, 0, 0, 0)
        self.answers: list[Any] = [OSError(errno.ENOBUFS, "full"), header, OSError(errno.EBADF, "gone")]

    def recv(self, _size: int) -> bytes:
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return bytes(answer)


def test_what_the_kernel_could_not_deliver_has_changed_something() -> None:
    crowded: Any = Crowded()
    assert netlink._changed(crowded) is True
    assert netlink._changed(crowded) is False
    with pytest.raises(OSError, match="gone"):
        netlink._changed(crowded)


def test_half_a_message_of_the_kernel_is_nothing() -> None:
    assert netlink.matters(RTM_NEWLINK, b"\0\0\0") is False


def test_the_same_event_is_there_once_and_can_come_again() -> None:
    inbox = Inbox()
    for _turn in range(1000):
        inbox.put(Event("ovsdb"))
        inbox.put(Event("docker", "a"))
    assert inbox.take(0) == [Event("ovsdb"), Event("docker", "a")]
    assert inbox.take(0) == []
    inbox.put(Event("ovsdb"))
    assert inbox.take(0) == [Event("ovsdb")]


def test_a_wait_ends_with_an_event_or_when_it_is_woken() -> None:
    inbox = Inbox()
    for wake, expected in ((inbox.wake, []), (lambda: inbox.put(Event("docker", "a")), [Event("docker", "a")])):
        threading.Timer(0.05, wake).start()
        began = time.monotonic()
        assert inbox.take(30) == expected
        assert time.monotonic() - began < 10


def test_a_lost_source_is_tried_until_it_is_back_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_events, "FIRST_PAUSE", 0.001)
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    forever = threading.Event()
    lives: list[list[Any]] = [
        [ReadError("not there")],
        ["", "a", ReadError("gone")],
        [ReadError("still gone")],
        [ValueError("not understood")],
        ["", "b", None],
    ]

    def listen() -> Iterator[str]:
        for one in lives.pop(0):
            if isinstance(one, Exception):
                raise one
            if one is None:
                forever.wait()
            else:
                yield one

    inbox = Inbox()
    heard: list[Event] = []
    follow("docker", listen, inbox, said.put)
    deadline = time.monotonic() + 20
    while Event("docker", "b") not in heard and time.monotonic() < deadline:
        heard += inbox.take(0.2)
    # The first words of both lives may have come together, as one.
    assert set(heard) == {Event("docker", "", back=True), Event("docker", "a"), Event("docker", "b")}
    assert [said.get(timeout=5) for _turn in range(4)] == [
        "docker: not there",
        "docker: listening again",
        "docker: gone",
        "docker: listening again",
    ]
    forever.set()
