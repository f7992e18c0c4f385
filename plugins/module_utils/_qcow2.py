# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The header of a qcow2 image, read by ourselves: what it names (a backing file, a file with its data) must be known before a program opens
it, as that program opens what is named. An image from somewhere could name a secret file, or a device, and show it to its guest.

See docs/interop/qcow2.txt of QEMU.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

MAGIC = b"QFI\xfb"
_VERSION_2 = struct.Struct(">4sIQIIQIIQQIIQ")
_VERSION_3 = struct.Struct(">QQQII")
_EXTENSION = struct.Struct(">II")
_END, _BACKING_FORMAT, _DATA_FILE = 0, 0xE2792ACA, 0x44415441
_DATA_FILE_BIT, _CORRUPT_BIT, _DIRTY_BIT = 1 << 2, 1 << 1, 1
HEADER_BYTES = 65536
"""More than any header has: header, extensions and the backing file's name are all in the first cluster; names end at 1023 bytes."""
_LONGEST_NAME = 1023
LOCKED = '" lock'
"""In what C(qemu-img) says where a process has the image open (C(Failed to get shared "write" lock)). Damaged ones have blocks."""

OTHERS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"KDMV", "a VMware disk (vmdk)", "vmdk"),
    (0, b"# Disk DescriptorFile", "the description of a VMware disk, without the disk", ""),
    (0, b"vhdxfile", "a Hyper-V disk (vhdx)", "vhdx"),
    (0, b"conectix", "a Virtual PC disk (vhd)", "vpc"),
    (0x40, b"\x7f\x10\xda\xbe", "a VirtualBox disk (vdi)", "vdi"),
    (0, b"\x1f\x8b", "packed with gzip", ""),
    (0, b"BZh", "packed with bzip2", ""),
    (0, b"\xfd7zXZ\x00", "packed with xz", ""),
    (0, b"\x28\xb5\x2f\xfd", "packed with zstd", ""),
    (0, b"PK\x03\x04", "a zip archive", ""),
    (257, b"ustar", "a tar archive, perhaps an OVA with a disk in it", ""),
    (0x8001, b"CD001", "an ISO image", ""),
    (510, b"\x55\xaa", "a raw disk", "raw"),
)
"""Where, what, in words, and as C(qemu-img) calls it (empty: it is no disk as it is). A raw disk is last, as others may look like one."""


@dataclass(frozen=True)
class Header:
    """backing: name of the backing file as it is written, empty where there is none. backing_format: empty where none is written.

    data_file: its data is in another file, or it names one. corrupt: QEMU marked it as broken. dirty: it was not closed.
    """

    version: int
    virtual_size: int
    cluster_size: int
    backing: str = ""
    backing_format: str = ""
    encrypted: bool = False
    data_file: bool = False
    corrupt: bool = False
    dirty: bool = False


class NotQcow2(Exception):
    """It is something else; the message says what it looks like. format: as C(qemu-img) calls it, where that is known."""

    def __init__(self, message: str, format_: str = "") -> None:
        super().__init__(message)
        self.format = format_


def parse(head: bytes) -> Header:
    """The header in the first C(HEADER_BYTES) of a file. Raises NotQcow2; ValueError where a qcow2 image is cut off or damaged there."""
    if not head.startswith(MAGIC):
        raise _other(head)
    try:
        return _parse(head)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise ValueError("its header is cut off or damaged") from error


def _other(head: bytes) -> NotQcow2:
    for start, magic, words, format_ in OTHERS:
        if head[start : start + len(magic)] == magic:
            return NotQcow2(words, format_)
    return NotQcow2("empty" if not head else "of no format that is known")


def _parse(head: bytes) -> Header:
    _magic, version, name_at, name_size, cluster_bits, size, crypt, *_rest = _VERSION_2.unpack_from(head)
    if version not in (2, 3):
        raise ValueError(f"it has version {version} of qcow2, and only 2 and 3 are known")
    if not 9 <= cluster_bits <= 21 or name_size > _LONGEST_NAME or (name_at and name_at + name_size > len(head)):
        raise ValueError("its header is cut off or damaged")
    incompatible, length = 0, _VERSION_2.size
    if version == 3:
        incompatible, _compatible, _autoclear, _order, length = _VERSION_3.unpack_from(head, _VERSION_2.size)
    extensions = _extensions(head, length, name_at or min(1 << cluster_bits, len(head)))
    return Header(
        version=version,
        virtual_size=size,
        cluster_size=1 << cluster_bits,
        backing=head[name_at : name_at + name_size].decode() if name_at else "",
        backing_format=extensions.get(_BACKING_FORMAT, b"").decode(),
        encrypted=bool(crypt),
        data_file=bool(incompatible & _DATA_FILE_BIT) or _DATA_FILE in extensions,
        corrupt=bool(incompatible & _CORRUPT_BIT),
        dirty=bool(incompatible & _DIRTY_BIT),
    )


def _extensions(head: bytes, start: int, end: int) -> dict[int, bytes]:
    """The header's extensions, which go to the name of the backing file, or to the end of the first cluster.

    Raises ValueError where one is there twice: who reads it takes the first or the last, and nobody knows then which QEMU and libvirt take.
    """
    found: dict[int, bytes] = {}
    while start + _EXTENSION.size <= end:
        sort, size = _EXTENSION.unpack_from(head, start)
        if sort == _END:
            break
        start += _EXTENSION.size
        if sort in found:
            raise ValueError("its header says the same thing twice")
        found[sort] = head[start : start + size]
        start += (size + 7) // 8 * 8
    return found
