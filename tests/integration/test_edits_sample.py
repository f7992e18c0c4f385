# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first few random edits of what C(make edits) does at length, with a fresh deployment at the end."""

from __future__ import annotations

from tests.edits.runner import LAB, Runner
from tests.integration.acceptance import World

EDITS = 3
SEED = "s53"
"""A link that goes to another node, a range of tags that is another, a node that is renamed."""


def test_a_few_edits_are_predicted_touch_only_what_they_name_and_end_as_deployed_afresh(world: World) -> None:
    runner = Runner(world, SEED)
    try:
        outcomes = runner.run(EDITS, fresh=EDITS)
    except BaseException:
        world.forget(LAB)
        raise
    assert len(outcomes) == EDITS
    assert not [str(one) for one in outcomes if one.problems]
    assert all(one.pings for one in outcomes)
    assert len({one.edit.sort for one in outcomes}) == EDITS
