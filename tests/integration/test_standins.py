# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices find at their first process what their vendors ask for: interfaces in order, environment, command and files. Three restarts long.

The devices are stand-ins, as nobody may ship the real ones. Their kinds are the collection's own, with nothing changed. Where a kind asks
for a privileged container and the servers of the testbed cannot give it, it is started with the capabilities that it names, and told so.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.integration import standin
from tests.integration.acceptance import Lab, Run, World

LAB = "standins"
PLACES = {"eos": "srv3", "srl": "srv2", "xrd": "srv1", "crpd": "srv2", "iol": "srv1"}
KINDS = {"eos": "arista_ceos", "srl": "nokia_srlinux", "xrd": "cisco_xrd", "crpd": "juniper_crpd", "iol": "cisco_iol"}
ADDRESSES = {node: (f"198.51.100.{last}", f"2001:db8:51::{last}") for last, node in enumerate(PLACES, 11)}
GATEWAYS = ("198.51.100.1", "2001:db8:51::1")
LINKS = [
    ("eos:Ethernet10", "xrd:GigabitEthernet0/0/0/0"),
    ("eos:Ethernet1", "srl:ethernet-1/1"),
    ("eos:Et2", "crpd:eth1"),
    ("srl:ethernet-1/10", "xrd:Gi0/0/0/10"),
    ("srl:e1-2", "iol:Ethernet0/1"),
    ("xrd:Gi0/0/0/2", "crpd:eth10"),
    ("crpd:eth2", "iol:Ethernet1/0"),
    ("iol:e2/3", "eos:Ethernet3"),
]
INTERFACES = {
    "eos": ["eth1", "eth2", "eth3", "eth10"],
    "srl": ["e1-1", "e1-2", "e1-10"],
    "xrd": ["Gi0-0-0-0", "Gi0-0-0-2", "Gi0-0-0-10"],
    "crpd": ["eth1", "eth2", "eth10"],
    "iol": ["eth1", "eth4", "eth11"],
}
CONFIGS = {
    "eos.cfg": "hostname {{ .ShortName }}\n"
    "interface Management0\n   ip address {{ .MgmtIPv4Address }}/{{ .MgmtIPv4PrefixLength }}\n!\nend\n",
    "srl.json": '{"srl_nokia-system:system": {"name": {"host-name": "srl"}}}\n',
    "xrd.cfg": "hostname xrd\ninterface GigabitEthernet0/0/0/0\n ipv4 address 203.0.113.1/24\n!\nend\n",
    "crpd.conf": "system {\n    host-name {{ .ShortName }};\n    services { ssh; }\n}\n",
    "iol.partial.cfg": "router ospf 1\n network 203.0.113.0 0.0.0.255 area 0\n!\n",
    "license.txt": "a license\n",
}
DOCKERS = {"HOME", "HOSTNAME", "PATH", "TERM"}
"""Variables that Docker sets in every container."""

CEOS = {
    "CEOS": "1",
    "EOS_PLATFORM": "ceoslab",
    "ETBA": "1",
    "INTFTYPE": "eth",
    "MAPETH0": "1",
    "MGMT_INTF": "eth0",
    "SKIP_ZEROTOUCH_BARRIER_IN_SYSDBINIT": "1",
    "container": "docker",
}


@dataclasses.dataclass
class Labs:
    """The lab, and what its first deployment said."""

    world: World
    lab: Lab
    first: Run

    def seen(self, node: str, boot: int = 1) -> standin.Seen:
        """What the first process of a node's container found at its latest boot; it is waited for, and is at least this boot."""
        found: list[standin.Seen] = []

        def said() -> bool:
            one = standin.last_boot(self.world.on(PLACES[node], "docker", "logs", self.lab.container(node)))
            found.extend([one] if one and one.boot >= boot else [])
            return bool(found)

        self.world.wait(said, 20, f"{node} said what it found")
        return found[-1]

    def on_disk(self, node: str, path: str) -> str:
        return f"/var/lib/archetype-lab/{LAB}/files/{node}{path}"


