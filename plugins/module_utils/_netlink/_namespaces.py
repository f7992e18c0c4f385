# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Work in other network namespaces, without another process, and without ever moving the calling thread.

A namespace is entered by a thread that is made for it and ends with the work; sockets that it opens belong to the namespace.
"""

from __future__ import annotations

import ctypes
import os
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

_CLONE_NEWNET = 0x40000000
_T = t.TypeVar("_T")


def enter(path: str) -> None:
    """Move the calling thread into the network namespace at C(path). Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(handle)


def in_namespaces(paths: t.Iterable[str], work: t.Callable[[str], _T]) -> dict[str, _T | OSError | LabError]:
    """Do C(work(path)) inside each namespace, one after another: path -> its result, or the error of it or of entering."""
    results: dict[str, _T | OSError | LabError] = {}

    def visit() -> None:
        for path in dict.fromkeys(paths):
            try:
                enter(path)
                results[path] = work(path)
            except (OSError, LabError) as error:
                results[path] = error

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="netns") as visitor:
        visitor.submit(visit).result()
    return results
