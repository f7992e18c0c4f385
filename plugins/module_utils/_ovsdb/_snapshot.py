# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Reads the Open vSwitch database: all tables that matter in one request, so that what is read is one moment.

This is here, and not ovsdbapp, for reading: its replica is parsed by a JSON parser in Python, and takes longer than the whole
pass over a server on which nothing has to be done may take. What is written goes through ovsdbapp.
"""

from __future__ import annotations

import json
import socket
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsBridge, OvsInterface, OvsPort, OvsState

DATABASE = "Open_vSwitch"
COLUMNS: dict[str, list[str]] = {
    "Open_vSwitch": ["bridges", "cur_cfg", "next_cfg", "other_config", "ovs_version"],
    "Bridge": ["name", "datapath_type", "external_ids", "fail_mode", "other_config", "ports"],
    "Port": ["name", "external_ids", "interfaces", "other_config", "tag", "trunks", "vlan_mode"],
    "Interface": ["name", "error", "ofport", "type"],
}
"""What is used of the database, for reading and for writing."""

START_HINT = "start Open vSwitch on this server (service openvswitch-switch start), or run archetype.lab.prepare_servers"
_PIECE = 1 << 18
_Row = dict[str, t.Any]


class Asker:
    """A JSON-RPC connection to the ovsdb-server at C(unix:/path). Everything raises ReadError, also an answer that is late."""

    def __init__(self, address: str, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._number = 0
        self._pending = b""
        self._socket = self._connect()

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        connection.settimeout(self._timeout)
        try:
            connection.connect(self._address.removeprefix("unix:"))
        except OSError as error:
            connection.close()
            said = "it does not answer" if isinstance(error, TimeoutError) else error.strerror
            raise ReadError(f"cannot connect to ovsdb-server at {self._address}: {said}", hint=START_HINT) from error
        self._pending = b""
        return connection

    def close(self) -> None:
        self._socket.close()

    def ask(self, method: str, params: list[t.Any]) -> t.Any:
        """The result of a request. After a restart of ovsdb-server the connection is made anew, once."""
        try:
            try:
                return self._ask(method, params)
            except (BrokenPipeError, ConnectionResetError):
                self.close()
                self._socket = self._connect()
                return self._ask(method, params)
        except OSError as error:
            raise self._lost(error) from error

    def told(self) -> list[_Row]:
        """What ovsdb-server says by itself, after a request for that (C(monitor)): waits for it, however long it takes."""
        try:
            return [message for message in self._messages(None) if message.get("id") is None]
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> ReadError:
        said = error.strerror or "it closed the connection"
        return ReadError(f"the connection to ovsdb-server at {self._address} was lost: {said}", hint=START_HINT)

    def _ask(self, method: str, params: list[t.Any]) -> t.Any:
        self._number += 1
        deadline = time.monotonic() + self._timeout
        self._socket.sendall(json.dumps({"method": method, "params": params, "id": self._number}).encode())
        while True:
            for message in self._messages(deadline):
                if message.get("id") == self._number:
                    if message.get("error") is not None:
                        raise ReadError(f"ovsdb-server at {self._address} cannot answer {method}: {_words(message['error'])}")
                    return message.get("result")

    def _messages(self, deadline: float | None) -> list[_Row]:
        """What has come when something whole has. The server's questions whether anybody is there are answered here."""
        while True:
            self._pending += self._receive(deadline)
            if not self._pending.endswith(b"}"):
                continue
            messages, self._pending = _split(self._pending)
            for message in messages:
                if message.get("method") == "echo":
                    self._socket.sendall(json.dumps({"result": message["params"], "error": None, "id": message["id"]}).encode())
            if messages:
                return [message for message in messages if message.get("method") != "echo"]

    def _receive(self, deadline: float | None) -> bytes:
        self._socket.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
        try:
            piece = self._socket.recv(_PIECE)
        except TimeoutError as error:
            raise ReadError(f"ovsdb-server at {self._address} does not answer", hint=START_HINT) from error
        if not piece:
            raise ConnectionResetError
        return piece


def _split(text: bytes) -> tuple[list[_Row], bytes]:
    """The whole messages at the start of what was received, which has nothing between them; and the rest."""
    messages: list[_Row] = []
    decoder = json.JSONDecoder()
    rest = text.decode()
    while rest:
        try:
            message, end = decoder.raw_decode(rest)
        except json.JSONDecodeError:
            break
        messages.append(message)
        rest = rest[end:].lstrip()
    return messages, rest.encode()


def _words(error: t.Any) -> str:
    if isinstance(error, dict):
        return ": ".join(str(error[key]) for key in ("error", "details") if error.get(key))
    return str(error)


def read_state(asker: Asker) -> OvsState:
    """Everything that matters of the database, at one moment. Raises ReadError."""
    selects = [{"op": "select", "table": table, "where": [], "columns": ["_uuid", *columns]} for table, columns in COLUMNS.items()]
    answers = asker.ask("transact", [DATABASE, *selects])
    for answer in answers:
        if answer is None or "error" in answer:
            raise ReadError(f"the Open vSwitch database cannot be read: {_words(answer) if answer else 'an earlier part failed'}")
    try:
        tables = {table: {row["_uuid"][1]: row for row in answer["rows"]} for table, answer in zip(COLUMNS, answers, strict=True)}
        return _state_of(tables)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ReadError(f"the Open vSwitch database cannot be understood: {type(error).__name__} {error}") from error


def _state_of(tables: dict[str, dict[str, _Row]]) -> OvsState:
    roots = list(tables["Open_vSwitch"].values())
    if len(roots) != 1:
        raise ReadError(f"the Open vSwitch database has {len(roots)} roots", hint="it is made by: ovs-vsctl init")
    root = roots[0]
    bridges: dict[str, OvsBridge] = {}
    ports: dict[str, OvsPort] = {}
    for bridge in _uuids(root["bridges"]):
        row = tables["Bridge"][bridge]
        name = row["name"]
        bridges[name] = OvsBridge(
            name, row["datapath_type"], _optional(row["fail_mode"]), _map(row["external_ids"]), _map(row["other_config"])
        )
        for port in _uuids(row["ports"]):
            one = _port_of(tables["Port"][port], name, tables["Interface"])
            ports[one.name] = one
    return OvsState(bridges, ports, _map(root["other_config"]), _optional(root["ovs_version"]) or "")


def _port_of(row: _Row, bridge: str, interfaces: dict[str, _Row]) -> OvsPort:
    members = (interfaces[one] for one in _uuids(row["interfaces"]))
    return OvsPort(
        name=row["name"],
        bridge=bridge,
        tag=_optional(row["tag"]),
        trunks=tuple(sorted(_set(row["trunks"]))),
        vlan_mode=_optional(row["vlan_mode"]),
        external_ids=_map(row["external_ids"]),
        other_config=_map(row["other_config"]),
        interfaces=tuple(
            OvsInterface(one["name"], one["type"], _optional(one["ofport"]), _optional(one["error"]) or "") for one in members
        ),
    )


def _set(value: t.Any) -> list[t.Any]:
    """The values of a set, which is written as its one value when it has one."""
    return list(value[1]) if isinstance(value, list) and value[0] == "set" else [value]


def _optional(value: t.Any) -> t.Any:
    values = _set(value)
    return values[0] if values else None


def _uuids(value: t.Any) -> list[str]:
    return [one[1] for one in _set(value)]


def _map(value: t.Any) -> dict[str, str]:
    return dict(value[1])
