# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import KEYS
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import kind_files
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from ansible_collections.archetype.lab.tests.unit.plugin_utils.forms import BOOLEAN, LIST, MAPPING, NUMBER, TEXT, digits

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("ARCHETYPE_LAB_TOPOLOGIES") or ROOT.parent / "shared" / "topologies")
OTHERS = sorted(SHARED.glob("*/*/*.clab.y*ml"))
needs_shared = pytest.mark.skipif(not OTHERS, reason=f"no topologies of other people in {SHARED}")

HEAD = "name: t\ntopology:\n  defaults: {kind: linux, image: i}\n  nodes: {a: {}, b: {}, c: {}}\n"


@pytest.fixture
def load(tmp_path):
    def call(text, environment=None, **files):
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        path = tmp_path / "t.clab.yml"
        path.write_text(text)
        return load_topology(str(path), environment or {})

    return call


@pytest.fixture
def errors(load, tmp_path):
    def call(text, **files):
        with pytest.raises(LabFileError) as caught:
            load(text, **files)
        return [str(problem).replace(f"{tmp_path}/", "").replace(str(tmp_path), "HERE") for problem in caught.value.problems]

    return call


def node(load, text, **more):
    """The only node of a topology, n, with these settings."""
    indented = "\n".join(f"      {line}" for line in text.splitlines())
    return load(f"name: t\ntopology:\n  nodes:\n    n:\n      kind: linux\n      image: i\n{indented}\n", **more).nodes["n"]


# four levels

LEVELS = """
name: t
topology:
  defaults:
    image: from-defaults
    user: from-defaults
    cmd: from-defaults
    memory: 1G
    env: {D: d, K: d, G: d, N: d}
    exec: [d, same]
    cap-add: [D]
    binds: ["/d:/t", "/d:/d"]
  kinds:
    linux:
      user: from-kind
      cmd: from-kind
      memory: 2G
      env: {K: k, G: k, N: k}
      exec: [k, same]
      cap-add: [K]
      binds: ["/k:/t"]
  groups:
    g:
      kind: linux
      cmd: from-group
      memory: 3G
      env: {G: g, N: g}
      exec: [g]
      cap-add: [CAP_G]
      binds: ["/g:/t:ro"]
  nodes:
    n:
      group: g
      memory: 4G
      env: {N: n}
      exec: [n, n]
      cap-add: [n]
      binds: ["/n:/t"]
"""


def test_scalars_of_the_more_specific_level_win(load):
    one = load(LEVELS).nodes["n"]
    assert (one.image, one.user, one.cmd, one.memory) == ("from-defaults", "from-kind", ("from-group",), 4 * 10**9)


def test_maps_are_merged_and_lists_united_with_the_least_specific_first(load):
    one = load(LEVELS).nodes["n"]
    assert one.env == {"D": "d", "K": "k", "G": "g", "N": "n"}
    assert one.exec == (("d",), ("same",), ("k",), ("g",), ("n",), ("n",))
    assert one.cap_add == ("D", "G", "K", "N")


def test_a_bind_of_a_more_specific_level_replaces_one_with_the_same_target(load):
    assert load(LEVELS).nodes["n"].binds == (Bind("/d", "/d"), Bind("/n", "/t"))


@pytest.mark.parametrize(
    ("above", "node"),
    [
        ("groups: {g: {kind: bridge}}, defaults: {kind: bridge}", "{kind: linux, group: g, image: i}"),
        ("groups: {g: {kind: linux, image: i}}, defaults: {kind: bridge}", "{group: g}"),
        ("groups: {g: {kind: linux, image: i}}, defaults: {kind: bridge, group: g}", "~"),
        ("groups: {g: {kind: linux}, h: {image: i}}, defaults: {kind: bridge, group: g}", "{group: h}"),
        ("defaults: {kind: linux, image: i}", "~"),
        ("kinds: {linux: {group: g}}, groups: {g: {kind: bridge}}, defaults: {kind: linux, image: i}", "~"),
        ("defaults: {kind: LINUX, image: i}", "~"),
    ],
    ids=["node", "group", "group of the defaults", "group without a kind", "defaults", "not by the group of the kind", "in any case"],
)
def test_the_kind_is_looked_for_in_containerlabs_order(load, above, node):
    assert load(f"name: t\ntopology: {{{above}, nodes: {{n: {node}}}}}\n").nodes["n"].kind == "linux"


@pytest.mark.parametrize(
    ("text", "group"),
    [
        ("{kinds: {linux: {group: k}}, defaults: {kind: linux, group: d, image: i}, nodes: {n: {group: n}}}", "n"),
        ("{kinds: {linux: {group: k}}, defaults: {kind: linux, group: d, image: i}, nodes: {n: {}}}", "k"),
        ("{defaults: {kind: linux, group: d, image: i}, nodes: {n: {}}}", "d"),
    ],
)
def test_the_group_is_looked_for_in_containerlabs_order(load, text, group):
    assert load(f"name: t\ntopology: {text}\n").nodes["n"].group == group


