# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A file of a container, which Docker hands out as a tar archive."""

from __future__ import annotations

import io
import tarfile


def file_of(archive: bytes, path: str) -> bytes:
    """What is in the one file of the archive. Raises OSError where it is no plain file."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            member = tar.next()
            content = tar.extractfile(member) if member is not None and member.isfile() else None
            if content is None:
                raise OSError(f"{path} is no plain file")
            return content.read()
    except tarfile.TarError as error:
        raise OSError(f"Docker's archive of {path} cannot be read: {error}") from error
