# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Kinds that have much in common: C(like: <shape>) in a kind file puts it over a file of C(kinds/shapes/), or over another kind."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Entry, MapValue, Problems, Scalar, Value

LIKE = "like"
NONE = "none"
"""C(readiness: none) is a word of its own: there is nothing to wait for, whatever an image or a lab says."""

NATIVE = "native"
"""What is otherwise where the image of the node is a disk. A part of a kind file."""

_OPT_OUTS = ("readiness",)
_OWN = ("aliases", "description", "name")
"""What a kind does not take from the one that it is like."""


def merge(base: MapValue, over: MapValue, *, opt_outs: t.Collection[str] = _OPT_OUTS) -> MapValue:
    """Mappings key by key, anything else replaced; but what the base opted out of, of these sections, stays so."""
    merged = MapValue(base.line, base.column)
    merged.entries.update(base.entries)
    for name, entry in over.entries.items():
        old = merged.entries.get(name)
        if old is not None and name in opt_outs and isinstance(old.value, Scalar) and old.value.text == NONE:
            continue
        value = entry.value
        if old is not None and isinstance(old.value, MapValue) and isinstance(value, MapValue):
            value = merge(old.value, value, opt_outs=())
        merged.entries[name] = Entry(entry.key, value)
    return merged


def unfold(problems: Problems, root: Value, known: t.Iterable[str], source: t.Callable[[str], MapValue]) -> Value:
    """A kind file with what it is like under it. known: names of shapes and kinds; source: what one of them says, unfolded itself."""
    if not isinstance(root, MapValue) or LIKE not in root.entries:
        return root
    own = MapValue(root.line, root.column)
    own.entries.update((name, entry) for name, entry in root.entries.items() if name != LIKE)
    value = root.entries[LIKE].value
    name = value.text if isinstance(value, Scalar) else ""
    names = sorted(known)
    if name not in names:
        problems.add(value, f"like names {quote(name)}, which is neither a shape nor a kind", did_you_mean(name, names))
        return own
    base = MapValue(root.line, root.column)
    base.entries.update((key, entry) for key, entry in source(name).entries.items() if key not in _OWN)
    return merge(base, own, opt_outs=())  # a kind speaks for itself, and not over the one that it is like


def as_native(root: MapValue, *, whole: bool = True) -> MapValue:
    """A kind file, or a part of one, as it holds for a machine from a disk image: what C(native) says is put over the rest.

    whole: it is a whole file. The machine is one then, whatever its containers are, and nothing is left of how these are started but the
    types that the device has.
    """
    found = MapValue(root.line, root.column)
    found.entries.update((name, entry) for name, entry in root.entries.items() if name != NATIVE)
    over = root.entries[NATIVE].value if NATIVE in root.entries else None
    if isinstance(over, MapValue):
        found = merge(found, over, opt_outs=())  # of one file, as with like
    if whole:
        at = root.entries["provider"]
        found.entries["provider"] = Entry(at.key, Scalar("vm", at.value.line, at.value.column))
        found.entries.update((name, Entry(entry.key, types_of(entry.value))) for name, entry in found.entries.items() if name == "boot")
    return found


def types_of(boot: Value) -> MapValue:
    """What is left of a section C(boot): the types that the device has."""
    types = MapValue(boot.line, boot.column)
    if isinstance(boot, MapValue):
        types.entries.update((name, entry) for name, entry in boot.entries.items() if name == "types")
    return types
