# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a domain needs, from its definition and the headers of its disks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError
from ansible_collections.archetype.lab.plugins.module_utils._vm_chains import needed
from tests.unit.module_utils.test_qcow2 import header


def domain(*paths: object) -> str:
    disks = "".join(f"<disk type='file'><source file='{path}'/></disk>" for path in paths)
    return f"<domain><devices>{disks}</devices></domain>"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A disk in a folder of its own, on nothing."""
    (tmp_path / "r1").mkdir()
    path = tmp_path / "r1" / "disk.qcow2"
    path.write_bytes(header())
    return path


@pytest.mark.parametrize(
    "name",
    [
        "{base}",
        "r1/disk.qcow2",
        "r1//../r1/./disk.qcow2",
        "link/disk.qcow2",
        "file:{base}",
        'json:{{"driver":"qcow2","file":{{"driver":"file","filename":"{base}"}}}}',
        'json:{{"file.filename":"{base}"}}',
        'json:{{"children":[{{"file":{{"filename":"file:{base}"}}}}]}}',
    ],
)
def test_what_a_disk_is_made_on_is_found_however_its_header_names_it(base: Path, name: str) -> None:
    (base.parent.parent / "link").symlink_to("r1")
    clone = base.parent.parent / "clone.qcow2"
    clone.write_bytes(header(name.format(base=base).encode()))
    assert needed(domain(clone)) == ({str(clone), str(base)}, ())


def test_a_disk_is_followed_over_several_and_a_path_that_is_not_written_straight(base: Path) -> None:
    folder = base.parent.parent
    (folder / "a").write_bytes(header(b"b"))
    (folder / "b").write_bytes(header(str(base).encode()))
    assert needed(domain(f"{folder}/r1/../a")) == ({f"{folder}/a", f"{folder}/b", str(base)}, ())
    assert str(base) in needed(domain(f"{folder}/./r1//disk.qcow2"))[0]
    assert str(base) in needed("<domain/>", domain(f"{folder}/b"))[0]


def test_other_files_of_a_domain_are_needed_as_well(tmp_path: Path) -> None:
    xml = """<domain><os><nvram>/x/nvram.fd</nvram><kernel>/x/k</kernel></os><devices>
    <filesystem><source dir='/x/shared'/></filesystem><disk><source dev='/x/dev'/><backingStore><source file='/x/b'/></backingStore></disk>
    <disk device='cdrom'><target dev='sda'/></disk><serial type='pty'><source path='/dev/pts/1'/></serial></devices></domain>"""
    assert needed(xml) == ({"/x/nvram.fd", "/x/k", "/x/shared", "/x/dev", "/x/b"}, ())


@pytest.mark.parametrize("content", [b"", b"raw" * 900, header(b"nbd://there/a"), header(b"gone.qcow2")])
def test_what_leads_nowhere_is_no_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    found, unread = needed(domain(tmp_path / "a", tmp_path / "pipe", tmp_path / "none"))
    assert unread == ()
    assert found - {f"{tmp_path}/{name}" for name in ("a", "pipe", "none", "gone.qcow2")} == set()


@pytest.mark.parametrize("content", [b"QFI\xfb", header(b"json:{"), header(b"json:" + b"[" * 1000)])
def test_a_header_that_cannot_be_read_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    assert needed(domain(tmp_path / "a"))[1][0].startswith(f"{tmp_path}/a (")


def test_disks_that_are_made_on_each_other_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(header(b"b"))
    (tmp_path / "b").write_bytes(header(b"a"))
    assert needed(domain(tmp_path / "a")) == ({f"{tmp_path}/a", f"{tmp_path}/b"}, ())
    for number in range(70):
        (tmp_path / f"n{number}").write_bytes(header(f"n{number + 1}".encode()))
    assert "on more than 64 others" in needed(domain(tmp_path / "n0"))[1][0]


def test_what_is_no_definition_is_an_error() -> None:
    with pytest.raises(ReadError, match="is no XML"):
        needed("<domain")
