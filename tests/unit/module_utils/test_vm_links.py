# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carriers of machines that run: what is seen, told and set."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _vm_apply, _vm_disks, _vm_links
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Nic, Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._vm_apply import apply
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms, VmsPlan
from ansible_collections.archetype.lab.plugins.module_utils._vm_plan import plan
from tests.unit.module_utils.libvirt_fake import FakeLibvirt
from tests.unit.module_utils.test_vm_plan import LAB, empty, machine, tap, there

NICS = (Nic("02:00:00:00:00:01"), Nic("02:00:00:00:00:02", "tap-a", interface="eth1"), Nic("02:00:00:00:00:03", "tap-b", interface="eth2"))
TAPS = {"tap-a": tap("tap-a"), "tap-b": tap("tap-b")}
DOWN = "~ vm demo-r1 (r1): link of eth1 up -> down"


def wired(**fields: Any) -> Vm:
    return machine(nics=NICS, **fields)


def running(*machines: Vm, **fields: Any) -> HaveVms:
    """Machines that run as they are defined."""
    have = there(*(machines or (wired(),)), **fields)
    domains = {name: replace(one, live_xml=one.xml if one.started else "") for name, one in have.domains.items()}
    return replace(have, domains=domains)


def lines(found: VmsPlan) -> list[str]:
    return [change.to_line() for change in found.changes]


class Bench:
    """What is carried out on a libvirt in memory."""

    def __init__(self, have: HaveVms, monkeypatch: pytest.MonkeyPatch) -> None:
        self.virt = FakeLibvirt()
        self.virt.known = dict(have.domains)
        self.have = have
        monkeypatch.setattr(_vm_apply, "SETTLE", 0.0)
        monkeypatch.setattr(_vm_disks, "make", lambda *_given: None)
        monkeypatch.setattr(_vm_apply._vm_media, "make", lambda *_given: None)

    def do(self, *want: Vm, down: tuple[str, ...] = (), spared: tuple[str, ...] = (), **options: Any) -> tuple[list[str], list[str]]:
        have = replace(self.have, domains=dict(self.virt.known))
        found = plan(want or (wired(),), have, lab=LAB, **options).cutting(down).sparing(spared)
        server: Any = SimpleNamespace(virt=self.virt, net=SimpleNamespace(read=lambda: TAPS))
        self.virt.calls.clear()
        errors = apply(server, found) if found.busy else []
        return lines(found), [str(error) for error in errors]

    def states(self, name: str = "demo-r1") -> dict[str, bool]:
        """Tap -> whether its link is up."""
        live = self.virt.known[name].live_xml
        want = machine(name.removeprefix("demo-"), nics=NICS)
        return {one.tap: not one.up for one in _vm_links.wrong(want, live, ()) + _vm_links.wrong(want, live, ("tap-a", "tap-b"))}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(running(), monkeypatch)


def test_a_link_goes_down_and_comes_back_and_nothing_else_happens(bench: Bench) -> None:
    assert bench.do(down=("tap-a", "ap77")) == ([DOWN], [])
    assert bench.virt.calls == [("update", "demo-r1")]
    assert bench.do(down=("tap-a", "ap77")) == ([], [])
    assert bench.virt.calls == []
    assert bench.states() == {"tap-a": False, "tap-b": True}
    assert bench.do() == (["~ vm demo-r1 (r1): link of eth1 down -> up"], [])
    assert bench.do() == ([], [])
    assert bench.states() == {"tap-a": True, "tap-b": True}


def test_what_somebody_set_down_is_one_change_for_all_links_of_a_machine(bench: Bench) -> None:
    bench.do(down=("tap-a", "tap-b"))
    assert bench.do() == (["~ vm demo-r1 (r1): link of eth1 down -> up, link of eth2 down -> up"], [])


