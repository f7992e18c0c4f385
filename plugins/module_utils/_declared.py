# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The declared state: what one server is to have, complete, with no look-ups left to do.

It is made by the controller (C(plugin_utils/_plan.py)), travels as plain JSON, and is read here into typed values.
Field names are the same in JSON, in the modules' options (C(_argspec.py)) and here. Sizes are bytes, MTUs are
what an interface is set to (the IP packet, without the Ethernet header), tags are VLAN ids.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, fields, replace

from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access, Lease, Vm

FORMAT = 1
"""Version of the declared state; raised when an older reader would misread it."""

VlanMode = t.Literal["access", "trunk", "dot1q-tunnel"]
OverlayMode = t.Literal["per_link", "shared"]
_T = t.TypeVar("_T")


def _pick(cls: type[_T], values: t.Mapping[str, t.Any], **special: t.Any) -> _T:
    """An instance of a dataclass from a mapping; keys that are absent or None keep the field's default."""
    wanted = {one.name for one in fields(t.cast(t.Any, cls))} - set(special)
    given = {key: value for key, value in values.items() if key in wanted and value is not None}
    return cls(**given, **special)


@dataclass(frozen=True)
class Bridge:
    """The one bridge of a server. datapath_type C(auto) means: the kernel's where it works, else userspace.

    vlan_limit: how many tags of a frame Open vSwitch reads. More than 1 loses the inner tag of frames that carry two.
    """

    name: str = "arch-ovs"
    datapath_type: str = "auto"
    fail_mode: str = "standalone"
    forward_bpdu: bool = True
    vlan_limit: int = 1

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Bridge:
        return _pick(cls, values)


@dataclass(frozen=True)
class File:
    """A file that a node is given: path is the absolute path on the server, content is base64.

    enforce: it is written whenever the node is started by a run, whatever the node saved in its place.
    """

    path: str
    content: str
    mode: str = "0644"
    enforce: bool = False


@dataclass(frozen=True)
class Healthcheck:
    """Docker's health check. Times are seconds; 0 is Docker's own default."""

    test: tuple[str, ...]
    interval: float = 0.0
    timeout: float = 0.0
    start_period: float = 0.0
    retries: int = 0

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Healthcheck:
        return _pick(cls, values, test=tuple(str(one) for one in values.get("test") or ()))


@dataclass(frozen=True)
class StageCommand:
    """A command that runs when a node enters or leaves a stage. target: C(container), or C(host), which is the server."""

    stage: str
    command: tuple[str, ...]
    phase: str = "on-exit"
    target: str = "container"

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> StageCommand:
        return _pick(cls, values, command=tuple(str(one) for one in values.get("command") or ()))


