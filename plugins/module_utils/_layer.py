# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the layers (bridge, containers, ports, tunnels) have in common.

Each layer is one file with the same functions: C(read) once, C(plan) pure, C(apply) which also verifies by reading back,
and C(converge) which is these three in a row. C(plan) raises everything that must stop a run before it touches the server
(foreign objects in the way, clashes); C(apply) goes on after a failure and returns one error per object that failed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change, result_of
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult


@dataclass
class LayerResult:
    """changes: what was done, or would be done in check mode. errors: one per object that failed. objects: for the result."""

    changes: list[Change] = field(default_factory=list)
    errors: list[LabError] = field(default_factory=list)
    objects: list[dict[str, t.Any]] = field(default_factory=list)

    def to_result(self, name: str, *, diff: bool) -> dict[str, t.Any]:
        """The module's result, with the objects under C(name). Raises PartialResult when something failed."""
        result = {**result_of(self.changes, diff=diff), name: self.objects}
        if self.errors:
            raise PartialResult(self.errors, result)
        return result
