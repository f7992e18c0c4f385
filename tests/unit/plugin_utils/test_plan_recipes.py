# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes in the plan: what must be observed for them, the order of interfaces, and servers that cannot give everything."""

from __future__ import annotations

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._lean import CONTAINER, whole
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Management
from ansible_collections.archetype.lab.plugins.plugin_utils._needs import needs_of
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import lab_file, link, nothing_observed, servers, topology
from ansible_collections.archetype.lab.tests.unit.plugin_utils.recipes import node

EOS = node("arista_ceos", name="eos", container="clab-x-eos")
XRD = node("cisco_xrd", name="xrd", container="clab-x-xrd")
VM = node("cisco_n9kv", name="vm", container="clab-x-vm")
LINKS = [
    *(link(f"eos:eth{index}", f"xrd:Gi0-0-0-{index}") for index in (1, 2, 10)),
    link("eos:eth9", "vm:eth1"),
]


def plan_of(management=None, **lacking):
    made = topology(LINKS, nodes=[EOS, XRD, VM], management=management)
    seen = {"srv1": {**nothing_observed(), **lacking}} if lacking else {}
    return make_plan(lab_file(made), servers(1), seen)


def containers(plan):
    return {one["node"]: whole(one, CONTAINER) for one in plan["slices"]["srv1"]["containers"]}


@pytest.mark.parametrize("managed", [False, True])
def test_interfaces_come_in_the_order_of_the_devices_ports_and_management_first(managed):
    plan = plan_of(Management(enabled=managed))
    first = ["eth0"] if managed else []
    wanted = {"eos": ["eth1", "eth2", "eth9", "eth10"], "xrd": ["Gi0-0-0-1", "Gi0-0-0-2", "Gi0-0-0-10"], "vm": ["eth1"]}
    assert {name: one["interfaces"] for name, one in containers(plan).items()} == {name: [*first, *one] for name, one in wanted.items()}
    ports = [(port["node"], port["interface"]) for port in plan["slices"]["srv1"]["ports"] if port["node"] in wanted]
    for name, one in wanted.items():
        assert [interface for owner, interface in ports if owner == name] == [*first, *one]


def test_the_management_addresses_of_the_plan_are_those_of_the_configuration():
    plan = plan_of(Management(enabled=True))
    environment = containers(plan)["vm"]["env"]
    assert environment["DOCKER_NET_V4_ADDR"]
    assert environment["CLAB_INTFS"] == "1"
    assert "DOCKER_NET_V4_ADDR" not in containers(plan_of())["vm"]["env"]


def test_devices_that_a_server_may_lack_are_looked_for():
    made = topology(LINKS, nodes=[EOS, XRD, VM])
    assert {"/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/vhost-net"} <= set(needs_of(lab_file(made))["binds"])


def test_a_server_that_cannot_give_everything_gives_what_it_can_and_the_plan_says_so():
    full = containers(plan_of())
    assert (full["eos"]["privileged"], full["vm"]["devices"]) == (True, ["/dev/kvm", "/dev/net/tun", "/dev/vhost-net"])
    devices = {"/dev/kvm": False, "/dev/vhost-net": False, "/dev/fuse": True, "/dev/net/tun": True}
    plan = plan_of(lacking={"capabilities": ["SYS_RESOURCE"]}, binds=devices)
    poor = containers(plan)
    assert not poor["eos"]["privileged"]
    assert "SYS_RESOURCE" not in poor["eos"]["cap_add"] + poor["xrd"]["cap_add"]
    assert {"NET_ADMIN", "SYS_ADMIN"} <= set(poor["eos"]["cap_add"])
    assert poor["vm"]["devices"] == ["/dev/net/tun"]
    told = [note for note in plan["notes"] if "privileged" in note]
    assert told == ["server srv1 cannot give SYS_RESOURCE: its nodes of kind arista_ceos are not privileged"]


def test_what_is_wrong_with_a_recipe_is_told_with_the_rest():
    made = topology(LINKS, nodes=[EOS, node("nokia_srlinux", name="xrd", container="clab-x-xrd", type="ixr-d9"), VM])
    with pytest.raises(Exception, match='has no type "ixr-d9"'):
        make_plan(lab_file(made), servers(1), {})
