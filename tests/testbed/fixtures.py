# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What integration tests use: the testbed for the whole session, and playbooks run from its controller.

C(ARCHETYPE_TESTBED) names the testbed (default: t); C(ARCHETYPE_TESTBED_KEEP=1) leaves it up for the next run.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.testbed import images
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

RECAP = re.compile(r"^(?P<host>\S+)\s+: (?P<counts>ok=\d+.*)$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Played:
    """recap: host -> {"ok": 1, "changed": 0, "failed": 0 ...}."""

    rc: int
    stdout: str
    stderr: str
    recap: Mapping[str, Mapping[str, int]]

    @property
    def changed(self) -> int:
        return sum(counts["changed"] for counts in self.recap.values())

    def ok(self) -> Played:
        """Itself, if the playbook succeeded; else a failure that shows what it said."""
        if self.rc != 0:
            pytest.fail(f"ansible-playbook ended with {self.rc}\n{self.stdout}\n{self.stderr}", pytrace=False)
        return self


def recap(stdout: str) -> dict[str, dict[str, int]]:
    """The play recap at the end of what ansible-playbook prints."""
    tail = stdout.rpartition("PLAY RECAP")[2]
    return {
        row["host"]: {key: int(number) for key, _sign, number in (word.partition("=") for word in row["counts"].split())}
        for row in RECAP.finditer(tail)
    }


def environment() -> dict[str, str]:
    """Ansible sees this checkout as the collection, its own ansible.cfg, and no settings of the user."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "PYTEST_"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(ROOT / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONUNBUFFERED": "1",
    }


def run_ansible(testbed: Testbed, *arguments: str, timeout: float = 600, cwd: Path = ROOT, collections: Sequence[Path | str] = ()) -> Any:
    """A program of Ansible (C(ansible), C(ansible-inventory) ...) where the controller is, with the testbed's inventory.

    collections: further folders of collections.
    """
    program = str(Path(sys.executable).with_name(arguments[0]))
    command = [program, "-i", str(testbed.inventory_file), *arguments[1:]]
    known = environment()
    known["ANSIBLE_COLLECTIONS_PATH"] = ":".join([known["ANSIBLE_COLLECTIONS_PATH"], *map(str, collections)])
    return testbed.run(command, env=known, cwd=str(cwd), timeout=timeout)


def run_playbook(
    testbed: Testbed,
    playbook: str | Path,
    *arguments: str,
    inventories: Sequence[Path | str] = (),
    variables: Mapping[str, Any] | None = None,
    timeout: float = 600,
    cwd: Path = ROOT,
    collections: Sequence[Path | str] = (),
) -> Played:
    """Run a playbook (a file, or C(archetype.lab.deploy_lab)) against the testbed's servers and further inventory sources."""
    words = ["ansible-playbook", *(word for source in inventories for word in ("-i", str(source))), str(playbook), *arguments]
    if variables:
        words += ["--extra-vars", json.dumps(variables)]
    done = run_ansible(testbed, *words, timeout=timeout, cwd=cwd, collections=collections)
    return Played(done.returncode, done.stdout, done.stderr, recap(done.stdout))


def session_name() -> str:
    """Of the testbed; a process of pytest-xdist has its own."""
    return os.environ.get("ARCHETYPE_TESTBED", "t") + os.environ.get("PYTEST_XDIST_WORKER", "")


@pytest.fixture(scope="session")
def testbed() -> Iterator[Testbed]:
    """Three servers, up for the whole session."""
    if os.geteuid() != 0:
        pytest.skip("the testbed needs root")
    one = Testbed(session_name())
    one.up(servers=3)
    yield one
    if os.environ.get("ARCHETYPE_TESTBED_KEEP") != "1":
        one.down()


@pytest.fixture(scope="session")
def node_images(testbed: Testbed) -> Sequence[str]:
    """The node images, loaded in all servers: their names."""
    images.ensure(testbed)
    return [recipe.reference for recipe in images.recipes().values()]
