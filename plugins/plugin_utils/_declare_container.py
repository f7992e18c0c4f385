# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""A node as it is declared to its server: the container and its sandbox, in the shape of C(module_utils/_declared.py)."""

from __future__ import annotations

import typing as t
from dataclasses import asdict

from ansible_collections.archetype.lab.plugins.plugin_utils._files import FileReader
from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import sandbox_name
from ansible_collections.archetype.lab.plugins.plugin_utils._model import ManagementAddresses, Node, NodeInterface


def declare_container(
    node: Node, interfaces: t.Sequence[NodeInterface], reader: FileReader, *, management: ManagementAddresses | None = None
) -> dict[str, t.Any]:
    """interfaces: the data interfaces, which must be there before the node starts, in the device's order.

    management: what its management interface is given; None where it has none.
    """
    binds, files = reader.binds_of(node)
    return {
        "name": node.container,
        "sandbox": _sandbox(node),
        "node": node.name,
        "image": node.image,
        "kind": node.kind,
        "hostname": node.hostname or node.name,
        "cmd": None if node.cmd is None else list(node.cmd),
        "entrypoint": None if node.entrypoint is None else list(node.entrypoint),
        "user": node.user,
        "env": dict(sorted(node.env.items())),
        "labels": dict(sorted(node.labels.items())),
        "binds": binds,
        "files": files,
        "sysctls": dict(sorted(node.sysctls.items())),
        "cap_add": sorted(set(node.cap_add)),
        "devices": list(node.devices),
        "privileged": node.privileged,
        "system_paths": node.system_paths,
        "memory": node.memory,
        "cpu": node.cpu,
        "exec": [list(command) for command in node.exec],
        "interfaces": [one.linux for one in interfaces],
        "network": node.network_mode.partition(":")[0] if node.network_mode != "none" else "",
        "wave": node.wave,
        "hold": node.hold,
        "startup_delay": node.startup_delay,
        "stage_commands": [
            {"stage": stage.name, "command": list(one.command), "phase": one.phase, "target": one.target}
            for stage in node.stages
            for one in stage.commands
        ],
        "healthcheck": {**asdict(node.healthcheck), "test": list(node.healthcheck.test)} if node.healthcheck else None,
        "tmpfs": dict(sorted(node.tmpfs.items())),
        "volumes": list(node.volumes),
        "shm_size": node.shm_size,
        "security_opts": list(node.security_opts),
        "pid_mode": node.pid_mode,
        "cgroupns_mode": node.cgroupns_mode,
        "cgroup_parent": node.cgroup_parent,
        "cpu_set": node.cpu_set,
        "dns": list(node.dns.servers),
        "dns_search": list(node.dns.search),
        "dns_options": list(node.dns.options),
    }


def _sandbox(node: Node) -> str:
    """The container whose network namespace the node has."""
    if node.network_mode.startswith("container:"):
        return node.shares
    return sandbox_name(node.shares or node.container)