def test_an_empty_value_does_not_override(load):
    text = "name: t\ntopology: {defaults: {kind: linux, image: i, user: root, cpu: 2}, nodes: {n: {user: '', cpu: 0, env: , exec: }}}\n"
    one = load(text).nodes["n"]
    assert (one.user, one.cpu) == ("root", 2.0)


def test_a_flag_of_the_node_can_be_false_again(load):
    text = "name: t\ntopology: {defaults: {kind: linux, image: i, privileged: true}, nodes: {n: {privileged: false}, m: {}}}\n"
    nodes = load(text).nodes
    assert (nodes["n"].privileged, nodes["m"].privileged) == (False, True)


# one node


def test_values_of_env_are_the_text_they_were_written_with(load):
    one = node(load, "env: {A: true, B: 1, C: 1.50, D: yes, E: null, F: '', G: 0x1F}")
    assert one.env == {"A": "true", "B": "1", "C": "1.50", "D": "yes", "E": "", "F": "", "G": "0x1F"}


def test_every_honoured_key_reaches_the_node(load):
    one = node(
        load,
        "cmd: sh -c 'a b'\nentrypoint: /e\nuser: 0\nmemory: 512mb\ncpu: 1.5\nprivileged: true\n"
        "labels: {l: 1}\nsysctls: {net.ipv4.ip_forward: 0, net.core.x: 1}\ndevices: [/dev/net/tun]\nexec: ['x \"y z\"']",
    )
    assert (one.cmd, one.entrypoint, one.user, one.memory, one.cpu) == (("sh", "-c", "a b"), ("/e",), "0", 512_000_000, 1.5)
    assert (one.privileged, one.labels, one.devices, one.exec) == (True, {"l": "1"}, ("/dev/net/tun",), (("x", "y z"),))
    assert one.sysctls == {"net.ipv4.ip_forward": "0", "net.core.x": "1"}
    assert (one.place.line, one.place.column, one.container, one.profile.boot.system_paths) == (4, 5, "clab-t-n", "unconfined")


@pytest.mark.parametrize(
    ("line", "container"), [("", "clab-t-n"), ('prefix: ""', "n"), ("prefix: __lab-name", "t-n"), ("prefix: x", "x-t-n")]
)
def test_the_prefix_of_the_file_is_honoured(load, line, container):
    assert load(f"name: t\n{line}\ntopology: {{nodes: {{n: {{kind: linux, image: i}}}}}}\n").nodes["n"].container == container


def test_relative_binds_are_beside_the_topology_and_absolute_ones_on_the_server(load, tmp_path):
    one = node(load, "binds: ['a.conf:/etc/a:ro', '/srv/x:/x', '__clabNodeName__.conf:/etc/n/']", **{"a.conf": "", "n.conf": ""})
    assert one.binds == (
        Bind(f"{tmp_path}/a.conf", "/etc/a", "ro", local=True),
        Bind(f"{tmp_path}/n.conf", "/etc/n", local=True),
        Bind("/srv/x", "/x"),
    )


@pytest.mark.parametrize("key", ["startup-config", "license"])
def test_a_startup_config_and_a_license_are_files_or_the_text_itself(load, tmp_path, key):
    one = node(load, f"{key}: __clabNodeName__.cfg", **{"n.cfg": "x"})
    field = key.replace("-", "_")
    assert (getattr(one, field), one.binds) == (Bind(f"{tmp_path}/n.cfg", "", local=True), ())
    inline = node(load, f"{key}: |\n  one\n  two __clabNodeName__ __clabLabName__")
    assert getattr(inline, field) == Bind("", "", local=True, content="one\ntwo n clab-t\n")
    assert getattr(node(load, f"{key}: {tmp_path}/n.cfg"), field) == Bind(f"{tmp_path}/n.cfg", "", local=True)


def test_variables_of_the_environment_are_put_in(load):
    topology = load("name: t\ntopology: {nodes: {n: {kind: linux, image: 'a:${TAG:-1}', cmd: 'echo $X $TAG'}}}\n", {"TAG": "7"})
    assert (topology.nodes["n"].image, topology.nodes["n"].cmd) == ("a:7", ("echo", "$X", "7"))


