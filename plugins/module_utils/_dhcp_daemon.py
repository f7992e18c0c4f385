# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The dnsmasq of a lab on this server, as a process: found by the configuration that it was started with, in this network namespace.

A file with its number may be lost, or name somebody else's process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import socket
import struct
import time

from ansible_collections.archetype.lab.plugins.module_utils import _programs
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError

PROGRAM = "dnsmasq"
_USERS = ("dnsmasq", "nobody")
_SIOCGIFADDR = 0x8915
_TIMEOUT = 5.0
_STEP = 0.02


def user() -> tuple[str, int]:
    """Who it runs as once it has its sockets; name and number. Raises ReadError."""
    for name in _USERS:
        with contextlib.suppress(KeyError):
            return name, pwd.getpwnam(name).pw_uid
    raise ReadError(f"this server has no user {' or '.join(_USERS)}, as whom {PROGRAM} could run", hint="add one with useradd --system")


def index_of(device: str) -> int | None:
    try:
        return socket.if_nametoindex(device)
    except OSError:
        return None


def check_device(device: str) -> None:
    """Raises ApplyError where it has no address: dnsmasq would then be there for every device of the server, and in the way of others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            fcntl.ioctl(one, _SIOCGIFADDR, struct.pack("256s", device.encode()))
        except OSError as error:
            message = f"{device} has no IPv4 address, by which machines could be told theirs: {error.strerror}"
            raise ApplyError(message, hint="run again", objects=(device,)) from error


def _argument(config: str) -> str:
    return f"--conf-file={config}"


def running(config: str) -> tuple[int, ...]:
    """The processes that have this configuration. Raises ReadError."""
    try:
        here = os.readlink("/proc/self/ns/net")
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError as error:
        raise ReadError(f"/proc cannot be read: {error.strerror}") from error
    return tuple(sorted(pid for pid in pids if _is_ours(pid, config, here)))


def _is_ours(pid: int, config: str, here: str) -> bool:
    """Raises ReadError where it could be, and cannot be looked at."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
        if os.path.basename(words[0]) != PROGRAM.encode() or _argument(config).encode() not in words:
            return False
        return os.readlink(f"/proc/{pid}/ns/net") == here
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has ended
    except OSError as error:
        raise ReadError(f"/proc/{pid} cannot be read: {error.strerror}") from error


def start(config: str) -> None:
    """It goes to the background by itself. With systemd, in a scope of its own, as what an SSH session leaves behind may be ended with it.

    Raises LabError where it does not start.
    """
    program = _programs.find(PROGRAM)
    words = [PROGRAM, _argument(config)]
    if os.path.isdir("/run/systemd/system") and shutil.which("systemd-run"):
        words = ["systemd-run", "--scope", "--quiet", "--collect", "--", program, _argument(config)]
    done = _programs.run(*words, timeout=30.0)
    if done.exit_code:
        said = " ".join(done.output.split())
        hint = "see with ss -lunp 'sport = :67' whether another DHCP server is in its way"
        raise ApplyError(f"{PROGRAM}, which tells machines their addresses, does not start: {said}", hint=hint, objects=(config,))


def stop(config: str) -> None:
    """Raises ApplyError where it does not end."""
    pids = running(config)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        end = time.monotonic() + _TIMEOUT
        while pids and time.monotonic() < end:
            time.sleep(_STEP)
            pids = running(config)
        if not pids:
            return
    raise ApplyError(f"{PROGRAM} does not end (process {', '.join(map(str, pids))})", hint="end it by hand", objects=(config,))
