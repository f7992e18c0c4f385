# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses of the management network: nobody has another's, and nobody is renumbered by what others do."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._management import Memory, interfaces_of, make_network
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Far, Management
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import link, node, topology

SERVERS = ("srv1", "srv2", "srv3")


def lab_of(*nodes, lab="x", links=(), **management):
    return topology(links, lab=lab, nodes=nodes, management=Management(**management))


def network_of(*nodes, servers=SERVERS, memory=None, avoid=(), lab="x", **management):
    return make_network(lab_of(*nodes, lab=lab, **management), servers, memory, avoid)


def problems_of(*nodes, **management):
    with pytest.raises(LabFileError) as caught:
        network_of(*nodes, **management)
    return [(one.what, one.remedy) for one in caught.value.problems]


def named(count, first=0, **fields):
    return [node(f"n{number}", **fields) for number in range(first, first + count)]


def test_golden_vector():
    """Changing any of this renumbers every lab."""
    network = network_of(node("a"), node("b"), lab="demo")
    assert str(network.ipv4.subnet) == "198.19.99.0/24"
    assert str(network.ipv6.subnet) == "3fff:45e:34ce:636f::/64"
    assert network.ipv4.nodes == {"a": "198.19.99.57", "b": "198.19.99.213"}
    assert network.ipv4.gateways == {"srv1": "198.19.99.1", "srv2": "198.19.99.254", "srv3": "198.19.99.253"}
    assert network.ipv6.nodes == {"a": "3fff:45e:34ce:636f::a986", "b": "3fff:45e:34ce:636f::431e"}


def test_every_lab_has_a_subnet_of_its_own_of_addresses_that_are_nobodys():
    subnets = [network_of(node("a"), lab=f"lab{number}") for number in range(20)]
    for network in subnets:
        assert network.ipv4.subnet.subnet_of(ipaddress.ip_network("198.18.0.0/15"))
        assert network.ipv6.subnet.subnet_of(ipaddress.ip_network("3fff::/20"))
    assert len({network.ipv4.subnet for network in subnets}) > 15
    assert len({network.ipv6.subnet for network in subnets}) == 20


def test_a_subnet_that_is_chosen_is_not_one_that_is_in_use():
    first = network_of(node("a")).ipv4.subnet
    other = network_of(node("a"), avoid=[first]).ipv4.subnet
    assert not first.overlaps(other)
    assert network_of(node("a"), avoid=[ipaddress.ip_network(f"{first[77]}/32")]).ipv4.subnet == other
    with pytest.raises(LabFileError, match=r"no /24 of 198\.18\.0\.0/15 is free"):
        network_of(node("a"), avoid=[ipaddress.ip_network("198.18.0.0/15")])


@hypothesis_settings(deadline=None)
@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 3), st.data())
def test_adding_nodes_renumbers_nobody_and_no_address_is_given_twice(count, more, servers, data):
    pinned = {f"n{number}": f"198.51.100.{number + 20}" for number in data.draw(st.sets(st.integers(0, count - 1), max_size=5))}
    nodes = [replace(one, mgmt_ipv4=pinned.get(one.name, "")) for one in named(count)]
    common = {"servers": SERVERS[:servers], "ipv4_subnet": "198.51.100.0/24", "ipv6_subnet": "auto"}
    before = network_of(*nodes, **common)
    memory = Memory({}, {name: tuple(before.addresses(name).values()) for name in before.interfaces})
    after = network_of(*nodes, *named(more, count), memory=memory, **common)
    for family, old in ((after.ipv4, before.ipv4), (after.ipv6, before.ipv6)):
        assert {name: family.nodes[name] for name in old.nodes} == old.nodes
        assert family.gateways == old.gateways
        everything = [*family.nodes.values(), *family.gateways.values()]
        assert len(set(everything)) == len(everything)
        assert all(ipaddress.ip_address(one) in family.subnet for one in everything)
    assert {name: after.ipv4.nodes[name] for name in pinned} == pinned


def test_removing_a_node_renumbers_nobody_that_the_lock_file_knows():
    nodes = named(100)
    common = {"ipv4_subnet": "198.51.100.0/25"}
    before = network_of(*nodes, **common).ipv4.nodes
    memory = Memory({}, {name: (address,) for name, address in before.items()})
    after = network_of(*nodes[50:], memory=memory, **common).ipv4.nodes
    assert after == {name: before[name] for name in after}
    assert network_of(*nodes[50:], **common).ipv4.nodes != after  # without it, those that had been in somebody's way go back


