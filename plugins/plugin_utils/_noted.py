# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Keys of nodes that are read and have no effect: one note each, with the nodes that have it and the reason."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._blocks import Extras
from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._read import word

_SHOWN = 6
_TRUE = frozenset({"true", "yes", "on", "y"})


def _is_true(settings: Settings, key: str) -> bool:
    return settings.text(key).lower() in _TRUE


def _other_than(*words: str) -> t.Callable[[Settings, str], bool]:
    return lambda settings, key: settings.text(key).lower() not in ("", *words)


def _issues(settings: Settings, key: str) -> bool:
    return bool({name: value for block in settings.blocks(key) for name, value in block.items()}.get("issue"))


NOTED: dict[str, tuple[t.Callable[[Settings, str], bool], str]] = {
    "auto-remove": (_is_true, "a node that ends stays, so that its log can be read"),
    "certificate": (_issues, "no certificates are made"),
    "image-pull-policy": (_other_than("never"), "images are never pulled"),
    "link-apply-mode": (_other_than("live"), "interfaces come to running nodes, and go, as with live"),
    "position": (_other_than(), "nothing is drawn"),
    "restart-policy": (_other_than("no"), "a node that ends stays so until the next run, as Docker would start it without its interfaces"),
    "runtime": (_other_than("docker"), "nodes run with Docker"),
}
"""Key -> when it says something else than what is done anyway, and what is done."""
OF_CONTAINERS = frozenset({"link-apply-mode", "runtime"})
"""Of them, those that are otherwise of virtual machines."""


def notes_of(nodes: t.Mapping[str, Settings], machines: t.Container[str] = ()) -> list[str]:
    """The notes, by key. nodes: name -> what holds for it. machines: those that are virtual machines."""
    found: dict[str, list[str]] = {}
    for name, settings in nodes.items():
        for key, (says, _why) in NOTED.items():
            if says(settings, key) and not (key in OF_CONTAINERS and name in machines):
                found.setdefault(key, []).append(name)
    return [f"{key} of {listed(found[key])} has no effect: {NOTED[key][1]}" for key in sorted(found)]


def unused_of(kind: Kind, settings: Settings, *, native: bool = False) -> list[str]:
    """The keys of a node that its kind has no use for. native: it is a virtual machine, of whose keys more is said elsewhere."""
    extras: Extras | None = settings.block("extras")
    found = {
        "components": not kind.interfaces.cards and bool(settings.block("components")),
        "license": not native and not kind.license_path and settings.scalar("license") is not None,
        "startup-config": not (kind.startup_config.medium or (kind.startup_config.path and not native))
        and settings.scalar("startup-config") is not None,
    }
    unknown = [f"extras ({key})" for key in (extras.values if extras else ()) if key not in kind.boot.extras]
    return sorted([*(key for key, unused in found.items() if unused), *unknown])


def listed(names: t.Sequence[str]) -> str:
    """Names of nodes in a note, not all of many."""
    shown = ", ".join(word(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
