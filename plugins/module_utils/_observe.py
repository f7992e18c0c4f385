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
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _bridge, _lock, _tunnel_marks
from ansible_collections.archetype.lab.plugins.module_utils._abilities import lacking_capabilities
from ansible_collections.archetype.lab.plugins.module_utils._claims import claims
from ansible_collections.archetype.lab.plugins.module_utils._container_spec import ROLE_NODE, ROLE_SANDBOX
from ansible_collections.archetype.lab.plugins.module_utils._declared import FORMAT
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, Image
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsPort, OvsState
from ansible_collections.archetype.lab.plugins.module_utils._ownership import INTERFACE, KIND, LINK, NODE, ROLE, owner_of, parse_alias
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import PORT_ROLE
from ansible_collections.archetype.lab.plugins.module_utils._underlay import Underlay, path_mtus

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

Json = dict[str, t.Any]
_T = t.TypeVar("_T")
Devices = t.Mapping[str, Device]


@dataclass(frozen=True)
class Query:
    """What is asked. peers: underlay addresses. images: references. binds: paths. containers: names that must not be somebody else's.

    peers_needed: a peer that does not answer is an error.
    """

    lab: str
    server: str = ""
    bridge: str = "arch-ovs"
    peers: tuple[str, ...] = ()
    peers_needed: bool = True
    images: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Have:
    """Everything that was read. inside: sandbox -> the devices in its namespace, of those that run. lacking: capabilities."""

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
    inside = ask(lambda: _read_inside(server, docker.containers), nothing.inside)
    name = query.server or "this server"
    underlay = ask(lambda: path_mtus(server.net, query.peers, server=name, needed=query.peers_needed), nothing.underlay)
    lock = ask(_lock.current, None)
    lacking: list[str] = ask(lacking_capabilities, [])
    raise_all(errors)
    return Have(ovs, devices, docker.names, docker.containers, docker.images, inside, docker.docker_version, underlay, lock, lacking)


def _read_ovs(server: Server) -> OvsState:
    server.ovs.check()
    return server.ovs.read()


def _read_devices(server: Server) -> Devices:
    return server.net.read()


def _read_docker(server: Server, query: Query) -> Have:
    names = server.docker.list_names()
    own = sorted(name for name, labels in names.items() if owner_of(labels) == query.lab)
    return Have(
        names=names,
        containers=server.docker.inspect(own) if own else {},
        images=server.docker.images(query.images) if query.images else {},
        docker_version=server.docker.version(),
    )


def _read_inside(server: Server, containers: t.Mapping[str, DockerContainer]) -> dict[str, Devices]:
    paths = {name: one.netns for name, one in containers.items() if one.labels.get(ROLE) == ROLE_SANDBOX and one.running and one.netns}
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
        "claims": claims(query.lab, query.bridge, have.ovs, have.devices, have.names, query.containers),
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
    }


def _containers(lab: str, have: Have) -> list[Json]:
    """One entry a node. A node of which only the sandbox is there has no name, and status C(absent)."""
    pairs: dict[str, dict[str, DockerContainer]] = {}
    for one in have.containers.values():
        pairs.setdefault(one.labels.get(NODE, ""), {})[one.labels.get(ROLE, "")] = one
    found = []
    for node, pair in sorted(pairs.items()):
        main, sandbox = pair.get(ROLE_NODE), pair.get(ROLE_SANDBOX)
        found.append({
            "lab": lab,
            "name": main.name if main else "",
            "sandbox": sandbox.name if sandbox else "",
            "node": node,
            "kind": main.labels.get(KIND, "") if main else "",
            "image": ((main.raw.get("Config") or {}).get("Image") or main.image_id) if main else "",
            "status": main.status if main else "absent",
            "sandbox_status": sandbox.status if sandbox else "absent",
            "started_at": main.started_at if main else "",
        })  # fmt: skip
    return found


def _ports(lab: str, have: Have) -> list[Json]:
    """The lab's ports, whole or by half: on the bridge, as a device, or both."""
    names = {
        name for name, port in have.ovs.ports.items() if owner_of(port.external_ids) == lab and port.external_ids.get(ROLE) == PORT_ROLE
    }
    for name, device in have.devices.items():
        mark = parse_alias(device.alias)
        if mark is not None and (mark.lab, mark.kind) == (lab, PORT_ROLE):
            names.add(name)
    sandboxes = {one.labels.get(NODE, ""): name for name, one in have.containers.items() if one.labels.get(ROLE) == ROLE_SANDBOX}
    return [_port(lab, name, have, sandboxes) for name in sorted(names)]


def _port(lab: str, name: str, have: Have, sandboxes: t.Mapping[str, str]) -> Json:
    device = have.devices.get(name)
    port = have.ovs.ports.get(name)
    node, interface = _endpoint(port, device)
    sandbox = sandboxes.get(node, "")
    inside = have.inside.get(sandbox, {}).get(interface)
    joined = device is not None and inside is not None and device.peer_index == inside.index
    return {
        "name": name,
        "device": "veth" if device is not None and device.kind == "veth" else "none",
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
        "enabled": port is not None and device is not None and device.up,
        "lab": lab,
        "carrier": device is not None and device.carrier,
        "ofport": port.ofport if port else None,
    }


def _endpoint(port: OvsPort | None, device: Device | None) -> tuple[str, str]:
    """Node and interface, as the marks say."""
    if port is not None and NODE in port.external_ids:
        return port.external_ids[NODE], port.external_ids.get(INTERFACE, "")
    mark = parse_alias(device.alias) if device is not None else None
    node, _colon, interface = mark.key.rpartition(":") if mark else ("", "", "")
    return node, interface
