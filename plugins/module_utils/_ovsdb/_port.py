# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the layers need of Open vSwitch: one snapshot in, one transaction out. C(_adapter.py) does it with ovsdbapp."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class OvsInterface:
    """ofport: None while ovs-vswitchd has not answered, -1 when it could not open the device; error says why."""

    name: str
    type: str = ""
    ofport: int | None = None
    error: str = ""


@dataclass(frozen=True)
class OvsPort:
    name: str
    bridge: str
    tag: int | None = None
    trunks: tuple[int, ...] = ()
    vlan_mode: str | None = None
    external_ids: t.Mapping[str, str] = field(default_factory=dict)
    other_config: t.Mapping[str, str] = field(default_factory=dict)
    interfaces: tuple[OvsInterface, ...] = ()

    @property
    def ofport(self) -> int | None:
        return self.interfaces[0].ofport if self.interfaces else None


@dataclass(frozen=True)
class OvsBridge:
    name: str
    datapath_type: str = ""
    fail_mode: str | None = None
    external_ids: t.Mapping[str, str] = field(default_factory=dict)
    other_config: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OvsState:
    """Everything of the database that matters here, read at one moment."""

    bridges: t.Mapping[str, OvsBridge] = field(default_factory=dict)
    ports: t.Mapping[str, OvsPort] = field(default_factory=dict)
    other_config: t.Mapping[str, str] = field(default_factory=dict)
    version: str = ""


@dataclass(frozen=True)
class SetOther:
    """Set keys of Open_vSwitch.other_config."""

    values: t.Mapping[str, str]


@dataclass(frozen=True)
class PutBridge:
    """Create the bridge, or set the named columns of the one that is there. None leaves a column alone."""

    name: str
    datapath_type: str | None = None
    fail_mode: str | None = None
    other_config: t.Mapping[str, str] = field(default_factory=dict)
    external_ids: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DropBridge:
    name: str


@dataclass(frozen=True)
class PutPort:
    """Create the port with one interface of its name, or set all of these columns on the one that is there.

    A port that is on another bridge is moved. external_ids are merged; other columns are replaced.
    """

    name: str
    bridge: str
    tag: int | None = None
    trunks: tuple[int, ...] = ()
    vlan_mode: str | None = None
    external_ids: t.Mapping[str, str] = field(default_factory=dict)
    drop_external_ids: tuple[str, ...] = ()
    recreate: bool = False
    """Delete the port first, in a transaction of its own: for a device that went and came back under the same name, of which
    Open vSwitch would keep the old, dead one (with an ofport and no error). See C(_ownership.IFINDEX)."""


@dataclass(frozen=True)
class DropPort:
    name: str
    bridge: str


OvsOp = t.Union[SetOther, PutBridge, DropBridge, PutPort, DropPort]


class OvsDb(t.Protocol):
    """One connection to the local ovsdb-server."""

    def read(self) -> OvsState:
        """The present state. Raises ReadError when any part of it cannot be read."""

    def check(self) -> None:
        """See that ovs-vswitchd would carry out what is written. Raises ReadError."""

    def apply(self, ops: t.Sequence[OvsOp], *, wait: bool = True, timeout: float = 30.0) -> None:
        """All operations in one transaction, all or none; only what is deleted may go before it, in transactions of its own.

        wait: until ovs-vswitchd has carried it out. Raises ApplyError.
        """

    def close(self) -> None: ...
