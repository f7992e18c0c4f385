# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The files on the controller in which the configurations of nodes are saved: whole or not at all, and for their owner's eyes."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from dataclasses import dataclass

SUFFIX = ".cfg"
_NODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class FileProblem(Exception):
    """what: what is wrong. remedy: what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True)
class Kept:
    """before: what was there, empty where nothing was."""

    path: str
    changed: bool
    before: str = ""


def keep(folder: str, node: str, content: str, *, write: bool) -> Kept:
    """The file of a node has this content afterwards, or would have without write. One that has it already is left alone.

    Raises FileProblem.
    """
    if not _NODE.fullmatch(node):
        raise FileProblem(f"no file can be named after the node {node!r}", "use letters, digits, dots, dashes and underscores")
    path = os.path.join(folder, node + SUFFIX)
    wanted = content.encode()
    try:
        before = _content_of(path)
        if before == wanted:
            return Kept(path, changed=False)
        if write:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            _replace(path, wanted)
    except OSError as error:
        raise FileProblem(f"{path} cannot be written: {error.strerror or error}", "look at its folder, or choose another one") from error
    return Kept(path, changed=True, before=(before or b"").decode(errors="replace"))


def _content_of(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _replace(path: str, content: bytes) -> None:
    """By way of a new file, which has its mode from the start."""
    opened, made = tempfile.mkstemp(prefix=".", suffix=".new", dir=os.path.dirname(path))
    try:
        with open(opened, "wb") as stream:
            stream.write(content)
        os.replace(made, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(made)
        raise
