# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the watcher counts since it started, for metrics. A lab that goes takes its numbers with it."""

from __future__ import annotations

import time
import typing as t
from collections import Counter

from ansible_collections.archetype.lab.plugins.module_utils._metrics import Facts

_TAKEN_FOR_ONE = ("ovsdb", "netlink", "docker", "libvirt", "peers", "time", "start")
"""What passes are made for, as metrics tell it; all else is C(other), so that there are never more of them."""


class Counts:
    def __init__(self, version: str) -> None:
        self._version = version
        self._started = time.time()
        self._passes: dict[str, Counter[str]] = {}
        self._repairs: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()

    def passed(self, lab: str, trigger: str, *, repairs: int, failures: int) -> None:
        """A pass is counted for the first thing that it was made for."""
        first = trigger.partition(",")[0]
        self._passes.setdefault(lab, Counter())[first if first in _TAKEN_FOR_ONE else "other"] += 1
        self._repairs[lab] += repairs
        self._failures[lab] += failures

    def forget(self, lab: str) -> None:
        self._passes.pop(lab, None)
        self._repairs.pop(lab, None)
        self._failures.pop(lab, None)

    def facts(self, dropped: t.Mapping[str, t.Mapping[str, int]], refused: t.Collection[str] = ()) -> Facts:
        return Facts(self._version, self._started, self._passes, self._repairs, self._failures, dropped, refused)
