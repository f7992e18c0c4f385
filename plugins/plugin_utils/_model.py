# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The values that flow through the controller side: what a topology means, before anything is placed or allocated.

Everything is resolved here: inheritance applied, names canonical, files found. Nothing knows of a server.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind

_PLAIN = Kind("linux", "container")


@dataclass(frozen=True)
class Place:
    """Where in a file something was written; line and column count from 1."""

    file: str
    line: int = 0
    column: int = 0


@dataclass(frozen=True)
class Bind:
    """A bind mount of a node. source: an absolute path on the controller (local) or on the server.

    local: the source is a file or folder beside the topology, which is brought to the server; else it must be there already.
    content: the text of the file itself (then local, and source is empty); None where source names it.
    made: a folder of the lab's own on the server, which is made there where it is not there yet; nobody has to put it there.
    """

    source: str
    target: str
    options: str = ""
    local: bool = False
    content: str | None = None
    made: bool = False


@dataclass(frozen=True)
class Healthcheck:
    """How Docker finds out whether a node is healthy. Times are seconds; 0 is Docker's own default."""

    test: tuple[str, ...]
    interval: float = 0.0
    timeout: float = 0.0
    start_period: float = 0.0
    retries: int = 0


@dataclass(frozen=True)
class WaitFor:
    """A stage of another node that must be reached first. stage: C(create), C(create-links), C(configure), C(healthy), C(exit)."""

    node: str
    stage: str


@dataclass(frozen=True)
class StageCommand:
    """A command of a stage. phase: C(on-enter) or C(on-exit). target: C(container), or C(host), the node's server."""

    command: tuple[str, ...]
    phase: str = "on-exit"
    target: str = "container"


@dataclass(frozen=True)
class Stage:
    name: str
    wait_for: tuple[WaitFor, ...] = ()
    commands: tuple[StageCommand, ...] = ()


@dataclass(frozen=True)
class PublishedPort:
    """A port of a node that its server publishes. address: of the server, empty for all. protocol: C(tcp), C(udp), C(sctp)."""

    server_port: int
    node_port: int
    protocol: str = "tcp"
    address: str = ""


@dataclass(frozen=True)
class Dns:
    servers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Management:
    """What the topology says of the management network. Subnets and ranges in CIDR form; empty where it is silent.

    enabled: false where the lab file turns it off. external_access: whether nodes reach what their server reaches.
    """

    enabled: bool = True
    network: str = ""
    bridge: str = ""
    ipv4_subnet: str = ""
    ipv6_subnet: str = ""
    ipv4_gateway: str = ""
    ipv6_gateway: str = ""
    ipv4_range: str = ""
    ipv6_range: str = ""
    mtu: int = 0
    external_access: bool = False
    skip_when_unused: bool = False
    place: Place = Place("")


@dataclass(frozen=True)
class Node:
    """A device of the lab; what holds for it, with the settings of its kind in it.

    network_mode: empty (a network of its own, with a management interface), C(none) (without one), C(host), C(node:<name>) (that of
    another node of the lab) or C(container:<name>) (that of a container which is not the lab's).
    startup_config: the user's, None where there is none. extras, config_vars: as written, plain values.
    profile: its kind, with what lab file and image change of it. image: the one that is used; of a virtual machine (native) its path on the
    server, with sha256 as what it must be. reference: as the topology names it.
    mgmt_ipv4, mgmt_ipv6: fixed addresses without prefix length.
    shm_size: bytes. startup_delay: seconds. wave, hold: when it is started, and what the next wave waits for, as C(_declared.Container).
    waits_for: the nodes that a node of a later wave waits for or joins; without those that they wait for themselves.
    shares: with C(node:) and C(container:), the name of the container whose network it has. beside: nodes on whose server it must be.
    privileged: None where the topology is silent. link_apply_mode: what the topology says of it, empty for its kind's.
    identity_file: the SSH key for it, on the controller.
    """

    name: str
    kind: str
    image: str
    place: Place
    container: str
    profile: Kind = _PLAIN
    native: bool = False
    sha256: str = ""
    reference: str = ""
    group: str = ""
    hostname: str = ""
    type: str = ""
    startup_config: Bind | None = None
    enforce_startup_config: bool = False
    suppress_startup_config: bool = False
    license: Bind | None = None
    credentials: tuple[str, str] | None = None
    identity_file: str = ""
    link_apply_mode: str = ""
    network_mode: str = ""
    shares: str = ""
    beside: tuple[str, ...] = ()
    mgmt_ipv4: str = ""
    mgmt_ipv6: str = ""
    ports: tuple[PublishedPort, ...] = ()
    dns: Dns = Dns()
    aliases: tuple[str, ...] = ()
    tmpfs: t.Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    shm_size: int = 0
    security_opts: tuple[str, ...] = ()
    pid_mode: str = ""
    cgroupns_mode: str = ""
    cgroup_parent: str = ""
    cpu_set: str = ""
    healthcheck: Healthcheck | None = None
    startup_delay: int = 0
    wave: int = 0
    hold: str = ""
    waits_for: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    extras: t.Mapping[str, t.Any] = field(default_factory=dict)
    config_vars: t.Mapping[str, t.Any] = field(default_factory=dict)
    components: tuple[t.Mapping[str, t.Any], ...] = ()
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str = ""
    env: t.Mapping[str, str] = field(default_factory=dict)
    labels: t.Mapping[str, str] = field(default_factory=dict)
    binds: tuple[Bind, ...] = ()
    exec: tuple[tuple[str, ...], ...] = ()
    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    privileged: bool | None = None
    system_paths: str = "default"
    memory: int = 0
    cpu: float = 0.0


