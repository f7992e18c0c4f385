# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of values as schemas, no stricter than our reader: whatever it takes, an editor must not mark as wrong.

A key without a value counts as absent, so that null is allowed nearly everywhere; any scalar is text; and a text with a dollar sign may
become anything once the environment's variables are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Schema = dict[str, Any]

_SCALAR = ["string", "number", "boolean"]
_VARIABLE = r"\$"


def text(about: str, **more: Any) -> Schema:
    return {"description": about, "type": [*_SCALAR, "null"], **more}


def word(about: str, pattern: str, *, null: bool = True) -> Schema:
    """A text of a form. pattern: without anchors."""
    return {"description": about, "type": [*_SCALAR, "null"] if null else _SCALAR, "pattern": f"^(?:{pattern})$|{_VARIABLE}"}


def integer(about: str, low: int, high: int) -> Schema:
    return {
        "description": about,
        "anyOf": [
            {"type": "integer", "minimum": low, "maximum": high},
            {"type": "string", "pattern": rf"^[-+]?[0-9]+$|{_VARIABLE}"},
            {"type": "null"},
        ],
    }


def number(about: str) -> Schema:
    return {
        "description": about,
        "anyOf": [{"type": "number"}, {"type": "string", "pattern": rf"^[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?$|{_VARIABLE}"}, {"type": "null"}],
    }


def boolean(about: str, default: bool | None = None) -> Schema:
    words = r"^(?:[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]|[Yy](?:[Ee][Ss])?|[Nn][Oo]?|[Oo][Nn]|[Oo][Ff][Ff])$"
    found: Schema = {
        "description": about,
        "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": f"{words}|{_VARIABLE}"}, {"type": "null"}],
    }
    return found if default is None else {**found, "default": default}


def one_of(about: str, values: Iterable[str]) -> Schema:
    """One of these, in small letters; what has others in it is for our reader to judge."""
    return {"description": about, "anyOf": [{"enum": sorted(values)}, {"type": "string", "pattern": "[^a-z0-9_-]"}, {"type": "null"}]}


def suggested(about: str, values: Iterable[str]) -> Schema:
    """Any text; an editor proposes these."""
    return {"description": about, "anyOf": [{"enum": sorted(values)}, {"type": [*_SCALAR, "null"]}]}


def texts(about: str) -> Schema:
    return {"description": about, "type": ["array", "null"], "items": {"type": _SCALAR}}


def text_map(about: str) -> Schema:
    return {"description": about, "type": ["object", "null"], "additionalProperties": {"type": [*_SCALAR, "null"]}}


def anything(about: str) -> Schema:
    return {"description": about, "type": ["object", "null"]}


def mapping(about: str, properties: Schema, **more: Any) -> Schema:
    """A mapping with these keys and no others."""
    return {"description": about, "type": ["object", "null"], "properties": properties, "additionalProperties": False, **more}


def items(about: str, item: Schema) -> Schema:
    return {"description": about, "type": ["array", "null"], "items": item}


def named(about: str, item: Schema, pattern: str = "") -> Schema:
    """A mapping of names to values of one type."""
    names = {"propertyNames": {"pattern": f"^(?:{pattern})$|{_VARIABLE}"}} if pattern else {}
    return {"description": about, "type": ["object", "null"], "additionalProperties": item, **names}


def needing(schema: Schema, keys: Sequence[str]) -> Schema:
    return {**schema, "required": [*keys]}
