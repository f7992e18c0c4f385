# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What brings its configuration to a virtual machine, and how nodes are talked to."""

from __future__ import annotations

import hashlib
import ipaddress
import json

import pytest
import yaml

from ansible_collections.archetype.lab.tests.unit.plugin_utils.machines import HEAD, XR, Lab, files_of, machines_of, one_node
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import nothing_observed

LINUX = "kind: linux, image: vm.qcow2"
N9K = "kind: cisco_n9kv, image: n9.qcow2"


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def config(text):
    return f", startup-config: {json.dumps(text)}"


def test_an_iso_has_the_file_of_the_kind(lab):
    medium = lab.vm(XR.replace("xrv9k.qcow2", f"xrv9k.qcow2{config('hostname x' + chr(10))}"))["medium"]
    assert (medium["type"], medium["label"], medium["bus"], medium["archive"]) == ("iso", "config", "ide", "")
    files = files_of(medium)
    assert list(files) == ["iosxr_config.txt"]
    assert files["iosxr_config.txt"].endswith("hostname x\n")


def test_a_usb_disk_has_an_archive(lab):
    medium = lab.vm(one_node("kind: juniper_vjunosrouter, image: v.qcow2" + config("system {\n}\n")))["medium"]
    assert (medium["type"], medium["bus"], medium["archive"]) == ("usb", "usb", "vmm-config.tgz")
    assert files_of(medium)["config/juniper.conf"].endswith("system {\n}\n")


def test_a_medium_is_on_a_bus_that_the_machine_has(lab):
    def bus(settings):
        text = one_node(f"kind: generic_vm, image: v.qcow2{config('a' + chr(10))}")
        return lab.vm(text, HEAD + f"kind_settings: {{generic_vm: {settings}}}\n")["medium"]["bus"]

    assert bus("{hardware: {machine: pc}}") == "ide"
    assert bus("{hardware: {machine: pc-q35-6.2}}") == "sata"
    assert bus("{hardware: {cdrom_bus: scsi}}") == "scsi"
    assert bus("{startup_config: {medium: usb, file: x}}") == "usb"
    assert bus("{startup_config: {medium: usb, file: x, bus: virtio}}") == "virtio"


def test_a_machine_without_a_configuration_is_given_no_medium(lab):
    assert "medium" not in lab.vm(one_node("kind: openbsd, image: o.qcow2"))
    assert "medium" not in lab.vm(one_node(f"{N9K}, suppress-startup-config: true"))


def test_what_a_kind_says_first_stands_before_everybodys_configuration(lab):
    own = files_of(lab.vm(one_node(N9K + config("feature bgp\n")))["medium"])["nxos_config.txt"]
    none = files_of(lab.vm(one_node(N9K))["medium"])["nxos_config.txt"]
    assert own == none + "feature bgp\n"
    assert "hostname vm\n" in none
    assert "{" not in none.replace("json.loads", "")


def test_a_seed_of_cloud_init(lab):
    made = lab.plan(one_node(LINUX, links="- {endpoints: ['vm:eth2', 'h1:eth1'], ipv4: [10.0.0.1/24, 10.0.0.2/24]}"))
    (vm,) = machines_of(made)
    files = files_of(vm["medium"])
    assert (vm["medium"]["type"], vm["medium"]["label"], sorted(files)) == (
        "cloud-init",
        "cidata",
        ["meta-data", "network-config", "user-data"],
    )
    assert yaml.safe_load(files["meta-data"])["local-hostname"] == "vm"
    assert files["user-data"].startswith("#cloud-config\n")
    assert yaml.safe_load(files["user-data"])["hostname"] == "vm"
    own, gateway = made["nodes"]["vm"]["management"], made["management"]["gateways"]["srv1"]
    network = yaml.safe_load(files["network-config"])
    assert network["version"] == 2
    assert network["ethernets"]["management"] == {
        "match": {"macaddress": vm["nics"][0]["mac"]}, "dhcp4": False, "dhcp6": False, "accept-ra": False, "optional": True,
        "addresses": [f"{own['ipv4']}/24", f"{own['ipv6']}/64"],
        "routes": [{"to": "0.0.0.0/0", "via": gateway["ipv4"]}, {"to": "::/0", "via": gateway["ipv6"]}],
    }  # fmt: skip
    assert network["ethernets"]["eth2"]["match"] == {"macaddress": vm["nics"][2]["mac"]}
    assert network["ethernets"]["eth2"]["addresses"] == ["10.0.0.1/24"]


def test_a_guest_without_management_network_does_not_wait_for_one(lab):
    vm = lab.vm(one_node(LINUX), HEAD + "management: false\n")
    management = yaml.safe_load(files_of(vm["medium"])["network-config"])["ethernets"]["management"]
    assert management["match"] == {"macaddress": vm["nics"][0]["mac"]}
    assert (management["dhcp4"], "addresses" in management) == (False, False)


def test_another_configuration_is_another_instance_and_the_same_is_not(lab):
    def instance(settings):
        return yaml.safe_load(files_of(lab.vm(one_node(LINUX + settings))["medium"])["meta-data"])["instance-id"]

    user_data = "#cloud-config\nruncmd: [x]\n"
    first = instance(config(user_data))
    assert first == instance(config(user_data)) != instance(config(user_data + "# more\n"))
    assert first != instance("")
    assert first.startswith("t-vm-")


def test_the_users_own_user_data_is_left_as_it_is_but_for_fields(lab):
    own = "#cloud-config\nfqdn: {{ .ShortName }}.lab\nbraces: '{node}'\n"
    found = files_of(lab.vm(one_node(LINUX + config(own)))["medium"])["user-data"]
    assert found == own.replace("{{ .ShortName }}", "vm")


