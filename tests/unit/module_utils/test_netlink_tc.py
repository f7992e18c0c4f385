# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a link does to frames, in the kernel's words. pyroute2 reads what is written here; this kernel may have no netem."""

from __future__ import annotations

import struct

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Impairment
from ansible_collections.archetype.lab.plugins.module_utils._netlink import _tc
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Qdisc

CASES = {
    "rate": (Impairment(rate=10_000), "tbf"),
    "large rate": (Impairment(rate=40_000_000), "tbf"),
    "delay": (Impairment(delay=10.5), "netem"),
    "loss": (Impairment(loss=0.5), "netem"),
    "all": (Impairment(delay=100, jitter=5, loss=1, corrupt=2, duplicate=3, reorder=25, rate=1000), "netem"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_asked_for_is_what_is_read_back(name: str) -> None:
    impairment, kind = CASES[name]
    body = _tc.request(7, impairment, 1500)
    _family, index, handle, parent, _info = _tc.MESSAGE.unpack_from(body)
    assert (index, handle, parent) == (7, _tc.HANDLE, _tc.ROOT)
    found = _tc.read(handle, body, _tc.MESSAGE.size)
    assert found == _tc.wanted(impairment)
    assert (found.kind, found.ours) == (kind, True)
    given = {key: value for key, value in vars(impairment).items() if value}
    assert _tc.in_words(found) == pytest.approx(given, rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_another_implementation_reads_the_same(name: str) -> None:
    tcmsg = pytest.importorskip("pyroute2.netlink.rtnl.tcmsg").tcmsg
    impairment, kind = CASES[name]
    body = _tc.request(7, impairment, 1500)
    told = tcmsg(struct.pack("=IHHII", len(body) + 16, 36, 0, 1, 0) + body)
    told.decode()
    assert (told["index"], told.get_attr("TCA_KIND")) == (7, kind)
    options = told.get_attr("TCA_OPTIONS")
    if kind == "tbf":
        rate = options.get_attr("TCA_TBF_PARMS")["rate"]
        assert rate == min(impairment.rate * 125, 0xFFFFFFFF)
        return
    assert options["loss"] == round(impairment.loss / 100 * 0xFFFFFFFF)
    assert options["duplicate"] == round(impairment.duplicate / 100 * 0xFFFFFFFF)
    corrupt = options.get_attr("TCA_NETEM_CORRUPT")
    assert (corrupt["prob_corrupt"] if corrupt else 0) == round(impairment.corrupt / 100 * 0xFFFFFFFF)


def test_what_others_made_is_not_ours() -> None:
    body = _tc.MESSAGE.pack(0, 7, 0x50000, _tc.ROOT, 0) + _tc.request(7, Impairment(rate=8), 1500)[_tc.MESSAGE.size :]
    assert _tc.read(0x50000, body, _tc.MESSAGE.size) == Qdisc("tbf")
