# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the collection's kinds are started, against what their vendors and vrnetlab ask for, written down here a second time."""

from __future__ import annotations

import re

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils import _kinds
from ansible_collections.archetype.lab.tests.unit.plugin_utils.recipes import ONLY_IPV4, Made, config, kind, node

KINDS = sorted(path.stem for path in _kinds.DIRECTORY.glob("*.yml"))
CONTAINERS = [name for name in KINDS if kind(name).provider in ("container", "vm")]
MACHINES = [name for name in KINDS if kind(name).provider == "vm"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_kind_can_be_started_with_and_without_a_management_network(name):
    one = kind(name)
    first = one.interfaces.linux.format(index=one.interfaces.first)
    for management in (ONLY_IPV4, None):
        made = Made(node(name), [first], management)
        assert not made.problems
        texts = [*made.files.values(), *made["env"].values(), *(made["cmd"] or ())]
        assert not [text for text in texts if re.search(r"(?<!\$)\{[?!]?[a-z][a-z0-9_]*\}", text)]
        assert management or not [text for text in texts if "198.51.100" in text]
        assert Made(node(name), [first], management).declared == made.declared


@pytest.mark.parametrize("name", [name for name in CONTAINERS if kind(name).boot.privileged])
def test_who_is_privileged_names_what_it_makes_do_with(name):
    boot = kind(name).boot
    assert {"NET_ADMIN", "NET_RAW", "SYS_ADMIN"} <= set(boot.capabilities)
    assert boot.system_paths == "unconfined"


def test_only_whole_operating_systems_are_privileged():
    assert not [name for name in MACHINES if kind(name).boot.privileged]
    assert not kind("linux").boot.privileged
    assert not kind("frr").boot.privileged
    assert not kind("cisco_xrd").boot.privileged
    assert not kind("cisco_iol").boot.privileged


# -- one by one -----------------------------------------------------------------------------------------------------


def test_arista_ceos():
    made = Made(node("ceos", env={"INTFTYPE": "et"}), ["eth1", "eth10"])
    assert made["env"] == {
        "CEOS": "1",
        "EOS_PLATFORM": "ceoslab",
        "ETBA": "1",
        "INTFTYPE": "et",
        "MAPETH0": "1",
        "MGMT_INTF": "eth0",
        "SKIP_ZEROTOUCH_BARRIER_IN_SYSDBINIT": "1",
        "container": "docker",
    }
    assert made["cmd"] == ["/sbin/init", *(f"systemd.setenv={name}={value}" for name, value in made["env"].items())]
    assert made.own_binds == {"/mnt/flash"}
    assert made["sysctls"] == {
        "net.ipv4.ip_forward": "0",
        "net.ipv6.conf.all.accept_dad": "0",
        "net.ipv6.conf.all.autoconf": "0",
        "net.ipv6.conf.all.disable_ipv6": "0",
        "net.ipv6.conf.default.accept_dad": "0",
        "net.ipv6.conf.default.autoconf": "0",
    }
    assert set(made.files) == {"/mnt/flash/startup-config", "/mnt/flash/system_mac_address"}
    assert re.fullmatch(r"00:1c:73(?::[0-9a-f]{2}){3}", made.files["/mnt/flash/system_mac_address"])
    lines = made.files["/mnt/flash/startup-config"].splitlines()
    at = lines.index("interface Management0")
    assert lines[:2] == ["hostname r1", "username admin privilege 15 secret admin"]
    assert lines[at : at + 4] == ["interface Management0", "   ip address 198.51.100.7/24", "   ipv6 address 2001:db8::7/64", "!"]
    assert lines[-1] == "end"
    assert not [line for line in Made(node("ceos"), [], None).files["/mnt/flash/startup-config"].splitlines() if " address " in line]


SRL_TYPES = {
    "ixr-d2l": (72, 187, 187, 208),
    "ixrd1": (64, 175, 175, 196),
    "ixr-d5": (71, 201, 190, 201),
    "IXR-H4-32D": (84, 18, 18, 25),
    "ixr6": (42, 69, 127, 36),
    "ixr10e": (69, 184, 182, 199),
    "sxr1x44s": (51, 177, 2, 40),
    "ixsa1": (80, 196, 196, 8),
    "": (72, 187, 187, 208),
}


@pytest.mark.parametrize("name", SRL_TYPES)
def test_nokia_srlinux_tells_the_device_what_chassis_it_is(name):
    made = Made(node("srl", type=name), ["e1-1"])
    assert not made.problems
    chassis, cpm, card, mda = SRL_TYPES[name]
    told = yaml.safe_load(made.files["/tmp/topology.yml"])
    mac = told["chassis_configuration"].pop("base_mac")
    assert re.fullmatch(r"1a:[0-9a-f]{2}:[0-9a-f]{2}:00:00:00", mac)
    assert told == {
        "chassis_configuration": {"chassis_type": chassis, "cpm_card_type": cpm},
        "slot_configuration": {1: {"card_type": card, "mda_type": mda}},
    }


def test_nokia_srlinux():
    made = Made(node("srl", startup_config=config('{"a": {}}\n')), ["e1-1", "e1-2"])
    assert (made["env"], made["user"]) == ({"SRLINUX": "1"}, "0:0")
    assert made["cmd"] == ["sudo", "bash", "-c", "touch /.dockerenv && /opt/srlinux/bin/sr_linux"]
    assert made["sysctls"]["net.ipv4.ip_forward"] == "0"
    assert made.files["/etc/opt/srlinux/config.json"] == '{"a": {}}\n'
    assert (made["exec"], made["boot_commands"], made["boot_timeout"]) == ([], [], 0)
    assert made.own_binds == {"/etc/opt/srlinux", "/tmp/topology.yml"}
    assert kind("srl").license_path == "/opt/srlinux/etc/license.key"
    commands = Made(node("srl", startup_config=config("set / system name host-name x\n")), ["e1-1", "e1-10"])
    assert "/etc/opt/srlinux/config.json" not in commands.files
    assert commands.files["/etc/opt/srlinux/startup.cli"].splitlines()[-3:] == [
        "set / interface ethernet-1/1 admin-state enable",
        "set / interface ethernet-1/10 admin-state enable",
        "set / system name host-name x",
    ]
    ((shell, option, program),) = commands["boot_commands"]
    assert (commands["boot_timeout"], commands["ready_log"], commands["exec"]) == (120, "", [])
    assert (shell, option) == ("sh", "-c")
    assert "/opt/srlinux/bin/sr_cli -ed < startup.cli" in program
    assert 'test -z ""' in program
    (enforced,) = Made(node("srl", enforce_startup_config=True))["boot_commands"]
    assert 'test -z "1"' in enforced[2]


def test_nokia_srlinux_has_no_other_types():
    (problem,) = Made(node("srl", type="ixr-d9")).problems
    assert 'kind nokia_srlinux has no type "ixr-d9"' in problem.what


def test_cisco_xrd():
    made = Made(node("xrd"), ["Gi0-0-0-0", "Gi0-0-0-10"])
    assert made["env"] == {
        "XR_FIRST_BOOT_CONFIG": "/etc/xrd/first-boot.cfg",
        "XR_INTERFACES": "linux:Gi0-0-0-0,xr_name=Gi0/0/0/0;linux:Gi0-0-0-10,xr_name=Gi0/0/0/10",
        "XR_MGMT_INTERFACES": "linux:eth0,xr_name=Mg0/RP0/CPU0/0,chksum,snoop_v4,snoop_v6",
    }
    assert "SYS_RESOURCE" in made["cap_add"]
    assert made.own_binds == {"/etc/xrd/first-boot.cfg", "/xr-storage"}
    text = made.files["/etc/xrd/first-boot.cfg"]
    assert text.startswith("hostname r1\n!\nusername clab\n group root-lr\n group cisco-support\n secret clab@123\n!\n")
    assert "interface GigabitEthernet0/0/0/0\n no shutdown\n!\ninterface GigabitEthernet0/0/0/10\n no shutdown\n!\n" in text
    assert "  0.0.0.0/0 MgmtEth0/RP0/CPU0/0 198.51.100.1\n" in text
    alone = Made(node("xrd"), [], None)
    assert alone["env"] == {"XR_FIRST_BOOT_CONFIG": "/etc/xrd/first-boot.cfg", "XR_INTERFACES": ""}
    assert "router static" not in alone.files["/etc/xrd/first-boot.cfg"]
    enforced = Made(node("xrd", enforce_startup_config=True))
    assert enforced["env"]["XR_EVERY_BOOT_CONFIG"] == "/etc/xrd/first-boot.cfg"


@pytest.mark.parametrize("name", ["juniper_crpd", "juniper_csrx"])
def test_junipers_containers(name):
    made = Made(node(name))
    assert {"/config", "/var/log", "/etc/ssh/sshd_config"} <= made.own_binds
    assert re.match(
        r'system \{\n    host-name r1;\n    root-authentication \{\n        encrypted-password "\$6\$', made.files["/config/juniper.conf"]
    )
    assert made.files["/config/juniper.conf"].count("{") == made.files["/config/juniper.conf"].count("}")
    assert kind(name).license_path == "/config/license/license.lic"
    own = 'system { services { ssh; } }\ninterfaces { lo0 { unit 0 { description "{node}"; } } }\n'
    assert Made(node(name, startup_config=config(own))).files["/config/juniper.conf"] == own


def test_juniper_csrx_keeps_the_password_of_its_configuration():
    made = Made(node("csrx"))
    assert made["env"] == {"CSRX_JUNOS_CONFIG": "/config/juniper.conf"}
    assert made.files["/var/local/csrx_password_config_file"] == ""


def test_cisco_iol_joins_its_ports_with_interfaces():
    made = Made(node("iol"), ["eth1", "eth4", "eth11"])
    assert made["env"] == {"CLAB_INTFS": "3", "IOL_PID": "7"}
    assert made.files["/iol/NETMAP"] == "7:0/0 513:0/0\n7:0/1 513:0/1\n7:1/0 513:1/0\n7:2/3 513:2/3\n"
    assert made.files["/iol/iouyap.ini"] == (
        "[default]\nbase_port = 49000\nnetmap = /iol/NETMAP\n[513:0/0]\neth_dev = eth0\n"
        "[513:0/1]\neth_dev = eth1\n[513:1/0]\neth_dev = eth4\n[513:2/3]\neth_dev = eth11\n"
    )
    assert made.files["/iol/nvram_00007"] == ""
    assert made.own_binds == {"/iol/NETMAP", "/iol/iouyap.ini", "/iol/nvram_00007", "/iol/config.txt"}
    text = made.files["/iol/config.txt"]
    assert (
        "interface Ethernet0/0\n vrf forwarding clab-mgmt\n ip address 198.51.100.7 255.255.255.0\n ipv6 address 2001:db8::7/64\n"
        " no shutdown\n!\ninterface Ethernet0/1\n no shutdown\n!\ninterface Ethernet1/0\n no shutdown\n!\ninterface Ethernet2/3\n"
    ) in text
    assert "ip route vrf clab-mgmt 0.0.0.0 0.0.0.0 Ethernet0/0 198.51.100.1\n" in text
    assert text.endswith(" transport input ssh\n!\nend\n")


@pytest.mark.parametrize("fields", [{"type": "L2"}, {"image": "vrnetlab/cisco_iol:l2-17.12"}])
def test_cisco_iol_may_be_a_switch(fields):
    text = Made(node("iol", **fields), ["eth1"]).files["/iol/config.txt"]
    assert "interface Ethernet0/0\n switchport mode access\n switchport access vlan 999\n no shutdown\n!\ninterface Vlan999\n" in text
    assert "ip route vrf clab-mgmt 0.0.0.0 0.0.0.0 198.51.100.1\n" in text
    assert Made(node("iol-l2"), ["eth1"]).files["/iol/config.txt"] == text


def test_cisco_iol_takes_a_part_and_a_whole():
    part = Made(node("iol", startup_config=config("router ospf 1\n", "r1.partial.cfg")), ["eth1"])
    assert part.files["/iol/config.txt"].endswith("!\nrouter ospf 1\nend\n")
    assert Made(node("iol", startup_config=config("x\n", "r1.cfg")), ["eth1"]).files["/iol/config.txt"] == "x\n"


# -- vrnetlab -------------------------------------------------------------------------------------------------------

ELSEWHERE = {"nokia_sros", "cisco_sdwan", "juniper_cjunosevolved"}


@pytest.mark.parametrize("name", [name for name in MACHINES if name not in ELSEWHERE])
def test_a_machine_of_vrnetlab(name):
    made = Made(node(name, credentials=("me", "secret"), startup_config=config("x\n")), [f"eth{index}" for index in (1, 2, 3)])
    assert {
        "CLAB_INTFS": "3",
        "CONNECTION_MODE": "tc",
        "DOCKER_NET_V4_ADDR": "198.51.100.0/24",
        "DOCKER_NET_V6_ADDR": "2001:db8::/64",
        "HOSTNAME": "r1",
        "PASSWORD": "secret",
        "USERNAME": "me",
    }.items() <= made["env"].items()
    words = made["cmd"]
    assert words[:8] == ["--username", "me", "--password", "secret", "--hostname", "r1", "--connection-mode", "tc"]
    assert words[-1] == "--trace"
    assert made["devices"] == ["/dev/kvm", "/dev/net/tun", "/dev/vhost-net"]
    assert {"NET_ADMIN", "NET_RAW", "SYS_ADMIN"} <= set(made["cap_add"])
    assert made.files == {"/config/startup-config.cfg": "x\n"}
    assert made.own_binds == {"/config"}
    other = Made(node(name, env={"USERNAME": "you", "CONNECTION_MODE": "macvtap"}))["cmd"]
    assert (other[1], other[7]) == ("you", "macvtap")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("cisco_xrv9k", ["--vcpu", "2", "--ram", "16384"]),
        ("cisco_cat9kv", ["--vcpu", "4", "--ram", "18432"]),
    ],
)
def test_machines_with_words_of_their_own(name, more):
    assert Made(node(name))["cmd"][8:-1] == more
    assert Made(node(name, env={"RAM": "1"}))["cmd"][-2] == "1"