NODE_ERRORS = [
    ("imgae: x", 't.clab.yml:7:7: unknown key "imgae" in node n. Did you mean "image"?'),
    ("binds: [x]", 't.clab.yml:7:15: node n: "x" is not a bind. Write it as source:target or source:target:options'),
    ("binds: [/]", "t.clab.yml:7:15: node n: bind target \"/\" is not an absolute path. Write the path in the node, without '..'"),
    ("binds: ['a:/b:c:d']", 't.clab.yml:7:15: node n: "a:/b:c:d" is not a bind. Write it as source:target or source:target:options'),
    ("binds: ['/a:b']", "t.clab.yml:7:15: node n: bind target \"b\" is not an absolute path. Write the path in the node, without '..'"),
    (
        "binds: ['/a:/b/../../c']",
        "t.clab.yml:7:15: node n: bind target \"/b/../../c\" is not an absolute path. Write the path in the node, without '..'",
    ),
    ("binds: ['/a:/']", "t.clab.yml:7:15: node n: bind target \"/\" is not an absolute path. Write the path in the node, without '..'"),
    ("binds: ['/a:/b:r/w']", 't.clab.yml:7:15: node n: "r/w" are not options of a bind. Use ro or rw'),
    (
        "binds: ['__clabDir__/../../x:/b']",
        "t.clab.yml:7:15: node n: bind source \"__clabDir__/../../x\" leads out of its folder. Leave out '..'",
    ),
    ("binds: {a: b}", "t.clab.yml:7:14: binds of node n must be a list, not a mapping" + LIST),
    ("binds: [[a]]", "t.clab.yml:7:15: an entry of binds of node n must be text, not a list" + TEXT),
    ("exec: ip a", 't.clab.yml:7:13: exec of node n must be a list, not "ip a"' + LIST),
    ("exec: [~]", "t.clab.yml:7:14: an entry of exec of node n must be text, not nothing" + TEXT),
    ("exec: ['a \"b']", "t.clab.yml:7:14: node n: exec cannot be split into words: a quote is not closed. Correct the quotes"),
    ("cmd: [a]", "t.clab.yml:7:12: cmd of node n must be text, not a list" + TEXT),
    ("env: [A=1]", "t.clab.yml:7:12: env of node n must be a mapping, not a list" + MAPPING),
    ("env: {A: {b: c}}", 't.clab.yml:7:16: "A" of env of node n must be text, not a mapping' + TEXT),
    ("env: {A=B: c}", "t.clab.yml:7:18: node n: \"A=B\" cannot be the name of a variable. Leave out '='"),
    ("memory: 1Q", 't.clab.yml:7:15: node n: memory "1Q" is not an amount of memory. Write it as 512MB or 1Gib'),
    ("cpu: many", 't.clab.yml:7:12: cpu of node n must be a number, not "many"' + NUMBER),
    ("cpu: -1", 't.clab.yml:7:12: node n: cpu "-1" is not a number of CPUs. Write it as 1.5'),
    ("cpu: .inf", 't.clab.yml:7:12: cpu of node n must be a number, not ".inf"' + NUMBER),
    ("privileged: maybe", 't.clab.yml:7:19: privileged of node n must be true or false, not "maybe"' + BOOLEAN),
    ("cap-add: [NET ADMIN]", 't.clab.yml:7:17: node n: "NET ADMIN" is not a capability. Write it as NET_ADMIN'),
    ("devices: [tun]", 't.clab.yml:7:17: node n: "tun" is not a device. Write it as /dev/name or /dev/name:/dev/name:rwm'),
    (
        "labels: {archetype-lab: x}",
        't.clab.yml:7:31: node n: label "archetype-lab" is a mark of ownership of the lab. Give the label another name',
    ),
    ("sysctls: {'a b': 1}", 't.clab.yml:7:24: node n: "a b" is not the name of a sysctl. Write it as net.ipv4.ip_forward'),
    ("startup-config: .", 't.clab.yml:7:23: node n: startup-config "." is a folder. Name a file'),
    (
        "startup-config: t.clab.yml\nbinds: ['/a:/etc/startup-config']",
        "t.clab.yml:7:23: node n: startup-config and a bind have the same target /etc/startup-config. Keep one of the two",
    ),
]


@pytest.mark.parametrize(("text", "message"), NODE_ERRORS, ids=[text.splitlines()[0] for text, _message in NODE_ERRORS])
def test_a_bad_setting_is_told_with_its_line(errors, text, message):
    indented = "\n".join(f"      {line}" for line in text.splitlines())
    assert errors(f"name: t\ntopology:\n  nodes:\n    n:\n      kind: linux\n      image: i\n{indented}\n") == [message]


