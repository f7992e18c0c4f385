# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Broken lab files as a source of the real ansible-inventory: each is read whole, or refused with problems that have a place."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.tests.unit.fuzz import mutations, sources
from ansible_collections.archetype.lab.tests.unit.fuzz.test_five_thousand_mutations import parsed

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
FILES = 120
FAILED = re.compile(r"Failed to parse inventory with '[^']*topology' plugin: (.*)")
REASON = re.compile(r".*\.lab\.yml: (?:\d+ problems?, shown above|labs? .+)")

pytestmark = pytest.mark.skipif(not (BIN / "ansible-inventory").exists(), reason="ansible-inventory is not beside this Python")


def broken(seed: int) -> bytes:
    chance = random.Random(seed)
    text = chance.choice(sources.lab_files()).replace("name: fuzz", f"name: fuzz{seed}")
    if seed % 6 == 0:
        return text.encode()
    if chance.getrandbits(1):
        return mutations.break_bytes(chance, text.encode())
    return mutations.break_values(chance, parsed(text))


def test_broken_lab_files_are_refused_one_by_one_and_good_ones_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "labs"
    folder.mkdir()
    for name in ("lic.txt", "a.yml", "good.clab.yml"):
        (tmp_path / name).write_text(sources.EVERYTHING)
    for seed in range(FILES):
        (folder / f"{seed:03}.lab.yml").write_bytes(broken(seed).replace(b"good.clab.yml", b"../good.clab.yml"))
    (tmp_path / "ansible.cfg").write_text("[inventory]\nenable_plugins = archetype.lab.topology\n")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_NOCOLOR": "1",
        "COLUMNS": "10000",
    }
    command = [str(BIN / "ansible-inventory"), "-i", str(folder), "--list"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Traceback" not in done.stderr
    reasons = FAILED.findall(done.stderr)
    assert len(reasons) > FILES // 3
    assert [reason for reason in reasons if not REASON.fullmatch(reason)] == []
    hosts = json.loads(done.stdout)["_meta"]["hostvars"]
    labs = [one["lab_name"] for one in hosts.values() if "lab_name" in one]
    assert {labs.count(f"fuzz{seed}") for seed in range(0, FILES, 6) if f"fuzz{seed}" in labs} == {10}
    assert sum(f"fuzz{seed}" in labs for seed in range(0, FILES, 6)) >= 5
