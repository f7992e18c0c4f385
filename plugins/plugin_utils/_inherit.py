# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The four levels that a node takes its settings from: itself, its group, its kind, the defaults, in this order.

As in containerlab, scalars of the more specific level replace those of the less specific one; lists are united, with those of the
less specific level first; mappings are merged key by key.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Scalar, Value

TEXTS = ("kind", "group", "image", "cmd", "entrypoint", "user", "memory", "startup-config")
LISTS = ("binds", "cap-add", "devices", "exec")
MAPS = ("env", "labels", "sysctls")

NOT_HONOURED = frozenset({
    "aliases", "auto-remove", "certificate", "cgroup-parent", "cgroupns-mode", "components", "config", "cpu-set", "credentials", "dns",
    "enforce-startup-config", "env-files", "extras", "healthcheck", "hostname", "image-pull-policy", "license", "link-apply-mode",
    "mgmt-ipv4", "mgmt-ipv6", "network-mode", "pid-mode", "ports", "position", "restart-policy", "runtime", "security-opts", "shm-size",
    "stages", "startup-delay", "suppress-startup-config", "tmpfs", "type", "volumes",
})  # fmt: skip
"""Keys that containerlab has and that have no effect yet; a node that uses one gets a note."""

KEYS = frozenset({*TEXTS, *LISTS, *MAPS, "cpu", "privileged", *NOT_HONOURED})


@dataclass(frozen=True)
class Level:
    """The settings of one level, of the right types. not_honoured: keys that have no effect."""

    scalars: dict[str, Scalar] = field(default_factory=dict)
    lists: dict[str, list[Scalar]] = field(default_factory=dict)
    maps: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    not_honoured: frozenset[str] = frozenset()

    def text(self, key: str) -> str:
        found = self.scalars.get(key)
        return found.text if found else ""


EMPTY = Level()


def read_level(reader: Reader, value: Value | None, where: str) -> Level:
    """One level of settings; where: words for it, such as C(node r1). Null is a level without settings."""
    values = reader.mapping(value, where)
    if values is None or not values.entries:
        return EMPTY
    reader.known_keys(values, KEYS, where)
    level = Level(not_honoured=frozenset(key for key in values.entries if key in NOT_HONOURED and values.get(key) is not None))
    for key in values.entries:
        _read_setting(reader, level, key, values.get(key), f"{key} of {where}")
    return level


def _read_setting(reader: Reader, level: Level, key: str, value: Value | None, what: str) -> None:
    if value is None:
        return
    if key in LISTS:
        level.lists[key] = reader.scalars(value, what)
    elif key in MAPS:
        level.maps[key] = reader.scalar_map(value, what)
    elif key == "privileged":
        if reader.boolean(value, what) is not None:
            level.scalars[key] = t.cast(Scalar, value)
    elif key == "cpu":
        if reader.number(value, what):
            level.scalars[key] = t.cast(Scalar, value)
    elif key in TEXTS and reader.text(value, what):
        level.scalars[key] = t.cast(Scalar, value)


@dataclass(frozen=True)
class Settings:
    """What holds for one node. levels: from the least specific to the most specific."""

    levels: tuple[Level, ...]
    kind: Scalar | None
    group: str

    def scalar(self, key: str) -> Scalar | None:
        for level in reversed(self.levels):
            if key in level.scalars:
                return level.scalars[key]
        return None

    def items(self, key: str) -> list[Scalar]:
        """United: what a less specific level has already is not repeated. Within one level, everything stays."""
        found: list[Scalar] = []
        for level in self.levels:
            known = {one.text for one in found}
            found.extend(one for one in level.lists.get(key, ()) if one.text not in known)
        return found

    def mapping(self, key: str) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        for level in self.levels:
            found.update(level.maps.get(key, {}))
        return found

    @property
    def not_honoured(self) -> list[str]:
        return sorted(set().union(*(level.not_honoured for level in self.levels)))


@dataclass(frozen=True)
class Inheritance:
    """The levels above the nodes."""

    defaults: Level = EMPTY
    kinds: t.Mapping[str, Level] = field(default_factory=dict)
    groups: t.Mapping[str, Level] = field(default_factory=dict)

    def settings(self, node: Level) -> Settings:
        kind = self._kind(node)
        kind_level = self.kinds.get(kind.text, EMPTY) if kind else EMPTY
        group = node.text("group") or kind_level.text("group") or self.defaults.text("group")
        return Settings((self.defaults, kind_level, self.groups.get(group, EMPTY), node), kind, group)

    def _kind(self, node: Level) -> Scalar | None:
        """The node's own kind, else its group's, else that of the group which the defaults name, else the defaults'."""
        chain = (node, self.groups.get(node.text("group"), EMPTY), self.groups.get(self.defaults.text("group"), EMPTY), self.defaults)
        return next((level.scalars["kind"] for level in chain if "kind" in level.scalars), None)
