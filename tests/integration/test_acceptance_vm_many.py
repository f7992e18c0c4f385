# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Twenty guests over three servers: one run makes them, the next has nothing to do and is quick."""

from __future__ import annotations

import time
from pathlib import Path

from tests.integration.acceptance import SERVERS, Lab, World, make_lab

KINDS = Path(__file__).with_name("files") / "kinds"
COUNT = 20
LIMIT = 15.0
"""Seconds that a run with nothing to do may take."""


def make(world: World, name: str) -> Lab:
    """A ring of guests, each on another server than its neighbours."""
    nodes = {
        f"g{index}": {
            "server": SERVERS[index % 3],
            "kind": "guest",
            "image": "guest.qcow2",
            "startup-config": f"hostname g{index}\naddress 1 10.{index}.0.1/24\naddress 2 10.{(index + 1) % COUNT}.0.2/24\n",
        }
        for index in range(COUNT)
    }
    links = [(f"g{index}:eth1", f"g{(index - 1) % COUNT}:eth2") for index in range(COUNT)]
    return make_lab(world.folder / name, name, nodes, links, kinds_path=[str(KINDS)])


def test_twenty_guests_in_one_run_and_nothing_to_do_in_the_next(world: World, guest_image: str) -> None:
    lab = make(world, "twenty")
    world.forget(lab.name)
    begun = time.monotonic()
    run = world.deploy(lab).green()
    made = time.monotonic() - begun
    assert (len(run.nodes()), len(run.links())) == (COUNT, COUNT)
    begun = time.monotonic()
    again = world.deploy(lab).green()
    nothing = time.monotonic() - begun
    print(f"20 guests on 3 servers: made and ready in {made:.1f} s, nothing to do in {nothing:.1f} s")
    assert again.changes() == {server: [] for server in SERVERS}
    assert nothing < LIMIT
    world.play("destroy_lab", lab).ok()
    assert world.traces(lab.name) == {}
