# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The kinds that the collection has: data, one YAML file each in C(kinds/), named as its kind; adding one needs no Python.

A file is parsed when its kind is asked for. Its aliases must stand in one line, so that they are found without parsing.
"""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_like import unfold
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_reader import read_kind
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, load_yaml

DIRECTORY = Path(__file__).parent / "kinds"
SHAPES = DIRECTORY / "shapes"
_ALIASES = re.compile(r"^aliases: \[(.*)\]$", re.MULTILINE)
_DISK_IMAGE = re.compile(r".*\.(?:qcow2?|img|raw|vmdk|vdi|vhdx?)(?:@sha256:.*)?", re.IGNORECASE)


@functools.cache
def kind_files() -> t.Mapping[str, Path]:
    """Name or alias -> file, of all kinds that the collection has."""
    files: dict[str, Path] = {}
    for path in sorted(DIRECTORY.glob("*.yml")):
        files[path.stem] = path
        found = _ALIASES.search(path.read_text(encoding="utf-8"))
        files.update((alias.strip(), path) for alias in found.group(1).split(",")) if found else None
    return files


@functools.cache
def kind_source(path: Path) -> MapValue:
    """What a file of the collection says, with what it is like under it."""
    problems = Problems(str(path))
    found = unfold(problems, load_yaml(str(path)), base_names(), base_source)
    problems.raise_if_any()
    return t.cast(MapValue, found)


def base_names() -> set[str]:
    """What a kind file may be like: shapes, and the kinds of the collection."""
    return {path.stem for path in SHAPES.glob("*.yml")} | set(kind_files())


def base_source(name: str) -> MapValue:
    shape = SHAPES / f"{name}.yml"
    return kind_source(shape if shape.exists() else kind_files()[name])


@functools.cache
def _kind(path: Path) -> Kind:
    problems = Problems(str(path))
    kind = read_kind(problems, kind_source(path))
    problems.raise_if_any()
    return kind


def find_kind(name: str) -> Kind | None:
    """The kind of a name or alias, in any case, as containerlab has it."""
    path = kind_files().get(name.lower())
    return _kind(path) if path else None


def unknown_kind_remedy(name: str, kinds: t.Iterable[str] | None = None) -> str:
    """What to do about an unknown kind. kinds: all that there are, None for those of the collection."""
    near = did_you_mean(name, kind_files() if kinds is None else kinds)
    return near or "docs/kinds.md has all kinds, and says how to add one"


def is_disk_image(image: str) -> bool:
    """Whether an image is the disk of a virtual machine, rather than a container's. C(@sha256:) may follow, whatever is behind it."""
    return _DISK_IMAGE.fullmatch(image) is not None


def why_not_native(kind: Kind) -> str:
    """Why no node of a kind can have a disk image, as a clause; empty where it can. kind: from C(Catalog.resolve) with that image."""
    if kind.packed_only:
        return f"kind {kind.name} cannot start from one: {kind.packed_only}"
    return "" if kind.provider == "vm" else f"nodes of kind {kind.name} are containers"
