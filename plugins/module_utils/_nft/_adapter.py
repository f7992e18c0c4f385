# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The packet filter, by the program C(nft)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._nft._port import Json, Nft

_TIMEOUT = 60
_ALSO = ("/usr/sbin", "/sbin")
"""Where the program is on servers whose users have no such folders in their PATH."""


def connect() -> Nft:
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_ALSO))
    return Program(shutil.which("nft", path=path))


class Program:
    """The C(Nft) of C(_port.py). program: its path, None where there is none."""

    def __init__(self, program: str | None) -> None:
        self._program = program

    def available(self) -> bool:
        return self._program is not None

    def read(self) -> t.Sequence[Json]:
        """Without the elements of sets, which may be many and are never ours."""
        done = self._run(["--json", "--terse", "list", "ruleset"])
        if done is None or done.returncode:
            hint = "run archetype.lab.prepare_servers, which installs nftables" if done is None else "see that nft list ruleset works there"
            raise ReadError(f"the packet filter cannot be read: {_said(done)}", hint=hint)
        try:
            found: list[Json] = json.loads(done.stdout)["nftables"]
        except (ValueError, KeyError, TypeError) as error:
            raise ReadError(f"the packet filter cannot be read: nft does not answer in JSON: {error}") from error
        return found

    def apply(self, commands: t.Sequence[Json]) -> None:
        done = self._run(["--json", "--file", "-"], json.dumps({"nftables": list(commands)}))
        if done is None or done.returncode:
            raise ApplyError(f"the packet filter was not changed: {_said(done)}", hint="see that the kernel has nftables with NAT")

    def close(self) -> None:
        """A program holds nothing open."""

    def _run(self, arguments: t.Sequence[str], text: str = "") -> subprocess.CompletedProcess[str] | None:
        """None where there is no program. Raises ReadError where it does not end."""
        if self._program is None:
            return None
        try:
            return subprocess.run(  # noqa: S603 -- no shell, and nothing in the words that a user wrote
                [self._program, *arguments], input=text, capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ReadError(f"nft cannot be run: {error}") from error


def _said(done: subprocess.CompletedProcess[str] | None) -> str:
    if done is None:
        return "there is no program nft"
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return lines[0] if lines else f"nft ended with {done.returncode}"
