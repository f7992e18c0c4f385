# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of every type, in every form: what they mean, and what is said of those that cannot be."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Far, Impairment, Topology
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology

HEAD = """\
name: t
topology:
  kinds: {linux: {image: i}, arista_ceos: {image: i}, cisco_xrd: {image: i}}
  nodes:
    a: {kind: linux}
    b: {kind: linux}
    e: {kind: arista_ceos}
    x: {kind: cisco_xrd}
    n: {kind: linux, network-mode: none}
    br: {kind: bridge}
    bo: {kind: ovs-bridge}
    myhost: {kind: host}
  links:
"""
FIRST = HEAD.count("\n") + 1


@pytest.fixture
def load(tmp_path):
    def call(*lines: str) -> Topology:
        path = tmp_path / "t.clab.yml"
        path.write_text(HEAD + "".join(f"    - {line}\n" for line in lines))
        return load_topology(str(path), {})

    return call


@pytest.fixture
def errors(load, tmp_path):
    def call(*lines: str) -> list[str]:
        with pytest.raises(LabFileError) as caught:
            load(*lines)
        return [str(problem).replace(f"{tmp_path}/t.clab.yml:", "") for problem in caught.value.problems]

    return call


def only(topology: Topology):
    (link,) = topology.links.values()
    return link


# one link, one key

CEOS = ("Ethernet1", "Et1", "eth1")
XRD = ("GigabitEthernet0/0/0/1", "Gi0/0/0/1", "Gi0-0-0-1")
BRIEF = "endpoints: ['{}', '{}']"
EXTENDED = "{{type: veth, endpoints: [{}, {}]}}"


@pytest.mark.parametrize("ends", list(itertools.product(CEOS, XRD)), ids="--".join)
@pytest.mark.parametrize("swapped", [False, True], ids=["as written", "swapped"])
@pytest.mark.parametrize("extended", [False, True], ids=["brief", "extended"])
def test_a_link_has_one_key_however_it_is_written(load, ends, swapped, extended):
    names = [f"e:{ends[0]}", f"x:{ends[1]}"]
    if swapped:
        names.reverse()
    if extended:
        maps = ["{{node: {}, interface: '{}'}}".format(*name.split(":", 1)) for name in names]
        topology = load(EXTENDED.format(*maps))
    else:
        topology = load(BRIEF.format(*names))
    assert list(topology.links) == ["e:eth1--x:Gi0-0-0-1"]


