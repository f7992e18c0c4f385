# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook validate_lab, as the real ansible-playbook runs it: what a user sees, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.skipif(not (BIN / "ansible-playbook").exists(), reason="ansible-playbook is not beside this Python")

GOOD = """
name: demo
topology:
  defaults: {kind: linux, image: i}
  nodes: {a: {}, b: {}}
  links:
    - endpoints: [a:eth1, b:eth1]
"""
BAD = GOOD.replace("a:eth1", "x:eth1").replace("b: {}", "b: {kind: lnux}")
LAB = "plugin: archetype.lab.topology\ntopology: good.clab.yml\n"
SERVERS = "lab_servers: {hosts: {srv1: {ansible_host: 198.51.100.11}, srv2: {ansible_host: 198.51.100.12}}}\n"
SHOWN = [
    "bad.clab.yml: 2 problems",
    '  bad.clab.yml:5:28: unknown kind "lnux"',
    '  bad.clab.yml:7:19: unknown node "x" in a link',
]


class Run:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in {"good.clab.yml": GOOD, "bad.clab.yml": BAD, "good.lab.yml": LAB, "servers.yml": SERVERS}.items():
            (folder / name).write_text(text)

    def __call__(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_HOME": str(self.folder / ".ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "COLUMNS": "10000",
            **settings,
        }
        command = [str(BIN / "ansible-playbook"), "archetype.lab.validate_lab", *arguments]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return done


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_a_good_topology_ends_well_and_shows_what_is_in_it(run: Run) -> None:
    done = run("-e", "topology=good.clab.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "good.clab.yml: good, topology of lab demo\n  nodes      2   linux 2\n  links      1   veth 1\n" in done.stdout


def test_a_bad_topology_fails_and_shows_every_problem_once(run: Run) -> None:
    done = run("-e", "topology=bad.clab.yml")
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    assert [line for line in lines if "bad.clab.yml" in line][:3] == SHOWN
    assert (done.stdout + done.stderr).count('unknown kind "lnux"') == 1
    assert "2 problems in bad.clab.yml" in done.stdout + done.stderr


def test_several_files_and_patterns_are_checked_each_once_and_written_as_json(run: Run) -> None:
    done = run("-e", "topology=*.clab.yml,good.clab.yml,no*.yml", "-e", "lab_report_file=out.json")
    assert done.returncode == 2
    files = json.loads((run.folder / "out.json").read_text())
    assert [(Path(one["path"]).name, one["ok"]) for one in files] == [
        ("bad.clab.yml", False),
        ("good.clab.yml", True),
        ("no*.yml", False),
    ]
    assert [(one["line"], one["column"]) for one in files[0]["problems"]] == [(5, 28), (7, 19)]


def test_a_list_may_be_given(run: Run) -> None:
    assert run("-e", json.dumps({"topology": ["good.clab.yml", "good.lab.yml"]})).returncode == 0


def test_without_a_topology_the_lab_files_of_the_inventory_are_checked(run: Run) -> None:
    done = run("-i", "servers.yml", "-i", "good.lab.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "good.lab.yml: good, lab file of lab demo" in done.stdout
    assert "  servers    2   srv1 1, srv2 1\n" in done.stdout


def test_a_lab_file_that_the_inventory_could_not_read_is_checked_too(run: Run) -> None:
    (run.folder / "bad.lab.yml").write_text(LAB.replace("good.clab", "bad.clab"))
    done = run("-i", "servers.yml", "-i", "bad.lab.yml")
    assert done.returncode == 2
    assert [line for line in done.stdout.splitlines() if "bad.clab.yml" in line] == SHOWN[1:]


def test_nothing_to_check_is_a_failure_that_says_what_to_give(run: Run) -> None:
    done = run()
    assert done.returncode == 2
    assert "there is nothing to check: name files with -e topology=PATH" in done.stdout + done.stderr


def test_the_inventory_shows_every_problem_once(run: Run) -> None:
    (run.folder / "bad.lab.yml").write_text(LAB.replace("good.clab", "bad.clab"))
    done = run("-i", "servers.yml", "-i", "bad.lab.yml", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="1")
    assert done.returncode != 0
    assert done.stderr.count('unknown kind "lnux"') == 1
    assert done.stderr.count('unknown node "x"') == 1
