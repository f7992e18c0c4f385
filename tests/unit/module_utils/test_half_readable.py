# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that gives half of an answer: that is an error, and never taken for a server on which less is to be had."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _ports
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._adapter import connect
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from tests.unit.module_utils.fakes import FakeNet

TIMEOUT = 0.3
ROOT = {"_uuid": ["uuid", "r"], "bridges": ["uuid", "b"], "cur_cfg": 1, "next_cfg": 1, "other_config": ["map", []], "ovs_version": "3.1.0"}
BRIDGE = {
    "_uuid": ["uuid", "b"],
    "name": "arch-ovs",
    "datapath_type": "netdev",
    "external_ids": ["map", []],
    "fail_mode": "standalone",
    "other_config": ["map", []],
    "ports": ["set", [["uuid", "p"], ["uuid", "q"]]],
}


def port(uuid: str) -> dict[str, Any]:
    marks = ["map", [["archetype-lab", "x"], ["archetype-role", "port"]]]
    return {
        "_uuid": ["uuid", uuid],
        "name": f"ap{uuid}",
        "external_ids": marks,
        "interfaces": ["uuid", f"i{uuid}"],
        "other_config": ["map", []],
        "tag": 7,
        "trunks": ["set", []],
        "vlan_mode": "dot1q-tunnel",
    }


def interface(uuid: str) -> dict[str, Any]:
    return {"_uuid": ["uuid", f"i{uuid}"], "name": f"ap{uuid}", "error": ["set", []], "ofport": 1, "type": ""}


WHOLE = [{"rows": [ROOT]}, {"rows": [BRIDGE]}, {"rows": [port("p"), port("q")]}, {"rows": [interface("p"), interface("q")]}]
Talk = Callable[[socket.socket, bytes], None]


def said(result: list[Any]) -> bytes:
    return json.dumps({"id": 1, "error": None, "result": result}).encode()


def hangs_up(line: socket.socket, answer: bytes) -> None:
    line.sendall(answer)


def falls_silent(line: socket.socket, answer: bytes) -> None:
    line.sendall(answer)
    time.sleep(2 * TIMEOUT)


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Callable[[bytes, Talk], str]]:
    """Something that gives this answer to each question. Returns its address."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()

    def serve(answer: bytes, talk: Talk) -> None:
        while True:
            try:
                line, _address = listener.accept()
            except OSError:
                return
            with line:
                line.recv(1 << 16)
                talk(line, answer)

    def start(answer: bytes, talk: Talk) -> str:
        threading.Thread(target=serve, args=(answer, talk), daemon=True).start()
        return f"unix:{tmp_path / 's'}"

    yield start
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


HALVES: dict[str, tuple[bytes, Talk]] = {
    "cut off": (said(WHOLE)[:900], hangs_up),
    "cut off, and silence": (said(WHOLE)[:900], falls_silent),
    "a table fails": (said([*WHOLE[:2], {"error": "resources exhausted", "details": "too much"}, None]), falls_silent),
    "tables are missing": (said(WHOLE[:2]), falls_silent),
    "rows are missing": (said([*WHOLE[:2], {"rows": [port("p")]}, WHOLE[3]]), falls_silent),
    "the root is missing": (said([{"rows": []}, *WHOLE[1:]]), falls_silent),
    "columns are missing": (said([*WHOLE[:3], {"rows": [{"_uuid": ["uuid", "ip"]}, {"_uuid": ["uuid", "iq"]}]}]), falls_silent),
}


@pytest.mark.parametrize("half", [*HALVES])
def test_nothing_is_removed_for_half_an_answer(answering: Callable[[bytes, Talk], str], half: str) -> None:
    net = FakeNet()
    with (
        Server(ovs=connect(answering(*HALVES[half]), timeout=TIMEOUT), net=net) as server,
        pytest.raises(ReadError),
    ):
        _ports.converge(server, Request(lab="x", absent=True, prune=True))
    assert net.applied == []


def test_the_whole_answer_would_have_been_read(answering: Callable[[bytes, Talk], str]) -> None:
    """So it is the half that is refused."""
    with Server(ovs=connect(answering(said(WHOLE), falls_silent), timeout=TIMEOUT)) as server:
        assert sorted(server.ovs.read().ports) == ["app", "apq"]