FILE_ERRORS = [
    ("", "t.clab.yml: the file is empty. One document is expected"),
    ("~\n", "t.clab.yml:1:1: the file is empty. Give it name and topology"),
    ("[]\n", "t.clab.yml:1:1: a topology file must be a mapping, not a list" + MAPPING),
    ("text\n", 't.clab.yml:1:1: a topology file must be a mapping, not "text"' + MAPPING),
    ("name: t\n", "t.clab.yml:1:1: topology is missing. Put nodes and links under it"),
    ("name: t\ntopology: []\n", "t.clab.yml:2:11: topology must be a mapping, not a list" + MAPPING),
    ("name: t\ntopology: {links: []}\n", "t.clab.yml:2:11: there are no nodes. Put them under topology, nodes"),
    ("name: t\ntopology: {nodes: {}}\n", "t.clab.yml:2:19: there are no nodes. Put them under topology, nodes"),
    ("name: t\ntopology: {nodes: [a]}\n", "t.clab.yml:2:19: nodes must be a mapping, not a list" + MAPPING),
    (
        "name: t\ntopology: {defaults: {kind: linux, image: i}, nodes: {a: [x]}}\n",
        "t.clab.yml:2:58: node a must be a mapping, not a list" + MAPPING,
    ),
    ("topology: {nodes: {a: {kind: linux, image: i}}}\n", "t.clab.yml:1:1: name is missing. Give the lab a name"),
    (
        "name: ../x\ntopology: {nodes: {a: {kind: linux, image: i}}}\n",
        "t.clab.yml:1:7: lab name \"../x\" is not allowed. Use letters, digits, '.', '_' and '-', and begin with a letter or digit",
    ),
    ("name: [t]\ntopology: {nodes: {a: {kind: linux, image: i}}}\n", "t.clab.yml:1:7: name must be text, not a list" + TEXT),
    (
        "name: t\nprefix: a/b\ntopology: {nodes: {a: {kind: linux, image: i}}}\n",
        "t.clab.yml:2:9: prefix \"a/b\" is not allowed. Use letters, digits, '.', '_' and '-', or leave it empty, or \"__lab-name\"",
    ),
    (
        "name: t\ntopolgy: {}\ntopology: {nodes: {a: {kind: linux, image: i}}}\n",
        't.clab.yml:2:1: unknown key "topolgy" in a topology file. Did you mean "topology"?',
    ),
    (
        "name: t-__gitBranch__\ntopology: {nodes: {a: {kind: linux, image: i}}}\n",
        (
            "t.clab.yml:1:7: the name of the lab has a variable of git, and HERE is not in a working copy of git. "
            "Write the name out, or keep the topology in a working copy of git"
        ),
    ),
    (
        "name: t\ntopology: {nodes: {a: {kind: linux}}}\n",
        "t.clab.yml:2:20: node a has no image. Give it one, or give one to its group, its kind or the defaults",
    ),
    (
        "name: t\ntopology: {nodes: {a: {image: i}}}\n",
        "t.clab.yml:2:20: node a has no kind. Give it one, or give one to its group or the defaults",
    ),
    (
        "name: t\ntopology: {nodes: {a: {kind: linux, image: 'i i'}}}\n",
        't.clab.yml:2:44: node a: "i i" is not an image reference. Write it as repository/name:tag',
    ),
    (
        "name: t\ntopology: {nodes: {a: {kind: lnux, image: i}}}\n",
        't.clab.yml:2:30: unknown kind "lnux". Did you mean "linux"?',
    ),
    (
        "name: t\ntopology: {nodes: {a b: {kind: linux, image: i}}}\n",
        "t.clab.yml:2:20: node name \"a b\" is not allowed. Use letters, digits, '.', '_' and '-', and begin with a letter or digit",
    ),
    (
        "name: t\ntopology:\n  nodes:\n    a: {kind: linux, image: i}\n    a: {kind: linux, image: i}\n",
        't.clab.yml:5:5: duplicate key "a", first written on line 4. Keep one of the two',
    ),
]


@pytest.mark.parametrize(("text", "message"), FILE_ERRORS)
def test_a_bad_file_is_told_with_its_line(errors, text, message):
    assert errors(text) == [message]


def test_an_unknown_kind_of_a_group_is_told_once(errors):
    text = "name: t\ntopology: {groups: {g: {kind: x, image: i}}, nodes: {a: {group: g}, b: {group: g}}}\n"
    assert errors(text) == ['t.clab.yml:2:31: unknown kind "x". docs/kinds.md has all kinds, and says how to add one']


def test_all_problems_are_told_at_once_in_the_order_of_the_file(errors):
    found = errors(HEAD.replace("b: {}", "b: {kind: x}") + "  links:\n    - endpoints: [a:eth0, d:eth1]\n    - type: host\n")
    assert [one.split(":")[1] for one in found] == ["4", "6", "6", "7", "7"]


# links


def link_text(*lines):
    return HEAD + "  links:\n" + "".join(f"    - {line}\n" for line in lines)


