# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told while nodes are waited for, and how often."""

from __future__ import annotations

from ansible_collections.archetype.lab.plugins.plugin_utils._progress import Progress, pending


def node(name, state="starting", *, waited=9, last="booting", since="2026-11-21T07:00:00+00:00", late=False):
    return {"node": name, "state": state, "waited": waited, "timeout": 600, "last": last, "since": since, "late": late}


def test_each_node_has_a_line_with_since_when_of_how_long_and_its_last_words():
    words = Progress("srv1").words([node("r1"), node("r2", "ready"), node("r3", last="", waited=109)], 0.0)
    assert words.splitlines() == [
        "srv1: waiting for 2 of 3 nodes",
        "  r1    9 s of 600 s  booting",
        "  r3  109 s of 600 s  (nothing yet)",
    ]


def test_only_a_few_are_told_of_the_oldest_first_and_long_lines_are_cut():
    nodes = [node(f"r{number}", since=f"2026-11-21T07:00:{number:02d}+00:00", last="x" * 100) for number in reversed(range(8))]
    lines = Progress("srv1").words(nodes, 0.0).splitlines()
    assert lines[0] == "srv1: waiting for 8 of 8 nodes"
    assert lines[1] == f"  r0  9 s of 600 s  {'x' * 67}..."
    assert [line.split()[0] for line in lines[1:6]] == ["r0", "r1", "r2", "r3", "r4"]
    assert lines[6:] == ["  and 3 more"]


def test_news_are_told_after_ten_seconds_and_nothing_new_after_thirty():
    progress = Progress("srv1")
    assert progress.words([node("r1")], 100.0)
    assert not progress.words([node("r1", last="more")], 109.9)
    assert progress.words([node("r1", last="more", waited=20)], 110.0)
    assert not progress.words([node("r1", last="more", waited=49)], 139.9)
    assert progress.words([node("r1", last="more", waited=50)], 140.0)


def test_silence_is_told_from_half_a_minute_on():
    progress = Progress("srv1")
    assert "silent" not in progress.words([node("r1"), node("r2", last="")], 100.0)
    assert "silent" not in progress.words([node("r1", last="one more"), node("r2", last="")], 110.0)
    assert progress.words([node("r1", last="one more", waited=50), node("r2", last="")], 145.0).splitlines()[1:] == [
        "  r1  50 s of 600 s  one more (silent for 35 s)",
        "  r2   9 s of 600 s  (nothing yet)",
    ]
    assert "silent" not in progress.words([node("r1", last="at last")], 155.0)


def test_nothing_is_told_where_waiting_is_of_no_use():
    nodes = [node("a", "ready"), node("b", "failed"), node("c", "stopped"), node("d", late=True)]
    assert pending(nodes) == []
    assert Progress("srv1").words(nodes, 0.0) == ""
    assert Progress("srv1").words([], 0.0) == ""
