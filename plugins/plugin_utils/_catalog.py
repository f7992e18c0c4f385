# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The kinds of one lab: those of the collection, those of its C(kinds_path), and what its images and the lab as a whole change of them.

Layers, each over the one before: the kind, the metadata of the image, the lab-wide override; a node's own settings come on top elsewhere.
Mappings are merged key by key, anything else is replaced. A C(readiness: none) of an earlier layer stays.
Where the image is a disk, what a layer says under C(native) is put over the rest of that layer first. A kind of containers that says so, or
of which image or lab say so, is a virtual machine then.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError, Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_like import NATIVE, as_native, merge, unfold
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_reader import check_part, read_kind
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import (
    base_names,
    base_source,
    find_kind,
    is_disk_image,
    kind_files,
    kind_source,
    unknown_kind_remedy,
)
from ansible_collections.archetype.lab.plugins.plugin_utils._read import quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, load_yaml


class Catalog:
    """folders: with kind files of the user; a kind there replaces one of the collection as a whole.

    kind_settings: name or alias -> part of a kind file. image_settings: image reference -> part of a kind file. images: reference that the
    topology names -> the one that is used instead; settings of either hold.
    """

    def __init__(
        self,
        folders: t.Sequence[str] = (),
        kind_settings: t.Mapping[str, MapValue] | None = None,
        image_settings: t.Mapping[str, MapValue] | None = None,
        images: t.Mapping[str, str] | None = None,
    ) -> None:
        self._own: dict[str, Kind] = {}
        self._sources: dict[str, MapValue] = {}
        self.problems = [problem for folder in folders for problem in self._read_folder(Path(folder))]
        """All that is wrong with the folders. What could be read of them is there all the same, so that the rest can be checked."""
        self._images = images or {}
        self._image_settings = image_settings or {}
        self._kind_settings: dict[str, list[MapValue]] = {}
        for name, part in (kind_settings or {}).items():
            kind = self.find(name)
            if kind is not None:
                self._kind_settings.setdefault(kind.name, []).append(part)
        self._resolved: dict[tuple[str, str], Kind] = {}

    def find(self, name: str) -> Kind | None:
        """The kind of a name or alias, in any case, as its file has it."""
        own = self._own.get(name.lower())
        if own is not None:
            return own
        found = find_kind(name)
        return self._own.get(found.name, found) if found else None

    @property
    def names(self) -> list[str]:
        """All names and aliases, sorted."""
        return sorted({*self._own, *kind_files()})

    @property
    def images(self) -> t.Mapping[str, str]:
        """Image that the topology names -> the one that is used instead."""
        return self._images

    def remedy(self, name: str) -> str:
        """What to do about a kind that is not known."""
        return unknown_kind_remedy(name, self.names)

    def resolve(self, kind: Kind, image: str = "") -> Kind:
        """What holds for nodes of a kind with an image; with the kind's own image where none is given.

        image: as the topology names it; what is used instead decides whether it is a disk. A kind that has nothing to say of a disk
        comes back as it is for containers: C(_kinds.why_not_native) tells so.
        """
        key = (kind.name, image)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(kind, image)
        return self._resolved[key]

    def _resolve(self, kind: Kind, image: str) -> Kind:
        over = self._kind_settings.get(kind.name, [])
        if not image and over:
            image = self._merged(kind, over).image
        image = image or kind.image
        used = self._images.get(image, image)
        references = dict.fromkeys((image, image.partition("@sha256:")[0], used, used.partition("@sha256:")[0]))
        parts = [self._image_settings[one] for one in references if one in self._image_settings]
        return self._merged(kind, [*parts, *over], disk=is_disk_image(used))

    def _merged(self, kind: Kind, parts: t.Sequence[MapValue], *, disk: bool = False) -> Kind:
        if not (parts or disk) or (kind.name in self._own and kind.name not in self._sources):
            return kind
        source = self._sources[kind.name] if kind.name in self._sources else kind_source(kind_files()[kind.name])
        if disk and (kind.provider == "vm" or any(NATIVE in one.entries for one in (source, *parts))):
            source, parts = as_native(source), [as_native(part, whole=False) for part in parts]
        for part in parts:
            source = merge(source, part)
        problems = Problems(f"kind {kind.name}")
        found = read_kind(problems, source)
        problems.raise_if_any()
        return found

    def _read_folder(self, folder: Path) -> list[Problem]:
        """All files of a folder; what is wrong with them. Within all folders a name is there once."""
        if not folder.is_dir():
            return [Problem(str(folder), 0, 0, "there is no such folder of kinds", "Correct kinds_path, or make the folder")]
        found: list[Problems] = []
        for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")]):
            problems = Problems(str(path))
            found.append(problems)
            try:
                root = unfold(problems, load_yaml(str(path)), base_names(), base_source)
            except LabFileError as exc:
                problems.found += exc.problems
                continue
            kind = read_kind(problems, root)
            for name in (kind.name, *kind.aliases):
                if name in self._own:
                    problems.add(root, f"kind {quote(name)} is in another file of kinds_path already", "Give it another name")
                self._own[name] = kind
            if isinstance(root, MapValue) and not problems.found:
                self._sources[kind.name] = root
        return [one for problems in found for one in problems.found]


__all__ = ["Catalog", "check_part", "merge"]