def test_links_have_canonical_keys_and_sorted_ends(load):
    topology = load(
        link_text(
            'endpoints: ["b:eth1", "a:eth2"]',
            "{type: veth, mtu: 2000, endpoints: [{node: a, interface: eth1, mac: 02-00-00-00-00-01}, {node: c, interface: x}]}",
        )
    )
    assert list(topology.links) == ["a:eth1--c:x", "a:eth2--b:eth1"]
    one = topology.links["a:eth1--c:x"]
    assert [(end.node, end.interface, end.mac, end.vendor_name) for end in one.endpoints] == [
        ("a", "eth1", "02:00:00:00:00:01", "eth1"),
        ("c", "x", "", "x"),
    ]
    assert (one.mtu, one.segment, one.place.line, one.place.column) == (2000, "", 7, 7)
    assert topology.links["a:eth2--b:eth1"].mtu is None


def test_the_order_of_the_file_does_not_matter(load):
    lines = ['endpoints: ["b:eth1", "a:eth2"]', 'endpoints: ["a:eth1", "c:eth1"]']
    one, other = load(link_text(*lines)), load(link_text(*lines[::-1]))
    assert list(one.links) == list(other.links)
    assert [link.endpoints for link in one.links.values()] == [link.endpoints for link in other.links.values()]


def test_a_node_of_kind_bridge_is_one_link_with_many_ends(load):
    text = link_text("endpoints: [a:eth1, br:p1]", "endpoints: [br:p2, b:eth1]", "{endpoints: [c:eth1, br:p3], mtu: 1400}")
    topology = load(text.replace("c: {}", "c: {}, br: {kind: bridge}"))
    assert list(topology.nodes) == ["a", "b", "c"]
    assert list(topology.links) == ["segment:br"]
    segment = topology.links["segment:br"]
    assert [end.name for end in segment.endpoints] == ["a:eth1", "b:eth1", "c:eth1"]
    assert (segment.segment, segment.mtu, segment.place.line) == ("br", 1400, 6)


def test_a_bridge_needs_no_image_and_one_without_links_is_noted(load):
    topology = load("name: t\ntopology: {nodes: {br: {kind: bridge}, a: {kind: linux, image: i}}}\n")
    assert topology.notes == ("segment br: no link ends at it",)