@dataclass(frozen=True)
class Container:
    """A container node, and the sandbox that holds its network namespace.

    name, sandbox: container names. exec: commands (argument lists) run once after each boot of the node.
    boot_commands: those of the node's kind, before exec. boot_timeout: seconds that each of them has; 0 is what exec commands have.
    ready_log: a regular expression that the node's log must show before the first of them, within boot_timeout; empty is none.
    interfaces: Linux names that must exist in the sandbox before the node's first process runs.
    memory: bytes, 0 is no limit. cpu: number of CPUs, 0 is no limit. cmd, entrypoint: None is the image's own.
    system_paths: C(unconfined) leaves /proc/sys writable for the node, as routers need it.
    network: empty (the namespace of sandbox, which is the node's own), C(host) (no sandbox), C(node) (sandbox is that of another node
    of the lab), C(container) (sandbox is a container that is not the lab's).
    wave: nodes of a wave are started when those of all lower waves are as their C(hold) wants them, on every server.
    hold: what must be true of the node before the next wave begins: empty (it runs and its commands have run), C(healthy), C(exit).
    waits_for: the nodes, of any server, without which it is not started, and those that they wait for themselves. None is every node of
    a lower wave.
    startup_delay: seconds to wait before it is started. shm_size: bytes, 0 is Docker's own.
    dns, dns_search, dns_options: of /etc/resolv.conf; empty is Docker's own.
    """

    name: str
    sandbox: str
    node: str
    image: str
    kind: str = "linux"
    hostname: str = ""
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    user: str = ""
    env: t.Mapping[str, str] = field(default_factory=dict)
    labels: t.Mapping[str, str] = field(default_factory=dict)
    binds: tuple[str, ...] = ()
    files: tuple[File, ...] = ()
    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    cap_add: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    privileged: bool = False
    system_paths: str = "default"
    memory: int = 0
    cpu: float = 0.0
    exec: tuple[tuple[str, ...], ...] = ()
    boot_commands: tuple[tuple[str, ...], ...] = ()
    boot_timeout: int = 0
    ready_log: str = ""
    interfaces: tuple[str, ...] = ()
    network: str = ""
    wave: int = 0
    hold: str = ""
    waits_for: tuple[str, ...] | None = None
    startup_delay: int = 0
    stage_commands: tuple[StageCommand, ...] = ()
    healthcheck: Healthcheck | None = None
    tmpfs: t.Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    shm_size: int = 0
    security_opts: tuple[str, ...] = ()
    pid_mode: str = ""
    cgroupns_mode: str = ""
    cgroup_parent: str = ""
    cpu_set: str = ""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()

    @property
    def owns_sandbox(self) -> bool:
        """Whether the sandbox is this node's: it is made, changed and removed with the node."""
        return not self.network

    @property
    def namespace_of(self) -> str:
        """The container whose network namespace the node has; empty where that is the server's."""
        return "" if self.network == "host" else self.sandbox

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Container:
        def strings(key: str) -> tuple[str, ...]:
            return tuple(str(one) for one in values.get(key) or ())

        def commands(key: str) -> tuple[tuple[str, ...], ...]:
            return tuple(tuple(str(word) for word in command) for command in values.get(key) or ())

        def optional(key: str) -> tuple[str, ...] | None:
            return None if values.get(key) is None else strings(key)

        def mapping(key: str) -> dict[str, str]:
            return {str(name): str(value) for name, value in (values.get(key) or {}).items()}

        return _pick(
            cls,
            values,
            cmd=optional("cmd"),
            entrypoint=optional("entrypoint"),
            waits_for=optional("waits_for"),
            env=mapping("env"),
            labels=mapping("labels"),
            sysctls=mapping("sysctls"),
            binds=strings("binds"),
            cap_add=strings("cap_add"),
            devices=strings("devices"),
            interfaces=strings("interfaces"),
            files=tuple(_pick(File, one) for one in values.get("files") or ()),
            exec=commands("exec"),
            boot_commands=commands("boot_commands"),
            stage_commands=tuple(StageCommand.from_params(one) for one in values.get("stage_commands") or ()),
            healthcheck=Healthcheck.from_params(values["healthcheck"]) if values.get("healthcheck") else None,
            tmpfs=mapping("tmpfs"),
            volumes=strings("volumes"),
            security_opts=strings("security_opts"),
            dns=strings("dns"),
            dns_search=strings("dns_search"),
            dns_options=strings("dns_options"),
        )


