# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose network nodes have, and what the file says of the management network: mgmt, fixed addresses, published ports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._mgmt_reader import KEYS
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Management, Place, PublishedPort
from ansible_collections.archetype.lab.plugins.plugin_utils._published import CHOSEN, PROTOCOLS, PortFault, Publisher, Wish, parse_port
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from ansible_collections.archetype.lab.tests.unit.plugin_utils.forms import BOOLEAN, MAPPING, digits


@pytest.fixture
def load(tmp_path):
    def call(nodes, mgmt="", links=(), head=""):
        path = tmp_path / "t.clab.yml"
        lines = "".join(f"    {line}\n" for line in nodes)
        joined = "  links:\n" + "".join(f"    - {line}\n" for line in links) if links else ""
        path.write_text(f"name: t\nmgmt: {{{mgmt}}}\n{head}\ntopology:\n  defaults: {{kind: linux, image: i}}\n  nodes:\n{lines}{joined}")
        return load_topology(str(path), {})

    return call


@pytest.fixture
def errors(load, tmp_path):
    def call(*args, **more):
        with pytest.raises(LabFileError) as caught:
            load(*args, **more)
        return [str(one).replace(f"{tmp_path}/t.clab.yml:", "") for one in caught.value.problems]

    return call


# whose network


def test_a_node_has_the_network_of_another_node_under_either_of_its_names(load):
    nodes = load(["a: {}", "b: {network-mode: 'container:a'}", "c: {network-mode: 'container:clab-t-a'}"]).nodes
    assert [(one.network_mode, one.shares, one.beside) for one in nodes.values()] == [
        ("", "", ()),
        ("node:a", "clab-t-a", ("a",)),
        ("node:a", "clab-t-a", ("a",)),
    ]


def test_a_name_that_is_no_nodes_is_a_container_that_is_there_already(load):
    one = load(["a: {network-mode: 'container:k8s_pod.1'}"]).nodes["a"]
    assert (one.network_mode, one.shares, one.beside) == ("container:k8s_pod.1", "k8s_pod.1", ())


def test_the_mode_of_containerlabs_default_is_nothing_special(load):
    assert load(["a: {network-mode: bridge}"]).nodes["a"].network_mode == ""


@pytest.mark.parametrize(
    ("last", "mode", "shares"),
    [("", "node:c", "clab-t-c"), ("host", "host", ""), ("none", "node:c", "clab-t-c"), ("container:x", "container:x", "x")],
)
def test_nodes_that_share_are_followed_to_the_one_that_has_the_network(load, last, mode, shares):
    nodes = load(["a: {network-mode: 'container:b'}", "b: {network-mode: 'container:c'}", f"c: {{network-mode: '{last}'}}"]).nodes
    for name, beside in (("a", "b"), ("b", "c")):
        assert (nodes[name].network_mode, nodes[name].shares, nodes[name].beside) == (mode, shares, (beside,))


def test_nodes_that_have_the_network_of_each_other_are_an_error(errors):
    found = errors(["a: {network-mode: 'container:b'}", "b: {network-mode: 'container:a'}", "c: {network-mode: 'container:a'}"])
    assert found[0] == "7:5: nodes a and b have the network of one another. Give one of them a network of its own"


def test_a_node_that_has_the_processes_of_another_is_beside_it(load):
    one = load(["a: {}", "b: {pid-mode: 'container:a'}"]).nodes["b"]
    assert (one.pid_mode, one.beside, one.network_mode) == ("container:clab-t-a", ("a",), "")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("bridge", "8:23: node b: node a is a segment, which has no network of its own. Name another node"),
        ("ovs-bridge", "8:23: node b: node a is a segment, which has no network of its own. Name another node"),
    ],
)
def test_a_bridge_has_no_network_to_share(errors, kind, message):
    assert errors([f"a: {{kind: {kind}}}", "b: {network-mode: 'container:a'}"]) == [message]


