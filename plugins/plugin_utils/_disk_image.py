# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Disk images as a topology names them: a name or a path on the servers, and behind C(@sha256:) what the image must be."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

IMAGES = "/var/lib/libvirt/images"
"""Where an image is that has no folder: libvirt's own pool, which security modules let QEMU read."""

_MARK = "@sha256:"
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")


class ImageFault(ValueError):
    """what: the end of a sentence that begins with the image. remedy: what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True)
class DiskImage:
    """path: on the server. sha256: in lower case, empty where nothing was said."""

    path: str
    sha256: str = ""


def without_digest(image: str) -> str:
    """An image as it is called."""
    return image.partition(_MARK)[0]


def disk_image(text: str) -> DiskImage:
    """Raises ImageFault."""
    name, mark, digest = text.partition(_MARK)
    if mark and not _DIGEST.fullmatch(digest):
        raise ImageFault("has no SHA-256 behind @sha256:", "Write the 64 hexadecimal digits that sha256sum prints, or take it out")
    if not name.isprintable():
        raise ImageFault("has characters that no path should have", "Rename the file on the servers")
    if name.startswith("~"):
        raise ImageFault("is in a home folder, where QEMU may not read", f"Put it into {IMAGES} of the servers, and write its name alone")
    if not name.startswith("/"):
        if "/" in name:
            remedy = f"Put it into {IMAGES} of the servers and write its name alone, or write its absolute path there"
            raise ImageFault("is a relative path, but disk images are on the servers", remedy)
        name = f"{IMAGES}/{name}"
    return DiskImage("/" + posixpath.normpath(name).lstrip("/"), digest.lower())
