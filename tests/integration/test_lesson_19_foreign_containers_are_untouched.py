# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name is sorted into absent, ours, stale and foreign; what is foreign stops the run and is not touched."""

from __future__ import annotations

import pytest

from tests.integration.lab_server import LabServer

NODE = {"name": "lc-r1", "sandbox": "lc-r1.sb", "node": "r1", "image": "box:1"}


@pytest.mark.parametrize("name", ["lc-r1", "lc-r1.sb"])
@pytest.mark.parametrize(("label", "owner"), [("site=x", "foreign (no archetype-lab mark)"), ("archetype-lab=other", "lab other")])
@pytest.mark.parametrize("running", [True, False])
def test_a_foreign_container_of_a_wanted_name_stops_the_run_untouched(
    box: LabServer, name: str, label: str, owner: str, running: bool
) -> None:
    box.docker("run" if running else "create", *(["-d"] if running else []), "--name", name, "--network", "none", "--label", label, "box:1")
    before = box.inspect(name)
    result = box.module("lab_container", lab="lc", containers=[{**NODE, "name": "lc-r0", "sandbox": "lc-r0.sb", "node": "r0"}, NODE])
    assert [(error["type"], error["objects"]) for error in result["errors"]] == [("ForeignError", [name])]
    assert f"container {name} is wanted for node r1 of lab lc, but is {owner}" in result["msg"]
    assert box.names() == [name]
    assert box.inspect(name) == before
    assert box.module("lab_container", lab="lc", containers=[NODE], state="absent", prune=True)["changed"] is False
    assert box.inspect(name) == before


def test_our_own_stale_container_is_replaced(box: LabServer) -> None:
    marks = ["--label", "archetype-lab=lc", "--label", "archetype-node=r1"]
    box.docker("create", "--name", "lc-r1", "--network", "none", *marks, "box:2")
    result = box.module("lab_container", lab="lc", containers=[NODE])
    assert not result.get("failed"), result
    assert [(one["action"], one["name"]) for one in result["changes"]] == [("create", "lc-r1.sb"), ("recreate", "lc-r1")]
    assert {"image", "sandbox"} <= set(result["changes"][1]["fields"])
