# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Virtual machines of a plan, from the file to the slice."""

from __future__ import annotations

import json

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.plugin_utils._inventory import node_variables
from ansible_collections.archetype.lab.plugins.plugin_utils._needs import needs_of
from ansible_collections.archetype.lab.tests.unit.plugin_utils.machines import HEAD, IMAGES, XR, Lab, machines_of, one_node
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import nothing_observed

GENERIC = "kind: generic_vm, image: vm.qcow2"


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def test_a_machine_and_a_container_in_one_lab(lab):
    made = lab.plan()
    (vm,) = machines_of(made)
    assert (vm["name"], vm["node"], vm["image"], vm["kind"]) == ("clab-t-xr", "xr", f"{IMAGES}/xrv9k.qcow2", "cisco_xrv9k")
    assert [one["name"] for one in made["slices"]["srv1"]["containers"]] == ["clab-t-h1"]
    node = made["nodes"]["xr"]
    assert (node["type"], node["domain"], node["container"], node["sandbox"]) == ("vm", "clab-t-xr", "", "")
    assert (made["nodes"]["h1"]["type"], made["nodes"]["h1"]["domain"]) == ("container", "")
    read = Declared.from_params(made["slices"]["srv1"])
    assert read.vms[0].nics[3].tap == made["nodes"]["xr"]["interfaces"][0]["port"]
    assert read.access[0].name == "clab-t-xr"


def test_the_first_data_port_of_an_xrv9000_is_its_nic_3(lab):
    made = lab.plan()
    nics = machines_of(made)[0]["nics"]
    assert [(one["role"], one.get("interface", "")) for one in nics] == [
        ("management", "eth0"), ("reserved", ""), ("reserved", ""), ("data", "eth1"), ("data", "eth2"), ("data", "eth3"),
    ]  # fmt: skip
    ports = {one["interface"]: one for one in made["slices"]["srv1"]["ports"] if one["node"] == "xr"}
    assert [one["tap"] for one in nics] == [ports["eth0"]["name"], "", "", ports["eth1"]["name"], "", ports["eth3"]["name"]]
    assert [nics[place]["mac"] for place in (0, 3, 5)] == [ports[name]["mac"] for name in ("eth0", "eth1", "eth3")]
    assert len({one["mac"] for one in nics}) == len(nics)
    assert made["nodes"]["xr"]["interfaces"][0]["vendor_name"] == "GigabitEthernet0/0/0/0"


def test_a_nic_keeps_its_address_when_it_gets_a_link(lab):
    before = lab.vm()["nics"]
    after = lab.vm(XR + '    - endpoints: ["xr:Gi0/0/0/1", "h1:eth3"]\n')["nics"]
    assert [one["mac"] for one in before] == [one["mac"] for one in after]
    assert (before[4]["tap"], bool(after[4]["tap"])) == ("", True)


def test_without_a_management_network_nic_0_leads_nowhere_or_where_a_link_says(lab):
    nics = lab.vm(lab=HEAD + "management: false\n")["nics"]
    assert (nics[0]["role"], nics[0]["tap"]) == ("management", "")
    linked = lab.plan(one_node("kind: linux, image: vm.img, network-mode: none", links='- endpoints: ["vm:eth0", "h1:eth1"]'))
    assert [bool(one["tap"]) for one in machines_of(linked)[0]["nics"]] == [True]


def test_ports_of_a_machine_are_taps_in_which_nothing_is_set(lab):
    text = XR.replace('h1:eth1"]', 'h1:eth1"]\n      ipv4: [10.0.0.1/24, 10.0.0.2/24]')
    ports = [one for one in lab.plan(text)["slices"]["srv1"]["ports"] if one["node"] == "xr"]
    assert [one["device"] for one in ports] == ["tap"] * 3
    assert not {"sandbox", "addresses", "routes", "impairment", "queues"}.intersection(*ports)


def test_several_queues_are_the_taps_own_too(lab):
    made = lab.plan(
        one_node(GENERIC, links='- endpoints: ["vm:eth1", "h1:eth1"]'), HEAD + "kind_settings: {generic_vm: {hardware: {nic_queues: 4}}}"
    )
    assert {one.get("queues") for one in made["slices"]["srv1"]["ports"] if one["node"] == "vm"} == {4}
    assert machines_of(made)[0]["hardware"]["nic_queues"] == 4


def test_the_same_lab_gives_the_same_bytes(lab):
    assert json.dumps(lab.plan(count=3)) == json.dumps(lab.plan(count=3))


