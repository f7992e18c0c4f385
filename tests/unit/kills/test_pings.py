# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pings of a proof that takes hours are told apart, although ping has 16 bits for their numbers."""

from __future__ import annotations

from tests.integration.pings import counted


def test_numbers_go_on_where_ping_begins_again() -> None:
    sent = range(1, 200_000)
    answers = counted(number % 65536 for number in sent)
    assert sorted(answers) == list(sent)
    assert set(answers.values()) == {1}


def test_what_is_lost_late_or_there_twice_is_seen_after_the_numbers_began_again() -> None:
    numbers = [number for number in range(65_500, 65_600) if number != 65_540]
    numbers[10], numbers[12] = numbers[12], numbers[10]
    answers = counted([*range(1, 65_500), *(number % 65536 for number in [*numbers, 65_599])])
    assert [number for number in range(1, 65_600) if number not in answers] == [65_540]
    assert [number for number, count in answers.items() if count > 1] == [65_599]
