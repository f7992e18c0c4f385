# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whether ovs-vswitchd is at work. The database can be read and written without it, and then nothing comes of what is written."""

from __future__ import annotations

import json
import os
import socket

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._snapshot import START_HINT

ANSWER_TIMEOUT = 10.0
"""Seconds; it answers between two pieces of work, and one piece may be the change of a thousand ports."""


def check(folder: str, *, timeout: float = ANSWER_TIMEOUT) -> None:
    """Ask ovs-vswitchd, whose control socket is in this folder, for its version. Raises ReadError when there is no answer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as control:
            control.settimeout(timeout)
            control.connect(_path(folder))
            control.sendall(json.dumps({"id": 0, "method": "version", "params": []}).encode())
            if not control.recv(1):
                raise ConnectionResetError
    except TimeoutError as error:
        hint = "look into its log; restart it if it hangs (service openvswitch-switch restart)"
        raise ReadError(f"ovs-vswitchd does not answer: it said nothing for {timeout:g} s", hint=hint) from error
    except OSError as error:
        raise ReadError("ovs-vswitchd does not run", hint=START_HINT) from error


def _path(folder: str) -> str:
    with open(os.path.join(folder, "ovs-vswitchd.pid"), encoding="ascii", errors="replace") as file:
        return os.path.join(folder, f"ovs-vswitchd.{file.read().strip()}.ctl")
