# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ping several addresses out of a network namespace, steadily, and write down each answer: C(python _pinger.py MILLISECONDS ADDRESS...).

A program of its own, which imports nothing but the standard library's core. A line of its output is C(target number sent answered):
which address, the number of the request, and when it was sent and answered, in nanoseconds of CLOCK_MONOTONIC, which all namespaces share.
A request that is never answered has no line; that one was lost is seen by the numbers.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time

REQUEST, REPLY = 8, 0
HEADER = struct.Struct("!BBHHH")
BODY = struct.Struct("!HQQ")
PADDING = bytes(34)


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(identity: int, target: int, number: int) -> bytes:
    body = BODY.pack(target, number, time.monotonic_ns()) + PADDING
    empty = HEADER.pack(REQUEST, 0, 0, identity, number & 0xFFFF) + body
    return HEADER.pack(REQUEST, 0, checksum(empty), identity, number & 0xFFFF) + body


def answers(line: socket.socket, identity: int) -> list[str]:
    found: list[str] = []
    while True:
        try:
            packet = line.recv(256)
        except BlockingIOError:
            return found
        now = time.monotonic_ns()
        data = packet[(packet[0] & 15) * 4 :]
        if len(data) >= HEADER.size + BODY.size:
            kind, _code, _sum, whose, _number = HEADER.unpack_from(data)
            if (kind, whose) == (REPLY, identity):
                target, number, sent = BODY.unpack_from(data, HEADER.size)
                found.append(f"{target} {number} {sent} {now}\n")


def main(interval: float, addresses: list[str]) -> None:
    identity = os.getpid() & 0xFFFF
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as line:
        line.setblocking(False)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        number = 0
        due = time.monotonic()
        while True:
            number += 1
            for target, address in enumerate(addresses):
                try:
                    line.sendto(request(identity, target, number), (address, 0))
                except OSError:  # no way there at the moment, which is a lost ping like any other
                    continue
            due = max(due + interval, time.monotonic())
            while (left := due - time.monotonic()) > 0:
                if select.select([line], [], [], left)[0]:
                    sys.stdout.writelines(answers(line, identity))
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) / 1000, sys.argv[2:])