@pytest.mark.parametrize(("name", "ram"), [("paloalto_panos", "6144"), ("fortinet_fortigate", "2048")])
def test_machines_with_hardware_of_their_own(name, ram):
    assert {"VCPU": "2", "RAM": ram}.items() <= Made(node(name))["env"].items()


def test_a_machine_without_management_has_no_networks_of_it():
    assert not {"DOCKER_NET_V4_ADDR", "DOCKER_NET_V6_ADDR"} & Made(node("vr-n9kv"), [], None)["env"].keys()


def test_nokia_sros_has_a_variant_and_boots_over_tftp():
    made = Made(node("vr-sros", startup_config=config("x\n")))
    assert made["cmd"] == ["--trace", "--connection-mode", "tc", "--hostname", "r1", "--variant", "sr-1"]
    assert Made(node("vr-sros", type="cp: cpu=2 slot=A"))["cmd"][-1] == "cp: cpu=2 slot=A"
    assert made.files == {"/tftpboot/config.txt": "x\n"}
    assert (made.own_binds, kind("vr-sros").license_path) == ({"/tftpboot"}, "/tftpboot/license.txt")


def test_cisco_sdwan_is_one_of_three_and_takes_two_forms():
    assert Made(node("cisco_sdwan"))["cmd"][-3:] == ["--component-type", "manager", "--trace"]
    assert Made(node("cisco_sdwan", type="validator"))["cmd"][-2] == "validator"
    assert Made(node("cisco_sdwan", type="other")).problems
    assert Made(node("cisco_sdwan", startup_config=config("#cloud-config\n"))).files == {"/config/cloud-init.yaml": "#cloud-config\n"}
    assert Made(node("cisco_sdwan", startup_config=config("<a/>\n"))).files == {"/config/zcloud.xml": "<a/>\n"}


