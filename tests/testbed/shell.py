# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How commands are run: as argument lists, in namespaces where that is wanted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from tests.testbed import cgroups
from tests.testbed.paths import NS_SCRIPT, PREFIX, TestbedError

Completed = subprocess.CompletedProcess[str]
PYTHON = (sys.executable, "-s", "-E", "-S", str(NS_SCRIPT))
SERVER = "net,uts,mnt"


def script(*words: str) -> list[str]:
    return [*PYTHON, *words]


def entering(pid: int, kinds: str, group: str, command: Sequence[str], log: str = "") -> list[str]:
    return script("enter", str(pid), kinds, group, log, *command)


def call(command: Sequence[str], *, stdin: str = "", check: bool = True, timeout: float = 120) -> Completed:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise TestbedError(f"{' '.join(command[-8:])} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def boot(*parts: str, hostname: str = "", binds: Sequence[str] = ()) -> int:
    """Start the process that holds the namespaces; I(parts) is where in the tree of control groups. Returns its pid."""
    title = "-".join((PREFIX, *parts))
    call(script("boot", str(cgroups.make(*parts, "holder")), hostname, title, *binds))
    pid = holder(*parts)
    if pid is None:
        raise TestbedError(f"the process that holds the namespaces of {title} did not stay; is this root?")
    return pid


def holder(*parts: str) -> int | None:
    """The process that holds the namespaces, if it is there and has become what it should be."""
    for pid in cgroups.pids(*parts, "holder"):
        if cgroups.comm(pid) == "sleep":
            return pid
    return None
