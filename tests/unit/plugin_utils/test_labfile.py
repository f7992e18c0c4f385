# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.tests.unit.plugin_utils.forms import BOOLEAN, GROUP, LIST, MAPPING, TEXT, digits

TOPOLOGY = """name: t
topology:
  nodes:
    a: {kind: linux, image: "reg/frr:1"}
    b: {kind: linux, image: "reg/host:1"}
    br: {kind: bridge}
  links:
    - endpoints: [a:eth1, br:p1]
"""
INLINE = "lab:\n" + "".join(f"  {line}\n" for line in TOPOLOGY.splitlines())
HEAD = "plugin: archetype.lab.topology\ntopology: t.clab.yml\n"


@pytest.fixture
def load(tmp_path):
    def call(text, topology=TOPOLOGY, environment=None):
        (tmp_path / "t.clab.yml").write_text(topology)
        path = tmp_path / "t.lab.yml"
        path.write_text(text)
        return load_lab_file(str(path), environment or {})

    return call


@pytest.fixture
def errors(load, tmp_path):
    def call(text, topology=TOPOLOGY):
        with pytest.raises(LabFileError) as caught:
            load(text, topology)
        return [str(problem).replace(f"{tmp_path}/", "").replace(str(tmp_path), "HERE") for problem in caught.value.problems]

    return call


def test_the_shortest_lab_file_has_the_documented_defaults(load, tmp_path):
    lab = load(HEAD)
    assert (lab.servers, lab.pins, lab.images, lab.overlay_mode) == ("lab_servers", {}, {}, "per_link")
    assert (lab.local_tags, lab.cross_tags, lab.link_mtu) == ((100, 2999), (3000, 4094), 9500)
    assert (lab.path, lab.lock_file) == (f"{tmp_path}/t.lab.yml", f"{tmp_path}/t.lock.yml")
    assert list(lab.topology.nodes) == ["a", "b"]


def test_everything_can_be_said(load):
    lab = load(
        HEAD
        + "servers: {srv1: {ansible_host: 198.51.100.1, ansible_port: 22, x: [true, '1', ~]}, srv2: }\nplacement: {a: srv2}\n"
        + 'images: {"reg/frr:1": "local/frr:2"}\noverlay_mode: shared\ntags: {local: [1, 10], cross: [11, 20]}\nlink_mtu: 1500\n'
    )
    assert lab.servers == {"srv1": {"ansible_host": "198.51.100.1", "ansible_port": 22, "x": [True, "1", None]}, "srv2": {}}
    assert (lab.pins, lab.overlay_mode, lab.local_tags, lab.cross_tags, lab.link_mtu) == ({"a": "srv2"}, "shared", (1, 10), (11, 20), 1500)


def test_the_management_network_can_be_left_out(load):
    assert load(HEAD).topology.management.enabled
    assert load(HEAD + "management: true").topology.management.enabled
    assert not load(HEAD + "management: false").topology.management.enabled


def test_images_are_replaced_by_exact_reference_only(load):
    lab = load(HEAD + 'images: {"reg/frr:1": "reg/host:1", "reg/host:1": "other:2", "reg/fr": "no", "reg/frr": "no"}\n')
    assert {name: node.image for name, node in lab.topology.nodes.items()} == {"a": "reg/host:1", "b": "other:2"}
    assert lab.topology.notes == (
        'images: no node has the image "reg/fr". Did you mean "reg/frr:1"?',
        'images: no node has the image "reg/frr". Did you mean "reg/frr:1"?',
    )


