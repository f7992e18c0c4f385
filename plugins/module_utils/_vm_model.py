# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a plan for the virtual machines of a server is, per machine and as a whole; and which domain a declared machine is to be."""

from __future__ import annotations

import os
import typing as t
import uuid
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks, _vm_media
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain, Host
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
from ansible_collections.archetype.lab.plugins.module_utils._vm_links import Link
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import Differences, DiskSpec, DomainSpec, Mark, NicSpec

State = t.Literal["present", "started", "stopped", "absent"]
Step = t.Literal["keep", "create", "recreate", "update", "start", "restart", "stop"]

_NAMES = uuid.UUID("6f1c0a52-2b3f-5c0e-9a3e-0d7c4f0b7a1e")
"""What the UUIDs of domains are digests in; never to be changed."""
_SECURE = ("secboot", ".ms", ".snakeoil")
"""In the names of UEFI code that boots what is signed only, which no device's image is."""


@dataclass(frozen=True)
class HaveVms:
    """What is on the server, read once. domains: all of them, whoever made them. marks: those that have one.

    specs, lives: of the lab's domains, and of those with a wanted name: what each is defined as, and what runs. host: None if nobody asked.
    digests: image -> its digest. refused: what is wrong with images. files: everything that is in the folders of the lab's machines.
    overlays: domain -> digest of the image that its disk was made on. damaged: domain -> what is wrong with its disks, until they are made
    anew. folders: of machines of the lab, and copies of such. copies: folder -> why it is none of the lab's.
    used: domain -> the machines of the lab in whose folders it has files, or what its disks are made on. unread: domain -> its disks of
    which nobody can tell what they are made on.
    outdated: domain -> what is otherwise about its disks, and can be mended when it is off.
    devices: of the server, for the taps. offloads: whether the bridge takes what is not yet checked and cut. memory: bytes that can be had.
    cpu_models: that libvirt knows, empty where it does not tell.
    listeners: TCP ports of 127.0.0.1 that somebody listens on. ready: nodes that were found to be, since they were started.
    """

    domains: t.Mapping[str, Domain] = field(default_factory=dict)
    marks: t.Mapping[str, Mark] = field(default_factory=dict)
    specs: t.Mapping[str, DomainSpec] = field(default_factory=dict)
    lives: t.Mapping[str, DomainSpec] = field(default_factory=dict)
    host: Host | None = None
    digests: t.Mapping[str, str] = field(default_factory=dict)
    refused: tuple[LabError, ...] = ()
    files: frozenset[str] = frozenset()
    overlays: t.Mapping[str, str] = field(default_factory=dict)
    damaged: t.Mapping[str, LabError] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    copies: t.Mapping[str, LabError] = field(default_factory=dict)
    used: t.Mapping[str, frozenset[str]] = field(default_factory=dict)
    unread: t.Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outdated: t.Mapping[str, tuple[Change, ...]] = field(default_factory=dict)
    devices: t.Mapping[str, Device] = field(default_factory=dict)
    offloads: bool = True
    memory: int = 0
    cpus: int = 0
    cpu_models: frozenset[str] = frozenset()
    listeners: frozenset[int] = frozenset()
    ready: frozenset[str] = frozenset()

    def ours(self, name: str, lab: str) -> bool:
        return self.owner(name) == lab

    def owner(self, name: str) -> str:
        """The lab that a domain belongs to; empty where none does.

        A copy that somebody made of a machine has its mark, and a UUID of its own: it is theirs.
        """
        mark, domain = self.marks.get(name), self.domains.get(name)
        return mark.lab if mark and domain and domain.uuid == uuid_of(mark.lab, mark.node) else ""

    def whose(self, name: str) -> str:
        """The same for people."""
        if owner := self.owner(name):
            return f"lab {owner}"
        if mark := self.marks.get(name):
            return f"foreign (it has the mark of node {mark.node} of lab {mark.lab}, and not its UUID, as a copy does)"
        return "foreign (it has no mark)"


@dataclass(frozen=True)
class VmPlan:
    """What is done for one machine, and why. run: it is to run in the end. off: it is powered off first. define: its definition is written.

    fresh: what it wrote, and its variables of UEFI, are thrown away before. disks: files that are made. medium: whether its medium is.
    mend: its disks are mended. discard: media that nobody reads any more. opens: it runs, and is not yet as its hold wants it.
    stuck: why nothing can be done for it.
    needs_restart: what differs between what is declared and what runs, and will until somebody asks for a restart.
    idle: why those that wait for it cannot be started: it is left alone, and is not as they need it.
    links: those of NICs, that are set while it runs on.
    """

    want: Vm
    spec: DomainSpec
    step: Step = "keep"
    reason: str = ""
    fields: Differences = field(default_factory=dict)
    run: bool = True
    off: bool = False
    define: bool = False
    fresh: bool = False
    disks: tuple[str, ...] = ()
    medium: bool = False
    mend: bool = False
    discard: tuple[str, ...] = ()
    opens: bool = False
    stuck: LabError | None = None
    needs_restart: tuple[str, ...] = ()
    idle: str = ""
    links: tuple[Link, ...] = ()

    @property
    def starts(self) -> bool:
        return self.run and self.step in ("create", "recreate", "start", "restart")

    @property
    def works(self) -> bool:
        """Whether anything is changed."""
        return self.step != "keep" or self.medium or self.mend or bool(self.disks or self.discard)

    @property
    def busy(self) -> bool:
        """Whether it is not yet as it is wanted."""
        return self.works or self.opens or self.stuck is not None


