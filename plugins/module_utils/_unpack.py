# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""An archive of files into a folder, if it has exactly those that were asked for."""

from __future__ import annotations

import hashlib
import io
import os
import re
import typing as t
import zipfile

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

FOLDER_MODE = 0o755
_NAME = re.compile(r"\w+(/\w+)*\.py", re.ASCII)


def unpack(archive: bytes, files: t.Mapping[str, str], folder: str) -> None:
    """Write all files below a folder that is not there yet, and onto the disk. files: path -> SHA-256.

    Nothing is written where the archive is another one. Raises LabError, OSError.
    """
    contents = _contents(archive)
    digests = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    if digests != dict(files) or not all(_NAME.fullmatch(path) for path in files):
        raise LabError(
            "the library that was sent is not the one that was announced", hint="run it again, and let nobody change it meanwhile"
        )
    for path, content in contents.items():
        target = os.path.join(folder, path)
        _make_folders(os.path.dirname(target))
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
    for path in contents:  # after all are written, so that the first takes most of them along
        handle = os.open(os.path.join(folder, path), os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)


def _contents(archive: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            return {name: packed.read(name) for name in packed.namelist()}
    except (zipfile.BadZipFile, ValueError) as error:
        raise LabError(f"the library that was sent cannot be unpacked: {error}", hint="run it again") from error


def _make_folders(path: str) -> None:
    """A folder and those above it, readable whatever the umask is."""
    if not os.path.isdir(path):
        _make_folders(os.path.dirname(path))
        os.mkdir(path)
        os.chmod(path, FOLDER_MODE)
