# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""As much OpenFlow 1.3 as it takes to let frames enter a bridge as if a node had sent them.

The output action is TABLE: the frame takes the way through the bridge's flow table that a received frame takes, with the
VLAN settings of its port. NORMAL would pass by the flows, and call a bridge a wire that forwards nothing.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._server import OVS_RUN_DIR

if t.TYPE_CHECKING:
    from types import TracebackType

VERSION = 4
"""OpenFlow 1.3 on the wire."""
TABLE = 0xFFFFFFF9
"""OFPP_TABLE: submit to the flow table, allowed in packet-out only."""


@dataclass(frozen=True)
class Pace:
    """How fast frames are sent: this many, or bytes of them, then their effect is waited for, then a pause (seconds)."""

    frames: int
    size: int
    pause: float


FAST = Pace(48, 1 << 18, 0.0)
"""For frames that leave the bridge on ports of nodes. ovs-vswitchd takes 50 messages in one round of its main loop."""
PATIENT = Pace(16, 40_000, 0.001)
"""For frames that go through a tunnel: the far ovs-vswitchd takes 32 from a port in one round of its main loop, and the kernel keeps
about 200 kB for it meanwhile. 264 links through one shared tunnel lost half of their frames at full speed, one in a thousand with this."""

_HELLO, _ERROR, _ECHO_REQUEST, _ECHO_REPLY, _PACKET_OUT, _BARRIER_REQUEST, _BARRIER_REPLY = 0, 1, 2, 3, 13, 20, 21
_HEADER = struct.Struct("!BBHI")
_PACKET_OUT_HEAD = struct.Struct("!IIH6x")
_OUTPUT = struct.Struct("!HHIH6x")
_NO_BUFFER = 0xFFFFFFFF

_ERROR_TYPES = {0: "hello failed", 1: "bad request", 2: "bad action"}
_BAD_REQUEST = {0: "version", 1: "message type", 6: "length", 11: "in_port"}


@dataclass(frozen=True)
class Message:
    type: int
    xid: int
    body: bytes = b""

    def pack(self) -> bytes:
        return _HEADER.pack(VERSION, self.type, _HEADER.size + len(self.body), self.xid) + self.body


def packet_out(xid: int, in_port: int, frame: bytes) -> Message:
    """The message that lets a frame enter at a port (its OpenFlow number)."""
    action = _OUTPUT.pack(0, _OUTPUT.size, TABLE, 0)
    return Message(_PACKET_OUT, xid, _PACKET_OUT_HEAD.pack(_NO_BUFFER, in_port, len(action)) + action + frame)


def explain_error(body: bytes) -> str:
    """The words for the body of an OpenFlow error message."""
    kind, code = struct.unpack_from("!HH", body)
    words = _ERROR_TYPES.get(kind, f"error type {kind}")
    return f"{words}: {_BAD_REQUEST.get(code, f'code {code}')}" if kind == 1 else f"{words}: code {code}"


@dataclass
class Client:
    """A connection to a bridge's management socket. Raises ReadError when there is no bridge behind it."""

    bridge: str
    timeout: float = 10.0
    _socket: socket.socket | None = None
    _buffer: bytearray = field(default_factory=bytearray)
    _errors: dict[int, str] = field(default_factory=dict)
    _xid: int = 0

    def __enter__(self) -> Client:
        path = f"{OVS_RUN_DIR}/{self.bridge}.mgmt"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(self.timeout)
        try:
            self._socket.connect(path)
            self._send(Message(_HELLO, self._next()))
            self._wait(_HELLO)
        except OSError as error:
            self._socket.close()
            raise self._no_bridge(f"{path}: {error.strerror or error}") from error
        except ReadError:
            self._socket.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()

    def send_frames(self, frames: t.Iterable[tuple[int, bytes]], pace: Pace = FAST) -> dict[int, str]:
        """Let each frame enter at its port; returns when ovs-vswitchd has dealt with all. Position -> why it was refused."""
        batch: list[bytes] = []
        positions: dict[int, int] = {}
        self._errors.clear()
        for position, (in_port, frame) in enumerate(frames):
            xid = self._next()
            positions[xid] = position
            batch.append(packet_out(xid, in_port, frame).pack())
            if len(batch) == pace.frames or sum(map(len, batch)) >= pace.size:
                self._flush(batch)
                time.sleep(pace.pause)
        self._flush(batch)
        return {positions[xid]: words for xid, words in self._errors.items() if xid in positions}

    def _flush(self, batch: list[bytes]) -> None:
        barrier = Message(_BARRIER_REQUEST, self._next())
        try:
            self._connected.sendall(b"".join(batch) + barrier.pack())
            self._wait(_BARRIER_REPLY, barrier.xid)
        except OSError as error:
            raise self._no_bridge(f"the connection to bridge {self.bridge} failed: {error.strerror or error}") from error
        batch.clear()

    def _next(self) -> int:
        self._xid += 1
        return self._xid

    @property
    def _connected(self) -> socket.socket:
        if self._socket is None:
            raise self._no_bridge(f"bridge {self.bridge} is not connected")
        return self._socket

    def _send(self, message: Message) -> None:
        self._connected.sendall(message.pack())

    def _wait(self, wanted: int, xid: int | None = None) -> None:
        """Read messages up to the wanted one; answer echo requests, keep errors."""
        while True:
            message = self._receive()
            if message.type == _ECHO_REQUEST:
                self._send(Message(_ECHO_REPLY, message.xid, message.body))
            elif message.type == _ERROR and wanted == _HELLO:
                raise ReadError(
                    f"bridge {self.bridge} does not speak OpenFlow 1.3 ({explain_error(message.body)})",
                    hint=f"clear the bridge's protocols: ovs-vsctl clear bridge {self.bridge} protocols",
                    objects=(self.bridge,),
                )
            elif message.type == _ERROR:
                self._errors[message.xid] = explain_error(message.body)
            elif message.type == wanted and xid in (None, message.xid):
                return

    def _receive(self) -> Message:
        _version, kind, length, xid = _HEADER.unpack(self._take(_HEADER.size))
        return Message(kind, xid, self._take(length - _HEADER.size))

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            data = self._connected.recv(65536)
            if not data:
                raise self._no_bridge(f"bridge {self.bridge} closed the connection to its management socket")
            self._buffer += data
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _no_bridge(self, words: str) -> ReadError:
        return ReadError(
            f"no OpenFlow connection to bridge {self.bridge}: {words}",
            hint="see that ovs-vswitchd runs and that the bridge exists (archetype.lab.prepare_servers)",
            objects=(self.bridge,),
        )
