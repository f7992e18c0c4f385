# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server cannot give, read from its own bounding set."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _abilities
from ansible_collections.archetype.lab.plugins.module_utils._errors import ReadError


def status(bounding: int) -> str:
    return f"Name:\tpython3\nCapInh:\t0000000000000000\nCapEff:\t000001ffffffffff\nCapBnd:\t{bounding:016x}\nCapAmb:\t0000000000000000\n"


@pytest.mark.parametrize(
    ("bounding", "last", "lacking"),
    [
        ((1 << 41) - 1, 40, []),
        (0x1FFFEFFFFFF, 40, ["SYS_RESOURCE"]),
        ((1 << 41) - 1 & ~(1 << 12 | 1 << 0 | 1 << 21), 40, ["CHOWN", "NET_ADMIN", "SYS_ADMIN"]),
        ((1 << 38) - 1, 37, []),
        ((1 << 38) - 1, 40, ["BPF", "CHECKPOINT_RESTORE", "PERFMON"]),
        ((1 << 45) - 1, 44, []),
    ],
)
def test_what_is_lacking_is_what_the_kernel_has_and_the_bounding_set_has_not(bounding: int, last: int, lacking: list[str]) -> None:
    assert _abilities.lacking(status(bounding), last) == lacking


def test_numbers_are_those_of_the_kernel() -> None:
    known = {
        "CHOWN": 0,
        "NET_ADMIN": 12,
        "NET_RAW": 13,
        "SYS_ADMIN": 21,
        "SYS_RESOURCE": 24,
        "MKNOD": 27,
        "SYSLOG": 34,
        "CHECKPOINT_RESTORE": 40,
    }
    assert {name: _abilities.NAMES.index(name) for name in known} == known


def test_what_cannot_be_read_is_an_error_and_not_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(_abilities, "STATUS", str(tmp_path / "no"))
    with pytest.raises(ReadError):
        _abilities.lacking_capabilities()
    (tmp_path / "no").write_text("Name: x\n")
    with pytest.raises(ReadError, match="CapBnd is not there"):
        _abilities.lacking_capabilities()


def test_this_machine_can_be_read() -> None:
    assert set(_abilities.lacking_capabilities()) <= set(_abilities.NAMES)
