# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Writes operations to the rows of a transaction. It uses rows, but imports no library.

Sets are changed value by value (C(addvalue), C(delvalue)), never replaced: another writer's port on the same bridge, added
a moment ago, must not be lost.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import MAKE_BRIDGE, ApplyError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import (
    DropBridge,
    DropPort,
    OvsOp,
    PutBridge,
    PutPort,
    SetOther,
)


class Rows:
    """The rows by name, as they are within one transaction. Without a transaction it can only be asked."""

    def __init__(self, tables: t.Mapping[str, t.Any], transaction: t.Any = None) -> None:
        self._tables = tables
        self._transaction = transaction
        self.root = next(iter(tables["Open_vSwitch"].rows.values()))
        self._bridges: dict[str, t.Any] = {row.name: row for row in self.root.bridges}
        self._ports: dict[str, tuple[t.Any, t.Any]] = {port.name: (port, row) for row in self.root.bridges for port in row.ports}

    def split(self, ops: t.Sequence[OvsOp]) -> tuple[list[OvsOp], list[OvsOp]]:
        """What has to go before: ports that are recreated, moved to another bridge, or (many of them) dropped; and the rest."""
        before: list[OvsOp] = []
        rest: list[OvsOp] = []
        many = sum(isinstance(op, DropPort) for op in ops) > self.chunk()
        for op in ops:
            here = self._ports[op.name][1].name if isinstance(op, (PutPort, DropPort)) and op.name in self._ports else None
            if isinstance(op, PutPort) and here is not None and (op.recreate or here != op.bridge):
                before.append(DropPort(op.name, here))
            (before if many and isinstance(op, DropPort) else rest).append(op)
        return before, rest

    def chunk(self) -> int:
        """How many ports are dropped at once; more on a server with more ports, as every transaction costs by their number."""
        if any(row.datapath_type == "netdev" for row in self._bridges.values()):
            return max(8, len(self._ports) // 16)
        return max(1, len(self._ports))

    def apply(self, op: OvsOp) -> None:
        if isinstance(op, SetOther):
            for key, value in op.values.items():
                self.root.setkey("other_config", key, value)
        elif isinstance(op, PutBridge):
            self._put_bridge(op)
        elif isinstance(op, DropBridge):
            self._drop_bridge(op)
        elif isinstance(op, PutPort):
            self._put_port(op)
        else:
            self._drop_port(op)

    def _put_bridge(self, op: PutBridge) -> None:
        row = self._bridges.get(op.name)
        if row is None:
            row = self._transaction.insert(self._tables["Bridge"])
            row.name = op.name
            self.root.addvalue("bridges", row)
            self._bridges[op.name] = row
            self._new_port(op.name, row, "internal")
        if op.datapath_type is not None:
            row.datapath_type = op.datapath_type
        if op.fail_mode is not None:
            row.fail_mode = [op.fail_mode]
        for column in ("other_config", "external_ids"):
            for key, value in getattr(op, column).items():
                row.setkey(column, key, value)

    def _drop_bridge(self, op: DropBridge) -> None:
        row = self._bridges.pop(op.name, None)
        if row is not None:
            self.root.delvalue("bridges", row)
            self._ports = {name: pair for name, pair in self._ports.items() if pair[1] is not row}

    def _put_port(self, op: PutPort) -> None:
        bridge = self._bridges.get(op.bridge)
        if bridge is None:
            what = f"port {op.name} cannot be added: there is no bridge {op.bridge}"
            raise ApplyError(what, hint=MAKE_BRIDGE, objects=(op.name,))
        if op.name in self._ports and self._ports[op.name][1] is not bridge:
            self._drop_port(DropPort(op.name, op.bridge))
        row = self._ports[op.name][0] if op.name in self._ports else self._new_port(op.name, bridge, "")
        row.tag = [] if op.tag is None else [op.tag]
        row.trunks = sorted(op.trunks)
        row.vlan_mode = [op.vlan_mode] if op.vlan_mode else []
        for key, value in op.external_ids.items():
            row.setkey("external_ids", key, value)
        for key in op.drop_external_ids:
            row.delkey("external_ids", key)

    def _new_port(self, name: str, bridge: t.Any, kind: str) -> t.Any:
        interface = self._transaction.insert(self._tables["Interface"])
        interface.name = name
        interface.type = kind
        row = self._transaction.insert(self._tables["Port"])
        row.name = name
        row.interfaces = [interface]
        bridge.addvalue("ports", row)
        self._ports[name] = (row, bridge)
        return row

    def _drop_port(self, op: DropPort) -> None:
        if op.name in self._ports:
            row, bridge = self._ports.pop(op.name)
            bridge.delvalue("ports", row)
