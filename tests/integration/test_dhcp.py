# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What machines are told in the management network, by real dnsmasq, to a real client that is where the NIC of a machine would be."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.acceptance import lock_of
from tests.integration.lab_server import LabServer
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

FOLDER = "/run/archetype-lab-dhcp"
CLIENT = str(ROOT / "tests" / "integration" / "dhcp_client.py")
A, B, STRANGER = "02:00:00:00:d0:0a", "02:00:00:00:d0:0b", "02:00:00:00:d0:ff"
SCRIPT, CONFIG = b"#!/bin/env python\n", b"hostname b\n" * 200
TOLD = "echo $interface $ip/$mask router=$router hostname=$hostname dns=$dns mtu=$mtu lease=$lease boot=$bootfile,$tftp"


class Network:
    """The management network of a lab on one server, with a machine in it that has no other network."""

    def __init__(self, server: LabServer, lab: str, number: int) -> None:
        self.server, self.lab, self.device = server, lab, f"am-{lab}"
        self.prefix, self.tag = f"198.51.{100 + number}", 700 + number
        self.gateway = f"{self.prefix}.1"
        self.cable = f"hd-{lab}"
        self.config = f"{FOLDER}/{lab}/dnsmasq.conf"

    def lease(self, mac: str, last: int, hostname: str, **fields: Any) -> dict[str, Any]:
        return {"mac": mac, "ipv4": f"{self.prefix}.{last}", "hostname": hostname, "gateway": self.gateway, **fields}

    def converge(self, *leases: dict[str, Any], check: bool = False) -> list[str]:
        """The lines of the changes of DHCP."""
        return lines(self.result(*leases, check=check))

    def result(self, *leases: dict[str, Any], check: bool = False) -> dict[str, Any]:
        own = {
            "name": f"ap-{self.lab}",
            "device": "veth",
            "link": "management",
            "node": f"server {self.lab}",
            "interface": self.device,
            "mac": f"02:00:00:00:{self.tag // 256:02x}:{self.tag % 256:02x}",
            "mtu": 1450,
            "tag": self.tag,
            "addresses": [f"{self.gateway}/24"],
        }
        machine = {"name": self.cable, "link": "management", "node": "m", "interface": "mgmt", "mtu": 1450, "tag": self.tag}
        management = {"device": self.device, "subnets": [f"{self.prefix}.0/24"], "hosts": [], "leases": list(leases), "mtu": 1450}
        declared = {"lab": self.lab, "server": "srv1", "bridge": {}, "ports": [own, machine], "management": management}
        return self.run(check, declared=declared)

    def destroy(self, *, check: bool = False) -> list[str]:
        return lines(self.run(check, lab=self.lab, state="absent"))

    def run(self, check: bool, **arguments: Any) -> dict[str, Any]:
        self.server.run("rm", "-f", lock_of(self.lab))
        return self.server.module("lab_converge", check_mode=check, **arguments)

    def processes(self) -> list[int]:
        told = self.server.run("sh", "-c", "ss -Hlunp 'sport = :67'").splitlines()
        return [int(line.partition("pid=")[2].partition(",")[0]) for line in told if f"%{self.device}:67" in line]

    # the machine

    def plug(self) -> None:
        """A device for the lab to put on the bridge, as quiet as the lab's own, with its other end in a namespace of its own."""
        self.server.run("ip", "netns", "add", self.lab)
        self.server.run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.lab)
        self.server.run(
            "sh", "-c", f"echo 8 > /proc/sys/net/ipv4/conf/{self.cable}/arp_ignore; ip link set {self.cable} addrgenmode none up"
        )
        self.inside("ip", "link", "set", "eth0", "address", A, "up")
        self.inside("ethtool", "-K", "eth0", "tx", "off")

    def unplug(self) -> None:
        self.server.run("sh", "-c", f"ip netns del {self.lab} 2>/dev/null; ip link del {self.cable} 2>/dev/null; true")

    def inside(self, *words: str, stdin: str = "") -> str:
        done = self.server.server.run(["nsenter", f"--net=/run/netns/{self.lab}", *words], stdin=stdin)
        assert done.returncode == 0, (words, done)
        return done.stdout

    def says(self, type: str, mac: str, *, seconds: float = 3.0, **fields: Any) -> dict[str, Any]:  # noqa: A002
        """What is answered; empty where nothing is."""
        job = {"device": "eth0", "type": type, "mac": mac, "seconds": seconds, **fields}
        (answer,) = json.loads(self.inside(sys.executable, CLIENT, stdin=json.dumps(job))) or [{}]
        return dict(answer)

    def fetch(self, path: str, address: str = "") -> str:
        """A file by TFTP; empty where there is none."""
        command = ["timeout", "3", "curl", "-s", f"tftp://{address or self.gateway}/{path}"]
        return self.server.server.run(["nsenter", f"--net=/run/netns/{self.lab}", *command]).stdout


def lines(result: dict[str, Any]) -> list[str]:
    assert not result.get("failed"), result["msg"]
    changes = [one for one in result["changes"] if one["kind"] == "dhcp"]
    return [f"{one['action']}{': ' * bool(one['reason'])}{one['reason']}" for one in changes]