FAR_FORMS = {
    "host": (
        ["endpoints: [e:Ethernet1, host:h5]", "endpoints: [host:h5, e:eth1]", "endpoints: [Host:h5, e:Et1]",
         "{type: host, host-interface: h5, endpoint: {node: e, interface: Et1}}",
         "{type: veth, endpoints: [{node: host, interface: h5}, {node: e, interface: eth1}]}",
         "endpoints: [e:eth1, myhost:h5]"],
        "e:eth1--host:h5", Far("host", "h5"),
    ),
    "macvlan": (
        ["endpoints: [e:eth1, macvlan:ens3]", "endpoints: [MACVLAN:ens3, e:Ethernet1]",
         "{type: macvlan, host-interface: ens3, endpoint: {node: e, interface: Et1}}",
         "{type: MacVlan, mode: bridge, host-interface: ens3, endpoint: {node: e, interface: eth1}}"],
        "e:eth1--macvlan:ens3", Far("macvlan", "ens3", "bridge"),
    ),
    "mgmt-net": (
        ["endpoints: [e:eth1, mgmt-net:m1]", "endpoints: [Mgmt-Net:m1, e:Ethernet1]",
         "{type: mgmt-net, host-interface: m1, endpoint: {node: e, interface: eth1}}"],
        "e:eth1--mgmt-net:m1", Far("mgmt-net", "m1"),
    ),
    "dummy": (
        ["{type: dummy, endpoint: {node: e, interface: Ethernet1}}", "{type: dummy, endpoint: 'e:eth1'}"],
        "e:eth1--dummy", Far("dummy"),
    ),
    "vxlan": (
        ["{type: vxlan, endpoint: {node: e, interface: eth1}, remote: 198.51.100.7, vni: 100, dst-port: 4789}",
         "{type: vxlan-stitch, endpoint: {node: e, interface: Et1}, remote: 198.51.100.7, vni: 100, udp-port: 4789}"],
        "e:eth1--vxlan:198.51.100.7/100", Far("vxlan", remote="198.51.100.7", vni=100, dst_port=4789),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAR_FORMS)
def test_a_link_to_a_far_end_has_one_key_however_it_is_written(load, errors, kind):
    lines, key, far = FAR_FORMS[kind]
    for line in lines:
        link = only(load(line))
        assert (link.key, link.far, [end.name for end in link.endpoints]) == (key, far, ["e:eth1"])
    for one, two in itertools.combinations(lines, 2):
        (error,) = errors(one, two)
        assert error.replace('"', "").startswith(f"{FIRST + 1}:7: link {key} is there twice, here as ")
        assert f" and on line {FIRST} as " in error


def test_the_same_link_written_four_ways_is_four_lines_of_one_key(errors):
    lines = ("endpoints: [a:eth1, e:Ethernet2]", "endpoints: [e:eth2, a:eth1]", "endpoints: ['e:Et2', 'a:eth1']",
             "{type: veth, endpoints: [{node: a, interface: eth1}, {node: e, interface: eth2}]}")  # fmt: skip
    found = errors(*lines)
    assert [one.split(":")[0] for one in found] == [str(FIRST + place) for place in (1, 2, 3)]
    assert all(f'on line {FIRST} as "a:eth1, e:Ethernet2"' in one for one in found)


# what each type says


def test_all_types_side_by_side_lose_nothing(load):
    lines = [lines[0].replace("eth1", f"eth{place}").replace("Ethernet1", f"Ethernet{place}")
             for place, (lines, _key, _far) in enumerate(FAR_FORMS.values(), 1)]  # fmt: skip
    topology = load(*lines, "{type: veth-stitch, endpoints: [{node: a, interface: eth1}, {node: b, interface: eth1}]}")
    assert len(topology.links) == len(lines) + 1
    assert {link.far.type if link.far else "" for link in topology.links.values()} == {"", *FAR_FORMS}


def test_a_vxlan_link_has_containerlabs_port_where_it_names_none(load):
    link = only(load("{type: vxlan, endpoint: {node: a, interface: eth1}, remote: 2001:db8::7, vni: 5}"))
    assert link.key == "a:eth1--vxlan:2001:db8::7/5"
    assert link.far == Far("vxlan", remote="2001:db8::7", vni=5, dst_port=14789)


def test_what_a_vxlan_link_cannot_have_is_noted(load):
    topology = load("{type: vxlan, endpoint: 'a:eth1', remote: 198.51.100.7, vni: 5, dst-port: 1, src-port: 2, parent-interface: ens3}")
    assert "link a:eth1--vxlan:198.51.100.7/5: src-port, parent-interface are not honoured" in topology.notes


def test_a_node_may_be_called_like_a_type_that_has_no_brief_form(tmp_path):
    path = tmp_path / "t.clab.yml"
    path.write_text(
        "name: t\ntopology:\n  defaults: {kind: linux, image: i}\n  nodes: {dummy: {}, b: {}}\n"
        "  links: [{endpoints: [dummy:eth1, b:eth1]}]\n"
    )
    assert list(load_topology(str(path), {}).links) == ["b:eth1--dummy:eth1"]


def test_a_node_without_a_management_network_may_have_a_link_at_its_management_interface(load, errors):
    assert list(load("endpoints: [n:eth0, a:eth1]").links) == ["a:eth1--n:eth0"]
    (error,) = errors("endpoints: [b:eth0, a:eth1]")
    assert 'node b: interface "eth0" is the management interface of kind linux' in error


def test_nodes_of_kind_bridge_and_ovs_bridge_are_segments(load):
    topology = load("endpoints: [a:eth1, br:p1]", "endpoints: [br:p2, b:eth1]", "endpoints: [a:eth2, bo:p1]")
    assert {key: link.segment for key, link in topology.links.items()} == {"segment:br": "br", "segment:bo": "bo"}


# what interfaces are given


def test_addresses_of_the_brief_form_go_to_the_ends_in_their_order(load):
    link = only(load("{endpoints: [b:eth1, a:eth1], ipv4: [198.51.100.2/24, 198.51.100.1/24], ipv6: ['', '2001:db8:0:0::1/64']}"))
    assert [(end.name, end.ipv4, end.ipv6) for end in link.endpoints] == [
        ("a:eth1", "198.51.100.1/24", "2001:db8::1/64"),
        ("b:eth1", "198.51.100.2/24", ""),
    ]


def test_an_extended_endpoint_has_its_own_addresses_and_mac(load):
    line = (
        "{type: veth, endpoints: [{node: a, interface: eth1, ipv4: 198.51.100.1/31, mac: 02-00-00-00-00-0A}, {node: b, interface: eth1}]}"
    )
    one, two = only(load(line)).endpoints
    assert (one.ipv4, one.mac, two.ipv4, two.mac) == ("198.51.100.1/31", "02:00:00:00:00:0a", "", "")


def test_the_address_of_a_far_end_is_the_nodes_own_in_its_place(load):
    link = only(load("{endpoints: [host:h1, a:eth1], ipv4: ['', 198.51.100.1/24]}"))
    assert [end.ipv4 for end in link.endpoints] == ["198.51.100.1/24"]


def test_vars_and_labels_are_kept_as_written(load):
    link = only(load("{endpoints: [a:eth1, b:eth1], vars: {cost: 5, up: true}, labels: {site: 7}}"))
    assert (link.vars, link.labels) == ({"cost": 5, "up": True}, {"site": "7"})


def test_tc_is_of_one_end_or_of_both(load):
    text = (
        "{tc: {delay: 10ms, loss: 0.5%, rate: 2mbit}, endpoints: [{node: a, interface: eth1, tc: {rate: 640}}, {node: b, interface: eth1}]}"
    )
    one, two = only(load(text)).endpoints
    assert one.impairment == Impairment(rate=640)
    assert two.impairment == Impairment(delay=10, loss=0.5, rate=2000)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("{delay: 1.5}", Impairment(delay=1.5)), ("{delay: 250us, jitter: 1ms}", Impairment(delay=0.25, jitter=1)),
        ("{delay: 2s, reorder: 25}", Impairment(delay=2000, reorder=25)), ("{rate: 1gbit}", Impairment(rate=1_000_000)),
        ("{corrupt: 1, duplicate: 2%}", Impairment(corrupt=1, duplicate=2)), ("{}", None), ("{loss: 0}", None),
    ],
)  # fmt: skip
def test_quantities_of_tc_have_units(load, written, kept):
    assert only(load(f"{{tc: {written}, endpoints: [a:eth1, b:eth1]}}")).endpoints[0].impairment == kept