def test_kinds_that_stand_for_what_is_there_already(load):
    nodes = load(
        ["h: {kind: host}", "x: {kind: ext-container}", "b: {network-mode: 'container:x'}", "c: {network-mode: 'container:h'}"]
    ).nodes
    assert {name: (one.network_mode, one.shares) for name, one in nodes.items()} == {
        "b": ("container:x", "x"),
        "c": ("host", ""),
        "x": ("container:x", "x"),
    }
    assert (nodes["x"].container, nodes["x"].image, nodes["x"].profile.provider) == ("x", "", "external")


def test_links_of_nodes_in_their_servers_network_are_told_how_to_be_written(errors):
    found = errors(["a: {network-mode: host}", "b: {}"], links=["endpoints: [a:eth1, b:eth1]"])
    assert found == [
        (
            "10:7: node a has the network of its server, in which the lab makes no interface eth1 for it. "
            "Write this end of the link as host:eth1"
        )
    ]


def test_interfaces_in_a_shared_network_have_names_of_their_own(load, errors):
    nodes = ["a: {}", "b: {network-mode: 'container:a'}", "c: {}"]
    assert len(load(nodes, links=["endpoints: [a:eth1, c:eth1]", "endpoints: [b:eth2, c:eth2]"]).links) == 2
    assert errors(nodes, links=["endpoints: [a:eth1, c:eth1]", "endpoints: [b:eth1, c:eth2]"]) == [
        "12:7: nodes a (line 11) and b share a network, which can have one eth1 only. Use another interface in one of the links"
    ]


# mgmt


def test_every_key_of_mgmt_is_read(load):
    text = (
        "network: clab, bridge: br, ipv4-subnet: 192.0.2.7/24, ipv4-gw: 192.0.2.1, ipv4-range: 192.0.2.128/25, "
        "ipv6-subnet: '2001:db8::/64', ipv6-gw: '2001:db8::1', ipv6-range: '2001:db8::/80', mtu: 1400, "
        "external-access: true, skip-when-unused: true, driver-opts: {a: b}"
    )
    topology = load(["a: {}"], text)
    assert topology.management == Management(
        network="clab",
        bridge="br",
        ipv4_subnet="192.0.2.0/24",
        ipv6_subnet="2001:db8::/64",
        ipv4_gateway="192.0.2.1",
        ipv6_gateway="2001:db8::1",
        ipv4_range="192.0.2.128/25",
        ipv6_range="2001:db8::/80",
        mtu=1400,
        external_access=True,
        skip_when_unused=True,
        place=Place(topology.file, 2, 7),
    )
    assert [note.split(" has no effect")[0] for note in topology.notes] == ["mgmt: bridge", "mgmt: driver-opts"]
    assert {one.split(":")[0].strip() for one in text.split(", ")} | {"ipv4_subnet", "ipv6_subnet"} == KEYS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ipv4_subnet: 192.0.2.0/24, ipv6_subnet: '2001:db8::/64'", ("192.0.2.0/24", "2001:db8::/64")),
        ("ipv4_subnet: 198.51.100.0/24, ipv4-subnet: 192.0.2.0/24", ("192.0.2.0/24", "")),
        ("ipv4-subnet: auto, ipv6-subnet: AUTO", ("auto", "auto")),
        ("ipv4-subnet: , mtu: 0", ("", "")),
    ],
)
def test_subnets_under_their_old_names_and_those_left_to_the_lab(load, text, expected):
    management = load(["a: {}"], text).management
    assert (management.ipv4_subnet, management.ipv6_subnet, management.external_access, management.enabled) == (*expected, False, True)


