# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Ports of this server that programs listen on, as the kernel tells them."""

from __future__ import annotations

import ipaddress
import sys
import typing as t
from pathlib import Path

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError

FOLDER = "/proc/thread-self/net"
_WAITING = {"tcp": "0A", "udp": "07"}
"""What the state of a socket is that waits for anybody (TCP_LISTEN, TCP_CLOSE)."""
_SCTP_PORT = 5
"""Which word of a line of SCTP's has the port."""

Listener = tuple[str, int, str]
"""Protocol, port, and address; the address of all is empty."""


def read(folder: str = FOLDER) -> frozenset[Listener]:
    """Raises ReadError."""
    found: set[Listener] = set()
    for protocol, waiting in _WAITING.items():
        for name in (protocol, f"{protocol}6"):
            for words in _rows(Path(folder, name)):
                if words[3] == waiting:
                    address, _colon, port = words[1].partition(":")
                    found.add((protocol, int(port, 16), _address(address)))
    found.update(("sctp", int(words[_SCTP_PORT]), "") for words in _rows(Path(folder, "sctp", "eps")))
    return frozenset(found)


def _rows(path: Path) -> t.Iterator[list[str]]:
    """A protocol that the kernel does not have has no file."""
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ReadError(f"{path} cannot be read: {error.strerror}") from error
    yield from (line.split() for line in text.splitlines()[1:])


def _address(text: str) -> str:
    """Hexadecimal, in words of 32 bits that are each in the byte order of the machine."""
    words = [bytes.fromhex(text[place : place + 8]) for place in range(0, len(text), 8)]
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    address = ipaddress.ip_address(packed)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return "" if address.is_unspecified else str(address)
