# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a lab looks like as an inventory: host names and variables of its nodes, and the addresses of servers.

Pure, but for names that are resolved.
"""

from __future__ import annotations

import ipaddress
import socket
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._declare_access import console_of
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_management import join
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._management import make_network, memory_of, parsed_network
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import Lock
from ansible_collections.archetype.lab.plugins.plugin_utils._vm_numbers import console_ports

SERVERS = "lab_servers"
NODES = "lab_nodes"
_RESERVED = frozenset({"all", "ungrouped", SERVERS, NODES})
_LOCAL = "127.0.0.1"

JUMP = (
    "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
    "{% set server = hostvars[lab_server] %}"
    "{% if server.ansible_connection | default('ssh') not in ['local', 'ansible.builtin.local'] %}"
    "{% set words = ['-o ControlPath=none', server.ansible_ssh_args | default('', true),"
    " server.ansible_ssh_common_args | default('', true), server.ansible_ssh_extra_args | default('', true)] | select | list %}"
    "{% set words = words + ['-i ' ~ server.ansible_ssh_private_key_file | quote] if server.ansible_ssh_private_key_file"
    " | default('', true) else words %}"
    "{% set words = words + ['-p ' ~ server.ansible_port] if server.ansible_port | default('', true) else words %}"
    "{% set words = words + ['-l ' ~ server.ansible_user | quote] if server.ansible_user | default('', true) else words %}"
    "{% set words = words + ['-- ' ~ server.ansible_host | default(lab_server, true) | quote] %}"
    """ -o {{ ("ProxyCommand=ssh -W '[%h]:%p' " ~ words | join(' ') | trim | replace('%', '%%')) | quote }}"""
    "{% endif %}"
)
"""How nodes are reached by SSH: through their server, with what Ansible itself reaches the server by. It is evaluated for each node when
it is used, so that it follows the server's variables wherever they are set. Keys of nodes are not remembered: a node that is made anew has
another, and whoever is on the path between server and node is on the server. The key of the server is checked as ever. A connection of its
own for each node, as sshd lets ten sessions share one."""


def lab_group(lab: str, safe: t.Callable[[str], str]) -> str:
    """The group of a lab's nodes: C(lab_<name>), with one more C(_) for a lab whose group would be one of ours."""
    name = safe(f"lab_{lab}")
    return f"{name}_" if name in _RESERVED else name


def topology_group(group: str, lab: str, safe: t.Callable[[str], str], taken: t.Callable[[str], bool]) -> str:
    """The inventory group of a group of the topology; with the lab's group before it where the name has another meaning."""
    name = safe(group)
    ours = name in _RESERVED or name.startswith(("lab_", "kind_"))
    return f"{lab_group(lab, safe)}_{name}" if ours or taken(name) else name


def host_names(topology: Topology, taken: t.Callable[[str], bool]) -> dict[str, str]:
    """Node -> name of its host: its own, or C(<lab>-<node>) where a server or another lab has this name already."""
    clash = {node for node in topology.nodes if node in ("localhost", "all", "ungrouped") or taken(node)}
    return {node: f"{topology.name}-{node}" if node in clash else node for node in topology.nodes}


def management_addresses(
    topology: Topology, placement: t.Mapping[str, str], servers: t.Mapping[str, str], lock: Lock
) -> dict[str, dict[str, str]]:
    """Node -> C({ipv4, ipv6}) of its management interface, as the plan has it; nothing for a node without one.

    servers: server -> underlay address, empty where it is not known. Raises LabFileError.
    """
    avoid = [network for address in servers.values() if (network := parsed_network(address)) is not None]
    joined = join(topology, make_network(topology, servers, memory_of(lock), avoid), placement)
    if joined.problems:
        raise LabFileError(list(joined.problems))
    return {name: dict(joined.reached(node)) for name, node in topology.nodes.items()}


def node_variables(
    topology: Topology, placement: t.Mapping[str, str], addresses: t.Mapping[str, t.Mapping[str, str]]
) -> dict[str, dict[str, t.Any]]:
    """Node -> the variables of its host. Of a console that is a TCP port it has the number that it gets where that is free."""
    interfaces: dict[str, list[dict[str, str]]] = {name: [] for name in topology.nodes}
    consoles, _none_left = console_ports(topology.name, topology.nodes, placement, {})
    for key, link in topology.links.items():
        for end in link.endpoints:
            found = {"name": end.interface, "vendor_name": end.vendor_name or end.interface, "link": key}
            found.update({name: address for name, address in (("ipv4", end.ipv4), ("ipv6", end.ipv6)) if address})
            interfaces[end.node].append(found)
    return {
        name: {
            "lab_name": topology.name,
            "lab_node": name,
            "lab_kind": node.kind,
            "lab_server": placement[name],
            **({"lab_domain": node.container} if node.native else {"lab_container": node.container}),
            "lab_interfaces": sorted(interfaces[name], key=lambda one: _by_number(one["name"])),
            "lab_console": console_of(node, consoles.get(name, ()))["command"],
            **_reaching(node, addresses.get(name) or {}),
        }
        for name, node in topology.nodes.items()
    }


def _reaching(node: Node, addresses: t.Mapping[str, str]) -> dict[str, t.Any]:
    """How Ansible talks to a node; where it has no address, it cannot."""
    connection = node.profile.connection
    user, password = node.credentials or (connection.username, connection.password)
    found: dict[str, t.Any] = dict(connection.variables)
    found.update({
        "ansible_network_os": connection.network_os,
        "ansible_connection": connection.plugin,
        "ansible_user": user,
        "ansible_password": password,
        "ansible_ssh_private_key_file": node.identity_file,
        "lab_config_vars": dict(node.config_vars),
    })  # fmt: skip
    if any(addresses.values()):
        found["ansible_host"] = addresses["ipv4"] or addresses["ipv6"]
        found["lab_management"] = {name: addresses[name] for name in ("ipv4", "ipv6") if addresses[name]}
    return {name: value for name, value in found.items() if value}


def _by_number(name: str) -> tuple[str, int, str]:
    """eth2 before eth10."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0), name


def underlay_address(server: str, variables: t.Mapping[str, t.Any]) -> str | None:
    """The address at which other servers reach a server, from the variables of its host; None where it cannot be said."""
    host = str(variables.get("ansible_host") or server)
    if "{{" in host:
        return None
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        pass
    if host == "localhost" or variables.get("ansible_connection") in ("local", "ansible.builtin.local"):
        return _LOCAL
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return None
    ordered = sorted(found, key=lambda one: one[0] != socket.AF_INET)
    return str(ordered[0][4][0]) if ordered else None