def test_the_lock_file_is_beside_the_topology(load, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.clab.yml").write_text(TOPOLOGY)
    assert load(HEAD.replace("t.clab.yml", "deep/x.clab.yml")).lock_file == f"{tmp_path}/deep/t.lock.yml"


def test_a_topology_can_be_inline_with_variables_only_there(load, tmp_path):
    lab = load(f"plugin: archetype.lab.topology\nservers: $G\n{INLINE}".replace("reg/frr:1", "$G"), environment={"G": "x"})
    assert (lab.servers, lab.topology.nodes["a"].image, lab.lock_file) == ("$G", "x", f"{tmp_path}/t.lock.yml")
    assert lab.topology.nodes["a"].place.file == lab.path


ERRORS = [
    ("", "t.lab.yml: the file is empty. One document is expected"),
    ("~", "t.lab.yml:1:1: the file is empty. Give it plugin, topology and servers"),
    ("[]", "t.lab.yml:1:1: a lab file must be a mapping, not a list" + MAPPING),
    ("topology: t.clab.yml", "t.lab.yml:1:1: plugin is missing. Write plugin: archetype.lab.topology"),
    (HEAD.replace("lab.topology", "lab.topolgy"), 't.lab.yml:1:9: plugin is "archetype.lab.topolgy". Write plugin: archetype.lab.topology'),
    (
        "plugin: archetype.lab.topology",
        "t.lab.yml:1:1: there is no topology. Give either topology, the path of a file, or lab, its content",
    ),
    (HEAD + "lab: {}", "t.lab.yml:3:6: topology and lab are both there. Give either topology, the path of a file, or lab, its content"),
    (
        HEAD.replace("t.clab", "no"),
        't.lab.yml:2:11: there is no topology file "no.yml". Relative paths are looked for in HERE',
    ),
    (
        HEAD.replace("t.clab.yml", "t.clab.gotmpl"),
        "t.lab.yml:2:11: Go templates are not supported. Name the file that the template was rendered to",
    ),
    (HEAD.replace("t.clab.yml", "[a]"), "t.lab.yml:2:11: topology must be text, not a list" + TEXT),
    (HEAD + "server: x", 't.lab.yml:3:1: unknown key "server" in a lab file. Did you mean "servers"?'),
    (HEAD + "servers: [x]", "t.lab.yml:3:10: servers must be the name of a group, or a mapping of servers, not a list" + GROUP),
    (HEAD + "servers: {}", "t.lab.yml:3:10: there are no servers. Name at least one"),
    (HEAD + "servers: {a b: {}}", "t.lab.yml:3:11: \"a b\" cannot name a server. Use letters, digits, '.', '_' and '-'"),
    (HEAD + "servers: {a: 1}", 't.lab.yml:3:14: variables of server a must be a mapping, not "1"' + MAPPING),
    (HEAD + "servers: {a: {b-c: 1}}", "t.lab.yml:3:15: \"b-c\" cannot name a variable. Use letters, digits and '_'"),
    (HEAD + "placement: {c: x}", 't.lab.yml:3:16: unknown node "c" in placement. Correct its name, or take the line out'),
    (HEAD + "placement: {A: x}", 't.lab.yml:3:16: unknown node "A" in placement. Did you mean "a"?'),
    (HEAD + "placement: {br: x}", "t.lab.yml:3:17: br is a segment, which runs on no server. Take the line out"),
    (HEAD + "placement: {a: }", "t.lab.yml:3:16: node a is pinned to no server. Name one, or take the line out"),
    (
        HEAD + "servers: {srv1: }\nplacement: {a: srv2}",
        't.lab.yml:4:16: node a is pinned to the unknown server "srv2". Did you mean "srv1"?',
    ),
    (HEAD + "placement: [a]", "t.lab.yml:3:12: placement must be a mapping, not a list" + MAPPING),
    (HEAD + "images: [a]", "t.lab.yml:3:9: images must be a mapping, not a list" + MAPPING),
    (HEAD + "images: {'reg/frr:1': }", 't.lab.yml:3:23: images: "reg/frr:1" has no replacement. Name one, or take the line out'),
    (HEAD + "overlay_mode: both", 't.lab.yml:3:15: overlay_mode is "both". It is one of per_link, shared'),
    (HEAD + "tags: {lcal: [1, 2]}", 't.lab.yml:3:8: unknown key "lcal" in tags. Did you mean "local"?'),
    (HEAD + "tags: {local: [1, 5000]}", 't.lab.yml:3:19: tags, local must be a whole number from 1 to 4094, not "5000"' + digits(1)),
    (HEAD + "tags: {local: [9, 1]}", "t.lab.yml:3:15: tags, local must be the lowest and the highest tag. Write it as [1, 4094]"),
    (HEAD + "tags: {local: 7}", 't.lab.yml:3:15: tags, local must be a list, not "7"' + LIST),
    (
        HEAD + "tags: {local: [1, 3000]}",
        "t.lab.yml:3:7: the tags of local links (1-3000) and of cross links (3000-4094) overlap. Give them ranges without a common tag",
    ),
    (HEAD + "management: maybe", 't.lab.yml:3:13: management must be true or false, not "maybe"' + BOOLEAN),
    (HEAD + "link_mtu: big", 't.lab.yml:3:11: link_mtu must be a whole number from 68 to 65535, not "big"' + digits(68)),
    (HEAD + "link_mtu: 1\nlink_mtu: 2", 't.lab.yml:4:1: duplicate key "link_mtu", first written on line 3. Keep one of the two'),
]


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[text.splitlines()[-1] if text else "empty" for text, _message in ERRORS])
def test_a_bad_lab_file_is_told_with_its_line(errors, text, message):
    assert errors(text + "\n" if text else "") == [message]


