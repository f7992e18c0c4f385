# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sample of C(make faults): some faults, once each, which the watcher repairs by itself while pings run. All of them: tests/faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults import run
from tests.faults.measure import once
from tests.faults.repairers import watching
from tests.faults.scene import Scene
from tests.faults.table import FAULTS
from tests.integration.acceptance import World

SAMPLE = ("tag changed", "port deleted", "veth deleted on the server", "tunnel with a wrong VNI", "forward-bpdu removed", "sandbox killed")
PATIENCE = 10.0
"""Seconds, on a machine that is busy with other tests; how long it takes is measured by C(make faults)."""


@pytest.fixture(scope="module")
def scene(world: World) -> Iterator[Scene]:
    with run.scene_on(world.testbed, world.folder, [FAULTS[name] for name in SAMPLE]) as one, watching(world.testbed):
        yield one


@pytest.mark.parametrize("name", SAMPLE)
def test_a_fault_is_repaired_and_nobody_else_loses_a_ping(scene: Scene, name: str) -> None:
    admins = scene.admins()
    done = once(scene, FAULTS[name])
    assert all(one.seconds is not None and one.seconds < PATIENCE for one in done.repairs), done.repairs
    assert done.losses == {}
    assert scene.admins() == admins


def test_afterwards_everything_is_as_it_was(scene: Scene) -> None:
    assert scene.broken() == []
