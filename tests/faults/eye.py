# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server really has, asked so quickly that it can be asked a hundred times a second, and by none of the code that is tested."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
from pathlib import Path
from typing import Any

import docker

from tests.testbed.testbed import Server

Json = dict[str, Any]
UP = 1


@dataclasses.dataclass(frozen=True)
class PortSeen:
    """A port of Open vSwitch, and its device. bridge: empty where it is on none; mtu: 0 where there is no device."""

    tag: Any
    vlan_mode: Any
    bridge: str
    mtu: int
    up: bool


class Eye:
    """One server. None of its answers is remembered; None means that a daemon does not answer."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._line: socket.socket | None = None
        self._holder: int | None = None
        self._docker: Any = None

    @property
    def root(self) -> str:
        return f"/proc/{self.server.holder}/root"

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def select(self, table: str, *columns: str, **where: str) -> list[Json] | None:
        """Rows of the database. None: it does not answer."""
        conditions = [[column, "==", value] for column, value in where.items()]
        operation = {"op": "select", "table": table, "where": conditions, "columns": list(columns)}
        try:
            answer = self._ask({"id": 1, "method": "transact", "params": ["Open_vSwitch", operation]})
        except (OSError, ValueError):
            self.close()
            return None
        rows: list[Json] = answer["result"][0]["rows"]
        return rows

    def _ask(self, question: Json) -> Json:
        if self._line is None:
            self._line = socket.socket(socket.AF_UNIX)
            self._line.settimeout(1.0)
            self._line.connect(f"{self.root}/run/openvswitch/db.sock")
        self._line.sendall(json.dumps(question).encode())
        text = ""
        while True:
            more = self._line.recv(1 << 20).decode()
            if not more:
                raise ConnectionError("the database hung up")
            text += more
            while text:
                try:
                    message, end = json.JSONDecoder().raw_decode(text)
                except ValueError:
                    break
                text = text[end:].lstrip()
                if message.get("method") == "echo":
                    self._line.sendall(json.dumps({"id": message["id"], "result": message["params"], "error": None}).encode())
                elif message.get("id") == question["id"]:
                    return dict(message)

    def port(self, name: str) -> PortSeen | None:
        rows = self.select("Port", "_uuid", "tag", "vlan_mode", name=name)
        bridges = self.select("Bridge", "name", "ports")
        if rows is None or bridges is None:
            return None
        row = rows[0] if rows else {"_uuid": None, "tag": None, "vlan_mode": None}
        on = [one["name"] for one in bridges if row["_uuid"] in _set(one["ports"])]
        mtu, flags = self.device(name)
        return PortSeen(str(row["tag"]), str(row["vlan_mode"]), on[0] if on else "", mtu, bool(flags & UP))

    def device(self, name: str) -> tuple[int, int]:
        """MTU and flags; 0 and 0 where there is none."""
        folder = Path(f"{self.root}/sys/class/net/{name}")
        with contextlib.suppress(OSError, ValueError):
            return int((folder / "mtu").read_text()), int((folder / "flags").read_text(), 16)
        return 0, 0

    def bridge(self, name: str) -> tuple[str, str] | None:
        """fail_mode and other_config."""
        rows = self.select("Bridge", "fail_mode", "other_config", name=name)
        return (str(rows[0]["fail_mode"]), str(rows[0]["other_config"])) if rows else None

    def next_cfg(self) -> int | None:
        rows = self.select("Open_vSwitch", "next_cfg")
        return int(rows[0]["next_cfg"]) if rows else None

    @property
    def docker(self) -> Any:
        """Docker's API, of the server as it was booted last."""
        holder = self.server.holder
        if self._docker is None or self._holder != holder:
            self._docker = docker.APIClient(base_url=f"unix:///proc/{holder}/root/run/docker.sock", version="auto", timeout=30)
            self._holder = holder
        return self._docker

    def container(self, name: str) -> tuple[str, str] | None:
        """Id and when it was started, of one that runs; None otherwise."""
        with contextlib.suppress(Exception):
            found = self.docker.inspect_container(name)
            if found["State"]["Running"]:
                return str(found["Id"]), str(found["State"]["StartedAt"])
        return None

    def pid(self, name: str) -> int:
        return int(self.docker.inspect_container(name)["State"]["Pid"])


def _set(value: Any) -> list[Any]:
    """The members of a set as OVSDB writes it: one alone is written bare."""
    return list(value[1]) if value[0] == "set" else [value]
