# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What netlab writes, by hand and as small as can be. The real netlab is in tests/unit/netlab."""

from __future__ import annotations

import contextlib
import copy
import json
import random

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import find_kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Impairment
from ansible_collections.archetype.lab.plugins.plugin_utils._netlab_nodes import DEVICES
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology


def interface(link, index, **more):
    return {"linkindex": link, "ifindex": index, "ifname": f"eth{index}", **more}


def end(node, index):
    return {"node": node, "ifindex": index, "ifname": f"eth{index}"}


SMALL = {
    "_netlab_version": "26.10",
    "name": "t",
    "provider": "clab",
    "nodes": {
        "a": {
            "name": "a",
            "id": 1,
            "device": "frr",
            "box": "frr:1",
            "clab": {"kind": "linux"},
            "interfaces": [interface(1, 1, ipv4="10.1.0.1/30"), interface(2, 2, ipv4="10.2.0.1/24")],
        },
        "b": {
            "name": "b",
            "id": 2,
            "device": "eos",
            "box": "ceos:1",
            "clab": {"kind": "ceos"},
            "interfaces": [interface(1, 1, ipv4="10.1.0.2/30", clab={"name": "et1"}), interface(2, 2, clab={"name": "et2"})],
        },
    },
    "links": [
        {"_linkname": "links[1]", "linkindex": 1, "type": "p2p", "node_count": 2, "interfaces": [end("a", 1), end("b", 1)]},
        {"_linkname": "links[2]", "linkindex": 2, "type": "lan", "node_count": 2, "interfaces": [end("a", 2), end("b", 2)]},
    ],
}


@pytest.fixture
def small():
    return copy.deepcopy(SMALL)


@pytest.fixture
def load(tmp_path):
    def call(what, environment=None):
        path = tmp_path / "t.json"
        path.write_text(what if isinstance(what, str) else json.dumps(what, indent=2))
        return load_topology(str(path), environment or {})

    return call


@pytest.fixture
def errors(load, tmp_path):
    def call(what):
        with pytest.raises(LabFileError) as caught:
            load(what)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return call


def line_of(what, words):
    lines = json.dumps(what, indent=2).splitlines()
    return next(number for number, line in enumerate(lines, 1) if words in line)


def ends(topology):
    return {(one.name, one.ipv4, one.ipv6) for link in topology.links.values() for one in link.endpoints}


def test_the_smallest_file_is_two_nodes_and_two_wires_with_their_addresses(load, small):
    topology = load(small)
    assert {name: (node.kind, node.image) for name, node in topology.nodes.items()} == {
        "a": ("linux", "frr:1"),
        "b": ("arista_ceos", "ceos:1"),
    }
    assert len(topology.links) == 2
    assert ends(topology) == {("a:eth1", "10.1.0.1/30", ""), ("b:et1", "10.1.0.2/30", ""), ("a:eth2", "10.2.0.1/24", ""), ("b:et2", "", "")}
    assert topology.nodes["a"].container == "clab-t-a"
    assert topology.nodes["b"].place.line == line_of(small, '"b": {')
    assert topology.links["a:eth1--b:et1"].place.line == line_of(small, '"_linkname": "links[1]"') - 1


def test_netlab_knows_no_variables_of_ours_and_dollars_stay(load, small):
    small["nodes"]["a"]["clab"]["env"] = {"PRICE": "$HOME ${x:-y} $$"}
    assert load(small, {"HOME": "/root"}).nodes["a"].env["PRICE"] == "$HOME ${x:-y} $$"


def test_an_interface_of_three_is_a_segment_and_one_of_one_has_no_other_end(load, small):
    small["nodes"]["c"] = {
        "id": 3,
        "device": "linux",
        "box": "i",
        "clab": {"kind": "linux"},
        "interfaces": [interface(2, 1, ipv6="2001:db8::3/64")],
    }
    small["links"][1]["interfaces"].append(end("c", 1))
    small["links"][1]["bridge"] = "t_2"
    small["nodes"]["c"]["interfaces"].append(interface(3, 2))
    small["links"].append({"linkindex": 3, "type": "stub", "node_count": 1, "bridge": "t_3", "interfaces": [end("c", 2)]})
    topology = load(small)
    assert list(topology.links) == ["a:eth1--b:et1", "c:eth2--dummy", "segment:t_2"]
    assert [one.name for one in topology.links["segment:t_2"].endpoints] == ["a:eth2", "b:et2", "c:eth1"]
    assert topology.links["c:eth2--dummy"].far.type == "dummy"


def test_links_that_name_one_bridge_are_one_segment_and_that_is_told(load, small):
    for link in small["links"]:
        link["bridge"] = "br0"
    topology = load(small)
    assert list(topology.links) == ["segment:br0"]
    assert len(topology.links["segment:br0"].endpoints) == 4
    assert "segment br0: 2 links of netlab's name this bridge; they are one segment" in topology.notes