# what cannot be

ONE = "endpoint: {node: a, interface: eth1}"
TUNNEL = f"{{type: vxlan, {ONE}, "
BOTH = "{endpoints: [a:eth1, b:eth1], "

BAD = {
    "{type: host, endpoint: {node: a, interface: eth1}}": "a link of type host has no host-interface. Give it the name of",
    "{type: host, host-interface: h1}": "a link of type host has no endpoint. Give it endpoint, with node and interface",
    "{type: host, host-interface: a-name-of-16-byt, endpoint: {node: a, interface: eth1}}": "is longer than 15 bytes. Shorten it",
    "{type: host, host-interface: h1, endpoints: [a:eth1, b:eth1]}": "a link of type host has endpoints. Give it endpoint, with",
    "{type: host, mode: vepa, host-interface: h1, endpoint: {node: a, interface: eth1}}": 'unknown key "mode" in a link of type host',
    "{type: macvlan, mode: brigde, host-interface: h1, endpoint: 'a:eth1'}": 'unknown mode "brigde" of a link of type macvlan. Did you',
    "{type: dummy, endpoint: {node: br, interface: p1}}": "a link joins the bridge br and dummy. A bridge is on no server of its own",
    "{type: dummy, endpoint: 'host:h1'}": 'a link of type dummy begins at "host:h1", which is no node of the lab',
    "endpoints: [br:p1, host:h1]": "a link joins the bridge br and host:h1. A bridge is on no server of its own",
    "endpoints: [a:eth1, vxlan:100]": '"vxlan:100": links of type vxlan have no brief form. Write it as {type: vxlan, endpoint: ',
    TUNNEL + "remote: far.example, vni: 5}": 'remote of a link of type vxlan must be an IP address, not "far.example"',
    TUNNEL + "remote: 224.0.0.1, vni: 5}": "224.0.0.1 is not the address of a VTEP",
    TUNNEL + "remote: 198.51.100.7, vni: 16777216}": "vni of a link of type vxlan must be a whole number from 1 to 16777215",
    TUNNEL + "remote: 198.51.100.7, vni: 5, dst-port: 1, udp-port: 2}": "another udp-port, which is its old name",
    BOTH + "ipv4: [198.51.100.1]}": 'ipv4 of a link is "198.51.100.1", which is no ipv4 address with a prefix',
    BOTH + "ipv6: [198.51.100.1/24]}": "which is no ipv6 address with a prefix. Write it as 2001:db8::1/64",
    BOTH + "ipv4: [a, b, c]}": "ipv4 of a link has 3 addresses for 2 endpoints",
    BOTH + "ipv4: 198.51.100.1/24}": "ipv4 of a link must be a list of two addresses",
    "{ipv4: [198.51.100.1/24], endpoints: [{node: a, interface: eth1, ipv4: 198.51.100.3/24}, b:eth1]}": "at the endpoint and 198.51.100.1",
    BOTH + "tc: {delay: fast}}": 'delay of tc of a link is "fast". Write it as 10ms',
    BOTH + "tc: {loss: 101}}": 'loss of tc of a link is "101". Write it as 0.5%',
    BOTH + "tc: {jitter: 5}}": "tc of a link has jitter without delay",
    BOTH + "tc: {lose: 5}}": 'unknown key "lose" in tc of a link. Did you mean "loss"?',
    BOTH + "impairment: {mode: bridge}}": "impairment of a link is not supported: no node is put in between. Use tc",
}


@pytest.mark.parametrize("line", BAD)
def test_a_link_that_cannot_be_is_told_with_its_line_and_what_to_do(errors, line):
    found = errors(line)
    assert any(BAD[line] in one for one in found), found
    assert all(one.startswith(f"{FIRST}:") for one in found)


def test_an_interface_in_two_links_is_told_whatever_their_types(errors):
    found = errors("endpoints: [a:eth1, host:h1]", "endpoints: [a:eth1, b:eth1]", "{type: dummy, endpoint: {node: a, interface: eth1}}")
    assert [one.split(". ")[0] for one in found] == [
        f"{FIRST + 1}:19: interface a:eth1 is in two links, first on line {FIRST}",
        f"{FIRST + 2}:31: interface a:eth1 is in two links, first on line {FIRST}",
    ]
