# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the folders of machines are, and what a run that was killed leaves in them. Real disks are in the integration tests."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _programs, _server, _vm_disks, _vm_files, _vm_record
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import ExecResult
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError
from tests.unit.module_utils.test_qcow2 import BACKING_FORMAT, extension, header

IMAGE = "/images/a.qcow2"
SIZE = 1 << 30
R1 = Vm(name="demo-r1", node="r1", image=IMAGE, data_disks=(SIZE,))
A, B = "a" * 64, "b" * 64


class Killed(BaseException):
    """The end of a run."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of lab demo. Disks are their headers, which no qemu-img wrote."""

    def qemu_img(_program: str, what: str, *arguments: str) -> ExecResult:
        if what == "create":
            based = "-b" in arguments
            path = arguments[-1] if based else arguments[-2]
            Path(path).write_bytes(header(IMAGE.encode(), extension(BACKING_FORMAT, b"qcow2")) if based else header())
        return ExecResult(0, "")

    monkeypatch.setattr(_programs, "run", qemu_img)
    monkeypatch.setattr(_server, "VM_DIR", str(tmp_path / "vms"))
    return tmp_path / "vms" / "demo"


def make(digest: str = A, paths: list[str] | None = None) -> None:
    _vm_disks.make("demo", R1, digest, _vm_disks.paths_of("demo", R1) if paths is None else paths)


def names(*domains: str) -> list[str]:
    return sorted(path.rpartition("/")[2] for path in _vm_disks.files("demo", domains or ["demo-r1"]))


def killed_after(monkeypatch: pytest.MonkeyPatch, settled: int) -> None:
    """Let the next run end after so many files got their names."""
    settle, done = _vm_files.settle, []

    def deadly(path: str, domain: str) -> None:
        if len(done) == settled:
            raise Killed
        settle(path, domain)
        done.append(path)

    monkeypatch.setattr(_vm_files, "settle", deadly)


# -- disks are made together ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("settled", [1, 2, 3])
def test_disks_that_were_to_be_made_together_are_not_used_apart(home: Path, settled: int, fresh: bool) -> None:
    if not fresh:
        make()
    with pytest.MonkeyPatch.context() as patch:
        killed_after(patch, settled)
        with pytest.raises(Killed):
            make(B)
    assert names() == ["disk.json"]
    assert _vm_disks.overlays("demo", ["demo-r1"]) == ({}, [])
    assert _vm_disks.outdated("demo", R1) == []
    make(B)
    assert names() == ["data1.qcow2", "disk.json", "disk.qcow2"]
    assert _vm_disks.overlays("demo", ["demo-r1"]) == ({"demo-r1": B}, [])


def test_an_old_data_disk_is_kept_when_only_the_first_disk_is_made(home: Path) -> None:
    make()
    system, data = _vm_disks.paths_of("demo", R1)
    os.unlink(system)
    with pytest.MonkeyPatch.context() as patch:
        killed_after(patch, 2)
        with pytest.raises(Killed):
            make(paths=[system])
    assert names() == ["data1.qcow2", "disk.json"]
    os.unlink(data)
    make(paths=[system])
    assert names() == ["disk.json", "disk.qcow2"]


def test_what_is_no_disk_of_the_machine_is_not_made(home: Path) -> None:
    with pytest.raises(ApplyError):
        make(paths=[str(home / "demo-r1" / "data2.qcow2")])
    assert names() == []


# -- whose folders are ----------------------------------------------------------------------------------------------


def test_a_copy_of_a_folder_is_not_the_labs(home: Path) -> None:
    make()
    shutil.copytree(home, home.parent / "demo2")
    shutil.copytree(home / "demo-r1", home / "demo-r1.bak")
    (home / "notes").mkdir()
    (home / "notes" / "todo.txt").write_text("x")
    shutil.copytree(home / "demo-r1", home / "spoilt")
    (home / "spoilt" / "disk.json").write_text("{}")
    found = _vm_disks.foreign("demo", _vm_disks.folders("demo"))
    assert sorted(found) == ["demo-r1.bak", "notes", "spoilt"]
    assert str(home / "demo-r1.bak") in found["demo-r1.bak"].message
    assert "it is of domain demo-r1 of lab demo, or a copy of that" in found["demo-r1.bak"].message
    assert "it has todo.txt, and no disk.json" in found["notes"].message
    assert all("move it elsewhere" in (error.hint or "") for error in found.values())
    assert sorted(_vm_disks.foreign("demo2", _vm_disks.folders("demo2"))) == ["demo-r1"]


