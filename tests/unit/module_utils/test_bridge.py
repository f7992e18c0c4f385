# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bridge layer: the plan, which is pure, and what is read back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._bridge import BridgePlan, Have, observe, plan, verify
from ansible_collections.archetype.lab.plugins.module_utils._declared import Bridge
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import (
    DropBridge,
    OvsBridge,
    OvsInterface,
    OvsPort,
    OvsState,
    PutBridge,
    SetOther,
)

WIRE = {"forward-bpdu": "true"}
MARKED = {"archetype-bridge": "1"}
OURS = OvsBridge("arch-ovs", "netdev", "standalone", MARKED, WIRE)
OWN_PORT = OvsPort("arch-ovs", "arch-ovs", interfaces=(OvsInterface("arch-ovs", "internal", 65534),))
EMPTY = OvsState()
GOOD = OvsState({"arch-ovs": OURS}, {"arch-ovs": OWN_PORT}, {"vlan-limit": "1"})


def have(ovs: OvsState, *, kernel: bool = False) -> Have:
    return Have(ovs, lambda: kernel)


def lines(todo: BridgePlan) -> list[str]:
    return [change.to_line() for change in todo.changes]


@pytest.mark.parametrize(("kernel", "datapath"), [(True, "system"), (False, "netdev")])
def test_a_new_bridge_takes_the_kernels_datapath_where_there_is_one(kernel: bool, datapath: str) -> None:
    todo = plan([Bridge()], have(EMPTY, kernel=kernel))
    assert todo.ops == (SetOther({"vlan-limit": "1"}), PutBridge("arch-ovs", datapath, "standalone", WIRE, MARKED))
    assert lines(todo) == [
        f"+ bridge arch-ovs: datapath_type {datapath}, fail_mode standalone, forward_bpdu True, vlan_limit 1",
    ]


@pytest.mark.parametrize(("stored", "shown"), [("", "system"), ("system", "system"), ("netdev", "netdev")])
def test_an_existing_bridge_keeps_its_datapath_and_the_kernel_is_not_asked(stored: str, shown: str) -> None:
    def asked() -> bool:
        raise AssertionError

    ovs = replace(GOOD, bridges={"arch-ovs": replace(OURS, datapath_type=stored)})
    todo = plan([Bridge()], Have(ovs, asked))
    assert (todo.changes, todo.ops) == ((), ())
    assert todo.want[0].datapath_type == shown


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (replace(OURS, fail_mode="secure"), "fail_mode secure -> standalone"),
        (replace(OURS, fail_mode=None), "fail_mode (none) -> standalone"),
        (replace(OURS, other_config={}), "forward_bpdu False -> True"),
        (replace(OURS, other_config={"forward-bpdu": "false"}), "forward_bpdu False -> True"),
    ],
)
def test_what_makes_a_link_a_wire_is_asserted_on_every_run(broken: OvsBridge, line: str) -> None:
    todo = plan([Bridge()], have(replace(GOOD, bridges={"arch-ovs": broken})))
    assert lines(todo) == [f"~ bridge arch-ovs: {line}"]
    assert todo.ops == (PutBridge("arch-ovs", "netdev", "standalone", WIRE, MARKED),)


def test_a_vlan_limit_that_somebody_set_is_changed_and_that_is_said() -> None:
    todo = plan([Bridge()], have(replace(GOOD, other_config={"vlan-limit": "2"})))
    assert todo.ops[0] == SetOther({"vlan-limit": "1"})
    assert lines(todo) == [
        "~ bridge arch-ovs: vlan_limit 2 -> 1, vlan-limit is one setting for all bridges of the server, and was set to 2 before"
    ]


def test_a_declared_datapath_is_changed() -> None:
    todo = plan([Bridge(datapath_type="system")], have(GOOD, kernel=True))
    assert lines(todo) == ["~ bridge arch-ovs: datapath_type netdev -> system"]


