# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A command of a node's stage that runs on its server: an argument list, without a shell, and with a time-out."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._docker._port import ExecResult
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError

KEPT_BYTES = 16384


def run(command: t.Sequence[str], *, timeout: float) -> ExecResult:
    """Run it, and wait until it ends. What it leaves behind may go on; where the time is up, all of it is ended, and ApplyError raised.

    The output goes to a file, as a daemon that the command leaves behind would keep a pipe open for ever.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603  what the topology's author wants to run there, and no shell
                list(command), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd="/", start_new_session=True
            )
        except (OSError, ValueError) as error:
            raise ApplyError(f"it cannot be run on the server: {error}") from error
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise ApplyError(f"it did not end in {timeout:g} s and was stopped; its output so far: {_tail(output).strip()}") from error
        return ExecResult(code, _tail(output))


def _tail(output: t.IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - KEPT_BYTES))
    return output.read().decode(errors="replace")
