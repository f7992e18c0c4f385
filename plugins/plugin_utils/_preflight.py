# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What would fail on a server, found before any server is touched, and all of it at once."""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._declare_management import Joined
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._foreign import is_foreign
from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import sandbox_name
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node, Place, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._overlay import ServerFacts
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import said_of
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

_PREPARE = "Prepare it with archetype.lab.prepare_servers; where sudo asks for a password, add --ask-become-pass"
_PREPARE_VMS = "Mend that, or pin the node to another server"


def observations(servers: t.Mapping[str, ServerFacts], results: t.Mapping[str, t.Any], file: str) -> tuple[dict[str, Json], list[Problem]]:
    """The observed state of each server, out of what M(archetype.lab.lab_info) returned for it (or this state itself).

    No results at all is a plan without observation. Otherwise each server must have been observed: what could not be read is not empty.
    """
    found: dict[str, Json] = {}
    problems: list[Problem] = []
    away = {servers[server].address for server in servers if (results.get(server) or {}).get("unreachable")}
    for server in sorted(servers) if results else ():
        result = results.get(server) or {}
        state = result.get("observed", result)
        if isinstance(state, t.Mapping) and not result.get("unreachable") and {"claims", "ports", "containers"} <= set(state):
            found[server] = state
        elif result.get("unreachable"):
            said = _said(result.get("msg"))
            problems.append(Problem(file, 0, 0, f"server {server} cannot be reached{said}", "See that it is up and reachable by SSH"))
        else:
            problems += [Problem(file, 0, 0, *_unobserved(server, error)) for error in _errors(result) if not _is_echo(error, away)]
    return found, problems


def _errors(result: Json) -> list[Json]:
    """Why a server could not be observed. A result without errors of ours (no interpreter, say) is one error."""
    errors: list[Json] = [error for error in result.get("errors") or () if isinstance(error, t.Mapping)]
    return errors or [{"msg": said_of(result)}]


def _is_echo(error: Json, away: t.AbstractSet[str]) -> bool:
    """Whether it only says what is said already: that servers do not answer that cannot be reached from here either."""
    objects = error.get("objects") or ()
    return bool(objects) and away >= set(objects)


def _unobserved(server: str, error: Json) -> tuple[str, str]:
    hint = str(error.get("hint") or "")
    remedy = hint[:1].upper() + hint[1:] if hint else _PREPARE
    return f"server {server} could not be observed{_said(error.get('msg'))}", remedy


def _said(message: t.Any) -> str:
    """A message of somebody else as the end of a sentence of ours."""
    text = str(message or "").strip().removeprefix("Task failed: ").rstrip(".")
    return f": {text}" if text else ""


def check_names(topology: Topology) -> list[Problem]:
    """Every container of the lab, sandboxes included, has a name of its own. Machines cannot clash: their nodes would have one name."""
    problems = []
    holder: dict[str, str] = {}
    for name in sorted(topology.nodes):
        node = topology.nodes[name]
        if node.native or is_foreign(node):
            continue
        for container, whose in ((node.container, f"node {name}"), (sandbox_name(node.container), f"the sandbox of node {name}")):
            if container in holder:
                problems.append(
                    _at(node, f"{whose} and {holder[container]} would both be container {container}", "Rename one of the nodes")
                )
            holder.setdefault(container, whose)
    return problems


def check_servers(topology: Topology, placement: t.Mapping[str, str], observed: t.Mapping[str, Json]) -> list[Problem]:
    """Images, bind sources and names of containers and machines, each on the server that its node is placed on."""
    problems: list[Problem] = []
    for name in sorted(topology.nodes):
        node, server = topology.nodes[name], placement[name]
        if server in observed and not is_foreign(node):
            check = _check_machine if node.native else _check_node
            problems += check(node, server, observed[server])
    return problems


