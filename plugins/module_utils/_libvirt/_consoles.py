# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Serial consoles of running machines: of those that are terminals over libvirt, which lets one in at a time; of TCP ports as telnet."""

from __future__ import annotations

import select
import socket
import threading
import time
import typing as t
from xml.etree import ElementTree

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LockedError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._connection import in_use, library, said
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import ConsoleStream

CHUNK = 65536
GREETING = 3.0
"""Seconds within which QEMU says telnet's first words to whoever it lets in. It lets one in at a time, and leaves others waiting."""
WRITE_TIMEOUT = 10.0
_IAC, _SB, _SE, _WILL, _DONT = 255, 250, 240, 251, 254


def open_console(connection: t.Any, domain: t.Any, name: str, device: str) -> ConsoleStream:
    """Raises LockedError, ReadError. device: an alias; empty is the first serial port."""
    port = telnet_port(domain.XMLDesc(0), device)
    return Telnet(name, port) if port else Terminal(connection, domain, name, device)


def telnet_port(xml: str, device: str = "") -> int:
    """The TCP port of a serial port of a machine that runs; 0 where it has none."""
    for one in ElementTree.fromstring(xml).iterfind("devices/serial"):  # noqa: S314 - it is what libvirtd wrote
        alias, source = one.find("alias"), one.find("source")
        if not device or (alias is not None and alias.get("name") == device):
            return int(source.get("service") or 0) if one.get("type") == "tcp" and source is not None else 0
    return 0


class Terminal:
    """A terminal, over libvirt. The event loop's thread reads; whoever asks takes what it has."""

    def __init__(self, connection: t.Any, domain: t.Any, name: str, device: str) -> None:
        libvirt = library()
        self._name = name
        self._came = bytearray()
        self._ended = ""
        self._news = threading.Condition()
        self._stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
        try:
            domain.openConsole(device or None, self._stream, libvirt.VIR_DOMAIN_CONSOLE_SAFE)
            events = libvirt.VIR_STREAM_EVENT_READABLE | libvirt.VIR_STREAM_EVENT_ERROR | libvirt.VIR_STREAM_EVENT_HANGUP
            self._stream.eventAddCallback(events, self._on_event, None)
        except libvirt.libvirtError as error:
            if locked := in_use(error, name):
                raise locked from error
            raise ReadError(f"the console of {name} cannot be opened: {said(error)}", objects=(name,)) from error

    def _on_event(self, _stream: t.Any, _events: int, _opaque: t.Any) -> None:
        """In the event loop's thread, where nothing may be raised."""
        libvirt = library()
        try:
            data = self._stream.recv(CHUNK)
        except libvirt.libvirtError as error:
            self._end(said(error))
            return
        if data == -2:
            return
        if not data:
            self._end("the machine is off")
            return
        with self._news:
            self._came += data
            self._news.notify_all()

    def _end(self, why: str) -> None:
        with self._news:
            self._ended = self._ended or why
            self._news.notify_all()
        try:
            self._stream.eventRemoveCallback()
        except library().libvirtError:
            pass  # it is over, and its events with it

    def read(self, timeout: float) -> bytes:
        with self._news:
            self._news.wait_for(lambda: self._came or self._ended, timeout)
            if self._came:
                came = bytes(self._came)
                self._came.clear()
                return came
            if self._ended:
                raise ReadError(f"the console of {self._name} ended: {self._ended}", objects=(self._name,))
        return b""

    def write(self, data: bytes) -> None:
        libvirt, left, end = library(), data, time.monotonic() + WRITE_TIMEOUT
        while left:
            try:
                sent = self._stream.send(left)
            except libvirt.libvirtError as error:
                raise ApplyError(f"the console of {self._name} takes nothing: {said(error)}", objects=(self._name,)) from error
            if sent > 0:
                left = left[sent:]
            elif time.monotonic() > end:
                raise ApplyError(f"the console of {self._name} took nothing for {WRITE_TIMEOUT:g} s", objects=(self._name,))
            else:
                time.sleep(0.01)

    def close(self) -> None:
        """It ends with what was written: an abort would lose that. What is over already needs no end."""
        libvirt = library()
        for step in (self._stream.eventRemoveCallback, self._stream.finish):
            try:
                step()
            except libvirt.libvirtError:
                continue


class Telnet:
    """A serial port that QEMU serves as telnet on the server itself. What it negotiates does not matter here, and is dropped."""

    def __init__(self, name: str, port: int, host: str = "127.0.0.1") -> None:
        self._name = name
        self._left = b""
        self._came = b""
        try:
            self._socket = socket.create_connection((host, port), timeout=GREETING)
        except OSError as error:
            raise ReadError(f"the console of {name}, TCP port {port}, cannot be opened: {error}", objects=(name,)) from error
        self._socket.settimeout(WRITE_TIMEOUT)
        if not select.select([self._socket], [], [], GREETING)[0]:
            self._socket.close()
            hint = f"leave telnet to port {port} there (Ctrl-], quit), and run again"
            raise LockedError(f"the console of {name} is in use by somebody else", hint=hint, objects=(name,))

    def read(self, timeout: float) -> bytes:
        end = time.monotonic() + timeout
        while not self._came:
            left = max(0.0, end - time.monotonic())
            if not select.select([self._socket], [], [], left)[0]:
                break
            self._receive()
        came, self._came = self._came, b""
        return came

    def _receive(self) -> None:
        try:
            data = self._socket.recv(CHUNK)
        except OSError as error:
            raise ReadError(f"the console of {self._name} ended: {error}", objects=(self._name,)) from error
        if not data:
            raise ReadError(f"the console of {self._name} ended: the machine is off", objects=(self._name,))
        text, self._left = plain(self._left + data)
        self._came += text

    def write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data.replace(b"\xff", b"\xff\xff"))
        except OSError as error:
            raise ApplyError(f"the console of {self._name} takes nothing: {error}", objects=(self._name,)) from error

    def close(self) -> None:
        self._socket.close()


def plain(data: bytes) -> tuple[bytes, bytes]:
    """What is left without telnet's own words (RFC 854), and the beginning of one that is not complete yet."""
    found = bytearray()
    at = 0
    while (mark := data.find(_IAC, at)) >= 0:
        found += data[at:mark]
        word = data[mark + 1 : mark + 2]
        if word == b"\xff":
            found.append(_IAC)
            at = mark + 2
            continue
        if not word:
            return bytes(found), data[mark:]
        length = _length(data, mark, word[0])
        if mark + length > len(data):
            return bytes(found), data[mark:]
        at = mark + length
    return bytes(found + data[at:]), b""


def _length(data: bytes, mark: int, word: int) -> int:
    """Of the word that begins at C(mark); longer than what there is where its end has not come."""
    if _WILL <= word <= _DONT:
        return 3
    if word != _SB:
        return 2
    end = data.find(bytes((_IAC, _SE)), mark)
    return (end + 2 if end >= 0 else len(data) + 1) - mark
