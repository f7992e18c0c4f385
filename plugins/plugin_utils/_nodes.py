# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Nodes of a topology: inherited settings, checked and made into C(_model.Node). What their kind adds to them is added elsewhere."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.archetype.lab.plugins.plugin_utils._binds import BindReader
from ansible_collections.archetype.lab.plugins.plugin_utils._blocks import Extras
from ansible_collections.archetype.lab.plugins.plugin_utils._disk_image import ImageFault, disk_image
from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import is_disk_image, why_not_native
from ansible_collections.archetype.lab.plugins.plugin_utils._magic import Magic
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, Dns, Management, Node, Place
from ansible_collections.archetype.lab.plugins.plugin_utils._node_env import EnvReader
from ansible_collections.archetype.lab.plugins.plugin_utils._node_limits import LimitReader
from ansible_collections.archetype.lab.plugins.plugin_utils._node_machine import MachineReader
from ansible_collections.archetype.lab.plugins.plugin_utils._node_network import OF_CONTAINER, NetworkReader
from ansible_collections.archetype.lab.plugins.plugin_utils._node_waits import StageReader
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._words import split_command
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

APPLY_MODES = ("live", "recreate", "restart")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
_TRUE = frozenset({"true", "yes", "on", "y"})
_NO_DNS = Dns()


@dataclass(frozen=True)
class _Image:
    """path: or reference of a container's image. native: whether it is the disk of a machine."""

    path: str
    sha256: str = ""
    native: bool = False


