# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""From a kind file, or a part of one, to a C(_kind_model.Kind).

C(kinds/kind.schema.json) describes the files; here they are read as strictly.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_boot import check_placeholders
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_like import NONE
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
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, plain_data, word
from ansible_collections.archetype.lab.plugins.plugin_utils._words import memory_bytes
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Scalar, Value

PROVIDERS = ("container", "external", "host", "segment", "vm")
IDENTITY = ("aliases", "like", "name", "provider")
"""What makes a kind this kind: no override can change it."""

KEYS: t.Mapping[str, tuple[str, ...]] = {
    "": (
        *IDENTITY, "addresses", "boot", "connection", "console", "cpu", "description", "hardware", "image", "interfaces", "license",
        "link_apply_mode", "memory", "post_boot", "readiness", "save_config", "startup_config", "type",
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
        "accepts", "default", "each", "file", "label", "medium", "mode", "part_apply", "part_path", "path", "template",
    ),
    "readiness": ("boot_markers", "failure_markers", "packed_pattern", "pattern", "port", "probe", "timeout"),
    "console": ("command", "method"),
    "save_config": ("command", "method", "pager_off", "prompt"),
    "connection": ("network_os", "password", "plugin", "username", "variables"),
    "hardware": (
        "cdrom_bus", "cpu_flags_off", "data_disks", "disk_bus", "efi", "graphics", "machine", "minimum_cpu", "minimum_memory", "nested",
        "nic_model", "serial_count", "serial_type", "smbios_manufacturer", "smbios_product", "smbios_serial", "sockets",
    ),
}  # fmt: skip
"""The keys of each section, the whole file under the empty name."""

CHOICES: t.Mapping[str, tuple[str, ...]] = {
    "link_apply_mode": ("live", "recreate", "restart"),
    "system_paths": ("default", "unconfined"),
    "probe": ("console", "log", "none", "ssh", "tcp"),
    "console": ("exec", "ssh", "telnet", "virsh"),
    "save_config": ("console", "exec", "file", "none", "ssh"),
    "medium": ("bootflash", "cloud-init", "disk", "iso", "usb"),
}


def read_kind(problems: Problems, root: Value) -> Kind:
    """A whole kind. What is wrong with it becomes problems."""
    return _KindReader(problems).kind(root, whole=True)


def check_part(problems: Problems, root: Value) -> None:
    """A part of a kind file, as images and labs may give one: everything but what makes the kind this kind."""
    _KindReader(problems).kind(root, whole=False)


