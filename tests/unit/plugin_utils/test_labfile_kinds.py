# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab file says of kinds: folders of its own, and settings by kind and by image."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils import _labfile
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.tests.unit.plugin_utils.forms import MAPPING, TEXT, digits

TOPOLOGY = """name: t
topology:
  nodes:
    a: {kind: ceos, image: "reg/ceos:1"}
    b: {kind: my_switch, image: "reg/my:1"}
  links:
    - endpoints: ["a:Et1", "b:Port1"]
"""
HEAD = "plugin: archetype.lab.topology\ntopology: t.clab.yml\nkinds_path: [kinds]\n"
OWN = """name: my_switch
provider: container
interfaces:
  forms:
    - {name: "Port{port}", pattern: "Port(?P<port>[0-9]+)", offset: 1}
"""


@pytest.fixture
def load(tmp_path):
    def call(text, topology=TOPOLOGY, own=OWN):
        (tmp_path / "kinds").mkdir(exist_ok=True)
        (tmp_path / "kinds" / "my_switch.yml").write_text(own)
        (tmp_path / "t.clab.yml").write_text(topology)
        path = tmp_path / "t.lab.yml"
        path.write_text(text)
        return load_lab_file(str(path), {})

    return call


@pytest.fixture
def errors(load, tmp_path):
    def call(text, **files):
        with pytest.raises(LabFileError) as caught:
            load(text, **files)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return call


def test_a_kind_beside_the_lab_file_names_the_interfaces_of_its_nodes(load):
    topology = load(HEAD).topology
    assert list(topology.links) == ["a:eth1--b:eth1"]
    ends = {end.node: (end.interface, end.vendor_name) for end in topology.links["a:eth1--b:eth1"].endpoints}
    assert ends == {"a": ("eth1", "Ethernet1"), "b": ("eth1", "Port1")}
    assert (topology.nodes["b"].kind, topology.nodes["b"].profile.name) == ("my_switch", "my_switch")


def test_a_topology_within_the_lab_file_has_the_kinds_too(load):
    inline = "lab:\n" + "".join(f"  {line}\n" for line in TOPOLOGY.splitlines())
    assert list(load(HEAD.replace("topology: t.clab.yml\n", inline)).topology.links) == ["a:eth1--b:eth1"]


def test_settings_by_kind_and_by_image_are_in_the_profiles_of_nodes(load):
    lab = load(
        HEAD
        + 'images: {"reg/ceos:1": "local/ceos:2"}\n'
        + "kind_settings: {eos: {console: {command: bash}}}\n"
        + 'image_settings: {"local/ceos:2": {console: {command: zsh, method: ssh}, cpu: 3}, "reg/my:1": {type: big}}\n'
    )
    ceos, mine = lab.topology.nodes["a"].profile, lab.topology.nodes["b"].profile
    assert (ceos.console.command, ceos.console.method, ceos.cpu) == ("bash", "ssh", 3.0)
    assert (mine.type, mine.console.command) == ("big", "sh")
    assert lab.topology.nodes["a"].image == "local/ceos:2"
    assert lab.topology.notes == ('image_settings of "local/ceos:2": cpu has no effect: no node of it is a virtual machine from a disk',)


def test_what_is_of_machines_is_noted_where_there_is_none_and_told(load):
    settings = "kind_settings: {EOS: {readiness: {timeout: 600}, memory: 1GB, cpu: 2, boot: {user: me}}, iosxrv9000: {memory: 30GB}}\n"
    machine = TOPOLOGY.replace('ceos, image: "reg/ceos:1"', "cisco_xrv9k, image: x.qcow2").replace("a:Et1", "a:Gi0/0/0/0")
    note = "kind_settings of {}: {} no effect: no node of it is a virtual machine from a disk"
    of_both = [note.format("EOS", "cpu, memory have"), note.format("iosxrv9000", "memory has")]
    assert [one for one in load(HEAD + settings).topology.notes if "settings" in one] == of_both
    assert [one for one in load(HEAD + settings, machine).topology.notes if "settings" in one] == of_both[:1]
    told = (Path(__file__).parents[3] / "docs" / "kinds.md").read_text().split("` are of machines from a disk", 1)[0].rsplit("\n\n", 1)[1]
    assert {*re.findall(r"\w+", told.replace(" and ", " ")), "native"} == _labfile.OF_MACHINES