@dataclass
class VmsPlan:
    """changes: for the result. drops: domains that go. folders: of machines, that go. kept: why folders stay that were to go.

    failed, unmet: as in the plan for containers, filled while the plan is carried out. coming: nodes that others wait for, and that are on
    their way still; put_off: those that wait for them, to which nothing was done; filled as well.
    down: taps whose NICs are to have no carrier. spared: all that is left alone.
    replan: plans again, without what is done to some, and with carriers cut.
    """

    lab: str
    state: State
    have: HaveVms
    nodes: list[VmPlan] = field(default_factory=list)
    drops: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    kept: dict[str, LabError] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    unmet: dict[str, str] = field(default_factory=dict)
    coming: list[str] = field(default_factory=list)
    put_off: set[str] = field(default_factory=set)
    down: frozenset[str] = frozenset()
    spared: frozenset[str] = frozenset()
    replan: t.Callable[[t.Collection[str], t.Collection[str]], VmsPlan] | None = None

    def sparing(self, names: t.Collection[str]) -> VmsPlan:
        """The same without what would be done to these machines, named by domain or node, and to NICs, named by their taps.

        Not for what was begun to be carried out; nor is C(cutting).
        """
        return self.replan(names, self.down) if self.replan is not None and names else self

    def cutting(self, taps: t.Collection[str]) -> VmsPlan:
        """The same, with the links of these taps down and all others up. Other names are nothing to it."""
        return self.replan((), taps) if self.replan is not None and frozenset(taps) != self.down else self

    @property
    def busy(self) -> bool:
        """Whether there is anything to do or to wait for."""
        return bool(self.changes or self.kept) or any(one.busy or one.idle or one.links for one in self.nodes)

    def waves(self) -> list[int]:
        return sorted({one.want.wave for one in self.nodes})

    def waiting(self, wave: int | None) -> list[str]:
        """Nodes of later waves that still have to be started, or to become what the wave after them waits for."""
        return [] if wave is None else [one.want.node for one in self.nodes if one.busy and one.want.wave > wave]


# -- the domain of a machine ----------------------------------------------------------------------------------------


def uuid_of(lab: str, node: str) -> str:
    """The same in every run, on every server: a device that shows its UUID stays what it was."""
    return str(uuid.uuid5(_NAMES, f"{lab}/{node}"))


def firmware_of(host: Host) -> tuple[str, str]:
    """UEFI code of this server, and the template of its variables; empty where there is none. Raises nothing."""
    found = {code: template for code, template in (host.firmware or {}).items() if not any(one in code for one in _SECURE)}
    code = min(found, key=lambda one: ("4M" not in one, one), default="")
    return code, found.get(code, "")


def machine_of(host: Host, name: str) -> str:
    """What QEMU calls this machine type; the name itself where QEMU has none of it."""
    return (host.machines or {}).get(name) or name


def spec_of(lab: str, want: Vm, have: HaveVms, host: Host) -> DomainSpec:
    """The domain that a declared machine is to be on this server."""
    hardware = want.hardware
    folder = _vm_disks.folder_of(lab, want.name)
    code, template = firmware_of(host) if hardware.efi else ("", "")
    keeps = hardware.efi == "vars"
    return DomainSpec(
        name=want.name,
        uuid=uuid_of(lab, want.node),
        mark=Mark(lab, want.node, want.kind, want.image, have.digests.get(want.image, "")),
        virt="kvm" if host.kvm else "qemu",
        machine=machine_of(host, hardware.machine),
        memory=want.memory,
        cpus=want.cpus,
        log=os.path.join(folder, "console.log"),
        cpu_model=hardware.cpu_model,
        cpu_flags_off=hardware.cpu_flags_off,
        sockets=hardware.sockets,
        nested=hardware.nested,
        efi=code,
        nvram=os.path.join(folder, "nvram.fd") if keeps else "",
        nvram_template=template if keeps else "",
        smbios=hardware.smbios,
        disks=tuple(_disks(lab, want)),
        nics=tuple(_nic(want, one.mac, one.tap, offloads=have.offloads) for one in want.nics),
        serial_count=hardware.serial_count,
        serial_ports=want.serial_ports if hardware.serial_type == "tcp" else (),
        graphics=hardware.graphics,
    )


def _disks(lab: str, want: Vm) -> t.Iterator[DiskSpec]:
    bus = want.hardware.disk_bus
    system, *data = _vm_disks.paths_of(lab, want)
    yield DiskSpec(system, "system", bus)
    for path in data:
        yield DiskSpec(path, "data", bus)
    if want.medium:
        yield DiskSpec(
            _vm_media.path_of(lab, want), "config", want.medium.bus, format="raw", cdrom=want.medium.type != "usb", read_only=True
        )


def _nic(want: Vm, mac: str, tap: str, *, offloads: bool) -> NicSpec:
    """What only virtio has is said of nothing else, and of no NIC that leads nowhere: it could not be compared."""
    model = want.hardware.nic_model
    whole = model == "virtio" and bool(tap)
    return NicSpec(mac, tap, model, want.hardware.nic_queues if whole else 1, offloads or not whole)
