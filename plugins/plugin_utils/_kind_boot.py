# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The placeholders in the texts of a kind file: one that is not known would reach the device as it is, and is a problem instead."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._placeholders import EACH, ENV, INTERFACE, NODE, PARTIAL, faults
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import ListValue, MapValue, Problems, Scalar, Value


def check_placeholders(problems: Problems, kind: MapValue) -> None:
    """Where each may stand: those of a node everywhere, those of an interface in what is repeated for each."""
    boot, startup = _section(kind, "boot"), _section(kind, "startup_config")
    types = _section(boot, "types")
    node = {*NODE, *(key for entry in types.entries.values() for key in _keys(entry.value))}
    each = {*node, *INTERFACE}
    texts = [(value, node) for key in ("binds", "env", "folders", "sysctls") for value in _scalars(boot.get(key))]
    texts += [(value, {*node, ENV}) for key in ("cmd", "entrypoint") for value in _scalars(boot.get(key))]
    for entry in _section(boot, "env_each").entries.values():
        texts += [(value, each) for value in _scalars(entry.value)]
    files = boot.get("files")
    for item in files.items if isinstance(files, ListValue) else ():
        known = {"path": node, "content": {*node, EACH}, "each": each}
        texts += [(value, known[key]) for key in known for value in _scalars(item.get(key) if isinstance(item, MapValue) else None)]
    texts += [(value, {*node, EACH, PARTIAL}) for value in _scalars(startup.get("default"))]
    texts += [(value, each) for value in _scalars(startup.get("each"))]
    texts += [(value, node) for value in _scalars(startup.get("preamble"))]
    texts += [(value, node) for value in _scalars(startup.get("part_apply"))]
    for value, allowed in texts:
        for fault in faults(value.text, allowed):
            remedy = f"Known are {', '.join(sorted(allowed))} and env:NAME; to keep the braces, double them"
            problems.add(value, fault, remedy if "no placeholder" in fault else "Put it there; what it stands before is left out")


def _section(values: MapValue, key: str) -> MapValue:
    found = values.get(key)
    return found if isinstance(found, MapValue) else MapValue(0, 0)


def _keys(value: Value) -> t.Iterable[str]:
    return value.entries if isinstance(value, MapValue) else ()


def _scalars(value: Value | None) -> t.Iterator[Scalar]:
    """All texts below a value."""
    if isinstance(value, Scalar):
        yield value
    elif isinstance(value, ListValue):
        for item in value.items:
            yield from _scalars(item)
    elif isinstance(value, MapValue):
        for entry in value.entries.values():
            yield from _scalars(entry.value)
