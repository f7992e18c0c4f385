# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The same work on many objects at once, for backends that answer one object at a time."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

WORKERS = 8
"""Enough to keep dockerd busy; more threads only wait for one another."""

_T = t.TypeVar("_T")
_R = t.TypeVar("_R")


def fetch(items: t.Sequence[_T], work: t.Callable[[_T], _R]) -> list[_R]:
    """The results in the order of the items; the first error is raised once all work has ended."""
    if len(items) < 2:
        return [work(item) for item in items]
    with ThreadPoolExecutor(min(WORKERS, len(items))) as pool:
        return [future.result() for future in [pool.submit(work, item) for item in items]]


def attempt(items: t.Sequence[_T], work: t.Callable[[_T], None]) -> list[LabError]:
    """Do all of it whatever fails; the errors in the order of the items."""

    def one(item: _T) -> LabError | None:
        try:
            work(item)
        except LabError as error:
            return error
        return None

    return [error for error in fetch(items, one) if error is not None]