def test_what_a_lock_file_says_that_cannot_be_is_not_used():
    memory = Memory({4: "nonsense"}, {"n0": ("198.51.100.255", "not an address"), "n1": ("10.0.0.1",), "n2": ("198.51.100.9",)})
    found = network_of(*named(2), node("n2", mgmt_ipv4="198.51.100.7"), memory=memory, ipv4_subnet="198.51.100.0/24").ipv4.nodes
    assert found["n2"] == "198.51.100.7"
    assert found["n0"] != "198.51.100.255"
    assert ipaddress.ip_address(found["n1"]) in ipaddress.ip_network("198.51.100.0/24")


def test_the_subnet_grows_with_the_lab_around_the_addresses_there_are():
    small = network_of(*named(150))
    memory = Memory({4: str(small.ipv4.subnet)}, {name: (address,) for name, address in small.ipv4.nodes.items()})
    large = network_of(*named(1000), memory=memory)
    assert small.ipv4.subnet.prefixlen == 24
    assert large.ipv4.subnet.prefixlen == 21
    assert small.ipv4.subnet.subnet_of(large.ipv4.subnet)
    assert {name: large.ipv4.nodes[name] for name in small.ipv4.nodes} == small.ipv4.nodes
    kept = Memory({4: str(large.ipv4.subnet)}, {name: (address,) for name, address in large.ipv4.nodes.items()})
    assert network_of(*named(150), memory=kept).ipv4.subnet == large.ipv4.subnet


def test_a_fixed_address_without_a_subnet_is_of_containerlabs():
    network = network_of(node("a", mgmt_ipv4="172.20.20.11"), node("b"))
    assert str(network.ipv4.subnet) == "172.20.20.0/24"
    assert network.ipv4.nodes["a"] == "172.20.20.11"
    assert network.ipv6.subnet.subnet_of(ipaddress.ip_network("3fff::/20"))
    network = network_of(node("a", mgmt_ipv6="3fff:172:20:20::7"))
    assert str(network.ipv6.subnet) == "3fff:172:20:20::/64"


def test_a_file_that_names_a_subnet_of_one_family_has_no_other():
    assert network_of(node("a"), ipv4_subnet="198.51.100.0/24").ipv6 is None
    assert network_of(node("a"), ipv6_subnet="3fff:1::/64").ipv4 is None
    both = network_of(node("a"), ipv4_subnet="198.51.100.0/24", ipv6_subnet="auto")
    assert both.ipv6 is not None


def test_gateways_leave_fixed_addresses_alone():
    network = network_of(
        node("a", mgmt_ipv4="198.51.100.1"), node("b", mgmt_ipv4="198.51.100.254"), node("c"), ipv4_subnet="198.51.100.0/24"
    )
    assert network.ipv4.gateways == {"srv1": "198.51.100.2", "srv2": "198.51.100.253", "srv3": "198.51.100.252"}
    network = network_of(node("a"), ipv4_subnet="198.51.100.0/24", ipv4_gateway="198.51.100.254")
    assert network.ipv4.gateways == {"srv1": "198.51.100.254", "srv2": "198.51.100.253", "srv3": "198.51.100.252"}


def test_a_new_servers_gateway_takes_no_nodes_address():
    memory = Memory({}, {"a": ("198.51.100.253",)})
    network = network_of(node("a"), memory=memory, ipv4_subnet="198.51.100.0/24")
    assert network.ipv4.nodes["a"] == "198.51.100.253"
    assert network.ipv4.gateways["srv3"] == "198.51.100.252"


V4 = "198.51.100"


def remembering(network, **gateways):
    """What the lock file says after a network, with other gateways where they are given."""
    families = network.families
    known = {server: tuple(one.gateways[server] for one in families) for server in families[0].gateways}
    subnets = {one.subnet.version: str(one.subnet) for one in families}
    return Memory(subnets, {name: tuple(network.addresses(name).values()) for name in network.interfaces}, {**known, **gateways})


