# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few of the kills that C(make kills) does at length: a run that edits, one that reconciles and one that destroys."""

from __future__ import annotations

from tests.integration.acceptance import World
from tests.kills.runner import Runner

SEED = "s58"
"""The controller in the middle, a module on a server, and the main process of the controller alone."""
CASES = (2, 3, 4)


def test_after_a_few_kills_the_next_run_ends_in_the_declared_state(world: World) -> None:
    with Runner(world, SEED, second=len(CASES)).beside_others() as runner:
        outcomes = runner.run(CASES)
    assert [one.case.operation for one in outcomes] == ["edit", "reconcile", "destroy"]
    assert not [str(one) for one in outcomes if one.problems]
    assert all(one.killed for one in outcomes)
