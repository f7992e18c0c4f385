# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""How a node is talked to, in the shape of C(Access) of C(module_utils/_declared_vm.py), and what a person types to get a prompt."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node

_BY_ADDRESS = ("ssh", "tcp")
_PORTS = {"ssh": 22}
_OF_CONTAINERS = ("exec", "file")


def declare_access(node: Node, address: str) -> dict[str, t.Any] | None:
    """address: its management address, empty where it has none. None where there is nothing to say of a node."""
    readiness, save = _readiness(node, address), _save(node)
    post_boot = [" ".join(words) for words in node.profile.post_boot] if node.native else []
    if not readiness and not save and not post_boot:
        return None
    found: dict[str, t.Any] = {"node": node.name, "type": "vm" if node.native else "container", "name": node.container}
    if readiness:
        found["readiness"] = readiness
    if save:
        found["save"] = save
    if post_boot:
        found["post_boot"] = post_boot
    if node.native and (post_boot or save.get("method") == "console" or readiness.get("probe") == "console"):
        username, password = credentials_of(node)
        found.update({key: value for key, value in (("username", username), ("password", password)) if value})
    return found


def credentials_of(node: Node) -> tuple[str, str]:
    return node.credentials or (node.profile.connection.username, node.profile.connection.password)


def console_of(node: Node, serial_ports: t.Sequence[int] = ()) -> dict[str, str]:
    """C({method, command}): the line that shows its console, on its server."""
    if not node.native:
        return {"method": "exec", "command": f"docker exec -it {node.container} {node.profile.console.command}"}
    if serial_ports:
        return {"method": "telnet", "command": f"telnet 127.0.0.1 {serial_ports[0]}"}
    return {"method": "virsh", "command": f"virsh -c qemu:///system console {node.container}"}


def shell_of(node: Node, serial_ports: t.Sequence[int], address: str) -> str:
    """What a person types on the node's server for a prompt of it."""
    if node.native and node.profile.console.method == "ssh" and address:
        username = credentials_of(node)[0]
        return f"ssh {username}@{address}" if username else f"ssh {address}"
    return console_of(node, serial_ports)["command"]


def _readiness(node: Node, address: str) -> dict[str, t.Any]:
    """Empty where a node is ready as soon as it runs. The console of a packed machine is in its container, where only its log is seen."""
    ready = node.profile.readiness
    packed = node.profile.provider == "vm" and not node.native
    probe, pattern = ("log" if ready.packed_pattern else "none", ready.packed_pattern) if packed else (ready.probe, ready.pattern)
    if ready.optout or probe == "none" or (probe in _BY_ADDRESS and not address):
        return {}
    if (probe == "log" and not pattern) or (probe == "console" and not node.native):
        return {}
    found: dict[str, t.Any] = {"probe": probe, "pattern": pattern, "timeout": ready.timeout}
    if probe in _BY_ADDRESS:
        found.update(address=address, port=ready.port or _PORTS.get(probe, 0))
    found["boot_markers"] = list(ready.boot_markers)
    found["failure_markers"] = list(ready.failure_markers)
    return {key: value for key, value in found.items() if value}


def _save(node: Node) -> dict[str, t.Any]:
    """Empty where its configuration cannot be read."""
    save = node.profile.save_config
    if save.method == "none" or (save.method in _OF_CONTAINERS) is node.native:
        return {}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(save).items() if value}
