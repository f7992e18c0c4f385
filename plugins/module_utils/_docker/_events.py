# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Tells that a container of a lab ended, started, or went away, and of which lab it is."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._docker._reading import START_HINT, Reader
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

SOCKET = "/var/run/docker.sock"
TIMEOUT = 5.0
HEARD = ("destroy", "die", "oom", "pause", "rename", "start", "stop", "unpause")
_LONGEST = 1 << 20


def changes(label: str, path: str = SOCKET) -> t.Iterator[str]:
    """An empty word when it listens, and from then on the value of the label for each change of a container that has it.

    Raises ReadError when the connection is lost.
    """
    reader = Reader(path, TIMEOUT)
    reader.close()
    rest = b""
    for piece in reader.events({"type": ["container"], "label": [label], "event": HEARD}):
        *lines, rest = (rest + piece).split(b"\n")
        if not piece:
            yield ""
        for line in lines:
            yield _value(line, label)
        rest = rest[-_LONGEST:]
    raise ReadError("dockerd ended the connection over which it tells what happens", hint=START_HINT)


def _value(line: bytes, label: str) -> str:
    """Of an event's label; empty where it cannot be told."""
    try:
        value = json.loads(line)["Actor"]["Attributes"].get(label, "")
    except (AttributeError, KeyError, TypeError, ValueError):
        return ""
    return str(value)
