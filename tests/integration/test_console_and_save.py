# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configurations of machines over their real serial consoles, whoever has left them how, and whoever is at them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.acceptance import FRR, Lab, Run, World, make_lab
from tests.testbed import guest
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

KINDS = Path(__file__).with_name("files") / "kinds"
CONFIG = "hostname g1\n" + "".join(f"address 1 10.1.0.{place}/24\n" for place in range(1, 46))
"""More than two pages of the guest's pager."""
HOLDER = """
import sys
from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._console._hold import hold
with hold(_server.RUN_DIR, sys.argv[1], "a test of it"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def here(prepared: Testbed, guest_image: str, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(prepared, tmp_path_factory.mktemp("controller"))


@pytest.fixture(scope="module")
def lab(here: World) -> Iterator[Lab]:
    nodes = {
        "g1": {"server": "srv1", "kind": "guest", "image": "guest.qcow2", "startup-config": "g1.cfg"},
        "f1": {"server": "srv1", "kind": "frr", "image": FRR},
    }
    made = make_lab(here.folder / "saving", "saving", nodes, [("g1:eth1", "f1:eth1")], kinds_path=[str(KINDS)])
    made.file.with_name("g1.cfg").write_text(CONFIG)
    here.forget(made.name)
    here.deploy(made).green()
    yield made
    here.forget(made.name)


def saved(lab: Lab) -> dict[str, str]:
    """Node -> what is in its file."""
    return {path.stem: path.read_text() for path in sorted((lab.file.parent / f"{lab.name}-configs").glob("*"))}


def changed(run: Run) -> list[str]:
    (result,) = [one for host, one in run.of("Save").items() if host == "srv1"]
    return [one["node"] for one in result["configs"] if one.get("changed")]


def access(lab: Lab, node: str = "g1", **fields: Any) -> dict[str, Any]:
    save = {"method": "console", "command": "show running-config", "prompt": r"[\w.-]+#", "pager_off": "terminal length 0"}
    return {"node": node, "type": "vm", "name": lab.container(node), "save": save, "username": "admin", "password": "admin", **fields}


def read(here: World, lab: Lab, **fields: Any) -> dict[str, str]:
    """What the module says of one node."""
    result = here.server("srv1").module("lab_config", lab=lab.name, access=[access(lab, **fields)])
    assert not result.get("failed"), result
    (found,) = result["configs"]
    return dict(found)


def test_configurations_are_saved_beside_the_topology_and_again_only_where_they_changed(here: World, lab: Lab) -> None:
    first = here.play("save_configs", lab)
    first.ok()
    assert (saved(lab)["g1"], "hostname f1" in saved(lab)["f1"]) == (CONFIG, True)
    assert sorted(changed(first)) == ["f1", "g1"]
    assert "10.1.0.7" not in first.stdout + first.stderr, "configurations hold secrets"
    again = here.play("save_configs", lab)
    again.ok()
    assert changed(again) == []


def test_the_pages_of_a_pager_that_nobody_turns_off_are_put_together(here: World, lab: Lab) -> None:
    save = {**access(lab)["save"], "pager_off": ""}
    assert read(here, lab, save=save)["config"] == CONFIG


def test_who_is_at_a_console_is_left_alone_and_told(here: World, lab: Lab) -> None:
    (lab.file.parent / f"{lab.name}-configs" / "f1.cfg").unlink()
    with guest.Console(here.testbed.server("srv1"), lab.container("g1")) as line:
        line.login("admin", "admin")
        run = here.play("save_configs", lab).failed()
        assert line.run("ping 10.1.0.1").startswith("PING"), "nobody wrote in between"
        line.send("exit\n")
        line.wait_for("login:")
    assert (
        f"g1: the console of {lab.container('g1')} is in use by somebody else; leave virsh console there (Ctrl-]), and run again"
        in run.said
    )
    assert changed(run) == ["f1"], "the other one is saved all the same"
    assert read(here, lab)["config"] == CONFIG


def test_one_process_at_a_time_is_at_a_console(here: World, lab: Lab) -> None:
    program = ["env", f"PYTHONPATH={ROOT}/collections", sys.executable, "-c", HOLDER, lab.container("g1")]
    command = here.testbed.server("srv1").entering(program)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == "held\n"
        found = read(here, lab)
        holder.stdin.close()
        assert holder.wait(10) == 0
    assert "is in use by process" in found["error"]
    assert "(a test of it) since 20" in found["error"]
    assert found["hint"] == "wait until that has ended, and run again"
    assert read(here, lab)["config"] == CONFIG


def test_a_wrong_password_is_told_and_the_machine_is_as_before(here: World, lab: Lab) -> None:
    found = read(here, lab, password="not-this")
    assert "refused the login" in found["error"]
    assert "credentials" in found["hint"]
    assert "not-this" not in found["error"] + found["hint"]
    assert read(here, lab)["config"] == CONFIG


@pytest.mark.parametrize("left", ["show inter", "show running-config\r"])
def test_a_session_that_somebody_left_is_used_and_left(here: World, lab: Lab, left: str) -> None:
    """With half a command, or in a pager. It does not matter whose password that was."""
    server = here.testbed.server("srv1")
    with guest.Console(server, lab.container("g1")) as line:
        line.login("admin", "admin")
        line.send(left)
        line.wait_for("--More--" if left.endswith("\r") else left)
    found = read(here, lab, password="not-asked-for")
    assert (found["error"], found["config"]) == ("", CONFIG)
    with guest.Console(server, lab.container("g1")) as line:
        line.login("nobody", "who would be refused")
        line.send("exit\r")
        line.wait_for("login:")
