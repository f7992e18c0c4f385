# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The output of a command in a container, read from Docker's socket with a deadline.

The docker library cannot do this: it reads the stream from beneath a buffer that may already hold its beginning, and its
time-out starts again with every byte. Ending is taken from the process too, because a daemon that the command left behind
may keep the stream open for ever.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import time
import typing as t

KEPT_BYTES = 16384
_STANDARD_OUTPUT = 1
_IDLE = 0.2
"""Seconds without output after which Docker is asked whether the command is over."""


class Answer:
    """Docker's answer, taken in as it comes: a head of HTTP, then frames (1 byte stream, 3 unused, 4 length, then the data).

    output: standard output and error, joined; only the last of it is kept. written: the beginning of standard output alone, as much as
    was asked for and one byte more.
    """

    def __init__(self, keep: int = 0) -> None:
        self.head = b""
        self.output = b""
        self.written = bytearray()
        self._room = keep + 1 if keep else 0
        self._error = False
        self._rest = b""
        self._left = 0

    def feed(self, data: bytes) -> None:
        self._rest += data
        if not self.head:
            head, found, rest = self._rest.partition(b"\r\n\r\n")
            if not found:
                return
            self.head, self._rest = head, rest
        if self.refused:
            return
        while self._rest and (self._left or len(self._rest) >= 8):
            if not self._left:
                stream, self._left = struct.unpack_from(">B3xL", self._rest)
                self._error = stream != _STANDARD_OUTPUT
                self._rest = self._rest[8:]
            part, self._rest = self._rest[: self._left], self._rest[self._left :]
            self._left -= len(part)
            self.output = (self.output + part)[-KEPT_BYTES:]
            if not self._error:
                self.written += part[: max(0, self._room - len(self.written))]

    @property
    def refused(self) -> bool:
        return self.head.split(b" ")[1:2] not in ([b"200"], [b"101"])

    @property
    def message(self) -> str:
        """What Docker said when it refused."""
        text = self._rest or self.head or b"no answer from Docker"
        return text.decode(errors="replace").strip()


def _request(path: str) -> bytes:
    body = json.dumps({"Detach": False, "Tty": False}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _receive(link: socket.socket, answer: Answer, *, deadline: float, ended: t.Callable[[], bool]) -> bool:
    """Take in everything that comes; whether the command ended before the deadline."""
    over = False
    while time.monotonic() < deadline:
        if select.select([link], [], [], _IDLE)[0]:
            data = link.recv(65536)
            if not data:
                return True
            answer.feed(data)
        elif over:
            return True
        else:
            over = ended()  # then one more look, for what was written last
    return False


def start_and_read(socket_path: str, path: str, *, timeout: float, ended: t.Callable[[], bool], keep: int = 0) -> tuple[str, bytes, bool]:
    """Start an exec that was created, and wait for it.

    path: C(/v1.41/exec/ID/start). ended: asks Docker whether the process is over. Returns the output, what of standard output was to be
    kept, and False when the time was up. Raises OSError when Docker cannot be spoken to, or refuses (with its message).
    """
    answer = Answer(keep)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout)
        link.connect(socket_path)
        link.sendall(_request(path))
        complete = _receive(link, answer, deadline=time.monotonic() + timeout, ended=ended)
    if complete and answer.refused:
        raise OSError(answer.message)
    return answer.output.decode(errors="replace"), bytes(answer.written), complete
