# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What nodes write, in any pieces: patterns in the raw bytes and in what a person reads, markers in their order, a line for people."""

from __future__ import annotations

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Probe
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._ready_scan import PIECE, Scan, check

BOOT = (
    b"\x1b[2J\x1b[H\x1b[1mBooting `Device'\x1b[0m\r\n"
    b"[    0.000000] Linux version 6.1\r\n"
    b"progress 10%\rprogress 100%\r\n"
    b"\x07\x1b[32m  OK  \x1b[0m Started daemon.\r\n"
    b"\r\n\x1b[7mvios\x1b[0m log\x1b[1min:\x1b[0m "
)
SIZES = (1, 2, 3, 7, 64, len(BOOT))


def fed(probe: Probe, data: bytes, size: int) -> Scan:
    scan = Scan(probe)
    for place in range(0, len(data), size):
        scan.feed(data[place : place + size])
    return scan


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "pattern",
    [
        "login:",  # colours are in the middle of it
        r"vios login:\s*$",
        r"^progress 100%$",  # what was overwritten is not read
        r"\x1b\[7mvios",  # written for the raw output
        r"10%\rprogress",
        r"OK\s+Started daemon",
    ],
)
def test_a_pattern_is_found_in_either_form_however_the_output_comes(pattern: str, size: int) -> None:
    assert fed(Probe("log", pattern), BOOT, size).ready


@pytest.mark.parametrize("size", SIZES)
def test_what_is_not_there_is_not_found(size: int) -> None:
    scan = fed(Probe("log", "Login:|progress 1%|ready|^Linux", failure_markers=("panic",)), BOOT, size)
    assert (scan.ready, scan.failure, scan.marker) == ("", "", "")


@pytest.mark.parametrize("size", SIZES)
def test_the_last_line_is_one_for_people(size: int) -> None:
    assert fed(Probe("log", "x"), BOOT, size).last == "vios login:"
    assert fed(Probe("log", "x"), BOOT[: BOOT.index(b"\r\n\x1b[7m")], size).last == "  OK   Started daemon.".strip()
    assert fed(Probe("log", "x"), b"\r\n\r\n\x1b[0m", size).last == ""
    long = fed(Probe("log", "x"), b"y" * 5000, 512).last
    assert len(long) == 160
    assert long.endswith("...")


def test_what_was_found_stays_found() -> None:
    scan = fed(Probe("log", "login:"), BOOT, 16)
    scan.feed(b"\r\n" + b"other words\r\n" * 20000)
    assert scan.ready == "login:"
    assert scan.last == "other words"


PANIC = Probe("log", "login:", boot_markers=("POAP", "Loading"), failure_markers=("[Kk]ernel panic", "loader >"))


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    ("written", "marker", "failure"),
    [
        (b"Loading\r\nx\r\n", "Loading", ""),
        (b"Loading\r\n[ 1.0] Kernel panic - not syncing\r\n", "Kernel panic", "[ 1.0] Kernel panic - not syncing"),
        (b"Loading\r\nkernel panic\r\nLoading\r\nhm\r\n", "Loading", ""),
        (b"POAP\r\n\r\n\x1b[1mloader\x1b[0m > ", "loader >", "loader >"),
        (b"loader > boot\r\nkernel panic: again\r\n", "kernel panic", "kernel panic: again"),
    ],
)
def test_the_last_marker_tells_how_far_it_is_and_a_failure_is_over_when_it_goes_on(
    written: bytes, marker: str, failure: str, size: int
) -> None:
    scan = fed(PANIC, written, size)
    assert (scan.marker, scan.failure) == (marker, failure)


def test_a_pattern_that_is_none_is_refused_before_anything_is_waited_for() -> None:
    for probe in (Probe("log", "("), Probe("log", "x", failure_markers=("*",)), Probe("log", "x", boot_markers=("[",))):
        with pytest.raises(LabError, match="is not a regular expression"):
            check([probe])
    check([Probe("log", "")])


FLOODS = {
    "lines": b"line of a log that never ends\r\n" * 20000,
    "one line": b"x" * 500_000,
    "long lines": (b"y" * 60_000 + b"\r\n") * 8,
    "wide lines": b"\x1b[1000Cx\n" * 5000,
    "pages": (b"\x1b[1000Cx\n" * 30 + b"\x1b[2J") * 100,
    "blank pages": b"\n\n   \n\x1b[2J" * 5000,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_memory_is_bounded_however_long_the_log_and_its_lines_are(flood: bytes) -> None:
    scan = Scan(Probe("log", "found: it", failure_markers=("nor this",)))
    for _number in range(12):
        scan.feed(flood)
        lines = scan._screen.lines()
        assert sum(len(line) + 50 for line in lines) < 4 * 1024 * 1024
        assert scan._screen._size == sum(map(len, lines[: scan._screen._top]))
        assert len(scan._raw) <= 4096
    scan.feed(b"\r\n\x1b[1mfound\x1b[0m: it\r\nlast words\r\n" + flood[:20] + b"\r\nover\r\n")
    assert (scan.ready, scan.last) == ("found: it", "over")


def test_what_is_looked_for_may_be_between_two_pieces_of_a_long_output() -> None:
    for place in range(PIECE - 12, PIECE + 2):
        before = (b"z" * 77 + b"\r\n") * (place // 79) + b"z" * (place % 79)
        scan = fed(PANIC, before + b"\r\nKernel panic - no root\r\nlogin:\r\n" + before, 10**6)
        assert (scan.ready, scan.marker, scan.failure) == ("login:", "Kernel panic", "Kernel panic - no root")