def test_an_address_in_use_elsewhere_is_given_to_no_nic(lab):
    taken = {one["mac"]: "lab other" for one in lab.vm()["nics"]}
    after = [one["mac"] for one in lab.vm(observed={"srv1": nothing_observed(macs=taken)})["nics"]]
    assert not set(after) & set(taken)
    assert len(set(after)) == len(after)


def test_consoles_that_are_tcp_ports_stay_and_make_way_for_others(lab):
    made = lab.plan()
    ports = machines_of(made)[0]["serial_ports"]
    assert len(set(ports)) == 4
    assert all(20000 <= one <= 29999 for one in ports)
    assert made["nodes"]["xr"]["console"] == {"method": "telnet", "command": f"telnet 127.0.0.1 {ports[0]}"}
    taken = {"srv1": nothing_observed(consoles={str(ports[1]): "lab other"})}
    assert lab.vm(observed=taken)["serial_ports"] == [ports[0], ports[1] + 1, *ports[2:]]


def test_the_console_and_the_shell_of_a_machine(lab):
    node = lab.plan(one_node(GENERIC))["nodes"]["vm"]
    assert node["console"] == {"method": "virsh", "command": "virsh -c qemu:///system console clab-t-vm"}
    assert node["shell"] == node["console"]["command"]
    made = lab.plan(one_node(GENERIC + ", credentials: {username: me}"), HEAD + "kind_settings: {generic_vm: {console: {method: ssh}}}\n")
    assert made["nodes"]["vm"]["shell"] == f"ssh me@{made['nodes']['vm']['management']['ipv4']}"
    packed = lab.plan(one_node("kind: cisco_xrv9k, image: 'vrnetlab/xrv9k:7'"))["nodes"]["vm"]
    assert packed["console"] == {"method": "exec", "command": "docker exec -it clab-t-vm telnet 127.0.0.1 5000"} == {**packed["console"]}
    assert (packed["type"], packed["shell"]) == ("container", packed["console"]["command"])


def test_a_node_stays_where_its_machine_is(lab):
    for server, status in (("srv1", "shutoff"), ("srv2", "absent"), ("srv3", "running")):
        there = {"vms": [{"lab": "t", "name": "clab-t-xr", "node": "xr", "status": status}]}
        observed = {name: {**nothing_observed(), **(there if name == server else {})} for name in ("srv1", "srv2", "srv3")}
        assert lab.plan(observed=observed, count=3)["placement"]["xr"] == server


def test_machines_wait_and_are_waited_for(lab):
    made = lab.plan(
        one_node(GENERIC + ", startup-delay: 3").replace(
            "busybox:1}", "busybox:1, stages: {create: {wait-for: [{node: vm, stage: healthy}]}}}"
        )
    )
    (vm,) = machines_of(made)
    assert (vm["hold"], vm["startup_delay"], made["waves"]) == ("healthy", 3, 2)
    assert made["slices"]["srv1"]["containers"][0]["waits_for"] == ["vm"]
    made = lab.plan(one_node(GENERIC + ", stages: {create: {wait-for: [{node: h1, stage: create}]}}"))
    assert (machines_of(made)[0]["wave"], machines_of(made)[0]["waits_for"]) == (1, ["h1"])


def test_leases_are_of_machines_on_their_servers(lab):
    made = lab.plan(count=2, lab=HEAD + "placement: {xr: srv2, h1: srv1}\n")
    assert made["slices"]["srv1"]["management"]["leases"] == []
    (lease,) = made["slices"]["srv2"]["management"]["leases"]
    node = made["nodes"]["xr"]["management"]
    gateway = made["management"]["gateways"]["srv2"]["ipv4"]
    assert lease == {"mac": node["mac"], "ipv4": node["ipv4"], "hostname": "xr", "gateway": gateway}


def test_published_ports_lead_to_the_management_address(lab):
    made = lab.plan(one_node(GENERIC + ", ports: ['2222:22']"))
    (port,) = made["slices"]["srv1"]["management"]["ports"]
    assert (port["target"], port["node_port"]) == (made["nodes"]["vm"]["management"]["ipv4"], 22)


def test_the_inventory_knows_machines(lab):
    topology = lab.load().topology
    found = node_variables(topology, dict.fromkeys(topology.nodes, "srv1"), {"xr": {"ipv4": "198.51.100.7", "ipv6": ""}})
    plan = lab.plan()
    assert (found["xr"]["lab_domain"], found["xr"]["ansible_host"]) == ("clab-t-xr", "198.51.100.7")
    assert "lab_container" not in found["xr"]
    assert "lab_domain" not in found["h1"]
    assert found["xr"]["lab_console"] == plan["nodes"]["xr"]["console"]["command"]