def test_problems_of_both_files_are_told_at_once(errors):
    assert errors(HEAD + "overlay_mode: x\n", TOPOLOGY.replace("linux", "lnux", 1)) == [
        't.clab.yml:4:15: unknown kind "lnux". Did you mean "linux"?',
        't.lab.yml:3:15: overlay_mode is "x". It is one of per_link, shared',
    ]


def test_the_place_of_a_problem_in_an_inline_topology_is_in_the_lab_file(errors):
    text = f"plugin: archetype.lab.topology\n{INLINE}".replace("linux", "lnux", 1)
    assert errors(text) == ['t.lab.yml:6:17: unknown kind "lnux". Did you mean "linux"?']


@pytest.mark.parametrize("seed", range(10))
def test_nothing_but_lab_file_errors_whatever_a_lab_file_holds(tmp_path, seed):
    rng = random.Random(seed)
    junk = [
        None,
        True,
        0,
        -1,
        "",
        "x",
        "a\nb",
        [],
        {},
        [[]],
        [1, 2],
        [None, 3],
        {"a": []},
        {"a": "b"},
        {"": ""},
        10**40,
        "x" * 300,
        "\u00e9",
    ]
    valid = {
        "plugin": "archetype.lab.topology",
        "lab": yaml.safe_load(TOPOLOGY),
        "servers": {"s": {}},
        "placement": {"a": "s"},
        "images": {},
        "tags": {"local": [1, 2], "cross": [3, 4]},
        "link_mtu": 1500,
    }
    path = tmp_path / "t.lab.yml"
    loaded = 0
    for _round in range(40):
        value = dict(valid)
        for _change in range(rng.randint(1, 3)):
            value[rng.choice([*valid, "topology", "overlay_mode"])] = rng.choice(junk)
        path.write_text(yaml.safe_dump(value))
        try:
            load_lab_file(str(path), {})
            loaded += 1
        except LabFileError as exc:
            found = [str(problem) for problem in exc.problems]
            assert found, value
    assert loaded < 40


TWO = TOPOLOGY + "    - endpoints: [a:eth2, b:eth2]\n    - {type: dummy, endpoint: {node: a, interface: eth3}}\n"


def test_links_are_down_that_are_named(load):
    lab = load(HEAD + "links_down: ['a:eth2--b:eth2']\n", TWO)
    assert {key for key, link in lab.topology.links.items() if not link.enabled} == {"a:eth2--b:eth2"}
    assert all(link.enabled for link in load(HEAD, TWO).topology.links.values())


def test_only_links_of_the_topology_can_be_down_and_those_that_have_a_port(errors):
    unknown, inside = errors(HEAD + "links_down: ['a:eth2--b:eth3', 'a:eth3--dummy']\n", TWO)
    assert unknown == 't.lab.yml:3:14: links_down: unknown link "a:eth2--b:eth3". Did you mean "a:eth2--b:eth2"?'
    assert "link a:eth3--dummy cannot be down" in inside
