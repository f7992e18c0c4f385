# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making taps: what the kernel says, in words, and that nothing stays of what could not be finished. The kernel is not asked."""

from __future__ import annotations

import errno
import os

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._netlink import _taps
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import NewTap, SetTapOwner
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import Refusal

TAP = NewTap("at1", 64055, 9500, "archetype-lab:x:port:vm1:eth1")
SECOND = NewTap("at2", 64055, 9500, "archetype-lab:x:port:vm2:eth1")
TUN = "/dev/net/tun"
MODPROBE = "this server has no /dev/net/tun, which at1 needs: load the module on the server (modprobe tun)"


def failure(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path) if path else OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (failure(errno.ENOENT, TUN), MODPROBE),
        (failure(errno.ENODEV, TUN), MODPROBE),
        (failure(errno.ENXIO, TUN), MODPROBE),
        (failure(errno.EACCES, TUN), "not permitted to open at1 by /dev/net/tun: this needs root (CAP_NET_ADMIN)"),
        (failure(errno.EPERM), "not permitted to open at1 by /dev/net/tun: this needs root (CAP_NET_ADMIN)"),
        (failure(errno.EBUSY), "a device named at1 exists"),
        (failure(errno.ENOMEM), "at1: Cannot allocate memory"),
    ],
)
def test_what_went_wrong_is_told_in_words(monkeypatch: pytest.MonkeyPatch, error: OSError, words: str) -> None:
    def fail(*_arguments: object) -> int:
        raise error

    monkeypatch.setattr(_taps.os, "open", fail)
    assert _taps.make_taps(Wire(), [(4, TAP)], 100) == {4: words}


def test_a_tap_whose_owner_cannot_be_changed_now_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> int:
        raise failure(errno.EBUSY)

    monkeypatch.setattr(_taps.os, "open", fail)
    assert _taps.set_owners([(2, SetTapOwner("at1", 0))]) == {2: "at1 is in use"}


class Wire:
    """Takes requests, and refuses the last one of those that set up taps if it is told to."""

    def __init__(self, *refused: int) -> None:
        self.refused = refused
        self.batches: list[int] = []

    def send(self, requests: list[bytearray]) -> dict[int, Refusal]:
        self.batches.append(len(requests))
        return {place: Refusal(errno.EINVAL, "mtu greater than device maximum") for place in self.refused if len(self.batches) % 2 == 0}


def test_only_what_has_all_that_was_asked_for_is_told_to_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    handles = iter(range(50, 60))
    said: list[tuple[int, int]] = []
    closed: list[int] = []
    monkeypatch.setattr(_taps.os, "open", lambda *_arguments: next(handles))
    monkeypatch.setattr(_taps.os, "close", closed.append)
    monkeypatch.setattr(_taps.fcntl, "ioctl", lambda handle, request, _value: said.append((handle, request)))
    wire = Wire(0)
    assert _taps.make_taps(wire, [(7, TAP), (9, SECOND)], 100) == {7: "at1: Invalid argument (mtu greater than device maximum)"}
    assert [handle for handle, request in said if request == 0x400454CB] == [51]
    assert (said[-1], sorted(closed)) == ((51, 0x400454CB), [50, 51])
