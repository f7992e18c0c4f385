# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Virtual machines of the declared state, and how nodes of either sort are talked to. Part of C(_declared.py), which says what holds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Nic:
    """A NIC of a machine; their order is the machine's own. C(tap) is the port of the ports layer that it leads to.

    tap: empty where it leads nowhere and has no carrier: a NIC that the device keeps to itself, or one before a linked one.
    role: C(management), C(reserved) or C(data). interface: the Linux name that the lab has for it, empty where it has none.
    """

    mac: str
    tap: str = ""
    role: str = "data"
    interface: str = ""


@dataclass(frozen=True)
class MediumFile:
    """A file on a medium. path: relative to its root. content: base64."""

    path: str
    content: str


@dataclass(frozen=True)
class Medium:
    """What brings the configuration into a guest, made on the server from files. type: C(iso) (ISO 9660 with Joliet and Rock Ridge),
    C(cloud-init) (an ISO labelled C(cidata)), C(usb) (a VFAT disk).

    bus: of the machine. archive: name of a gzipped tar archive that has the files in it; empty where they are on the medium as they are.
    """

    type: str
    label: str
    bus: str
    files: tuple[MediumFile, ...] = ()
    archive: str = ""

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Medium:
        return cls(
            type=str(values["type"]),
            label=str(values.get("label") or ""),
            bus=str(values["bus"]),
            files=tuple(MediumFile(str(one["path"]), str(one["content"])) for one in values.get("files") or ()),
            archive=str(values.get("archive") or ""),
        )


@dataclass(frozen=True)
class Hardware:
    """The machine that a guest finds. machine: as QEMU calls it. cpu_model: empty is the server's own, or the best that is emulated.

    sockets: all CPUs are on this many, 0 is a socket each. nested: the guest runs machines itself. efi: empty (BIOS), C(stateless) (no
    variables are kept) or C(vars) (with a file of variables of its own). smbios: keys C(manufacturer), C(product), C(serial) ...
    nic_queues: more than one needs virtio. serial_type: C(pty) or C(tcp), which is telnet on 127.0.0.1. graphics: C(none) or C(vnc).
    """

    machine: str = "pc-q35-6.2"
    cpu_model: str = ""
    cpu_flags_off: tuple[str, ...] = ()
    sockets: int = 0
    nested: bool = False
    efi: str = ""
    smbios: t.Mapping[str, str] = field(default_factory=dict)
    disk_bus: str = "virtio"
    nic_model: str = "virtio"
    nic_queues: int = 1
    serial_type: str = "pty"
    serial_count: int = 1
    graphics: str = "none"

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Hardware:
        given = {key: value for key, value in values.items() if value is not None and key in cls.__dataclass_fields__}
        given["cpu_flags_off"] = tuple(str(one) for one in values.get("cpu_flags_off") or ())
        given["smbios"] = {str(key): str(value) for key, value in (values.get("smbios") or {}).items()}
        return cls(**given)


@dataclass(frozen=True)
class Vm:
    """A node that is a virtual machine.

    name: of the libvirt domain. image: path of the backing image on the server, which is shared and never written. sha256: what the image
    must have, empty where nothing was said. memory: bytes. cpus: how many. data_disks: sizes in bytes of further, empty disks.
    serial_ports: TCP ports on 127.0.0.1, one for each serial port of type C(tcp). medium: None where the guest is given none.
    link_apply_mode: C(recreate) or C(restart): a machine that runs is restarted for other NICs; C(live): it waits for a restart by hand.
    wave, hold, waits_for, startup_delay: as for containers; C(hold=healthy) is until its probe says that it is ready.
    """

    name: str
    node: str
    image: str
    kind: str = "generic_vm"
    sha256: str = ""
    memory: int = 0
    cpus: int = 1
    hardware: Hardware = Hardware()
    data_disks: tuple[int, ...] = ()
    nics: tuple[Nic, ...] = ()
    serial_ports: tuple[int, ...] = ()
    medium: Medium | None = None
    link_apply_mode: str = "recreate"
    wave: int = 0
    hold: str = ""
    waits_for: tuple[str, ...] | None = None
    startup_delay: int = 0

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Vm:
        given = {key: value for key, value in values.items() if value is not None and key in cls.__dataclass_fields__}
        given.update(
            hardware=Hardware.from_params(values.get("hardware") or {}),
            data_disks=tuple(int(one) for one in values.get("data_disks") or ()),
            nics=tuple(
                Nic(str(one["mac"]), str(one.get("tap") or ""), str(one.get("role") or "data"), str(one.get("interface") or ""))
                for one in values.get("nics") or ()
            ),
            serial_ports=tuple(int(one) for one in values.get("serial_ports") or ()),
            medium=Medium.from_params(values["medium"]) if values.get("medium") else None,
            waits_for=None if values.get("waits_for") is None else tuple(str(one) for one in values["waits_for"]),
        )
        return cls(**given)


