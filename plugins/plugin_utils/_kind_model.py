# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is known of a type of device, as values. They come from the files of C(kinds/), which C(kinds/kind.schema.json) describes.

Texts of C(Boot) and C(StartupConfig) may have placeholders such as C({node}); C(_placeholders.py) lists them and fills them in.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

Provider = t.Literal["container", "vm", "segment", "host", "external"]
"""container: the node is a container. vm: a virtual machine, or the container that has one in it (vrnetlab). segment: no device but
a wire with many ends, made by the lab. host: the server itself. external: a container that is there already and is not the lab's."""

CLOUD_INIT = "cloud-init"
"""A medium: a seed that tells a machine its addresses too."""


@dataclass(frozen=True)
class InterfaceForm:
    """One way to name interfaces. name: with placeholders such as C({slot}) and C({port}); pattern: what it accepts, with these groups.

    offset: the port number of the first data interface. step: how much the port number grows from one interface to the next (SONiC: 4).
    slots: ports of a slot, for kinds that count through slots (IOL: 4 ports each); 0 where slots have no place in the number.
    linux: the Linux name with the form's own placeholders, for kinds whose Linux names are spelled otherwise (C(e{slot}-{port})); empty
    where it is the kind's C(linux) with the index.
    """

    name: str
    pattern: re.Pattern[str]
    offset: int = 0
    step: int = 1
    slots: int = 0
    linux: str = ""
    count: int = 0
    """How many interfaces it names, from the offset on; 0 is any number."""


@dataclass(frozen=True)
class Interfaces:
    """Names of a kind's interfaces. forms: how the vendor names them, the usual one first; empty where there is one name only.

    management: Linux name of the management interface, empty where there is none. management_vendor: the vendor's name for it.
    links_may_use_management: whether a link may name it when the node has no management network.
    linux: the Linux name with C({index}). first: index of the first data interface. reserved: NICs between management and first that
    the device keeps to itself (VMs). accepted: what Linux names may look like. maximum: highest number of data interfaces, 0 is any.
    """

    management: str = "eth0"
    management_vendor: str = ""
    links_may_use_management: bool = False
    management_link: str = ""
    """The Linux name that a link gives the management interface, where it is not the one that it has in a management network."""
    linux: str = "eth{index}"
    first: int = 1
    reserved: int = 0
    accepted: re.Pattern[str] = re.compile(r".+")
    forms: tuple[InterfaceForm, ...] = ()
    maximum: int = 0
    cards: bool = False
    """Whether the ports of a node with components are counted through its cards (C(_cards.py))."""


@dataclass(frozen=True)
class BootFile:
    """A file that the device finds when it starts. each: a line for every data interface, put in place of C({each}) of the content."""

    path: str
    content: str
    mode: str = "0644"
    each: str = ""


@dataclass(frozen=True)
class Boot:
    """How a container of the kind is started. binds: C(source:target[:options]) with placeholders. C(env_each): variables that are one text
    joined of a piece for every data interface: name -> (piece, separator).

    A word of cmd or entrypoint with C({env}) is repeated for every variable. folders: in the node, kept on its server however often the
    node is made anew. devices: one that ends with C(?) is left out where the server has none, a capability that ends so where the server
    cannot give it. privileged: likewise, the node has its capabilities alone where the server cannot give all.
    extras: key of the topology's C(extras) that lists files -> the folder in the node where they go.
    types: type of the device -> further placeholders; C(image) among them is a pattern of images that are of this type.
    """

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    user: str = ""
    env: t.Mapping[str, str] = field(default_factory=dict)
    env_each: t.Mapping[str, tuple[str, str]] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    devices: tuple[str, ...] = ()
    privileged: bool = False
    system_paths: str = "default"
    shm_size: int = 0
    binds: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    files: tuple[BootFile, ...] = ()
    security_opts: tuple[str, ...] = ()
    types: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    extras: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StartupConfig:
    """Where the start-up configuration goes, and what it is where the user gives none.

    path: in the node, empty where the kind takes none. default: the configuration of a node without one, empty where it starts without.
    each: a line for every data interface, put in place of C({each}) of the default. Where the default has C({partial}), a user's own that
    is only a part (C(.partial) in the name of its file) goes there, into the default.
    template: whether fields such as C({{ .ShortName }}) are filled in in the user's own.
    accepts: pattern of what the device reads at its start, where that is one form of several; what does not fit is a part, it goes to
    part_path, and the command part_apply runs when the node has started.
    medium: of native VMs: C(iso), C(cloud-init), C(usb), or C(poap), which is no medium but an answer of the management network. label: of
    its file system; file: on it. archive: name of a gzipped tar archive on the medium that has the file in it. bus: of the medium, where it
    is not the usual one. preamble: what a native VM is told before its configuration, whoever wrote that.
    """

    path: str = ""
    default: str = ""
    mode: str = "0644"
    template: bool = False
    medium: str = ""
    label: str = ""
    file: str = ""
    archive: str = ""
    preamble: str = ""
    bus: str = ""
    each: str = ""
    accepts: str = ""
    part_path: str = ""
    part_apply: tuple[str, ...] = ()


