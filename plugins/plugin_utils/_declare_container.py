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
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import ManagementAddresses, Node, NodeInterface
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe import ABLE, Abilities, after_boot, make_recipe


def declare_container(
    node: Node,
    interfaces: t.Sequence[NodeInterface],
    reader: FileReader,
    *,
    management: ManagementAddresses | None = None,
    number: int = 1,
    lacking: Abilities = ABLE,
    waits_for: t.Sequence[str] = (),
) -> dict[str, t.Any]:
    """interfaces: the data interfaces, which must be there before the node starts, in the device's order.

    management: what its management interface is given; None where it has none. number: the node's own among those of its kind.
    lacking: what its server cannot give. waits_for: the nodes without which it is not started, all of them.
    """
    recipe = make_recipe(node, interfaces, reader, management=management, number=number, lacking=lacking)
    return {
        "name": node.container,
        "sandbox": _sandbox(node),
        "node": node.name,
        "image": node.image,
        "kind": node.kind,
        "hostname": node.hostname or node.name,
        "cmd": None if recipe.cmd is None else list(recipe.cmd),
        "entrypoint": None if recipe.entrypoint is None else list(recipe.entrypoint),
        "user": recipe.user,
        "env": dict(sorted(recipe.env.items())),
        "labels": dict(sorted(node.labels.items())),
        "binds": list(recipe.binds),
        "files": [dict(file) for file in recipe.files],
        "sysctls": dict(sorted(recipe.sysctls.items())),
        "cap_add": list(recipe.cap_add),
        "devices": list(recipe.devices),
        "privileged": recipe.privileged,
        "system_paths": recipe.system_paths,
        "memory": node.memory,
        "cpu": node.cpu,
        "exec": [list(command) for command in node.exec],
        "boot_commands": [list(command) for command in recipe.commands],
        "boot_timeout": node.profile.readiness.timeout if recipe.commands else 0,
        "ready_log": _ready_log(node.profile),
        "interfaces": [one.linux for one in interfaces],
        "network": node.network_mode.partition(":")[0] if node.network_mode != "none" else "",
        "wave": node.wave,
        "hold": node.hold,
        "waits_for": list(waits_for) if node.wave else None,
        "startup_delay": node.startup_delay,
        "stage_commands": [
            {"stage": stage.name, "command": list(one.command), "phase": one.phase, "target": one.target}
            for stage in node.stages
            for one in stage.commands
        ],
        "healthcheck": {**asdict(node.healthcheck), "test": list(node.healthcheck.test)} if node.healthcheck else None,
        "tmpfs": dict(sorted(node.tmpfs.items())),
        "volumes": list(node.volumes),
        "shm_size": recipe.shm_size,
        "security_opts": list(recipe.security_opts),
        "pid_mode": node.pid_mode,
        "cgroupns_mode": node.cgroupns_mode,
        "cgroup_parent": node.cgroup_parent,
        "cpu_set": node.cpu_set,
        "dns": list(node.dns.servers),
        "dns_search": list(node.dns.search),
        "dns_options": list(node.dns.options),
    }


def _ready_log(kind: Kind) -> str:
    """What the log must show before the kind's own commands: those for a node that is ready, where the log is what tells that."""
    return kind.readiness.pattern if after_boot(kind) and kind.readiness.probe == "log" else ""


def _sandbox(node: Node) -> str:
    """The container whose network namespace the node has."""
    if node.network_mode.startswith("container:"):
        return node.shares
    return sandbox_name(node.shares or node.container)
