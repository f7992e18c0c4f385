# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual machines of a plan, from the file to the slice."""

from __future__ import annotations

import json

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import nothing_observed, servers

IMAGES = "/var/lib/libvirt/images"
HEAD = "plugin: archetype.lab.topology\ntopology: t.clab.yml\n"
TOPOLOGY = """name: t
topology:
  nodes:
    xr: {kind: cisco_xrv9k, image: xrv9k.qcow2}
    h1: {kind: linux, image: "busybox:1"}
  links:
    - endpoints: ["xr:GigabitEthernet0/0/0/0", "h1:eth1"]
    - endpoints: ["xr:Gi0/0/0/2", "h1:eth2"]
"""


@pytest.fixture
def load(tmp_path):
    def call(topology=TOPOLOGY, lab=HEAD):
        (tmp_path / "t.clab.yml").write_text(topology)
        path = tmp_path / "t.lab.yml"
        path.write_text(lab)
        return load_lab_file(str(path), {})

    return call


@pytest.fixture
def plan(load):
    def call(topology=TOPOLOGY, lab=HEAD, observed=None, count=1):
        return make_plan(load(topology, lab), servers(count), observed or {})

    return call


@pytest.fixture
def errors(plan, tmp_path):
    def call(*arguments, **options):
        with pytest.raises(LabFileError) as caught:
            plan(*arguments, **options)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return call


def only_vm(made):
    (found,) = [one for declared in made["slices"].values() for one in declared["vms"]]
    return found


def test_a_machine_and_a_container_in_one_lab(plan):
    made = plan()
    vm = only_vm(made)
    assert (vm["name"], vm["node"], vm["image"], vm["kind"]) == ("clab-t-xr", "xr", f"{IMAGES}/xrv9k.qcow2", "cisco_xrv9k")
    assert [one["name"] for one in made["slices"]["srv1"]["containers"]] == ["clab-t-h1"]
    node = made["nodes"]["xr"]
    assert (node["type"], node["domain"], node["container"], node["sandbox"]) == ("vm", "clab-t-xr", "", "")
    assert (made["nodes"]["h1"]["type"], made["nodes"]["h1"]["domain"]) == ("container", "")
    read = Declared.from_params(made["slices"]["srv1"])
    assert read.vms[0].nics[3].tap == made["nodes"]["xr"]["interfaces"][0]["port"]
    assert read.access[0].name == "clab-t-xr"


def test_the_first_data_port_of_an_xrv9000_is_its_nic_3(plan):
    made = plan()
    nics = only_vm(made)["nics"]
    assert [(one["role"], one.get("interface", "")) for one in nics] == [
        ("management", "eth0"), ("reserved", ""), ("reserved", ""), ("data", "eth1"), ("data", "eth2"), ("data", "eth3"),
    ]  # fmt: skip
    ports = {one["interface"]: one for one in made["slices"]["srv1"]["ports"] if one["node"] == "xr"}
    assert [one["tap"] for one in nics] == [ports["eth0"]["name"], "", "", ports["eth1"]["name"], "", ports["eth3"]["name"]]
    assert [nics[place]["mac"] for place in (0, 3, 5)] == [ports[name]["mac"] for name in ("eth0", "eth1", "eth3")]
    assert len({one["mac"] for one in nics}) == len(nics)
    assert made["nodes"]["xr"]["interfaces"][0]["vendor_name"] == "GigabitEthernet0/0/0/0"


def test_a_nic_keeps_its_address_when_it_gets_a_link(plan):
    before = only_vm(plan())["nics"]
    after = only_vm(plan(TOPOLOGY + '    - endpoints: ["xr:Gi0/0/0/1", "h1:eth3"]\n'))["nics"]
    assert [one["mac"] for one in before] == [one["mac"] for one in after]
    assert [one["tap"] for one in before][4] == "" != [one["tap"] for one in after][4]


def test_ports_of_a_machine_are_taps_in_which_nothing_is_set(plan):
    made = plan(TOPOLOGY.replace('h1:eth1"]', 'h1:eth1"]\n      ipv4: [10.0.0.1/24, 10.0.0.2/24]'))
    for port in (one for one in made["slices"]["srv1"]["ports"] if one["node"] == "xr"):
        assert port["device"] == "tap"
        assert not {"sandbox", "addresses", "routes", "impairment", "queues"} & set(port)


def test_the_same_lab_gives_the_same_bytes(plan):
    assert json.dumps(plan(count=3)) == json.dumps(plan(count=3))


def test_an_address_in_use_elsewhere_is_given_to_no_nic(plan):
    taken = {one["mac"]: "lab other" for one in only_vm(plan())["nics"]}
    after = [one["mac"] for one in only_vm(plan(observed={"srv1": nothing_observed(macs=taken)}))["nics"]]
    assert not set(after) & set(taken)
    assert len(set(after)) == len(after)