def test_a_bridge_that_is_called_like_a_node_is_a_problem_with_its_line(errors, small):
    for link in small["links"]:
        link["bridge"] = "a"
    assert f"t.json:{line_of(small, chr(34) + 'bridge' + chr(34))}:" in errors(small)[0]
    assert "the bridge a of links[1] has the name of a node" in errors(small)[0]


def test_the_node_knows_what_its_interface_has_the_link_does_not(load, small):
    """With a VLAN the address is on another interface, although the link still says it."""
    small["links"][0]["interfaces"][0]["ipv4"] = "10.9.9.9/24"
    del small["nodes"]["a"]["interfaces"][0]["ipv4"]
    assert ("a:eth1", "", "") in ends(load(small))


def test_what_a_link_does_to_frames_goes_to_each_end_that_has_it(load, small):
    small["nodes"]["a"]["interfaces"][0]["tc"] = {"delay": 10, "jitter": 2, "loss": 1.5, "rate": 1000}
    small["nodes"]["b"]["interfaces"][0]["tc"] = {"reorder": 3, "loss": 2}
    topology = load(small)
    one, other = topology.links["a:eth1--b:et1"].endpoints
    assert one.impairment == Impairment(delay=10.0, jitter=2.0, loss=1.5, rate=1000)
    assert other.impairment == Impairment(loss=2.0)
    assert "links[1]: reorder without a delay has no effect" in topology.notes


def test_the_mtu_of_a_link_is_that_of_the_wire(load, small):
    small["links"][0]["mtu"] = 1600
    assert load(small).links["a:eth1--b:et1"].mtu == 1600


def test_an_unmanaged_node_is_left_out_with_its_ends_and_each_is_told(load, small):
    small["nodes"]["b"]["unmanaged"] = True
    topology = load(small)
    assert list(topology.nodes) == ["a"]
    assert list(topology.links) == ["a:eth1--dummy", "a:eth2--dummy"]
    assert [note for note in topology.notes if "left out" in note] == [
        "node b: netlab does not manage it, and it is left out",
        "links[1]: its end at b is left out",
        "links[2]: its end at b is left out",
    ]


def test_a_link_between_unmanaged_nodes_is_left_out_and_told(load, small):
    for name in "bc":
        small["nodes"][name] = {**small["nodes"]["b"], "unmanaged": True}
    small["links"][1]["interfaces"] = [end("b", 2), end("c", 2)]
    topology = load(small)
    assert list(topology.links) == ["a:eth1--dummy"]
    assert "links[2]: none of its nodes is in the lab, and it is left out" in topology.notes


def test_devices_that_are_there_already_are_a_problem_each(errors, small):
    small["provider"] = "external"
    found = errors(small)
    assert [words in found[place] for place, words in enumerate(("node a: netlab's provider", "node b: netlab's provider"))] == [True, True]


def test_links_that_are_no_wires_are_told(load, small):
    small["links"][1]["type"] = "loopback"
    topology = load(small)
    assert len(topology.links) == 1
    assert any("links[2]: it is no wire" in note for note in topology.notes)


def test_virtual_machines_get_a_container_kind_its_names_and_a_note_on_their_box(load, small):
    small["provider"] = "libvirt"
    small["nodes"]["b"].update(device="csr", box="cisco/csr1000v", memory=4096, cpu=2)
    del small["nodes"]["b"]["clab"]
    for place, index in enumerate((2, 3)):
        small["nodes"]["b"]["interfaces"][place] = interface(place + 1, index, ifname=f"GigabitEthernet{index}")
        small["links"][place]["interfaces"][1] = end("b", index)
    topology = load(small)
    assert topology.nodes["b"].kind == "cisco_csr1000v"
    assert list(topology.links) == ["a:eth1--b:eth1", "a:eth2--b:eth2"]
    assert 'node b: "cisco/csr1000v" is a box of Vagrant\'s; give the image to use in its place under images' in topology.notes
    assert any(note.startswith("node b: netlab's cpu, memory are") for note in topology.notes)


@pytest.mark.parametrize("device", sorted(DEVICES))
def test_every_device_has_a_kind_of_ours_that_takes_its_names(device, load, small):
    one = DEVICES[device]
    assert find_kind(one.kind) is not None
    own = {
        "arcos": "swp1",
        "asav": "GigabitEthernet0/1",
        "cumulus": "swp1",
        "cumulus_nvue": "swp1",
        "openbsd": "vio1",
        "sonic": "Ethernet4",
    }
    small["nodes"]["b"].update(device=device)
    del small["nodes"]["b"]["clab"]
    index = 2 if one.add < 0 else 1
    small["nodes"]["b"]["interfaces"] = [interface(1, index, ifname=own.get(device, f"eth{index}"))]
    small["links"] = [{**small["links"][0], "interfaces": [end("a", 1), end("b", index)]}]
    topology = load(small)
    assert topology.nodes["b"].kind == find_kind(one.kind).name
    assert len(topology.links) == 1