@pytest.fixture(scope="module")
def networks(testbed: Testbed) -> Iterator[tuple[Network, Network]]:
    server = LabServer(testbed.servers[0])
    assert not server.module("ovs_bridge", bridges=[{"name": "arch-ovs"}]).get("failed")
    both = Network(server, "hd1", 1), Network(server, "hd2", 2)
    for one in both:
        one.destroy()
        one.unplug()
        one.plug()
    yield both
    for one in both:
        one.destroy()
        one.unplug()


@pytest.fixture
def net(networks: tuple[Network, Network]) -> Network:
    """One of them, with what an earlier test left: whatever there is becomes what is declared."""
    return networks[0]


def poap(net: Network) -> dict[str, Any]:
    files = [{"path": name, "content": base64.b64encode(content).decode()} for name, content in (("b.py", SCRIPT), ("b.cfg", CONFIG))]
    return net.lease(B, 11, "b", boot_file="b.py", files=files)


def test_a_real_client_gets_what_is_its_machines(net: Network) -> None:
    net.converge()
    assert net.converge(net.lease(A, 10, "a_1.x"), check=True) == ["create"]
    assert net.processes() == []
    assert net.converge(net.lease(A, 10, "a_1.x")) == ["create"]
    (process,) = net.processes()
    assert net.converge(net.lease(A, 10, "a_1.x")) == []
    assert net.processes() == [process]
    script = "/run/hd-told.sh"
    net.server.run("sh", "-c", f"printf '#!/bin/sh\\n[ \"$1\" != bound ] || {TOLD}\\n' > {script}; chmod 755 {script}")
    wanted = [word for name in ("hostname", "mtu", "dns", "router", "lease") for word in ("-O", name)]
    told = net.inside("busybox", "udhcpc", "-i", "eth0", "-f", "-q", "-n", "-t", "3", "-T", "1", "-s", script, *wanted)
    assert "eth0 198.51.101.10/24 router=198.51.101.1 hostname=a_1.x dns= mtu=1450 lease=4294967295 boot=," in told


def test_without_a_gateway_there_is_no_router_and_a_strange_machine_hears_nothing(net: Network) -> None:
    net.converge(net.lease(A, 10, "a", gateway=""), net.lease(B, 11, "b"))
    assert net.says("discover", B)["3"] == net.gateway
    offer = net.says("discover", A)
    assert (offer["type"], offer["address"], offer["1"], offer["12"]) == ("offer", "198.51.101.10", "255.255.255.0", "a")
    assert not {"3", "6", "15", "42", "66", "67", "150"} & set(offer)
    assert net.says("request", A, asked="198.51.101.12")["type"] == "nak"
    for type, asked in (("discover", ""), ("request", "198.51.101.10"), ("request", "203.0.113.5"), ("inform", "")):  # noqa: A001
        assert net.says(type, STRANGER, asked=asked, address="198.51.101.77" if type == "inform" else "", seconds=0.4) == {}


def test_it_is_on_the_labs_device_only_and_gives_no_names(net: Network) -> None:
    net.converge(net.lease(A, 10, "a"), poap(net))
    (process,) = net.processes()
    told = net.server.run("sh", "-c", f"ss -Hlnptu | grep pid={process},").splitlines()
    places = {line.split()[4] for line in told}
    assert {place for place in places if not place.startswith("[fe80:")} == {f"0.0.0.0%{net.device}:67", f"{net.gateway}:69"}
    assert {place.partition("]%")[2] for place in places if place.startswith("[fe80:")} <= {f"{net.device}:69"}
    assert net.server.run("stat", "-c", "%U", f"/proc/{process}").strip() != "root"


def test_a_machine_that_starts_from_the_network_gets_its_files_and_no_others(networks: tuple[Network, Network], net: Network) -> None:
    net.converge(poap(net), net.lease(A, 10, "a"))
    offer = net.says("discover", B)
    assert (offer["67"], offer["66"], offer["file"], offer["server"]) == ("b.py", net.gateway, "", net.gateway)
    assert net.says("discover", B, options=[1, 3])["file"] == "b.py"
    told = net.says("discover", A)
    assert (told["file"], {"66", "67"} & set(told)) == ("", set())
    other = networks[1]
    other.converge(other.lease(A, 10, "a"))
    for one in (net, other):
        one.inside("ip", "address", "replace", f"{one.prefix}.11/24", "dev", "eth0")
        one.inside("ip", "route", "replace", "default", "via", one.gateway)
    assert net.fetch("b.cfg") == CONFIG.decode()
    got = net.inside("sh", "-c", f"cd /run && busybox tftp -g -r b.py -l hd.py {net.gateway} && cat hd.py && rm hd.py")
    assert got == SCRIPT.decode()
    assert [net.fetch(path) for path in ("../dnsmasq.conf", net.config, "/etc/hostname", "strange")] == [""] * 4
    other.inside("ping", "-c1", "-W2", net.gateway)
    assert other.fetch("b.cfg", net.gateway) == ""


