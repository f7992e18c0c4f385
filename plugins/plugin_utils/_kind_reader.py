# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""From a kind file, or a part of one, to a C(_kind_model.Kind).

C(kinds/kind.schema.json) describes the files; here they are read as strictly.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_boot import check_placeholders
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_hardware import HARDWARE_KEYS, check_medium, read_hardware
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_like import NATIVE, NONE, types_of
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import (
    Boot,
    BootFile,
    Connection,
    Console,
    InterfaceForm,
    Interfaces,
    Kind,
    Provider,
    Readiness,
    SaveConfig,
    StartupConfig,
)
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_values import ValueReader
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Entry, MapValue, Problems, Scalar, Value

PROVIDERS = ("container", "external", "host", "segment", "vm")
IDENTITY = ("aliases", "like", "name", "provider")
"""What makes a kind this kind: no override can change it."""

KEYS: t.Mapping[str, tuple[str, ...]] = {
    "": (
        *IDENTITY, "addresses", "boot", "connection", "console", "cpu", "description", "hardware", "image", "interfaces", "license",
        "link_apply_mode", "memory", "native", "packed_only", "post_boot", "readiness", "save_config", "startup_config", "type",
    ),
    "interfaces": (
        "accepted", "cards", "first", "forms", "links_may_use_management", "linux", "management", "management_link", "management_vendor",
        "maximum", "reserved",
    ),
    "form": ("count", "linux", "name", "offset", "pattern", "slots", "step"),
    "boot": (
        "binds", "capabilities", "cmd", "devices", "entrypoint", "env", "env_each", "extras", "files", "folders", "privileged",
        "security_opts", "shm_size", "sysctls", "system_paths", "types", "user",
    ),
    "file": ("content", "each", "mode", "path"),
    "piece": ("separator", "text"),
    "startup_config": (
        "accepts", "archive", "bus", "default", "each", "file", "label", "medium", "mode", "part_apply", "part_path", "path",
        "preamble", "template",
    ),
    "readiness": ("boot_markers", "failure_markers", "packed_pattern", "pattern", "port", "probe", "timeout"),
    "console": ("command", "method"),
    "save_config": ("command", "enable", "method", "pager_off", "prompt", "volatile"),
    "connection": ("network_os", "password", "plugin", "username", "variables"),
    "hardware": HARDWARE_KEYS,
}  # fmt: skip
"""The keys of each section, the whole file under the empty name."""

CHOICES: t.Mapping[str, tuple[str, ...]] = {
    "link_apply_mode": ("live", "recreate", "restart"),
    "system_paths": ("default", "unconfined"),
    "probe": ("console", "log", "none", "ssh", "tcp"),
    "console": ("exec", "ssh", "telnet", "virsh"),
    "save_config": ("console", "exec", "file", "none", "ssh"),
    "medium": ("cloud-init", "iso", "poap", "usb"),
    "bus": ("ide", "sata", "scsi", "usb", "virtio"),
}


def read_kind(problems: Problems, root: Value) -> Kind:
    """A whole kind. What is wrong with it becomes problems."""
    return _KindReader(problems).kind(root, whole=True)


def check_part(problems: Problems, root: Value) -> None:
    """A part of a kind file, as images and labs may give one: everything but what makes the kind this kind."""
    _KindReader(problems).kind(root, whole=False)