def test_no_machine_is_started_on_a_copy_of_the_disk_of_another(home: Path) -> None:
    make()
    shutil.copytree(home / "demo-r1", home / "demo-r2")
    found, (error,) = _vm_disks.overlays("demo", ["demo-r1", "demo-r2"])
    assert found == {"demo-r1": A}
    assert error.objects == ("demo-r2",)
    assert f"{home}/demo-r2 is of domain demo-r1" in error.message


def test_what_a_killed_run_left_is_the_labs(home: Path) -> None:
    folder = Path(_vm_disks.make_folder("demo", "demo-r1"))
    assert _vm_disks.foreign("demo", ["demo-r1", "demo-gone"]) == {}
    for name in ("disk.json.new", "config-0123456789abcdef.img.new", "console.log", "console1.log.0", "nvram.fd", "data1.qcow2"):
        (folder / name).touch()
    (folder / ".medium-x1").mkdir()
    assert _vm_disks.foreign("demo", ["demo-r1"]) == {}
    (folder / "disk.qcow2.bak").touch()
    assert "it has disk.qcow2.bak" in _vm_disks.foreign("demo", ["demo-r1"])["demo-r1"].message


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "image": "/a", "digest": "a", "making": [], "was": ""}', "\xff"])
def test_a_record_that_does_not_say_whose_it_is_cannot_be_read(home: Path, text: str) -> None:
    folder = _vm_disks.make_folder("demo", "demo-r1")
    Path(folder, "disk.json").write_text(text)
    with pytest.raises(LabError, match=r"disk\.json cannot be read"):
        _vm_record.read(folder, "demo-r1")


# -- folders --------------------------------------------------------------------------------------------------------


def modes(home: Path) -> list[int]:
    return [path.stat().st_mode & 0o777 for path in (home.parent, home, home / "demo-r1")]


def test_a_folder_that_nobody_may_enter_is_opened_by_the_next_run(home: Path) -> None:
    def deadly(*_arguments: object) -> None:
        raise Killed

    before = os.umask(0o077)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "chmod", deadly)
            with pytest.raises(Killed):
                _vm_disks.make_folder("demo", "demo-r1")
        _vm_disks.make_folder("demo", "demo-r1")
        assert modes(home) == [0o711] * 3
        (home / "demo-r1").chmod(0o700)
        home.chmod(0o777)
        _vm_disks.make_folder("demo", "demo-r1")
        assert modes(home) == [0o711] * 3
    finally:
        os.umask(before)


def test_a_folder_that_is_a_link_or_a_file_or_somebody_elses_is_not_used(home: Path) -> None:
    (home / "elsewhere").mkdir(parents=True, mode=0o700)
    (home / "demo-r1").symlink_to("elsewhere")
    (home / "demo-r2").touch()
    for name, told in (("demo-r1", "is a link, and is not followed"), ("demo-r2", "is not a folder")):
        with pytest.raises(ApplyError, match=f"{home}/{name} {told}"):
            _vm_disks.make_folder("demo", name)
    assert (home / "elsewhere").stat().st_mode & 0o777 == 0o700
    with pytest.MonkeyPatch.context() as patch:
        lstat = os.lstat
        patch.setattr(os, "lstat", lambda path: os.stat_result([*lstat(path)[:4], 4711, *lstat(path)[5:10]]))
        with pytest.raises(ApplyError, match="belongs to user 4711") as error:
            _vm_disks.make_folder("demo", "demo-r3")
    assert str(home.parent) in error.value.message
