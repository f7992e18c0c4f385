# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Open vSwitch: read at one moment (C(_snapshot.py)), and changed by whole transactions through ovsdbapp's connection.

ovsdbapp's own transaction class is not used: it runs in a thread, and logs a time-out of ovs-vswitchd instead of raising it.
Its connection is made with the first change, so that a run that changes nothing does not even import it.
"""

from __future__ import annotations

import os
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, MissingLibraryError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb import _daemon
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsOp, OvsState
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._rows import Rows
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._snapshot import COLUMNS, DATABASE, START_HINT, Asker, read_state

CONNECT_TIMEOUT = 5.0
"""Seconds that ovsdb-server, a local process, has to answer before it counts as unreadable."""


class _Library(t.NamedTuple):
    idl: t.Any
    error: type[Exception]
    poller: t.Any
    connection: t.Any
    idlutils: t.Any


def _library() -> _Library:
    try:
        from ovs import poller
        from ovs.db import error, idl
        from ovsdbapp.backend.ovs_idl import connection, idlutils
    except ImportError as missing:
        raise MissingLibraryError("ovsdbapp", str(missing)) from missing
    return _Library(idl, error.Error, poller, connection, idlutils)


def connect(address: str, *, timeout: float = CONNECT_TIMEOUT) -> Adapter:
    """A connection to the ovsdb-server at C(address) (C(unix:/path)). Raises ReadError."""
    return Adapter(address, timeout)


def _used(schema: dict[str, t.Any]) -> dict[str, t.Any]:
    """The schema with nothing but the tables and columns that are used."""
    tables = {name: schema["tables"][name] for name in COLUMNS}
    cut = {name: {**table, "columns": {column: table["columns"][column] for column in COLUMNS[name]}} for name, table in tables.items()}
    return {**schema, "tables": cut}


class Adapter:
    """One connection to the local ovsdb-server; see C(_port.OvsDb)."""

    def __init__(self, address: str, timeout: float) -> None:
        self._address = address
        self._timeout = timeout
        self._asker = Asker(address, timeout)
        self._replica: t.Any = None

    def close(self) -> None:
        self._asker.close()
        if self._replica is not None:
            self._replica.close()

    def read(self) -> OvsState:
        return read_state(self._asker)

    def check(self) -> None:
        _daemon.check(os.path.dirname(self._address.removeprefix("unix:")))

    @property
    def _idl(self) -> t.Any:
        """The replica of what is used of the database, in which transactions are written."""
        if self._replica is None:
            library = _library()
            try:
                schema = _used(self._asker.ask("get_schema", [DATABASE]))
            except KeyError as error:
                raise ReadError(f"the database at {self._address} has no {error}", hint="Open vSwitch 2.13 or newer is needed") from error
            helper = library.idlutils.create_schema_helper(schema)
            helper.register_all()
            self._replica = library.connection.OvsdbIdl(self._address, helper, leader_only=False)
        return self._replica

    def _block(self, deadline: float, *waits: t.Callable[[t.Any], object]) -> None:
        """Sleep until one of the C(waits) has something to do, at most until the deadline (and at most a second)."""
        waiter = _library().poller.Poller()
        for wait in waits:
            wait(waiter)
        waiter.timer_wait(max(1, int(min(1.0, deadline - time.monotonic()) * 1000)))
        waiter.block()

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
            if self._connected() and self._idl.state == self._idl.IDL_S_MONITORING and self._idl.tables["Open_vSwitch"].rows:
                return
            self._block(deadline, self._idl.wait)
        raise ReadError(f"the connection to ovsdb-server at {self._address} was lost, or it does not answer", hint=START_HINT)

    def _transact(self, ops: t.Sequence[OvsOp], deadline: float, *, wait: bool) -> None:
        while True:
            self._catch_up_to_apply(deadline)
            transaction = _library().idl.Transaction(self._idl)
            try:
                rows = Rows(self._idl.tables, transaction)
                for op in ops:
                    rows.apply(op)
                if wait:
                    rows.root.increment("next_cfg")
                status = self._commit(transaction, deadline)
            except (ApplyError, AttributeError, _library().error) as error:
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
                raise ApplyError("ovsdb-server does not answer to a transaction", hint=START_HINT)
            self._idl.run()
            self._block(deadline, self._idl.wait, transaction.wait)

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
                    hint=START_HINT + " and look into its log",
                )
            self._block(deadline, self._idl.wait)
