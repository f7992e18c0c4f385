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
_IDLE = 0.2


def split_frames(stream: bytes) -> bytes:
    """Standard output and error, joined, from Docker's frames (1 byte stream, 3 unused, 4 length, then the data)."""
    parts = []
    offset = 0
    while offset + 8 <= len(stream):
        (length,) = struct.unpack_from(">L", stream, offset + 4)
        parts.append(stream[offset + 8 : offset + 8 + length])
        offset += 8 + length
    return b"".join(parts)


def _request(path: str) -> bytes:
    body = json.dumps({"Detach": False, "Tty": False}).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: docker\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _receive(link: socket.socket, *, deadline: float, ended: t.Callable[[], bool]) -> tuple[bytes, bool]:
    """Everything that came, and whether the command ended before the deadline. What is too much is dropped at the front."""
    stream = b""
    over = False
    while True:
        readable = bool(select.select([link], [], [], _IDLE)[0])
        if readable:
            data = link.recv(65536)
            if not data:
                return stream, True
            stream += data
        elif over:
            return stream, True
        elif ended():
            over = True  # one more look, for what was written last
        if time.monotonic() > deadline:
            return stream, False


def start_and_read(socket_path: str, path: str, *, timeout: float, ended: t.Callable[[], bool]) -> tuple[str, bool]:
    """Start an exec that was created, and wait for it.

    path: C(/v1.41/exec/ID/start). ended: asks Docker whether the process is over. Returns the output, and False when the
    time was up. Raises OSError when Docker cannot be spoken to, or refuses (with its message).
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout)
        link.connect(socket_path)
        link.sendall(_request(path))
        stream, complete = _receive(link, deadline=time.monotonic() + timeout, ended=ended)
    head, _, body = stream.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split(b" ")
    if len(status) < 2 or status[1] not in (b"200", b"101"):
        raise OSError(body.decode(errors="replace").strip() or head.decode(errors="replace").strip() or "no answer from Docker")
    return split_frames(body)[-KEPT_BYTES:].decode(errors="replace"), complete
