# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One server of the testbed as the tests of virtual machines see it: modules run there for real, and what libvirt then says."""

from __future__ import annotations

import base64
import json
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.integration.lab_server import DRIVER, LabServer
from tests.testbed import guest
from tests.testbed.paths import ROOT
from tests.testbed.testbed import Testbed

LAB = "lv"
"""The lab of these tests; it begins the names of its domains, and of those that are not its own."""
FOLDER = f"/var/lib/libvirt/archetype-lab/{LAB}"
BRIDGE = "lv-ovs"
BLANK = "/var/lib/libvirt/images/lv-blank.qcow2"
"""An image with nothing on it: its machines run, and cost nothing, as their BIOS finds no system and stays there."""
MIB = 2**20
NODES = ("r1", "r2", "r3", "r4")
"""Nodes that have taps; their names are C(lvt-r1) ..."""
KILLED = """
import os, signal
from ansible_collections.archetype.lab.plugins.module_utils import _vm_apply, _vm_disks, _vm_files, _vm_media
from ansible_collections.archetype.lab.plugins.module_utils._libvirt import _adapter

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def deadly(where, step, when):
    place = _adapter._Adapter if where == "libvirt" else globals()[where]
    work = getattr(place, step)

    def replaced(*args, **options):
        if when == "before":
            die()
        work(*args, **options)
        die()

    setattr(place, step, replaced)

deadly(*{step!r})
"""
"""What makes a module kill itself before or after a step."""

Json = dict[str, Any]
Step = tuple[str, str, str]
"""Where the step is (a file, or C(libvirt)), its name, and C(before) or C(after)."""


class VmServer(LabServer):
    def virsh(self, *words: str) -> str:
        return self.run("virsh", "-q", "-c", "qemu:///system", *words).strip()

    def domains(self) -> list[str]:
        """Domains of the tests, whoever made them."""
        return sorted(name for name in self.virsh("list", "--all", "--name").split() if name.startswith(LAB))

    def state(self, name: str) -> str:
        return self.virsh("domstate", name)

    def xml(self, name: str, *options: str) -> ElementTree.Element:
        return ElementTree.fromstring(self.virsh("dumpxml", name, *options))

    def define(self, xml: str) -> None:
        """As somebody else would."""
        done = self.server.run(["virsh", "-q", "define", "/dev/stdin"], stdin=xml)
        assert done.returncode == 0, done.stderr

    def files(self) -> list[str]:
        """What is in the folder of the lab's machines."""
        return sorted(self.run("sh", "-c", f"cd {FOLDER} 2>/dev/null && find . -type f -o -type d -empty || true").split())

    def traces(self) -> list[str]:
        """All that libvirt, QEMU or the collection keep on disk under the name of a machine of the tests."""
        folders = "/etc/libvirt/qemu /var/lib/libvirt /run/libvirt /var/log/libvirt"
        return sorted(self.run("sh", "-c", f"find {folders} -name '{LAB}*' ! -path {BLANK}").split())

    def pid(self, name: str) -> int:
        """Of QEMU."""
        return int(self.run("cat", f"/run/libvirt/qemu/{name}.pid"))

    def converge(self, *vms: Json, **options: Any) -> Json:
        return self.module("lab_vm", lab=LAB, vms=list(vms), bridge=BRIDGE, **options)

    def as_predicted(self, *vms: Json, **options: Any) -> Json:
        """The result of a run that did exactly what check mode had said."""
        said = self.converge(*vms, check_mode=True, **options)
        did = self.converge(*vms, **options)
        keys = ("failed", "msg", "errors", "changed", "plan", "changes", "diff")
        assert [said.get(key) for key in keys] == [did.get(key) for key in keys]
        return did

    def killed(self, step: Step, *vms: Json, **options: Any) -> None:
        """Run the module until it kills itself at this step."""
        given = {"module": "lab_vm", "args": {"lab": LAB, "vms": list(vms), "bridge": BRIDGE, **options}}
        script = KILLED.replace("{step!r}", repr(step)) + DRIVER
        done = self.server.run(["env", f"PYTHONPATH={ROOT}/collections", sys.executable, "-c", script], stdin=json.dumps(given))
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), (step, done.stdout, done.stderr)

    def taps(self, *nodes: str, **options: Any) -> Json:
        """Make their ports; those that are there already are left."""
        ports = [{"name": f"lvt-{node}", "device": "tap", "node": node, "interface": "eth1", "mtu": 1500, "tag": 100} for node in nodes]
        return self.module("ovs_port_vlan", lab=LAB, ports=ports, bridge=BRIDGE, **options)

    def reset(self) -> None:
        """Remove whatever a test left, without the code under test, but for the ports."""
        ends = [f"(virsh -q destroy {name}; virsh -q undefine --nvram --managed-save {name}) &" for name in self.domains()]
        self.run("sh", "-c", " ".join([*ends, "wait"]))
        self.run("sh", "-c", f"rm -rf {FOLDER} /var/lib/archetype-lab/{LAB} /run/archetype-lab/labs/{LAB} /var/log/libvirt/qemu/{LAB}-*")


def machine(node: str = "r1", **fields: Any) -> Json:
    """A small machine that has nothing to boot; one of its NICs leads nowhere, the other to a tap."""
    return {
        "name": f"{LAB}-{node}",
        "node": node,
        "image": BLANK,
        "memory": 32 * MIB,
        "nics": [management(node), nic(node)],
        **fields,
    }


def management(node: str) -> Json:
    return {"mac": f"02:00:00:00:0{node[-1]}:00", "role": "management"}


def nic(node: str, tap: str = "") -> Json:
    return {"mac": f"02:00:00:00:0{node[-1]}:01", "tap": tap or f"lvt-{node}", "interface": "eth1"}


def medium(text: str) -> Json:
    content = base64.b64encode(text.encode()).decode()
    return {"type": "iso", "label": "config", "bus": "scsi", "files": [{"path": "guest.cfg", "content": content}]}


def ok(result: Json) -> list[tuple[str, str, str]]:
    """The changes of a run that must not have failed, with the last part of their names."""
    assert not result.get("failed"), result["msg"]
    return [(change["action"], change["kind"], change["name"].rpartition("/")[2]) for change in result["changes"]]


def eventually(look: Any, wanted: Any, seconds: float = 10.0) -> None:
    """What libvirt notices a moment later."""
    end = time.monotonic() + seconds
    while (found := look()) != wanted:
        assert time.monotonic() < end, f"{found!r} is not {wanted!r}"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def vm_server(testbed: Testbed) -> VmServer:
    server = VmServer(testbed.servers[0])
    server.reset()
    server.run("mkdir", "-p", "/var/lib/libvirt/images")
    server.run("qemu-img", "create", "-q", "-f", "qcow2", BLANK, "1M")
    ok(server.module("ovs_bridge", bridges=[{"name": BRIDGE}]))
    return server


@pytest.fixture
def vms(vm_server: VmServer) -> Iterator[VmServer]:
    """The same server, with nothing of an earlier test on it but for the ports."""
    vm_server.reset()
    there = vm_server.run("ovs-vsctl", "list-ports", BRIDGE).split()
    if not {f"lvt-{node}" for node in NODES}.issubset(there):
        ok(vm_server.taps(*NODES))
    yield vm_server
    vm_server.reset()


GUEST: Json = {"image": guest.PATH, "memory": 96 * MIB}
"""What makes C(machine) one that really boots."""
