# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests/faults makes of the pings that it saw, so that its figures can be believed."""

from __future__ import annotations

import math

from tests.faults import show, soak
from tests.faults.measure import Repair, Row, percentile
from tests.faults.pings import Answer, Outage, outages
from tests.faults.table import FAULTS, ways


def answers(*numbers: int) -> list[Answer]:
    """Sent every 10 ms."""
    return [Answer(number, number / 100, number / 100 + 0.001) for number in numbers]


def test_an_outage_is_from_the_last_answered_ping_to_the_first_that_is_answered_again() -> None:
    assert outages(answers(1, 2, 3, 7, 8, 9, 12), since=0) == [Outage(0.03, 0.07, 3), Outage(0.09, 0.12, 2)]


def test_what_was_lost_before_the_fault_does_not_count() -> None:
    assert outages(answers(1, 4, 5, 6), since=0.045) == []
    assert outages(answers(1, 4, 5, 6), since=0.02) == [Outage(0.01, 0.04, 2)]


def test_a_pinger_that_was_late_lost_nothing() -> None:
    assert outages([Answer(1, 0.01, 0.02), Answer(2, 5.0, 5.1)], since=0) == []


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 21)]
    assert (percentile(values, 0.95), percentile(values, 1.0), percentile([3.0], 0.95)) == (19.0, 20.0, 3.0)


def test_what_was_never_repaired_misses_the_limit() -> None:
    repairs = [Repair("x", 0.1, 4)] * 18 + [Repair("x", None, 0)] * 2
    row = Row.of("x", repairs, own=0.0)
    assert (row.never, row.median, row.p95, row.beyond) == (2, 0.1, math.inf, math.inf)
    assert "NOT under 1 s 2 of 20 not repaired" in show.table([row], 1.0)


def test_what_the_object_needs_itself_is_taken_off() -> None:
    row = Row.of("x", [Repair("x", 5.5, 4)], own=5.0)
    assert row.beyond == 0.5
    assert "NOT" not in show.table([row], 1.0)


def test_each_fault_has_its_links_and_links_have_one_fault() -> None:
    known = [way.name for way in ways()]
    assert len(known) == len(set(known))
    assert {way for fault in FAULTS.values() for part in fault.parts for way in part.ways} <= set(known)
    alone = [way for fault in FAULTS.values() if fault.independent for part in fault.parts for way in part.ways]
    assert len([way for way in alone if not way.startswith("spare")]) == len({way for way in alone if not way.startswith("spare")})


def test_the_soak_has_264_ports_on_the_first_server_and_each_node_11() -> None:
    ends = [node for way in soak.ways() for node in (way.near, way.far)]
    ports = {node: ends.count(node) for node in dict.fromkeys(ends)}
    assert sum(count for node, count in ports.items() if node != "r") == 264
    assert {count for node, count in ports.items() if node != "r"} == {11}
    assert all(way.near != way.far for way in soak.ways())