MGMT_ERRORS = [
    (
        "ipv4-subnet: 192.0.2.0",
        '2:21: ipv4-subnet of mgmt is "192.0.2.0", which is not an IPv4 network. Write it as 198.51.100.0/24 or auto',
    ),
    (
        "ipv4-subnet: '2001:db8::/64'",
        '2:21: ipv4-subnet of mgmt is "2001:db8::/64", which is not an IPv4 network. Write it as 198.51.100.0/24 or auto',
    ),
    ("ipv6-subnet: x/64", '2:21: ipv6-subnet of mgmt is "x/64", which is not an IPv6 network. Write it as 2001:db8::/64 or auto'),
    ("ipv4-subnet: 192.0.2.0/31", '2:21: ipv4-subnet of mgmt is "192.0.2.0/31", which has no room for nodes. Give a shorter prefix'),
    ("ipv4-gw: 192.0.2.1", "2:17: mgmt has ipv4-gw but no ipv4-subnet. Give the subnet too"),
    ("ipv4-subnet: auto, ipv4-gw: 192.0.2.1", "2:36: mgmt has ipv4-gw, but its subnet is chosen by the lab. Write the subnet out"),
    (
        "ipv4-subnet: 192.0.2.0/24, ipv4-gw: 192.0.2.255",
        '2:44: ipv4-gw of mgmt is "192.0.2.255", which is no address of a host in 192.0.2.0/24. Write it as 192.0.2.1',
    ),
    (
        "ipv4-subnet: 192.0.2.0/24, ipv4-range: 198.51.100.0/25",
        '2:47: ipv4-range of mgmt is "198.51.100.0/25", which is not inside 192.0.2.0/24. Write it as a network inside the subnet',
    ),
    ("mtu: 20", '2:13: mtu of mgmt must be a whole number from 68 to 65535, not "20"' + digits(68)),
    ("external-access: x", '2:25: external-access of mgmt must be true or false, not "x"' + BOOLEAN),
    ("ipv4-subet: x", '2:8: unknown key "ipv4-subet" in mgmt. Did you mean "ipv4-subnet"?'),
    ("driver-opts: [a]", "2:21: driver-opts of mgmt must be a mapping, not a list" + MAPPING),
]


@pytest.mark.parametrize(("text", "message"), MGMT_ERRORS, ids=[text for text, _message in MGMT_ERRORS])
def test_a_bad_management_network_is_told_with_its_line(errors, text, message):
    assert errors(["a: {}"], text) == [message]


def test_fixed_addresses_fit_the_management_network(errors, load):
    mgmt = "ipv4-subnet: 192.0.2.0/24, ipv4-gw: 192.0.2.1, ipv6-subnet: '2001:db8::/64'"
    assert load(["a: {mgmt-ipv4: 192.0.2.9, mgmt-ipv6: '2001:db8::9'}"], mgmt).nodes["a"].mgmt_ipv4 == "192.0.2.9"
    nodes = [
        "a: {mgmt-ipv4: 198.51.100.1}",
        "b: {mgmt-ipv4: 192.0.2.255}",
        "c: {mgmt-ipv4: 192.0.2.1}",
        "d: {mgmt-ipv6: '2001:db8:1::1'}",
        "e: {mgmt-ipv4: 192.0.2.9}",
        "f: {mgmt-ipv4: 192.0.2.9}",
    ]
    remedy = "Give it one of this subnet, or change the subnet"
    assert errors(nodes, mgmt) == [
        f"7:20: node a: mgmt-ipv4 198.51.100.1 is not in the subnet 192.0.2.0/24 of mgmt on line 2. {remedy}",
        "8:20: node b: mgmt-ipv4 192.0.2.255 is the first or the last address of 192.0.2.0/24, which no node can have. Give it another one",
        "9:20: node c: mgmt-ipv4 192.0.2.1 is the gateway of mgmt on line 2. Give it another one",
        f"10:20: node d: mgmt-ipv6 2001:db8:1::1 is not in the subnet 2001:db8::/64 of mgmt on line 2. {remedy}",
        "12:20: node f: mgmt-ipv4 192.0.2.9 is that of node e on line 11. Give each node its own",
    ]


def test_fixed_addresses_of_nodes_without_a_management_interface_are_noted(load):
    topology = load(["a: {mgmt-ipv4: 192.0.2.9, network-mode: none, ports: ['80:80']}"])
    assert (topology.nodes["a"].mgmt_ipv4, topology.nodes["a"].ports) == ("", ())
    assert topology.notes == (
        "node a: ports have no effect, as its network-mode is none: it has no management network",
        "node a: mgmt-ipv4 has no effect, as its network-mode is none",
    )


# published ports

