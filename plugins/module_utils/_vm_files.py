# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Files of virtual machines are there whole, or not at all: they are made under another name, and get their own at the end."""

from __future__ import annotations

import contextlib
import os
import re

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError

NEW = ".new"
"""At the end of the name of a file that is being made."""
MEDIUM = ".medium-"
"""At the beginning of the name of a folder with the files that a medium is being made of."""
_SECRET = re.compile(rf"{re.escape(MEDIUM)}.*|config-.*{re.escape(NEW)}")


def begin(path: str, domain: str) -> str:
    """An empty file, for nobody but root to see, that is to be at this path; its name meanwhile. Raises ApplyError."""
    new = path + NEW
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise unwritten(path, error, domain) from error
    return new


def is_secret(name: str) -> bool:
    """Whether it is what a run that was killed left of a medium: nobody uses it, and it has secrets."""
    return _SECRET.fullmatch(name) is not None


def drop(path: str) -> None:
    """Forget a file that could not be made; what it takes on the disk is somebody else's to have."""
    with contextlib.suppress(OSError):
        os.unlink(path + NEW)


def settle(path: str, domain: str) -> None:
    """Give a file its name once it is on the disk, as a server may lose its power. Raises ApplyError."""
    new = path + NEW
    try:
        _sync(new, os.O_RDONLY)
        os.replace(new, path)
        _sync(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise unwritten(path, error, domain) from error


def _sync(path: str, flags: int) -> None:
    file = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def unwritten(path: str, error: OSError, domain: str) -> ApplyError:
    return ApplyError(f"{path} cannot be written: {error.strerror}", hint="see that the disk has room", objects=(domain,))
