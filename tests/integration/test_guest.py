# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test guest itself, with what the collection makes for it (plan, disks, media, definitions) and virsh: without its libvirt layer."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _vm_xml
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Host
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms, spec_of
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan
from tests.integration import domains
from tests.integration.lab_server import LabServer
from tests.testbed import guest
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

LAB = "tg"
BRIDGE = "tg-bridge"
FOLDER = f"/var/lib/libvirt/archetype-lab/{LAB}"
KINDS = Path(__file__).with_name("files") / "kinds"
LONG = "".join(f"! line {number}\n" for number in range(1, 28))
CONFIGS = {
    "iso": f"hostname ida\naddress 1 10.9.0.1/24\nmtu 1 1400\naddress 1 2001:db8:9::1/64\nroute 10.10.0.0/16 via 10.9.0.2\n{LONG}",
    "usb": "hostname uta\naddress 1 10.9.0.2/24\naddress 1 2001:db8:9::2/64\n",
    "seed": "#cloud-config\nhostname: seda\nlines:\n  - address 1 10.9.0.3/24\n",
}
FILES = """
import json, sys
from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks, _vm_media
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
given = json.load(sys.stdin)
for vm in Declared.from_params(given["slice"]).vms:
    _vm_media.make(given["lab"], vm)
    _vm_disks.make(given["lab"], vm, "", _vm_disks.paths_of(given["lab"], vm))
"""


class Guests:
    """Guests of three kinds on one server, their first data ports on one bridge."""

    def __init__(self, server: LabServer, slice_: dict[str, Any]) -> None:
        self.server = server
        self.slice = slice_
        self.vms: dict[str, Vm] = {vm.node: vm for vm in Declared.from_params(slice_).vms}

    def start(self) -> None:
        given = json.dumps({"lab": LAB, "slice": self.slice})
        made = self.server.server.run(["env", f"PYTHONPATH={ROOT}/collections", sys.executable, "-c", FILES], stdin=given)
        assert made.returncode == 0, made.stderr
        host = Host("9.0.0", "7.2.0", kvm=False, machines=domains.machines(self.server.server))
        self.server.run("ip", "link", "add", BRIDGE, "up", "type", "bridge")
        for vm in self.vms.values():
            for tap in (one.tap for one in vm.nics if one.tap):
                self.server.run("ip", "tuntap", "add", "dev", tap, "mode", "tap", "vnet_hdr")
                self.server.run("ip", "link", "set", tap, "master", BRIDGE, "up")
            xml = _vm_xml.build(spec_of(LAB, vm, HaveVms(), host))
            define = self.server.server.run(["virsh", "-q", "define", "/dev/stdin"], stdin=xml)
            assert define.returncode == 0, define.stderr
            self.virsh("start", vm.name)

    def forget(self) -> None:
        """Remove what a test left, whoever it was."""
        left = {vm.name for vm in self.vms.values()} & set(self.virsh("list", "--all", "--name").split())
        ended = "".join(f"(virsh -q destroy {name} 2>/dev/null; virsh -q undefine {name}) & " for name in sorted(left))
        self.server.run("sh", "-c", f"{ended} wait")
        assert not left & set(self.virsh("list", "--all", "--name").split())
        devices = {BRIDGE, *(nic.tap for vm in self.vms.values() for nic in vm.nics)}
        for device in sorted(devices & set(self.server.run("ls", "/sys/class/net").split())):
            self.server.run("ip", "link", "del", device)
        self.server.run("rm", "-rf", FOLDER)

    def virsh(self, *words: str) -> str:
        return self.server.run("virsh", "-q", *words).strip()

    def console(self, node: str) -> guest.Console:
        return guest.Console(self.server.server, self.vms[node].name)

    def said(self, node: str, command: str) -> str:
        with self.console(node) as console:
            console.login()
            return console.run(command)

    def log(self, node: str) -> str:
        return self.server.run("cat", f"{FOLDER}/{self.vms[node].name}/console.log").replace("\r", "")

    def until_log(self, node: str, pattern: str) -> None:
        deadline = time.monotonic() + 120
        while not re.search(pattern, self.log(node)):
            assert time.monotonic() < deadline, f"no {pattern} in the log of {node}:\n{self.log(node)}"
            time.sleep(0.1)