def test_one_that_was_killed_is_started_and_what_is_gone_made_anew(net: Network) -> None:
    wanted = net.lease(A, 10, "a")
    net.converge(wanted)
    os.kill(net.processes()[0], signal.SIGKILL)
    assert net.says("discover", A, seconds=0.3) == {}
    assert net.converge(wanted, check=True) == ["start: it does not run"]
    assert net.converge(wanted) == ["start: it does not run"]
    assert net.says("discover", A)["address"] == "198.51.101.10"
    net.server.run("ip", "link", "del", net.device)
    assert net.converge(wanted, check=True) == net.converge(wanted) == ["update: its device is another one"]
    assert net.says("discover", A)["address"] == "198.51.101.10"
    net.server.run("rm", "-r", FOLDER)
    assert net.converge(wanted) == ["create"]
    assert len(net.processes()) == 1
    assert net.converge(wanted) == []


def test_what_machines_had_does_not_stand_in_the_way_of_what_they_are_to_have(net: Network) -> None:
    net.converge(net.lease(A, 10, "a"), net.lease(B, 11, "b"))
    for mac, address in ((A, "198.51.101.10"), (B, "198.51.101.11")):
        assert net.says("request", mac, asked=address)["type"] == "ack"
    assert net.says("request", A, asked="198.51.101.10", client="the loader of the same machine")["type"] == "ack"
    swapped = net.lease(A, 11, "a"), net.lease(B, 10, "b")
    assert net.converge(*swapped, check=True) == net.converge(*swapped) == ["update: what it tells is another"]
    assert [net.says("request", mac, asked=address)["type"] for mac, address in ((A, "198.51.101.11"), (B, "198.51.101.10"))] == [
        "ack",
        "ack",
    ]
    assert net.says("request", A, asked="198.51.101.10")["type"] == "nak"
    assert net.converge(*swapped) == []


def test_another_server_in_its_way_is_told_and_left_alone(networks: tuple[Network, Network], net: Network) -> None:
    for one in networks:
        one.converge()
    code = "import socket, sys; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(('', 67)); print('here', flush=True); sys.stdin.read()"
    command = net.server.server.entering([sys.executable, "-c", code])
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as foreign:
        assert foreign.stdout is not None
        assert foreign.stdout.readline() == "here\n"
        result = net.result(net.lease(A, 10, "a"))
        assert result["failed"]
        (error,) = result["errors"]
        assert (
            "does not start: dnsmasq: failed to bind DHCP server socket: Address already in use; see with ss"
            in error["msg"] + "; " + error["hint"]
        )
        assert "management" in error["objects"]
        assert foreign.poll() is None
        foreign.communicate("")
    assert net.converge(net.lease(A, 10, "a")) == ["start: it does not run"]


def test_nobody_elses_is_touched_and_nothing_is_left(networks: tuple[Network, Network], net: Network) -> None:
    other = networks[1]
    other.converge(other.lease(A, 10, "a"))
    neighbours = other.processes()
    net.converge(net.lease(A, 10, "a"))
    with foreign_servers(net) as foreign:
        assert net.says("discover", A)["address"] == "198.51.101.10"
        assert net.converge(net.lease(A, 10, "a")) == []
        assert net.destroy(check=True) == net.destroy() == ["delete"]
        assert (net.processes(), other.processes()) == ([], neighbours)
        assert all(os.path.exists(f"/proc/{pid}") for pid in foreign)
        assert net.server.run("ls", FOLDER).split() == [other.lab]
        assert other.says("discover", A)["address"] == "198.51.102.10"
    assert other.converge() == ["delete"]
    assert net.server.run("sh", "-c", f"ls -d {FOLDER} 2>&1 || true").startswith("ls: ")


@contextlib.contextmanager
def foreign_servers(net: Network) -> Iterator[list[int]]:
    """Two that are not the lab's: somebody's own on another device, and that of a server of the same name, in another network namespace."""
    pids: list[int] = []
    net.server.run("ip", "netns", "add", "hd-foreign")
    try:
        net.server.run("ip", "link", "add", "hd-mine", "up", "type", "veth", "peer", "name", "eth0", "netns", "hd-foreign")
        net.server.run("ip", "address", "add", "203.0.113.1/24", "dev", "hd-mine")
        own = ["interface=hd-mine", "except-interface=lo", "bind-interfaces", "dhcp-range=203.0.113.9,203.0.113.10", "leasefile-ro"]
        options = [f"--{one}" for one in ("port=0", *own)]
        net.server.run("dnsmasq", "--conf-file=/dev/null", "--pid-file=/run/hd-foreign.pid", *options)
        pids.append(int(net.server.run("cat", "/run/hd-foreign.pid")))
        net.server.run("nsenter", "--net=/run/netns/hd-foreign", "dnsmasq", f"--conf-file={net.config}")
        pids.append(int(net.server.run("cat", net.config.replace(".conf", ".pid"))))
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGTERM)
        net.server.run("ip", "netns", "del", "hd-foreign")
