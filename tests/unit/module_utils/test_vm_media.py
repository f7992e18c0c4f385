# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Media from values: what they are called, what they can hold, and that the same files give the same bytes, whenever and wherever."""

from __future__ import annotations

import base64
import io
import os
import tarfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _programs, _server, _vm_disks, _vm_fat, _vm_iso, _vm_media
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Medium, MediumFile, Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

TEXT = b"hostname r1\nusername admin password geheim\n"


def files(**contents: bytes) -> tuple[MediumFile, ...]:
    return tuple(MediumFile(path.replace("__", "/"), base64.b64encode(content).decode()) for path, content in contents.items())


def named(*paths: str) -> tuple[MediumFile, ...]:
    return tuple(MediumFile(path, "") for path in paths)


def vm(medium: Medium) -> Vm:
    return Vm(name="demo-r1", node="r1", image="/images/a.qcow2", medium=medium)


ISO = Medium("iso", "config", "sata", files(a=TEXT, folder__b=b"1"))
USB = Medium("usb", "vmm-data", "usb", files(config__juniper_conf=TEXT), archive="vmm-config.tgz")
FLAT = replace(USB, archive="")
SEED = Medium("cloud-init", "", "sata", named("user-data", "meta-data"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "VM_DIR", str(tmp_path))
    return tmp_path


# -- names ----------------------------------------------------------------------------------------------------------


def test_the_order_of_the_files_is_no_part_of_what_is_on_it() -> None:
    assert _vm_media.digest_of(ISO) == _vm_media.digest_of(replace(ISO, files=ISO.files[::-1], bus="ide"))


@pytest.mark.parametrize(
    "other",
    [
        replace(ISO, files=files(a=TEXT + b"!", folder__b=b"1")),
        replace(ISO, files=ISO.files[:1]),
        replace(ISO, label="Config"),
        replace(ISO, type="usb"),
        replace(ISO, archive="a.tgz"),
    ],
)
def test_another_content_is_another_medium(other: Medium) -> None:
    assert _vm_media.digest_of(other) != _vm_media.digest_of(ISO)


def test_a_seed_has_its_label_said_or_not() -> None:
    assert _vm_media.digest_of(SEED) == _vm_media.digest_of(replace(SEED, label="cidata"))


def test_nothing_of_a_configuration_is_in_the_name() -> None:
    assert "geheim" not in _vm_media.path_of("demo", vm(ISO))


# -- what no medium can hold ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("medium", [ISO, USB, FLAT, SEED, replace(ISO, files=()), replace(ISO, files=named("häß-lich name.cfg", "-rf"))])
def test_what_media_can_hold(medium: Medium) -> None:
    assert _vm_media.faults(vm(medium)) == []


@pytest.mark.parametrize(
    ("medium", "said"),
    [
        *(
            (replace(ISO, files=named(path)), "no file can be called")
            for path in ("", "/a", "../a", "a/../b", ".", "a//b", "a\nb", "a;1", "a\\b")
        ),
        (replace(ISO, files=named("a\x00b")), "no file can be called"),
        (replace(ISO, files=named("\ud800")), "no file can be called"),
        (replace(ISO, files=named("x" * 65)), "too long for an ISO image"),
        (replace(ISO, files=named("ä" * 33)), "too long for an ISO image"),
        (replace(ISO, files=named("a", "a")), "it has 2 files called a"),
        (replace(ISO, files=named("a", "a/b")), "'a' is a file, and a folder"),
        (replace(ISO, files=(MediumFile("a", "?"),)), "is not base64"),
        (replace(ISO, files=(MediumFile("a", "ä"),)), "is not base64"),
        (replace(ISO, label="x" * 17), "cannot be the label of an ISO image"),
        (replace(USB, label="x" * 12), "cannot be the label of a VFAT disk"),
        (replace(USB, label="a\nb"), "cannot be the label of a VFAT disk"),
        (replace(USB, archive="../a.tgz"), "no archive can be called"),
        (replace(USB, archive="a/b.tgz"), "no archive can be called"),
        (replace(USB, archive="/tmp/a.tgz"), "no archive can be called"),
        (replace(FLAT, files=named("A.cfg", "a.cfg")), "are one to a VFAT disk"),
        (replace(FLAT, files=named("dir/x", "DIR/y")), "are one to a VFAT disk"),
        (replace(FLAT, files=named("a.")), "no dot or blank at its end"),
        (replace(FLAT, files=named("x" * 256)), "up to 255 characters"),
        (replace(FLAT, files=files(a=bytes(31 << 20))), "fit on a VFAT disk"),
    ],
)
def test_what_media_cannot_hold_is_told_of_the_node(medium: Medium, said: str) -> None:
    errors = _vm_media.faults(vm(medium))
    assert [one.objects for one in errors] == [("demo-r1",)] * len(errors)
    assert any(said in one.message and "node r1" in one.message for one in errors), errors


def test_all_that_is_wrong_is_told() -> None:
    wrong = replace(FLAT, label="", files=(*named("../a", "b", "b"), MediumFile("c", "?")))
    assert len(_vm_media.faults(vm(replace(wrong, label="x" * 20)))) == 4


def test_nothing_is_made_of_what_cannot_be(home: Path) -> None:
    with pytest.raises(LabError, match="no archive can be called"):
        _vm_media.make("demo", vm(replace(USB, archive="../../evil")))
    assert list(home.iterdir()) == []


# -- what is on them ------------------------------------------------------------------------------------------------


def made(medium: Medium) -> bytes:
    path = Path(_vm_media.make("demo", vm(medium)))
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_bytes()


@pytest.mark.parametrize("medium", [ISO, USB, FLAT, SEED])
def test_the_same_files_are_the_same_bytes(home: Path, monkeypatch: pytest.MonkeyPatch, medium: Medium) -> None:
    first = made(medium)
    now = time.time()
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        monkeypatch.setattr(time, "time", lambda: now + 86400 * 400)
        assert made(replace(medium, files=medium.files[::-1])) == first
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_iso_is_read_by_its_names_and_labels(home: Path) -> None:
    import pycdlib

    image = pycdlib.PyCdlib()
    image.open_fp(io.BytesIO(made(ISO)))
    assert image.pvd.volume_identifier.decode().rstrip() == "config"
    for way in ({"joliet_path": "/folder/b"}, {"rr_path": "/folder/b"}, {"iso_path": "/FOLDER/B.;1"}):
        found = io.BytesIO()
        image.get_file_from_iso_fp(found, **way)
        assert found.getvalue() == b"1"
    image.close()


def test_a_vfat_disk_has_its_label_as_it_was_given_and_an_archive(home: Path, tmp_path: Path) -> None:
    disk = made(USB)
    assert b"vmm-data   \x08" in disk
    image = tmp_path / "disk"
    image.write_bytes(disk)
    assert _programs.run("mcopy", "-i", str(image), "::vmm-config.tgz", str(tmp_path / "a.tgz")).exit_code == 0
    with tarfile.open(tmp_path / "a.tgz") as archive:
        members = archive.getmembers()
        assert [(one.name, one.uid, one.mtime) for one in members] == [("config", 0, 0), ("config/juniper_conf", 0, 0)]
        content = archive.extractfile(members[1])
        assert content is not None
        assert content.read() == TEXT


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("it cannot")])
@pytest.mark.parametrize(("medium", "writer"), [(ISO, _vm_iso), (USB, _vm_fat)])
def test_what_could_not_be_made_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, medium: Medium, writer: Any, error: Exception
) -> None:
    def fail(path: str, *_arguments: Any) -> None:
        Path(path).write_bytes(b"half")
        raise error

    monkeypatch.setattr(writer, "write", fail)
    with pytest.raises(LabError, match=r"No space left|it cannot"):
        _vm_media.make("demo", vm(medium))
    assert [name for _folder, _folders, names in os.walk(home) for name in names] == []


