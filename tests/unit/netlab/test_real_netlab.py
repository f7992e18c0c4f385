# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Topologies of netlab's own, transformed by the real netlab in this run, against a count of its data that knows nothing of our reader."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from tests.netlab_runs import VERSION, netlab, transformed

TOPOLOGIES = {
    "hosts_and_routers": """
name: one
provider: clab
defaults.device: frr
module: [ospf]
addressing.mgmt.ipv4: 198.51.100.0/24
groups: {core: {members: [r1, r2]}}
nodes: {r1: , r2: , r3: , h1: {device: linux, clab.env: {A: b}}, h2: {device: linux}}
links: [r1-r2, r2-r3, r3-r1, h1-r1, h2-r3]
""",
    "vendors": """
name: two
provider: clab
nodes:
  e1: {device: eos}
  s1: {device: srlinux}
  x1: {device: iosxr}
  i1: {device: iol}
  c1: {device: crpd}
  n1: {device: nxos}
  a1: {device: csr}
  j1: {device: vjunos-router}
  o1: {device: sros}
  f1: {device: frr}
links: [e1-s1, s1-x1, x1-i1, i1-c1, c1-n1, n1-a1, a1-j1, j1-o1, o1-f1, e1-x1, {e1: {ipv6: "2001:db8::1/64"}, f1: {ipv6: "2001:db8::2/64"}}]
""",
    "segments_stubs_and_impairments": """
name: three
provider: clab
defaults.device: frr
nodes: {r1: , r2: , r3: , s1: {device: srlinux}}
links:
- [r1, r2, r3]
- {r1: , r2: , s1: , bridge: core}
- {r1: }
- {r1: , r2: , mtu: 1600, tc: {delay: 10ms, jitter: 1, loss: 0.5, rate: 5000}}
- {r1: {tc.delay: 5}, r3: , tc.duplicate: 2}
- {r2: , clab.uplink: ens7}
""",
    "vlans_and_bundles": """
name: four
provider: clab
defaults.device: frr
module: [ospf, vlan, lag]
vlans: {red: {mode: irb}, blue: {mode: bridge}}
nodes: {r1: , r2: , h1: {device: linux}, h2: {device: linux}}
links:
- {r1: , r2: , vlan.trunk: [red, blue]}
- {r1: {vlan.access: red}, h1: }
- {r2: {vlan.access: red}, h2: }
- lag: {members: [r1-r2, r1-r2]}
- {type: loopback, r1: {ipv4: 203.0.113.1/32}}
- {r1: {ipv4: true}, r2: {ipv4: true}, unnumbered: true}
- {r1: , r2: , disable: true}
""",
    "machines": """
name: five
provider: libvirt
nodes:
  a: {device: eos}
  b: {device: iosxr}
  c: {device: nxos}
  d: {device: linux, provider: clab}
  e: {device: vyos}
  f: {device: iosv}
  g: {device: dellos10}
  h: {device: cumulus}
  i: {device: vsrx}
links: [a-b, b-c, c-d, d-e, e-f, f-g, g-h, h-i, [a, b, c, d]]
""",
    "unmanaged": """
name: six
provider: clab
defaults.device: frr
nodes: {r1: , r2: , u1: {unmanaged: true}, u2: {unmanaged: true}}
links: [r1-r2, r1-u1, u1-u2, [r1, r2, u1]]
""",
    "no_links": "name: seven\nprovider: clab\nnodes: {a: {device: linux}, b: {device: linux}}\n",
    "a_message_in_two_scripts": """
name: eight
provider: clab
defaults.device: linux
nodes: [a, b]
links: [a-b]
message: "$HOME \U0001f600 \u00e9"
""",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    found = {}

    def call(name):
        if name not in found:
            found[name] = transformed(tmp_path_factory.mktemp(name), TOPOLOGIES[name])
        return found[name]

    return call


def count(file):
    """What netlab says, by itself: its nodes, its wires, and the addresses that stand on them."""
    data = json.loads(file.read_text())
    nodes = {name: one for name, one in data["nodes"].items() if not one.get("unmanaged")}
    virtual = {"loopback", "tunnel", "vlan_member", "lag"}
    ends = Counter()
    wires, addresses, interfaces = 0, Counter(), 0
    for link in data.get("links", []):
        there = [one for one in link["interfaces"] if one["node"] in nodes] if link["type"] not in virtual else []
        wires += bool(there)
        ends[len(there)] += bool(there)
    for name, node in nodes.items():
        for one in node["interfaces"]:
            if one.get("linkindex") and not one.get("virtual_interface"):
                interfaces += 1
                addresses.update((name, one[family]) for family in ("ipv4", "ipv6") if isinstance(one.get(family), str))
    return nodes, wires, interfaces, addresses


def test_it_is_the_real_one():
    assert f"netlab version {VERSION}" in netlab(Path("/"), "version").stdout


@pytest.mark.parametrize("name", sorted(TOPOLOGIES))
def test_nodes_links_interfaces_and_addresses_equal_netlabs_own(name, files):
    nodes, wires, interfaces, addresses = count(files(name))
    topology = load_topology(str(files(name)), {})
    ends = [(end.node, end) for link in topology.links.values() for end in link.endpoints]
    assert set(topology.nodes) == set(nodes)
    assert len(topology.links) == wires
    assert len(ends) == interfaces
    assert Counter((node, address) for node, end in ends for address in (end.ipv4, end.ipv6) if address) == addresses
    assert {node.mgmt_ipv4 for node in topology.nodes.values()} == {one["mgmt"]["ipv4"] for one in nodes.values()}


@pytest.mark.parametrize("name", sorted(set(TOPOLOGIES) - {"machines", "unmanaged"}))
def test_it_is_the_same_lab_as_the_containerlab_file_that_netlab_makes(name, files, tmp_path):
    """netlab's own way to containerlab, and ours, end in the same nodes and wires. (Of unmanaged nodes netlab makes links with one end.)"""
    (tmp_path / "topology.yml").write_text(TOPOLOGIES[name])
    netlab(tmp_path, "create")
    ours, theirs = load_topology(str(files(name)), {}), load_topology(str(tmp_path / "clab.yml"), {})
    assert list(ours.links) == list(theirs.links)
    for name, node in theirs.nodes.items():
        mine = ours.nodes[name]
        assert (mine.kind, mine.image, mine.container, mine.type, mine.exec, mine.mgmt_ipv4) == (
            node.kind, node.image, node.container, node.type, node.exec, node.mgmt_ipv4,
        )  # fmt: skip
        assert dict(mine.env) == dict(node.env)


def test_the_same_lab_with_netlabs_defaults_in_the_file(files, tmp_path):
    whole = transformed(tmp_path, TOPOLOGIES["vendors"], "json=lab.json")
    one, other = load_topology(str(whole), {}), load_topology(str(files("vendors")), {})
    assert "defaults" in json.loads(whole.read_text())
    assert (list(one.nodes), list(one.links), one.notes) == (list(other.nodes), list(other.links), other.notes)


def test_a_lab_file_names_it_and_it_is_planned_over_servers(files, tmp_path):
    lab = tmp_path / "x.lab.yml"
    lab.write_text(
        f"plugin: archetype.lab.topology\ntopology: {files('hosts_and_routers')}\nservers: {{s1: , s2: }}\n"
        "images: {'quay.io/frrouting/frr:10.7.1': 'local/frr:1'}\n"
    )
    loaded = load_lab_file(str(lab), {})
    assert {node.image for node in loaded.topology.nodes.values()} == {"local/frr:1", "python:3.13-alpine"}
    plan = make_plan(loaded, {"s1": ServerFacts("198.18.0.1"), "s2": ServerFacts("198.18.0.2")}, {}, complete=False)
    wires = [key for key in plan["links"] if "--" in key]
    assert (len(plan["nodes"]), len(wires)) == (5, 5)
    ports = {(port["node"], port["interface"]): port.get("addresses") for one in plan["slices"].values() for port in one["ports"]}
    assert ports["h1", "eth1"] == ["172.16.0.4/24"]


def test_impairments_mtu_and_segments_are_those_of_the_file(files):
    links = load_topology(str(files("segments_stubs_and_impairments")), {}).links
    wire = next(link for link in links.values() if link.mtu == 1600)
    assert {(one.impairment.delay, one.impairment.jitter, one.impairment.loss, one.impairment.rate) for one in wire.endpoints} == {
        (10, 1, 0.5, 5000)
    }
    delays = {end.impairment.delay for link in links.values() for end in link.endpoints if end.impairment and end.impairment.duplicate}
    assert delays == {0.0, 5.0}
    assert {key for key in links if key.startswith("segment:")} == {"segment:core", "segment:three_1"}
    assert [link.far.interface for link in links.values() if link.far and link.far.type == "macvlan"] == ["ens7"]


def test_an_address_of_a_vlan_is_not_put_on_its_port(files):
    topology = load_topology(str(files("vlans_and_bundles")), {})
    at_h1 = next(link for link in topology.links.values() if any(end.node == "h1" for end in link.endpoints))
    assert {end.node: bool(end.ipv4) for end in at_h1.endpoints} == {"h1": True, "r1": False}
    assert any("vlan: devices are not configured" in note for note in topology.notes)
    assert any("it is no wire" in note for note in topology.notes)


def test_netlabs_own_topology_is_refused_with_the_command_that_makes_it_readable(files):
    with pytest.raises(LabFileError, match=r"topology\.yml:\d+:\d+: this file is a topology of netlab's own.*netlab create -o json"):
        load_topology(str(files("vendors").with_name("topology.yml")), {})


def test_devices_that_are_there_already_are_refused(tmp_path):
    file = transformed(tmp_path, "name: x\nprovider: external\ndefaults.device: eos\nnodes: [a, b]\nlinks: [a-b]\n")
    with pytest.raises(LabFileError) as caught:
        load_topology(str(file), {})
    assert [one.what for one in caught.value.problems] == [
        f'node {name}: netlab\'s provider "external" means a device that is there already' for name in "ab"
    ]
