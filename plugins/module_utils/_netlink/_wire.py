# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Netlink on the wire: one socket, a dump that is read whole, and many requests in one go with their acknowledgements.

This is here, and not a library, for reading: the devices of a server and of all its sandboxes are read on every run, and a
library that decodes every attribute of every device needs longer for it than the whole run may take.
"""

from __future__ import annotations

import os
import socket
import struct
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_DUMP = 0x300
OURS = 0xA7
"""The protocol number of addresses and routes that the lab made, which is their mark: nobody else has it, and it shows in C(ip -d)."""
_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_ACK_TLVS = 0x200
_NLMSGERR_ATTR_MSG = 1
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_NETLINK_EXT_ACK = 11
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ERRNO = struct.Struct("=i")
_TYPE_MASK = 0x3FFF
_AT_ONCE = 64
_ATTEMPTS = 10
_BUFFER = 1 << 17
_TIMEOUT = 30.0


class Refusal(t.NamedTuple):
    """What the kernel said to a request: an errno, and its own words where it has any."""

    errno: int
    text: str


def attributes(data: bytes, start: int = 0) -> dict[int, bytes]:
    """The attributes of a message, or those nested in one, by number. Of one that is there twice, the last."""
    found: dict[int, bytes] = {}
    end = len(data)
    while start + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4:
            break
        found[kind & _TYPE_MASK] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def message(kind: int, flags: int, payload: bytes) -> bytearray:
    """A request without a sequence number; C(Wire) numbers it when it is sent."""
    return bytearray(_HEADER.pack(_HEADER.size + len(payload), kind, flags | NLM_F_REQUEST, 0, 0) + payload)


def messages(data: bytes) -> t.Iterator[tuple[int, int, int, bytes]]:
    """The messages of one datagram: type, flags, sequence number, payload."""
    start = 0
    while start + _HEADER.size <= len(data):
        length, kind, flags, sequence, _port = _HEADER.unpack_from(data, start)
        if length < _HEADER.size:
            break
        yield kind, flags, sequence, data[start + _HEADER.size : start + length]
        start += (length + 3) & ~3


def _refusal(flags: int, payload: bytes) -> Refusal | None:
    """What an acknowledgement says; None when the request was carried out."""
    number = -_ERRNO.unpack_from(payload)[0]
    if not number:
        return None
    text = ""
    if flags & _NLM_F_ACK_TLVS:
        said = attributes(payload, _ERRNO.size + _HEADER.size).get(_NLMSGERR_ATTR_MSG, b"")
        text = said.rstrip(b"\0").decode("utf-8", "replace")
    return Refusal(number, text)


class Wire:
    """A NETLINK_ROUTE socket of the namespace that the calling thread is in when it is opened."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        try:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
            self._socket.settimeout(_TIMEOUT)
            self._socket.bind((0, 0))
        except OSError:
            self._socket.close()
            raise
        self._sequence = 0

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def dump(self, kind: int, payload: bytes, what: str) -> list[bytes]:
        """The payload of every answer. A dump that changed while it was read is read again. Raises ReadError."""
        for _attempt in range(_ATTEMPTS):
            answers = self._dump_once(kind, payload, what)
            if answers is not None:
                return answers
        raise ReadError(f"cannot read the {what}: they change faster than they can be read", hint="run again")

    def _dump_once(self, kind: int, payload: bytes, what: str) -> list[bytes] | None:
        answers: list[bytes] = []
        interrupted = False
        try:
            number = self._number(request := message(kind, NLM_F_DUMP, payload))
            self._socket.send(request)
            while True:
                for answer, flags, sequence, body in messages(self._socket.recv(_BUFFER)):
                    if sequence != number:
                        continue
                    interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
                    if answer == _NLMSG_ERROR or (answer == _NLMSG_DONE and _refusal(0, body)):
                        raise _unreadable(what, _refusal(flags, body))
                    if answer == _NLMSG_DONE:
                        return None if interrupted else answers
                    answers.append(body)
        except OSError as error:
            raise ReadError(f"cannot read the {what}: {error.strerror or error}") from error

    def ask(self, kind: int, payload: bytes, what: str) -> bytes:
        """The payload of the one answer to a request. Raises ReadError."""
        try:
            number = self._number(request := message(kind, 0, payload))
            self._socket.send(request)
            while True:
                for answer, flags, sequence, body in messages(self._socket.recv(_BUFFER)):
                    if sequence != number:
                        continue
                    if answer == _NLMSG_ERROR:
                        raise _unreadable(what, _refusal(flags, body))
                    return body
        except OSError as error:
            raise ReadError(f"cannot read the {what}: {error.strerror or error}") from error

    def send(self, requests: t.Sequence[bytearray]) -> dict[int, Refusal]:
        """Have the kernel carry out every request, in order; the position of each one it refused -> what it said."""
        refused: dict[int, Refusal] = {}
        for start in range(0, len(requests), _AT_ONCE):
            part = requests[start : start + _AT_ONCE]
            try:
                answers = self._send_part(part)
            except OSError as error:
                lost = Refusal(error.errno or 0, error.strerror or str(error))
                return {**refused, **{start + place: lost for place in range(len(requests) - start)}}
            refused.update({start + place: refusal for place, refusal in answers.items()})
        return refused

    def _send_part(self, part: t.Sequence[bytearray]) -> dict[int, Refusal]:
        waiting = {self._number(request): place for place, request in enumerate(part)}
        refused: dict[int, Refusal] = {}
        self._socket.send(b"".join(part))
        while waiting:
            for answer, flags, sequence, body in messages(self._socket.recv(_BUFFER)):
                if answer != _NLMSG_ERROR or sequence not in waiting:
                    continue
                place = waiting.pop(sequence)
                refusal = _refusal(flags, body)
                if refusal:
                    refused[place] = refusal
        return refused

    def _number(self, request: bytearray) -> int:
        """Give a request the next sequence number."""
        self._sequence += 1
        struct.pack_into("=I", request, 8, self._sequence)
        return self._sequence


def _unreadable(what: str, refusal: Refusal | None) -> ReadError:
    said = "the answer is empty" if refusal is None else refusal.text or os.strerror(refusal.errno)
    return ReadError(f"cannot read the {what}: {said}")
