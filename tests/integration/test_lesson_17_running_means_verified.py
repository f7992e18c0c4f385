# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running means verified: a node that ends right after it was made fails the run, with what is known of its end."""

from __future__ import annotations

import concurrent.futures
import time

from tests.integration.lab_server import LabServer

NODE = {"name": "lc-r1", "sandbox": "lc-r1.sb", "node": "r1", "image": "box:1"}


def test_a_node_that_is_killed_right_after_it_was_made_fails_the_run(box: LabServer) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(box.module, "lab_container", lab="lc", containers=[NODE])
        deadline = time.monotonic() + 30
        while "lc-r1" not in box.docker("ps", "--format", "{{.Names}}").split():
            assert time.monotonic() < deadline
        box.docker("kill", "lc-r1")
        result = running.result()
    assert result["failed"] is True
    assert "container lc-r1 of node r1 is exited right after its start, with exit code 137" in result["msg"]
    again = box.module("lab_container", lab="lc", containers=[NODE])
    assert [(one["action"], one["name"]) for one in again["changes"]] == [("start", "lc-r1")]
    assert not again.get("failed")


def test_a_node_whose_process_ends_tells_its_exit_code_and_its_last_lines(box: LabServer) -> None:
    wrong = {**NODE, "cmd": ["sh", "-c", "echo no licence; exit 3"], "exec": [["true"]]}
    result = box.module("lab_container", lab="lc", containers=[wrong, {**NODE, "name": "lc-r2", "sandbox": "lc-r2.sb", "node": "r2"}])
    (error,) = result["errors"]
    assert error["type"] == "VerifyError"
    assert error["msg"].endswith("container lc-r1 of node r1 is exited right after its start, with exit code 3; its last lines: no licence")
    assert [one["status"] for one in result["containers"]] == ["exited", "running"]
