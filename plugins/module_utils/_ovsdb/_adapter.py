# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Open vSwitch through ovsdbapp's connection: one replica of a few columns, and whole transactions.

Only the columns of C(_COLUMNS) are replicated, so that connecting costs the same on a server with a large database.
ovsdbapp's own transaction class is not used: it runs in a thread, and logs a time-out of ovs-vswitchd instead of raising it.
"""

from __future__ import annotations

import errno
import os
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, MissingLibraryError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsBridge, OvsInterface, OvsOp, OvsPort, OvsState
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._rows import Rows

try:
    from ovs import jsonrpc, poller, stream
    from ovs.db import error as ovs_error
    from ovs.db import idl as ovs_idl
    from ovsdbapp.backend.ovs_idl import connection as app_connection
    from ovsdbapp.backend.ovs_idl import idlutils

    _IMPORT_ERROR: ImportError | None = None
except ImportError as error:
    _IMPORT_ERROR = error

CONNECT_TIMEOUT = 5.0
"""Seconds that ovsdb-server, a local process, has to answer before it counts as unreadable."""

_SCHEMA = "Open_vSwitch"
_COLUMNS: dict[str, list[str]] = {
    "Open_vSwitch": ["bridges", "cur_cfg", "next_cfg", "other_config", "ovs_version"],
    "Bridge": ["name", "datapath_type", "external_ids", "fail_mode", "other_config", "ports"],
    "Port": ["name", "external_ids", "interfaces", "other_config", "tag", "trunks", "vlan_mode"],
    "Interface": ["name", "error", "ofport", "type"],
}
_START_HINT = "start Open vSwitch on this server (service openvswitch-switch start)"


def connect(address: str, *, timeout: float = CONNECT_TIMEOUT) -> Adapter:
    """A connection to the ovsdb-server at C(address) (C(unix:/path)) that has read everything once. Raises ReadError."""
    if _IMPORT_ERROR is not None:
        raise MissingLibraryError("ovsdbapp", str(_IMPORT_ERROR)) from _IMPORT_ERROR
    schema = _fetch_schema(address, timeout)
    helper = idlutils.create_schema_helper(schema)
    for table, columns in _COLUMNS.items():
        missing = set(columns) - set(schema.get("tables", {}).get(table, {}).get("columns", {}))
        if missing:
            raise ReadError(f"the database at {address} has no {table}.{min(missing)}", hint="Open vSwitch 2.13 or newer is needed")
        helper.register_columns(table, columns)
    return Adapter(address, app_connection.OvsdbIdl(address, helper, leader_only=False), timeout)


def _fetch_schema(address: str, timeout: float) -> dict[str, t.Any]:
    """The schema of the database. ovsdbapp's function for this would wait for ever for a server that hangs."""
    failed, channel = stream.Stream.open_block(stream.Stream.open(address), int(timeout * 1000))
    if failed:
        raise ReadError(f"cannot connect to ovsdb-server at {address}: {os.strerror(failed)}", hint=_START_HINT)
    rpc = jsonrpc.Connection(channel)
    try:
        return _ask_schema(rpc, address, time.monotonic() + timeout)
    finally:
        rpc.close()


def _ask_schema(rpc: t.Any, address: str, deadline: float) -> dict[str, t.Any]:
    rpc.send(jsonrpc.Message.create_request("get_schema", [_SCHEMA]))
    while time.monotonic() < deadline:
        rpc.run()
        failed, message = rpc.recv()
        if message is not None and message.type == jsonrpc.Message.T_REPLY:
            return t.cast("dict[str, t.Any]", message.result)
        if message is not None and message.type == jsonrpc.Message.T_ERROR:
            raise ReadError(f"ovsdb-server at {address} has no database {_SCHEMA}: {message.error}", hint=_START_HINT)
        if failed not in (0, errno.EAGAIN):
            raise ReadError(f"ovsdb-server at {address} closed the connection", hint=_START_HINT)
        _block(deadline, rpc.wait, rpc.recv_wait)
    raise ReadError(f"ovsdb-server at {address} does not answer", hint=_START_HINT)


def _block(deadline: float, *waits: t.Callable[[t.Any], object]) -> None:
    """Sleep until one of the C(waits) has something to do, at most until the deadline (and at most a second)."""
    waiter = poller.Poller()
    for wait in waits:
        wait(waiter)
    waiter.timer_wait(max(1, int(min(1.0, deadline - time.monotonic()) * 1000)))
    waiter.block()


