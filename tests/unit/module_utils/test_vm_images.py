# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files an image may be based on, and how images are remembered; what qemu-img has to do with is in the integration tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _qcow2, _server, _vm_image_cache, _vm_images, _vm_reach
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError

A = "a" * 64


def based_on(name: str, form: str = "qcow2") -> str:
    return _vm_images._backing("/images/router.qcow2", _qcow2.Header(3, 1, 1, backing=name, backing_format=form))


@pytest.mark.parametrize("name", ["base.qcow2", "./base.qcow2", ".//base.qcow2", "/images/base.qcow2"])
def test_an_image_may_be_based_on_what_is_beside_it(name: str) -> None:
    assert based_on(name) == "/images/base.qcow2"


@pytest.mark.parametrize(
    "name",
    [
        "/etc/base.qcow2",
        "/images/sub/base.qcow2",
        "/images/../images/base.qcow2",
        "/imagesbase.qcow2",
        "../base.qcow2",
        "../images/base.qcow2",
        "sub/base.qcow2",
        "sub/../base.qcow2",
        "json:{}",
        'json:{"file": "/images/base.qcow2"}',
        "nbd://127.0.0.1/x",
        "file:base.qcow2",
        "host_device:/images/base.qcow2",
        "base\n.qcow2",
        "base\0.qcow2",
        "\x1b[2J.qcow2",
    ],
)
def test_an_image_is_not_based_on_anything_else(name: str) -> None:
    with pytest.raises(LabError) as told:
        based_on(name)
    assert str(told.value).isprintable()


@pytest.mark.parametrize("form", ["raw", "", "vmdk", "qcow2\0", "luks"])
def test_an_image_is_not_based_on_another_format(form: str) -> None:
    with pytest.raises(LabError):
        based_on("base.qcow2", form)


def test_advice_can_be_given_to_a_shell() -> None:
    with pytest.raises(LabError) as told:
        based_on("/x/$(reboot)")
    assert "-b '$(reboot)' /images/router.qcow2" in told.value.hint


# -- what is remembered ---------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(_server, "STATE_DIR", str(tmp_path))
    return tmp_path


def test_images_are_known_by_path_size_time_and_inode(home: Path) -> None:
    image = home / "a.qcow2"
    image.write_bytes(b"1")
    stamp = _vm_image_cache.stamp_of(image.stat())
    cache = _vm_image_cache.load()
    cache.keep(str(image), stamp, A)
    cache.keep(str(home / "gone.qcow2"), stamp, A)
    cache.save()
    assert _vm_image_cache.load().known == {str(image): (stamp, A)}
    assert _vm_image_cache.load().digest(str(image), stamp) == A
    os.utime(image, (1, 1))
    other = _vm_image_cache.stamp_of(image.stat())
    assert _vm_image_cache.load().digest(str(image), other) == ""
    image.rename(home / "b.qcow2")
    image.write_bytes(b"2")
    os.utime(image, (1, 1))
    assert _vm_image_cache.stamp_of(image.stat()) != other


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "\xff",
        '{"format": 1}',
        '{"format": 2, "images": {}}',
        '{"format": 1, "images": []}',
        '{"format": 1, "images": {"/a": ["s"]}}',
        '{"format": 1, "images": {"/a": ["s", "short"]}}',
        f'{{"format": 1, "images": {{"/a": [1, "{A}"]}}}}',
    ],
)
def test_what_is_not_what_was_written_is_nothing(home: Path, text: str) -> None:
    (home / _vm_image_cache.NAME).write_text(text, encoding="latin-1")
    assert _vm_image_cache.load().known == {}


def test_what_a_killed_run_left_is_no_hindrance(home: Path) -> None:
    (home / f"{_vm_image_cache.NAME}.new").write_text("half")
    cache = _vm_image_cache.load()
    cache.keep(str(home), "s", A)
    cache.save()
    assert _vm_image_cache.load().known == {str(home): ("s", A)}
    assert [path.name for path in home.iterdir()] == [_vm_image_cache.NAME]
    assert (home / _vm_image_cache.NAME).stat().st_mode & 0o777 == 0o600


# -- who gets to them -----------------------------------------------------------------------------------------------


def test_root_gets_everywhere_and_what_is_not_there_is_told_by_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert _vm_reach.unreachable([str(closed / "a.qcow2")], 0, 0) == []
    assert _vm_reach.unreachable(["/nowhere/at/all/a.qcow2"], 65534, 65534) == []


def test_the_folders_of_a_link_and_of_what_it_leads_to_are_gone_through(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.qcow2"
    link.symlink_to("far/a.qcow2")
    found = _vm_reach._folders(str(link))
    assert found[0] == "/"
    assert found[-2:] == [str(tmp_path), str(tmp_path / "far")]
    assert len(found) == len(set(found))


# -- whether QEMU gets to them --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "uid", "told"),
    [
        ("dynamic_ownership = 0\n", 64055, True),
        ('user = "x"\n  dynamic_ownership=0 # for NFS\n', 64055, True),
        ("dynamic_ownership = 0\n", 0, False),
        ("#dynamic_ownership = 0\n", 64055, False),
        ("dynamic_ownership = 1\n", 64055, False),
        ("", 64055, False),
        (None, 64055, False),
    ],
)
def test_a_libvirt_that_gives_qemu_no_files_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, uid: int, told: bool
) -> None:
    conf = tmp_path / "qemu.conf"
    if text is not None:
        conf.write_text(text)
    monkeypatch.setattr(_vm_reach, "_CONF", str(conf))
    errors = _vm_reach.ungiven(uid)
    assert [error.hint for error in errors] == [f"remove that line, and restart libvirtd: {conf}"] * told
