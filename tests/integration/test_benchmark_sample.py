# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks still measure what they say: small, once, and with limits that only a real slow-down misses on a busy machine."""

from __future__ import annotations

import json

import pytest

from tests.benchmark import lab, ports
from tests.testbed.testbed import Testbed

COUNT = 48
NODES = 6


@pytest.mark.usefixtures("node_images")
def test_few_ports_take_little_more_than_their_floor(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = ports.Bench(testbed, COUNT)
    bench.start()
    try:
        found = ports.compare_with_floor(bench, 1)
    finally:
        bench.stop()
    assert not found["wrong"], found
    assert found["processes"] == 0
    assert found["ratio"] < 4, found
    assert found["no_op"]["within"] < 1, found


def test_a_small_lab_is_measured_beside_its_floor(prepared: Testbed) -> None:
    with lab.bench_on(prepared, NODES) as bench:
        found = lab.judge([bench.round()])
    assert found["no_op_changes_nothing"], found
    assert all(found["met"].values()), found
    assert set(found["seconds"]) == {"floor", "deploy", "no_op", "destroy"}
    json.dumps(found)
