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

from ansible_collections.archetype.lab.plugins.plugin_utils._model import Topology

SERVERS = "lab_servers"
NODES = "lab_nodes"
_RESERVED = frozenset({"all", "ungrouped", SERVERS, NODES})
_LOCAL = "127.0.0.1"


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


def node_variables(topology: Topology, placement: t.Mapping[str, str]) -> dict[str, dict[str, t.Any]]:
    """Node -> the variables of its host."""
    interfaces: dict[str, list[dict[str, str]]] = {name: [] for name in topology.nodes}
    for key, link in topology.links.items():
        for end in link.endpoints:
            interfaces[end.node].append({"name": end.interface, "vendor_name": end.vendor_name or end.interface, "link": key})
    found: dict[str, dict[str, t.Any]] = {}
    for name, node in topology.nodes.items():
        found[name] = {
            "lab_name": topology.name,
            "lab_node": name,
            "lab_kind": node.kind,
            "lab_server": placement[name],
            "lab_container": node.container,
            "lab_interfaces": sorted(interfaces[name], key=lambda one: _by_number(one["name"])),
            "lab_console": f"docker exec -it {node.container} {node.profile.console.command}",
        }
        if node.profile.connection.network_os:
            found[name]["ansible_network_os"] = node.profile.connection.network_os
    return found


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
