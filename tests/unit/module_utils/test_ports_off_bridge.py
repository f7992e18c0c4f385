# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that are not on the bridge, the server's own ends, and what is set on interfaces, on a server in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Impairment, Port, PortRoute
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Address, Device, DeviceRoute, Qdisc
from ansible_collections.archetype.lab.plugins.module_utils._ports import converge
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._server import Server
from tests.unit.module_utils.fakes import FakeDocker, FakeNet, FakeOvs
from tests.unit.module_utils.test_ports import NETNS, PORTS, Box, lines

SANDBOX = "x.r1.sandbox"
HOST = Port("h1", "host", "L", "r1", "eth4", SANDBOX, "02:00:00:00:00:04", 9000, group=77)
MACVLAN = Port("apm", "macvlan", "M", "r1", "eth5", SANDBOX, "02:00:00:00:00:05", parent="ens3", mode="vepa")
DUMMY = Port("apd", "dummy", "D", "r1", "eth6", SANDBOX, "02:00:00:00:00:06", 9000)
GATEWAY = Port(
    "apg", "veth", "management", "server s1", "amx", "", "02:00:00:00:00:09", 1500, 150, group=77, addresses=("198.51.100.254/24",)
)
SET = replace(
    PORTS[1],
    addresses=("198.51.100.1/24", "2001:db8:0::1/64"),
    routes=(PortRoute("default", "198.51.100.254"),),
    impairment=Impairment(rate=8000),
)


@pytest.fixture
def box() -> Box:
    net = FakeNet(devices={"ens3": Device("ens3", 3), "ens4": Device("ens4", 4)}, inside={NETNS: {"lo": Device("lo", 1)}})
    docker = FakeDocker({SANDBOX: DockerContainer("1", SANDBOX, "running", 42)})
    return Box(net, FakeOvs(net), docker)


def inside(box: Box, name: str = "eth1") -> Device:
    return box.net.inside[NETNS][name]


def change(box: Box, name: str, **values: Any) -> None:
    box.net.inside[NETNS][name] = replace(box.net.inside[NETNS][name], **values)


def prune(box: Box, *ports: Port) -> list[str]:
    """A run that removes what is not declared, looking into the sandbox whatever is declared."""
    want = Request("x", ports, (SANDBOX,), prune=True)
    result = converge(Server(ovs=box.ovs, net=box.net, docker=box.docker), want)  # type: ignore[arg-type]
    assert result.errors == []
    return lines(result)


@pytest.mark.parametrize("port", [HOST, MACVLAN, DUMMY, GATEWAY, SET], ids=lambda one: one.name)
def test_each_sort_is_predicted_made_and_right_in_the_second_run(box: Box, port: Port) -> None:
    predicted = lines(box.run(port, check=True))
    assert not box.net.applied
    result = box.run(port)
    assert (lines(result), result.errors) == (predicted, [])
    assert result.changes[0].action == "create"
    assert box.run(port).changes == []
    assert (port.name in box.ovs.ports) == (port.device == "veth")


def test_a_batch_has_each_sort_of_work_once(box: Box) -> None:
    box.run(
        SET, replace(SET, name="ap7", interface="eth7", mac="02:00:00:00:00:07", addresses=("203.0.113.1/24",), routes=()), HOST, MACVLAN
    )
    sorts = [type(op).__name__ for op in box.net.applied]
    assert sorts == sorted(sorts, key=["NewVeth", "NewInside", "PutAddress", "PutRoute", "PutQdisc"].index)
    assert (box.net.calls.count("apply"), box.ovs.calls.count("apply")) == (1, 1)


