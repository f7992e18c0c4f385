# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The backends of the server, which passes that come one after another share."""

from __future__ import annotations

import contextlib
import importlib
import math

from ansible_collections.archetype.lab.plugins.module_utils._server import Server

KEPT = 10.0
"""Seconds after the last pass that connections stay open. A daemon keeps what nobody reads from one of them, and that without a limit."""
_LIBRARIES = ("ovsdbapp.backend.ovs_idl.connection", "pyroute2.netlink.rtnl.ifinfmsg", "docker")
"""What adapters import with the first change."""


def warm_up() -> None:
    """Import what the first change needs, so that it does not wait for that. What is missing is told by who needs it."""
    for one in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(one)


class Backends:
    def __init__(self) -> None:
        self._server: Server | None = None
        self._used = -math.inf

    def open(self) -> Server:
        """Backends connect when they are first used."""
        if self._server is None:
            self._server = Server()
        return self._server

    def passed(self, now: float, *, failed: bool) -> None:
        """A pass ended. What failed may have left anything behind in a connection, and must not be the next pass's trouble."""
        self._used = now
        if failed:
            self.close()

    def idle(self, now: float) -> None:
        if now - self._used > KEPT:
            self.close()

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with contextlib.suppress(Exception):  # what is lost cannot be closed in order, and is gone anyway
                server.__exit__(None, None, None)