class NodeReader:
    """Makes nodes. kinds: of all nodes of the file, None where one is not known. containers: node -> the name of its container.

    images: image that the file names -> the one that is used instead.
    """

    def __init__(
        self,
        problems: Problems,
        missing: Problems,
        magic: Magic,
        management: Management,
        kinds: t.Mapping[str, Kind | None],
        containers: t.Mapping[str, str],
        images: t.Mapping[str, str] | None = None,
    ) -> None:
        self.problems = problems
        self.images = images or {}
        self.magic = magic
        self.containers = containers
        self.binds = BindReader(problems, missing, magic)
        self.environment = EnvReader(problems, self.binds)
        self.limits = LimitReader(problems)
        self.network = NetworkReader(problems, magic.lab, management, kinds, containers)
        self.stages = StageReader(problems, kinds, self._line)
        self.machines = MachineReader(problems)
        self._splits: dict[str, tuple[str, ...] | ValueError] = {}

    def node(self, name: str, at: Scalar, settings: Settings, kind: Kind) -> Node:
        """One node, as it is on its own. finish() says what it is among the others."""
        mode = self.network.mode(name, settings)
        self.network.ask_ports(name, settings, mode)
        binds, volumes = self.binds.binds(settings.items("binds"), name)
        credentials = self._merged(settings, "credentials")
        delay = settings.scalar("startup-delay")
        reference = settings.text("image") or kind.image
        image = self._image(name, at, settings, kind)
        node = Node(
            name=name,
            kind=kind.name,
            profile=kind,
            image=image.path,
            native=image.native,
            sha256=image.sha256,
            reference=reference,
            place=Place(self.problems.file, at.line, at.column),
            container=self.containers[name],
            group=settings.group,
            type=settings.text("type").strip(),
            hostname=self.network.hostname(name, settings),
            startup_config=self._startup_config(name, settings, kind, binds),
            enforce_startup_config=_flag(settings, "enforce-startup-config") or False,
            suppress_startup_config=_flag(settings, "suppress-startup-config") or False,
            license=self._file(name, "license", settings),
            credentials=self._credentials(credentials, kind),
            identity_file=self._identity(credentials),
            link_apply_mode=self._apply_mode(name, settings.scalar("link-apply-mode")),
            network_mode=mode,
            mgmt_ipv4=self.network.address(name, "mgmt-ipv4", settings, mode),
            mgmt_ipv6=self.network.address(name, "mgmt-ipv6", settings, mode),
            dns=settings.block("dns") or _NO_DNS,
            aliases=self.network.aliases(name, settings),
            tmpfs=self.limits.tmpfs(name, settings),
            volumes=tuple(dict.fromkeys([*self.binds.volumes(settings.items("volumes"), name), *volumes])),
            shm_size=self.limits.size(name, "shm-size", settings.scalar("shm-size")),
            security_opts=self.limits.security_opts(name, settings),
            pid_mode=self.network.pid_mode(name, settings),
            cgroupns_mode=self.limits.cgroupns_mode(name, settings.scalar("cgroupns-mode")),
            cgroup_parent=self.limits.cgroup_parent(name, settings.scalar("cgroup-parent")),
            cpu_set=self.limits.cpu_set(name, settings.scalar("cpu-set")),
            healthcheck=settings.block("healthcheck"),
            startup_delay=int(delay.text) if delay else 0,
            stages=self.stages.stages(name, settings),
            extras=self._extras(name, settings.block("extras")),
            config_vars=self._merged(settings, "config"),
            components=settings.block("components") or (),
            cmd=self._command(name, "cmd", settings.scalar("cmd")),
            entrypoint=self._command(name, "entrypoint", settings.scalar("entrypoint")),
            user=settings.text("user"),
            env=self.environment.env(name, settings),
            labels=self.environment.labels(name, settings),
            binds=tuple(binds[target] for target in sorted(binds)),
            exec=self._exec(name, settings),
            sysctls=self.limits.sysctls(name, settings),
            cap_add=self.limits.capabilities(name, settings),
            devices=self.limits.devices(name, settings),
            privileged=_flag(settings, "privileged"),
            memory=self.limits.size(name, "memory", settings.scalar("memory")),
            cpu=self.limits.cpu(name, settings.scalar("cpu")),
        )
        return self.machines.finish(node, at, settings) if node.native else node

    def external(self, name: str, at: Scalar, settings: Settings, kind: Kind) -> Node:
        """A node that is a container which is there already, under the node's own name; the lab only puts interfaces into it."""
        return Node(
            name=name,
            kind=kind.name,
            profile=kind,
            image="",
            place=Place(self.problems.file, at.line, at.column),
            container=name,
            group=settings.group,
            network_mode=OF_CONTAINER + name,
            shares=name,
            labels=self.environment.labels(name, settings),
        )

    def finish(self, nodes: dict[str, Node]) -> list[str]:
        """What nodes are among each other: shared networks, published ports, waves. Returns notes."""
        for name, ports in self.network.published().items():
            nodes[name] = replace(nodes[name], ports=ports)
        self.network.shared(nodes)
        self.machines.shared(nodes)
        self.stages.order(nodes)
        return self.network.notes + self.stages.notes + self.machines.notes()

    def _image(self, name: str, at: Scalar, settings: Settings, kind: Kind) -> _Image:
        """The image that is used: a container's, or the path of a disk on the servers."""
        value = settings.scalar("image")
        reference = value.text if value else kind.image
        if not reference:
            self.problems.add(at, f"node {name} has no image", "Give it one, or give one to its group, its kind or the defaults")
            return _Image("")
        where = value or at
        image = self.images.get(reference) or reference
        if is_disk_image(image):
            return self._disk(name, where, image, kind)
        if value is not None and not _IMAGE.fullmatch(image):
            self.problems.add(where, f"node {name}: {quote(image)} is not an image reference", "Write it as repository/name:tag")
        return _Image(image)

    def _disk(self, name: str, where: Scalar, image: str, kind: Kind) -> _Image:
        why = why_not_native(kind)
        if why:
            what = f"node {name}: {quote(image)} is the disk of a virtual machine, and {why}"
            self.problems.add(where, what, "Name a container image, or a kind that runs from a disk, such as generic_vm")
            return _Image(image)
        try:
            found = disk_image(image)
        except ImageFault as exc:
            self.problems.add(where, f"node {name}: the disk image {quote(image)} {exc.what}", exc.remedy)
            return _Image(image, native=True)
        return _Image(found.path, found.sha256, native=True)

    # commands

    def _command(self, name: str, key: str, value: Scalar | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        found = self._splits.get(value.text)
        if found is None:
            try:
                found = split_command(value.text)
            except ValueError as exc:
                found = exc
            self._splits[value.text] = found
        if isinstance(found, ValueError):
            self.problems.add(value, f"node {name}: {key} cannot be split into words: {found}", "Correct the quotes")
            return None
        return found or None

    def _line(self, name: str, key: str, item: Scalar) -> tuple[str, ...] | None:
        """The words of a line in which magic variables are put in."""
        return self._command(name, key, Scalar(self.magic.text(item.text, name), item.line, item.column))

    def _exec(self, name: str, settings: Settings) -> tuple[tuple[str, ...], ...]:
        commands = (self._line(name, "exec", item) for item in settings.items("exec"))
        return tuple(words for words in commands if words)

    # files

    def _file(self, name: str, key: str, settings: Settings) -> Bind | None:
        value = settings.scalar(key)
        return self.binds.file(value, key, name) if value else None

    def _startup_config(self, name: str, settings: Settings, kind: Kind, binds: t.Mapping[str, Bind]) -> Bind | None:
        path, value = kind.startup_config.path, settings.scalar("startup-config")
        if value is not None and path and path in binds:
            self.problems.add(value, f"node {name}: startup-config and a bind have the same target {path}", "Keep one of the two")
        return self._file(name, "startup-config", settings)

    def _extras(self, name: str, extras: Extras | None) -> dict[str, t.Any]:
        if extras is None:
            return {}
        files = {key: self.binds.paths(items, f"extras, {key}", name) for key, items in extras.files.items()}
        return {**extras.values, **files}

    # the rest

    def _merged(self, settings: Settings, key: str) -> dict[str, t.Any]:
        found: dict[str, t.Any] = {}
        for block in settings.blocks(key):
            found = merge(found, block)
        return found

    def _credentials(self, given: t.Mapping[str, str], kind: Kind) -> tuple[str, str] | None:
        """What the topology does not say of them is as the kind has it."""
        if "username" not in given and "password" not in given:
            return None
        return given.get("username", kind.connection.username), given.get("password", kind.connection.password)

    def _identity(self, given: t.Mapping[str, str]) -> str:
        """The absolute path of the key, whether it is there or not: it is for programs on the controller, not for the lab."""
        path = given.get("identity-file", "")
        return os.path.normpath(os.path.join(self.magic.folder, os.path.expanduser(path))) if path else ""

    def _apply_mode(self, name: str, value: Scalar | None) -> str:
        if value is not None and value.text not in APPLY_MODES:
            remedy = did_you_mean(value.text, APPLY_MODES) or f"It is one of {', '.join(APPLY_MODES)}"
            self.problems.add(value, f"node {name}: link-apply-mode is {quote(value.text)}", remedy)
        return value.text if value else ""


def merge(base: t.Mapping[str, t.Any], over: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Mappings within mappings are merged key by key, anything else is replaced."""
    found = dict(base)
    for key, value in over.items():
        below = found.get(key)
        found[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return found


def _flag(settings: Settings, key: str) -> bool | None:
    """What is said of a flag; None where nothing is."""
    value = settings.scalar(key)
    return None if value is None else value.text.lower() in _TRUE
