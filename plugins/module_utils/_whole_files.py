# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Small files that are there whole or not at all: whoever reads one finds what was there before, or all that is written now.

A file is made beside its place, as C(<path>.new), and gets its name at the end. Whoever makes it has the kernel's lock of it: two that
write at once take turns, and what one that was killed left is written over. Only for folders that root alone writes to: whoever else may
could keep that lock for ever (see C(_files.py)).
"""

from __future__ import annotations

import contextlib
import fcntl
import os

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def unfinished(path: str | os.PathLike[str]) -> str:
    """What a writer that was killed may have left."""
    return f"{os.fspath(path)}.new"


def write(path: str | os.PathLike[str], text: str, *, mode: int = 0o600, sync: bool = False) -> None:
    """mode: whatever the umask is. sync: it is on the disk before it gets its name, as a server may lose its power. Raises OSError."""
    content, new = text.encode(), unfinished(path)
    while True:
        with open(os.open(new, _FLAGS, 0o600), "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_at(new, file.fileno()):
                continue  # who had the lock before has given it its name
            try:
                os.fchmod(file.fileno(), mode)
                file.truncate()
                file.write(content)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
                os.replace(new, path)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(new)
                raise
            return


def _is_at(path: str, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(file))
    except FileNotFoundError:
        return False
