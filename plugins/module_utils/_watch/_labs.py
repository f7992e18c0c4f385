# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The labs that this server keeps declared state of: which are there, which are new or changed, which of them can be watched."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.module_utils import _server, _state
from ansible_collections.archetype.lab.plugins.module_utils._declared import FORMAT, Declared
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

_Stamp = tuple[int, int, int]
_SUFFIX = ".json"


@dataclass(frozen=True)
class Kept:
    """A lab's file. stamp tells one version of it from the next; refused: why it is left alone; machines: it has virtual machines here.

    again: it could not be read, which may be over at the next look.
    """

    stamp: _Stamp
    refused: str = ""
    machines: bool = False
    again: bool = False


class _New(t.NamedTuple):
    kept: Kept
    declared: Declared | None


class Look(t.NamedTuple):
    """What is another than when it was looked at last. fresh: labs to watch, new or declared anew; gone: to forget; refused: lab -> why."""

    fresh: t.Mapping[str, Declared]
    gone: tuple[str, ...]
    refused: t.Mapping[str, str]


class Labs:
    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    @property
    def machines(self) -> bool:
        """Whether libvirt matters on this server."""
        return any(one.machines for one in self._kept.values())

    @property
    def refused(self) -> dict[str, str]:
        return {lab: one.refused for lab, one in self._kept.items() if one.refused}

    def look(self) -> Look:
        """Look at the folder, and read what is new. Raises ReadError."""
        stamps = _stamps()
        news = {lab: _read(lab, stamp) for lab, stamp in sorted(stamps.items()) if not self._known(lab, stamp)}
        gone = self._kept.keys() - stamps.keys()
        known = self.refused
        self._kept = {lab: news[lab].kept if lab in news else self._kept[lab] for lab in sorted(stamps)}
        refused = {lab: why for lab, one in news.items() if (why := one.kept.refused) and why != known.get(lab)}
        fresh = {lab: one.declared for lab, one in news.items() if one.declared is not None}
        return Look(fresh, tuple(sorted(gone | refused.keys())), refused)

    def _known(self, lab: str, stamp: _Stamp) -> bool:
        return lab in self._kept and self._kept[lab].stamp == stamp and not self._kept[lab].again


def _stamps() -> dict[str, _Stamp]:
    """Each file is written whole and put in place, so that another one has another number."""
    try:
        with os.scandir(_server.STATE_DIR) as entries:
            files = [(one.name.removesuffix(_SUFFIX), one) for one in entries if one.name.endswith(_SUFFIX)]
            return {lab: (about.st_ino, about.st_mtime_ns, about.st_size) for lab, one in files for about in _about(one)}
    except FileNotFoundError:
        return {}


def _about(entry: os.DirEntry[str]) -> list[os.stat_result]:
    """Of a file; of nothing, where it has gone meanwhile."""
    try:
        return [entry.stat()]
    except FileNotFoundError:
        return []


def _read(lab: str, stamp: _Stamp) -> _New:
    try:
        kept = _state.load(lab)
    except LabError as error:
        return _New(Kept(stamp, str(error), again=True), None)
    if not isinstance(kept, dict) or kept.get("lab") != lab:
        return _New(Kept(stamp, "its file is no declared state of this lab; deploy the lab again"), None)
    if kept.get("format", FORMAT) != FORMAT:
        hint = "run archetype.lab.prepare_servers, or deploy the lab again"
        return _New(Kept(stamp, f"its declared state has format {kept.get('format')}, and this watcher knows {FORMAT}; {hint}"), None)
    try:
        declared = Declared.from_params(kept)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        why = f"its declared state cannot be understood ({type(error).__name__}: {error}); deploy the lab again"
        return _New(Kept(stamp, why), None)
    return _New(Kept(stamp, machines=bool(declared.vms)), declared)
