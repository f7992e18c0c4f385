# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Nodes that are left alone: which they are, and what that is for nodes that join them or wait for them. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _ownership as marks
from ansible_collections.archetype.lab.plugins.module_utils._container_order import Order
from ansible_collections.archetype.lab.plugins.module_utils._container_read import HaveContainers
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._errors import MEND_TOO, ApplyError, LabError


def spared_of(want: t.Sequence[Container], have: HaveContainers, lab: str, names: t.Collection[str]) -> frozenset[str]:
    """All names of what is left alone: a node, its container and its sandbox go together, whichever of them is named."""
    found = {*names}
    for one in want:
        own = {one.node, one.name, *([one.sandbox] if one.owns_sandbox else [])}
        found |= own if not own.isdisjoint(names) else set()
    nodes = {labels.get(marks.NODE, "") for name, labels in have.owners.items() if name in names and marks.owner_of(labels) == lab}
    nodes |= {*names}
    for name, labels in have.owners.items():
        if marks.owner_of(labels) == lab and labels.get(marks.NODE, "") in nodes - {""}:
            found |= {name, labels[marks.NODE]}
    return frozenset(found)


def unmet_by(want: Container, have: HaveContainers) -> str:
    """Why nodes that wait for this one, which is left alone, cannot go on; empty when they can."""
    container = have.containers.get(want.name)
    if want.hold == "exit":
        return "" if container is not None and container.exit_code == 0 else "is left alone, and has not exited with 0"
    if container is None or not container.running:
        return "is left alone, and does not run"
    return "is left alone, and is not healthy" if want.hold == "healthy" and container.health != "healthy" else ""


def cannot_join(want: Container, have: HaveContainers, order: Order, spared: t.Collection[str]) -> LabError | None:
    """What keeps a node from being started: what it joins is left alone, and does not run."""
    joined = {order.owner_of(want): want.namespace_of, order.process_leader(want): order.process_leader(want)}
    for leader, name in joined.items():
        container = have.containers.get(name)
        if leader and leader in spared and (container is None or not container.running):
            return ApplyError(
                f"node {want.node} is not started: it joins container {name}, which is left alone and does not run",
                hint=f"{MEND_TOO}, or start it",
                objects=(want.name,),
            )
    return None