@pytest.mark.parametrize("new", ["srv0", "srv2", "srv4"])
def test_a_new_server_moves_no_gateway_and_no_node(new):
    nodes = named(100)
    before = network_of(*nodes, servers=("srv1", "srv3"))
    after = network_of(*nodes, servers=("srv1", "srv3", new), memory=remembering(before))
    for old, now in zip(before.families, after.families, strict=True):
        assert now.nodes == old.nodes
        assert {server: now.gateways[server] for server in old.gateways} == old.gateways
        everything = [*now.nodes.values(), *now.gateways.values()]
        assert len(set(everything)) == len(everything)
    assert network_of(*nodes, servers=(new, "srv3", "srv1"), memory=remembering(after)) == after


def test_removing_the_server_with_the_first_gateway_moves_no_other():
    before = network_of(node("a"), ipv4_subnet=f"{V4}.0/24")
    after = network_of(node("a"), servers=("srv2", "srv3"), memory=remembering(before), ipv4_subnet=f"{V4}.0/24")
    assert after.ipv4.gateways == {"srv2": f"{V4}.254", "srv3": f"{V4}.253"}
    again = network_of(node("a"), memory=remembering(after), ipv4_subnet=f"{V4}.0/24")
    assert again.ipv4.gateways == {"srv1": f"{V4}.252", "srv2": f"{V4}.254", "srv3": f"{V4}.253"}


def test_gateways_of_another_subnet_are_forgotten_and_those_of_a_larger_one_kept():
    before = network_of(node("a"), servers=("srv3",), ipv4_subnet=f"{V4}.0/25")
    moved = network_of(node("a"), memory=remembering(before), ipv4_subnet="198.51.101.0/24")
    assert moved.ipv4.gateways == {"srv1": "198.51.101.1", "srv2": "198.51.101.254", "srv3": "198.51.101.253"}
    grown = network_of(node("a"), memory=remembering(before), ipv4_subnet=f"{V4}.0/24")
    assert grown.ipv4.gateways == {"srv1": f"{V4}.254", "srv2": f"{V4}.253", "srv3": f"{V4}.1"}
    edge = Memory({}, {}, {"srv1": (f"{V4}.127",), "srv2": ("nonsense",)})
    assert network_of(node("a"), memory=edge, ipv4_subnet=f"{V4}.0/25").ipv4.gateways["srv1"] == f"{V4}.1"


def test_a_fixed_address_takes_the_gateway_of_one_server_and_of_no_other():
    memory = remembering(network_of(node("a"), ipv4_subnet=f"{V4}.0/24"))
    after = network_of(node("a"), node("b", mgmt_ipv4=f"{V4}.254"), memory=memory, ipv4_subnet=f"{V4}.0/24")
    assert after.ipv4.nodes["b"] == f"{V4}.254"
    assert after.ipv4.gateways == {"srv1": f"{V4}.1", "srv2": f"{V4}.252", "srv3": f"{V4}.253"}


def test_two_servers_that_remember_one_gateway_do_not_share_it():
    memory = Memory({}, {}, {"srv2": (f"{V4}.9",), "srv3": (f"{V4}.9",)})
    found = network_of(node("a"), memory=memory, ipv4_subnet=f"{V4}.0/24").ipv4.gateways
    assert found == {"srv1": f"{V4}.254", "srv2": f"{V4}.9", "srv3": f"{V4}.253"}


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"srv2": ".77"}, {"srv1": ".254", "srv2": ".77", "srv3": ".253"}),  # who has it keeps it
        ({"srv1": ".1", "srv3": ".253"}, {"srv1": ".1", "srv2": ".77", "srv3": ".253"}),  # else the first that has none
        ({"srv1": ".1", "srv2": ".254", "srv3": ".253"}, {"srv1": ".77", "srv2": ".254", "srv3": ".253"}),  # else the first
    ],
)  # fmt: skip
def test_the_gateway_of_the_file_moves_no_other(known, expected):
    memory = Memory({}, {}, {server: (V4 + end,) for server, end in known.items()})
    found = network_of(node("a"), memory=memory, ipv4_subnet=f"{V4}.0/24", ipv4_gateway=f"{V4}.77").ipv4.gateways
    assert found == {server: V4 + end for server, end in expected.items()}


def test_a_range_holds_all_that_are_not_fixed():
    network = network_of(*named(6), node("z", mgmt_ipv4="198.51.100.9"), ipv4_subnet="198.51.100.0/24", ipv4_range="198.51.100.128/29")
    inside = ipaddress.ip_network("198.51.100.128/29")
    assert {name for name, address in network.ipv4.nodes.items() if ipaddress.ip_address(address) in inside} == {f"n{n}" for n in range(6)}