LINK_ERRORS = [
    (["endpoints: [a:eth1, d:eth1]"], ['6:27: unknown node "d" in a link. Add it under nodes, or correct its name']),
    (["endpoints: [a:eth1, B:eth1]"], ['6:27: unknown node "B" in a link. Did you mean "b"?']),
    (
        ["endpoints: [a:eth1, b:eth1]", "endpoints: [a:eth1, c:eth1]"],
        ["7:19: interface a:eth1 is in two links, first on line 6. Use another interface in one of them"],
    ),
    (
        ["endpoints: [a:eth1, b:eth1]", "endpoints: [b:eth1, a:eth1]"],
        ['7:7: link a:eth1--b:eth1 is there twice, here as "b:eth1, a:eth1" and on line 6 as "a:eth1, b:eth1". Keep one of the two'],
    ),
    (["endpoints: [a:eth1, a:eth1]"], ["6:27: a link joins a:eth1 with itself. Give it two interfaces"]),
    (
        ["endpoints: [a:eth0, b:eth1]"],
        [
            (
                '6:19: node a: interface "eth0" is the management interface of kind linux. '
                "The first one is eth1, unless the node has network-mode: none"
            )
        ],
    ),
    (["endpoints: [a:eth1]"], ["6:18: a link has 1 endpoints. Give it two; use a node of kind bridge for more"]),
    (["endpoints: [a:eth1, b:eth1, c:eth1]"], ["6:18: a link has 3 endpoints. Give it two; use a node of kind bridge for more"]),
    (
        ["endpoints: a:eth1"],
        [
            "6:18: a link has 0 endpoints. Give it two; use a node of kind bridge for more",
            '6:18: endpoints of a link must be a list, not "a:eth1"' + LIST,
        ],
    ),
    (["mtu: 1500"], ["6:7: a link has 0 endpoints. Give it two; use a node of kind bridge for more"]),
    (["endpoints: [a, b:eth1]"], ['6:19: "a" is not an endpoint. Write it as node:interface']),
    (["endpoints: [[a], b:eth1]"], ["6:19: an endpoint must be text, not a list" + TEXT]),
    (["endpoints: [{node: a}, b:eth1]"], ["6:19: an endpoint needs node and interface. Give both"]),
    (["endpoints: [{node: a, interface: eth1, mca: x}, b:eth1]"], ['6:46: unknown key "mca" in an endpoint. Did you mean "mac"?']),
    (
        ["endpoints: [{node: a, interface: eth1, mac: 'x'}, b:eth1]"],
        ['6:51: "x" is not a MAC address. Write it as 02:00:00:00:00:01'],
    ),
    (
        ["endpoints: [{node: a, interface: eth1, mac: '02:00:00:00:00:01'}, {node: b, interface: eth1, mac: '02:00:00:00:00:01'}]"],
        ["6:105: MAC address 02:00:00:00:00:01 is given twice, first on line 6. Give each interface its own"],
    ),
    (["{endpoints: [a:eth1, b:eth1], mtu: 20}"], ['6:42: mtu of a link must be a whole number from 68 to 65535, not "20"' + digits(68)]),
    (["{endpoints: [a:eth1, b:eth1], mtu: [1]}"], ["6:42: mtu of a link must be a whole number from 68 to 65535, not a list" + digits(68)]),
    (["{endpoints: [a:eth1, b:eth1], mut: 1}"], ['6:37: unknown key "mut" in a link. Did you mean "mtu"?']),
    (
        ["{type: vxlan, endpoint: {}}"],
        [
            "6:7: a link of type vxlan has no remote. Give it the address of the far VTEP",
            "6:7: a link of type vxlan has no vni. Give it the VNI of the far VTEP",
            "6:31: an endpoint needs node and interface. Give both",
        ],
    ),
    (["{type: vteh}"], ['6:14: unknown link type "vteh". Did you mean "veth"?']),
    (
        ["endpoints: [macvlan:x0, host:x1]"],
        ['6:7: a link joins "macvlan:x0" and "host:x1", and neither is a node of the lab. One end must be node:interface'],
    ),
    (
        ["endpoints: [a:eth1, dummy:x1]"],
        [('6:27: "dummy:x1": links of type dummy have no brief form. Write it as {type: dummy, endpoint: {node: r1, interface: eth1}}')],
    ),
    (["text"], ['6:7: a link must be a mapping, not "text"' + MAPPING]),
    (["~"], ["6:7: a link is empty. Give it two endpoints"]),
    (
        ["endpoints: [br:p1, bs:p1]"],
        ["6:7: a link joins the bridges br and bs. Make one node of kind bridge of them"],
    ),
    (
        ["endpoints: [a:eth1, br:p1]", "endpoints: [b:eth1, br:p1]"],
        ["7:27: interface br:p1 is in two links, first on line 6. Use another interface in one of them"],
    ),
    (
        ["{endpoints: [a:eth1, br:p1], mtu: 1400}", "{endpoints: [b:eth1, br:p2], mtu: 1500}"],
        ["7:41: segment br has mtu 1500 here and 1400 on line 6. All links of a bridge have the same mtu"],
    ),
]


@pytest.mark.parametrize(("lines", "messages"), LINK_ERRORS, ids=[lines[-1] for lines, _messages in LINK_ERRORS])
def test_a_bad_link_is_told_with_its_line(errors, lines, messages):
    text = link_text(*lines).replace("c: {}", "c: {}, br: {kind: bridge}, bs: {kind: bridge}")
    assert errors(text) == [f"t.clab.yml:{message}" for message in messages]


def test_links_of_nodes_of_unknown_kinds_add_no_problems(errors):
    text = link_text("endpoints: [a:ethernet-1/1, b:eth1]").replace("a: {}", "a: {kind: x}")
    assert errors(text) == ['t.clab.yml:4:21: unknown kind "x". docs/kinds.md has all kinds, and says how to add one']


# what has no effect yet


def test_what_has_no_effect_is_noted_with_the_reason(load):
    text = (
        "name: t\nmgmt: {network: x, bridge: b}\nsettings: {certificate-authority: {key-size: 2048}}\ntopology:\n"
        "  defaults: {kind: linux, image: i, type: x, runtime: podman, mgmt-ipv4: 192.0.2.1}\n"
        "  kinds: {lnux: {image: x}}\n"
        "  nodes:\n    a: {restart-policy: always, image-pull-policy: Always, auto-remove: true, certificate: {issue: true}}\n"
        "    b: {restart-policy: 'no', image-pull-policy: never, auto-remove: false, runtime: docker, position: left, "
        "link-apply-mode: live}\n"
        "    c: {link-apply-mode: restart}\n"
        "    br: {kind: bridge, image: x, group: g}\n"
        "  links:\n    - {endpoints: [a:eth1, br:eth1]}\n"
    )
    assert load(text).notes == (
        "settings has no effect: no certificates are made",
        "mgmt: bridge has no effect: the management network is the lab's own and spans its servers",
        "defaults: mgmt-ipv4 has no effect: only a node itself can have it",
        "segment br: image has no effect",
        "auto-remove of a has no effect: a node that ends stays, so that its log can be read",
        "certificate of a has no effect: no certificates are made",
        "image-pull-policy of a has no effect: images are never pulled",
        "link-apply-mode of c has no effect: interfaces come to running nodes, and go, as with live",
        "position of b has no effect: nothing is drawn",
        "restart-policy of a has no effect: a node that ends stays so until the next run, as Docker would start it without its interfaces",
        "runtime of a, c has no effect: nodes run with Docker",
        'kinds: "lnux" is not a known kind, and no node uses it. Did you mean "linux"?',
    )


