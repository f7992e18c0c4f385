# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Which files a domain needs: its own, and those that its disks are made on. The definition of one that is off names the first only."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import typing as t
from xml.etree import ElementTree

from ansible_collections.archetype.lab.plugins.module_utils import _qcow2
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

_DEEPEST = 64
"""Disks on disks; nobody has more, and what has is not followed to its end."""
_NOTHING = (errno.ENOENT, errno.ENOTDIR, errno.ENOMEDIUM, errno.ENXIO)
"""It is not there: a stale definition, a drive without a disc."""
_PROTOCOL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NAMED = "devices//source", "os/nvram", "os/loader", "os/kernel", "os/initrd"


def needed(*definitions: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """Real paths of all files and folders of a domain, and of which disks nobody can tell what they are made on, with the reason.

    What is not there, and what is no file, leads nowhere. Raises ReadError for what is no XML.
    """
    found: set[str] = set()
    unread: list[str] = []
    for path in sorted({path for xml in definitions if xml for path in _named(xml)}):
        _follow(path, found, unread)
    return frozenset(found), tuple(unread)


def _named(xml: str) -> t.Iterator[str]:
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - it is what libvirtd wrote
    except ElementTree.ParseError as error:
        raise ReadError(f"the definition of a domain is no XML: {error}") from error
    for place in _NAMED:
        for one in root.iterfind(place):
            named = (one.get("file"), one.get("dev"), one.get("dir"), (one.text or "").strip())
            yield from (path for path in named if path and path.startswith("/"))


def _follow(path: str, found: set[str], unread: list[str]) -> None:
    """A relative name is looked for beside the disk that has it, as QEMU does, be that a link or not."""
    due = [path]
    for _step in range(_DEEPEST):
        if not due:
            return
        path = due.pop()
        if os.path.realpath(path) in found:
            continue
        found.add(os.path.realpath(path))
        try:
            due += (os.path.join(os.path.dirname(path), name) for name in _made_on(path))
        except (OSError, ValueError, RecursionError) as error:
            if isinstance(error, OSError) and error.errno in _NOTHING:
                continue
            unread.append(f"{path} ({error.strerror if isinstance(error, OSError) else error})")
    unread.append(f"{path} (it is on more than {_DEEPEST} others)")


def _made_on(path: str) -> list[str]:
    """What its header names. Raises OSError, ValueError, RecursionError."""
    try:
        if not (stat.S_ISREG(kind := os.stat(path).st_mode) or stat.S_ISBLK(kind)):
            return []
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            name = _qcow2.parse(file.read(_qcow2.HEADER_BYTES)).backing
    except _qcow2.NotQcow2:
        return []
    return _paths(name)


def _paths(name: str) -> list[str]:
    """As a header names a file: C(a.qcow2), C(/a.qcow2), C(file:a.qcow2), or C(json:) with the options of QEMU; not C(nbd://server/a)."""
    if name.startswith("json:"):
        return list(_filenames(json.loads(name.removeprefix("json:"))))
    if name.startswith("file:"):
        return [name.removeprefix("file:")]
    return [] if not name or _PROTOCOL.match(name) else [name]


def _filenames(options: t.Any) -> t.Iterator[str]:
    if isinstance(options, dict):
        for key, value in options.items():
            if isinstance(value, str) and key.rpartition(".")[2] == "filename":
                yield from _paths(value) if not value.startswith("json:") else ()
            else:
                yield from _filenames(value)
    elif isinstance(options, list):
        for one in options:
            yield from _filenames(one)
