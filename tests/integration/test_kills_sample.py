# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few of the kills that C(make kills) does at length: a controller in the middle of an edit, and the module at each of its works."""

from __future__ import annotations

from tests.integration.acceptance import World
from tests.kills.modules import Modules
from tests.kills.points import OPERATIONS
from tests.kills.runner import Runner

SEED = "s58"
EDIT = 2


def test_after_the_controller_was_killed_in_an_edit_the_next_run_ends_as_if_nothing_had_been(world: World) -> None:
    with Runner(world, SEED).beside_others() as runner:
        (outcome,) = runner.run([EDIT])
    assert (outcome.case.operation, outcome.case.victim) == ("edit", "controller")
    assert not outcome.problems
    assert "results" in outcome.killed


def test_after_the_module_was_killed_the_next_call_ends_as_if_nothing_had_been(world: World) -> None:
    """While it deploys, edits, reconciles and destroys."""
    told: list[str] = []
    with Modules(world, SEED).beside_others() as one:
        wrong = one.run(range(1, len(OPERATIONS) + 1), say=told.append)
    assert not wrong, told
    assert len(told) == len(OPERATIONS)
