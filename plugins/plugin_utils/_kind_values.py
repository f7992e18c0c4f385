# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Single values of kind files, with what each is where the file does not say. Part of C(_kind_reader.py)."""

from __future__ import annotations

import re

from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, word
from ansible_collections.archetype.lab.plugins.plugin_utils._words import memory_bytes
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Value


class ValueReader(Reader):
    def text_of(self, values: MapValue, key: str, otherwise: str = "") -> str:
        """An empty text is an answer: a kind without a management interface says so with one."""
        found = self.text(values.get(key), key)
        return otherwise if found is None else found

    def texts_of(self, values: MapValue, key: str) -> tuple[str, ...]:
        return tuple(one.text for one in self.scalars(values.get(key), key))

    def texts_by_name(self, values: MapValue, key: str) -> dict[str, str]:
        return {name: one.text for name, one in self.scalar_map(values.get(key), key).items()}

    def flag_of(self, values: MapValue, key: str) -> bool:
        return self.boolean(values.get(key), key) or False

    def number_of(self, values: MapValue, key: str, otherwise: int) -> int:
        found = self.integer(values.get(key), key, 0, 1_000_000)
        return otherwise if found is None else found

    def choice_of(self, values: MapValue, key: str, choices: tuple[str, ...]) -> str:
        found = self.text_of(values, key)
        if found and found not in choices:
            self.problems.add(values.get(key), f"{key} is {word(found)}", f"It is one of {', '.join(choices)}")
        return found

    def memory_of(self, values: MapValue, key: str) -> int:
        value = values.get(key)
        return self.bytes_of(value, key) if value is not None else 0

    def bytes_of(self, value: Value, key: str) -> int:
        try:
            return memory_bytes(self.text(value, key) or "")
        except ValueError as exc:
            self.problems.add(value, f"{key} is {exc}", "Write it as 512MB or 1Gib")
            return 0

    def pattern_of(self, values: MapValue, key: str) -> re.Pattern[str] | None:
        text = self.expression_of(values, key)
        return re.compile(text, re.ASCII) if text else None

    def expression_of(self, values: MapValue, key: str) -> str:
        """A regular expression, as text."""
        return self._checked(values.get(key), key, self.text_of(values, key))

    def expressions_of(self, values: MapValue, key: str) -> tuple[str, ...]:
        return tuple(filter(None, (self._checked(one, key, one.text) for one in self.scalars(values.get(key), key))))

    def _checked(self, value: Value | None, key: str, text: str) -> str:
        try:
            re.compile(text)
        except re.error as exc:
            self.problems.add(value, f"{key} is not a regular expression: {exc}", "Correct it")
            return ""
        return text