def test_an_unknown_device_is_an_unknown_kind_where_it_is_written(errors, small):
    small["nodes"]["b"]["device"] = "toaster"
    del small["nodes"]["b"]["clab"]
    assert errors(small)[0].startswith(f't.json:{line_of(small, "toaster")}:17: unknown kind "toaster"')


def test_settings_of_containers_move_as_they_are(load, small, tmp_path):
    (tmp_path / "f").write_text("x")
    small["nodes"]["a"]["clab"].update({
        "binds": [{"source": "f", "target": "/f", "mode": "ro"}],
        "exec": ["echo 1"],
        "env": {"A": 1},
        "cmd": "run me",
        "startup-delay": 3,
        "image": "other:2",
    })  # fmt: skip
    node = load(small).nodes["a"]
    assert (node.image, node.exec, node.env["A"], node.cmd) == ("other:2", (("echo", "1"),), "1", ("run", "me"))
    assert [(bind.target, bind.options, bind.local) for bind in node.binds] == [("/f", "ro", True)]


def test_what_netlab_would_generate_is_bound_when_it_is_there_and_told_when_not(load, small, tmp_path):
    small["nodes"]["a"]["clab"].update({
        "binds": [{"source": "node_files/a/daemons", "target": "/etc/frr/daemons"}, {"source": "node_files/a/x", "target": "/x"}],
        "config_templates": [{"source": "daemons", "target": "/etc/frr/daemons"}, {"source": "x", "target": "/x"}],
        "startup-config": "node_files/a/startup.partial.config",
    })  # fmt: skip
    (tmp_path / "node_files" / "a").mkdir(parents=True)
    (tmp_path / "node_files" / "a" / "x").write_text("x")
    topology = load(small)
    assert [bind.target for bind in topology.nodes["a"].binds] == ["/x"]
    assert any("2 of netlab's own configuration files are not there (node_files/a/daemons, ...)" in note for note in topology.notes)


def test_a_bind_of_the_users_that_is_not_there_is_no_matter_of_netlabs(load, small):
    small["nodes"]["a"]["clab"]["binds"] = [{"source": "nothing", "target": "/f"}]
    try:
        missing = load(small).missing
    except LabFileError as error:
        missing = error.problems
    assert any("nothing" in str(one) for one in missing)


def test_a_key_that_nobody_knows_is_a_problem_with_its_line(errors, small):
    small["nodes"]["a"]["clab"]["colour"] = "red"
    assert f"t.json:{line_of(small, 'colour')}:" in errors(small)[0]
    assert 'unknown key "colour" in node a' in errors(small)[0]


def test_start_after_becomes_a_stage_beside_those_that_are_there(load, small):
    small["nodes"]["b"]["clab"].update({"start_after": ["a"], "stages": {"create": {"wait-for": [{"node": "a", "stage": "healthy"}]}}})
    waits = [(one.node, one.stage) for stage in load(small).nodes["b"].stages if stage.name == "create" for one in stage.wait_for]
    assert waits == [("a", "healthy"), ("a", "configure")]


def test_groups_of_the_user_are_kept_and_those_of_netlab_are_not(load, small):
    small["groups"] = {"netlab_no_reload": {"members": ["a"]}, "core": {"members": ["a", "b"]}, "edge": {"members": ["b"]}}
    topology = load(small)
    assert (topology.nodes["a"].group, topology.nodes["b"].group) == ("core", "core")
    assert "node b: it is in the groups core, edge; the first one is kept" in topology.notes


def test_management_addresses_and_their_subnet_are_kept(load, small):
    small["addressing"] = {"mgmt": {"ipv4": "198.51.100.0/24", "ipv6": False}}
    small["nodes"]["a"]["mgmt"] = {"ifname": "eth0", "ipv4": "198.51.100.101", "mac": "ca:fe:00:01:00:00"}
    topology = load(small)
    assert (topology.management.ipv4_subnet, topology.nodes["a"].mgmt_ipv4) == ("198.51.100.0/24", "198.51.100.101")


def test_the_prefix_of_containers_is_netlabs_where_it_says_it(load, small):
    small["defaults"] = {"providers": {"clab": {"lab_prefix": ""}}}
    assert load(small).nodes["a"].container == "a"


