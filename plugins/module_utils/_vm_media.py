# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Media: the small disks that bring machines their configuration, made of files. Their names say what is on them, so that one with other
files is another file, and what is there need not be read again."""

from __future__ import annotations

import base64
import binascii
import contextlib
import gzip
import hashlib
import io
import json
import os
import tarfile
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks, _vm_fat, _vm_files, _vm_iso
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Medium, Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError

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


def make(lab: str, want: Vm) -> str:
    """Make the machine's medium, readable for root alone, as configurations hold secrets. Raises LabError. Returns its path."""
    path = path_of(lab, want)
    if want.medium is None:
        return path
    files = _files(want, want.medium)
    _vm_disks.make_folder(lab, want.name)
    new = _vm_files.begin(path, want.name)
    label = _label(want.medium)
    try:
        if want.medium.type == "usb":
            _vm_fat.write(new, label, files)
        else:
            _vm_iso.write(new, label, files)
    except (ValueError, ApplyError) as error:
        with contextlib.suppress(OSError):
            os.unlink(new)
        hint = "look at the files of its configuration"
        raise ApplyError(f"the medium of node {want.node} cannot be made: {error}", hint=hint, objects=(want.name,)) from error
    except OSError as error:
        raise _vm_files.unwritten(path, error, want.name) from error
    _vm_files.settle(path, want.name)
    return path


def is_medium(lab: str, domain: str, path: str) -> bool:
    """Whether the path is of a medium of the machine, whatever is on it."""
    folder, name = os.path.split(path)
    return folder == _vm_disks.folder_of(lab, domain) and name.startswith(_PREFIX)


def discard(lab: str, domain: str, path: str) -> None:
    """Remove a medium of the machine. Raises ApplyError for a path that is none, or cannot be removed."""
    if not is_medium(lab, domain, path):
        raise ApplyError(f"{path} is no medium of {domain}, and is left", objects=(domain,))
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    except OSError as error:
        raise ApplyError(f"{path} cannot be removed: {error.strerror}", hint="remove it by hand", objects=(domain,)) from error


def _files(want: Vm, medium: Medium) -> dict[str, bytes]:
    """What is on the medium: path -> content. Raises LabError for names that are none."""
    files: dict[str, bytes] = {}
    for one in medium.files:
        parts = one.path.split("/")
        if not one.path.isprintable() or any(part in ("", ".", "..") for part in parts) or one.path in files:
            hint = "give each file a path of its own, relative to the medium's root"
            raise LabError(f"node {want.node}: a file of its medium cannot be called {one.path!r}", hint=hint, objects=(want.name,))
        try:
            files[one.path] = base64.b64decode(one.content, validate=True)
        except binascii.Error as error:
            raise LabError(f"node {want.node}: file {one.path} of its medium is not base64", objects=(want.name,)) from error
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
