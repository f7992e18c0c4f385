# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab's name never leads out of the folder of all labs, and nobody but root looks into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _files, _server
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._outcome import Run
from ansible_collections.archetype.lab.plugins.module_utils._remove import remove
from ansible_collections.archetype.lab.plugins.module_utils._server import Server

ELSEWHERE = ["", "/srv", "../x", "..", "a/b", ".hidden", "demo.json", "demo.new", "a b"]


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_name_that_leads_elsewhere_makes_no_path(name: str) -> None:
    for path in (_server.lab_path, _files.files_root, _files.folders, _boots.path_of, _boots.load):
        with pytest.raises(LabError, match="not a name for a lab"):
            path(name)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_destroying_a_lab_of_such_a_name_reads_and_deletes_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "files" / "precious"
    victim.mkdir(parents=True)
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    lab = str(tmp_path) if name == "/srv" else name
    with pytest.raises(LabError, match="not a name for a lab"), Server() as server:
        remove(server, lab, Run("tester", "token"))
    assert victim.is_dir()


def test_the_folder_of_all_labs_is_roots_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "state"
    monkeypatch.setattr(_server, "STATE_DIR", str(folder))
    _server.make_state_dir()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    _server.make_state_dir()
    assert folder.stat().st_mode & 0o777 == 0o700