@dataclass(frozen=True)
class Impairment:
    """What is done to frames that a node sends. delay, jitter: milliseconds; loss and the others: percent; rate: kbit/s; 0 is none."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    corrupt: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    rate: int = 0

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Impairment:
        return _pick(cls, values)


@dataclass(frozen=True)
class PortRoute:
    """A route of the namespace that has the interface. to: C(default) or a prefix in CIDR form."""

    to: str
    via: str


@dataclass(frozen=True)
class Port:
    """A node's interface, and what it is joined to on the server.

    device: C(veth) is a pair of devices, one on the bridge, the other the interface; C(none) a device that is there already, on the bridge;
    C(host) a pair whose server's end stays off the bridge, in the server's own namespace; C(macvlan) a device on the server's device
    parent, with a mode; C(dummy) a device without a far end. The last two are in the sandbox only: there, name is a name in the marks.
    C(tap) is a persistent tap device on the bridge, which a virtual machine opens: it stays when the machine goes.
    queues: of a tap; more than one is a device with several queues.
    name: the server-side device. sandbox: the container whose network namespace takes the interface; empty with C(veth) is the server's.
    group: the link group of the lab's devices (0: none), for deletion at a stroke. enabled: whether the device is up;
    a port that is not enabled shows NO-CARRIER at the node. addresses: in CIDR form, on the interface; others there are left alone.
    """

    name: str
    device: str = "none"
    link: str = ""
    node: str = ""
    interface: str = ""
    sandbox: str = ""
    mac: str = ""
    mtu: int | None = None
    tag: int | None = None
    trunks: tuple[int, ...] = ()
    vlan_mode: str = "dot1q-tunnel"
    group: int = 0
    enabled: bool = True
    parent: str = ""
    mode: str = ""
    addresses: tuple[str, ...] = ()
    routes: tuple[PortRoute, ...] = ()
    impairment: Impairment | None = None
    queues: int = 1

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Port:
        return _pick(
            cls,
            values,
            trunks=tuple(sorted(values.get("trunks") or ())),
            addresses=tuple(values.get("addresses") or ()),
            routes=tuple(_pick(PortRoute, one) for one in values.get("routes") or ()),
            impairment=Impairment.from_params(values["impairment"]) if values.get("impairment") else None,
        )


@dataclass(frozen=True)
class TunnelLink:
    """A link that is carried by a shared tunnel, told from others by its tag."""

    key: str
    tag: int


@dataclass(frozen=True)
class Tunnel:
    """A VXLAN device on the bridge. One link (link, tag), or several of them (links) where tunnels are shared.

    remotes: underlay addresses of the far servers; more than one means head-end replication, with learning.
    """

    name: str
    vni: int
    local: str
    remotes: tuple[str, ...]
    mtu: int
    link: str = ""
    tag: int | None = None
    links: tuple[TunnelLink, ...] = ()
    dst_port: int = 4789
    group: int = 0

    @property
    def shared(self) -> bool:
        return bool(self.links)

    @property
    def learning(self) -> bool:
        return len(self.remotes) > 1

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Tunnel:
        return _pick(
            cls,
            values,
            remotes=tuple(sorted(values.get("remotes") or ())),
            links=tuple(_pick(TunnelLink, one) for one in values.get("links") or ()),
        )


@dataclass(frozen=True)
class Endpoint:
    """One end of a link. port is the device name on the server that has the endpoint.

    sandbox: of an interface that is in a sandbox only (C(macvlan)), the container that has it; else empty.
    """

    node: str
    interface: str
    server: str
    port: str
    sandbox: str = ""

    @property
    def name(self) -> str:
        return f"{self.node}:{self.interface}"


@dataclass(frozen=True)
class Link:
    """A link with at least one endpoint on this server; endpoints holds all of them, wherever they are.

    probe: what certification sends. C(full): every kind of frame from every endpoint to every other. C(light): one kind, from each endpoint
    to the next, for segments with very many. C(device): nothing, where the lab does not have the other end; its devices are looked at.
    """

    key: str
    mtu: int
    endpoints: tuple[Endpoint, ...]
    probe: str = "full"

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Link:
        return _pick(cls, values, endpoints=tuple(_pick(Endpoint, one) for one in values["endpoints"]))


@dataclass(frozen=True)
class PublishedPort:
    """A port of this server that leads to a port of a node. address: of the server, empty for all of them. target: the node's address."""

    server_port: int
    target: str
    node_port: int
    protocol: str = "tcp"
    address: str = ""


@dataclass(frozen=True)
class Host:
    """A line of the lab's hosts file."""

    address: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Management:
    """This server's part of the management network. device: its own interface in it; subnets: in CIDR form.

    masquerade: nodes reach what this server reaches, under its address. hosts: the whole lab's names.
    leases: of virtual machines on this server, which ask for their address by DHCP. mtu: what they are told of it, if anything.
    """

    device: str
    subnets: tuple[str, ...] = ()
    masquerade: bool = False
    ports: tuple[PublishedPort, ...] = ()
    hosts: tuple[Host, ...] = ()
    leases: tuple[Lease, ...] = ()
    mtu: int | None = None

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Management:
        return _pick(
            cls,
            values,
            subnets=tuple(values.get("subnets") or ()),
            ports=tuple(_pick(PublishedPort, one) for one in values.get("ports") or ()),
            hosts=tuple(_pick(Host, one, names=tuple(one.get("names") or ())) for one in values.get("hosts") or ()),
            leases=tuple(Lease.from_params(one) for one in values.get("leases") or ()),
        )