# -- what cannot be ---------------------------------------------------------------------------------------------------


def test_a_link_that_ends_in_no_nic(lab):
    links = '- endpoints: ["vm:lan", "h1:eth1"]\n- endpoints: ["vm:eth200", "h1:eth2"]'
    assert lab.errors(one_node("kind: linux, image: vm.qcow2", links=links)) == [
        "t.clab.yml:7:7: a link uses vm:lan, and node vm, a virtual machine, has no such NIC. Its ports are eth1, eth2 ...",
        "t.clab.yml:8:7: a link uses vm:eth200, which would be NIC 201 of a machine that can have 128. Use a port with a lower number",
    ]


@pytest.mark.parametrize("far", ["host:up1", "macvlan:eth9"])
def test_far_ends_that_a_machine_cannot_have(lab, far):
    (error,) = lab.errors(one_node(GENERIC, links=f'- endpoints: ["vm:eth1", "{far}"]'))
    assert f"is of type {far.split(':')[0]}, and vm is a virtual machine, whose NICs lead to the bridge only" in error


def test_far_ends_that_a_machine_can_have(lab):
    links = (
        "- {type: dummy, endpoint: {node: vm, interface: eth1}}\n"
        "- {type: vxlan, endpoint: {node: vm, interface: eth2}, remote: 198.51.100.9, vni: 7}\n"
        '- endpoints: ["vm:eth3", "mgmt-net:x"]'
    )
    made = lab.plan(one_node(GENERIC, links=links))
    assert {one["device"] for one in made["slices"]["srv1"]["ports"] if one["node"] == "vm"} == {"tap"}
    assert all(one["tap"] for one in machines_of(made)[0]["nics"])


def test_what_a_machine_sends_cannot_be_disturbed(lab):
    links = '- {endpoints: ["vm:eth1", "h1:eth1"], tc: {delay: 5}}'
    (error,) = lab.errors(one_node(GENERIC, links=links))
    assert error.startswith("t.clab.yml:7:7: link h1:eth1--vm:eth1: tc cannot hold for what vm:eth1 sends, as vm is a virtual machine")


PATH = f"{IMAGES}/vm.qcow2"


@pytest.mark.parametrize(
    ("state", "what", "remedy"),
    [
        (
            {"libvirt": {"missing": "there is no socket"}, "disks": {PATH: None}},
            "server srv1 cannot run virtual machines, and node vm is one: there is no socket",
            "Mend that, or pin the node to another server",
        ),
        (
            {"disks": {PATH: None}},
            f"server srv1 has no disk image {PATH}, which node vm needs",
            "Put it there, or name another one for it under images: in the lab file",
        ),
        (
            {"disks": {PATH: {"format": "raw", "size": 7}}},
            f"the disk image {PATH} of node vm on server srv1 is not qcow2, but raw",
            f"Convert it there: qemu-img convert -O qcow2 {PATH} <new file>",
        ),
        (
            nothing_observed(domains={"clab-t-vm": "foreign"}),
            "server srv1 has a virtual machine clab-t-vm already, which is to be node vm: foreign",
            "Remove that machine, or rename the node or the lab",
        ),
    ],
)
def test_what_is_in_a_machines_way_on_its_server(lab, state, what, remedy):
    observed = {"srv1": {**nothing_observed(), **state}}
    assert lab.errors(one_node(GENERIC), observed=observed) == [f"t.clab.yml:4:5: {what}. {remedy}"]


def test_a_server_that_has_what_a_machine_needs(lab):
    there = {**nothing_observed(), "libvirt": {"version": "9.0"}, "disks": {PATH: {"format": "qcow2", "size": 7}}}
    assert machines_of(lab.plan(one_node(GENERIC), observed={"srv1": there}))


def test_what_is_looked_at_before(lab):
    needs = needs_of(lab.load())
    assert (needs["disks"], needs["vms"], needs["images"]) == ([f"{IMAGES}/xrv9k.qcow2"], True, ["busybox:1"])
    assert needs["containers"] == ["clab-t-h1", "clab-t-h1-sandbox"]
    assert "/dev/kvm" not in needs["binds"]
    packed = needs_of(lab.load(XR.replace("xrv9k.qcow2", "'vrnetlab/xrv9k:7'")))
    assert (packed["disks"], packed["vms"], packed["images"]) == ([], False, ["busybox:1", "vrnetlab/xrv9k:7"])
