# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What stops a run before it touches the server's virtual machines: all of it, told at once."""

from __future__ import annotations

import difflib
import os
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks, _vm_media
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Host
from ansible_collections.archetype.lab.plugins.module_utils._vm_hints import MAKE_ANEW, PREPARE
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms, firmware_of, machine_of, spec_of, uuid_of
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import faults

LEAST_MEMORY = 16 * 1024**2
"""Bytes with which no machine boots anything, and that a forgotten unit is below."""
MOST_NICS = 200
"""A machine of type q35 has no more places for cards; what libvirt says of more does not name the node."""
_NEAR = 4
_MIB = 1024**2


def check(
    want: t.Sequence[Vm],
    have: HaveVms,
    lab: str,
    *,
    starts: bool = True,
    dropped: t.Collection[str] = (),
    ended: t.Collection[str] = (),
    anew: t.Collection[str] = (),
    spared: t.Collection[str] = (),
) -> list[LabError]:
    """What is wrong with this list on this server. starts: whether they will be started. dropped: domains that will be gone.

    ended: domains that will be powered off first, those among them. anew: nodes whose disks are thrown away.
    spared: domains that are left alone, whatever is wrong with them.
    """
    concerned = [one for one in want if one.name not in spared]
    excused = {*spared, *(one.image for one in want)} - {one.image for one in concerned}
    errors = [*_duplicates(want), *(error for error in have.refused if not error.objects or not excused.issuperset(error.objects))]
    for one in concerned:
        errors += [*_foreign(one, have, lab, dropped), *_sizes(one), *_waits(one), *_vm_media.faults(one)]
        if one.node not in anew:
            errors += [have.damaged[one.name]] if one.name in have.damaged else []
            errors += _moved(one, have, lab) if have.ours(one.name, lab) else []
        if have.host is not None:
            errors += [
                *_hardware(one, have.host, have.cpu_models),
                *_consoles(one, have, lab, ended),
                *faults(spec_of(lab, one, have, have.host)),
            ]
    if starts:
        errors += _memory(concerned, have, dropped)
    return list(dict.fromkeys(errors))


def _duplicates(want: t.Sequence[Vm]) -> t.Iterator[LabError]:
    first: dict[str, int] = {}
    for index, one in enumerate(want):
        things = [f"domain {one.name}", f"node {one.node}", *(f"TCP port {port}" for port in one.serial_ports)]
        for thing in [*things, *(f"tap {nic.tap}" for nic in one.nics if nic.tap)]:
            if thing in first:
                text = f"{thing} is in vms[{first[thing]}] and in vms[{index}]"
                yield LabError(text, hint="give each its own", objects=(one.name,))
            first.setdefault(thing, index)


def _foreign(want: Vm, have: HaveVms, lab: str, dropped: t.Collection[str]) -> t.Iterator[LabError]:
    if want.name in have.domains and not have.ours(want.name, lab):
        yield ForeignError(
            f"domain {want.name} is wanted for node {want.node} of lab {lab}, but is {have.whose(want.name)}",
            hint="remove or rename it, or give the lab another name",
            objects=(want.name,),
        )
    wanted = uuid_of(lab, want.node)
    for name, found in have.domains.items():
        if found.uuid == wanted and name != want.name and name not in dropped:
            yield ForeignError(
                f"domain {name} has the UUID {wanted} of node {want.node} of lab {lab}",
                hint=f"rename it back to {want.name}, or remove it",
                objects=(want.name, name),
            )


def _moved(want: Vm, have: HaveVms, lab: str) -> t.Iterator[LabError]:
    """A snapshot lets the machine write to another file. Defined as declared, it would go on without what is in that."""
    specs = [spec for spec in (have.lives.get(want.name), have.specs.get(want.name)) if spec]
    disks = [disk for spec in specs for disk in spec.disks if disk.role in ("system", "data")]
    for path, role in {disk.path: disk.role for disk in disks if not _vm_disks.is_disk(lab, want.name, disk.path)}.items():
        own = os.path.join(_vm_disks.folder_of(lab, want.name), _vm_disks.SYSTEM if role == "system" else "dataN.qcow2")
        yield LabError(
            f"domain {want.name} of node {want.node} has a disk in {path or 'no file'}, as somebody made a snapshot of it, or moved it",
            hint=f"bring it back into {own}: virsh -c qemu:///system blockcommit {want.name} {path} --base {own} --active --pivot"
            " where it runs;"
            f" or {MAKE_ANEW}",
            objects=(want.name,),
        )


