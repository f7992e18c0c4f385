# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The backends of this server, opened when they are first needed and closed together."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from types import TracebackType

    from ansible_collections.archetype.lab.plugins.module_utils._docker._port import Docker
    from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Netlink
    from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsDb

STATE_DIR = "/var/lib/archetype-lab"
RUN_DIR = "/run/archetype-lab"
OVSDB_SOCKET = "unix:/var/run/openvswitch/db.sock"
OVS_RUN_DIR = "/var/run/openvswitch"


class Server:
    """Backends may be handed in, which is how unit tests use fakes."""

    def __init__(self, *, ovs: OvsDb | None = None, net: Netlink | None = None, docker: Docker | None = None) -> None:
        self._ovs = ovs
        self._net = net
        self._docker = docker

    @property
    def ovs(self) -> OvsDb:
        if self._ovs is None:
            from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._adapter import connect

            self._ovs = connect(OVSDB_SOCKET)
        return self._ovs

    @property
    def net(self) -> Netlink:
        if self._net is None:
            from ansible_collections.archetype.lab.plugins.module_utils._netlink._adapter import connect

            self._net = connect()
        return self._net

    @property
    def docker(self) -> Docker:
        if self._docker is None:
            from ansible_collections.archetype.lab.plugins.module_utils._docker._adapter import connect

            self._docker = connect()
        return self._docker

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for backend in (self._ovs, self._net, self._docker):
            if backend is not None:
                backend.close()
