# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What was found of images, and takes long to find again: their digests, and that nothing is wrong with them.

An image is known by its path, size, time and inode. The file may be lost or unreadable at any time: it is then made again.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _server, _whole_files

FORMAT = 1
NAME = ".images"
"""In the folder of all labs; no lab's name begins with a dot."""


@dataclass
class Cache:
    """known: path -> [stamp, SHA-256]. Threads may use it at once."""

    known: dict[str, tuple[str, str]] = field(default_factory=dict)
    changed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def digest(self, path: str, stamp: str) -> str:
        """The SHA-256 of an image that was found sound; empty where that is not known of the file as it is now."""
        then, digest = self.known.get(path, ("", ""))
        return digest if then == stamp else ""

    def keep(self, path: str, stamp: str, digest: str) -> None:
        with self._lock:
            self.known[path] = (stamp, digest)
            self.changed = True

    def save(self) -> None:
        """Whole or not at all; images that are gone are forgotten. A server that cannot keep it looks again the next time."""
        if not self.changed:
            return
        there = {path: list(values) for path, values in sorted(self.known.items()) if os.path.exists(path)}
        with contextlib.suppress(OSError):
            _server.make_state_dir()
            _whole_files.write(_path(), json.dumps({"format": FORMAT, "images": there}))
            self.changed = False


def stamp_of(stat: os.stat_result) -> str:
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_dev} {stat.st_ino}"


def load() -> Cache:
    """Empty where there is none, and where it is not what was written: nothing is lost with it but time."""
    try:
        with open(_path(), encoding="utf-8") as file:
            kept = json.load(file)
        return Cache(dict(_entries(kept)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return Cache()


def _entries(kept: t.Any) -> t.Iterator[tuple[str, tuple[str, str]]]:
    if kept["format"] != FORMAT:
        return
    for path, (stamp, digest) in kept["images"].items():
        if not (isinstance(stamp, str) and isinstance(digest, str) and len(digest) == 64):
            raise ValueError(path)
        yield path, (stamp, digest)


def _path() -> str:
    return os.path.join(_server.STATE_DIR, NAME)