def _sizes(want: Vm) -> t.Iterator[LabError]:
    if want.memory < LEAST_MEMORY:
        yield LabError(
            f"node {want.node} has {want.memory} bytes of memory, which no machine boots with",
            hint="give it memory with a unit, for example 2048MB",
            objects=(want.name,),
        )
    if want.cpus < 1:
        yield LabError(f"node {want.node} has {want.cpus} CPUs", hint="give it at least one", objects=(want.name,))
    for number, size in enumerate(want.data_disks, 1):
        if size < 1:
            yield LabError(
                f"data disk {number} of node {want.node} has {size} bytes", hint="give it a size, for example 10GB", objects=(want.name,)
            )
    if want.hardware.serial_type == "tcp" and not want.serial_ports:
        yield LabError(
            f"node {want.node} has serial consoles over TCP, and no TCP ports for them",
            hint="give serial_ports one for each, or set serial_type to pty",
            objects=(want.name,),
        )
    if len(want.nics) > MOST_NICS:
        yield LabError(
            f"node {want.node} has {len(want.nics)} NICs, up to its highest linked interface; a machine has places for {MOST_NICS}",
            hint="link interfaces with lower numbers",
            objects=(want.name,),
        )


def _waits(want: Vm) -> t.Iterator[LabError]:
    if want.hold == "exit":
        yield LabError(
            f"node {want.node} is waited for until it exits, but a virtual machine does not",
            hint="wait until it is healthy",
            objects=(want.name,),
        )


def _hardware(want: Vm, host: Host, cpu_models: t.Collection[str]) -> t.Iterator[LabError]:
    hardware = want.hardware
    machine = machine_of(host, hardware.machine)
    if host.machines and machine not in (*host.machines, *host.machines.values()):
        near = difflib.get_close_matches(hardware.machine, sorted(host.machines), _NEAR, 0.5)
        yield LabError(
            f"QEMU {host.qemu} of this server has no machine type {hardware.machine}, which node {want.node} is to be",
            hint=f"it has {', '.join(near)}" if near else "look at what qemu-system-x86_64 -machine help lists",
            objects=(want.name,),
        )
    if hardware.cpu_model and cpu_models and hardware.cpu_model not in cpu_models:
        near = difflib.get_close_matches(hardware.cpu_model, sorted(cpu_models), _NEAR, 0.5)
        yield LabError(
            f"libvirt of this server knows no CPU {hardware.cpu_model}, which node {want.node} is to have",
            hint=f"it knows {', '.join(near)}" if near else "look at what virsh cpu-models x86_64 lists",
            objects=(want.name,),
        )
    if hardware.efi and not firmware_of(host)[0]:
        yield LabError(
            f"node {want.node} boots with UEFI, and this server has none",
            hint=f"install the package ovmf (edk2-ovmf), or {PREPARE}",
            objects=(want.name,),
        )


def _consoles(want: Vm, have: HaveVms, lab: str, ended: t.Collection[str]) -> t.Iterator[LabError]:
    """TCP ports of its serial consoles: those that it listens on itself are not in the way, nor are those that this run frees."""
    holders = {port: name for name, live in have.lives.items() if have.ours(name, lab) for port in live.serial_ports}
    for port in want.serial_ports:
        holder = holders.get(port, "")
        if port not in have.listeners or holder == want.name or holder in ended:
            continue
        node = have.marks[holder].node if holder else ""
        yield LabError(
            f"TCP port {port} of 127.0.0.1, for a serial console of node {want.node}, is in use on this server already"
            + (f", by node {node} of the lab, which runs on" if node else ""),
            hint=f"restart node {node} with -e lab_restart={node}, if it is to have another one; or give this one another port"
            if node
            else f"look who it is with: ss -ltnp 'sport = {port}'",
            objects=(want.name,),
        )


def _memory(want: t.Sequence[Vm], have: HaveVms, dropped: t.Collection[str]) -> t.Iterator[LabError]:
    """Machines that do not run yet take their memory from what can be had now, and from what those leave that go."""
    stopped = [one for one in want if not (one.name in have.domains and have.domains[one.name].running)]
    needed = sum(one.memory for one in stopped)
    left = have.memory + sum(have.lives[name].memory for name in dropped if name in have.lives)
    if have.memory and needed > left:
        named = ", ".join(one.node for one in stopped[:_NEAR]) + (f" and {len(stopped) - _NEAR} more" if len(stopped) > _NEAR else "")
        yield LabError(
            f"machines {named} would be started with {needed // _MIB} MiB of memory together, and this server has {left // _MIB} MiB left",
            hint="give them less memory, put some on another server, or stop what else needs memory there",
            objects=tuple(one.name for one in stopped),
        )