class Adapter:
    """One connection to the local ovsdb-server; see C(_port.OvsDb)."""

    def __init__(self, address: str, idl: t.Any, timeout: float) -> None:
        self._address = address
        self._idl = idl
        self._timeout = timeout
        self._catch_up(time.monotonic() + timeout)

    def close(self) -> None:
        self._idl.close()

    def read(self) -> OvsState:
        self._catch_up(time.monotonic() + self._timeout)
        try:
            return _state_of(self._idl.tables)
        except (AttributeError, KeyError, IndexError, ovs_error.Error) as error:
            raise ReadError(f"the database at {self._address} cannot be understood: {error}") from error

    def apply(self, ops: t.Sequence[OvsOp], *, wait: bool = True, timeout: float = 30.0) -> None:
        """One transaction, after the deletions that cannot share it.

        ovs-vswitchd compares by name what was before a transaction with what is after it: it must see a port gone to open
        its device anew. Many deletions on a userspace datapath are done a few at a time: each one stops all forwarding on
        the server for some 12 ms (the kernel closes a packet socket), and hundreds at once lose other labs' frames.
        """
        if not ops:
            return
        deadline = time.monotonic() + timeout
        self._catch_up_to_apply(deadline)
        rows = Rows(self._idl.tables)
        doomed, rest = rows.split(ops)
        size = rows.chunk()
        for start in range(0, len(doomed), size):
            # Every piece has the whole time: only a daemon that does not move at all is a time-out.
            self._transact(doomed[start : start + size], time.monotonic() + timeout, wait=True)
        if rest:
            self._transact(rest, time.monotonic() + timeout, wait=wait)

    def _connected(self) -> bool:
        # There is no public way to ask; without it a lost connection would look like a database that does not change.
        return bool(self._idl._session.is_connected())  # noqa: SLF001

    def _catch_up(self, deadline: float) -> None:
        """Take in all that the server has sent; after a loss of the connection, wait for the next one."""
        while time.monotonic() < deadline:
            while self._idl.run():
                pass
            if self._connected() and self._idl.state == ovs_idl.Idl.IDL_S_MONITORING and self._idl.tables["Open_vSwitch"].rows:
                return
            _block(deadline, self._idl.wait)
        raise ReadError(f"the connection to ovsdb-server at {self._address} was lost, or it does not answer", hint=_START_HINT)

    def _transact(self, ops: t.Sequence[OvsOp], deadline: float, *, wait: bool) -> None:
        while True:
            self._catch_up_to_apply(deadline)
            transaction = ovs_idl.Transaction(self._idl)
            try:
                rows = Rows(self._idl.tables, transaction)
                for op in ops:
                    rows.apply(op)
                if wait:
                    rows.root.increment("next_cfg")
                status = self._commit(transaction, deadline)
            except (ApplyError, AttributeError, ovs_error.Error) as error:
                transaction.abort()
                if isinstance(error, ApplyError):
                    raise
                raise ApplyError(f"the change cannot be written to the Open vSwitch database: {error}") from error
            if status == transaction.TRY_AGAIN:
                continue
            if status not in (transaction.SUCCESS, transaction.UNCHANGED):
                raise ApplyError(f"ovsdb-server refused the transaction: {transaction.get_error() or status}")
            if wait and status == transaction.SUCCESS:
                self._wait_for_vswitchd(transaction.get_increment_new_value(), deadline)
            return

    def _catch_up_to_apply(self, deadline: float) -> None:
        try:
            self._catch_up(deadline)
        except ReadError as error:
            raise ApplyError(f"nothing was changed in Open vSwitch: {error.message}", hint=error.hint) from error

    def _commit(self, transaction: t.Any, deadline: float) -> str:
        while True:
            status = t.cast("str", transaction.commit())
            if status != transaction.INCOMPLETE:
                return status
            if time.monotonic() >= deadline:
                raise ApplyError("ovsdb-server does not answer to a transaction", hint=_START_HINT)
            self._idl.run()
            _block(deadline, self._idl.wait, transaction.wait)

    def _wait_for_vswitchd(self, wanted: int, deadline: float) -> None:
        """ovs-vswitchd copies next_cfg to cur_cfg when it has carried out a change, with the ofports of new ports."""
        patience = deadline - time.monotonic()
        while True:
            while self._idl.run():
                pass
            if any(row.cur_cfg >= wanted for row in self._idl.tables["Open_vSwitch"].rows.values()):
                return
            if time.monotonic() >= deadline:
                raise ApplyError(
                    f"ovs-vswitchd does not answer: a change written to the database was not carried out in {patience:.0f} s",
                    hint=_START_HINT + " and look into its log",
                )
            _block(deadline, self._idl.wait)


def _state_of(tables: t.Mapping[str, t.Any]) -> OvsState:
    root = next(iter(tables["Open_vSwitch"].rows.values()))
    bridges: dict[str, OvsBridge] = {}
    ports: dict[str, OvsPort] = {}
    for row in root.bridges:
        bridges[row.name] = OvsBridge(
            name=row.name,
            datapath_type=row.datapath_type,
            fail_mode=_first(row.fail_mode),
            external_ids=dict(row.external_ids),
            other_config=dict(row.other_config),
        )
        for port in row.ports:
            ports[port.name] = _port_of(port, row.name)
    return OvsState(bridges=bridges, ports=ports, other_config=dict(root.other_config), version=_first(root.ovs_version) or "")


def _port_of(row: t.Any, bridge: str) -> OvsPort:
    return OvsPort(
        name=row.name,
        bridge=bridge,
        tag=_first(row.tag),
        trunks=tuple(sorted(row.trunks)),
        vlan_mode=_first(row.vlan_mode),
        external_ids=dict(row.external_ids),
        other_config=dict(row.other_config),
        interfaces=tuple(OvsInterface(one.name, one.type, _first(one.ofport), _first(one.error) or "") for one in row.interfaces),
    )


def _first(values: list[t.Any]) -> t.Any:
    """The value of an optional column, which the library gives as a list of none or one."""
    return values[0] if values else None
