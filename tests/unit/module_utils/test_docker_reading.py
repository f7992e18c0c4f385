# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading from dockerd over its socket: what is there, what is not, and what "could not read" looks like."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _ready_logs
from ansible_collections.archetype.lab.plugins.module_utils._docker._adapter import connect
from ansible_collections.archetype.lab.plugins.module_utils._docker._log import BUFFER, LONGEST, Entry, entries
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Docker, DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import moment as seconds
from ansible_collections.archetype.lab.plugins.module_utils._docker._reading import START_HINT, Reader
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

VERSION = {"Version": "20.10.24", "ApiVersion": "1.41"}
ANSWERS: dict[str, tuple[int, Any]] = {
    "/version": (200, VERSION),
    "/v1.41/containers/json?all=1": (200, [{"Names": ["/n1", "/other/alias"], "Labels": {"a": "b"}}, {"Names": ["/n2"], "Labels": None}]),
    "/v1.41/containers/n1/json": (200, {"Id": "1", "Name": "/n1", "State": {"Status": "running"}}),
    "/v1.41/images/registry:5000/host:1/json": (200, {"Id": "sha256:1", "Config": {"Env": ["A=b=c"], "Cmd": ["sleep"]}}),
    "/v1.41/containers/broken/json": (500, {"message": "the disk is gone"}),
    "/v1.41/containers/strange/json": (200, "not json"),
}


class Handler(BaseHTTPRequestHandler):
    """dockerd, as far as reading goes. It hangs up after an answer where it is told to."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, answer = ANSWERS.get(unquote(self.path), (404, {"message": "No such object"}))
        body = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(getattr(self.server, "hang_up", False))

    def address_string(self) -> str:
        return "test"

    def log_request(self, *_what: object) -> None:
        """Nothing."""


class Dockerd(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    hang_up = False


@pytest.fixture
def dockerd(tmp_path: Path) -> Iterator[Dockerd]:
    with Dockerd(str(tmp_path / "d.sock"), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def path_of(server: Dockerd) -> str:
    return str(server.server_address)


def test_everything_is_read_without_the_library(dockerd: Dockerd) -> None:
    docker = connect(path_of(dockerd))
    assert docker.version() == "20.10.24"
    assert docker.list_names() == {"n1": {"a": "b"}, "n2": {}}
    found = docker.inspect(["n1", "nobody", "n1"])
    assert [(name, one.status) for name, one in found.items()] == [("n1", "running")]
    images = docker.images(["registry:5000/host:1", "missing:1"])
    assert images["missing:1"] is None
    image = images["registry:5000/host:1"]
    assert image is not None
    assert (image.env, image.cmd) == ({"A": "b=c"}, ("sleep",))
    docker.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("broken", "reading container broken failed: the disk is gone"),
        ("strange", "reading container strange failed: dockerd does not answer"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_it(dockerd: Dockerd, name: str, said: str) -> None:
    with pytest.raises(ReadError) as refused:
        Reader(path_of(dockerd), 5).container(name)
    assert refused.value.message.startswith(said)
    assert refused.value.objects == (name,)


def test_a_connection_that_dockerd_ended_is_made_anew(dockerd: Dockerd) -> None:
    reader = Reader(path_of(dockerd), 5)
    dockerd.hang_up = True
    assert [bool(reader.container("n1")) for _time in range(3)] == [True] * 3


def test_a_dockerd_that_is_not_there_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ReadError) as refused:
        Reader(str(tmp_path / "none.sock"), 5)
    assert refused.value.message == f"dockerd does not answer at {tmp_path}/none.sock: No such file or directory"
    assert refused.value.hint == START_HINT


def test_a_dockerd_that_goes_away_is_never_an_empty_server(dockerd: Dockerd) -> None:
    reader = Reader(path_of(dockerd), 5)
    dockerd.hang_up = True
    assert reader.container("n1")
    dockerd.shutdown()
    Path(path_of(dockerd)).unlink()
    with pytest.raises(ReadError, match="listing the containers failed: dockerd does not answer"):
        reader.containers()


def moment(number: int) -> str:
    return f"2026-11-21T08:00:00.{number:09d}Z"


def frame(number: int, data: bytes, stream: int = 1) -> bytes:
    raw = f"{moment(number)} ".encode() + data
    return bytes([stream, 0, 0, 0]) + len(raw).to_bytes(4, "big") + raw


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[place : place + size] for place in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 4096, 10**6])
def test_a_log_is_taken_apart_however_it_comes(size: int) -> None:
    framed = frame(1, b"one\n") + frame(2, b"x" * BUFFER, 2) + frame(2, b"rest\n") + frame(3, b"")
    found = list(entries(cut(framed, size), terminal=False))
    assert found == [(moment(1), b"one\n"), (moment(2), b"x" * BUFFER), (moment(2), b"rest\n"), (moment(3), b"")]
    stamp = f"{moment(2)} ".encode()
    raw = (
        f"{moment(1)} ".encode() + b"one\r\n" + stamp + b"x" * BUFFER + stamp + b"rest\r\n" + f"{moment(3)} \r\n".encode() + stamp + b"open"
    )
    assert list(entries(cut(raw, size), terminal=True)) == [
        (moment(1), b"one\r\n"),
        (moment(2), b"x" * BUFFER + b"rest\r\n"),
        (moment(3), b"\r\n"),
        (moment(2), b"open"),
    ]


def test_a_line_without_end_is_not_waited_for() -> None:
    endless = (b"y" * 4096 for _number in range(1000))
    assert max(len(one.data) for one in entries(endless, terminal=True)) <= LONGEST + 4096


class Written:
    """A container's log. read: how many entries were taken of it."""

    def __init__(self) -> None:
        self.log_entries: list[Entry] = []
        self.read = 0

    def log(self, _container: DockerContainer, *, lines: int = 0, since: float = 0.0) -> Iterator[Entry]:
        for one in [one for one in self.log_entries if seconds(one.moment) >= since][-lines:]:
            self.read += 1
            yield one


def test_a_log_is_read_once_though_docker_moves_it_aside_and_a_flood_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ready_logs, "SHARE", 1000)
    monkeypatch.setattr(_ready_logs, "LAST_LINES", 3)
    docker = Written()
    log = _ready_logs.ContainerLog(cast(Docker, docker), DockerContainer("id", "c1"))

    def news() -> bytes:
        return b"".join(log.news())

    docker.log_entries = [Entry(moment(1), b"one"), Entry(moment(2), b"two")]
    assert news() == b"onetwo"
    assert news() == b""
    docker.log_entries += [Entry(moment(2), b"more of two"), Entry(moment(3), b"three")]
    assert news() == b"more of twothree"
    docker.log_entries = [Entry(moment(3), b"three"), Entry(moment(4), b"four")]
    assert news() == b"four"
    docker.log_entries = [Entry(moment(5), b"a file that was begun anew")]
    assert news() == b"a file that was begun anew"
    docker.log_entries = [Entry(moment(10 + number), b"%99d\n" % number) for number in range(500)]
    docker.read = 0
    found = [int(line) for line in news().split()]
    assert (found, docker.read) == ([*range(11), 497, 498, 499], 14)
    assert news() == b""
    assert log.written_since(seconds(moment(500)))
