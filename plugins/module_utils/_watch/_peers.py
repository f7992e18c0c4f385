# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The watchers of a lab tell each other which nodes run, over the underlay: one UDP socket for each underlay address of this server.

What is told is kept (C(_carriers.save_far)), and the watcher is told when it changed. Of who is silent for long nothing is known any more,
and its nodes are taken to run: a carrier is off only while somebody says why. Without a key nobody listens and nobody tells; the far server
then learns it from a run.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _carriers, _run_files, _server, _state, _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._watch._peer_messages import (
    KEY_FILE,
    LARGEST,
    PORT,
    Refused,
    decode,
    read_key,
)
from ansible_collections.archetype.lab.plugins.module_utils._watch._peer_state import Hearing, Lab, Telling

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared

FILE = "peers.json"
"""Of a lab: server -> start and number of the last message that was taken."""
LOOK = 5.0
"""Seconds between two looks at the key, and at addresses that could not be had."""
_AT_ONCE = 64
"""Datagrams that are read before something is sent again."""


class Peers:
    """changed: is called with a lab when nodes of other servers are in another state. say: where a line for people goes.

    All methods may be called by any thread.
    """

    def __init__(
        self, changed: t.Callable[[str], None], say: t.Callable[[str], None], *, key_file: str = KEY_FILE, port: int = PORT
    ) -> None:
        self._changed = changed
        self._say = say
        self._key_file = key_file
        self._port = port
        self._guard = threading.RLock()
        self._labs: dict[str, Lab] = {}
        self._telling: dict[str, Telling] = {}
        self._since: dict[str, float] = {}
        self._hearing = Hearing()
        self._key: bytes | None = None
        self._start = 0
        self._sockets: dict[str, socket.socket] = {}
        self._said: dict[str, str] = {}
        self._look_at = 0.0
        self._ending = False
        self._ear, self._bell = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=self._run, name="peers", daemon=True)

    def begin(self) -> None:
        self._start = next_start()
        self._selector.register(self._ear, selectors.EVENT_READ)
        for one in (self._ear, self._bell):
            one.setblocking(False)
        self._thread.start()

    def close(self) -> None:
        self._ending = True
        self._wake()
        self._thread.join(timeout=2.0)

    def declare(self, declared: Declared) -> None:
        """A lab that is watched from now on, or is declared anew. Raises LabError."""
        lab = Lab.of(declared)
        with self._guard:
            known, _damage = _run_files.read(lab.name, FILE)
            self._hearing.remember(lab.name, {server: tuple(one) for server, one in known.items() if _is_place(one)})
            telling = self._telling.setdefault(lab.name, Telling(lab.name, lab.server, self._start, int(1000 * time.monotonic())))
            if self._labs.get(lab.name) != lab:
                telling.repeat(time.monotonic())
            self._labs[lab.name] = lab
            self._since.setdefault(lab.name, time.monotonic())
            have = _carriers.load_far(lab.name)
            if have != lab.far(have):
                _carriers.save_far(lab.name, lab.far(have))
            self._look_at = 0.0
        self._wake()

    def forget(self, lab: str) -> None:
        with self._guard:
            self._labs.pop(lab, None)
            self._telling.pop(lab, None)
            self._since.pop(lab, None)
            self._hearing.forget(lab)
            self._look_at = 0.0
        self._wake()

    def tell(self, lab: str, nodes: t.Mapping[str, bool]) -> None:
        """Which nodes of this server run now. Those that no other server has to do with are not told."""
        with self._guard:
            about = self._labs.get(lab)
            if about is None:
                return
            self._telling[lab].tell({node: runs for node, runs in sorted(nodes.items()) if node in about.own}, time.monotonic())
        self._wake()

    def dropped(self) -> dict[str, dict[str, int]]:
        """For the metrics: lab -> why messages were not taken -> how many. Those that are of no known lab are of lab C("")."""
        with self._guard:
            return {lab: dict(counts) for lab, counts in self._hearing.dropped.items()}

    # the thread

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._bell.send(b"!")

    def _run(self) -> None:
        while not self._ending:
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - what one message or one lab does must not leave all others without peers
                self._say_once("peers", f"{type(error).__name__}: {error}")
                time.sleep(1.0)
        self._selector.close()
        for one in (*self._sockets.values(), self._ear, self._bell):
            one.close()

    def _turn(self) -> None:
        with self._guard:
            now = time.monotonic()
            changed: list[str] = []
            if now >= self._look_at:
                self._look_at = now + LOOK
                self._look()
                changed = self._forget_silent(now)
            letters = self._letters(now)
        for lab in changed:
            self._changed(lab)
        for sock, datagram, target in letters:
            with contextlib.suppress(OSError):  # it is told again
                sock.sendto(datagram, (target, self._port))
        for key, _events in self._selector.select(max(0.0, self._until() - time.monotonic())):
            if key.fileobj is self._ear:
                with contextlib.suppress(OSError):
                    self._ear.recv(4096)
            else:
                self._hear(t.cast("socket.socket", key.fileobj))

    def _until(self) -> float:
        with self._guard:
            moments = [one for telling in self._telling.values() if (one := telling.next()) is not None]
            return min([self._look_at, *moments] if self._key and self._sockets else [self._look_at])

    def _letters(self, now: float) -> list[tuple[socket.socket, bytes, str]]:
        if self._key is None:
            return []
        found = []
        for lab, telling in self._telling.items():
            datagrams = telling.due(self._key, now) if self._labs[lab].paths else []
            paths = self._labs[lab].paths.items() if datagrams else ()
            for local, targets in paths:
                if local in self._sockets:
                    found += [(self._sockets[local], datagram, target) for datagram in datagrams for target in targets]
        return found

    def _look(self) -> None:
        """Have the key, and a socket for each address that a lab has here."""
        wanted = {local for lab in self._labs.values() for local in lab.paths}
        try:
            self._key = read_key(self._key_file)
            if self._key is None and wanted:
                hint = "run archetype.lab.prepare_servers, which makes one"
                self._say_once("key", f"watchers of other servers are not told and not heard: there is no key {self._key_file}; {hint}")
            elif self._key is not None:
                self._said.pop("key", None)
        except LabError as error:
            self._key = None
            self._say_once("key", f"watchers of other servers are not told and not heard: {error}")
        if self._key is None:
            wanted = set()
        for local in [one for one in self._sockets if one not in wanted]:
            self._shut(local)
        for local in sorted(wanted - self._sockets.keys()):
            self._open(local)

    def _forget_silent(self, now: float) -> list[str]:
        """Labs of which less is known now."""
        changed = []
        for name, lab in self._labs.items():
            silent = self._hearing.silent(lab, self._since[name], now)
            have = _carriers.load_far(name)
            left = {node: runs for node, runs in have.items() if lab.placed.get(node) not in silent}
            if left != have and self._save(lab, left):
                changed.append(name)
        return changed

    def _open(self, local: str) -> None:
        family = socket.AF_INET6 if ":" in local else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((local, self._port))
        except OSError as error:
            sock.close()
            self._say_once(local, f"watchers of other servers are not heard at {local}, UDP port {self._port}: {error.strerror}")
            return
        self._said.pop(local, None)
        self._sockets[local] = sock
        self._selector.register(sock, selectors.EVENT_READ)
        now = time.monotonic()
        for lab, telling in self._telling.items():
            if local in self._labs[lab].paths:
                telling.repeat(now)

    def _shut(self, local: str) -> None:
        sock = self._sockets.pop(local)
        self._selector.unregister(sock)
        sock.close()

    def _hear(self, sock: socket.socket) -> None:
        for _datagram in range(_AT_ONCE):
            try:
                datagram, sender = sock.recvfrom(2 * LARGEST)
            except BlockingIOError:
                return
            except OSError as error:
                self._say_once("socket", f"what watchers of other servers say cannot be read: {error.strerror}")
                return
            self._take(datagram, sender[0])

    def _take(self, datagram: bytes, sender: str) -> None:
        with self._guard:
            if self._key is None:
                return
            try:
                message = decode(self._key, datagram)
                taken = self._hearing.accept(message, sender, self._labs, time.monotonic())
            except Refused as refused:
                if self._hearing.drop(refused):
                    about = f"lab {refused.lab}: " if refused.lab else ""
                    self._say(f"{about}a message of {sender} is not taken, nor are others like it: {WHY[refused.reason]}")
                return
            if taken is None:
                return
            nodes, fresh = taken
            if fresh:
                self._telling[message.lab].repeat(time.monotonic())
            changed = self._keep(self._labs[message.lab], nodes)
        if changed:
            self._changed(message.lab)

    def _keep(self, lab: Lab, nodes: t.Mapping[str, bool]) -> bool:
        """Whether nodes of others are in another state than before. Of a lab that was just removed here nothing is written."""
        if not _state.path(lab.name).exists():
            return False
        return self._save(lab, {**_carriers.load_far(lab.name), **nodes})

    def _save(self, lab: Lab, nodes: t.Mapping[str, bool]) -> bool:
        try:
            _run_files.write(lab.name, FILE, {server: list(one) for server, one in self._hearing.last(lab.name).items()})
            changed = _carriers.save_far(lab.name, lab.far(nodes))
        except LabError as error:
            self._say_once(f"files of {lab.name}", str(error))
            return False
        self._said.pop(f"files of {lab.name}", None)
        return changed

    def _say_once(self, about: str, text: str) -> None:
        if self._said.get(about) != text:
            self._said[about] = text
            self._say(text)


WHY = {
    "size": "it is too long",
    "code": "it was not made with the key of this server",
    "content": "it is of another version",
    "lab": "its lab is not watched here",
    "server": "the lab has no link to that server",
    "address": "the lab has no tunnel to that address",
    "nodes": "it tells of nodes of another server",
    "old": "it is older than what was told before",
}


def _is_place(one: t.Any) -> bool:
    return isinstance(one, list) and len(one) == 2 and all(isinstance(number, int) for number in one)


def next_start() -> int:
    """A number for this process that is higher than those of all before it, also after a reboot with a clock that was set back."""
    path = os.path.join(_server.STATE_DIR, ".watch-start")
    try:
        with open(path, encoding="ascii") as file:
            before = int(file.read(20))
    except (OSError, ValueError):
        before = 0
    start = max(before + 1, int(time.time() * 1000))
    with contextlib.suppress(OSError):  # then it is the clock alone that others go by
        _server.make_state_dir()
        _whole_files.write(path, f"{start}\n", sync=True)
    return start