def check_management(
    topology: Topology, joined: Joined, published: t.Mapping[str, t.Sequence[Json]], observed: t.Mapping[str, Json]
) -> list[Problem]:
    """What somebody else has on a server of what the management network takes there: addresses, ports, and the tool that is needed."""
    problems: list[Problem] = []
    place = topology.management.place if topology.management.place.file else Place(topology.file)

    def add(what: str, remedy: str) -> None:
        problems.append(Problem(place.file, place.line, place.column, what, remedy))

    for server in joined.servers:
        claims = (observed.get(server) or {}).get("claims") or {}
        for family in joined.network.families if joined.network else ():
            for text, who in sorted((claims.get("subnets") or {}).items()):
                other = ipaddress.ip_network(text)
                if other.version == family.subnet.version and other.overlaps(family.subnet):
                    what = f"server {server} has {text} already, which overlaps the management subnet {family.subnet}: {who}"
                    add(what, f"Name another ipv{other.version}-subnet under mgmt, or set management: false in the lab file")
        for port in published.get(server, ()):
            problems += _check_port(topology, port, server, claims.get("published") or {})
        if observed.get(server, {}).get("nft") is False:
            add(f"server {server} has no nftables, which the management network needs", _PREPARE)
    return problems


def _check_port(topology: Topology, port: Json, server: str, claims: t.Mapping[str, str]) -> t.Iterator[Problem]:
    """claims: C(protocol:port:address) -> whose; the address of all is an asterisk."""
    for key, who in sorted(claims.items()):
        protocol, number, address = key.split(":", 2)
        same = address in ("*", port["address"]) or not port["address"]
        if (protocol, int(number)) == (port["protocol"], port["server_port"]) and same:
            node = topology.nodes[port["node"]]
            what = f"{protocol} port {number} of server {server}, which node {node.name} publishes, is in use there: {who}"
            yield _at(node, what, "Publish another port, or pin the node to another server")
            return


def _check_node(node: Node, server: str, observed: Json) -> t.Iterator[Problem]:
    images = observed.get("images") or {}
    if node.image in images and not images[node.image]:
        remedy = "Load it there (docker pull, or docker load from a file), or name another one for it under images: in the lab file"
        if node.profile.provider == "vm" and not node.profile.packed_only:
            remedy += "; the name of a disk image, for a virtual machine without a container around it, ends in .qcow2"
        yield _at(node, f"server {server} has no image {node.image}, which node {node.name} needs", remedy)
    binds = observed.get("binds") or {}
    for bind in node.binds:
        if not bind.local and not bind.made and binds.get(bind.source) is False:
            remedy = "Create it there, or use a path relative to the topology, which is brought to the server"
            yield _at(node, f"server {server} has no {bind.source}, which node {node.name} binds to {bind.target}", remedy)
    claims = (observed.get("claims") or {}).get("containers") or {}
    for container in (node.container, sandbox_name(node.container)):
        if container in claims:
            remedy = "Remove that container, or rename the node or the lab"
            yield _at(
                node, f"server {server} has a container {container} already, which node {node.name} needs: {claims[container]}", remedy
            )


def _check_machine(node: Node, server: str, observed: Json) -> t.Iterator[Problem]:
    """Where libvirt was not asked for, or an image, nothing is said of it."""
    missing = (observed.get("libvirt") or {}).get("missing")
    if missing:
        what = f"server {server} cannot run virtual machines, and node {node.name} is one{_said(missing)}"
        yield _at(node, what, _PREPARE_VMS)
        return
    disks = observed.get("disks") or {}
    disk = disks.get(node.image)
    if node.image in disks and disk is None:
        remedy = "Put it there, or name another one for it under images: in the lab file"
        yield _at(node, f"server {server} has no disk image {node.image}, which node {node.name} needs", remedy)
    elif disk is not None and disk.get("format") != "qcow2":
        what = f"the disk image {node.image} of node {node.name} on server {server} is not qcow2, but {disk.get('format') or 'unknown'}"
        yield _at(node, what, f"Convert it there: qemu-img convert -O qcow2 {node.image} <new file>")
    claims = (observed.get("claims") or {}).get("domains") or {}
    if node.container in claims:
        what = f"server {server} has a virtual machine {node.container} already, which is to be node {node.name}: {claims[node.container]}"
        yield _at(node, what, "Remove that machine, or rename the node or the lab")


def _at(node: Node, what: str, remedy: str) -> Problem:
    return Problem(node.place.file, node.place.line, node.place.column, what, remedy)
