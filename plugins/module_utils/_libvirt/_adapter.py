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

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ForeignError, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._connection import (
    HINT,
    changing,
    code,
    library,
    open_connection,
    reading,
    within,
)
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._consoles import open_console
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._host import read_host
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import ConsoleStream, Domain, Host, Libvirt, Status

T = t.TypeVar("T")
READ_TIMEOUT, CHANGE_TIMEOUT = 60.0, 120.0
"""Seconds for one question, and for one change: QEMU may take a while to start on a server that starts many."""
_AGAIN = "look who made it; this run leaves it alone"
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
        self._seen: dict[str, str] = {}
        """Domain -> its UUID, as it was listed last: nothing is done to another one that has its name by now."""
        self._silent = ""

    def _ask(self, error: type[LabError], what: str, name: str, work: t.Callable[[], T]) -> T:
        """Work that ends. libvirtd answers its keepalives while it waits for something itself, so that these tell of nothing."""
        if self._silent:
            raise error(f"{what}: {self._silent}", hint=HINT, objects=(name,) if name else ())
        limit = READ_TIMEOUT if error is ReadError else CHANGE_TIMEOUT
        try:
            return within(limit, work)
        except TimeoutError as late:
            self._silent = f"libvirt on this server did not answer within {limit:g} s"
            raise error(f"{what}: {self._silent}", hint=HINT, objects=(name,) if name else ()) from late

    def _mine(self, name: str) -> t.Any:
        """The domain of that name, if it is the one that was listed. Raises ForeignError."""
        domain = self._connection.lookupByName(name)
        if domain.UUIDString() != self._seen.get(name, domain.UUIDString()):
            raise ForeignError(
                f"domain {name} is another one by now than it was at the beginning of this run", hint=_AGAIN, objects=(name,)
            )
        return domain

    def domains(self) -> t.Mapping[str, Domain]:
        what = "the domains of this server cannot be listed"

        def work() -> list[Domain | None]:
            with reading(what):
                return [self._domain(one) for one in self._connection.listAllDomains(0)]

        found = {one.name: one for one in self._ask(ReadError, what, "", work) if one is not None}
        self._seen.update((name, one.uuid) for name, one in found.items())
        return dict(sorted(found.items()))

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
            what = "what libvirt can do cannot be read"
            self._host = self._ask(ReadError, what, "", lambda: read_host(self._connection, self._run_dir))
        return self._host

    def define(self, xml: str) -> None:
        name = xml.partition("<name>")[2].partition("</name>")[0]
        self._change(f"libvirt does not define domain {name}", name, lambda: self._define(name, xml))

    def _define(self, name: str, xml: str) -> None:
        self._seen[name] = self._connection.defineXMLFlags(xml, library().VIR_DOMAIN_DEFINE_VALIDATE).UUIDString()

    def _change(self, what: str, name: str, work: t.Callable[[], object], harmless: t.Collection[int] = ()) -> None:
        def changed() -> None:
            with changing(what, name, harmless=harmless):
                work()

        self._ask(ApplyError, what, name, changed)

    def start(self, name: str) -> None:
        """From its disks: a state that somebody saved is of another definition, and of links that are others by now."""

        def work() -> None:
            domain = self._mine(name)
            if not domain.isActive():
                domain.createWithFlags(library().VIR_DOMAIN_START_FORCE_BOOT)

        self._change(f"domain {name} does not start", name, work)

    def update_device(self, name: str, xml: str) -> None:
        flags = library().VIR_DOMAIN_AFFECT_LIVE
        self._change(f"a device of domain {name} cannot be changed", name, lambda: self._mine(name).updateDeviceFlags(xml, flags))

    def destroy(self, name: str) -> None:
        libvirt = library()
        harmless = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)
        self._change(f"domain {name} cannot be powered off", name, lambda: self._mine(name).destroy(), harmless)

    def undefine(self, name: str) -> None:
        libvirt = library()
        flags = (
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        )
        what, harmless = f"domain {name} cannot be undefined", (libvirt.VIR_ERR_NO_DOMAIN,)
        self._change(what, name, lambda: self._mine(name).undefineFlags(flags), harmless)
        _sweep(name)

    def console(self, name: str, device: str = "") -> ConsoleStream:
        what = f"the console of {name} cannot be opened"

        def work() -> ConsoleStream:
            with reading(what, name):
                return open_console(self._connection, self._mine(name), name, device)

        return self._ask(ReadError, what, name, work)

    def close(self) -> None:
        """A connection on which nobody answers is left as it is: it ends with this process."""
        if not self._silent:
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