class _KindReader(Reader):
    def kind(self, root: Value, *, whole: bool) -> Kind:
        values = self.mapping(root, "a kind")
        if values is None:
            if not self.problems.found:
                self.problems.add(root, "a kind without content", "Give it name and provider" if whole else "Say what it changes")
            return Kind("", "container")
        keys = KEYS[""] if whole else tuple(key for key in KEYS[""] if key not in IDENTITY)
        self.known_keys(values, keys, "a kind")
        name = self._text(values, "name")
        if whole and not name:
            self.problems.add(values, "name is missing", "Give the kind a name")
        if whole:
            check_placeholders(self.problems, values)
        provider = self._choice(values, "provider", PROVIDERS)
        if whole and values.get("provider") is None:
            self.problems.add(values, "provider is missing", f"It is one of {', '.join(PROVIDERS)}")
        return Kind(
            name=name.lower(),
            provider=t.cast(Provider, provider or "container"),
            aliases=tuple(alias.lower() for alias in self._texts(values, "aliases")),
            description=self._text(values, "description"),
            image=self._text(values, "image"),
            type=self._text(values, "type"),
            interfaces=self._interfaces(self._section(values, "interfaces")),
            boot=self._boot(self._section(values, "boot")),
            startup_config=self._startup_config(self._section(values, "startup_config")),
            license_path=self._text(values, "license"),
            readiness=self._readiness(values.get("readiness")),
            console=self._console(self._section(values, "console")),
            save_config=self._save_config(self._section(values, "save_config")),
            connection=self._connection(self._section(values, "connection")),
            post_boot=tuple(
                tuple(word.text for word in self.scalars(item, "a command of post_boot"))
                for item in self.items(values.get("post_boot"), "post_boot")
            ),
            memory=self._memory(values, "memory"),
            cpu=self.number(values.get("cpu"), "cpu") or 0.0,
            hardware=self._hardware(self._section(values, "hardware")),
            link_apply_mode=self._choice(values, "link_apply_mode", CHOICES["link_apply_mode"]) or Kind.link_apply_mode,
            addresses=self._flag(values, "addresses"),
        )

    def _interfaces(self, values: MapValue) -> Interfaces:
        default = Interfaces()
        return Interfaces(
            management=self._text(values, "management", default.management),
            management_vendor=self._text(values, "management_vendor"),
            links_may_use_management=self._flag(values, "links_may_use_management"),
            management_link=self._text(values, "management_link"),
            linux=self._text(values, "linux", default.linux),
            first=self._number(values, "first", default.first),
            reserved=self._number(values, "reserved", 0),
            accepted=self._pattern(values, "accepted") or default.accepted,
            forms=tuple(
                form for item in self.items(values.get("forms"), "forms") if (form := self._form(self.mapping(item, "a form"))) is not None
            ),
            maximum=self._number(values, "maximum", 0),
            cards=self._flag(values, "cards"),
        )

    def _form(self, values: MapValue | None) -> InterfaceForm | None:
        if values is None:
            return None
        self.known_keys(values, KEYS["form"], "a form")
        name, pattern = self._text(values, "name"), self._pattern(values, "pattern")
        if not name or pattern is None:
            self.problems.add(values, "a form needs name and pattern", "Give both")
            return None
        return InterfaceForm(
            name=name,
            pattern=pattern,
            offset=self._number(values, "offset", 0),
            step=self._number(values, "step", 1) or 1,
            slots=self._number(values, "slots", 0),
            linux=self._text(values, "linux"),
            count=self._number(values, "count", 0),
        )

    def _boot(self, values: MapValue) -> Boot:
        return Boot(
            entrypoint=self._texts(values, "entrypoint") or None,
            cmd=self._texts(values, "cmd") or None,
            user=self._text(values, "user"),
            security_opts=self._texts(values, "security_opts"),
            types=self._types(values),
            extras=self._texts_by_name(values, "extras"),
            env=self._texts_by_name(values, "env"),
            env_each=self._env_each(values),
            capabilities=self._texts(values, "capabilities"),
            sysctls=self._texts_by_name(values, "sysctls"),
            devices=self._texts(values, "devices"),
            privileged=self._flag(values, "privileged"),
            system_paths=self._choice(values, "system_paths", CHOICES["system_paths"]) or Boot.system_paths,
            shm_size=self._memory(values, "shm_size"),
            binds=self._texts(values, "binds"),
            folders=self._texts(values, "folders"),
            files=tuple(
                file for item in self.items(values.get("files"), "files") if (file := self._file(self.mapping(item, "a file"))) is not None
            ),
        )

    def _types(self, values: MapValue) -> dict[str, dict[str, str]]:
        types = self.mapping(values.get("types"), "types")
        return {name: self._texts_by_name(types, name) for name in types.entries} if types else {}

    def _env_each(self, values: MapValue) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        pieces = self.mapping(values.get("env_each"), "env_each")
        for name, entry in pieces.entries.items() if pieces else ():
            piece = self.mapping(entry.value, f"env_each of {name}")
            if piece is not None:
                self.known_keys(piece, KEYS["piece"], "env_each")
                found[name] = (self._text(piece, "text"), self._text(piece, "separator"))
        return found

    def _file(self, values: MapValue | None) -> BootFile | None:
        if values is None:
            return None
        self.known_keys(values, KEYS["file"], "a file")
        path = self._text(values, "path")
        if not path.startswith("/"):
            self.problems.add(values, "a file needs its path in the node", "Write an absolute path")
            return None
        return BootFile(path, self._text(values, "content"), self._text(values, "mode", "0644"), self._text(values, "each"))

    def _startup_config(self, values: MapValue) -> StartupConfig:
        return StartupConfig(
            path=self._text(values, "path"),
            default=self._text(values, "default"),
            mode=self._text(values, "mode", StartupConfig.mode),
            template=self._flag(values, "template"),
            medium=self._choice(values, "medium", CHOICES["medium"]),
            label=self._text(values, "label"),
            file=self._text(values, "file"),
            each=self._text(values, "each"),
            accepts=self._expression(values, "accepts"),
            part_path=self._text(values, "part_path"),
            part_apply=self._texts(values, "part_apply"),
        )

    def _readiness(self, value: Value | None) -> Readiness:
        if isinstance(value, Scalar) and value.text == NONE:
            return Readiness(optout=True)
        values = self._known(self.mapping(value, "readiness"), "readiness")
        return Readiness(
            probe=self._choice(values, "probe", CHOICES["probe"]) or Readiness.probe,
            pattern=self._expression(values, "pattern"),
            packed_pattern=self._expression(values, "packed_pattern"),
            port=self._number(values, "port", 0),
            timeout=self._number(values, "timeout", Readiness.timeout),
            boot_markers=self._texts(values, "boot_markers"),
            failure_markers=self._texts(values, "failure_markers"),
        )

    def _console(self, values: MapValue) -> Console:
        return Console(
            method=self._choice(values, "method", CHOICES["console"]) or Console.method,
            command=self._text(values, "command", Console.command),
        )

    def _save_config(self, values: MapValue) -> SaveConfig:
        return SaveConfig(
            method=self._choice(values, "method", CHOICES["save_config"]) or SaveConfig.method,
            command=self._text(values, "command"),
            prompt=self._expression(values, "prompt"),
            pager_off=self._text(values, "pager_off"),
        )

    def _connection(self, values: MapValue) -> Connection:
        return Connection(
            network_os=self._text(values, "network_os"),
            plugin=self._text(values, "plugin"),
            username=self._text(values, "username"),
            password=self._text(values, "password"),
            variables=self._texts_by_name(values, "variables"),
        )

    def _hardware(self, values: MapValue) -> dict[str, t.Any]:
        """As it is written, amounts of memory in bytes."""
        found = {key: plain_data(entry.value) for key, entry in values.entries.items()}
        if "minimum_memory" in found:
            found["minimum_memory"] = self._memory(values, "minimum_memory")
        if "data_disks" in found:
            found["data_disks"] = [self._bytes(item, "data_disks") for item in self.items(values.get("data_disks"), "data_disks")]
        return found

    # single values

    def _section(self, values: MapValue, key: str) -> MapValue:
        return self._known(self.mapping(values.get(key), key), key)

    def _known(self, values: MapValue | None, key: str) -> MapValue:
        if values is None:
            return MapValue(0, 0)
        self.known_keys(values, KEYS[key], key)
        return values

    def _text(self, values: MapValue, key: str, otherwise: str = "") -> str:
        """An empty text is an answer: a kind without a management interface says so with one."""
        found = self.text(values.get(key), key)
        return otherwise if found is None else found

    def _texts(self, values: MapValue, key: str) -> tuple[str, ...]:
        return tuple(one.text for one in self.scalars(values.get(key), key))

    def _texts_by_name(self, values: MapValue, key: str) -> dict[str, str]:
        return {name: one.text for name, one in self.scalar_map(values.get(key), key).items()}

    def _flag(self, values: MapValue, key: str) -> bool:
        return self.boolean(values.get(key), key) or False

    def _number(self, values: MapValue, key: str, otherwise: int) -> int:
        found = self.integer(values.get(key), key, 0, 1_000_000)
        return otherwise if found is None else found

    def _choice(self, values: MapValue, key: str, choices: tuple[str, ...]) -> str:
        found = self._text(values, key)
        if found and found not in choices:
            self.problems.add(values.get(key), f"{key} is {word(found)}", f"It is one of {', '.join(choices)}")
        return found

    def _memory(self, values: MapValue, key: str) -> int:
        value = values.get(key)
        return self._bytes(value, key) if value is not None else 0

    def _bytes(self, value: Value, key: str) -> int:
        try:
            return memory_bytes(self.text(value, key) or "")
        except ValueError as exc:
            self.problems.add(value, f"{key} is {exc}", "Write it as 512MB or 1Gib")
            return 0

    def _pattern(self, values: MapValue, key: str) -> re.Pattern[str] | None:
        text = self._expression(values, key)
        return re.compile(text, re.ASCII) if text else None

    def _expression(self, values: MapValue, key: str) -> str:
        """A regular expression, as text."""
        text = self._text(values, key)
        try:
            re.compile(text)
        except re.error as exc:
            self.problems.add(values.get(key), f"{key} is not a regular expression: {exc}", "Correct it")
            return ""
        return text