def test_nothing_is_parsed_where_all_is_up(bench: Bench) -> None:
    assert _vm_links.wrong(wired(), "no XML at all", ("other",)) == ()
    with pytest.raises(ReadError, match="no XML"):
        _vm_links.wrong(wired(), "no XML at all", ("tap-a",))


def test_a_machine_that_is_started_has_the_link_down_right_after(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(running(status="shutoff"), monkeypatch)
    assert bench.do(down=("tap-a",)) == (["~ vm demo-r1 (r1) start"], [])
    assert bench.virt.calls == [("start", "demo-r1"), ("update", "demo-r1")]
    assert bench.do(down=("tap-a",)) == ([], [])


def test_a_machine_that_is_made_with_all_links_up_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(empty(devices=TAPS), monkeypatch)
    _lines, errors = bench.do()
    assert errors == []
    assert bench.virt.calls == [("define", "demo-r1"), ("start", "demo-r1")]
    looks = bench.virt.looks.count("domains")
    other = Bench(empty(devices=TAPS), monkeypatch)
    other.do(down=("tap-b",))
    assert other.virt.calls[-1] == ("update", "demo-r1")
    assert other.virt.looks.count("domains") == looks + 2


@pytest.mark.parametrize("name", ["tap-a", "r1", "demo-r1"])
def test_a_spared_tap_or_machine_keeps_its_link(bench: Bench, name: str) -> None:
    lines, errors = bench.do(down=("tap-a",), spared=(name,))
    assert (lines, errors, bench.virt.calls) == ([], [], [])
    done, _errors = bench.do(down=("tap-a", "tap-b"), spared=("tap-a",))
    assert done == ["~ vm demo-r1 (r1): link of eth2 up -> down"]


def test_nics_that_lead_nowhere_are_left(bench: Bench) -> None:
    assert bench.do(down=("",)) == ([], [])


def test_a_machine_that_is_off_or_paused_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Bench(running(status="shutoff"), monkeypatch).do(state="stopped", down=("tap-a",)) == ([], [])
    lines, errors = Bench(running(status="paused"), monkeypatch).do(down=("tap-a",))
    assert (lines, len(errors)) == ([], 1)


def test_what_is_defined_for_the_next_start_is_told_beside(bench: Bench) -> None:
    done, errors = bench.do(wired(memory=2 * 1024**3), down=("tap-a",))
    assert (done, errors) == (["~ vm demo-r1 (r1): memory 1073741824 -> 2147483648, it needs a restart", DOWN], [])


def test_one_that_cannot_be_set_does_not_keep_others_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    want = (wired(), machine("r2", nics=(Nic("02:00:00:00:00:12", "tap-c", interface="eth7"),)))
    bench = Bench(running(*want), monkeypatch)
    bench.virt.stubborn.add("demo-r1")
    _lines, errors = bench.do(*want, down=("tap-a", "tap-c"))
    assert errors == ["domain demo-r1 of node r1: the link of eth1 is up, wanted down; run again"]
    assert bench.do(*want, down=("tap-a", "tap-c"))[0] == [DOWN]


def test_what_libvirt_says_is_told_of_the_link(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, xml: str) -> None:
        raise ApplyError("not now", objects=(name,))

    monkeypatch.setattr(bench.virt, "update_device", refuse)
    assert bench.do(down=("tap-a",))[1] == ["the link of eth1 of node r1 cannot be set down: not now"]


def test_a_running_machine_is_not_kept_from_it_by_what_it_once_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    want = (wired(), machine("r2", nics=(Nic("02:00:00:00:00:12", "tap-c", interface="eth7"),), wave=1))
    bench = Bench(running(*want), monkeypatch)
    found = plan(want, bench.have, lab=LAB, down={"tap-c"}).sparing({"r1"})
    found.unmet["r1"] = "failed"
    server: Any = SimpleNamespace(virt=bench.virt, net=SimpleNamespace(read=lambda: TAPS))
    assert (lines(found), apply(server, found)) == (["~ vm demo-r2 (r2): link of eth7 up -> down"], [])
