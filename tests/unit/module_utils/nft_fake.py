# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A packet filter in memory, which takes the commands that the real one takes, and refuses what that refuses."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError

Json = dict[str, Any]


class FakeNft:
    """objects: as nft lists them. reads, changes: how often it was asked and told."""

    def __init__(self, *objects: Json, there: bool = True) -> None:
        self.objects: list[Json] = [copy.deepcopy(one) for one in objects]
        self.there = there
        self.handles = itertools.count(100)
        self.reads = self.changes = 0
        self.broken = ""

    def available(self) -> bool:
        return self.there

    def read(self) -> Sequence[Json]:
        if not self.there or self.broken:
            raise ReadError(f"the packet filter cannot be read: {self.broken or 'there is no program nft'}")
        self.reads += 1
        return copy.deepcopy([{"metainfo": {"version": "1.0.6"}}, *self.objects])

    def apply(self, commands: Sequence[Any]) -> None:
        if self.broken:
            raise ApplyError(f"the packet filter was not changed: {self.broken}")
        before = copy.deepcopy(self.objects)
        self.changes += 1
        try:
            for command in commands:
                self._apply(copy.deepcopy(command))
        except ApplyError:
            self.objects = before
            raise

    def close(self) -> None:
        return

    def tables(self) -> list[str]:
        return [one["table"]["name"] for one in self.objects if "table" in one]

    def rules(self, table: str) -> list[Json]:
        return [one["rule"] for one in self.objects if "rule" in one and one["rule"]["table"] == table]

    def _apply(self, command: Json) -> None:
        ((verb, what),) = command.items()
        ((kind, value),) = what.items()
        if verb == "delete":
            self._delete(kind, value)
        elif kind == "table":
            if not self._has_table(value):
                self.objects.append(what)
        elif not any("table" in one and self._same(one["table"], value) for one in self.objects):
            raise ApplyError("No such file or directory")
        elif kind == "rule":
            made = {"rule": {**value, "handle": next(self.handles)}}
            heads = [place for place, one in enumerate(self.objects) if "rule" in one]
            self.objects.insert(heads[0] if verb == "insert" and heads else len(self.objects), made)
        else:
            self.objects.append(what)

    @staticmethod
    def _same(table: Json, value: Json) -> bool:
        return (table["family"], table["name"]) == (value["family"], value.get("table", value.get("name")))

    def _has_table(self, value: Json) -> bool:
        return any("table" in one and self._same(one["table"], value) for one in self.objects)

    def _delete(self, kind: str, value: Json) -> None:
        if kind == "table":
            if not self._has_table(value):
                raise ApplyError("No such file or directory")
            key = (value["family"], value["name"])
            self.objects = [
                one for one in self.objects if next((of["family"], of.get("table", of.get("name"))) for of in one.values()) != key
            ]
            return
        kept = [one for one in self.objects if "rule" not in one or one["rule"]["handle"] != value["handle"]]
        if len(kept) == len(self.objects):
            raise ApplyError("No such file or directory")
        self.objects = kept
