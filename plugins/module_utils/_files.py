# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The files that nodes are given: C(/var/lib/archetype-lab/<lab>/files/<node>/...), which their binds point to.

A node may write into its own folder, and plant symbolic links there. So every step below the folder is taken without
following links, and nothing outside of it is ever written.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import shutil
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container, File
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._ownership import FILES

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
FOLDER_MODE = 0o755
"""Of every folder that is made, whatever the umask: nodes look into them as any user."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._|-]*")


def files_root(lab: str) -> str:
    return _server.lab_path(lab, "files")


def folder_of(lab: str, node: str) -> str:
    return os.path.join(files_root(lab), node)


def digest_of(file: File) -> str:
    """What a delivered file is known by: a change of its content or its mode changes it."""
    return hashlib.sha256(f"{file.mode}:{file.content}".encode()).hexdigest()[:16]


def digests_of(want: Container) -> dict[str, str]:
    return {file.path: digest_of(file) for file in want.files}


def delivered(labels: t.Mapping[str, str]) -> dict[str, str]:
    """The digests that a node was created with."""
    try:
        found = json.loads(labels.get(FILES) or "{}")
    except ValueError:
        return {}
    return {str(path): str(digest) for path, digest in found.items()} if isinstance(found, dict) else {}


def check(lab: str, want: Container) -> list[LabError]:
    """Everything that is wrong with the declared files of a node, before anything is written."""
    names = [name for name in (lab, want.node) if not _NAME.fullmatch(name)]
    if names:
        return [LabError(f"{names[0]!r} cannot be part of a path", hint="use letters, digits, '.', '_' and '-'", objects=(want.name,))]
    return [error for file in want.files for error in _check_file(lab, want, file)]


def _check_file(lab: str, want: Container, file: File) -> t.Iterator[LabError]:
    folder = folder_of(lab, want.node)
    if os.path.normpath(file.path) != file.path or not file.path.startswith(folder + "/"):
        yield LabError(
            f"file {file.path} of node {want.node} is outside of {folder}", hint="give a path below that folder", objects=(want.name,)
        )
    try:
        base64.b64decode(file.content, validate=True)
    except (binascii.Error, ValueError):
        yield LabError(
            f"the content of file {file.path} of node {want.node} is not base64", hint="encode it with b64encode", objects=(want.name,)
        )
    if not re.fullmatch(r"0?[0-7]{3}", file.mode):
        yield LabError(
            f"mode {file.mode!r} of file {file.path} of node {want.node} is not octal", hint="write it as '0644'", objects=(want.name,)
        )


def missing(want: t.Iterable[Container]) -> frozenset[str]:
    """Declared files that are not on the disk."""
    return frozenset(file.path for one in want for file in one.files if not os.path.lexists(file.path))


def folders(lab: str) -> frozenset[str]:
    """Nodes of the lab that have a folder of delivered files."""
    try:
        with os.scandir(files_root(lab)) as entries:
            return frozenset(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise ReadError(f"{files_root(lab)} cannot be read: {error.strerror}", hint="look at its owner and mode") from error


def deliver(lab: str, node: str, files: t.Iterable[File]) -> None:
    """Write these files, each whole or not at all. Raises ApplyError."""
    for file in files:
        try:
            _write(folder_of(lab, node), file)
        except OSError as error:
            raise ApplyError(
                f"file {file.path} of node {node} cannot be written: {error.strerror}",
                hint="look at what is in its place on the server",
                objects=(file.path,),
            ) from error


def discard(lab: str, node: str, paths: t.Iterable[str]) -> None:
    """Remove files that were delivered and are declared no more. Raises ApplyError."""
    folder = folder_of(lab, node)
    for path in paths:
        if os.path.normpath(path) != path or not path.startswith(folder + "/"):
            continue
        try:
            with contextlib.ExitStack() as stack:
                inside, name = _walk(stack, folder, path, make=False)
                os.unlink(name, dir_fd=inside)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ApplyError(
                f"file {path} of node {node} cannot be removed: {error.strerror}", hint="remove it by hand", objects=(path,)
            ) from error


def _write(folder: str, file: File) -> None:
    _server.make_state_dir()
    _make_folders(folder)
    with contextlib.ExitStack() as stack:
        inside, name = _walk(stack, folder, file.path, make=True)
        _replace(inside, name, base64.b64decode(file.content), int(file.mode, 8))


def _walk(stack: contextlib.ExitStack, folder: str, path: str, *, make: bool) -> tuple[int, str]:
    """The open folder that holds a path below C(folder), and the name in it; no link is followed on the way."""
    *parents, name = os.path.relpath(path, folder).split(os.sep)
    inside = _enter(stack, folder, None)
    for parent in parents:
        made = make and _make(parent, inside)
        inside = _enter(stack, parent, inside)
        if made:
            os.fchmod(inside, FOLDER_MODE)  # of what was entered: the node may have put a link in its place meanwhile
    return inside, name


def _make(name: str, within: int) -> bool:
    """Whether the folder was not there."""
    try:
        os.mkdir(name, dir_fd=within)
    except FileExistsError:
        return False
    return True


def _make_folders(path: str) -> None:
    """A folder and those above it, whatever the umask is. Nodes enter them through their binds; other users do not, see make_state_dir."""
    if not os.path.isdir(path):
        _make_folders(os.path.dirname(path))
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)
            os.chmod(path, FOLDER_MODE)


def _enter(stack: contextlib.ExitStack, name: str, within: int | None) -> int:
    found = os.open(name, _FOLDER_FLAGS, dir_fd=within)
    stack.callback(os.close, found)
    return found


def _replace(folder: int, name: str, content: bytes, mode: int) -> None:
    """Not as C(_whole_files.py) does it: the node could keep the lock of the new file, or have that open already."""
    new = f".{name}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new, dir_fd=folder)
    target = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    with os.fdopen(target, "wb") as stream:
        stream.write(content)
        os.fchmod(stream.fileno(), mode)
    os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)


def remove(lab: str, node: str) -> None:
    """Remove the folder of a node, and the lab's own when nothing is left in them. Raises ApplyError."""
    try:
        shutil.rmtree(folder_of(lab, node))
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ApplyError(f"{folder_of(lab, node)} cannot be removed: {error}", hint="remove it by hand", objects=(node,)) from error
    remove_empty(lab)


def remove_empty(lab: str) -> None:
    """Remove the lab's folders where they are empty."""
    for folder in (files_root(lab), os.path.dirname(files_root(lab))):
        with contextlib.suppress(OSError):
            os.rmdir(folder)