BREAKS: dict[str, tuple[Port, Callable[[Box], object], str]] = {
    "host down": (
        HOST,
        lambda box: box.net.devices.update(h1=replace(box.net.devices["h1"], up=False)),
        "~ port h1 (r1:eth4): up False -> True",
    ),
    "host on the bridge": (
        HOST,
        lambda box: box.ovs.ports.update(h1=replace(PUT(box), name="h1", external_ids={**PUT(box).external_ids, "archetype-role": "port"})),
        "~ port h1 (r1:eth4): bridge arch-ovs -> (none)",
    ),
    "macvlan mode": (
        MACVLAN,
        lambda box: change(box, "eth5", mode="bridge"),
        "~ port apm (r1:eth5) recreate: its mode is bridge and not vepa",
    ),
    "macvlan parent": (MACVLAN, lambda box: change(box, "eth5", parent_index=4), "~ port apm (r1:eth5) recreate: it is not on ens3"),
    "macvlan mac": (
        MACVLAN,
        lambda box: change(box, "eth5", mac="02:99:00:00:00:01"),
        "~ port apm (r1:eth5): mac inside 02:99:00:00:00:01 -> 02:00:00:00:00:05",
    ),
    "dummy mtu": (DUMMY, lambda box: change(box, "eth6", mtu=1400), "~ port apd (r1:eth6): mtu inside 1400 -> 9000"),
    "address": (
        SET,
        lambda box: change(box, "eth1", addresses=(Address("198.51.100.9/24", ours=True),)),
        "~ port ap1 (r1:eth1): addresses inside [198.51.100.9/24] -> [198.51.100.1/24, 2001:db8::1/64]",
    ),
    "route": (
        SET,
        lambda box: change(box, "eth1", routes=()),
        "~ port ap1 (r1:eth1): routes inside (none) -> [default via 198.51.100.254]",
    ),
    "gateway": (
        SET,
        lambda box: change(box, "eth1", routes=(DeviceRoute("default", 4, "198.51.100.9", ours=True),)),
        "~ port ap1 (r1:eth1): routes inside [default via 198.51.100.9] -> [default via 198.51.100.254]",
    ),
    "rate": (
        SET,
        lambda box: change(box, "eth1", qdisc=Qdisc("tbf", True, (("rate", 1),))),
        "~ port ap1 (r1:eth1): tc inside rate 0.008 -> rate 8000",
    ),
    "the server's own end down": (
        GATEWAY,
        lambda box: box.net.devices.update(amx=replace(box.net.devices["amx"], up=False)),
        "~ port apg (server s1:amx): up inside False -> True",
    ),
    "the server's own end unmarked": (
        GATEWAY,
        lambda box: box.net.devices.update(amx=replace(box.net.devices["amx"], alias="")),
        "~ port apg (server s1:amx): alias inside (none) -> archetype-lab:x:end:server s1:amx",
    ),
}


def PUT(box: Box) -> Any:  # noqa: N802
    """A port in Open vSwitch, to be put under another name."""
    box.run(PORTS[0])
    return box.ovs.ports[PORTS[0].name]


@pytest.mark.parametrize("what", BREAKS)
def test_what_differs_is_predicted_and_mended(box: Box, what: str) -> None:
    port, damage, line = BREAKS[what]
    box.run(port)
    damage(box)
    predicted = lines(box.run(port, check=True))
    result = box.run(port)
    assert (lines(result), result.errors) == (predicted, [])
    assert predicted == [line]
    assert box.run(port).changes == []


def test_what_the_node_put_on_its_interface_stays(box: Box) -> None:
    box.run(SET)
    foreign = Address("203.0.113.9/24")
    change(box, "eth1", addresses=(*inside(box).addresses, foreign))
    assert box.run(SET).changes == []
    assert len(box.run(replace(SET, addresses=(), routes=(), impairment=None)).changes) == 1
    assert (inside(box).addresses, inside(box).routes, inside(box).qdisc) == ((foreign,), (), None)


def test_a_route_of_the_nodes_own_to_the_same_prefix_is_enough(box: Box) -> None:
    box.run(SET)
    change(box, "eth1", routes=())
    change(box, "lo", routes=(DeviceRoute("default", 4, "203.0.113.1"),))
    assert box.run(SET).changes == []
    change(box, "lo", routes=(DeviceRoute("default", 6, "2001:db8::9"),))
    assert len(box.run(SET).changes) == 1


def test_an_interface_that_the_node_has_down_gets_its_route_when_it_is_up_again(box: Box) -> None:
    box.run(SET)
    change(box, "eth1", routes=(), up=False)
    result = box.run(SET)
    assert (result.changes, result.errors) == ([], [])
    change(box, "eth1", up=True)
    assert lines(box.run(SET)) == ["~ port ap1 (r1:eth1): routes inside (none) -> [default via 198.51.100.254]"]
    assert box.run(SET).changes == []


def test_a_route_is_put_again_when_the_address_that_reaches_it_is_changed(box: Box) -> None:
    box.run(SET)
    moved = replace(SET, addresses=("198.51.100.77/24",))
    box.run(moved)
    assert [route.via for route in inside(box).routes] == ["198.51.100.254"]
    assert box.run(moved).changes == []


def test_a_queue_of_the_nodes_own_is_left_alone_and_is_an_error_of_that_port_only(box: Box) -> None:
    box.run(replace(SET, impairment=None), HOST)
    own = Qdisc("fq_codel")
    change(box, "eth1", qdisc=own)
    assert box.run(replace(SET, impairment=None), HOST).changes == []
    predicted = box.run(SET, replace(HOST, mtu=1400), check=True)
    result = box.run(SET, replace(HOST, mtu=1400))
    assert [error.objects for error in result.errors] == [("ap1",)]
    assert (lines(predicted), [str(one) for one in predicted.errors]) == (lines(result), [str(one) for one in result.errors])
    assert isinstance(result.errors[0], ForeignError)
    assert [one.name for one in result.changes] == ["h1"]
    assert inside(box).qdisc == own