def test_credentials_of_the_topology_are_those_of_the_guest(lab):
    user_data = files_of(lab.vm(one_node(LINUX + ", credentials: {username: me, password: 'p: #1'}"))["medium"])["user-data"]
    found = yaml.safe_load(user_data)
    assert (found["user"], found["password"], found["ssh_pwauth"]) == ("me", "p: #1", True)


def test_poap_is_told_by_the_management_network(lab):
    made = lab.plan(one_node(N9K + config("feature bgp\n")), HEAD + "kind_settings: {nxos: {startup_config: {medium: poap}}}\n")
    assert "medium" not in machines_of(made)[0]
    (lease,) = made["slices"]["srv1"]["management"]["leases"]
    files = files_of(lease)
    assert (lease["boot_file"], sorted(files)) == ("vm-poap.py", ["vm-poap.cfg", "vm-poap.py"])
    assert files["vm-poap.cfg"].endswith("feature bgp\n")
    lines = files["vm-poap.py"].splitlines(keepends=True)
    assert lines[0] == "#!/bin/env python\n"
    assert lines[1] == f'#md5sum="{hashlib.md5("".join([lines[0], *lines[2:]]).encode()).hexdigest()}"\n'
    assert f"tftp://{lease['gateway']}/vm-poap.cfg" in files["vm-poap.py"]
    compile(files["vm-poap.py"], "poap", "exec")


# -- access -----------------------------------------------------------------------------------------------------------


def test_how_a_machine_is_talked_to(lab):
    found = lab.access("xr")
    assert (found["type"], found["name"], found["readiness"]["probe"]) == ("vm", "clab-t-xr", "log")
    assert found["readiness"]["pattern"]
    assert found["save"] == {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in vars(lab.load().topology.nodes["xr"].profile.save_config).items()
        if value
    }
    assert (found["username"], found["password"]) == ("clab", "clab@123")


def test_a_password_goes_only_where_somebody_logs_in(lab):
    settings = "kind_settings: {linux: {native: {save_config: {method: none}}}}\n"
    found = lab.access("vm", one_node(LINUX + ", credentials: {username: me, password: secret}"), HEAD + settings)
    assert found["readiness"]["probe"] == "log"
    assert "secret" not in json.dumps(found)
    assert "secret" not in json.dumps(lab.access("h1", one_node(LINUX)))


@pytest.mark.parametrize(("probe", "port"), [("tcp: 830", 830), ("ssh", 22)])
def test_probes_of_the_network_know_the_management_address(lab, probe, port):
    name, _colon, number = probe.partition(": ")
    settings = HEAD + f"kind_settings: {{linux: {{native: {{readiness: {{probe: {name}, port: {number or 0}}}}}}}}}\n"
    made = lab.plan(one_node(LINUX), settings)
    (access,) = [one for one in made["slices"]["srv1"]["access"] if one["node"] == "vm"]
    assert (access["readiness"]["probe"], access["readiness"]["port"]) == (name, port)
    assert access["readiness"]["address"] == made["nodes"]["vm"]["management"]["ipv4"]
    assert "readiness" not in lab.access("vm", one_node(LINUX), settings + "management: false\n")


def test_a_container_is_talked_to_as_its_kind_says(lab):
    found = lab.access(
        "h1", XR.replace('h1: {kind: linux, image: "busybox:1"}', "h1: {kind: arista_ceos, image: c}").replace("h1:eth", "h1:et")
    )
    assert (found["type"], found["name"], found["save"]["method"]) == ("container", "clab-t-h1", "exec")
    assert lab.access("h1") == {}


def test_a_packed_machine_is_ready_by_its_container_and_has_no_console_of_its_own(lab):
    found = lab.access("xr", XR.replace("xrv9k.qcow2", "'vrnetlab/xrv9k:7'"))
    assert (found["type"], found["readiness"]["pattern"]) == ("container", "Startup complete in")
    assert not {"save", "password", "post_boot"} & set(found)


def test_nothing_to_wait_for_is_nothing_to_say(lab):
    settings = HEAD + "kind_settings: {linux: {native: {readiness: none, save_config: {method: none}}}}\n"
    assert lab.access("vm", one_node(LINUX), settings) == {}


def test_commands_after_the_boot_are_lines_for_the_console(lab):
    settings = HEAD + "kind_settings: {generic_vm: {post_boot: [[terminal, length, '0'], [no shutdown]]}}\n"
    found = lab.access("vm", one_node("kind: generic_vm, image: v.qcow2"), settings)
    assert found["post_boot"] == ["terminal length 0", "no shutdown"]
    assert found["username"]


def test_what_was_observed_does_not_change_what_a_machine_is(lab):
    there = {"srv1": nothing_observed()}
    assert lab.plan(observed=there)["slices"]["srv1"]["vms"] == lab.plan()["slices"]["srv1"]["vms"]


@pytest.mark.parametrize(("kind", "families"), [("cisco_n9kv", {4}), ("linux", {4, 6})])
def test_names_of_machines_lead_to_addresses_that_they_are_told(lab, kind, families):
    """DHCP tells the IPv4 address alone, a seed of cloud-init both. A container has both."""
    (declared,) = lab.plan(one_node(f"kind: {kind}, image: vm.qcow2"))["slices"].values()
    found = {name: set() for name in ("vm", "h1")}
    for one in declared["management"]["hosts"]:
        for name in found.keys() & set(one["names"]):
            found[name].add(ipaddress.ip_address(one["address"]).version)
    assert found == {"vm": families, "h1": {4, 6}}