def test_what_a_kind_has_no_use_for_is_noted(load):
    text = (
        "name: t\ntopology:\n  nodes:\n"
        '    a: {kind: linux, image: i, license: "a\\n", components: [{slot: A}], '
        "extras: {mysocket-proxy: x, srl-agents: []}}\n"
        '    b: {kind: srl, image: i, startup-config: "b\\n", license: "l\\n", extras: {srl-agents: []}}\n'
        "    c: {kind: ceos, image: i, extras: {srl-agents: []}}\n"
        "    d: {kind: nokia_sros, image: i, components: [{slot: 1, type: x}]}\n"
    )
    assert load(text).notes == (
        "node a: components, extras (mysocket-proxy), extras (srl-agents), license have no effect with kind linux",
        "node c: extras (srl-agents) has no effect with kind arista_ceos",
    )


def test_a_note_of_many_nodes_names_some_of_them(load):
    nodes = ", ".join(f"n{number}: {{}}" for number in range(9))
    text = f"name: t\ntopology: {{defaults: {{kind: linux, image: i, position: left}}, nodes: {{{nodes}}}}}\n"
    assert load(text).notes == ("position of n0, n1, n2, n3, n4, n5 and 3 more has no effect: nothing is drawn",)


def test_every_key_of_containerlabs_schema_is_known():
    schema = (
        "aliases auto-remove binds cap-add certificate cgroup-parent cgroupns-mode cmd components config cpu cpu-set "
        "credentials devices dns enforce-startup-config entrypoint env env-files exec extras group healthcheck hostname "
        "image image-pull-policy kind labels license link-apply-mode memory mgmt-ipv4 mgmt-ipv6 network-mode pid-mode "
        "ports privileged restart-policy runtime security-opts shm-size stages startup-config startup-delay "
        "suppress-startup-config sysctls tmpfs type user volumes "
    )
    assert {*schema.split(), "position"} == KEYS


# other people's topologies


@needs_shared
def test_frr01_loads_completely():
    topology = load_topology(str(SHARED / "lab-examples/frr01/frr01.clab.yml"), {})
    assert list(topology.nodes) == ["PC1", "PC2", "PC3", "router1", "router2", "router3"]
    assert list(topology.links) == [
        "PC1:eth1--router1:eth3",
        "PC2:eth1--router2:eth3",
        "PC3:eth1--router3:eth3",
        "router1:eth1--router2:eth1",
        "router1:eth2--router3:eth1",
        "router2:eth2--router3:eth2",
    ]
    router, host = topology.nodes["router1"], topology.nodes["PC1"]
    assert (router.image, router.group, host.group) == ("quay.io/frrouting/frr:10.5.1", "routers", "hosts")
    assert [(Path(bind.source).name, bind.target, bind.local) for bind in router.binds] == [
        ("daemons", "/etc/frr/daemons", True),
        ("frr.conf", "/etc/frr/frr.conf", True),
    ]
    assert host.exec[1] == ("ip", "addr", "add", "192.168.11.2/24", "dev", "eth1")
    assert topology.notes == ()


@needs_shared
@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.name)
def test_other_peoples_files_load_or_say_what_is_not_known_yet(path):
    """Each loads, or has nothing but kinds, link types and bind sources that it is right to refuse, at the lines where they are."""
    lines = path.read_text().splitlines()
    try:
        load_topology(str(path), {})
    except LabFileError as exc:
        for problem in exc.problems:
            line = lines[problem.line - 1]
            if "missing bind source" in problem.what:
                assert problem.what.split('"')[1] in line
            else:
                assert problem.what.startswith("links of type")
                assert problem.what.split()[3] in line
    else:
        kinds = {line.split(":")[1].split("#")[0].strip().strip('"') for line in lines if line.strip().startswith("kind:")}
        assert kinds <= set(kind_files())


# whatever stands in a file