def test_what_a_server_lacks_is_told_where_something_is_to_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(_programs, "_ALSO", ())
    one = vm(USB)
    (error,) = _vm_media.lacking("demo", [one, one], frozenset())
    assert "mformat" in error.message
    assert _vm_media.lacking("demo", [one], {_vm_media.path_of("demo", one)}) == []
    assert _vm_media.lacking("demo", [vm(ISO), replace(one, medium=None)], frozenset()) == []


def test_only_media_of_the_machine_are_removed(home: Path) -> None:
    path = Path(_vm_media.make("demo", vm(ISO)))
    disk = path.with_name("disk.qcow2")
    disk.write_bytes(b"")
    for other in (disk, path.parent.parent / "demo-r2" / path.name):
        with pytest.raises(LabError, match="is no medium of demo-r1"):
            _vm_media.discard("demo", "demo-r1", str(other))
    _vm_media.discard("demo", "demo-r1", str(path))
    _vm_media.discard("demo", "demo-r1", str(path))
    assert [one.name for one in path.parent.iterdir()] == ["disk.qcow2"]


# -- what runs that were killed left --------------------------------------------------------------------------------


def left_behind(home: Path) -> list[str]:
    """Files of a medium that was being made, in plain text, and half of one."""
    machine = home / "demo" / "demo-r1"
    (machine / ".medium-ab12" / "config").mkdir(parents=True)
    (machine / ".medium-ab12" / "config" / "juniper.conf").write_bytes(TEXT)
    (machine / "config-0123456789abcdef.img.new").write_bytes(TEXT)
    (machine / "disk.qcow2.new").touch()
    return [str(machine / name) for name in (".medium-ab12", "config-0123456789abcdef.img.new")]


def test_secrets_of_a_killed_run_are_gone_when_the_next_medium_is_made(home: Path) -> None:
    left_behind(home)
    path = _vm_media.make("demo", vm(ISO))
    assert sorted(os.listdir(os.path.dirname(path))) == sorted([os.path.basename(path), "disk.qcow2.new"])


def test_secrets_of_a_killed_run_are_seen_and_discarded(home: Path) -> None:
    """Also where the configuration is the former one again, and no medium is made."""
    left = left_behind(home)
    assert _vm_disks.files("demo", ["demo-r1"]) == set(left)
    for path in left:
        assert _vm_media.is_medium("demo", "demo-r1", path)
        _vm_media.discard("demo", "demo-r1", path)
    assert os.listdir(home / "demo" / "demo-r1") == ["disk.qcow2.new"]
