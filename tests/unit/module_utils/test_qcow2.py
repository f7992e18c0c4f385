# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the header of a qcow2 image says, read before a program opens what it names. Headers here are written by hand, byte by byte."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.module_utils import _qcow2

BACKING_FORMAT = 0xE2792ACA
DATA_FILE = 0x44415441
NAMES = 0x6803F857


def extension(sort: int, data: bytes) -> bytes:
    return struct.pack(">II", sort, len(data)) + data + bytes(-len(data) % 8)


def header(
    backing: bytes = b"", extensions: bytes = b"", *, version: int = 3, bits: int = 16, crypt: int = 0, incompatible: int = 0
) -> bytes:
    length = 104 if version == 3 else 72
    place = length + len(extensions) if backing else 0
    head = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, place, len(backing), bits, 1 << 30, crypt, 1, 0, 0, 0, 0, 0)
    if version == 3:
        head += struct.pack(">QQQII", incompatible, 0, 0, 4, length)
    return (head + extensions + backing).ljust(1024, b"\0")


def test_a_plain_image_names_nothing() -> None:
    found = _qcow2.parse(header())
    assert found == _qcow2.Header(version=3, virtual_size=1 << 30, cluster_size=65536)


@pytest.mark.parametrize("version", [2, 3])
def test_a_backing_file_and_its_format_are_found_behind_other_extensions(version: int) -> None:
    extensions = extension(NAMES, b"x" * 50) + extension(BACKING_FORMAT, b"qcow2")
    found = _qcow2.parse(header(b"base.qcow2", extensions, version=version))
    assert (found.backing, found.backing_format) == ("base.qcow2", "qcow2")


def test_what_is_behind_the_end_of_the_extensions_is_none() -> None:
    extensions = extension(0, b"") + extension(BACKING_FORMAT, b"qcow2")
    assert _qcow2.parse(header(b"base", extensions)).backing_format == ""


def test_what_is_behind_the_first_cluster_is_none() -> None:
    """With the smallest clusters, data of the guest may be there."""
    full = header(extensions=extension(NAMES, b"x" * 400), bits=9)
    assert not _qcow2.parse(full[:512] + extension(DATA_FILE, b"secret")).data_file


@pytest.mark.parametrize("second", [b"qcow2", b"raw"])
def test_a_format_that_is_said_twice_is_refused(second: bytes) -> None:
    extensions = extension(BACKING_FORMAT, b"qcow2") + extension(BACKING_FORMAT, second)
    with pytest.raises(ValueError, match="twice"):
        _qcow2.parse(header(b"base", extensions))


def test_a_file_with_its_data_is_told_by_the_bit_and_by_its_name() -> None:
    assert _qcow2.parse(header(incompatible=4)).data_file
    assert _qcow2.parse(header(extensions=extension(DATA_FILE, b"secret"))).data_file


def test_what_else_it_says_of_itself() -> None:
    found = _qcow2.parse(header(incompatible=3, crypt=2))
    assert (found.dirty, found.corrupt, found.encrypted) == (True, True, True)


@pytest.mark.parametrize(
    "head",
    [
        b"QFI\xfb",
        header()[:100],
        header(version=2)[:40],
        header()[:4] + struct.pack(">I", 4) + header()[8:],
        header(bits=8),
        header(bits=22),
        header(b"x" * 1024),
        header(b"\xff\xfe"),
        header(b"base")[:100],
    ],
)
def test_what_is_cut_off_or_makes_no_sense_is_damaged(head: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut off or damaged|version 4"):
        _qcow2.parse(head)


@pytest.mark.parametrize(
    ("head", "words", "form"),
    [
        (b"", "empty", ""),
        (b"hello", "of no format that is known", ""),
        (b"KDMV" + bytes(600), "a VMware disk (vmdk)", "vmdk"),
        (bytes(510) + b"\x55\xaa", "a raw disk", "raw"),
        (b"\x1f\x8b" + bytes(600), "packed with gzip", ""),
        (bytes(0x8001) + b"CD001", "an ISO image", ""),
    ],
)
def test_what_it_is_instead_is_told(head: bytes, words: str, form: str) -> None:
    with pytest.raises(_qcow2.NotQcow2) as told:
        _qcow2.parse(head)
    assert (str(told.value), told.value.format) == (words, form)


@given(st.binary(max_size=300), st.integers(0, 120))
def test_nothing_that_comes_from_elsewhere_breaks_the_reader(noise: bytes, place: int) -> None:
    head = header(b"base.qcow2", extension(BACKING_FORMAT, b"qcow2"))
    for one in (noise, b"QFI\xfb" + noise, head[:place] + noise + head[place + len(noise) :]):
        try:
            _qcow2.parse(one)
        except (ValueError, _qcow2.NotQcow2):
            continue
