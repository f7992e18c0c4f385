# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Programs of this server that do what no library does: C(qemu-img), mtools, C(dnsmasq). Without a shell, and with a time-out."""

from __future__ import annotations

import os
import shutil

from ansible_collections.archetype.lab.plugins.module_utils import _host_command
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import ExecResult
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._vm_hints import PREPARE

_ALSO = ("/usr/sbin", "/sbin")
"""Where programs are on servers whose users have no such folders in their PATH."""


def find(program: str) -> str:
    """The program's path. Raises LabError where the server does not have it."""
    path = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", os.defpath), *_ALSO)))
    if path is None:
        raise LabError(f"the program {program}, which virtual machines need, is not on this server", hint=PREPARE, objects=(program,))
    return path


def run(program: str, *arguments: str, timeout: float = 60.0) -> ExecResult:
    """Run it, and wait until it ends, whatever its exit status is. Raises LabError where it is missing, ApplyError where it does not end.

    No path may look like an option, or be two lines to a program that reads lines: see C(is_plain).
    """
    words = [find(program), *arguments]
    try:
        return _host_command.run(words, timeout=timeout)
    except ApplyError as error:
        raise ApplyError(f"{program} {arguments[0] if arguments else ''}: {error.message}", objects=(program,)) from error


def is_plain(path: str) -> bool:
    """Whether a path can be given to programs: absolute, and without characters that are not seen."""
    return path.startswith("/") and path.isprintable()
