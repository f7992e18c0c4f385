# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A case follows from its seed and number alone, and cases reach every operation, victim and moment."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.kills.points import FAULTS, OPERATIONS, PLAYBOOKS, VICTIMS, Case, Length, case

CASES = [case("1", number) for number in range(1, 201)]


def test_a_case_is_the_same_whatever_ran_before_it() -> None:
    assert case("1", 17) == CASES[16]
    assert case("2", 17) != CASES[16]


def test_operations_go_round_and_each_begins_where_the_last_one_ended() -> None:
    names = list(OPERATIONS)
    assert [one.operation for one in CASES[:5]] == [*names, names[0]]
    for one, following in zip(names, [*names[1:], names[0]], strict=True):
        assert OPERATIONS[one][1] == OPERATIONS[following][0]
    assert set(PLAYBOOKS) == set(OPERATIONS)


def test_two_hundred_cases_reach_everything() -> None:
    met = Counter((one.operation, one.victim) for one in CASES)
    assert set(met) == {(operation, victim) for operation in OPERATIONS for victim in VICTIMS}
    assert {one.server for one in CASES} == {0, 1}
    assert {one.event for one in CASES} == {True, False}
    assert {fault for one in CASES for fault in one.faults} == set(FAULTS)
    assert {int(one.part * 10) for one in CASES} == set(range(10))
    assert all(bool(one.faults) == (one.operation == "reconcile") for one in CASES)


@pytest.mark.parametrize(("part", "results"), [(0.0, 1), (0.5, 6), (0.999, 9)])
def test_a_run_is_killed_before_its_end(part: float, results: int) -> None:
    one = Case(1, "deploy", "controller", event=True, part=part, jitter=0.0, server=0)
    assert one.results(Length(4.0, 10)) == results
    assert one.seconds(Length(4.0, 10)) == pytest.approx(4.0 * part)


def test_a_module_is_killed_while_there_is_one() -> None:
    one = Case(1, "destroy", "module", event=True, part=0.999, jitter=0.0, server=0)
    assert one.results(Length(4.0, 3)) == 1
    assert one.seconds(Length(4.0, 3)) < 3.0


def test_it_is_told_what_was_killed_where_and_when() -> None:
    one = Case(7, "reconcile", "module", event=False, part=0.25, jitter=0.0, server=1, faults=("tag",))
    assert str(one) == "case 7: reconcile with tag wrong, module on server 2 killed after 0.250 of the time"