def test_cisco_vios_is_told_its_management_address():
    made = Made(node("cisco_vios", startup_config=config("ip cef\n", "r1.partial")), ["eth1"])
    assert made["env"]["CLAB_MGMT_PASSTHROUGH"] == "true"
    text = made.files["/config/startup-config.cfg"]
    assert "interface GigabitEthernet0/0\n vrf forwarding management\n ip address 198.51.100.7 255.255.255.0\n" in text
    assert text.endswith("!\nip cef\nend\n")
    assert " no switchport\n" in Made(node("cisco_vios", type="switch")).files["/config/startup-config.cfg"]


def test_juniper_cjunosevolved_is_junipers_own_container():
    made = Made(node("cjunosevolved", startup_config=config("system { }\n")), ["eth4"])
    assert (made["cmd"], made["env"], made.files) == (None, {"CLAB_INTFS": "1"}, {"/config/startup-config.cfg": "system { }\n"})
    assert made["devices"] == ["/dev/kvm", "/dev/net/tun", "/dev/vhost-net"]


# -- others ---------------------------------------------------------------------------------------------------------


def test_places_of_configurations_and_what_is_kept():
    own = config("x\n")
    paths = {
        "cisco_c8000": "/startup.cfg",
        "arrcus_arcos": "/config/startup.cfg",
        "6wind_vsr": "/etc/init-config.cli",
        "fdio_vpp": "/etc/vpp/vppcfg.yaml",
        "nokia_srsim": "/home/sros/flash3/config.cfg",
        "vyosnetworks_vyos": "/opt/vyatta/etc/config/config.boot",
        "sonic-vs": "/etc/sonic/config_db.json",
        "linux": "/etc/startup-config",
        "frr": "/etc/frr/frr.conf",
    }
    assert {name: Made(node(name, startup_config=own)).files[path] for name, path in paths.items()} == dict.fromkeys(paths, "x\n")
    folders = {
        "rare": {"/rtr/run"},
        "nokia_srsim": {"/home/sros/flash1", "/home/sros/flash2", "/home/sros/flash3"},
        "vyosnetworks_vyos": {"/opt/vyatta/etc/config"},
        "keysight_ixia-c-one": set(),
        "cumulus_cvx": set(),
    }
    assert {name: Made(node(name)).own_binds for name in folders} == folders


