# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whether QEMU gets to disks and images. It is a user of its own on most servers, whom libvirt gives files, but not the folders around."""

from __future__ import annotations

import os
import pwd
import re
import stat
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _programs
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError

IMAGES = "/var/lib/libvirt/images"
_CONF = "/etc/libvirt/qemu.conf"
_KEEPS = re.compile(r"^[ \t]*dynamic_ownership[ \t]*=[ \t]*0", re.MULTILINE)


def ungiven(uid: int) -> list[LabError]:
    """That libvirt gives this user, who is QEMU, no files, as somebody configured it: they are root's, and it could open none."""
    try:
        with open(_CONF, encoding="utf-8", errors="replace") as file:
            keeps = _KEEPS.search(file.read()) is not None
    except OSError:
        return []  # libvirt has its own values then
    if not (uid and keeps):
        return []
    hint = f"remove that line, and restart libvirtd: {_CONF}"
    return [LabError(f"QEMU, which is {_name(uid)} on this server, is given no disks, as libvirt has dynamic_ownership = 0", hint=hint)]


def unreachable(paths: t.Iterable[str], uid: int, gid: int) -> list[LabError]:
    """What this user, who is QEMU, cannot get to of what is there. Raises nothing."""
    closed: dict[str, list[str]] = {}
    for path in sorted(set(paths)) if uid else ():
        folder = next((one for one in _folders(path) if not _enters(one, uid, gid)), "")
        if folder:
            closed.setdefault(folder, []).append(path)
    return [
        ReadError(
            f"QEMU, which is {_name(uid)} on this server, may not enter {folder}, where {', '.join(paths)} is",
            hint=f"move it to {IMAGES}, or let QEMU through: setfacl -m u:{_name(uid)}:x {folder}",
            objects=tuple(paths),
        )
        for folder, paths in closed.items()
    ]


def _folders(path: str) -> list[str]:
    """All that are gone through to a file, and to what it is a link to, from the outside to the inside."""
    found: list[str] = []
    for one in dict.fromkeys((path, os.path.realpath(path))):
        above = os.path.dirname(one)
        inner = [above]
        while above != os.path.dirname(above):
            above = os.path.dirname(above)
            inner.append(above)
        found += reversed(inner)
    return list(dict.fromkeys(found))


def _enters(folder: str, uid: int, gid: int) -> bool:
    """Whoever may enter it is asked of the system, which knows groups and access lists; only where it is not for everybody."""
    try:
        if os.stat(folder).st_mode & stat.S_IXOTH:
            return True
        groups = "--clear-groups" if _name(uid) == str(uid) else "--init-groups"
        tried = _programs.run("setpriv", f"--reuid={uid}", f"--regid={gid}", groups, "test", "-x", folder)
    except (OSError, LabError):
        return True  # it is not there, which others tell; or nobody can tell, and QEMU will
    return not (tried.exit_code == 1 and not tried.output.strip())


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