def test_servers_own_devices_and_far_vteps(load, small):
    small["links"][0].update({"clab": {"uplink": "ens7"}, "node_count": 1, "interfaces": [end("a", 1)]})
    small["links"][1].update({"clab": {"vxlan": {"remote": "198.18.0.9", "vni": 77, "dstport": 4789}}, "interfaces": [end("a", 2)]})
    links = load(small).links
    assert [(one.far.type, one.far.interface, one.far.remote, one.far.vni, one.far.dst_port) for one in links.values()] == [
        ("macvlan", "ens7", "", 0, 0),
        ("vxlan", "", "198.18.0.9", 77, 4789),
    ]


def test_an_interface_that_borrows_its_address_is_told(load, small):
    small["nodes"]["a"]["interfaces"][0]["ipv4"] = True
    small["module"] = ["ospf", "vlan"]
    topology = load(small)
    assert ("a:eth1", "", "") in ends(topology)
    assert "netlab: ospf, unnumbered interfaces, vlan: devices are not configured; netlab initial does that" in topology.notes


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda one: one["links"][0]["interfaces"][0].update(node="ghost"), 'links[1] has an interface of "ghost"'),
        (lambda one: one["links"][0]["interfaces"][0].update(ifindex=9), "links[1] has an interface of node a that the node does not have"),
        (lambda one: one["links"][0]["interfaces"][0].pop("node"), "an interface of links[1] has no node"),
        (lambda one: one["nodes"].update(b=None), "node b is empty"),
        (lambda one: one["nodes"].update(b=[]), "node b must be a mapping, not a list"),
        (lambda one: one.update(links=[*one["links"], 7]), 'a link must be a mapping, not "7"'),
        (lambda one: one["nodes"]["a"].update(interfaces={}), "interfaces of node a must be a list, not a mapping"),
        (lambda one: one["nodes"]["a"]["interfaces"][0].update(ipv4="10.1.0.1"), "which is no ipv4 address with a prefix"),
        (lambda one: one["links"][0].update(mtu="big"), "mtu of a link must be a whole number"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_problem_with_a_line_and_never_left_out(errors, small, change, what):
    change(small)
    found = [one for one in errors(small) if what in one]
    assert found
    assert all(int(one.split(":")[1]) > 1 for one in found)


def test_parts_of_it_and_topologies_of_netlabs_own_are_told_what_to_do(errors, small):
    todo = "Run netlab create -o json:nodefault=FILE, and name that file"
    assert errors(small["nodes"]) == [f"t.json:1:1: this file is netlab's nodes without its links. {todo}"]
    assert errors(small["links"]) == [f"t.json:1:1: this file is netlab's links without its nodes. {todo}"]
    own = "provider: clab\nnodes: [a, b]\nlinks: [a-b]\n"
    assert errors(own) == [f"t.json:1:1: this file is a topology of netlab's own, which netlab must transform first. {todo}"]


def test_a_containerlab_file_is_not_taken_for_netlabs(load):
    text = "name: t\ntopology:\n  nodes: {nodes: {kind: linux, image: i}, links: {kind: linux, image: i}}\n"
    assert list(load(text).nodes) == ["links", "nodes"]


ODD = [None, True, 7, -1, 1.5, "", "x", "$x", [], {}, [None], [[]], {"a": None}, {"": ""}, ["x", {}], "\u00e9" * 300]


def places(value, path=()):
    """The path of everything in a value."""
    yield path
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(one, (*path, key))


@pytest.mark.parametrize("seed", range(4))
def test_whatever_else_stands_anywhere_there_is_a_lab_or_problems_and_never_a_traceback(seed, tmp_path):
    chance = random.Random(seed)
    whole = copy.deepcopy(SMALL)
    whole["groups"] = {"g": {"members": ["a"]}}
    whole["addressing"] = {"mgmt": {"ipv4": "198.51.100.0/24"}}
    whole["defaults"] = {"providers": {"clab": {"lab_prefix": "x"}}}
    whole["nodes"]["a"].update(mgmt={"ipv4": "198.51.100.9"}, loopback={"ifname": "lo"}, group=["g"])
    whole["nodes"]["a"]["clab"].update(
        binds=[{"source": "f", "target": "/f"}], config_templates=[{"target": "/f"}], start_after=["b"], stages={"create": {"wait-for": []}}
    )
    whole["nodes"]["a"]["interfaces"][0].update(tc={"delay": 1}, mtu=1500)
    whole["links"][0].update(clab={"uplink": "x"}, libvirt={"public": True}, bridge="br")
    path, found = tmp_path / "t.json", list(places(whole))[1:]
    for _number in range(250):
        changed = copy.deepcopy(whole)
        *above, last = chance.choice(found)
        into = changed
        for key in above:
            into = into[key]
        if chance.random() < 0.15:
            del into[last]
        else:
            into[last] = chance.choice(ODD)
        path.write_text(json.dumps(changed))
        with contextlib.suppress(LabFileError):
            load_topology(str(path), {})
