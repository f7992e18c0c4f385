# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the watchers of a lab tell each other: which nodes of a server run. A datagram is a code over everything (HMAC-SHA256), and JSON.

A message is small enough for any path, so that it comes whole or not at all. Where a server has many nodes, there are several with the same
number, and each stands alone.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import re
import stat
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

KEY_FILE = "/etc/archetype-lab/key"
PORT = 47890
FORMAT = 1
LARGEST = 1200
"""Bytes of a datagram: what IPv6 carries everywhere, without headers."""
LONGEST_NAME = 255

_KEY = re.compile(rb"[0-9a-fA-F]{64}\n?")
_CODE = 64
_NUMBERS = ("start", "number", "part", "parts")
_HIGHEST = 1 << 63


class Message(t.NamedTuple):
    """start: of the sending process, in milliseconds; later ones have higher ones. number: of the state that is told, from 1 on.
    part: of so many parts, from 0 on. nodes: of server, whether each runs."""

    lab: str
    server: str
    start: int
    number: int
    part: int
    parts: int
    nodes: t.Mapping[str, bool]


class Refused(Exception):
    """A datagram is not taken. reason: a word for the counters. lab: whose it says it is, where that may be believed."""

    def __init__(self, reason: str, lab: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.lab = lab


def read_key(path: str = KEY_FILE) -> bytes | None:
    """The key of the watchers; None where there is none. Raises ReadError for one that others may know."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        why = "it is a link, and is not followed" if error.errno == errno.ELOOP else str(error.strerror)
        raise ReadError(f"the key {path} cannot be used: {why}", hint=_HINT, objects=(path,)) from error
    try:
        about = os.fstat(file)
        content = os.read(file, 100) if stat.S_ISREG(about.st_mode) else b""
    except OSError as error:
        raise ReadError(f"the key {path} cannot be read: {error.strerror}", hint=_HINT, objects=(path,)) from error
    finally:
        os.close(file)
    if about.st_uid not in (0, os.geteuid()) or about.st_mode & 0o077:
        said = f"it belongs to user {about.st_uid} and has mode {stat.S_IMODE(about.st_mode):04o}, so that others may know it"
        raise ReadError(f"the key {path} is not used: {said}", hint=_HINT, objects=(path,))
    if not _KEY.fullmatch(content):
        raise ReadError(f"the key {path} is not used: it is not 64 hexadecimal digits", hint=_HINT, objects=(path,))
    return bytes.fromhex(content.decode().strip())


_HINT = "run archetype.lab.prepare_servers, which puts one on all servers for root alone"


def encode(key: bytes, lab: str, server: str, start: int, number: int, nodes: t.Mapping[str, bool]) -> list[bytes]:
    """The datagrams of a state; one at least, as a server without nodes is there too."""

    def text(part: int, parts: int, some: t.Mapping[str, bool]) -> bytes:
        told = {"format": FORMAT, **Message(lab, server, start, number, part, parts, some)._asdict()}
        return json.dumps(told, separators=(",", ":"), sort_keys=True).encode()

    room = LARGEST - _CODE - len(text(10**6, 10**6, {}))
    split: list[dict[str, bool]] = [{}]
    left = room
    for node, runs in sorted(nodes.items()):
        size = len(json.dumps({node: runs}))
        if size > left and split[-1]:
            split.append({})
            left = room
        split[-1][node] = runs
        left -= size
    return [_signed(key, text(place, len(split), some)) for place, some in enumerate(split)]


def _signed(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).hexdigest().encode() + text


def decode(key: bytes, datagram: bytes) -> Message:
    """What a datagram says. Nothing in it is looked at before its code is right. Raises Refused."""
    code, text = datagram[:_CODE], datagram[_CODE:]
    if len(datagram) > LARGEST:
        raise Refused("size")
    if not hmac.compare_digest(hmac.new(key, text, hashlib.sha256).hexdigest().encode(), code):
        raise Refused("code")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("content") from error
    if not isinstance(told, dict) or told.pop("format", None) != FORMAT or set(told) != set(Message._fields):
        raise Refused("content")
    names = [told["lab"], told["server"], *told["nodes"]] if isinstance(told["nodes"], dict) else [None]
    numbers = [told[name] for name in _NUMBERS]
    if not (
        all(isinstance(one, str) and 0 < len(one) <= LONGEST_NAME for one in names)
        and all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < _HIGHEST for one in numbers)
        and all(isinstance(one, bool) for one in told["nodes"].values())
        and told["part"] < told["parts"]
    ):
        raise Refused("content")
    return Message(**told)
