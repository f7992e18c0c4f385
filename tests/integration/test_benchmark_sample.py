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
PATIENCE = 60.0
"""Seconds that Ansible may need for its dozen tasks where everything else on the machine is busy too."""


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
    assert found["ratio"] < 6, found
    assert found["no_op"]["within"] < 3, found


def test_a_small_lab_is_measured_beside_its_floor(prepared: Testbed) -> None:
    with lab.bench_on(prepared, NODES, prepared=True) as bench:
        found = lab.judge([bench.round()])
    assert found["no_op_changes_nothing"], found
    seconds = found["seconds"]
    assert seconds["deploy"] < 4 * seconds["floor"] + PATIENCE, found
    assert max(seconds["no_op"], seconds["destroy"]) < PATIENCE, found
    assert max(found["cpu"].values()) < PATIENCE / 4, found
    assert json.loads(json.dumps(found))["met"].keys() == {"deploy", "no_op", "destroy"}
