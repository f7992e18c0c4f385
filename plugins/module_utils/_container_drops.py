# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What of a lab's containers, folders and volumes on a server has to go: what nobody declares, and only what carries its mark. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils import _files
from ansible_collections.archetype.lab.plugins.module_utils import _ownership as marks
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._container_model import ContainersPlan
from ansible_collections.archetype.lab.plugins.module_utils._container_read import HaveContainers


def plan_drop(
    found: ContainersPlan,
    have: HaveContainers,
    of_name: t.Callable[[str], bool],
    of_node: t.Callable[[str], bool],
    spared: t.Collection[str],
) -> None:
    """Only what carries the lab's mark is ever dropped."""
    for name, labels in sorted(have.owners.items()):
        if marks.owner_of(labels) != found.lab or not of_name(name) or name in spared:
            continue
        sandbox = labels.get(marks.ROLE) == spec.ROLE_SANDBOX
        (found.drop_sandboxes if sandbox else found.drop_nodes).append(name)
        found.changes.append(Change("delete", "sandbox" if sandbox else "container", name, labels.get(marks.NODE, "")))
    found.drop_folders = sorted(node for node in have.folders if of_node(node) and node not in spared)
    found.changes += [Change("delete", "file", _files.folder_of(found.lab, node), node) for node in found.drop_folders]
    found.forget = sorted(node for node in have.boots if of_node(node) and node not in spared)


def drop_volumes(found: ContainersPlan, have: HaveContainers, kept: t.Collection[str]) -> None:
    own = (name for name, labels in sorted(have.volumes.items()) if marks.owner_of(labels) == found.lab)
    found.drop_volumes = [name for name in own if name not in kept]
    found.changes += [Change("delete", "volume", name) for name in found.drop_volumes]
