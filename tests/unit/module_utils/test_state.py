# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _server, _state
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError

DECLARED = {"lab": "demo", "ports": [{"name": "p1", "tag": 100}], "containers": [{"files": [{"content": "c2VjcmV0"}]}]}


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def test_what_is_saved_is_loaded_and_only_root_reads_it(state_dir: Path) -> None:
    changes = _state.save("demo", DECLARED)
    assert [change.to_line() for change in changes] == [f"+ state {state_dir}/demo.json (demo)"]
    assert _state.load("demo") == DECLARED
    assert _state.labs() == ["demo"]
    assert (state_dir / "demo.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state_dir.iterdir()] == ["demo.json"]


def test_the_same_state_again_is_no_change_whatever_the_order_of_its_keys() -> None:
    _state.save("demo", DECLARED)
    assert _state.save("demo", dict(reversed(DECLARED.items()))) == []


def test_another_state_is_an_update_that_shows_no_content() -> None:
    _state.save("demo", DECLARED)
    (change,) = _state.save("demo", {**DECLARED, "ports": []})
    assert (change.action, dict(change.fields), change.reason) == ("update", {}, "")


def test_check_mode_predicts_and_writes_nothing(state_dir: Path) -> None:
    assert [change.action for change in _state.save("demo", DECLARED, check=True)] == ["create"]
    assert not state_dir.exists()
    _state.save("demo", DECLARED)
    assert [change.action for change in _state.remove("demo", check=True)] == ["delete"]
    assert _state.load("demo") == DECLARED


def test_removing_takes_along_what_a_killed_run_had_half_written(state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "demo.json.new").write_text("{")
    assert [change.to_line() for change in _state.remove("demo", check=True)] == [f"- state {state_dir}/demo.json.new (demo)"]
    assert len(_state.remove("demo")) == 1
    assert _state.remove("demo") == []
    assert list(state_dir.iterdir()) == []


def test_removing_takes_the_labs_folder_along_and_no_other_labs(state_dir: Path) -> None:
    for lab in ("demo", "demo.2"):
        _state.save(lab, DECLARED)
        (_state.folder(lab) / "files" / "r1").mkdir(parents=True)
    assert [change.name for change in _state.remove("demo")] == [f"{state_dir}/demo.json", f"{state_dir}/demo"]
    assert sorted(path.name for path in state_dir.iterdir()) == ["demo.2", "demo.2.json"]
    assert _state.remove("demo") == []
    assert _state.load("demo") is None


@pytest.mark.parametrize("lab", ["", "..", "../etc/passwd", "a/b", ".hidden", "demo.json"])
def test_a_name_that_leads_elsewhere_is_refused(lab: str) -> None:
    with pytest.raises(LabError, match="is not a name for a lab"):
        _state.remove(lab)


def test_a_state_that_cannot_be_read_is_an_error(state_dir: Path) -> None:
    state_dir.mkdir()
    (state_dir / "demo.json").write_text("{")
    with pytest.raises(ReadError, match="deploy the lab again"):
        _state.load("demo")


def test_a_state_that_cannot_be_written_is_an_error_and_the_old_one_stays(state_dir: Path) -> None:
    _state.save("demo", DECLARED)
    (state_dir / "demo.json.new").mkdir()
    with pytest.raises(ApplyError, match="cannot be written"):
        _state.save("demo", {})
    assert _state.load("demo") == DECLARED
