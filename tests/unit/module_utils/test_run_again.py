# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an interface of a running node had to be made anew, what its exec commands did to it has to be done once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _server
from ansible_collections.archetype.lab.plugins.module_utils._boots import Boot, Journal, pending
from ansible_collections.archetype.lab.plugins.module_utils._container_plan import ContainersPlan, HaveContainers, NodePlan, run_again
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._steps import Step

UP = Step(("ip", "link", "set", "eth1", "up"))
ADDRESS = Step(("ip", "address", "add", "203.0.113.1/24", "dev", "eth1"))
WANT = Container(name="c", sandbox="c-sandbox", node="n", image="i", exec=(UP.command, ADDRESS.command))
STEPS = (UP, ADDRESS)


def planned(*, boot: Boot | None, **steps: str) -> ContainersPlan:
    have = HaveContainers(boots={"n": boot} if boot else {})
    return ContainersPlan("lab", "started", Journal("lab", have.boots), have, nodes=[NodePlan(WANT, **steps)])  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path))


DONE = Boot("id", "box", (UP.digest, ADDRESS.digest))


def test_a_node_that_runs_on_gets_all_of_its_commands_again() -> None:
    found = planned(boot=DONE)
    run_again(found, {"c-sandbox"})
    assert found.nodes[0].commands == (UP, ADDRESS)
    assert [change.to_line() for change in found.changes] == ["~ exec c (n) run: 2 commands, as an interface is made anew"]


@pytest.mark.parametrize(
    ("boot", "sandboxes", "steps"),
    [
        (DONE, set(), {}),
        (DONE, {"other"}, {}),
        (DONE, {"c-sandbox"}, {"sandbox": "restart", "node": "restart"}),
        (DONE, {"c-sandbox"}, {"node": "recreate"}),
        (None, {"c-sandbox"}, {}),
        (Boot("id", "box"), {"c-sandbox"}, {}),
    ],
)
def test_others_are_left_alone(boot: Boot | None, sandboxes: set[str], steps: dict[str, str]) -> None:
    found = planned(boot=boot, **steps)
    run_again(found, sandboxes)
    assert found.nodes[0].commands == ()
    assert found.changes == []


def test_a_node_in_the_servers_network_has_nothing_to_do_with_taps_of_machines() -> None:
    found = planned(boot=DONE)
    found.nodes[0] = replace(found.nodes[0], want=replace(WANT, sandbox="", network="host"))
    run_again(found, {""})
    assert (found.nodes[0].commands, found.changes) == ((), [])


def test_a_run_that_is_killed_before_the_commands_leaves_them_due() -> None:
    journal = Journal("lab", {"n": DONE})
    journal.redo(["n"])
    boot = _boots.load("lab")["n"]
    assert pending(STEPS, boot) == (UP, ADDRESS)
    assert set(boot.again) == {UP.digest, ADDRESS.digest}
    journal.done("n", UP)
    boot = _boots.load("lab")["n"]
    assert pending(STEPS, boot) == (ADDRESS,)
    assert boot.again == (ADDRESS.digest,)


def test_a_command_during_which_a_run_was_killed_may_have_run() -> None:
    """It is due again, and may fail then; one that is known to have failed may not."""
    journal = Journal("lab", {})
    journal.begin("n", "id", "box")
    journal.started("n", UP)
    assert pending(STEPS, _boots.load("lab")["n"]) == (UP, ADDRESS)
    assert _boots.load("lab")["n"].again == (UP.digest,)
    journal.done("n", UP)
    journal.started("n", ADDRESS)
    journal.failed("n", ADDRESS)
    assert _boots.load("lab")["n"] == Boot("id", "box", (UP.digest,), ())
    assert pending(STEPS, _boots.load("lab")["n"]) == (ADDRESS,)