def test_nokia_srsim():
    made = Made(node("nokia_srsim"))
    mac = made["env"].pop("NOKIA_SROS_SYSTEM_BASE_MAC")
    assert re.fullmatch(r"1c:[0-9a-f]{2}:[0-9a-f]{2}:00:00:00", mac)
    assert made["env"] == {"NOKIA_SROS_CHASSIS": "SR-1", "NOKIA_SROS_SLOT": "A", "SRSIM": "1"}
    assert (made["user"], len(made["sysctls"])) == ("0:0", 11)
    assert Made(node("nokia_srsim", type="SR-7"))["env"]["NOKIA_SROS_CHASSIS"] == "SR-7"
    assert kind("nokia_srsim").license_path == "/nokia/license/license.txt"


def test_6wind_vsr_and_fdio_vpp_have_capabilities_and_devices():
    vsr, vpp = Made(node("6wind_vsr")), Made(node("fdio_vpp"))
    assert (vsr["shm_size"], vsr["entrypoint"], vpp["entrypoint"]) == (512 << 20, ["/sbin/init-container.sh"], ["/sbin/init-container.sh"])
    assert vsr["devices"] == ["/dev/net/tun", "/dev/ppp", "/dev/vhost-net"]
    assert vpp["devices"] == ["/dev/net/tun", "/dev/vhost-net"]
    assert {"IPC_LOCK", "NET_ADMIN", "SYS_ADMIN", "SYS_NICE", "SYS_PTRACE", "SYSLOG"} <= set(vsr["cap_add"]) & set(vpp["cap_add"])
    assert not vsr["privileged"]
    text = vpp.files["/etc/vpp/startup.conf"]
    assert "  cli-prompt r1#\n" in text
    assert text.count("{") == text.count("}")


def test_vyos_brings_the_line_without_which_it_converts_its_configuration():
    text = Made(node("vyos"), [], ONLY_IPV4).files["/opt/vyatta/etc/config/config.boot"]
    assert '        address "198.51.100.7/24"\n        description "Management"\n' in text
    assert '// vyos-config-version: "bgp@5:' in text
    assert text.count("{") == text.count("}")


def test_arrcus_arcos_and_cisco_c8000_say_where_and_who():
    assert Made(node("arcos"))["env"] == {"STARTUP_CFG": "/config/startup.cfg"}
    assert Made(node("arcos")).files["/config/startup.cfg"] == "system hostname r1\n"
    text = Made(node("c8000"), ["FH0_0_0_0"]).files["/startup.cfg"]
    assert "interface MgmtEth0/RP0/CPU0/0\n ipv4 address 198.51.100.7/24\n ipv6 address 2001:db8::7/64\n no shutdown\n!\n" in text
    assert "interface FourHundredGigE0/0/0/0\n no shutdown\n!\n" in text