@pytest.mark.parametrize("ovs", [EMPTY, GOOD])
def test_a_kernel_datapath_that_is_not_there_is_an_error_before_anything_is_touched(ovs: OvsState) -> None:
    with pytest.raises(LabError, match="kernel has no Open vSwitch datapath"):
        plan([Bridge(datapath_type="system")], have(ovs))


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_foreign_bridge_is_named_with_the_remedy(state: str) -> None:
    with pytest.raises(ForeignError) as caught:
        plan([Bridge()], have(replace(GOOD, bridges={"arch-ovs": replace(OURS, external_ids={})})), state=state)
    assert "bridge arch-ovs is foreign" in caught.value.message
    assert "external_ids:archetype-bridge=1" in caught.value.hint


def test_a_port_that_has_the_name_of_the_bridge_is_named() -> None:
    ovs = OvsState({"br0": OvsBridge("br0")}, {"arch-ovs": OvsPort("arch-ovs", "br0")})
    with pytest.raises(ForeignError, match="bridge br0 has a port of that name"):
        plan([Bridge()], have(ovs))


def test_absent_removes_an_empty_bridge_and_is_content_with_none() -> None:
    todo = plan([Bridge()], have(GOOD), state="absent")
    assert (todo.ops, lines(todo)) == ((DropBridge("arch-ovs"),), ["- bridge arch-ovs"])
    assert plan([Bridge()], have(EMPTY), state="absent").ops == ()


def test_absent_refuses_while_there_are_ports_and_names_them() -> None:
    ports = {name: OvsPort(name, "arch-ovs") for name in (f"p{number:02}" for number in range(12))}
    others = {"arch-ovs": OWN_PORT, "eth0": OvsPort("eth0", "br0")}
    with pytest.raises(LabError) as caught:
        plan([Bridge()], have(replace(GOOD, ports={**others, **ports})), state="absent")
    assert "still has ports: p00, p01" in caught.value.message
    assert caught.value.message.endswith("p09 and 2 more")


def test_several_bridges_share_the_setting_of_the_server() -> None:
    todo = plan([Bridge("a", "netdev"), Bridge("b", "netdev")], have(EMPTY))
    assert [type(op) for op in todo.ops] == [SetOther, PutBridge, PutBridge]
    with pytest.raises(LabError, match="different values of vlan_limit"):
        plan([Bridge("a"), Bridge("b", vlan_limit=0)], have(EMPTY))
    with pytest.raises(LabError, match="bridge a is declared twice"):
        plan([Bridge("a"), Bridge("a")], have(EMPTY))


def test_verify_tells_what_was_wanted_and_what_was_found() -> None:
    todo = plan([Bridge()], have(GOOD))
    assert verify(todo, GOOD) == []
    wrong = verify(todo, replace(GOOD, bridges={"arch-ovs": replace(OURS, fail_mode="secure")}))
    assert [str(error) for error in wrong] == ["bridge arch-ovs: fail_mode is secure, wanted standalone"]
    assert "is not there" in str(verify(todo, EMPTY)[0])


@pytest.mark.parametrize("interface", [OvsInterface("arch-ovs", "internal", None), OvsInterface("arch-ovs", "internal", -1, "no datapath")])
def test_a_bridge_that_ovs_vswitchd_could_not_make_is_not_a_success(interface: OvsInterface) -> None:
    broken = replace(GOOD, ports={"arch-ovs": replace(OWN_PORT, interfaces=(interface,))})
    assert "bridge arch-ovs does not work" in str(verify(plan([Bridge()], have(GOOD)), broken)[0])


def test_verify_sees_a_bridge_that_did_not_go() -> None:
    todo = plan([Bridge()], have(GOOD), state="absent")
    assert "still there" in str(verify(todo, GOOD)[0])
    assert verify(todo, EMPTY) == []


def test_a_bridge_is_observed_in_the_shape_of_the_declared_state() -> None:
    assert observe(GOOD, "arch-ovs") == Bridge("arch-ovs", "netdev")
    assert observe(GOOD, "other") is None
    assert observe(replace(GOOD, other_config={}), "arch-ovs") == Bridge("arch-ovs", "netdev", vlan_limit=1)
