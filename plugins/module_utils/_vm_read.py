# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What planning for virtual machines looks at, read once.

A server without machines of the lab, and without their folder, is not asked for its libvirt, which it need not have. Where there is one or
the other, libvirt must answer: what it does not tell of is not gone. A machine has its folder before it is defined, and until it is
undefined.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils import (
    _bridge,
    _listeners,
    _ready_state,
    _vm_chains,
    _vm_disks,
    _vm_images,
    _vm_media,
    _vm_reach,
    _vm_xml,
)
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access, Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import DomainSpec
from ansible_collections.archetype.lab.plugins.module_utils._vm_xml_read import NAMESPACE

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

_DEFINED = "/etc/libvirt/qemu"
"""Where libvirt keeps the definitions of its domains."""
_CPU_MODELS = "/usr/share/libvirt/cpu_map"
"""Where libvirt keeps what it knows of CPUs, a file for each model."""
_MEMINFO = "/proc/meminfo"
_LOCAL = ("", "127.0.0.1")


def concerned(lab: str, want: t.Sequence[Vm]) -> bool:
    """Whether the lab has, or had, machines on this server: only then is libvirt asked, which most servers have not.

    Their folder may have been removed by hand. Then their definitions are seen. Raises ReadError.
    """
    return bool(want) or _vm_disks.has_folder(lab) or _is_defined(lab)


def _is_defined(lab: str) -> bool:
    try:
        with os.scandir(_DEFINED) as entries:
            paths = sorted(entry.path for entry in entries if entry.name.endswith(".xml") and entry.is_file())
        return any(_names_lab(path, lab) for path in paths)
    except FileNotFoundError:
        return False
    except OSError as error:
        hint = "run the module as root (become: true)"
        raise ReadError(f"{_DEFINED} cannot be read: {error.strerror}", hint=hint, objects=(lab,)) from error


