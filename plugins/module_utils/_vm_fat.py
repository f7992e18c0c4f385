# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A disk with a VFAT file system, by mtools: nothing is mounted, and no root is needed."""

from __future__ import annotations

import os
import struct
import tempfile
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _programs, _vm_files
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError

_SIZE = 32 << 20
_SECTOR = 512
_SERIAL = "61726368"
_THEN = 315532800
"""1980-01-01, the first day that a FAT knows: the same files give the same disk."""
_LABEL_LENGTH = 11
_NAME_LENGTH = 255
_ROOM = _SIZE - (2 << 20)
"""What is left beside the tables and the ends of clusters, for a few files."""
_ENTRY = 32
_IS_LABEL = 0x08


def faults(label: str, paths: t.Iterable[str], size: int) -> t.Iterator[str]:
    """Why these cannot be on a disk; paths: of files and folders. size: of all files."""
    if not label.isascii() or not label.isprintable() or not 0 < len(label) <= _LABEL_LENGTH:
        yield f"{label!r} cannot be the label of a VFAT disk: it has up to {_LABEL_LENGTH} ASCII characters"
    known: dict[str, str] = {}
    for path in paths:
        if len(path.rpartition("/")[2]) > _NAME_LENGTH or path.endswith((".", " ")):
            yield f"{path!r} cannot be a name on a VFAT disk: it has up to {_NAME_LENGTH} characters, and no dot or blank at its end"
        other = known.setdefault(path.lower(), path)
        if other != path:
            yield f"{other!r} and {path!r} are one to a VFAT disk"
    if size > _ROOM:
        yield f"its files have {size} bytes, and {_ROOM} fit on a VFAT disk"


def find() -> None:
    """Raises LabError where mtools are missing."""
    for program in ("mformat", "mcopy"):
        _programs.find(program)


def write(path: str, label: str, files: t.Mapping[str, bytes]) -> None:
    """Write it over the file at C(path). Raises OSError, ApplyError."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path), prefix=_vm_files.MEDIUM) as folder:
        for name, content in sorted(files.items()):
            target = os.path.join(folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(content)
        size = ("-T", str(_SIZE // _SECTOR), "-h", "64", "-s", "32")
        os.truncate(path, _SIZE)
        _mtools("mformat", "-i", path, *size, "-N", _SERIAL, "-v", label, "::")
        top = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        for root, folders, names in os.walk(folder):
            for name in (*folders, *names):
                os.utime(os.path.join(root, name), (_THEN, _THEN))
        if top:
            _mtools("mcopy", "-i", path, "-s", "-m", "-n", *top, "::")
    _name(path, label)


def _mtools(program: str, *arguments: str) -> None:
    """With the time of day that the disk was not made at, and no configuration but this."""
    _programs.find(program)
    settings = (f"SOURCE_DATE_EPOCH={_THEN}", "TZ=UTC", "MTOOLSRC=/dev/null", "LC_ALL=C.UTF-8")
    done = _programs.run("env", *settings, program, *arguments)
    if done.exit_code:
        raise ApplyError(f"{program} failed: {' '.join(done.output.split())}")


def _name(path: str, label: str) -> None:
    """Write the label as it is: mtools has capitals only, and devices look for small letters."""
    with open(path, "r+b") as disk:
        _bytes, _cluster, reserved, fats, entries, _sectors, _media, fat = struct.unpack("<HBHBHHBH", disk.read(24)[11:])
        start = (reserved + fats * fat) * _SECTOR
        disk.seek(start)
        root = disk.read(entries * _ENTRY)
        for place in range(0, len(root), _ENTRY):
            if root[place + 11] == _IS_LABEL:
                disk.seek(start + place)
                disk.write(label.encode().ljust(_LABEL_LENGTH))
                return
    raise ApplyError("mformat wrote no label")