@pytest.mark.parametrize(
    ("nodes", "management", "said"),
    [
        ([node("a", mgmt_ipv4="10.1.1.1")], {"ipv4_subnet": "198.51.100.0/24"}, "of node a is no address of a host in 198.51.100.0/24"),
        ([node("a", mgmt_ipv4="198.51.100.0")], {"ipv4_subnet": "198.51.100.0/24"}, "is no address of a host"),
        ([node("a", mgmt_ipv4="198.51.100.255")], {"ipv4_subnet": "198.51.100.0/24"}, "is no address of a host"),
        ([node("a", mgmt_ipv4="10.1.1.1")], {}, "is no address of a host in 172.20.20.0/24"),
        (
            [node("a", mgmt_ipv4="198.51.100.9"), node("b", mgmt_ipv4="198.51.100.9")],
            {"ipv4_subnet": "198.51.100.0/24"},
            "nodes a and b have the same management address 198.51.100.9",
        ),
        ([node("a", mgmt_ipv6="3fff::9")], {"ipv4_subnet": "198.51.100.0/24"}, "node a has the address 3fff::9, but"),
        ([node("a", mgmt_ipv4="198.51.100.9")], {"ipv4_subnet": "198.51.100.0/24", "ipv4_gateway": "198.51.100.9"}, "address of node a"),
        ([node("a")], {"ipv4_subnet": "198.51.100.0/24", "ipv4_gateway": "198.51.101.1"}, "ipv4-gw of the management network is"),
        ([node("a")], {"ipv4_subnet": "198.51.100.0/24", "ipv4_range": "198.51.101.0/25"}, "ipv4-range of the management network is"),
        ([node("a")], {"ipv4_subnet": "3fff::/64"}, "ipv4-subnet of the management network is 3fff::/64"),
        ([node("a")], {"ipv4_subnet": "198.51.100"}, "ipv4-subnet of the management network is 198.51.100"),
        ([node("a")], {"ipv4_subnet": "198.51.100.0/24", "ipv4_gateway": "3fff::1"}, "ipv4-gw of the management network is 3fff::1"),
        ([node("a")], {"ipv4_subnet": "198.51.100.0/30"}, "198.51.100.0/30 has no room for the gateways of 3 servers"),
        (named(9), {"ipv4_subnet": "198.51.100.0/29"}, "no IPv4 address left for 6 nodes: 198.51.100.0/29 has 6 for them"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_a_remedy(nodes, management, said):
    found = problems_of(*nodes, **management)
    assert any(said in what for what, _remedy in found), found
    assert all(remedy for _what, remedy in found)


def test_all_that_is_wrong_is_told_at_once():
    wrong = [node("a", mgmt_ipv4="10.1.1.1"), node("b", mgmt_ipv4="10.1.1.2", mgmt_ipv6="10::1")]
    assert len(problems_of(*wrong, ipv4_subnet="198.51.100.0/24", ipv6_subnet="3fff::/64")) == 3


def test_nodes_without_a_network_of_their_own_are_not_in_it():
    nodes = [node("a"), node("b", network_mode="none"), node("c", network_mode="host"), node("d", network_mode="node:a")]
    assert interfaces_of(lab_of(*nodes)) == {"a": "eth0"}
    assert sorted(network_of(*nodes).ipv4.nodes) == ["a"]
    assert make_network(lab_of(*nodes[1:]), SERVERS) is None


def test_a_lab_can_do_without():
    assert make_network(lab_of(node("a"), enabled=False), SERVERS) is None
    joining = replace(link("a:eth1"), far=Far("mgmt-net"))
    alone = node("a", network_mode="none")
    assert make_network(lab_of(alone, links=[joining]), SERVERS) is not None
    assert make_network(lab_of(alone, links=[joining], enabled=False), SERVERS) is None


def test_neither_the_order_of_nodes_nor_of_servers_matters():
    nodes = named(30)
    assert network_of(*nodes) == network_of(*nodes[::-1], servers=SERVERS[::-1])


def test_ten_thousand_nodes_get_their_addresses():
    network = network_of(*named(10000))
    assert network.ipv4.subnet.prefixlen == 18
    assert len(set(network.ipv4.nodes.values())) == len(set(network.ipv6.nodes.values())) == 10000
