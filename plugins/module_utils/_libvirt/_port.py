# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the layers need of libvirt. C(_adapter.py) does it with libvirt-python, over one connection to the system's daemon."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

LOG_DIR = "/var/log/libvirt/qemu"
"""Where libvirt writes what QEMU says, C(<domain>.log); it never removes it."""

Status = t.Literal["running", "paused", "shutoff", "crashed"]


@dataclass(frozen=True)
class Domain:
    """A domain as libvirt has it. xml: what it will be at its next start (inactive); live_xml: what runs, empty where nothing does.

    started: what tells one start of it from the next (the process of QEMU and its start time), empty where it does not run; it stays
    the same when libvirtd is restarted. started_at: seconds since 1970, 0.0 where it does not run.
    """

    name: str
    uuid: str
    status: Status
    xml: str
    live_xml: str = ""
    persistent: bool = True
    managed_save: bool = False
    started: str = ""
    started_at: float = 0.0

    @property
    def running(self) -> bool:
        return self.status in ("running", "paused")

    @property
    def boot(self) -> str:
        """What tells this start of it from every other, of any domain."""
        return f"{self.uuid}@{self.started}"


@dataclass(frozen=True)
class Host:
    """What the server can do. kvm: whether a machine really starts with it, which is tried, not read. why_not: where it does not.

    uid, gid: of QEMU's processes, 0 is root. machines: what may be written -> what QEMU calls it (C(pc) -> C(pc-i440fx-7.2)).
    firmware: paths of UEFI: code -> template of its variables.
    """

    libvirt: str
    qemu: str
    kvm: bool
    why_not: str = ""
    uid: int = 0
    gid: int = 0
    machines: t.Mapping[str, str] | None = None
    firmware: t.Mapping[str, str] | None = None


class ConsoleStream(t.Protocol):
    """A serial console that nobody else writes to meanwhile. Closing it gives it back."""

    def read(self, timeout: float) -> bytes:
        """What came within that many seconds, at least one byte, or nothing. Raises ReadError when the console ended."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Libvirt(t.Protocol):
    """Everything raises ReadError or ApplyError, naming the object."""

    def domains(self) -> t.Mapping[str, Domain]:
        """All domains of the server, by name, whoever made them."""

    def host(self) -> Host: ...

    def define(self, xml: str) -> None:
        """Define, or define anew; one that runs goes on as it is until its next start."""

    def start(self, name: str) -> None: ...

    def update_device(self, name: str, xml: str) -> None:
        """Change a device of a domain that runs, and not its definition; xml: the device, as it is to be."""

    def destroy(self, name: str) -> None:
        """Power off; no error when it does not run."""

    def undefine(self, name: str) -> None:
        """With its NVRAM, managed save and metadata of snapshots; no error when it is gone already."""

    def console(self, name: str, device: str = "") -> ConsoleStream:
        """The console of a running domain; device: alias such as C(serial1), empty is the first. Raises LockedError where it is in use."""

    def close(self) -> None: ...