def test_an_image_that_no_node_has_is_noted(load):
    notes = load(HEAD + 'image_settings: {"reg/ceos:7": {type: x}}\n').topology.notes
    assert notes == ('image_settings: no node has the image "reg/ceos:7". Did you mean "reg/ceos:1"?',)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("kind_settings: {ceso: {cpu: 1}}", 't.lab.yml:4:17: kind_settings: unknown kind "ceso". Did you mean "ceos"?'),
        ("kind_settings: {ceos: {cpus: 1}}", 't.lab.yml:4:24: unknown key "cpus" in a kind. Did you mean "cpu"?'),
        ("kind_settings: {ceos: {name: x}}", 't.lab.yml:4:24: unknown key "name" in a kind. '),
        ("kind_settings: {ceos: {provider: vm}}", 't.lab.yml:4:24: unknown key "provider" in a kind. '),
        ("kind_settings: {ceos: 7}", 't.lab.yml:4:23: a kind must be a mapping, not "7"' + MAPPING),
        ("kind_settings: [ceos]", "t.lab.yml:4:16: kind_settings must be a mapping, not a list" + MAPPING),
        ("kind_settings: {ceos: }", "t.lab.yml:4:23: a kind without content. Say what it changes"),
        ("image_settings: {i: {readiness: {probe: x}}}", "t.lab.yml:4:41: probe is x. It is one of console, log, none, ssh, tcp"),
        ("image_settings: {i: {boot: {env: {A: [1]}}}}", 't.lab.yml:4:38: "A" of env must be text, not a list' + TEXT),
    ],
)
def test_bad_settings_are_told_with_their_line(errors, line, message):
    found = errors(f"{HEAD}{line}\n")
    assert len(found) == 1
    assert found[0].startswith(message)


def test_a_folder_that_is_not_there_is_told_with_its_line(errors):
    found = errors(HEAD.replace("[kinds]", "[kinds, other]"))
    assert found == ['t.lab.yml:3:21: kinds_path: there is no folder "other". Relative paths are beside the lab file']


def test_a_bad_kind_file_is_told_with_the_rest(errors):
    found = errors(HEAD + "link_mtu: big\nkind_settings: {my_switch: {cpu: 1}}\n", own=OWN.replace("provider", "provder"))
    assert found == [
        "kinds/my_switch.yml:1:1: provider is missing. It is one of container, external, host, segment, vm",
        'kinds/my_switch.yml:2:1: unknown key "provder" in a kind. Did you mean "provider"?',
        't.lab.yml:4:11: link_mtu must be a whole number from 68 to 65535, not "big"' + digits(68),
    ]


def test_the_image_of_a_kind_may_come_from_the_lab(load):
    lab = load(HEAD + "kind_settings: {ceos: {image: 'mine:7'}}\n", TOPOLOGY.replace(', image: "reg/ceos:1"', ""))
    assert lab.topology.nodes["a"].image == "mine:7"


def test_a_disk_image_needs_a_kind_of_machines(errors):
    text = TOPOLOGY.replace("reg/ceos:1", "/images/ceos.qcow2")
    what = 'node a: "/images/ceos.qcow2" is the disk of a virtual machine, and nodes of kind arista_ceos are containers'
    remedy = "Name a container image, or a kind that runs from a disk, such as generic_vm"
    assert errors(HEAD, topology=text) == [f"t.clab.yml:4:28: {what}. {remedy}"]


def test_ports_of_a_node_with_components_are_counted_through_its_cards(load):
    mda = "mda: [{slot: 1, type: me6-10gb-sfp+}]"
    sros = f"nokia_sros, image: 's:1', components: [{{slot: A, type: cpm5}}, {{slot: 1, {mda}}}, {{slot: 2, {mda}}}]"
    topology = load(HEAD, TOPOLOGY.replace('ceos, image: "reg/ceos:1"', sros).replace("a:Et1", "a:2/1/3")).topology
    (link,) = topology.links.values()
    assert [(end.interface, end.vendor_name) for end in link.endpoints] == [("eth9", "2/1/3"), ("eth1", "Port1")]