@dataclass(frozen=True)
class Readiness:
    """When a node is ready. probe: C(none), C(log), C(console), C(tcp), C(ssh). pattern: of the log or the screen. timeout: seconds.

    packed_pattern: of the log of a container that has the machine in it, where a VM kind runs as one; what the machine prints is there too.
    optout: the kind says explicitly that there is nothing to wait for; no other layer can undo it.
    """

    probe: str = "none"
    pattern: str = ""
    port: int = 0
    timeout: int = 120
    optout: bool = False
    boot_markers: tuple[str, ...] = ()
    failure_markers: tuple[str, ...] = ()
    packed_pattern: str = ""


@dataclass(frozen=True)
class Console:
    """How a person gets a prompt. method: C(exec), C(ssh), C(telnet), C(virsh). command: of C(exec), as one line."""

    method: str = "exec"
    command: str = "sh"


@dataclass(frozen=True)
class SaveConfig:
    """How the running configuration is read. method: C(none), C(exec), C(console), C(ssh), C(file). command: or the path of the file.

    prompt: of the console, where command may be given; enable: what leads there from any other prompt. volatile: expressions of lines that
    are no part of the configuration, or differ each time.
    """

    method: str = "none"
    command: str = ""
    prompt: str = ""
    pager_off: str = ""
    enable: str = ""
    volatile: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connection:
    """How Ansible talks to the device. variables: as they are set for its host."""

    network_os: str = ""
    plugin: str = ""
    username: str = ""
    password: str = ""
    variables: t.Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """One kind, with the overrides of image and lab in it. hardware: of native VMs, as the schema describes it. memory: bytes; cpu: CPUs.

    packed_only: why there is no machine of this kind from a disk image alone; empty where there is (C(_kinds.why_not_native)).

    post_boot: commands (argument lists) that run in the node once it is ready. link_apply_mode: how a changed link reaches a running node.
    vm_image: whether an image is a disk image rather than a container's is told by its name (C(_kinds.is_disk_image)).
    """

    name: str
    provider: Provider
    aliases: tuple[str, ...] = ()
    description: str = ""
    image: str = ""
    type: str = ""
    interfaces: Interfaces = field(default_factory=Interfaces)
    boot: Boot = field(default_factory=Boot)
    startup_config: StartupConfig = field(default_factory=StartupConfig)
    license_path: str = ""
    readiness: Readiness = field(default_factory=Readiness)
    console: Console = field(default_factory=Console)
    save_config: SaveConfig = field(default_factory=SaveConfig)
    connection: Connection = field(default_factory=Connection)
    post_boot: tuple[tuple[str, ...], ...] = ()
    memory: int = 0
    cpu: float = 0.0
    packed_only: str = ""
    hardware: t.Mapping[str, t.Any] = field(default_factory=dict)
    link_apply_mode: str = "recreate"
    addresses: bool = False
    """Whether the lab may put addresses on data interfaces itself (Linux), rather than leave them to the device's configuration."""

    @property
    def is_segment(self) -> bool:
        return self.provider == "segment"
