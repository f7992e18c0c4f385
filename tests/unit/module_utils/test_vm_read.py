# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of folders and files before a plan is made, in folders that are thrown away."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _server, _vm_read
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain
from tests.unit.module_utils.test_qcow2 import header
from tests.unit.module_utils.test_vm_chains import domain
from tests.unit.module_utils.test_vm_plan import LAB, machine


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the lab, in which there is one machine. All of it is reached over a link."""
    (tmp_path / "real" / LAB / "demo-r1").mkdir(parents=True)
    (tmp_path / "vms").symlink_to("real")
    monkeypatch.setattr(_server, "VM_DIR", str(tmp_path / "vms"))
    (tmp_path / "real" / LAB / "demo-r1" / "disk.qcow2").write_bytes(header())
    return tmp_path / "vms" / LAB


def test_who_uses_a_machines_disk_is_found_over_links_and_headers(lab: Path, tmp_path: Path) -> None:
    for name, base in {
        "clone": f"{lab}/demo-r1/disk.qcow2",
        "straight": f"{tmp_path}/real/{LAB}/demo-r1/disk.qcow2",
        "other": "/x",
    }.items():
        (tmp_path / name).write_bytes(header(base.encode()))
    (tmp_path / "damaged").write_bytes(b"QFI\xfb")
    names = ("clone", "straight", "other", "damaged")
    domains = {name: Domain(name, "1", "shutoff", domain(tmp_path / name)) for name in names}
    used, unread = _vm_read._uses(LAB, {"demo-r1"}, domains)
    r1 = frozenset({"demo-r1"})
    assert used == {"clone": r1, "straight": r1, "other": frozenset(), "damaged": frozenset()}
    assert list(unread) == ["damaged"]
    assert _vm_read._uses(LAB, (), domains) == ({}, {})


def test_a_machine_whose_folder_is_a_link_is_refused_as_its_disk_is_not_gone(lab: Path) -> None:
    assert list(_vm_read._linked(LAB, [machine(), machine("r2")])) == []
    (lab / "demo-r2").symlink_to("demo-r1")
    (error,) = _vm_read._linked(LAB, [machine(), machine("r2")])
    assert f"{lab}/demo-r2 is a link, and is not followed" in str(error)
    assert error.objects == ("demo-r2",)


def test_models_of_cpus_are_those_that_libvirt_has_files_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_vm_read, "_CPU_MODELS", str(tmp_path))
    for name in ("x86_Nehalem.xml", "x86_EPYC-Rome.xml", "arm_a.xml", "index.xml"):
        (tmp_path / name).touch()
    assert _vm_read._cpu_models() == {"Nehalem", "EPYC-Rome"}
    monkeypatch.setattr(_vm_read, "_CPU_MODELS", str(tmp_path / "none"))
    assert _vm_read._cpu_models() == frozenset()