@pytest.fixture(scope="module")
def labs(world: World) -> Iterator[Labs]:
    world.forget(LAB)
    folder = world.folder / LAB
    folder.mkdir()
    standin.load(world.testbed, folder)
    for name, text in CONFIGS.items():
        (folder / name).write_text(text)
    nodes: dict[str, dict[str, Any]] = {
        node: {"kind": kind, "mgmt-ipv4": ADDRESSES[node][0], "mgmt-ipv6": ADDRESSES[node][1]} for node, kind in KINDS.items()
    }
    nodes["eos"]["startup-config"] = "eos.cfg"
    nodes["srl"] |= {"startup-config": "srl.json", "license": "license.txt", "type": "ixrd3l"}
    nodes["xrd"]["startup-config"] = "xrd.cfg"
    nodes["crpd"] |= {"startup-config": "crpd.conf", "license": "license.txt", "enforce-startup-config": True}
    nodes["iol"]["startup-config"] = "iol.partial.cfg"
    topology = {
        "name": LAB,
        "mgmt": {"ipv4-subnet": "198.51.100.0/24", "ipv6-subnet": "2001:db8:51::/64"},
        "topology": {
            "defaults": {"image": standin.IMAGE},
            "nodes": nodes,
            "links": [{"endpoints": list(ends)} for ends in LINKS],
        },
    }
    # A stand-in is ready when it runs: what devices say then is another matter (test_recorded_consoles.py, test_ready.py).
    lab = Lab(folder / f"{LAB}.lab.yml", topology).write(placement=PLACES, image_settings={standin.IMAGE: {"readiness": "none"}})
    yield Labs(world, lab, world.deploy(lab))
    world.forget(LAB)


def everything(labs: Labs, boot: int = 1) -> Mapping[str, standin.Seen]:
    return {node: labs.seen(node, boot) for node in PLACES}


def check_interfaces(seen: Mapping[str, standin.Seen]) -> None:
    for node, one in seen.items():
        names = [
            name
            for name in one.interfaces
            if name != "lo" and not re.fullmatch(r"(?:tunl|gre|gretap|erspan|sit|ip6tnl|ip6gre)0|ip_vti0|ip6_vti0", name)
        ]
        assert names == ["eth0", *INTERFACES[node]], (node, one.interfaces)
        assert one.indexes == sorted(set(one.indexes))


def own(one: standin.Seen) -> dict[str, str]:
    return {name: value for name, value in one.environ.items() if name not in DOCKERS}


def check_environments(seen: Mapping[str, standin.Seen], **more: str) -> None:
    """more: what the test itself added to eos."""
    number = seen["iol"].environ["IOL_PID"]
    assert 1 <= int(number) <= 1023
    assert {node: own(one) for node, one in seen.items()} == {
        "eos": {**CEOS, **more},
        "srl": {"SRLINUX": "1"},
        "xrd": {
            "XR_FIRST_BOOT_CONFIG": "/etc/xrd/first-boot.cfg",
            "XR_INTERFACES": "linux:Gi0-0-0-0,xr_name=Gi0/0/0/0;linux:Gi0-0-0-2,xr_name=Gi0/0/0/2;linux:Gi0-0-0-10,xr_name=Gi0/0/0/10",
            "XR_MGMT_INTERFACES": "linux:eth0,xr_name=Mg0/RP0/CPU0/0,chksum,snoop_v4,snoop_v6",
        },
        "crpd": {},
        "iol": {"CLAB_INTFS": "3", "IOL_PID": number},
    }
    words = [f"systemd.setenv={name}={value}" for name, value in sorted({**CEOS, **more}.items())]
    program = ["/bin/sh", "/standin"]
    assert {node: one.argv for node, one in seen.items()} == {
        "eos": [*program, "/sbin/init", *words],
        "srl": [*program, "sudo", "bash", "-c", "touch /.dockerenv && /opt/srlinux/bin/sr_linux"],
        "xrd": program,
        "crpd": program,
        "iol": program,
    }
    assert {one.hostname for one in seen.values()} == set(PLACES)
    assert {one.user for one in seen.values()} == {"0:0"}


EOS_CONFIG = "hostname eos\ninterface Management0\n   ip address 198.51.100.11/24\n!\nend\n"
TOPOLOGY = re.compile(
    r'chassis_configuration:\n  "chassis_type": 73\n  "base_mac": "1a:[0-9a-f]{2}:[0-9a-f]{2}:00:00:00"\n  "cpm_card_type": 188\n\n'
    r'slot_configuration:\n  1:\n    "card_type": 188\n    "mda_type": 194\n'
)
CRPD_CONFIG = "system {\n    host-name crpd;\n    services { ssh; }\n}\n"
IOL_CONFIG = """\
hostname iol
!
no aaa new-model
ip domain name lab
no ip domain lookup
ipv6 unicast-routing
username admin privilege 15 secret admin
!
vrf definition clab-mgmt
 address-family ipv4
 !
 address-family ipv6
 !
!
interface Ethernet0/0
 vrf forwarding clab-mgmt
 ip address 198.51.100.15 255.255.255.0
 ipv6 address 2001:db8:51::15/64
 no shutdown
!
interface Ethernet0/1
 no shutdown
!
interface Ethernet1/0
 no shutdown
!
interface Ethernet2/3
 no shutdown
!
ip route vrf clab-mgmt 0.0.0.0 0.0.0.0 Ethernet0/0 198.51.100.1
ipv6 route vrf clab-mgmt ::/0 Ethernet0/0 2001:db8:51::1
!
ip ssh version 2
crypto key generate rsa modulus 2048
!
line vty 0 4
 login local
 transport input ssh
!
router ospf 1
 network 203.0.113.0 0.0.0.255 area 0
!
end
"""


