# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Sees the frames of a run on all ports of a server, with one socket.

The socket listens before C(listen) returns. Then a child that has left the module behind counts, until it is asked for the
result or its time is over; it is reached by a socket in C(/run/archetype-lab), which goes away with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import socket
import struct
import time
import typing as t
from pathlib import Path

from ansible_collections.archetype.lab.plugins.module_utils._certify import frames
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._server import RUN_DIR

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._certify.tally import Tally

SETTLE = 0.1
"""Seconds without a frame after which nothing more is expected: a loop or a leak shows within them."""

_ETH_P_ALL = 3
_SO_RCVBUFFORCE, _SO_ATTACH_FILTER = 33, 26
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_AUXDATA, _PACKET_OUTGOING = 263, 6, 8, 4
_AUXDATA = struct.Struct("=IIIHHHH")
_VLAN_VALID, _VLAN_TPID_VALID = 0x10, 0x40
_RECEIVE_BUFFER = 256 << 20
_LARGEST_FRAME = 1 << 17

_LOAD, _EQUAL, _GIVE = 0x28, 0x15, 0x06  # ldh [k]; jeq #k; ret #k
_Instruction = tuple[int, int, int, int]


def bpf_program(tags: int = frames.MOST_TAGS) -> list[_Instruction]:
    """A classic BPF program that lets frames pass whose EtherType, behind any number of tags up to this, is ours."""
    types = frames.TAG_TYPES
    size = (tags + 1) * (2 + len(types)) - len(types) + 2
    accept, reject = size - 1, size - 2
    program: list[_Instruction] = []
    for tag in range(tags + 1):
        program.append((_LOAD, 0, 0, 12 + 4 * tag))
        last = tag == tags
        missed = reject - len(program) - 1 if last else 0
        program.append((_EQUAL, accept - len(program) - 1, missed, frames.ETHERTYPE))
        if not last:
            following = len(program) + len(types)
            for position, tag_type in enumerate(types):
                at = len(program)
                otherwise = reject - at - 1 if position == len(types) - 1 else 0
                program.append((_EQUAL, following - at - 1, otherwise, tag_type))
    return [*program, (_GIVE, 0, 0, 0), (_GIVE, 0, 0, 0xFFFFFFFF)]


def open_socket() -> socket.socket:
    """A socket that sees every frame of ours on every device of this network namespace, in both directions."""
    program = b"".join(struct.pack("=HBBI", *one) for one in bpf_program())
    code = ctypes.create_string_buffer(program, len(program))
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(_ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program) // 8, ctypes.addressof(code)))
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        sock.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
    except OSError as error:
        raise ReadError(f"cannot listen for frames: {error.strerror}", hint="run the module as root (become: true)") from error
    sock.setblocking(False)
    return sock


def whole_frame(data: bytes, auxiliary: t.Iterable[tuple[int, int, bytes]]) -> bytes:
    """The frame as it was on the wire: the kernel may keep its outermost tag beside it."""
    for level, kind, value in auxiliary:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(value) >= _AUXDATA.size:
            status, _length, _snapped, _mac, _net, vlan, tag_type = _AUXDATA.unpack_from(value)
            if status & _VLAN_VALID:
                tag = struct.pack("!HH", tag_type if status & _VLAN_TPID_VALID else frames.C_TAG, vlan)
                return data[:12] + tag + data[12:]
    return data


class Listener:
    """Counts what arrives on a socket into a tally."""

    def __init__(self, sock: socket.socket, tally: Tally) -> None:
        self.sock = sock
        self.tally = tally
        self.latest = 0.0
        self.dropped = 0
        self._buffer = bytearray(_LARGEST_FRAME)

    def read(self, most: int = 512) -> int:
        """Count the frames that wait, up to this many; how many there were."""
        for count in range(most):
            try:
                size, auxiliary, _flags, address = self.sock.recvmsg_into([self._buffer], 64)
            except BlockingIOError:
                return count
            frame = whole_frame(bytes(self._buffer[:size]), auxiliary)
            if self.tally.add(frame, address[0], outgoing=address[2] == _PACKET_OUTGOING):
                self.latest = time.monotonic()
        return most

    def finished(self, since: float, timeout: float) -> bool:
        """Whether waiting, which began at C(since), is over: all there and quiet, or nothing for the time-out, or a storm."""
        now = time.monotonic()
        quiet = now - max(self.latest, since)
        return quiet >= (SETTLE if self.tally.complete else timeout) or now - since >= 3 * timeout + SETTLE

    def result(self) -> dict[str, t.Any]:
        counts = self.sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self.dropped += struct.unpack("=II", counts)[1]
        return {**self.tally.result(), "dropped": self.dropped}

    def collect(self, timeout: float) -> dict[str, t.Any]:
        """Wait for what is expected, and give the result; used where listening and sending are one step."""
        since = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self.sock, selectors.EVENT_READ)
            while not self.finished(since, timeout):
                selector.select(SETTLE / 4)
                self.read()
        return self.result()


def control_path(run: frames.RunId) -> str:
    """Where the listener of a run is reached. The digest tells runs apart; the name is for people."""
    name = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in run.lab[:32])
    return f"{RUN_DIR}/certify-{name}-{frames.run_digest(run).hex()}.sock"