FORMS = [
    ("8080:80", [(range(8080, 8081), 80, "tcp", "")]),
    ("8080:80/udp", [(range(8080, 8081), 80, "udp", "")]),
    ("8080:80/SCTP", [(range(8080, 8081), 80, "sctp", "")]),
    ("192.0.2.1:8080:80", [(range(8080, 8081), 80, "tcp", "192.0.2.1")]),
    ("[2001:DB8::1]:8080:80/udp", [(range(8080, 8081), 80, "udp", "2001:db8::1")]),
    ("2001:db8::1:8080:80", [(range(8080, 8081), 80, "tcp", "2001:db8::1")]),
    ("0.0.0.0:8080:80", [(range(8080, 8081), 80, "tcp", "")]),
    ("80", [(range(0), 80, "tcp", "")]),
    ("0:80", [(range(0), 80, "tcp", "")]),
    ("192.0.2.1::80", [(range(0), 80, "tcp", "192.0.2.1")]),
    ("8000-8001:80-81", [(range(8000, 8001), 80, "tcp", ""), (range(8001, 8002), 81, "tcp", "")]),
    ("80-81/udp", [(range(0), 80, "udp", ""), (range(0), 81, "udp", "")]),
    ("8000-8002:80", [(range(8000, 8003), 80, "tcp", "")]),
    (" 1:2 ", [(range(1, 2), 2, "tcp", "")]),
]


@pytest.mark.parametrize(("text", "wishes"), FORMS, ids=[text for text, _wishes in FORMS])
def test_all_forms_of_docker_are_read(text, wishes):
    assert parse_port(text) == [Wish(*one) for one in wishes]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no port of the node"),
        ("8080:", "there is no port of the node"),
        ("x:80", "'x' is not a port of the server"),
        ("80:x", "'x' is not a port of the node"),
        ("80:0", "0 is not a port of the node"),
        ("80:65536", "65536 is not a port of the node"),
        ("81-80:1-2", "81-80 is not a port of the server"),
        ("8000-8002:80-81", "3 ports of the server cannot be 2 ports of the node"),
        ("8000:80-81", "1 ports of the server cannot be 2 ports of the node"),
        ("8080:80/icmp", "icmp is not a protocol"),
        ("8080:80/", "nothing is not a protocol"),
        ("8080:80/ts", "ts is not a protocol"),
        ("a.example:8080:80", "'a.example' is not an address of the server"),
    ],
)
def test_what_is_no_port_is_told(text, message):
    with pytest.raises(PortFault) as caught:
        parse_port(text)
    assert (caught.value.what, bool(caught.value.remedy)) == (message, True)


PORTS = st.integers(1, 65535)


@given(PORTS, PORTS, st.sampled_from(PROTOCOLS), st.one_of(st.just(""), st.ip_addresses().map(str)))
def test_a_port_is_read_back_as_it_was_written(server, node, protocol, address):
    shown = f"[{address}]:" if ":" in address else f"{address}:" if address else ""
    (wish,) = parse_port(f"{shown}{server}:{node}/{protocol}")
    assert (wish.server_ports, wish.node_port, wish.protocol) == (range(server, server + 1), node, protocol)
    assert wish.address == ("" if address in ("0.0.0.0", "::") else address)


@given(PORTS, PORTS, st.integers(0, 20))
def test_ranges_are_pairs_of_ports(server, node, more):
    if max(server, node) + more > 65535:
        more = 65535 - max(server, node)
    wishes = parse_port(f"{server}-{server + more}:{node}-{node + more}")
    assert [(one.server_ports[0], one.node_port) for one in wishes] == [(server + step, node + step) for step in range(more + 1)]


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_is_ports_or_a_fault(text):
    faults = []
    try:
        wishes = parse_port(text)
    except PortFault as fault:
        faults, wishes = [fault], []
    assert all(fault.what and fault.remedy for fault in faults)
    assert all(0 < one.node_port < 65536 for one in wishes)
    assert bool(faults) != bool(wishes)


