# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order machines are ended and defined anew."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError
from ansible_collections.archetype.lab.plugins.module_utils._vm_apply import clear
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import VmsPlan
from tests.unit.module_utils.libvirt_fake import FakeLibvirt
from tests.unit.module_utils.test_vm_plan import GIB, decide, machine, there


class Refusing(FakeLibvirt):
    def define(self, xml: str) -> None:
        super().define(xml)
        raise ApplyError("libvirt does not take it", objects=("demo-r1",))


def cleared(virt: FakeLibvirt, want: Vm, have: Any, **options: Any) -> tuple[VmsPlan, list[str]]:
    virt.known = dict(have.domains)
    found = decide(want, have, **options)
    server: Any = SimpleNamespace(virt=virt)
    return found, [str(error) for error in clear(server, found)]


@pytest.mark.parametrize("asked", [{"restart": ["r1"]}, {"recreate": ["r1"]}, {"state": "stopped"}])
def test_a_machine_that_libvirt_would_not_take_is_not_powered_off_for_it(asked: dict[str, Any]) -> None:
    virt = Refusing()
    found, errors = cleared(virt, machine(memory=2 * GIB), there(machine()), **asked)
    assert virt.calls == [("define", "demo-r1")]
    assert errors == ["libvirt does not take it"]
    assert found.failed == {"demo-r1"}


def test_it_is_defined_before_it_is_powered_off_where_it_runs() -> None:
    virt = FakeLibvirt()
    cleared(virt, machine(memory=2 * GIB), there(machine()), restart=["r1"])
    assert virt.calls == [("define", "demo-r1"), ("destroy", "demo-r1")]
    as_it_was = FakeLibvirt()
    cleared(as_it_was, machine(), there(machine()), restart=["r1"])
    assert as_it_was.calls == [("destroy", "demo-r1")]
    crashed = FakeLibvirt()
    have = there(machine(), status="crashed")
    cleared(crashed, machine(memory=2 * GIB), replace(have, lives={}))
    assert crashed.calls == [("destroy", "demo-r1")]
