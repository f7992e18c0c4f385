# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The serial console of a domain, as a person has it: C(virsh console) on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import time
from types import TracebackType

from tests.testbed.paths import TestbedError
from tests.testbed.testbed import Server

ESCAPE = b"\x1d"
NOISE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Console:
    """Use it as a context manager: the console is given back at its end. A guest's session stays as it was, as on a serial line."""

    def __init__(self, server: Server, domain: str, timeout: float = 60.0) -> None:
        self.server = server
        self.domain = domain
        self.timeout = timeout
        self.seen = ""
        self._prompt = ""
        command = server.entering(["virsh", "console", domain])
        ours, theirs = os.openpty()
        self._terminal = ours
        self._process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        try:
            self.wait_for("Escape character is .*\n")  # what is sent before would be lost
        except TestbedError:
            self.close()
            raise

    def __enter__(self) -> Console:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self._terminal < 0:
            return
        with contextlib.suppress(OSError):
            os.write(self._terminal, ESCAPE)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)
        self._terminal = -1

    def send(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def wait_for(self, pattern: str, timeout: float | None = None) -> str:
        """Read until I(pattern) is on the screen. Returns what was read up to its end, and forgets it."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while (found := re.search(pattern, self.seen)) is None:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise TestbedError(f"no {pattern!r} on the console of {self.domain} on {self.server.name}; it has:\n{self.seen[-2000:]}")
        before, self.seen = self.seen[: found.end()], self.seen[found.end() :]
        return before

    def _read(self, timeout: float) -> bool:
        """Whether the console is still there."""
        if select.select([self._terminal], [], [], timeout)[0]:
            try:
                read = os.read(self._terminal, 65536)
            except OSError:
                return False
            self.seen += NOISE.sub("", read.decode(errors="replace"))
            return bool(read)
        return True

    def login(self, user: str = "admin", password: str = "admin", timeout: float | None = None) -> None:
        """Up to the prompt, from wherever the session is."""
        self.wait_for(r"(?s)\Z", 1.0)
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            self.seen = ""
            self.send("\n")
            if self._appears(r"login: $|^\S+#$", 2.0):
                break
            if time.monotonic() > deadline:
                raise TestbedError(f"no prompt on the console of {self.domain} on {self.server.name}; it has:\n{self.seen[-2000:]}")
        if "login: " in self.seen[-40:]:
            self.seen = ""
            self.send(f"{user}\n")
            self.wait_for("Password: ")
            self.send(f"{password}\n")
        self._prompt = re.escape(re.findall(r"\S+#", self.wait_for(r"(?m)^\S+#$"))[-1])

    def _appears(self, pattern: str, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.seen, re.MULTILINE):
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                return False
        return True

    def run(self, command: str, timeout: float | None = None) -> str:
        """What the guest answers to a command, after C(login)."""
        self.seen = ""
        self.send(f"{command}\n")
        self.wait_for(re.escape(command) + r"\n", timeout)  # prompts of lines that were sent before may come late
        told = self.wait_for(rf"(?m)^{self._prompt}$", timeout)
        return told.rpartition("\n")[0]
