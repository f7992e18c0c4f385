# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Values that stand for others: made here, with the lines and columns of what they are made of."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Entry, ListValue, MapValue, Scalar, Value


def made_text(at: Value, text: str, *, plain: bool = True) -> Scalar:
    return Scalar(text, at.line, at.column, plain=plain)


def made_list(at: Value, items: t.Iterable[Value]) -> ListValue:
    made = ListValue(at.line, at.column)
    made.items.extend(items)
    return made


def made_map(at: Value, values: t.Mapping[str, Value | None]) -> MapValue:
    """Keys stand where their values do; those without a value are left out."""
    made = MapValue(at.line, at.column)
    made.entries.update({key: Entry(Scalar(key, one.line, one.column), one) for key, one in values.items() if one is not None})
    return made