@dataclass(frozen=True)
class Declared:
    """The slice of a plan for one server. access: how its nodes are talked to, where there is anything to say.

    Of the run that declared it, not of the plan: hold, link keys and nodes that are left alone, whatever they are; taken_back, keys of
    links whose far half failed.
    """

    lab: str
    server: str
    bridge: Bridge
    containers: tuple[Container, ...] = ()
    ports: tuple[Port, ...] = ()
    tunnels: tuple[Tunnel, ...] = ()
    links: tuple[Link, ...] = ()
    device_group: int = 0
    management: Management | None = None
    vms: tuple[Vm, ...] = ()
    access: tuple[Access, ...] = ()
    hold: tuple[str, ...] = ()
    taken_back: tuple[str, ...] = ()

    @property
    def wires(self) -> frozenset[str]:
        """Names of all ports and tunnels."""
        return frozenset({*(port.name for port in self.ports), *(one.name for one in self.tunnels)})

    def held(self) -> frozenset[str]:
        """Names of the objects that are left alone: those of links and nodes that are held. A node's own ports are left alone with it.

        With the names of the links and nodes themselves: one that is held stays when it is not declared any more.
        """
        kept = set(self.hold)
        ports = (port.name for port in self.ports if port.link in kept or port.node in kept)
        return self.objects_of(kept).union(ports, kept)

    def objects_of(self, names: t.Collection[str]) -> frozenset[str]:
        """What links and nodes of these names consist of here: ports and tunnels of links, containers and domains of nodes."""
        asked = set(names)
        found = {port.name for port in self.ports if port.link in asked}
        found |= {one.name for one in self.tunnels if one.link in asked or any(link.key in asked for link in one.links)}
        for node in self.containers:
            if node.node in asked:
                found |= {node.name, *([node.sandbox] if node.owns_sandbox else [])}
        return frozenset(found | {one.name for one in self.vms if one.node in asked})

    def without_objects(self, names: t.Collection[str]) -> Declared:
        """The same without ports, tunnels, containers and machines of these names; C(node:interface) is the name of a port, too, and the
        path of an image that of all machines which are made on it."""
        gone = set(names)
        return replace(
            self,
            ports=tuple(one for one in self.ports if gone.isdisjoint((one.name, f"{one.node}:{one.interface}"))),
            tunnels=tuple(one for one in self.tunnels if one.name not in gone),
            containers=tuple(one for one in self.containers if gone.isdisjoint((one.name, one.sandbox))),
            vms=tuple(one for one in self.vms if gone.isdisjoint((one.name, one.image))),
        )

    def without_links(self, keys: t.Collection[str]) -> Declared:
        """The same with these links taken back: no tunnel, and ports that are down and off the bridge.

        The interfaces of the nodes stay, without carrier: a node must not lose an interface because a far server failed.
        """
        gone = set(keys)
        tunnels = (
            replace(tunnel, links=tuple(link for link in tunnel.links if link.key not in gone)) if tunnel.shared else tunnel
            for tunnel in self.tunnels
            if tunnel.link not in gone
        )
        return replace(
            self,
            ports=tuple(replace(port, enabled=port.enabled and port.link not in gone) for port in self.ports),
            tunnels=tuple(tunnel for tunnel in tunnels if tunnel.link or tunnel.links),
            links=tuple(link for link in self.links if link.key not in gone),
        )

    @classmethod
    def from_params(cls, values: t.Mapping[str, t.Any]) -> Declared:
        return _pick(
            cls,
            values,
            bridge=Bridge.from_params(values.get("bridge") or {}),
            containers=tuple(Container.from_params(one) for one in values.get("containers") or ()),
            ports=tuple(Port.from_params(one) for one in values.get("ports") or ()),
            tunnels=tuple(Tunnel.from_params(one) for one in values.get("tunnels") or ()),
            links=tuple(Link.from_params(one) for one in values.get("links") or ()),
            management=Management.from_params(values["management"]) if values.get("management") else None,
            vms=tuple(Vm.from_params(one) for one in values.get("vms") or ()),
            access=tuple(Access.from_params(one) for one in values.get("access") or ()),
            hold=tuple(values.get("hold") or ()),
            taken_back=tuple(values.get("taken_back") or ()),
        )