class _KindReader(ValueReader):
    def kind(self, root: Value, *, whole: bool) -> Kind:
        values = self.mapping(root, "a kind")
        if values is None:
            if not self.problems.found:
                self.problems.add(root, "a kind without content", "Give it name and provider" if whole else "Say what it changes")
            return Kind("", "container")
        keys = KEYS[""] if whole else tuple(key for key in KEYS[""] if key not in IDENTITY)
        self.known_keys(values, keys, "a kind")
        self._native(values, whole=whole)
        check_medium(self, values)
        name = self.text_of(values, "name")
        if whole and not name:
            self.problems.add(values, "name is missing", "Give the kind a name")
        if whole:
            check_placeholders(self.problems, values)
        provider = self.choice_of(values, "provider", PROVIDERS)
        if whole and values.get("provider") is None:
            self.problems.add(values, "provider is missing", f"It is one of {', '.join(PROVIDERS)}")
        return Kind(
            name=name.lower(),
            provider=t.cast(Provider, provider or "container"),
            aliases=tuple(alias.lower() for alias in self.texts_of(values, "aliases")),
            description=self.text_of(values, "description"),
            image=self.text_of(values, "image"),
            type=self.text_of(values, "type"),
            interfaces=self._interfaces(self._section(values, "interfaces")),
            boot=self._boot(self._section(values, "boot")),
            startup_config=self._startup_config(self._section(values, "startup_config")),
            license_path=self.text_of(values, "license"),
            readiness=self._readiness(values.get("readiness")),
            console=self._console(self._section(values, "console")),
            save_config=self._save_config(self._section(values, "save_config")),
            connection=self._connection(self._section(values, "connection")),
            post_boot=tuple(
                tuple(word.text for word in self.scalars(item, "a command of post_boot"))
                for item in self.items(values.get("post_boot"), "post_boot")
            ),
            memory=self.memory_of(values, "memory"),
            cpu=self.number(values.get("cpu"), "cpu") or 0.0,
            packed_only=self.text_of(values, "packed_only"),
            hardware=read_hardware(self, self._section(values, "hardware")),
            link_apply_mode=self.choice_of(values, "link_apply_mode", CHOICES["link_apply_mode"]) or Kind.link_apply_mode,
            addresses=self.flag_of(values, "addresses"),
        )

    def _native(self, values: MapValue, *, whole: bool) -> None:
        """It is put over the rest before that is read (C(_kind_like.as_native)); here it is only checked, whichever image a node has."""
        part = self.mapping(values.get(NATIVE), NATIVE)
        if part is not None:
            allowed = [key for key in KEYS[""] if key not in (*IDENTITY, NATIVE, "packed_only")]
            self.known_keys(part, allowed, NATIVE)
            known = MapValue(part.line, part.column)
            known.entries.update((name, entry) for name, entry in part.entries.items() if name in allowed)
            self.kind(known, whole=False)
            if whole and "startup_config" in known.entries:
                texts = MapValue(part.line, part.column)
                texts.entries["startup_config"] = known.entries["startup_config"]
                texts.entries.update(
                    (name, Entry(entry.key, types_of(entry.value))) for name, entry in values.entries.items() if name == "boot"
                )
                check_placeholders(self.problems, texts)

    def _interfaces(self, values: MapValue) -> Interfaces:
        default = Interfaces()
        return Interfaces(
            management=self.text_of(values, "management", default.management),
            management_vendor=self.text_of(values, "management_vendor"),
            links_may_use_management=self.flag_of(values, "links_may_use_management"),
            management_link=self.text_of(values, "management_link"),
            linux=self.text_of(values, "linux", default.linux),
            first=self.number_of(values, "first", default.first),
            reserved=self.number_of(values, "reserved", 0),
            accepted=self.pattern_of(values, "accepted") or default.accepted,
            forms=tuple(
                form for item in self.items(values.get("forms"), "forms") if (form := self._form(self.mapping(item, "a form"))) is not None
            ),
            maximum=self.number_of(values, "maximum", 0),
            cards=self.flag_of(values, "cards"),
        )

    def _form(self, values: MapValue | None) -> InterfaceForm | None:
        if values is None:
            return None
        self.known_keys(values, KEYS["form"], "a form")
        name, pattern = self.text_of(values, "name"), self.pattern_of(values, "pattern")
        if not name or pattern is None:
            self.problems.add(values, "a form needs name and pattern", "Give both")
            return None
        return InterfaceForm(
            name=name,
            pattern=pattern,
            offset=self.number_of(values, "offset", 0),
            step=self.number_of(values, "step", 1) or 1,
            slots=self.number_of(values, "slots", 0),
            linux=self.text_of(values, "linux"),
            count=self.number_of(values, "count", 0),
        )

    def _boot(self, values: MapValue) -> Boot:
        return Boot(
            entrypoint=self.texts_of(values, "entrypoint") or None,
            cmd=self.texts_of(values, "cmd") or None,
            user=self.text_of(values, "user"),
            security_opts=self.texts_of(values, "security_opts"),
            types=self._types(values),
            extras=self.texts_by_name(values, "extras"),
            env=self.texts_by_name(values, "env"),
            env_each=self._env_each(values),
            capabilities=self.texts_of(values, "capabilities"),
            sysctls=self.texts_by_name(values, "sysctls"),
            devices=self.texts_of(values, "devices"),
            privileged=self.flag_of(values, "privileged"),
            system_paths=self.choice_of(values, "system_paths", CHOICES["system_paths"]) or Boot.system_paths,
            shm_size=self.memory_of(values, "shm_size"),
            binds=self.texts_of(values, "binds"),
            folders=self.texts_of(values, "folders"),
            files=tuple(
                file for item in self.items(values.get("files"), "files") if (file := self._file(self.mapping(item, "a file"))) is not None
            ),
        )

    def _types(self, values: MapValue) -> dict[str, dict[str, str]]:
        types = self.mapping(values.get("types"), "types")
        return {name: self.texts_by_name(types, name) for name in types.entries} if types else {}

    def _env_each(self, values: MapValue) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        pieces = self.mapping(values.get("env_each"), "env_each")
        for name, entry in pieces.entries.items() if pieces else ():
            piece = self.mapping(entry.value, f"env_each of {name}")
            if piece is not None:
                self.known_keys(piece, KEYS["piece"], "env_each")
                found[name] = (self.text_of(piece, "text"), self.text_of(piece, "separator"))
        return found

    def _file(self, values: MapValue | None) -> BootFile | None:
        if values is None:
            return None
        self.known_keys(values, KEYS["file"], "a file")
        path = self.text_of(values, "path")
        if not path.startswith("/"):
            self.problems.add(values, "a file needs its path in the node", "Write an absolute path")
            return None
        return BootFile(path, self.text_of(values, "content"), self.text_of(values, "mode", "0644"), self.text_of(values, "each"))

    def _startup_config(self, values: MapValue) -> StartupConfig:
        return StartupConfig(
            path=self.text_of(values, "path"),
            default=self.text_of(values, "default"),
            mode=self.text_of(values, "mode", StartupConfig.mode),
            template=self.flag_of(values, "template"),
            medium=self.choice_of(values, "medium", CHOICES["medium"]),
            label=self.text_of(values, "label"),
            file=self.text_of(values, "file"),
            archive=self.text_of(values, "archive"),
            preamble=self.text_of(values, "preamble"),
            bus=self.choice_of(values, "bus", CHOICES["bus"]),
            each=self.text_of(values, "each"),
            accepts=self.expression_of(values, "accepts"),
            part_path=self.text_of(values, "part_path"),
            part_apply=self.texts_of(values, "part_apply"),
        )

    def _readiness(self, value: Value | None) -> Readiness:
        if isinstance(value, Scalar) and value.text == NONE:
            return Readiness(optout=True)
        values = self._known(self.mapping(value, "readiness"), "readiness")
        return Readiness(
            probe=self.choice_of(values, "probe", CHOICES["probe"]) or Readiness.probe,
            pattern=self.expression_of(values, "pattern"),
            packed_pattern=self.expression_of(values, "packed_pattern"),
            port=self.number_of(values, "port", 0),
            timeout=self.number_of(values, "timeout", Readiness.timeout),
            boot_markers=self.texts_of(values, "boot_markers"),
            failure_markers=self.texts_of(values, "failure_markers"),
        )

    def _console(self, values: MapValue) -> Console:
        return Console(
            method=self.choice_of(values, "method", CHOICES["console"]) or Console.method,
            command=self.text_of(values, "command", Console.command),
        )

    def _save_config(self, values: MapValue) -> SaveConfig:
        return SaveConfig(
            method=self.choice_of(values, "method", CHOICES["save_config"]) or SaveConfig.method,
            command=self.text_of(values, "command"),
            prompt=self.expression_of(values, "prompt"),
            pager_off=self.text_of(values, "pager_off"),
            enable=self.text_of(values, "enable"),
            volatile=self.expressions_of(values, "volatile"),
        )

    def _connection(self, values: MapValue) -> Connection:
        return Connection(
            network_os=self.text_of(values, "network_os"),
            plugin=self.text_of(values, "plugin"),
            username=self.text_of(values, "username"),
            password=self.text_of(values, "password"),
            variables=self.texts_by_name(values, "variables"),
        )

    # sections

    def _section(self, values: MapValue, key: str) -> MapValue:
        return self._known(self.mapping(values.get(key), key), key)

    def _known(self, values: MapValue | None, key: str) -> MapValue:
        if values is None:
            return MapValue(0, 0)
        self.known_keys(values, KEYS[key], key)
        return values
