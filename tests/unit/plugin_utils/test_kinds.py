# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils import _kind_hardware, _kind_reader, _kinds
from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, load_yaml

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is a test dependency")
SCHEMA = json.loads((_kinds.DIRECTORY / "kind.schema.json").read_text())
FILES = sorted(_kinds.DIRECTORY.glob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_kind_file_keeps_to_the_schema(path):
    content = yaml.safe_load(path.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(content)
    assert content["name"] == path.stem
    jsonschema.Draft202012Validator({**SCHEMA, "required": []}).validate(content.get("native", {}))


def test_the_schema_is_one_and_knows_every_key_the_reader_reads():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    whole, keys = SCHEMA["properties"], _kind_reader.KEYS
    boot = whole["boot"]["properties"]
    told = {
        "": whole,
        "form": whole["interfaces"]["properties"]["forms"]["items"]["properties"],
        "file": boot["files"]["items"]["properties"],
        "piece": boot["env_each"]["additionalProperties"]["properties"],
        "readiness": whole["readiness"]["oneOf"][1]["properties"],
        **{key: whole[key]["properties"] for key in keys if key in whole and "properties" in whole[key]},
    }
    assert {key: set(one) for key, one in told.items()} == {key: set(one) for key, one in keys.items()}


def test_the_schema_knows_every_choice_the_reader_knows():
    whole = SCHEMA["properties"]
    assert set(whole["provider"]["enum"]) == set(_kind_reader.PROVIDERS)
    told = {
        "link_apply_mode": whole["link_apply_mode"],
        "system_paths": whole["boot"]["properties"]["system_paths"],
        "probe": whole["readiness"]["oneOf"][1]["properties"]["probe"],
        "console": whole["console"]["properties"]["method"],
        "save_config": whole["save_config"]["properties"]["method"],
        "medium": whole["startup_config"]["properties"]["medium"],
        "bus": whole["startup_config"]["properties"]["bus"],
    }
    assert {key: set(one["enum"]) for key, one in told.items()} == {key: set(one) for key, one in _kind_reader.CHOICES.items()}


def test_the_schema_knows_of_hardware_what_the_reader_knows():
    told = SCHEMA["properties"]["hardware"]["properties"]
    assert {key: tuple(told[key]["enum"]) for key in told if "enum" in told[key]} == dict(_kind_hardware.HARDWARE_CHOICES)
    numbers = {key: (one["minimum"], one["maximum"]) for key, one in told.items() if one.get("type") == "integer"}
    assert numbers == dict(_kind_hardware.NUMBERS)
    names = ("pc", "q35", "pc-q35-8.2", "pc-i440fx-6.2", "q36", "pc-q35", "virt")
    assert [bool(re.search(told["machine"]["pattern"], name)) for name in names] == [
        bool(re.fullmatch(_kind_hardware.MACHINE, name)) for name in names
    ]


def test_every_name_is_there_once_and_is_found_without_parsing():
    names = [name for path in FILES for name in (path.stem, *yaml.safe_load(path.read_text()).get("aliases", ()))]
    assert sorted(names) == sorted(set(names)) == sorted(_kinds.kind_files())


def test_linux_is_not_privileged_has_ipv6_and_forwards():
    kind = _kinds.find_kind("linux")
    assert {"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "NET_BIND_SERVICE"} <= set(kind.boot.capabilities)
    assert kind.boot.sysctls == {"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv4.ip_forward": "1"}
    assert (kind.provider, kind.boot.system_paths, kind.console.command, kind.link_apply_mode) == ("container", "unconfined", "sh", "live")
    assert (kind.interfaces.management, kind.interfaces.first, kind.startup_config.path) == ("eth0", 1, "/etc/startup-config")
    assert not kind.boot.privileged


def test_bridge_is_a_segment():
    assert _kinds.find_kind("bridge").is_segment
    assert not _kinds.find_kind("linux").is_segment


def test_kinds_are_found_in_any_case_and_unknown_ones_are_not():
    assert _kinds.find_kind("Linux") is _kinds.find_kind("linux")
    assert _kinds.find_kind("linus") is None
    assert _kinds.unknown_kind_remedy("linus") == 'Did you mean "linux"?'
    assert _kinds.unknown_kind_remedy("zzz") == "docs/kinds.md has all kinds, and says how to add one"


@pytest.mark.parametrize(
    ("name", "disk"),
    [
        ("a.qcow2", True),
        ("/x/N9.QCOW2", True),
        ("vrnetlab/a:1.qcow", True),
        ("r/a:1", False),
        ("/x/a.qcow2@sha256:" + "0a" * 32, True),
        ("/x/a.qcow2@sha256:short", True),
        ("r/a@sha256:" + "0a" * 32, False),
    ],
)
def test_a_disk_image_is_told_by_its_name(name, disk):
    assert _kinds.is_disk_image(name) is disk


# what is known of virtual machines

VMS = {path.stem: kind for path in FILES if (kind := _kinds.find_kind(path.stem)).provider == "vm"}
DISKS = Catalog()
FROM_DISK = {path.stem: DISKS.resolve(_kinds.find_kind(path.stem), "x.qcow2") for path in FILES}
NATIVE = {name: kind for name, kind in FROM_DISK.items() if not _kinds.why_not_native(kind)}


@pytest.mark.parametrize("kind", NATIVE.values(), ids=lambda kind: kind.name)
def test_a_machine_has_memory_cpus_a_disk_nics_and_a_console(kind):
    assert kind.memory >= 128 * 2**20
    assert kind.cpu >= 1
    assert {"machine", "disk_bus", "nic_model", "serial_type", "serial_count", "graphics"} <= set(kind.hardware)
    assert kind.memory >= kind.hardware.get("minimum_memory", 0)
    assert kind.cpu >= kind.hardware.get("minimum_cpu", 0)
    assert kind.cpu % kind.hardware.get("sockets", 1) == 0
    assert kind.readiness.optout or re.compile(kind.readiness.pattern).search("") is None, "an empty pattern is in every log"


@pytest.mark.parametrize("kind", NATIVE.values(), ids=lambda kind: kind.name)
def test_no_machine_asks_for_what_qemu_does_not_have(kind):
    """IDE on q35 is refused by QEMU: configurations on a CD-ROM could not be given to such machines."""
    buses = {kind.hardware["disk_bus"], kind.hardware.get("cdrom_bus", "sata"), kind.startup_config.bus}
    assert "q35" not in kind.hardware["machine"] or "ide" not in buses
    assert (kind.startup_config.medium == "iso") == ("cdrom_bus" in kind.hardware)


@pytest.mark.parametrize("kind", NATIVE.values(), ids=lambda kind: kind.name)
def test_a_medium_has_a_label_and_a_file(kind):
    config = kind.startup_config
    assert bool(config.label) == bool(config.medium)
    assert bool(config.file) == (config.medium in ("iso", "usb"))
    assert bool(config.archive) == (config.medium == "usb")


@pytest.mark.parametrize(
    ("name", "medium"),
    [
        ("cisco_xrv9k", ("iso", "config", "iosxr_config.txt", "")),
        ("cisco_csr1000v", ("iso", "config", "iosxe_config.txt", "")),
        ("cisco_c8000v", ("iso", "config", "iosxe_config.txt", "")),
        ("cisco_cat9kv", ("iso", "config", "iosxe_config.txt", "")),
        ("cisco_cat9000v_uadp", ("iso", "config", "iosxe_config.txt", "")),
        ("cisco_cat9800", ("iso", "config", "iosxe_config.txt", "")),
        ("cisco_n9kv", ("iso", "disk", "nxos_config.txt", "")),
        ("juniper_vjunosrouter", ("usb", "vmm-data", "config/juniper.conf", "vmm-config.tgz")),
        ("linux", ("cloud-init", "cidata", "", "")),
    ],
)
def test_what_devices_look_for(name, medium):
    config = NATIVE[name].startup_config
    assert (config.medium, config.label, config.file, config.archive) == medium


def test_kinds_that_are_no_machine_from_a_disk_say_why():
    assert {name for name in VMS if name not in NATIVE} == {
        "cisco_sdwan",
        "cisco_xrd_vrouter",
        "juniper_cjunosevolved",
        "juniper_vmx",
        "juniper_vqfx",
        "nokia_sros",
    }
    assert _kinds.why_not_native(VMS["juniper_vmx"]).startswith("kind juniper_vmx cannot start from one: a vMX is two machines")
    assert _kinds.why_not_native(FROM_DISK["arista_ceos"]) == "nodes of kind arista_ceos are containers"


def test_kinds_of_containers_that_are_machines_too():
    """Of the container nothing is left; as one, the kind is what it was."""
    assert {name for name in NATIVE if name not in VMS} == {"alpine", "linux"}
    for name in ("alpine", "linux"):
        machine, container = NATIVE[name], _kinds.find_kind(name)
        assert (machine.provider, machine.boot, machine.console.method, machine.link_apply_mode) == (
            "vm",
            type(machine.boot)(),
            "virsh",
            "recreate",
        )
        assert (container.provider, container.hardware, container.startup_config.medium) == ("container", {}, "")
        assert container.boot.capabilities
        assert machine.interfaces == container.interfaces


def test_commands_of_a_machine_s_console_are_no_commands_of_its_container():
    with_commands = {name: kind.post_boot for name, kind in NATIVE.items() if kind.post_boot}
    assert set(with_commands) == {"cisco_vios", "cisco_asav", "cisco_csr1000v", "cisco_c8000v"}
    assert all(not VMS[name].post_boot for name in with_commands)
    assert with_commands["cisco_c8000v"] == (("terminal", "length", "0"),)


def test_the_preamble_of_n9kv_sets_the_boot_variable_of_whatever_image_runs():
    preamble = NATIVE["cisco_n9kv"].startup_config.preamble
    assert "boot nxos" in preamble
    assert "username {username} password 0 {password} role network-admin" in preamble.splitlines()
    script = "\n".join(re.findall(r"echo '(.*)' >> ", preamble))
    compile("from cli import cli\n" + script, "boot_variable.py", "exec")


def test_nics_that_a_machine_keeps_to_itself_have_no_name_and_move_no_port():
    """Data NIC 1 of XRv 9000 is the machine's NIC 3, and eth1 in a topology, packed or not."""
    xrv9k, ftdv = _kinds.find_kind("xrv9k").interfaces, _kinds.find_kind("ftdv").interfaces
    assert (xrv9k.reserved, xrv9k.first, ftdv.reserved, ftdv.first) == (2, 1, 1, 1)
    assert {kind.name for kind in VMS.values() if kind.interfaces.reserved} == {"cisco_xrv9k", "cisco_ftdv"}


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("cisco_xrv9k", {"machine": "pc", "serial_type": "tcp", "serial_count": 4, "sockets": 1, "smbios_product": "Cisco IOS XRv 9000"}),
        ("cisco_n9kv", {"disk_bus": "sata", "nic_model": "e1000", "efi": "stateless", "cpu_flags_off": ["smep", "smap", "pku", "umip"]}),
        ("cisco_cat9kv", {"machine": "pc-i440fx-6.2", "minimum_cpu": 4, "minimum_memory": 18 * 2**30}),
        ("cisco_vios", {"machine": "pc-i440fx-6.2", "disk_bus": "ide", "nic_model": "e1000"}),
        ("juniper_vjunosrouter", {"machine": "pc-q35-6.2", "nested": True}),
        ("fmcv", {"data_disks": [256 * 2**30]}),
    ],
)
def test_hardware_of_some_machines(name, facts):
    hardware = VMS[name].hardware
    assert {key: hardware[key] for key in facts} == facts


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("cisco_n9kv", "User Access Verification"),
        ("cisco_n9kv", "switch#"),
        ("cisco_asav", "ciscoasa>"),
        ("cisco_c8000v", "Press RETURN to get started!"),
        ("mikrotik_ros", "MikroTik Login: "),
        ("arista_ceos", "%SYS-5-SYSTEM_RESTARTED: System restarted"),
        ("nokia_srlinux", "SR Linux has started"),
        ("cisco_iol", "Press RETURN to get started!"),
    ],
)
def test_what_ready_devices_print(name, line):
    assert re.search(_kinds.find_kind(name).readiness.pattern, line)