def test_clashes_of_ports_name_both_lines(errors):
    nodes = [
        "a: {ports: ['80:80', '53:53/udp']}",
        "b: {ports: ['192.0.2.1:80:8080', '53:53']}",
        "c: {ports: ['192.0.2.2:53:1/udp', '22:22']}",
    ]
    assert errors(nodes) == [
        "8:17: node b: tcp port 80 of 192.0.2.1 is published by node a already, on line 7. Publish each port of a server once",
        "9:17: node c: udp port 53 of 192.0.2.2 is published by node a already, on line 7. Publish each port of a server once",
    ]
    assert errors(["a: {ports: ['80-81:80', '80-81:80', '80-81:80']}"]) == [
        "7:41: node a: tcp port each of 80-81 is published by node a already, on line 7. Publish each port of a server once"
    ]


def test_one_port_on_several_addresses_is_several_ports(load):
    nodes = load(["a: {ports: ['192.0.2.1:80:80']}", "b: {ports: ['192.0.2.2:80:80']}"]).nodes
    assert [nodes[name].ports[0].address for name in "ab"] == ["192.0.2.1", "192.0.2.2"]


def test_a_range_for_one_port_is_the_first_free_one(load):
    nodes = load(["a: {ports: ['8000:1']}", "b: {ports: ['8000-8005:80']}", "c: {ports: ['8000-8005:80']}"]).nodes
    assert [nodes[name].ports for name in "bc"] == [(PublishedPort(8001, 80),), (PublishedPort(8002, 80),)]


def test_ports_that_are_left_to_the_lab_are_always_the_same(load):
    first, second = (load([f"a: {{ports: [80, '{port}:22']}}", "b: {ports: [80]}"]) for port in (2222, 3333))
    chosen = {name: next(one for one in node.ports if one.node_port == 80).server_port for name, node in first.nodes.items()}
    assert chosen == {name: next(one for one in node.ports if one.node_port == 80).server_port for name, node in second.nodes.items()}
    assert set(chosen.values()) <= set(CHOSEN)
    assert len(set(chosen.values())) == 2
    assert first.notes == tuple(f"node {name}: tcp port 80 is published as port {port}" for name, port in sorted(chosen.items()))


def test_a_chosen_port_goes_round_those_that_the_file_names(load):
    (port,) = load(["a: {ports: [80]}"]).nodes["a"].ports
    nodes = load([f"b: {{ports: ['{port.server_port}:1']}}", "a: {ports: [80]}"]).nodes
    assert nodes["a"].ports[0].server_port in (port.server_port + 1, CHOSEN[0])


def test_running_out_of_ports_is_told():
    publisher = Publisher("t")
    ports = {publisher.chosen(Wish(range(0), port, "tcp", ""), "n", ("n", 1)).server_port for port in range(1, len(CHOSEN) + 1)}
    assert ports == set(CHOSEN)
    with pytest.raises(PortFault, match="all 16384 ports are taken"):
        publisher.chosen(Wish(range(0), 80, "tcp", ""), "m", ("m", 1))


def test_more_ports_than_a_lab_may_publish_are_told_once(errors):
    many = ", ".join(["'1-65535:1-65535'"] * 50)
    assert errors([f"a: {{ports: [{many}]}}", "b: {ports: ['1-65535']}"]) == [
        "7:17: node a: more than 20000 ports of the lab are published. Publish fewer ports"
    ]


def test_a_port_that_is_left_to_the_lab_is_published_once_a_node(load):
    assert len(load([f"a: {{ports: [{', '.join(['80'] * 5000)}]}}"]).nodes["a"].ports) == 1


def test_ports_of_nodes_without_a_network_of_their_own(load, errors):
    assert load(["a: {network-mode: host, ports: ['80:80']}"]).notes == (
        "node a: ports have no effect, as its network-mode is host: it has its server's own",
    )
    assert errors(["a: {}", "b: {network-mode: 'container:a', ports: ['80:80']}"]) == [
        "8:46: node b cannot publish ports, as it has no network of its own. Publish them at the node whose network it has"
    ]


@pytest.mark.parametrize("text", ["x:80", "80:x/tcp"])
def test_a_bad_port_is_told_with_its_line(errors, text):
    (found,) = errors([f"a: {{ports: ['1:1', '{text}']}}"])
    assert found.startswith(f"7:24: node a: port \"{text}\": 'x' is not a port of the ")
    assert found.endswith("Write it as 8080:80, 127.0.0.1:8080:80/udp or 8000-8002:80-82")
