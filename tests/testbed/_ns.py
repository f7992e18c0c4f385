# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens inside a namespace: boot a server, enter it, connect from it.

This file is imported by the package and is also run as a script of its own (C(python _ns.py enter ...)), because changing namespaces
is done by a process that then becomes the wanted command. So it imports nothing but the standard library's core.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys

_LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MS_MOVE = 8192
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_NODEV_NOSUID = 2 | 4
KINDS = {"net": CLONE_NEWNET, "uts": CLONE_NEWUTS, "mnt": CLONE_NEWNS}


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    _check(_LIBC.unshare(flags), "unshare")


def setns(descriptor: int, kind: int) -> None:
    _check(_LIBC.setns(descriptor, kind), "setns")


def mount(source: str, target: str, fstype: str = "", flags: int = 0, options: str = "") -> None:
    result = _LIBC.mount(source.encode(), target.encode(), fstype.encode() or None, ctypes.c_ulong(flags), options.encode() or None)
    _check(result, f"mount {source} on {target}")


def connect_from(pid: int, address: str, port: int, timeout: float = 5.0) -> socket.socket:
    """A TCP connection made in the network namespace of I(pid); only this thread changes its namespace, and only for a moment."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        setns(there, CLONE_NEWNET)
        try:
            connection = socket.socket(family, socket.SOCK_STREAM)
        finally:
            setns(here, CLONE_NEWNET)
    finally:
        os.close(here)
        os.close(there)
    connection.settimeout(timeout)
    try:
        connection.connect((address, port))
    except OSError:
        connection.close()
        raise
    connection.settimeout(None)
    return connection


def join_cgroup(path: str) -> None:
    if path:
        with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as procs:
            procs.write("0")


def _silence(log: str) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) if log else null
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)


def _mounts(binds: list[str]) -> None:
    """A fresh /run and /sys, the old tree of cgroups under it, and the server's own directories over the machine's."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    for bind in binds:
        source, target = bind.split(":")
        mount(source, target, flags=MS_BIND)
    mount("tmpfs", "/run", "tmpfs", MS_NODEV_NOSUID, "mode=755")
    os.mkdir("/run/cgroup")
    mount("/sys/fs/cgroup", "/run/cgroup", flags=MS_BIND | MS_REC)
    mount("sysfs", "/sys", "sysfs")
    mount("/run/cgroup", "/sys/fs/cgroup", flags=MS_MOVE)
    os.rmdir("/run/cgroup")
    for name in ("lock", "sshd", "openvswitch", "netns", "docker"):
        os.mkdir(f"/run/{name}", 0o755)


def boot(cgroup: str, hostname: str, title: str, binds: list[str]) -> None:
    """Leave a process behind that holds a server's namespaces; return when they are complete. Without I(hostname), only a network."""
    reader, writer = os.pipe()
    if os.fork() != 0:
        os.close(writer)
        told = os.read(reader, 1)
        os.read(reader, 1)  # the pipe closes when the process has become what it is to be
        raise SystemExit(0 if told else 1)
    os.close(reader)
    join_cgroup(cgroup)
    os.setsid()
    if hostname:
        unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWUTS)
        _check(_LIBC.sethostname(hostname.encode(), len(hostname)), "sethostname")
        _mounts(binds)
    else:
        unshare(CLONE_NEWNET)
    os.chdir("/")
    _silence("")
    os.write(writer, b"+")
    os.execv("/usr/bin/sleep", [title, "infinity"])


def enter(pid: int, kinds: str, cgroup: str, log: str, command: list[str]) -> None:
    """Become I(command) inside the namespaces of I(pid); with I(log), in the background."""
    join_cgroup(cgroup)
    if log and os.fork() != 0:
        return
    if log:
        os.setsid()
        _silence(log)
    names = [name for name in KINDS if name in kinds.split(",")]
    handles = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), KINDS[name]) for name in names]
    for descriptor, kind in handles:
        setns(descriptor, kind)
        os.close(descriptor)
    if "mnt" in names:
        os.chdir("/")
    try:
        os.execvp(command[0], command)
    except OSError as exc:
        sys.stderr.write(f"{command[0]}: {exc.strerror}\n")
        os._exit(127)


def proxy(cgroup: str, address: str, port: int) -> None:
    """An ssh ProxyCommand with ProxyUseFdpass: connect from the underlay and hand the connection over."""
    try:
        with open(os.path.join(cgroup, "cgroup.procs"), encoding="ascii") as procs:
            pid = int(procs.read().split()[0])
    except (OSError, IndexError):
        raise SystemExit("the testbed is not up") from None
    try:
        connection = connect_from(pid, address, port)
    except OSError as exc:
        raise SystemExit(f"{address} port {port}, from the testbed's underlay: {exc.strerror or exc}") from None
    with connection, socket.socket(fileno=os.dup(1)) as channel:
        socket.send_fds(channel, [b"\0"], [connection.fileno()])


def main(words: list[str]) -> None:
    verb, rest = words[0], words[1:]
    if verb == "boot":
        boot(rest[0], rest[1], rest[2], rest[3:])
    elif verb == "enter":
        enter(int(rest[0]), rest[1], rest[2], rest[3], rest[4:])
    elif verb == "proxy":
        proxy(rest[0], rest[1], int(rest[2]))
    else:
        raise SystemExit(f"unknown verb {verb}")


if __name__ == "__main__":
    main(sys.argv[1:])