VALID = """
name: fuzz
prefix: x
topology:
  defaults: {kind: linux, image: "a/b:1", env: {A: 1}, memory: 1G, cpu: 1.5}
  kinds: {linux: {exec: ["ip a"], sysctls: {net.ipv4.ip_forward: 1}}}
  groups: {g: {binds: ["/a:/b:ro"], labels: {x: y}, privileged: true}}
  nodes:
    a: {group: g, cmd: sh -c "x", cap-add: [NET_ADMIN], devices: [/dev/net/tun], user: root}
    b: {startup-config: "one\\ntwo", entrypoint: /x, mgmt-ipv4: 192.0.2.1}
    c:
    br: {kind: bridge}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
    - {endpoints: ["a:eth2", "br:p1"], mtu: 1400}
    - {type: veth, endpoints: [{node: b, interface: eth2, mac: "02:00:00:00:00:01"}, {node: br, interface: p2}]}
"""
JUNK = [
    *(None, True, -1, 0, 10**30, 1.5, float("inf"), "", " ", "x", "a:eth1", "../..", "a\nb", "\x1b[0m", "{{ 1 }}", "$HOME", "${"),
    *("\u00e9" * 20, "x" * 5000, "9" * 5000, "1:2:3:4", "__clabDir__/x:/y", "/a\u2028:/b"),
    *([], {}, [[]], [None], {"a": {"b": []}}, {"": ""}, ["a:eth1", "b:eth1"]),
]


def mutate(rng, value):
    """The value with one thing in it changed, taken out, doubled or renamed."""
    choices = []

    def walk(one, path):
        choices.append(path)
        for key in one if isinstance(one, dict) else range(len(one)) if isinstance(one, list) else ():
            walk(one[key], (*path, key))

    walk(value, ())
    path = rng.choice(choices)
    if not path:
        return rng.choice(JUNK)
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    action = rng.random()
    if action < 0.6:
        parent[path[-1]] = rng.choice(JUNK)
    elif action < 0.75:
        del parent[path[-1]]
    elif isinstance(parent, dict):
        parent[rng.choice(["x", "kind", "../x", "endpoints", "", "é\n", "a|b", "host"])] = parent.pop(path[-1])
    else:
        parent.append(parent[path[-1]])
    return value


def problems_of(path):
    """What is wrong with a file; anything but a LabFileError goes on to the test."""
    try:
        load_topology(str(path), {})
    except LabFileError as exc:
        return exc.problems
    return ()


@pytest.mark.parametrize("seed", range(20))
def test_nothing_but_lab_file_errors_whatever_a_file_holds(tmp_path, seed):
    rng = random.Random(seed)
    path = tmp_path / "fuzz.clab.yml"
    loaded = 0
    for _round in range(25):
        value = yaml.safe_load(VALID)
        for _change in range(rng.randint(1, 4)):
            if isinstance(value, (dict, list)) and value:
                value = mutate(rng, value)
        path.write_text(yaml.safe_dump(value, allow_unicode=bool(rng.getrandbits(1))), encoding="utf-8")
        found = problems_of(path)
        assert all(str(problem).startswith(str(path)) and "\n" not in str(problem) for problem in found)
        loaded += not found
    assert loaded < 25


@pytest.mark.parametrize("seed", range(10))
def test_nothing_but_lab_file_errors_whatever_bytes_a_file_holds(tmp_path, seed):
    rng = random.Random(seed)
    path = tmp_path / "fuzz.clab.yml"
    for _round in range(20):
        raw = bytearray(VALID.encode())
        for _change in range(rng.randint(1, 6)):
            position = rng.randrange(len(raw))
            raw[position : position + rng.randint(0, 3)] = rng.choice(
                [b"\xff", b"\0", b"{", b"]", b"&a ", b"*a", b"\t", b"!!x ", b": ", b"- ", b"\n", b"|", b"%", b"<<: "]
            )
        path.write_bytes(bytes(raw))
        assert all(str(problem).startswith(str(path)) for problem in problems_of(path))


def test_the_file_that_is_mutated_is_a_good_one(load):
    topology = load(VALID)
    assert (list(topology.nodes), list(topology.links)) == (["a", "b", "c"], ["a:eth1--b:eth1", "segment:br"])


def test_a_large_topology_loads_in_less_than_two_seconds(load):
    """It takes 0.4 s on the machine where this was written; the rest is for busy ones."""
    nodes = "".join(f"    n{n}:\n      kind: linux\n      env: {{A: 1}}\n      exec:\n        - ip link set eth1 up\n" for n in range(1000))
    links = "".join(f'    - endpoints: ["n{n}:eth{k}", "n{(n + k) % 1000}:eth{k + 2}"]\n' for n in range(1000) for k in (1, 2))
    text = f"name: big\ntopology:\n  kinds: {{linux: {{image: i}}}}\n  nodes:\n{nodes}  links:\n{links}"
    start = time.process_time()
    topology = load(text)
    assert time.process_time() - start < 2
    assert (len(topology.nodes), len(topology.links)) == (1000, 2000)
