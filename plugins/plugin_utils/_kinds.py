# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The kinds: what is known of a type of device. They are data, one YAML file each in C(kinds/); adding one needs no Python.

C(kinds/kind.schema.json) describes the files and is checked by the tests; here only their types are read.
"""

from __future__ import annotations

import functools
import re
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, did_you_mean
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Value, load_yaml

DIRECTORY = Path(__file__).parent / "kinds"

PROVIDERS = ("container", "segment")
"""container: the node is a container. segment: it is no device but a wire with many ends, made by the lab."""

_KEYS = (
    "name", "aliases", "provider", "description", "image", "shell", "network_os", "interfaces",
    "capabilities", "sysctls", "system_paths", "startup_config", "link_apply_mode",
)  # fmt: skip
_INTERFACE_KEYS = ("management", "first", "linux", "accepted", "vendor")


@dataclass(frozen=True)
class VendorNames:
    """How the vendor names an interface. pattern has the group C(port); Linux index = port - offset + first index of the kind."""

    pattern: re.Pattern[str]
    name: str
    offset: int = 0


@dataclass(frozen=True)
class Interfaces:
    """Names of a kind's interfaces. management: the Linux name no link may use. first: index of the first data interface.

    linux: the Linux name with C({index}). accepted: what Linux names may look like. vendor: None where there is one name only.
    """

    management: str = "eth0"
    first: int = 1
    linux: str = "eth{index}"
    accepted: re.Pattern[str] = re.compile(r".+")
    vendor: VendorNames | None = None


@dataclass(frozen=True)
class Kind:
    """One kind. startup_config: the path in the node where its start-up configuration goes, empty where it takes none."""

    name: str
    provider: str
    aliases: tuple[str, ...] = ()
    image: str = ""
    shell: str = "sh"
    network_os: str = ""
    interfaces: Interfaces = field(default_factory=Interfaces)
    capabilities: tuple[str, ...] = ()
    sysctls: t.Mapping[str, str] = field(default_factory=dict)
    system_paths: str = "default"
    startup_config: str = ""
    link_apply_mode: str = "recreate"

    @property
    def is_segment(self) -> bool:
        return self.provider == "segment"


def load_kinds(directory: Path = DIRECTORY) -> dict[str, Kind]:
    """Name or alias -> kind, from the files of a directory. Raises LabFileError."""
    kinds: dict[str, Kind] = {}
    for path in sorted(directory.glob("*.yml")):
        problems = Problems(str(path))
        root = load_yaml(str(path))
        kind = _Loader(problems).kind(root)
        for name in (kind.name, *kind.aliases):
            if name in kinds:
                problems.add(root, f"kind {name} is in another file already", "Give it another name")
            kinds[name] = kind
        problems.raise_if_any()
    return kinds


@functools.cache
def known_kinds() -> t.Mapping[str, Kind]:
    """Name or alias -> kind, all that the collection has."""
    return load_kinds()


def find_kind(name: str) -> Kind | None:
    """The kind of a name or alias, in any case, as containerlab has it."""
    return known_kinds().get(name.lower())


def unknown_kind_remedy(name: str) -> str:
    kinds = sorted(known_kinds())
    return f"{did_you_mean(name, kinds)} Known kinds are: {', '.join(kinds)}".strip()


class _Loader(Reader):
    def kind(self, root: Value) -> Kind:
        values = self.mapping(root, "a kind")
        if values is None:
            raise LabFileError(self.problems.found)
        self.known_keys(values, _KEYS, "a kind")
        name, provider = self.text(values.get("name"), "name") or "", self.text(values.get("provider"), "provider") or ""
        if not name:
            self.problems.add(values, "name is missing")
        if provider not in PROVIDERS:
            self.problems.add(values, f"provider must be one of {', '.join(PROVIDERS)}")
        return Kind(
            name=name,
            provider=provider,
            aliases=self._texts(values, "aliases"),
            image=self.text(values.get("image"), "image") or "",
            shell=self.text(values.get("shell"), "shell") or "sh",
            network_os=self.text(values.get("network_os"), "network_os") or "",
            interfaces=self._interfaces(values.get("interfaces")),
            capabilities=self._texts(values, "capabilities"),
            sysctls={key: one.text for key, one in self.scalar_map(values.get("sysctls"), "sysctls").items()},
            system_paths=self.text(values.get("system_paths"), "system_paths") or "default",
            startup_config=self.text(values.get("startup_config"), "startup_config") or "",
            link_apply_mode=self.text(values.get("link_apply_mode"), "link_apply_mode") or "recreate",
        )

    def _texts(self, values: MapValue, key: str) -> tuple[str, ...]:
        return tuple(one.text for one in self.scalars(values.get(key), key))

    def _interfaces(self, value: Value | None) -> Interfaces:
        values = self.mapping(value, "interfaces")
        if values is None:
            return Interfaces()
        self.known_keys(values, _INTERFACE_KEYS, "interfaces")
        first = self.integer(values.get("first"), "first", 0, 100)
        return Interfaces(
            management=self.text(values.get("management"), "management") or "",
            first=1 if first is None else first,
            linux=self.text(values.get("linux"), "linux") or "eth{index}",
            accepted=self._pattern(values, "accepted") or re.compile(r".+"),
            vendor=self._vendor(values.get("vendor")),
        )

    def _vendor(self, value: Value | None) -> VendorNames | None:
        values = self.mapping(value, "vendor")
        pattern = self._pattern(values, "pattern") if values else None
        if values is None or pattern is None:
            return None
        offset = self.integer(values.get("offset"), "offset", -100, 100)
        return VendorNames(pattern, self.text(values.get("name"), "name of vendor") or "", offset or 0)

    def _pattern(self, values: MapValue, key: str) -> re.Pattern[str] | None:
        text = self.text(values.get(key), key)
        try:
            return re.compile(text) if text else None
        except re.error as exc:
            self.problems.add(values.get(key), f"{key} is not a regular expression: {exc}")
            return None
