# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a server says of how it keeps a lab as declared: whether it watches itself, its last pass, what is held, the end of its journal."""

from __future__ import annotations

import os
import typing as t
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils import _installed, _journal, _run_files, _running, _standing, _state
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

Json = dict[str, t.Any]
_LEFT_OUT = ("changes", "diff", "declared")
"""Of the last report: what somebody did is in the journal."""


def read(lab: str, journal: int) -> Json:
    """C(watcher), and C(reconciler) with what is known of one lab (docs/design.md, section 4). Raises ReadError."""
    return {
        "watcher": watcher(),
        "reconciler": {"report": _report(lab), "held": _held(lab), "journal": _journal.tail(lab, journal) if journal > 0 else []},
    }


def watcher() -> Json:
    """The process that watches this server. Raises ReadError."""
    pid = _running.running()
    begun = _running.since(pid) if pid else None
    version = os.path.basename(os.path.realpath(os.path.join(_installed.LIBRARY, _installed.CURRENT)))
    installed = os.path.exists(_installed.PROGRAM)
    return {
        "state": "running" if pid else "stopped" if installed else "absent",
        "pid": pid or None,
        "since": datetime.fromtimestamp(begun, tz=timezone.utc).isoformat(timespec="seconds") if begun else "",
        "version": version.partition("-")[0] if installed and version != _installed.CURRENT else "",
    }


def _report(lab: str) -> Json | None:
    """The last pass, with links as they stand now: certification has proven them since."""
    found, _damage = _run_files.read(lab, _run_files.REPORT)
    if not found:
        return None
    standing = _standing.load(lab)
    links = [{**one, **standing.get(str(one.get("key")), {})} for one in found.get("links") or () if isinstance(one, dict)]
    return {**{name: value for name, value in found.items() if name not in _LEFT_OUT}, "links": links}


def _held(lab: str) -> list[str]:
    """What is left alone. A declared state that cannot be read is for those to complain about who go by it."""
    try:
        kept = _state.load(lab) or {}
    except ReadError:
        return []
    return sorted(str(one) for one in kept.get("hold") or ())