def test_a_packed_machine_is_ready_when_its_launcher_says_so():
    packed = {kind.readiness.packed_pattern for kind in VMS.values() if not kind.readiness.optout}
    assert packed == {"Startup complete in", ""}
    assert VMS["cisco_n9kv"].readiness.packed_pattern == "Startup complete in"
    assert re.search("Startup complete in", "launch: Startup complete in: 0:03:11")


def test_kinds_that_opt_out_of_waiting():
    assert {path.stem for path in FILES if _kinds.find_kind(path.stem).readiness.optout} == {
        "cisco_xrd",
        "cumulus_cvx",
        "juniper_crpd",
        "vyosnetworks_vyos",
        "windows",
    }


@pytest.mark.parametrize("path", sorted(_kinds.SHAPES.glob("*.yml")), ids=lambda path: path.stem)
def test_every_shape_is_a_part_of_a_kind(path):
    jsonschema.Draft202012Validator({**SCHEMA, "required": []}).validate(yaml.safe_load(path.read_text()))
    problems = Problems(str(path))
    _kind_reader.check_part(problems, load_yaml(str(path)))
    assert problems.found == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_names_for_ansible_are_whole(path):
    """Short names of platforms and connections mean nothing, or something else, outside of their collections."""
    connection = _kinds.find_kind(path.stem).connection
    for name in filter(None, (connection.network_os, connection.plugin)):
        assert re.fullmatch(r"[a-z0-9_]+\.[a-z0-9_]+\.[a-z0-9_]+", name)
    assert bool(connection.username) == bool(connection.password)