def ask(run: frames.RunId, request: t.Mapping[str, t.Any], *, timeout: float) -> dict[str, t.Any]:
    """Ask the listener of a run. Raises ReadError when it is not there."""
    path = control_path(run)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(path)
            sock.sendall(json.dumps(request).encode() + b"\n")
            data = b"".join(iter(lambda: sock.recv(1 << 16), b""))
        except OSError as error:
            raise _gone(run.lab, f"{path}: {error.strerror or error}") from error
    if not data:
        raise _gone(run.lab, f"{path}: it ended without an answer")
    answer: dict[str, t.Any] = json.loads(data)
    return answer


def _gone(lab: str, cause: str) -> ReadError:
    return ReadError(
        f"no listener of this certification of lab {lab} runs on this server ({cause})",
        hint="run deploy_lab or certify_lab again; with the module alone, run step listen first, with the same lab and token",
        objects=(lab,),
    )


def start(tally: Tally, lifetime: float) -> None:
    """Listen, and leave the counting to a child that ends with C(collect) or after its lifetime (seconds)."""
    path = control_path(tally.run)
    with open_socket() as sock, _control_socket(tally.run, path) as control:
        child = Child(Listener(sock, tally), control, path, time.monotonic() + lifetime)
        try:
            detach(child.run, keep={sock.fileno(), control.fileno()})
        except LabError:
            os.unlink(path)
            raise


def _control_socket(run: frames.RunId, path: str) -> socket.socket:
    """A listening Unix socket of root's, which appears under its path only when it already listens."""
    try:
        Path(RUN_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep()
        if not os.path.exists(path):
            return _bind(path)
    except OSError as error:
        raise LabError(
            f"the listener of lab {run.lab} cannot be reached at {path}: {error.strerror or error}", objects=(run.lab,)
        ) from error
    raise LabError(
        f"a certification of lab {run.lab} with this token is already under way",
        hint="give each run a token of its own",
        objects=(run.lab,),
    )


def _bind(path: str) -> socket.socket:
    control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    made = f"{path}.new"
    before = os.umask(0o177)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(made)
        control.bind(made)
        control.listen(4)
        os.rename(made, path)
    finally:
        os.umask(before)
    control.settimeout(5.0)
    return control


def _sweep() -> None:
    """Remove the sockets of listeners that were killed. One that has no listener refuses the connection."""
    for path in Path(RUN_DIR).glob("certify-*.sock"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(1.0)
            try:
                sock.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError:
                continue


class Child:
    """The listener's process: one loop over the frames and over what it is asked.

    Requests: C({"do": "sent", "unsent": {endpoint: reason}}) is kept for the result and answered at once;
    C({"do": "collect", "timeout": seconds}) is answered with the result, and ends the process.
    """

    def __init__(self, listener: Listener, control: socket.socket, path: str, deadline: float) -> None:
        self.listener = listener
        self.control = control
        self.path = path
        self.deadline = deadline
        self.unsent: dict[str, str] = {}
        self.asker: socket.socket | None = None
        self.asked = 0.0
        self.timeout = 0.0

    def run(self) -> None:
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.listener.sock, selectors.EVENT_READ)
                selector.register(self.control, selectors.EVENT_READ)
                while time.monotonic() < self.deadline and not self._answered():
                    busy = self.asker is not None
                    ready = selector.select(SETTLE / 4 if busy else min(1.0, max(0.0, self.deadline - time.monotonic())))
                    self.listener.read()
                    if any(key.fileobj is self.control for key, _events in ready):
                        self._accept()
        finally:
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    def _accept(self) -> None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            asker, _address = self.control.accept()
            asker.settimeout(5.0)
            line = asker.makefile("rb").readline()
            request = json.loads(line) if line else {}
            if request.get("do") == "collect":
                self.asker, self.asked, self.timeout = asker, time.monotonic(), float(request["timeout"])
                return
            if request.get("do") == "sent":
                self.unsent.update(request["unsent"])
            asker.sendall(b"{}")
            asker.close()

    def _answered(self) -> bool:
        if self.asker is None or not self.listener.finished(self.asked, self.timeout):
            return False
        with contextlib.suppress(OSError):
            self.asker.sendall(json.dumps({**self.listener.result(), "unsent": self.unsent}).encode())
            self.asker.close()
        return True


def detach(work: t.Callable[[], None], *, keep: set[int]) -> None:
    """Run C(work) in a process of its own that outlives this one and holds none of its files but these."""
    try:
        child = os.fork()
    except OSError as error:
        raise LabError(f"cannot start the listener: {error.strerror}") from error
    if child:
        if os.waitpid(child, 0)[1]:
            raise LabError("cannot start the listener: its process could not be made")
        return
    status = 1
    try:
        os.setsid()
        status = 0 if os.fork() else _become_daemon(work, keep)
    finally:
        os._exit(status)


def _become_daemon(work: t.Callable[[], None], keep: set[int]) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) > 2 and int(entry) not in keep:
            with contextlib.suppress(OSError):
                os.close(int(entry))
    work()
    return 0
