# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 25: the work on a server takes a handful of calls, whatever the number of ports; and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.wired import Wired, port, wired_server
from tests.testbed.testbed import Testbed


@pytest.fixture
def wired(testbed: Testbed) -> Iterator[Wired]:
    with wired_server(testbed) as one:
        yield one


COUNT = 264
NODES = 8


def mac(number: int) -> str:
    return f"02:00:00:01:{number // 256:02x}:{number % 256:02x}"


def many() -> list[dict[str, object]]:
    return [
        {**port(0, f"r{number % NODES}", 100 + number, interface=f"eth{number}"), "name": f"xp{number}", "mac": mac(number)}
        for number in range(COUNT)
    ]


def test_264_ports_take_five_transactions_at_most_and_no_process(wired: Wired) -> None:
    for number in range(NODES):
        wired.sandbox(f"x.r{number}.sandbox")
    ports = many()
    made = wired.ports(*ports).ok()
    assert made.result["plan"] == {"create": COUNT}
    assert made.counted["processes"] == 0
    assert made.counted["transactions"] <= 5
    again = wired.ports(*ports).ok()
    assert not again.result["changed"]
    assert again.counted["processes"] == 0
    assert again.counted["transactions"] == 0
    gone = wired.ports(state="absent", prune=True).ok()
    assert gone.result["plan"] == {"delete": COUNT}
    assert gone.counted["processes"] == 0
    left = {*wired.ovs_ports(), *wired.devices()}
    assert [name for name in left if name.startswith("xp")] == []
    assert all(list(wired.devices(f"x.r{number}.sandbox")) == ["lo"] for number in range(NODES))
