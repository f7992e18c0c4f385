# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Folders of virtual machines: how they are made, and whose they are. What somebody copied there as a backup is not thrown away."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _vm_files, _vm_record
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ForeignError, LabError, ReadError

_MODE = 0o711
"""QEMU is a user of its own, who enters, and sees nothing that it was not given the name of."""
_OWN = re.compile(r"((disk|data[0-9]+)\.qcow2|disk\.json|config-[0-9a-f]+\.(iso|img)|nvram\.fd|console[0-9]*\.log(\.[0-9]+)?)(\.new)?")
"""What is made in them, be it half or whole."""


def make(paths: t.Iterable[str], domain: str) -> None:
    """Make these folders, from the outside to the inside, whatever the umask is, and what a run that was killed left. Raises ApplyError."""
    for path in paths:
        try:
            with contextlib.suppress(FileExistsError):
                os.makedirs(path)
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                hint = "put the folder itself there, or mount what it is on"
                raise ApplyError(f"{path} is a link, and is not followed", hint=hint, objects=(domain,))
            if not stat.S_ISDIR(found.st_mode):
                raise ApplyError(f"{path} is not a folder", hint="remove what is there", objects=(domain,))
            if found.st_uid not in (0, os.geteuid()):
                hint = f"give it to root, after a look at what is in it: chown root:root {path}"
                raise ApplyError(f"{path} belongs to user {found.st_uid}, who could replace disks", hint=hint, objects=(domain,))
            if stat.S_IMODE(found.st_mode) != _MODE:
                os.chmod(path, _MODE)
        except OSError as error:
            hint = "look at the disk of the server"
            raise ApplyError(f"{path} cannot be made: {error.strerror}", hint=hint, objects=(domain,)) from error


def foreign(lab: str, above: str, names: t.Iterable[str]) -> dict[str, LabError]:
    """Folder -> why it is none of the lab's, of those with these names; C(above): where they are. Raises ReadError."""
    found: dict[str, LabError] = {}
    for name in sorted(names):
        folder = os.path.join(above, name)
        why = _why_foreign(lab, folder, name)
        if why:
            hint = f"move it elsewhere, for {above} is the lab's own, and run again"
            found[name] = ForeignError(f"{folder} is left, as {why}", hint=hint, objects=(name,))
    return found


def _why_foreign(lab: str, folder: str, domain: str) -> str:
    """Without a record it is what a run that was killed left, or somebody made it."""
    try:
        record = _vm_record.read(folder, domain)
    except ReadError as error:
        return f"nobody knows whose it is: {error.message}"
    if record is not None:
        own = (record.lab, record.domain) == (lab, domain)
        return "" if own else f"it is of domain {record.domain} of lab {record.lab}, or a copy of that"
    try:
        odd = [name for name in sorted(os.listdir(folder)) if not (_OWN.fullmatch(name) or _vm_files.is_secret(name))]
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ReadError(f"{folder} cannot be read: {error.strerror}", hint="look at its owner and mode", objects=(domain,)) from error
    return f"it has {odd[0]}, and no {_vm_record.NAME} of a machine" if odd else ""