@dataclass(frozen=True)
class Probe:
    """When a node is ready. probe: C(none), C(log), C(console), C(tcp) or C(ssh). pattern: of the log, or of the console's screen.

    address, port: of C(tcp) and C(ssh). timeout: seconds from the node's start. boot_markers: what shows that it is on its way;
    failure_markers: what shows that it never will be.
    """

    probe: str = "none"
    pattern: str = ""
    address: str = ""
    port: int = 0
    timeout: int = 120
    boot_markers: tuple[str, ...] = ()
    failure_markers: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Probe:
        given = {key: value for key, value in values.items() if value is not None and key in cls.__dataclass_fields__}
        given["boot_markers"] = tuple(str(one) for one in values.get("boot_markers") or ())
        given["failure_markers"] = tuple(str(one) for one in values.get("failure_markers") or ())
        return cls(**given)


@dataclass(frozen=True)
class Save:
    """How the running configuration is read. method: C(none), C(exec) (a command in the container), C(console), C(file) (of the container).

    command: the command, or the path of the file. prompt: regular expression of the console's prompt where command may be given; enable:
    what leads there from any other prompt. pager_off: sent before command. volatile: regular expressions of lines that are no part of
    the configuration, or differ each time; they are left out.
    """

    method: str = "none"
    command: str = ""
    prompt: str = ""
    pager_off: str = ""
    enable: str = ""
    volatile: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Save:
        texts = ("method", "command", "prompt", "pager_off", "enable")
        given = {key: str(values[key]) for key in texts if values.get(key) is not None}
        return cls(**given, volatile=tuple(str(one) for one in values.get("volatile") or ()))


@dataclass(frozen=True)
class Access:
    """How a node is talked to. type: C(container) or C(vm); name: of the container or domain.

    post_boot: commands for the console of a machine that is ready, once a boot. username, password: for a login on the console.
    """

    node: str
    type: str
    name: str
    readiness: Probe = Probe()
    save: Save = Save()
    post_boot: tuple[str, ...] = ()
    username: str = ""
    password: str = ""

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Access:
        return cls(
            node=str(values["node"]),
            type=str(values["type"]),
            name=str(values["name"]),
            readiness=Probe.from_params(values.get("readiness") or {}),
            save=Save.from_params(values.get("save") or {}),
            post_boot=tuple(str(one) for one in values.get("post_boot") or ()),
            username=str(values.get("username") or ""),
            password=str(values.get("password") or ""),
        )


@dataclass(frozen=True)
class Lease:
    """What a machine is told by DHCP on its management NIC. ipv4: its address, without prefix length. gateway: this server's own address.

    boot_file: a script that the device gets by TFTP and runs (POAP), with files beside it: name -> base64; empty where there is none.
    """

    mac: str
    ipv4: str
    hostname: str
    gateway: str = ""
    boot_file: str = ""
    files: tuple[MediumFile, ...] = ()

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Lease:
        return cls(
            mac=str(values["mac"]),
            ipv4=str(values["ipv4"]),
            hostname=str(values["hostname"]),
            gateway=str(values.get("gateway") or ""),
            boot_file=str(values.get("boot_file") or ""),
            files=tuple(MediumFile(str(one["path"]), str(one["content"])) for one in values.get("files") or ()),
        )