def _names_lab(path: str, lab: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except FileNotFoundError:
        return False
    return NAMESPACE in text and f'lab="{lab}"' in text


def read(
    server: Server,
    lab: str,
    want: t.Sequence[Vm],
    *,
    bridge: str = "arch-ovs",
    devices: t.Mapping[str, Device] | None = None,
    offloads: bool | None = None,
    access: t.Sequence[Access] = (),
) -> HaveVms:
    """Everything that planning looks at. Raises ReadError. devices, offloads: where they are known already.

    access: how it is seen who is ready.
    """
    if not concerned(lab, want):
        return HaveVms()
    have = read_domains(server, lab, want)
    folders = _vm_disks.folders(lab)
    used, unread = _uses(lab, folders, have.domains)
    copies = _vm_disks.foreign(lab, folders)
    have = replace(have, folders=folders, copies=copies, files=_vm_disks.files(lab, folders), used=used, unread=unread)
    if not want:
        return have
    digests, refused = _vm_images.check(want)
    overlays, errors = _vm_disks.overlays(lab, folders & {one.name for one in want})
    host = server.virt.host()
    refused += [*_vm_reach.unreachable(digests, host.uid, host.gid), *_vm_reach.ungiven(host.uid)]
    refused += [*_vm_media.lacking(lab, want, have.files), *_linked(lab, want)]
    damaged = {name: error for error in errors for name in error.objects}
    outdated: dict[str, tuple[Change, ...]] = {}
    for one in want:
        try:
            outdated[one.name] = tuple(_vm_disks.outdated(lab, one)) if one.name in folders - {*damaged} else ()
        except LabError as error:
            damaged[one.name] = error
    return replace(
        have,
        host=host,
        digests=digests,
        refused=tuple(refused),
        overlays=overlays,
        damaged=damaged,
        outdated=outdated,
        devices=server.net.read() if devices is None else devices,
        offloads=_offloads(server, bridge) if offloads is None else offloads,
        memory=_memory(),
        cpus=os.cpu_count() or 0,
        cpu_models=_cpu_models(),
        listeners=_listening(want),
        ready=_ready(lab, want, have.domains, access),
    )


def read_domains(server: Server, lab: str, want: t.Sequence[Vm]) -> HaveVms:
    """Libvirt's part of it."""
    domains = server.virt.domains()
    read_xml = {name: _vm_xml.read(one.xml) for name, one in domains.items()}
    specs = {name: spec for name, spec in read_xml.items() if spec is not None}
    wanted = {one.name for one in want}
    own = {name for name, spec in specs.items() if spec.mark.lab == lab or name in wanted}
    lives = {name: live for name in own if (live := _live(domains[name])) is not None}
    return HaveVms(
        domains=domains,
        marks={name: spec.mark for name, spec in specs.items()},
        specs={name: specs[name] for name in own},
        lives=lives,
    )


def _linked(lab: str, want: t.Sequence[Vm]) -> t.Iterator[LabError]:
    """Folders of machines that are elsewhere. What is in them is not gone, and must not be taken for that."""
    for folder, one in ((_vm_disks.folder_of(lab, one.name), one) for one in want):
        if os.path.islink(folder):
            hint = "put the folder itself there, or mount what it is on"
            yield ReadError(f"{folder} is a link, and is not followed", hint=hint, objects=(one.name,))


def _uses(
    lab: str, folders: t.Collection[str], domains: t.Mapping[str, Domain]
) -> tuple[dict[str, frozenset[str]], dict[str, tuple[str, ...]]]:
    """Who needs what is in these folders, and of whom nobody can tell. Paths are compared as they really are, whatever links lead there."""
    used: dict[str, frozenset[str]] = {}
    unread: dict[str, tuple[str, ...]] = {}
    real = {os.path.realpath(_vm_disks.folder_of(lab, name)): name for name in folders}
    for name, one in domains.items() if real else ():
        paths, unknown = _vm_chains.needed(one.xml, one.live_xml)
        used[name] = frozenset(real[above] for path in paths for above in (path, os.path.dirname(path)) if above in real)
        if unknown:
            unread[name] = unknown
    return used, unread


def _live(domain: Domain) -> DomainSpec | None:
    return _vm_xml.read(domain.live_xml) if domain.live_xml else None


def _offloads(server: Server, name: str) -> bool:
    """A userspace bridge hands on frames as they are: what the guest left to be checked or cut, it never is."""
    bridge = _bridge.observe(server.ovs.read(), name)
    return bridge is None or bridge.datapath_type != "netdev"


def _memory() -> int:
    """Bytes that can be had without swapping. Raises ReadError."""
    try:
        with open(_MEMINFO, encoding="ascii") as stream:
            for line in stream:
                name, _colon, value = line.partition(":")
                if name == "MemAvailable":
                    return int(value.split()[0]) * 1024
    except (OSError, ValueError, IndexError) as error:
        raise ReadError(f"{_MEMINFO} cannot be read: {error}") from error
    raise ReadError(f"{_MEMINFO} does not tell what memory is available", hint="use a Linux newer than 3.14")


def _cpu_models() -> frozenset[str]:
    """Libvirt's files are where its package has them; where they are elsewhere, it says at the start what it does not know."""
    try:
        names = os.listdir(_CPU_MODELS)
    except OSError:
        return frozenset()
    return frozenset(name[len("x86_") : -len(".xml")] for name in names if name.startswith("x86_") and name.endswith(".xml"))


def _listening(want: t.Sequence[Vm]) -> frozenset[int]:
    if not any(one.serial_ports for one in want):
        return frozenset()
    return frozenset(port for protocol, port, address in _listeners.read() if protocol == "tcp" and address in _LOCAL)


def _ready(lab: str, want: t.Sequence[Vm], domains: t.Mapping[str, Domain], access: t.Sequence[Access]) -> frozenset[str]:
    """Nodes that were found ready since they were started, or of which nobody can tell; looked at only where somebody waits for it."""
    asked = [one for one in want if one.hold == "healthy" and one.name in domains]
    seen = {one.node for one in access if _ready_state.probed(one)}
    memory = _ready_state.load(lab) if any(one.node in seen for one in asked) else None
    return frozenset(
        one.node for one in asked if memory is None or one.node not in seen or memory.of(one.node, domains[one.name].boot).ready_at
    )
