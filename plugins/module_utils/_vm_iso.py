# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""An ISO 9660 image with Joliet and Rock Ridge, so that whatever a guest reads of the three, it finds names as they were given.

A guest with none but plain ISO 9660 finds them in capitals, without what that has no letters for, and most show those as small letters.
"""

from __future__ import annotations

import io
import re
import time
import types
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, MissingLibraryError

_LABEL_LENGTH = 16
"""Of Joliet, which has the shorter ones."""
_JOLIET_LENGTH = 64
"""As pycdlib counts, in bytes."""
_THEN = 315532800.0
"""1980-01-01, as on VFAT disks."""
_NAME_LENGTH = 30
_LEVEL = 3
_NOT_PLAIN = re.compile(r"[^A-Z0-9_]")


def faults(label: str, paths: t.Iterable[str]) -> t.Iterator[str]:
    """Why these cannot be on an image; paths: of files and folders."""
    if not label.isascii() or not label.isprintable() or not 0 < len(label) <= _LABEL_LENGTH:
        yield f"{label!r} cannot be the label of an ISO image: it has up to {_LABEL_LENGTH} ASCII characters"
    for path in paths:
        if len(path.rpartition("/")[2].encode()) > _JOLIET_LENGTH:
            yield f"{path!r} is too long for an ISO image, whose names have up to {_JOLIET_LENGTH} bytes"


def find() -> None:
    """Raises MissingLibraryError."""
    try:
        import pycdlib  # noqa: F401
    except ImportError as error:
        raise MissingLibraryError("pycdlib", str(error), setting="lab_server_vms") from error


def _then(_seconds: float | None = None) -> time.struct_time:
    return time.gmtime(_THEN)


_CLOCK = types.SimpleNamespace(**{**vars(time), "time": lambda: _THEN, "gmtime": _then, "localtime": _then})
"""Tells the time that images are made at: the same files give the same image, on every server."""


def write(path: str, label: str, files: t.Mapping[str, bytes]) -> None:
    """Write it over the file at C(path). Raises OSError, ApplyError, MissingLibraryError."""
    find()
    import pycdlib
    from pycdlib import dates, headervd, utils
    from pycdlib import pycdlib as image_of
    from pycdlib.pycdlibexception import PyCdlibException

    for module in (dates, headervd, image_of, utils):
        vars(module)["time"] = _CLOCK  # it cannot be told otherwise, and nothing else here makes images
    plain = _plain_paths(files)
    image = pycdlib.PyCdlib()
    try:
        image.new(interchange_level=_LEVEL, joliet=3, rock_ridge="1.09", vol_ident=label)
        for one, there in plain.items():
            name = one.rpartition("/")[2]
            if one in files:
                content = files[one]
                image.add_fp(io.BytesIO(content), len(content), f"/{there};1", rr_name=name, joliet_path=f"/{one}", file_mode=0o100444)
            else:
                image.add_directory(f"/{there}", rr_name=name, joliet_path=f"/{one}", file_mode=0o040555)
        with open(path, "r+b") as file:
            image.write_fp(file)
        image.close()
    except PyCdlibException as error:
        raise ApplyError(f"an ISO image cannot hold it: {error}") from error


def _plain_paths(files: t.Iterable[str]) -> dict[str, str]:
    """The folders and files, each behind the folder that it is in -> the path that plain ISO 9660 has for it; no two are the same."""
    found: dict[str, str] = {}
    for path in sorted(files):
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            one = "/".join(parts[:depth])
            if one not in found:
                above = found.get("/".join(parts[: depth - 1]), "")
                found[one] = _free(above, parts[depth - 1], depth == len(parts), set(found.values()))
    return found


def _free(above: str, name: str, is_file: bool, taken: t.Container[str]) -> str:
    stem, _dot, end = name.upper().rpartition(".") if is_file and "." in name.strip(".") else (name.upper(), "", "")
    stem, end = _NOT_PLAIN.sub("_", stem), _NOT_PLAIN.sub("_", end)[:8]
    for number in range(1000):
        mark = str(number) if number else ""
        plain = stem[: _NAME_LENGTH - len(end) - len(mark)] + mark + ("." + end if is_file else "")
        path = f"{above}/{plain}" if above else plain
        if path not in taken:
            return path
    raise ValueError(f"{name}: too many names are alike")
