# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The four levels that a node takes its settings from: itself, its group, its kind, the defaults, in this order.

As in containerlab: of most keys the most specific level has the whole say, where it says something; an empty text and the number 0 say
nothing. Lists of LISTS are united, with those of the less specific level first; mappings of MAPS are merged key by key.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils._blocks import BLOCKS, read_block
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Entry, MapValue, Scalar, Value

TEXTS = frozenset({
    "cgroup-parent", "cgroupns-mode", "cmd", "cpu-set", "entrypoint", "group", "hostname", "image", "image-pull-policy", "kind", "license",
    "link-apply-mode", "memory", "mgmt-ipv4", "mgmt-ipv6", "network-mode", "pid-mode", "position", "restart-policy", "runtime", "shm-size",
    "startup-config", "type", "user",
})  # fmt: skip
FLAGS = frozenset({"auto-remove", "enforce-startup-config", "privileged", "suppress-startup-config"})
"""True, false, or nothing said, which is not the same as false."""
NUMBERS = frozenset({"cpu", "startup-delay"})
LISTS = frozenset({"binds", "cap-add", "devices", "env-files", "exec", "security-opts", "volumes"})
WHOLE_LISTS = frozenset({"aliases", "ports"})
"""Lists of which the most specific level has the whole say."""
MAPS = frozenset({"env", "labels", "sysctls", "tmpfs"})
NODE_ONLY = frozenset({"aliases", "mgmt-ipv4", "mgmt-ipv6"})
"""Keys that are not inherited: above a node they say nothing, in containerlab too."""
OLD = {"username": "credentials", "password": "credentials"}
"""Keys that containerlab still reads under the names they had before."""

KEYS = frozenset({*TEXTS, *FLAGS, *NUMBERS, *LISTS, *WHOLE_LISTS, *MAPS, *BLOCKS})

IMPORT_ENVIRONMENT = "__IMPORT_ENVS"
"""A variable of C(env): where it is true, all variables of the controller are added at its level."""
MAX_DELAY = 24 * 60 * 60


@dataclass(frozen=True)
class Level:
    """The settings of one level, of the right types. above: keys that only a node may have, at a level that is none."""

    scalars: dict[str, Scalar] = field(default_factory=dict)
    lists: dict[str, list[Scalar]] = field(default_factory=dict)
    maps: dict[str, dict[str, Scalar]] = field(default_factory=dict)
    blocks: dict[str, t.Any] = field(default_factory=dict)
    above: frozenset[str] = frozenset()

    def text(self, key: str) -> str:
        found = self.scalars.get(key)
        return found.text if found else ""

    @property
    def size(self) -> int:
        """How many values its lists and mappings have; each node that inherits the level has all of them."""
        return sum(map(len, self.lists.values())) + sum(map(len, self.maps.values()))

    @property
    def keys(self) -> frozenset[str]:
        return frozenset({*self.scalars, *self.lists, *self.maps, *self.blocks})


EMPTY = Level()


class LevelReader:
    """Reads levels. environment: the controller's, for IMPORT_ENVIRONMENT."""

    def __init__(self, reader: Reader, environment: t.Mapping[str, str]) -> None:
        self.reader = reader
        self.environment = environment

    def read(self, value: Value | None, where: str, *, node: bool = False) -> Level:
        """One level of settings; where: words for it, such as C(node r1). Null is a level without settings."""
        values = self.reader.mapping(value, where)
        if values is None or not values.entries:
            return EMPTY
        values = self._old(values, where)
        self.reader.known_keys(values, KEYS, where)
        above = frozenset() if node else frozenset(key for key in NODE_ONLY if values.get(key) is not None)
        level = Level(above=above)
        for key in values.entries:
            one = values.get(key)
            if one is not None and key not in above:
                self._setting(level, key, one, f"{key} of {where}")
        return level

    def _setting(self, level: Level, key: str, value: Value, what: str) -> None:
        reader = self.reader
        if key in LISTS or key in WHOLE_LISTS:
            level.lists[key] = reader.scalars(value, what)
        elif key in MAPS:
            level.maps[key] = reader.scalar_map(value, what)
            if key == "env":
                self._import(level.maps[key])
        elif key in BLOCKS:
            block = read_block(reader, key, value, what)
            if block is not None:
                level.blocks[key] = block
        elif self._is_said(key, value, what):
            level.scalars[key] = t.cast(Scalar, value)

    def _is_said(self, key: str, value: Value, what: str) -> bool:
        """Whether a scalar is of its type, and says something."""
        if key in FLAGS:
            return self.reader.boolean(value, what) is not None
        if key == "cpu":
            return bool(self.reader.number(value, what))
        if key == "startup-delay":
            return bool(self.reader.integer(value, what, 0, MAX_DELAY))
        return key in TEXTS and bool(self.reader.text(value, what))

    def _import(self, env: dict[str, Scalar]) -> None:
        asked = env.get(IMPORT_ENVIRONMENT)
        if asked is not None and asked.text == "true":
            for name, value in self.environment.items():
                env.setdefault(name, Scalar(value, asked.line, asked.column))

    def _old(self, values: MapValue, where: str) -> MapValue:
        """The level with keys under the names they have now. What is there under both names, counts under the new one."""
        if not any(key in values.entries for key in OLD):
            return values
        renamed, credentials = MapValue(values.line, values.column), MapValue(values.line, values.column)
        renamed.entries.update((key, entry) for key, entry in values.entries.items() if key not in OLD)
        new = self.reader.mapping(values.get("credentials"), f"credentials of {where}")
        credentials.entries.update(new.entries if new else {})
        for key in OLD:
            if key in values.entries:
                credentials.entries.setdefault(key, values.entries[key])
        renamed.entries["credentials"] = Entry(Scalar("credentials", values.line, values.column), credentials)
        return renamed


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

    def text(self, key: str) -> str:
        found = self.scalar(key)
        return found.text if found else ""

    def items(self, key: str) -> list[Scalar]:
        """United: what a less specific level has already is not repeated. Within one level, everything stays."""
        found: list[Scalar] = []
        for level in self.levels:
            known = {one.text for one in found} if key in level.lists else set()
            found.extend(one for one in level.lists.get(key, ()) if one.text not in known)
        return found

    def whole(self, key: str) -> list[Scalar]:
        """The list of the most specific level that has entries."""
        return next((level.lists[key] for level in reversed(self.levels) if level.lists.get(key)), [])

    def mapping(self, key: str) -> dict[str, Scalar]:
        found: dict[str, Scalar] = {}
        for level in self.levels:
            found.update(level.maps.get(key, {}))
        return found

    def block(self, key: str) -> t.Any:
        """The block of the most specific level that has it."""
        return next((level.blocks[key] for level in reversed(self.levels) if key in level.blocks), None)

    def blocks(self, key: str) -> list[t.Any]:
        """The blocks of all levels, the least specific first."""
        return [level.blocks[key] for level in self.levels if key in level.blocks]


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

    def named(self) -> t.Iterator[tuple[str, Level]]:
        """Each level above the nodes, with words for it."""
        yield "defaults", self.defaults
        for what, levels in (("kind", self.kinds), ("group", self.groups)):
            for name, level in levels.items():
                yield f"{what} {name}", level
