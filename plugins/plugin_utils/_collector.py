# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Python's collector of garbage, and when it only costs time."""

from __future__ import annotations

import functools
import gc
import typing as t

_Arguments = t.ParamSpec("_Arguments")
_Result = t.TypeVar("_Result")


def uncollected(work: t.Callable[_Arguments, _Result]) -> t.Callable[_Arguments, _Result]:
    """Do something without looking for garbage meanwhile. For work that makes many values and drops few of them.

    The collector looks through all that is there again and again while it grows, which is a quarter of the time of planning a large lab.
    """

    @functools.wraps(work)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        if not gc.isenabled():
            return work(*args, **kwargs)
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            gc.enable()

    return call
