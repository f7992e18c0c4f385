# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The observed state: what a server really has of a lab, in the shape of the declared state, and what others have there.

Every backend is read once. What cannot be read is an error, all of them at once: "could not read" is never "nothing there".
"""

from __future__ import annotations

import os
import platform
import typing as t
from dataclasses import asdict, dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import (
    _bridge,
    _firewall,
    _listeners,
    _lock,
    _observe_vms,
    _observe_watch,
    _others,
    _tunnel_marks,
)
from ansible_collections.archetype.lab.plugins.module_utils._abilities import lacking_capabilities
from ansible_collections.archetype.lab.plugins.module_utils._claims import Network, claims
from ansible_collections.archetype.lab.plugins.module_utils._container_spec import ROLE_NODE, ROLE_SANDBOX
from ansible_collections.archetype.lab.plugins.module_utils._declared import FORMAT, Impairment
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import OWN_NETNS, Device
from ansible_collections.archetype.lab.plugins.module_utils._netlink._tc import in_words
from ansible_collections.archetype.lab.plugins.module_utils._observe_vms import HaveMachines
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsPort, OvsState
from ansible_collections.archetype.lab.plugins.module_utils._ownership import INTERFACE, KIND, LINK, NODE, ROLE, owner_of, parse_alias
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import DEVICE_ROLES, END_ROLE, HOST_ROLE, INSIDE, PORT_ROLE
from ansible_collections.archetype.lab.plugins.module_utils._underlay import Underlay, path_mtus

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

Json = dict[str, t.Any]
_T = t.TypeVar("_T")
Devices = t.Mapping[str, Device]


@dataclass(frozen=True)
class Query:
    """What is asked. peers: underlay addresses. images: references. binds: paths. containers: names that must not be somebody else's.

    peers_needed: a peer that does not answer is an error. management: whether what a management network could clash with is looked at.
    vms: whether the lab is to have virtual machines, so that libvirt is asked what it can do. disks: paths of their images.
    journal: how many entries of the journal of the lab's passes.
    """

    lab: str
    server: str = ""
    bridge: str = "arch-ovs"
    peers: tuple[str, ...] = ()
    peers_needed: bool = True
    images: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    management: bool = False
    vms: bool = False
    disks: tuple[str, ...] = ()
    journal: int = 5


@dataclass(frozen=True)
class Have:
    """Everything that was read. inside: sandbox -> the devices in its namespace, of those that run. lacking: capabilities.

    joined: by id, the containers whose networks nodes have. others: what other labs are declared to have here.
    """

    ovs: OvsState = field(default_factory=OvsState)
    devices: Devices = field(default_factory=dict)
    names: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    containers: t.Mapping[str, DockerContainer] = field(default_factory=dict)
    images: t.Mapping[str, Image | None] = field(default_factory=dict)
    inside: t.Mapping[str, Devices] = field(default_factory=dict)
    docker_version: str = ""
    underlay: Underlay = field(default_factory=Underlay)
    lock: _lock.Lock | None = None
    lacking: t.Sequence[str] = ()
    network: Network | None = None
    nft: bool | None = None
    joined: t.Mapping[str, DockerContainer] = field(default_factory=dict)
    machines: HaveMachines = field(default_factory=HaveMachines)
    others: t.Sequence[_others.Taken] = ()
    watch: Json = field(default_factory=dict)


def observe(server: Server, query: Query) -> Json:
    """The observed state (docs/design.md, section 4). Raises every error of reading at once."""
    return describe(query, read(server, query))


def read(server: Server, query: Query) -> Have:
    errors: list[LabError] = []

    def ask(question: t.Callable[[], _T], otherwise: _T) -> _T:
        try:
            return question()
        except LabError as error:
            errors.append(error)
            return otherwise

    nothing = Have()
    ovs = ask(lambda: _read_ovs(server), nothing.ovs)
    devices = ask(lambda: _read_devices(server), nothing.devices)
    docker = ask(lambda: _read_docker(server, query), nothing)
    inside = ask(lambda: _read_inside(server, docker.containers, query.lab, devices), nothing.inside)
    name = query.server or "this server"
    underlay = ask(lambda: path_mtus(server.net, query.peers, server=name, needed=query.peers_needed), nothing.underlay)
    lock = ask(lambda: _lock.current(query.lab), None)
    lacking: list[str] = ask(lacking_capabilities, [])
    network = ask(lambda: _read_network(server, query.lab), None) if query.management else None
    nft = server.nft.available() if query.management else None
    machines = ask(lambda: _observe_vms.read(server, query.lab, planned=query.vms, disks=query.disks), nothing.machines)
    others: t.Sequence[_others.Taken] = ask(lambda: _others.read(query.lab), ())
    watch: Json = ask(lambda: _observe_watch.read(query.lab, query.journal), {})
    raise_all(errors)
    return Have(
        ovs,
        devices,
        docker.names,
        docker.containers,
        docker.images,
        inside,
        docker.docker_version,
        underlay,
        lock,
        lacking,
        network,
        nft,
        docker.joined,
        machines,
        others,
        watch,
    )


def _read_network(server: Server, lab: str) -> Network:
    """Without the program for it, the packet filter has nothing of ours; that a lab needs it is for the plan to say."""
    published = _firewall.parse(lab, server.nft.read()).published if server.nft.available() else {}
    return Network(server.net.read_netns([OWN_NETNS])[OWN_NETNS], _listeners.read(), published)


def _read_ovs(server: Server) -> OvsState:
    server.ovs.check()
    return server.ovs.read()


def _read_devices(server: Server) -> Devices:
    return server.net.read()


def _read_docker(server: Server, query: Query) -> Have:
    names = server.docker.list_names()
    own = sorted(name for name, labels in names.items() if owner_of(labels) == query.lab)
    containers = server.docker.inspect(own) if own else {}
    return Have(
        names=names,
        containers=containers,
        joined=_read_joined(server, containers),
        images=server.docker.images(query.images) if query.images else {},
        docker_version=server.docker.version(),
    )


def _read_joined(server: Server, containers: t.Mapping[str, DockerContainer]) -> t.Mapping[str, DockerContainer]:
    """By id, those whose networks nodes have. Only where a node has that of a container which is not the lab's, it is asked for."""
    own = {one.id: one for one in containers.values()}
    modes = (_network_mode(one) for one in containers.values() if one.labels.get(ROLE) == ROLE_NODE)
    others = sorted({mode.removeprefix("container:") for mode in modes if mode.startswith("container:")} - set(own))
    found = server.docker.inspect(others) if others else {}
    return {**own, **{one.id: one for one in found.values()}}