def check_files(seen: Mapping[str, standin.Seen], *, eos_config: str = EOS_CONFIG) -> None:
    files = {node: {path: content for path, (_mode, content) in one.files.items()} for node, one in seen.items()}
    number = seen["iol"].environ["IOL_PID"]
    assert files["eos"].keys() == {"/mnt/flash/startup-config", "/mnt/flash/system_mac_address"}
    assert files["eos"]["/mnt/flash/startup-config"] == eos_config
    assert re.fullmatch(r"00:1c:73(?::[0-9a-f]{2}){3}", files["eos"]["/mnt/flash/system_mac_address"])
    assert files["srl"].keys() == {"/etc/opt/srlinux/config.json", "/opt/srlinux/etc/license.key", "/tmp/topology.yml"}
    assert files["srl"]["/etc/opt/srlinux/config.json"] == CONFIGS["srl.json"]
    assert files["srl"]["/opt/srlinux/etc/license.key"] == CONFIGS["license.txt"]
    assert TOPOLOGY.fullmatch(files["srl"]["/tmp/topology.yml"])
    assert files["xrd"] == {"/etc/xrd/first-boot.cfg": CONFIGS["xrd.cfg"]}
    assert files["crpd"].keys() == {"/config/juniper.conf", "/config/license/license.lic", "/etc/ssh/sshd_config"}
    assert files["crpd"]["/config/juniper.conf"] == CRPD_CONFIG
    assert files["crpd"]["/config/license/license.lic"] == CONFIGS["license.txt"]
    assert "PermitRootLogin yes" in files["crpd"]["/etc/ssh/sshd_config"].splitlines()
    pairs = ["0/0", "0/1", "1/0", "2/3"]
    devices = ["eth0", "eth1", "eth4", "eth11"]
    assert files["iol"] == {
        "/iol/NETMAP": "".join(f"{number}:{one} 513:{one}\n" for one in pairs),
        "/iol/iouyap.ini": "[default]\nbase_port = 49000\nnetmap = /iol/NETMAP\n"
        + "".join(f"[513:{one}]\neth_dev = {device}\n" for one, device in zip(pairs, devices, strict=True)),
        "/iol/config.txt": IOL_CONFIG,
        f"/iol/nvram_{int(number):05d}": "",
    }
    assert {node: one.folders for node, one in seen.items()} == {
        "eos": {"/mnt/flash"},
        "srl": {"/etc/opt/srlinux"},
        "xrd": {"/xr-storage"},
        "crpd": {"/config", "/var/log"},
        "iol": frozenset(),
    }


def check(seen: Mapping[str, standin.Seen]) -> None:
    check_interfaces(seen)
    check_environments(seen)
    check_files(seen)


def test_every_device_finds_its_interfaces_in_the_order_of_its_ports(labs: Labs) -> None:
    labs.first.green()
    check_interfaces(everything(labs))


def test_every_device_finds_the_environment_and_the_command_of_its_vendor(labs: Labs) -> None:
    check_environments(everything(labs))


def test_every_device_finds_its_files_where_it_reads_them(labs: Labs) -> None:
    check_files(everything(labs))


def test_a_server_that_cannot_give_everything_gives_what_it_can_and_it_is_told(labs: Labs) -> None:
    lacking = {
        server: facts["lacking"]["capabilities"]
        for server in set(PLACES.values())
        if (facts := labs.world.server(server).module("lab_info", lab=LAB)["observed"])
    }
    privileged = {
        node: labs.world.on(PLACES[node], "docker", "inspect", "-f", "{{.HostConfig.Privileged}}", labs.lab.container(node))
        for node in PLACES
    }
    asked = {"eos", "srl", "crpd"}
    assert {node for node, told in privileged.items() if told.strip() == "true"} == {node for node in asked if not lacking[PLACES[node]]}
    for node in asked:
        told = f"its nodes of kind {KINDS[node]} are not privileged"
        assert (told in labs.first.said) == bool(lacking[PLACES[node]]), labs.first.said


def test_the_second_run_changes_nothing(labs: Labs) -> None:
    assert labs.world.deploy(labs.lab).green().changed == 0