def test_a_device_of_a_sandbox_that_is_not_declared_goes_and_one_that_is_foreign_or_anothers_stays(box: Box) -> None:
    box.run(MACVLAN, HOST)
    box.net.inside[NETNS]["own0"] = Device("own0", 70, "macvlan")
    box.net.inside[NETNS]["other0"] = Device("other0", 71, "macvlan", alias="archetype-lab:y:port:r9:eth1")
    assert prune(box, HOST) == ["- port r1:eth5: not declared"]
    assert sorted(box.net.inside[NETNS]) == ["eth4", "lo", "other0", "own0"]
    assert prune(box, HOST) == []


@pytest.mark.parametrize("port", [MACVLAN, DUMMY], ids=lambda one: one.device)
def test_a_foreign_interface_of_that_name_stops_the_run(box: Box, port: Port) -> None:
    box.net.inside[NETNS][port.interface] = Device(port.interface, 70, port.device)
    with pytest.raises(ForeignError, match="has an interface"):
        box.run(port)
    assert box.net.applied == []


def test_a_missing_parent_stops_the_run_and_names_what_there_is(box: Box) -> None:
    with pytest.raises(LabError) as caught:
        box.run(HOST, replace(MACVLAN, parent="ens9"))
    assert "the server has no device ens9 for a macvlan; name one that it has (ens3, ens4)" in str(caught.value)
    assert box.net.applied == []


def test_a_parent_may_be_made_in_the_same_run(box: Box) -> None:
    result = box.run(replace(MACVLAN, parent="h1"), HOST)
    assert (result.errors, inside(box, "eth5").parent_index) == ([], box.net.devices["h1"].index)


def test_a_port_changes_its_sort_and_nothing_of_the_old_one_is_left(box: Box) -> None:
    bridged = replace(PORTS[1], interface="eth5", name="apm")
    for port in (bridged, MACVLAN, bridged, replace(HOST, name="apm", interface="eth5"), MACVLAN):
        result = box.run(port)
        assert (len(result.changes), result.errors) == (1, [])
        assert box.run(port).changes == []
        assert ("apm" in box.net.devices, "apm" in box.ovs.ports) == (port.device in ("veth", "host"), port.device == "veth")
        assert inside(box, "eth5").kind == ("macvlan" if port.device == "macvlan" else "veth")


def test_the_servers_own_end_goes_with_its_port_and_is_no_port_itself(box: Box) -> None:
    box.run(GATEWAY, PORTS[0])
    assert box.net.devices["amx"].alias == "archetype-lab:x:end:server s1:amx"
    assert prune(box, PORTS[0]) == ["- port apg (server s1:amx): not declared"]
    assert "amx" not in box.net.devices


def test_a_foreign_device_with_the_name_of_the_servers_own_end_stops_the_run(box: Box) -> None:
    box.net.devices["amx"] = Device("amx", 90, "dummy")
    with pytest.raises(ForeignError, match="a network device named amx exists; it belongs to: foreign"):
        box.run(GATEWAY)


def test_a_host_link_that_is_taken_back_is_down_and_the_node_keeps_its_interface(box: Box) -> None:
    box.run(HOST)
    assert lines(box.run(replace(HOST, enabled=False))) == ["~ port h1 (r1:eth4): up True -> False"]
    assert "eth4" in box.net.inside[NETNS]


@pytest.mark.parametrize(
    ("port", "message"),
    [
        (replace(HOST, sandbox=""), "device=host needs sandbox and interface"),
        (replace(MACVLAN, parent=""), "device=macvlan needs parent"),
        (replace(GATEWAY, interface=""), "needs interface: that of the server"),
        (replace(SET, addresses=("198.51.100.1/33",)), "'198.51.100.1/33' is not an address in CIDR form"),
        (replace(SET, routes=(PortRoute("default", "here"),)), "'default' via 'here' is not a route"),
        (replace(SET, routes=(PortRoute("198.51.100.0/24", "2001:db8::1"),)), "has a gateway of the other family"),
    ],
)
def test_a_request_that_cannot_be_is_refused(box: Box, port: Port, message: str) -> None:
    with pytest.raises(LabError) as caught:
        box.run(port)
    assert message in str(caught.value)
    assert box.net.applied == []