def _read_inside(server: Server, containers: t.Mapping[str, DockerContainer], lab: str, devices: Devices) -> dict[str, Devices]:
    """The sandboxes that run; and the server's own namespace, without a name, where an end of the lab is in it."""
    paths = {name: one.netns for name, one in containers.items() if one.labels.get(ROLE) == ROLE_SANDBOX and one.running and one.netns}
    marks = (parse_alias(device.alias) for device in devices.values())
    if any(mark is not None and (mark.lab, mark.kind) == (lab, END_ROLE) for mark in marks):
        paths[""] = OWN_NETNS
    found = server.net.read_netns(sorted(set(paths.values()))) if paths else {}
    return {name: found[path] for name, path in paths.items()}


def describe(query: Query, have: Have) -> Json:
    """The observed state as JSON; pure, but for whether bind sources exist."""
    bridge = _bridge.observe(have.ovs, query.bridge)
    return {
        "format": FORMAT,
        "server": query.server,
        "lab": query.lab,
        "bridge": _bridge.as_dict(bridge) if bridge else None,
        "containers": _containers(query.lab, have),
        "ports": _ports(query.lab, have),
        "tunnels": _tunnel_marks.observe(_tunnel_marks.Have(have.ovs, have.devices), query.lab),
        "claims": _claims(query, have),
        "images": {reference: image.id if image else None for reference, image in have.images.items()},
        "binds": {path: os.path.exists(path) for path in query.binds},
        "underlay": have.underlay.to_dict(),
        "lacking": {"capabilities": list(have.lacking)},
        "lock": have.lock.to_dict() if have.lock else None,
        "versions": {
            "ovs": have.ovs.version,
            "docker": have.docker_version,
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
        "nft": have.nft,
        **_observe_vms.describe(query.lab, have.machines),
        **have.watch,
    }


def _claims(query: Query, have: Have) -> Json:
    """What containers, devices and machines of others have, and what other labs are declared to have.

    A device of the server is told before a machine that names it, and both before what is declared only.
    """
    found = claims(query.lab, query.bridge, have.ovs, have.devices, have.names, query.containers, have.network)
    for sort, values in _observe_vms.claims(query.lab, have.machines).items():
        found[sort] = {**values, **found.get(sort, {})}
    _others.add_claims(found, query.bridge, have.others, management=query.management)
    return found


def _containers(lab: str, have: Have) -> list[Json]:
    """One entry a node. A node of which only the sandbox is there has no name, and status C(absent)."""
    pairs: dict[str, dict[str, DockerContainer]] = {}
    for one in have.containers.values():
        pairs.setdefault(one.labels.get(NODE, ""), {})[one.labels.get(ROLE, "")] = one
    found = []
    for node, pair in sorted(pairs.items()):
        main, sandbox = pair.get(ROLE_NODE), pair.get(ROLE_SANDBOX)
        network, network_status = _network(main, sandbox, have)
        found.append({
            "lab": lab,
            "name": main.name if main else "",
            "sandbox": network,
            "node": node,
            "kind": main.labels.get(KIND, "") if main else "",
            "image": ((main.raw.get("Config") or {}).get("Image") or main.image_id) if main else "",
            "status": main.status if main else "absent",
            "sandbox_status": network_status,
            "started_at": main.started_at if main else "",
            "exit_code": main.exit_code if main else None,
        })  # fmt: skip
    return found


def _network(main: DockerContainer | None, sandbox: DockerContainer | None, have: Have) -> tuple[str, str]:
    """The container whose network a node has, and its status. The server's own has no name, and always runs."""
    if sandbox is not None or main is None:
        return (sandbox.name, sandbox.status) if sandbox else ("", "absent")
    if _network_mode(main) == "host":
        return "", "running"
    joined = have.joined.get(_network_mode(main).removeprefix("container:"))
    return (joined.name, joined.status) if joined else ("", "absent")


def _network_mode(container: DockerContainer) -> str:
    return str((container.raw.get("HostConfig") or {}).get("NetworkMode") or "")


def _ports(lab: str, have: Have) -> list[Json]:
    """The lab's ports, whole or by half: on the bridge, as a device of the server or of a sandbox, or both."""
    names = {
        name for name, port in have.ovs.ports.items() if owner_of(port.external_ids) == lab and port.external_ids.get(ROLE) == PORT_ROLE
    }
    names |= {name for name, device in have.devices.items() if _is_ours(device, lab)}
    sandboxes = {one.labels.get(NODE, ""): name for name, one in have.containers.items() if one.labels.get(ROLE) == ROLE_SANDBOX}
    found = [_port(lab, name, have, sandboxes) for name in sorted(names)]
    for sandbox, devices in sorted((one, devices) for one, devices in have.inside.items() if one):
        found += [_inner_port(lab, sandbox, device, have) for _name, device in sorted(devices.items()) if _is_ours(device, lab)]
    return found


def _is_ours(device: Device, lab: str) -> bool:
    mark = parse_alias(device.alias)
    return mark is not None and mark.lab == lab and mark.kind in DEVICE_ROLES


def _port(lab: str, name: str, have: Have, sandboxes: t.Mapping[str, str]) -> Json:
    device = have.devices.get(name)
    port = have.ovs.ports.get(name)
    mark = parse_alias(device.alias) if device is not None else None
    host = mark is not None and mark.kind == HOST_ROLE
    node, interface = _endpoint(port, device)
    several = device is not None and device.tap is not None and device.tap.queues
    sandbox = sandboxes.get(node, "") if device is None or device.tap is None else ""
    inside = have.inside.get(sandbox, {}).get(interface)
    joined = device is not None and inside is not None and device.peer_index == inside.index
    return {
        "name": name,
        "device": _sort(device, host=host),
        "link": port.external_ids.get(LINK, "") if port else "",
        "node": node,
        "interface": interface,
        "sandbox": sandbox,
        "mac": inside.mac if inside is not None and joined else "",
        "mtu": device.mtu if device else None,
        "tag": port.tag if port else None,
        "trunks": list(port.trunks) if port else [],
        "vlan_mode": (port.vlan_mode if port else None) or "",
        "group": device.group if device else 0,
        "queues": 0 if several else 1,  # 0: the device does not know how many the machine may open
        "enabled": (host or port is not None) and device is not None and device.up,
        "parent": "",
        "mode": "",
        **_settings(inside if joined else None),
        "lab": lab,
        "carrier": device is not None and device.carrier,
        "ofport": port.ofport if port else None,
    }


def _sort(device: Device | None, *, host: bool) -> str:
    """What a port is, by its device. A tap that has no mark is somebody else's, which the port only puts on the bridge."""
    if device is None:
        return "none"
    if device.tap is not None and parse_alias(device.alias) is not None:
        return "tap"
    return ("host" if host else "veth") if device.kind == "veth" else "none"


def _inner_port(lab: str, sandbox: str, device: Device, have: Have) -> Json:
    """A port that is a device of a sandbox. What it is called as a port is not known there."""
    mark = parse_alias(device.alias)
    parent = next((one.name for one in have.devices.values() if one.index == device.parent_index), "") if device.parent_index else ""
    return {
        "name": "",
        "device": device.kind if device.kind in INSIDE else "none",
        "link": "",
        "node": mark.key.rpartition(":")[0] if mark else "",
        "interface": device.name,
        "sandbox": sandbox,
        "mac": device.mac,
        "mtu": device.mtu,
        "tag": None,
        "trunks": [],
        "vlan_mode": "",
        "group": device.group,
        "queues": 1,
        "enabled": True,
        "parent": parent,
        "mode": device.mode,
        **_settings(device),
        "lab": lab,
        "carrier": device.carrier,
        "ofport": None,
    }


def _settings(inside: Device | None) -> Json:
    """What is set on an interface, whoever set it; of routes and tc only the lab's own."""
    qdisc = inside.qdisc if inside is not None and inside.qdisc is not None and inside.qdisc.ours else None
    return {
        "addresses": [address.text for address in inside.addresses] if inside is not None else [],
        "routes": [{"to": one.to, "via": one.via} for one in inside.routes if one.ours] if inside is not None else [],
        "impairment": {**asdict(Impairment()), **in_words(qdisc)} if qdisc is not None else None,
    }


def _endpoint(port: OvsPort | None, device: Device | None) -> tuple[str, str]:
    """Node and interface, as the marks say."""
    if port is not None and NODE in port.external_ids:
        return port.external_ids[NODE], port.external_ids.get(INTERFACE, "")
    mark = parse_alias(device.alias) if device is not None else None
    node, _colon, interface = mark.key.rpartition(":") if mark else ("", "", "")
    return node, interface