@pytest.fixture(scope="module")
def guests(testbed: Testbed, guest_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guests]:
    folder = tmp_path_factory.mktemp("guests")
    nodes = {}
    for node, text in CONFIGS.items():
        (folder / f"{node}.cfg").write_text(text)
        kind = {"iso": "guest"}.get(node, f"guest_{node}")
        nodes[node] = {"kind": kind, "image": Path(guest_image).name, "startup-config": f"{node}.cfg"}
    links = [{"endpoints": [f"{node}:eth1", f"{other}:eth{port}"]} for node, other, port in (("iso", "usb", 1), ("seed", "iso", 2))]
    (folder / "t.clab.yml").write_text(json.dumps({"name": LAB, "topology": {"nodes": nodes, "links": links}}))
    path = folder / "t.lab.yml"
    path.write_text(f"plugin: archetype.lab.topology\ntopology: t.clab.yml\nkinds_path: [{KINDS}]\n")
    made = make_plan(load_lab_file(str(path), {}), {"srv1": ServerFacts("198.18.0.1")}, {})
    found = Guests(LabServer(testbed.servers[0]), made["slices"]["srv1"])
    found.forget()
    found.start()
    for node in CONFIGS:
        found.until_log(node, "login: ")
    yield found
    found.forget()


def test_the_configuration_comes_from_an_iso_a_page_at_a_time(guests: Guests) -> None:
    with guests.console("iso") as console:
        console.login()
        console.send("show running-config\n")
        first = console.wait_for(" --More-- ")
        assert first.splitlines()[1:-1] == CONFIGS["iso"].splitlines()[:20]
        console.send(" ")
        assert console.wait_for("ida#").splitlines()[-2].endswith("! line 27")
        console.run("terminal length 0")
        assert console.run("show running-config") == CONFIGS["iso"].rstrip()
        assert re.search(r"eth1: .* mtu 1400 .*\n.*\n +inet 10\.9\.0\.1/24 (.*\n)+ +inet6 2001:db8:9::1/64", console.run("show interfaces"))
        assert "10.10.0.0/16 via 10.9.0.2 dev eth1" in console.run("shell ip route")
        assert console.run("configure") == "% Invalid input: configure"


def test_the_configuration_comes_from_an_archive_on_a_vfat_disk_and_from_a_seed(guests: Guests) -> None:
    assert guests.said("usb", "show running-config") == CONFIGS["usb"].rstrip()
    assert guests.said("seed", "show running-config") == "hostname seda\naddress 1 10.9.0.3/24"
    for node, name, address in (("usb", "uta", "10.9.0.2/24"), ("seed", "seda", "10.9.0.3/24")):
        assert guests.said(node, "shell hostname") == name
        assert f"inet {address} " in guests.said(node, "show interfaces")


def test_guests_reach_each_other_and_nobody_else(guests: Guests) -> None:
    with guests.console("usb") as console:
        console.login()
        assert " 0% packet loss" in console.run("ping 10.9.0.1")
        assert " 0% packet loss" in console.run("ping 2001:db8:9::1")
        assert " 100% packet loss" in console.run("ping 10.9.0.99")


def test_a_login_needs_the_password_and_stays_on_the_line_until_it_is_left(guests: Guests) -> None:
    with guests.console("seed") as console:
        console.login()
        console.send("exit\n")
        console.wait_for("seda login: ")
        console.send("admin\n")
        console.wait_for("Password: ")
        console.send("wrong\n")
        assert "wrong" not in console.wait_for("Login incorrect")
        console.wait_for("seda login: ")
        console.login()
    with guests.console("seed") as console:
        console.send("\n")
        console.wait_for("seda#", 5)


def test_what_is_written_is_on_the_disk_and_not_in_the_image(guests: Guests) -> None:
    overlay = f"{FOLDER}/{guests.vms['usb'].name}/disk.qcow2"

    def sizes() -> tuple[int, str]:
        return int(guests.server.run("stat", "-c", "%b", overlay)) * 512, guests.server.run("stat", "-c", "%s %b %Y", guest.PATH)

    before, image = sizes()
    assert guests.said("usb", "write 64") == "wrote 64 blocks"
    after, unchanged = sizes()
    assert after - before >= 64 * 65536
    assert unchanged == image


def test_every_start_counts_and_is_with_the_same_configuration(guests: Guests) -> None:
    """One guest restarts itself, another is powered off."""
    assert all("guest: boot 1\n" in guests.log(node) for node in CONFIGS)
    with guests.console("iso") as console:
        console.login()
        console.send("reboot\n")
        guests.virsh("destroy", guests.vms["usb"].name)
        guests.virsh("start", guests.vms["usb"].name)
        console.wait_for(r"guest: boot 2\n")
        console.wait_for("ida login: ")
    guests.until_log("usb", r"guest: boot 2\n+uta login: ")
    assert " 0% packet loss" in guests.said("usb", "ping 10.9.0.1")
