# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Libvirt through its own Python library, over one connection.

Only this package imports that library, and only where a machine is concerned.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._connection import changing, code, library, open_connection, reading
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._consoles import open_console
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._host import read_host
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import ConsoleStream, Domain, Host, Libvirt, Status

PID_DIR = "/run/libvirt/qemu"
"""Where libvirt keeps the numbers of QEMU's processes, C(<domain>.pid); the same for libvirtd and virtqemud."""
SOCKET_DIRS = ("/var/lib/libvirt/qemu", "/var/lib/libvirt/qemu/channel/target")
"""Where it keeps their sockets, in C(domain-<number>-<name>)."""
_NUMBERED = re.compile(r"domain-\d+")
_SHORT_NAME = 20
"""Characters of a name that libvirt takes for it (C(VIR_DOMAIN_SHORT_NAME_MAX) of its domain_conf.c)."""
_TICKS = os.sysconf("SC_CLK_TCK")
_START_FIELD = 22 - 3
"""Of /proc/<pid>/stat, counted behind the name of the program: when the process started, in ticks since the kernel did (proc(5))."""


def connect(run_dir: str) -> Libvirt:
    """run_dir: root's own, for what is known until the next boot. Raises ReadError where libvirt does not answer; MissingLibraryError."""
    return _Adapter(open_connection(), run_dir)


class _Adapter:
    def __init__(self, connection: t.Any, run_dir: str) -> None:
        self._connection = connection
        self._run_dir = run_dir
        self._host: Host | None = None

    def domains(self) -> t.Mapping[str, Domain]:
        with reading("the domains of this server cannot be listed"):
            found = [self._domain(one) for one in self._connection.listAllDomains(0)]
        return {one.name: one for one in sorted(filter(None, found), key=lambda one: one.name)}

    def _domain(self, domain: t.Any) -> Domain | None:
        """None where it has gone since it was listed."""
        libvirt, name = library(), str(domain.name())
        try:
            status = _status(domain)
            started, started_at = _started(name) if status in ("running", "paused") else ("", 0.0)
            if not started and status in ("running", "paused"):
                status = _status(domain)  # it may have ended between the two
                if status in ("running", "paused"):
                    raise ReadError(f"domain {name} runs, but {PID_DIR}/{name}.pid does not name its process", objects=(name,))
            return Domain(
                name=name,
                uuid=domain.UUIDString(),
                status=status,
                xml=domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE),
                live_xml=domain.XMLDesc(0) if started else "",
                persistent=bool(domain.isPersistent()),
                managed_save=bool(domain.hasManagedSaveImage(0)),
                started=started,
                started_at=started_at,
            )
        except libvirt.libvirtError as error:
            if code(error) == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise

    def host(self) -> Host:
        if self._host is None:
            self._host = read_host(self._connection, self._run_dir)
        return self._host

    def define(self, xml: str) -> None:
        libvirt = library()
        name = xml.partition("<name>")[2].partition("</name>")[0]
        with changing(f"libvirt does not define domain {name}", name):
            self._connection.defineXMLFlags(xml, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)

    def start(self, name: str) -> None:
        """From its disks: a state that somebody saved is of another definition, and of links that are others by now."""
        libvirt = library()
        with changing(f"domain {name} does not start", name):
            domain = self._connection.lookupByName(name)
            if not domain.isActive():
                domain.createWithFlags(libvirt.VIR_DOMAIN_START_FORCE_BOOT)

    def destroy(self, name: str) -> None:
        libvirt = library()
        harmless = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)
        with changing(f"domain {name} cannot be powered off", name, harmless=harmless):
            self._connection.lookupByName(name).destroy()

    def undefine(self, name: str) -> None:
        libvirt = library()
        flags = (
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        )
        with changing(f"domain {name} cannot be undefined", name, harmless=(libvirt.VIR_ERR_NO_DOMAIN,)):
            self._connection.lookupByName(name).undefineFlags(flags)
        _sweep(name)

    def console(self, name: str, device: str = "") -> ConsoleStream:
        with reading(f"the console of {name} cannot be opened", name):
            return open_console(self._connection, self._connection.lookupByName(name), name, device)

    def close(self) -> None:
        with reading("libvirt"):
            self._connection.close()


def _sweep(name: str) -> None:
    """Remove what libvirt itself leaves of a machine that ended with its server: folders of its sockets, one for each such end.

    Longer names are cut in theirs, and could be somebody else's.
    """
    if len(name) > _SHORT_NAME:
        return
    for folder in SOCKET_DIRS:
        for path in glob.glob(os.path.join(folder, f"domain-*-{glob.escape(name)}")):
            if _NUMBERED.fullmatch(os.path.basename(path).removesuffix(f"-{name}")):
                shutil.rmtree(path, ignore_errors=True)


def _status(domain: t.Any) -> Status:
    libvirt = library()
    known: dict[int, Status] = {
        libvirt.VIR_DOMAIN_RUNNING: "running",
        libvirt.VIR_DOMAIN_BLOCKED: "running",
        libvirt.VIR_DOMAIN_SHUTDOWN: "running",
        libvirt.VIR_DOMAIN_PAUSED: "paused",
        libvirt.VIR_DOMAIN_PMSUSPENDED: "paused",
        libvirt.VIR_DOMAIN_CRASHED: "crashed" if not domain.isActive() else "paused",
    }
    state, reason = domain.state()[:2]
    if state == libvirt.VIR_DOMAIN_SHUTOFF and reason == libvirt.VIR_DOMAIN_SHUTOFF_CRASHED:
        return "crashed"
    return known.get(state, "shutoff")


def _started(name: str) -> tuple[str, float]:
    """What tells this start of a domain from others, and when it was; empty where no such process is there."""
    try:
        with open(os.path.join(PID_DIR, f"{name}.pid"), encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            ticks = int(file.read().rpartition(")")[2].split()[_START_FIELD])
        with open("/proc/stat", encoding="ascii") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return "", 0.0
    return f"{pid}.{ticks}", booted + ticks / _TICKS
