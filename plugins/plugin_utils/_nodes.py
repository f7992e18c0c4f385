# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Nodes of a topology: inherited settings, checked and made into C(_model.Node)."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._binds import BindReader, without_magic
from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, Node, Place
from ansible_collections.archetype.lab.plugins.plugin_utils._read import quote
from ansible_collections.archetype.lab.plugins.plugin_utils._words import memory_bytes, split_command
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

OWN_LABELS = "archetype-"
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")
_CAPABILITY = re.compile(r"[A-Z][A-Z0-9_]*")
_SYSCTL = re.compile(r"[a-z0-9_][A-Za-z0-9_.*/-]*")
_TRUE = frozenset({"true", "yes", "on", "y"})


class NodeReader:
    """Makes nodes. folder: where the topology file is."""

    def __init__(self, problems: Problems, folder: str) -> None:
        self.problems = problems
        self.binds = BindReader(problems, folder)

    def node(self, name: str, at: Scalar, settings: Settings, kind: Kind, container: str) -> Node:
        privileged, user = settings.scalar("privileged"), settings.scalar("user")
        return Node(
            name=name,
            kind=kind.name,
            profile=kind,
            image=self._image(name, at, settings, kind),
            place=Place(self.problems.file, at.line, at.column),
            container=container,
            group=settings.group,
            cmd=self._command(name, "cmd", settings.scalar("cmd")),
            entrypoint=self._command(name, "entrypoint", settings.scalar("entrypoint")),
            user=user.text if user else "",
            env=self._env(name, settings),
            labels=self._labels(name, settings),
            binds=self._binds(name, settings, kind),
            exec=self._exec(name, settings),
            sysctls=self._sysctls(name, settings, kind),
            cap_add=self._capabilities(name, settings, kind),
            devices=self._devices(name, settings),
            privileged=privileged is not None and privileged.text.lower() in _TRUE,
            system_paths=kind.boot.system_paths,
            memory=self._memory(name, settings.scalar("memory")),
            cpu=self._cpu(name, settings.scalar("cpu")),
        )

    def _image(self, name: str, at: Scalar, settings: Settings, kind: Kind) -> str:
        image = settings.scalar("image")
        if image is None:
            if not kind.image:
                self.problems.add(at, f"node {name} has no image", "Give it one, or give one to its group, its kind or the defaults")
            return kind.image
        if not _IMAGE.fullmatch(image.text):
            self.problems.add(image, f"node {name}: {quote(image.text)} is not an image reference", "Write it as repository/name:tag")
        return image.text

    def _command(self, name: str, key: str, value: Scalar | None) -> tuple[str, ...] | None:
        if value is None:
            return None
        try:
            return split_command(value.text) or None
        except ValueError as exc:
            self.problems.add(value, f"node {name}: {key} cannot be split into words: {exc}", "Correct the quotes")
            return None

    def _exec(self, name: str, settings: Settings) -> tuple[tuple[str, ...], ...]:
        commands: list[tuple[str, ...]] = []
        for item in settings.items("exec"):
            text = without_magic(self.problems, item, name)
            words = self._command(name, "exec", Scalar(text, item.line, item.column)) if text is not None else None
            if words:
                commands.append(words)
        return tuple(commands)

    def _env(self, name: str, settings: Settings) -> dict[str, str]:
        env = settings.mapping("env")
        for key, value in env.items():
            if not key or "=" in key:
                self.problems.add(value, f"node {name}: {quote(key)} cannot be the name of a variable", "Leave out '='")
        return {key: value.text for key, value in env.items()}

    def _labels(self, name: str, settings: Settings) -> dict[str, str]:
        labels = settings.mapping("labels")
        for key, value in labels.items():
            if key.startswith(OWN_LABELS):
                self.problems.add(
                    value, f"node {name}: label {quote(key)} is a mark of ownership of the lab", "Give the label another name"
                )
        return {key: value.text for key, value in labels.items()}

    def _binds(self, name: str, settings: Settings, kind: Kind) -> tuple[Bind, ...]:
        binds = self.binds.binds(settings.items("binds"), name)
        config = settings.scalar("startup-config")
        if config and kind.startup_config.path:
            bind = self.binds.startup_config(config, kind.startup_config.path, name)
            if bind and bind.target in binds:
                self.problems.add(
                    config, f"node {name}: startup-config and a bind have the same target {bind.target}", "Keep one of the two"
                )
            elif bind:
                binds[bind.target] = bind
        return tuple(binds[target] for target in sorted(binds))

    def _sysctls(self, name: str, settings: Settings, kind: Kind) -> dict[str, str]:
        sysctls = settings.mapping("sysctls")
        for key, value in sysctls.items():
            if not _SYSCTL.fullmatch(key):
                self.problems.add(value, f"node {name}: {quote(key)} is not the name of a sysctl", "Write it as net.ipv4.ip_forward")
        return {**kind.boot.sysctls, **{key: value.text for key, value in sysctls.items()}}

    def _capabilities(self, name: str, settings: Settings, kind: Kind) -> tuple[str, ...]:
        found = set(kind.boot.capabilities)
        for item in settings.items("cap-add"):
            capability = item.text.upper().removeprefix("CAP_")
            if not _CAPABILITY.fullmatch(capability):
                self.problems.add(item, f"node {name}: {quote(item.text)} is not a capability", "Write it as NET_ADMIN")
            found.add(capability)
        return tuple(sorted(found))

    def _devices(self, name: str, settings: Settings) -> tuple[str, ...]:
        items = settings.items("devices")
        for item in items:
            if not item.text.startswith("/dev/") or len(item.text.split(":")) > 3 or ".." in item.text:
                self.problems.add(
                    item, f"node {name}: {quote(item.text)} is not a device", "Write it as /dev/name or /dev/name:/dev/name:rwm"
                )
        return tuple(item.text for item in items)

    def _memory(self, name: str, value: Scalar | None) -> int:
        try:
            return memory_bytes(value.text) if value else 0
        except ValueError as exc:
            self.problems.add(value, f"node {name}: memory {quote(t.cast(Scalar, value).text)} is {exc}", "Write it as 512MB or 1Gib")
            return 0

    def _cpu(self, name: str, value: Scalar | None) -> float:
        cpu = float(value.text) if value else 0.0
        if not 0 <= cpu <= 4096:
            self.problems.add(value, f"node {name}: cpu {quote(t.cast(Scalar, value).text)} is not a number of CPUs", "Write it as 1.5")
            return 0.0
        return cpu