@dataclass(frozen=True)
class Impairment:
    """What a link does to frames. delay, jitter: milliseconds; loss, corrupt, duplicate, reorder: percent; rate: kbit/s; 0 is none."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    corrupt: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    rate: int = 0


@dataclass(frozen=True)
class Far:
    """The far end of a link that does not join two nodes.

    type: C(host) (a device in the server's own namespace, named interface), C(macvlan) (on the server's device interface, in a mode),
    C(dummy) (nothing), C(vxlan) (a VTEP that is not the lab's: remote, vni, dst_port, and interface for the server's device or empty).
    """

    type: str
    interface: str = ""
    mode: str = ""
    remote: str = ""
    vni: int = 0
    dst_port: int = 0
    src_port: int = 0


@dataclass(frozen=True, order=True)
class EndpointRef:
    """One end of a link: a node, and the Linux name of its interface. mac: what the user fixed, else empty.

    ipv4, ipv6: addresses in CIDR form that the interface is given, empty where there are none. impairment: of what the node sends.
    """

    node: str
    interface: str
    mac: str = field(default="", compare=False)
    vendor_name: str = field(default="", compare=False)
    ipv4: str = field(default="", compare=False)
    ipv6: str = field(default="", compare=False)
    impairment: Impairment | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        return f"{self.node}:{self.interface}"


@dataclass(frozen=True)
class TopologyLink:
    """A wire: two endpoints, or any number for a segment (a node of kind bridge in the file), or one and a far end.

    key: the canonical link key. mtu: what was asked for, None where the file is silent. vars, labels: as written.
    enabled: false where the lab file has it down, as a cable that is pulled.
    """

    key: str
    endpoints: tuple[EndpointRef, ...]
    place: Place
    mtu: int | None = None
    segment: str = ""
    far: Far | None = None
    vars: t.Mapping[str, t.Any] = field(default_factory=dict)
    labels: t.Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True

    @property
    def on_bridge(self) -> bool:
        """Whether its interfaces lead to the bridge of their server, where a tag tells the link from others."""
        return self.far is None or self.far.type not in ("host", "macvlan")


@dataclass(frozen=True)
class NodeInterface:
    """A data interface of a node as its device sees it: both names of it, its MAC, and the addresses of its link in CIDR form."""

    linux: str
    vendor: str
    mac: str
    ipv4: str = ""
    ipv6: str = ""


@dataclass(frozen=True)
class ManagementAddresses:
    """What a node's management interface is given. An address is empty where the network has none of its family."""

    ipv4: str = ""
    ipv4_prefix: int = 0
    ipv4_gateway: str = ""
    ipv6: str = ""
    ipv6_prefix: int = 0
    ipv6_gateway: str = ""
    mac: str = ""


@dataclass(frozen=True)
class Topology:
    """What one topology file says. nodes and links are sorted by name and key, so that the file's order does not matter.

    missing: files on the controller that it names and that are not there. It can be looked at without them, but not be planned.
    """

    name: str
    nodes: t.Mapping[str, Node]
    links: t.Mapping[str, TopologyLink]
    file: str
    notes: tuple[str, ...] = ()
    management: Management = Management()
    missing: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class LabFile:
    """A lab file (C(*.lab.yml)): the topology, and how it is to be laid over servers.

    servers: the name of a group, or server -> host variables. pins: node -> server. lock_file: path of C(<name>.lock.yml).
    pin_places: node -> where its pin is written.
    """

    path: str
    topology: Topology
    servers: str | t.Mapping[str, t.Mapping[str, t.Any]]
    pins: t.Mapping[str, str] = field(default_factory=dict)
    images: t.Mapping[str, str] = field(default_factory=dict)
    overlay_mode: str = "per_link"
    local_tags: tuple[int, int] = (100, 2999)
    cross_tags: tuple[int, int] = (3000, 4094)
    link_mtu: int = 9500
    lock_file: str = ""
    pin_places: t.Mapping[str, Place] = field(default_factory=dict)
