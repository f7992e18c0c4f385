# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What must be observed on the servers before a lab can be planned."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._foreign import foreign_of, is_foreign
from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import sandbox_name
from ansible_collections.archetype.lab.plugins.plugin_utils._model import LabFile, Node
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe_values import optional_devices


def needs_of(lab_file: LabFile) -> dict[str, t.Any]:
    """C({lab, images, disks, binds, containers, management, vms}): image references, paths of disk images, bind sources on the servers,
    container names, each sorted; and whether what a management network and virtual machines need is to be looked at."""
    nodes = lab_file.topology.nodes.values()
    return {
        "lab": lab_file.topology.name,
        "images": sorted({node.image for node in nodes if not node.native and not is_foreign(node)}),
        "disks": sorted({node.image for node in nodes if node.native}),
        "binds": sorted(
            {bind.source for node in nodes for bind in node.binds if not bind.local and not bind.made}
            | {device for node in nodes if not node.native for device in optional_devices(node.profile)}
        ),
        "management": lab_file.topology.management.enabled,
        "vms": any(node.native for node in nodes),
        "containers": sorted({name for node in nodes for name in _containers(node)}),
    }


def _containers(node: Node) -> t.Iterator[str]:
    """Those that are made for a node, whose names must be free; and the one that must be there, as the node has its network."""
    if not node.native and not is_foreign(node):
        yield node.container
        yield sandbox_name(node.container)
    if foreign_of(node):
        yield foreign_of(node)
