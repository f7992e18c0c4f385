# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Media: the small disks that bring machines their configuration, made of files. Their names say what is on them, so that one with other
files is another file, and what is there need not be read again."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks, _vm_fat, _vm_files, _vm_iso
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Medium, Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, raise_all

FORMAT = 1
"""Part of the names: to be raised when media are made otherwise, so that all are made anew."""
_SEED_LABEL = "cidata"
_PREFIX = "config-"


def digest_of(medium: Medium) -> str:
    """What a guest finds on it. The bus is not part of it: that is the machine's."""
    files = sorted((one.path, one.content) for one in medium.files)
    known = [FORMAT, medium.type, _label(medium), medium.archive, files]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:16]


def _label(medium: Medium) -> str:
    return medium.label or (_SEED_LABEL if medium.type == "cloud-init" else "config")


def path_of(lab: str, want: Vm) -> str:
    """Where the machine's medium is. Raises LabError for a machine that has none."""
    if want.medium is None:
        raise LabError(f"node {want.node} has no medium", objects=(want.name,))
    end = "img" if want.medium.type == "usb" else "iso"
    return os.path.join(_vm_disks.folder_of(lab, want.name), f"{_PREFIX}{digest_of(want.medium)}.{end}")


# -- what no medium can hold ----------------------------------------------------------------------------------------

_UNUSABLE = re.compile(r'["*:;<>?|\\]')
"""What neither Joliet nor VFAT has in a name, and would be something else to the guest."""
_HINT = "look at the startup-config of the node, and at the medium of its kind"


def faults(want: Vm) -> list[LabError]:
    """Why the machine's medium cannot be made: all of it, before anything is done."""
    said = _faults(want.medium) if want.medium else ()
    return [LabError(f"the medium of node {want.node} cannot be made: {one}", hint=_HINT, objects=(want.name,)) for one in said]


def _faults(medium: Medium) -> t.Iterator[str]:
    paths = [one.path for one in medium.files]
    for path in dict.fromkeys(paths):
        if not _is_path(path):
            yield f"no file can be called {path!r}"
        if paths.count(path) > 1:
            yield f"it has {paths.count(path)} files called {path}"
    yield from (f"{path!r} is a file, and a folder with files" for path in _folders(paths) if path in paths)
    yield from (f"the content of {one.path!r} is not base64" for one in medium.files if _content(one.content) is None)
    if medium.archive and (not _is_path(medium.archive) or "/" in medium.archive):
        yield f"no archive can be called {medium.archive!r}"
    names = [medium.archive] if medium.archive else sorted({*(good := list(filter(_is_path, paths))), *_folders(good)})
    size = sum(len(_content(one.content) or b"") for one in medium.files)
    yield from _vm_fat.faults(_label(medium), names, size) if medium.type == "usb" else _vm_iso.faults(_label(medium), names)


def _is_path(path: str) -> bool:
    """Whether it leads to a file below the root of a medium, by the same name for every guest."""
    return path.isprintable() and not _UNUSABLE.search(path) and all(part.strip(". ") for part in path.split("/"))


def _content(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return None


def lacking(lab: str, want: t.Iterable[Vm], files: t.Container[str]) -> list[LabError]:
    """What this server lacks to make the media that are not among these files."""
    found: dict[str, LabError] = {}
    for one in want:
        if one.medium is None or path_of(lab, one) in files:
            continue
        try:
            _vm_fat.find() if one.medium.type == "usb" else _vm_iso.find()
        except LabError as error:
            found.setdefault(str(error), error)
    return list(found.values())


# -- making ---------------------------------------------------------------------------------------------------------


def make(lab: str, want: Vm) -> str:
    """Make the machine's medium, readable for root alone, as configurations hold secrets. Raises LabError. Returns its path."""
    path = path_of(lab, want)
    if want.medium is None:
        return path
    raise_all(faults(want))
    files = _files(want.medium)
    _sweep(_vm_disks.make_folder(lab, want.name), want.name)
    new = _vm_files.begin(path, want.name)
    label = _label(want.medium)
    try:
        if want.medium.type == "usb":
            _vm_fat.write(new, label, files)
        else:
            _vm_iso.write(new, label, files)
    except OSError as error:
        _vm_files.drop(path)
        raise _vm_files.unwritten(path, error, want.name) from error
    except (ValueError, LabError) as error:
        _vm_files.drop(path)
        raise ApplyError(f"the medium of node {want.node} cannot be made: {error}", hint=_HINT, objects=(want.name,)) from error
    _vm_files.settle(path, want.name)
    return path


def is_medium(lab: str, domain: str, path: str) -> bool:
    """Whether the path is of a medium of the machine, whatever is on it, or of one that was being made."""
    folder, name = os.path.split(path)
    return folder == _vm_disks.folder_of(lab, domain) and (name.startswith(_PREFIX) or _vm_files.is_secret(name))


def discard(lab: str, domain: str, path: str) -> None:
    """Remove a medium of the machine. Raises ApplyError for a path that is none, or cannot be removed."""
    if not is_medium(lab, domain, path):
        raise ApplyError(f"{path} is no medium of {domain}, and is left", objects=(domain,))
    _remove(path, domain)


def _sweep(folder: str, domain: str) -> None:
    """Remove what runs that were killed left of media, as it has the same secrets. Raises ApplyError."""
    try:
        names = sorted(filter(_vm_files.is_secret, os.listdir(folder)))
    except OSError as error:
        raise ApplyError(f"{folder} cannot be read: {error.strerror}", hint="look at its owner and mode", objects=(domain,)) from error
    for name in names:
        _remove(os.path.join(folder, name), domain)


def _remove(path: str, domain: str) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
    except OSError as error:
        raise ApplyError(f"{path} cannot be removed: {error.strerror}", hint="remove it by hand", objects=(domain,)) from error


def _files(medium: Medium) -> dict[str, bytes]:
    """What is on the medium: path -> content."""
    files = {one.path: _content(one.content) or b"" for one in medium.files}
    return {medium.archive: _archive(files)} if medium.archive else files


def _archive(files: t.Mapping[str, bytes]) -> bytes:
    """A gzipped tar archive, the same for the same files, whenever and by whom it is made."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in _folders(files):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for path, content in sorted(files.items()):
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def _folders(paths: t.Iterable[str]) -> list[str]:
    """The folders that these paths go through, from the outside to the inside."""
    return sorted({"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)})
