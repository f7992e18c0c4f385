# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person gets wrong at the command line: each is told in words, what to do with it, and nothing is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.acceptance import Lab, Run, World, make_lab
from tests.integration.dumps import dump

NODES = {"a": "srv1", "b": "srv2"}
LINKS = [("a:eth1", "b:eth1")]
MOST_LINES = 60


@pytest.fixture(scope="module")
def lab(world: World) -> Iterator[Lab]:
    world.forget("mistake", "elsewhere")
    yield make_lab(world.folder / "mistake", "mistake", NODES, LINKS)
    world.forget("mistake", "elsewhere")


@pytest.fixture(scope="module")
def elsewhere(world: World) -> Lab:
    """A lab on srv3 alone."""
    (world.folder / "third.yml").write_text("third: {hosts: {srv3: }}\n")
    return make_lab(world.folder / "elsewhere", "elsewhere", {"c": "srv3"}, [], servers="third")


@pytest.fixture
def untouched(world: World, lab: Lab) -> Iterator[None]:
    before = world.each(dump)
    yield
    assert world.each(dump) == before
    assert not lab.file.with_name("mistake.lock.yml").exists()


def refused(run: Run, *words: str) -> None:
    """It failed, said this, did nothing, and said not much more than that."""
    run.failed()
    for one in words:
        assert one in run.said
    assert run.changes() == {}
    assert len(run.stdout.splitlines()) < MOST_LINES


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("playbook", ["deploy_lab", "certify_lab", "status_lab"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("--limit", "srv2"),
            "this run leaves out srv1, srv3; a lab is planned, wired and proven over all of its servers: run without --limit",
        ),
        (("--tags", "certify"), "these playbooks have no tags; run without --tags"),
    ],
)
def test_a_partial_run_is_refused_and_changes_nothing(
    world: World, lab: Lab, playbook: str, arguments: tuple[str, ...], words: str
) -> None:
    refused(world.play(playbook, lab, *arguments), words)


@pytest.mark.usefixtures("untouched")
def test_an_unprepared_server_is_told_and_nothing_is_done(world: World, lab: Lab) -> None:
    run = world.deploy(lab, "-e", "lab_server_python=/nowhere/bin/python")
    for server in ("srv1", "srv2", "srv3"):
        refused(run, f"server {server} could not be observed: The module interpreter '/nowhere/bin/python' was not found. Prepare it with")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("playbook", ["certify_lab", "status_lab"])
def test_looking_at_unprepared_servers_tells_why_nothing_is_proven(world: World, lab: Lab, playbook: str) -> None:
    run = world.play(playbook, lab, "-e", "lab_server_python=/nowhere/bin/python")
    assert (run.rc == 0) == (playbook == "status_lab")
    assert not run.report["ok"]
    assert "The module interpreter '/nowhere/bin/python' was not found" in run.said
    assert {state for state, _reason in run.links().values()} == {"error"}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("playbook", ["deploy_lab", "destroy_lab"])
def test_which_lab_is_meant_must_be_clear(world: World, lab: Lab, elsewhere: Lab, playbook: str) -> None:
    refused(world.play(playbook, None), "no lab is in the inventory; add its lab file, for example -i demo.lab.yml")
    third = ("-i", str(world.folder / "third.yml"), "-i", str(elsewhere.file))
    refused(world.play(playbook, lab, *third), "several labs are in the inventory (mistake, elsewhere); choose one with -e lab=NAME")


@pytest.mark.usefixtures("untouched")
def test_a_lab_that_is_not_there_is_told_with_those_that_are(world: World, lab: Lab) -> None:
    refused(world.deploy(lab, "-e", "lab=mistaken"), "there is no lab mistaken in the inventory, but mistake")


@pytest.mark.usefixtures("untouched")
def test_a_run_cannot_begin_in_its_middle(world: World, lab: Lab) -> None:
    run = world.deploy(lab, "--start-at-task", "Converge").failed()
    assert "there is no plan; run the playbook from its first task, without --start-at-task" in run.said


def test_servers_of_another_lab_are_left_alone(world: World, lab: Lab, elsewhere: Lab) -> None:
    """Two labs in the inventory, each with its own servers: a run of one does not even observe the servers of the other."""
    before = world.each(dump)
    run = world.deploy(lab, "-i", str(world.folder / "third.yml"), "-i", str(elsewhere.file), "-e", "lab=elsewhere").green()
    assert set(run.of("Observe the servers")) == {"srv3"}
    after = world.each(dump)
    assert {server: after[server] for server in NODES.values()} == {server: before[server] for server in NODES.values()}
    world.play("destroy_lab", None, "-e", "lab=elsewhere", "--limit", "srv3").ok()
    assert world.traces("elsewhere") == {}
