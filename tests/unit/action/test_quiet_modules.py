# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules are given of machines is in no result of theirs, under the real ansible-playbook. They fail before they do anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
pytestmark = pytest.mark.skipif(not (BIN / "ansible-playbook").exists(), reason="ansible-playbook is not beside this Python")

PLAY = """
- hosts: localhost
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - archetype.lab.lab_converge: {declared: "{{ secret }}", state: nonsense}
      ignore_errors: true
    - archetype.lab.lab_state: {lab: quiet, declared: "{{ secret }}", state: nonsense}
      ignore_errors: true
    - archetype.lab.lab_vm: {lab: quiet, vms: ["{{ secret }}"], state: nonsense}
      ignore_errors: true
    - archetype.lab.lab_watch: {key: "{{ secret.access[0].password }}", state: nonsense}
      ignore_errors: true
    - archetype.lab.lab_reconcile: {lab: quiet, declared: "{{ secret }}", patient: nonsense, retries: 0}
      ignore_errors: true
"""
SECRETS = '{"secret": {"name": "x", "access": [{"node": "r1", "password": "hunter2"}]}}'


def test_passwords_of_nodes_are_not_told_however_much_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(PLAY)
    (tmp_path / "secrets.json").write_text(SECRETS)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_HOME": str(tmp_path / ".ansible"),
        "ANSIBLE_NOCOLOR": "1",
    }
    command = [str(BIN / "ansible-playbook"), "-i", "localhost,", "-c", "local", "-e", "@secrets.json", "-vvv", "play.yml"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert "ignored=5" in said
    assert said.count("value of state must be one of") >= 4
    assert "hunter2" not in said