def test_a_restart_finds_the_same(labs: Labs) -> None:
    before = everything(labs)
    labs.world.each(
        lambda server: [
            server.run(["docker", "restart", "-t", "5", labs.lab.container(node)]) for node in PLACES if PLACES[node] == server.name
        ]
    )
    after = everything(labs, boot=2)
    check(after)
    assert {node: one.indexes for node, one in after.items()} == {node: one.indexes for node, one in before.items()}
    assert labs.world.deploy(labs.lab).green().changed == 0


def test_what_the_device_saved_outlives_it_unless_its_configuration_is_enforced(labs: Labs) -> None:
    saved = "saved by the device\n"
    for node, path in (("eos", "/mnt/flash/startup-config"), ("crpd", "/config/juniper.conf")):
        labs.world.node(PLACES[node], labs.lab.container(node), "sh", "-c", f"echo '{saved.strip()}' > {path}")
    for node in ("eos", "crpd"):
        labs.lab.nodes[node]["env"] = {"ADDED": "by the test"}
    labs.lab.write()
    run = labs.world.deploy(labs.lab).green()
    assert {change[3].partition(":")[0] for change in run.changes()[PLACES["eos"]]} == {"eos", labs.lab.name}
    assert run.changes()["srv1"] == []
    seen = everything(labs)
    check_interfaces(seen)
    assert seen["crpd"].environ["ADDED"] == "by the test"
    seen = {**seen, "crpd": dataclasses.replace(seen["crpd"], environ={})}
    check_environments(seen, ADDED="by the test")
    check_files(seen, eos_config=saved)
    assert labs.world.deploy(labs.lab).green().changed == 0
    for node in ("eos", "crpd"):
        del labs.lab.nodes[node]["env"]
    labs.lab.file.with_name("eos.cfg").write_text(CONFIGS["eos.cfg"] + "\n")
    labs.lab.write()
    labs.world.deploy(labs.lab).green()
    check_files(everything(labs), eos_config=EOS_CONFIG + "\n")
    labs.lab.file.with_name("eos.cfg").write_text(CONFIGS["eos.cfg"])
    labs.world.deploy(labs.lab).green()
    check(everything(labs))


def test_a_server_that_lost_its_power_starts_all_of_them_as_before(labs: Labs) -> None:
    for server in ("srv1", "srv2", "srv3"):
        labs.world.testbed.reboot(server)
    before = {node: one.boot for node, one in everything(labs).items()}
    labs.world.deploy(labs.lab).green()
    check({node: labs.seen(node, boot + 1) for node, boot in before.items()})
    assert labs.world.deploy(labs.lab).green().changed == 0


def test_commands_for_a_device_that_starts_with_another_form_are_applied_once_for_each_content(labs: Labs) -> None:
    """The stand-in is given a command line interface that writes down what it is told."""
    folder = labs.lab.file.parent
    (folder / "srl.cli").write_text("set / system name host-name srl\n")
    (folder / "sr_cli").write_text('#!/bin/sh\n{ echo "sr_cli $*"; [ "$2" ] || cat; } >> /etc/opt/srlinux/told\n')
    (folder / "sr_cli").chmod(0o755)
    (folder / "ready").write_text("loaded initial configuration\n")
    labs.lab.nodes["srl"] |= {
        "startup-config": "srl.cli",
        "binds": [
            "sr_cli:/opt/srlinux/bin/sr_cli",
            "ready:/etc/opt/srlinux/devices/app_ephemeral.mgmt_server.ready_for_config",
        ],
    }
    labs.lab.write()
    labs.world.deploy(labs.lab).green()
    lines = [
        "sr_cli -ed",
        "set / system lldp admin-state enable",
        "set / system json-rpc-server admin-state enable network-instance mgmt http admin-state enable",
        "set / interface ethernet-1/1 admin-state enable",
        "set / interface ethernet-1/2 admin-state enable",
        "set / interface ethernet-1/10 admin-state enable",
        "set / system name host-name srl",
        "sr_cli -ed commit save",
    ]
    assert told_to_srl(labs) == lines
    assert "/etc/opt/srlinux/config.json" not in labs.seen("srl").files
    assert labs.world.deploy(labs.lab).green().changed == 0
    labs.lab.nodes["srl"]["env"] = {"ADDED": "by the test"}
    labs.lab.write()
    labs.world.deploy(labs.lab).green()
    assert labs.seen("srl").environ["ADDED"] == "by the test"
    assert told_to_srl(labs) == lines
    (folder / "srl.cli").write_text("set / system name host-name other\n")
    labs.world.deploy(labs.lab).green()
    assert told_to_srl(labs) == [*lines, *lines[:-2], "set / system name host-name other", lines[-1]]


def told_to_srl(labs: Labs) -> list[str]:
    return labs.world.node(PLACES["srl"], labs.lab.container("srl"), "cat", "/etc/opt/srlinux/told").splitlines()
