# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says one thing to DHCP servers, as a machine with any MAC address would, and prints what they answer, as JSON.

Reads C({"device", "mac", "type", "address", "asked", "options", "client", "seconds"}) from standard input. Run where the machine is.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import sys
import time
from typing import Any

TYPES = {"discover": 1, "request": 3, "inform": 8}
NAMES = {2: "offer", 5: "ack", 6: "nak"}
COOKIE = bytes.fromhex("63825363")
ASKED = (1, 3, 6, 12, 15, 26, 42, 51, 54, 66, 67, 150)
ADDRESSES = (1, 3, 6, 28, 42, 54)
TEXTS = (12, 15, 56, 66, 67)
XID = 0x61726368


def option(code: int, value: bytes) -> bytes:
    return bytes((code, len(value))) + value


def message(job: dict[str, Any]) -> bytes:
    """A message that is answered by broadcast. address: what the machine has; asked: what it would like to have (again)."""
    mac = bytes.fromhex(job["mac"].replace(":", ""))
    have = socket.inet_aton(job.get("address") or "0.0.0.0")
    head = struct.pack("!BBBBIHH4s12x16s192x", 1, 1, 6, 0, XID, 0, 0x8000, have, mac)
    options = option(53, bytes((TYPES[job["type"]],))) + option(55, bytes(job.get("options") or ASKED))
    if job.get("asked"):
        options += option(50, socket.inet_aton(job["asked"]))
    if job.get("client"):
        options += option(61, b"\0" + job["client"].encode())
    return head + COOKIE + options + b"\xff"


def parsed(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {
        "address": socket.inet_ntoa(data[16:20]),
        "server": socket.inet_ntoa(data[20:24]),
        "file": data[108:236].split(b"\0")[0].decode(),
    }
    place = 240
    while data[place] != 0xFF:
        code, size = data[place], data[place + 1]
        value = data[place + 2 : place + 2 + size]
        if str(code) in found:
            raise SystemExit(f"option {code} is there twice, which is one long value (RFC 3396)")
        text = value.rstrip(b"\0").decode() if code in TEXTS else value.hex()
        found[str(code)] = socket.inet_ntoa(value) if code in ADDRESSES else text
        place += 2 + size
    return {**found, "type": NAMES[int(found.pop("53"), 16)]}


def main() -> None:
    job = json.load(sys.stdin)
    answers = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, job["device"].encode())
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.bind(("0.0.0.0", 68))
        one.sendto(message(job), ("255.255.255.255", 67))
        end = time.monotonic() + float(job["seconds"])
        with contextlib.suppress(TimeoutError):
            while not answers:
                one.settimeout(max(end - time.monotonic(), 0.001))
                data = one.recv(2048)
                if struct.unpack("!I", data[4:8])[0] == XID:
                    answers.append(parsed(data))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
