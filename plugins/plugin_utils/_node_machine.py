# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is otherwise of a node that is a virtual machine: its size must do for its kind, and what is of containers is noted or refused."""

from __future__ import annotations

import math
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Node, Stage
from ansible_collections.archetype.lab.plugins.plugin_utils._noted import listed
from ansible_collections.archetype.lab.plugins.plugin_utils._read import quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

_TRUE = frozenset({"true", "yes", "on", "y"})
_GIB = 2**30
_OF_CONTAINERS = "it is of containers"
_OWN_DISK = "a virtual machine has what is on its disk"
_NO_ENVIRONMENT = "a virtual machine has no environment; memory and cpu say how large it is"
_NO_COMMANDS = "no command is run in a virtual machine; its startup-config can have what it does"
UNUSED: t.Mapping[str, str] = {
    "binds": _OWN_DISK,
    "cap-add": _OF_CONTAINERS,
    "cgroup-parent": _OF_CONTAINERS,
    "cgroupns-mode": _OF_CONTAINERS,
    "cmd": _OWN_DISK,
    "cpu-set": _OF_CONTAINERS,
    "devices": _OF_CONTAINERS,
    "dns": "a virtual machine is told no name servers; its startup-config can have them",
    "enforce-startup-config": "the medium of a virtual machine has the configuration of the topology at every start",
    "entrypoint": _OWN_DISK,
    "env": _NO_ENVIRONMENT,
    "env-files": _NO_ENVIRONMENT,
    "exec": _NO_COMMANDS,
    "healthcheck": "the kind says when a virtual machine is ready",
    "license": "no medium of a virtual machine has a place for it",
    "pid-mode": _OF_CONTAINERS,
    "privileged": _OF_CONTAINERS,
    "runtime": "a virtual machine is run by libvirt",
    "security-opts": _OF_CONTAINERS,
    "shm-size": _OF_CONTAINERS,
    "stages (exec)": _NO_COMMANDS,
    "sysctls": "a virtual machine has a kernel of its own",
    "tmpfs": _OWN_DISK,
    "user": _OWN_DISK,
    "volumes": _OWN_DISK,
}
"""Keys that have no effect on a virtual machine, and why. They are noted and not refused, as defaults and groups are for all nodes."""


class MachineReader:
    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self._unused: dict[str, list[str]] = {}

    def finish(self, node: Node, at: Scalar, settings: Settings) -> Node:
        """The node as a machine, without what is of containers."""
        self._check_size(node, at, settings)
        for key in UNUSED:
            if _says(node, settings, key):
                self._unused.setdefault(key, []).append(node.name)
        mode = node.network_mode
        if mode not in ("", "none"):
            value = settings.scalar("network-mode") or at
            what = (
                f"node {node.name}: network-mode is {quote(value.text)}, but the node is a virtual machine, which has a network of its own"
            )
            self.problems.add(value, what, "Write none for a node without management interface, or take it out")
            mode = ""
        stages = tuple(Stage(one.name, one.wait_for) for one in node.stages)
        return replace(
            node,
            network_mode=mode,
            stages=tuple(one for one in stages if one.wait_for),
            binds=(), volumes=(), tmpfs={}, exec=(), cmd=None, entrypoint=None, user="", sysctls={}, cap_add=(), devices=(),
            privileged=None, security_opts=(), shm_size=0, pid_mode="", cgroupns_mode="", cgroup_parent="", cpu_set="", healthcheck=None,
        )  # fmt: skip

    def notes(self) -> list[str]:
        """A note for each key, however many nodes have it."""
        return [f"{key} of {listed(self._unused[key])} has no effect: {UNUSED[key]}" for key in sorted(self._unused)]

    def shared(self, nodes: t.Mapping[str, Node]) -> None:
        """Nodes that want the network or the processes of a machine."""
        machines = {name for name, node in nodes.items() if node.native}
        for name, node in nodes.items():
            others = machines.intersection(node.beside)
            if others:
                at = Scalar("", node.place.line, node.place.column)
                what = f"node {name} wants the network or the processes of node {min(others)}, a virtual machine, which shares neither"
                self.problems.add(at, what, "Give it a network of its own, and link the two")

    def _check_size(self, node: Node, at: Scalar, settings: Settings) -> None:
        kind: Kind = node.profile
        needed, memory = int(kind.hardware.get("minimum_memory") or 0), node.memory or kind.memory
        if 0 < memory < needed:
            what = f"node {node.name} has {_size(memory)} of memory, and kind {kind.name} does not start with less than {_size(needed)}"
            self.problems.add(settings.scalar("memory") or at, what, f"Give it memory: {_size(needed)}")
        cpus, given = int(kind.hardware.get("minimum_cpu") or 0), settings.scalar("cpu")
        cpu = math.ceil(node.cpu or kind.cpu)
        if 0 < cpu < cpus:
            what = f"node {node.name} has {cpu} CPUs, and kind {kind.name} does not start with less than {cpus}"
            self.problems.add(given or at, what, f"Give it cpu: {cpus}")


def _says(node: Node, settings: Settings, key: str) -> bool:
    if key == "stages (exec)":
        return any(stage.commands for stage in node.stages)
    if key == "license":
        return node.license is not None
    if key == "runtime":
        return settings.text(key) not in ("", "docker")
    if key in ("enforce-startup-config", "privileged"):
        return settings.text(key).lower() in _TRUE
    return bool(settings.scalar(key) or settings.items(key) or settings.mapping(key) or settings.block(key))


def _size(count: int) -> str:
    for unit, size in (("Gib", _GIB), ("Mib", 2**20)):
        if count % size == 0:
            return f"{count // size}{unit}"
    return f"{count}B"
