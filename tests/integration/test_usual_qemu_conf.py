# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines on a server whose libvirt runs QEMU as the distribution's user, and what the distribution's AppArmor would let them open."""

from __future__ import annotations

import pwd
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.vm_server import BLANK, FOLDER, MIB, VmServer, machine, medium, ok, vm_server, vms
from tests.testbed.daemons import QEMU_CONF

__all__ = ["vm_server", "vms"]

USER = "libvirt-qemu"
ROOTS_OWN = ("user", "group", "remember_owner")
"""Settings of a testbed without which QEMU is who the distribution's libvirt says."""
KVM_OF_GROUP = """\
if [ -e /dev/kvm ]; then
    rm -f /var/lib/libvirt/kvm && mknod -m 0660 /var/lib/libvirt/kvm c 10 232 && chgrp kvm /var/lib/libvirt/kvm
    mount --bind /var/lib/libvirt/kvm /dev/kvm
fi
"""
"""As udev leaves it. One that QEMU cannot open and libvirtd can has libvirt ask QEMU all over what it is able to, with every question."""
HELPER = "/usr/lib/libvirt/virt-aa-helper"
"""With it libvirt writes the rules of a machine; it can be asked for them where no kernel enforces them."""
ROUTER = machine(hardware={"efi": "vars"}, data_disks=[MIB], medium=medium("hostname r1\n"))


def restart(vms: VmServer, configuration: str) -> None:
    Path(f"{vms.server.place.root}/etc/libvirt/qemu.conf").write_text(configuration)
    vms.server.daemon("stop", "libvirtd")
    vms.server.daemon("start", "libvirtd")


@pytest.fixture
def usual(vms: VmServer) -> Iterator[VmServer]:
    vms.run("sh", "-c", KVM_OF_GROUP)
    restart(vms, "".join(line + "\n" for line in QEMU_CONF.splitlines() if not line.startswith(ROOTS_OWN)))
    yield vms
    vms.reset()
    vms.run("sh", "-c", "if mountpoint -q /dev/kvm; then umount /dev/kvm; rm /var/lib/libvirt/kvm; fi")
    restart(vms, QEMU_CONF)


def owners(vms: VmServer) -> dict[str, str]:
    found = vms.run("sh", "-c", f"stat -c '%n %U' {FOLDER}/lv-r1/* {BLANK}").splitlines()
    return {re.sub("-[0-9a-f]{16}", "", path.rpartition("/")[2]): user for path, user in map(str.split, found)}


def test_machines_are_started_again_and_again_by_another_user_than_root(usual: VmServer) -> None:
    image = usual.run("sha256sum", BLANK)
    ok(usual.taps("r1"))
    ok(usual.as_predicted(ROUTER))
    told = usual.run("ip", "-d", "link", "show", "lvt-r1")
    assert re.search(rf"user ({USER}|{pwd.getpwnam(USER).pw_uid})\b", told), told
    assert "NO-CARRIER" not in told
    assert usual.run("stat", "-c", "%U", f"/proc/{usual.pid('lv-r1')}").strip() == USER
    theirs = {name for name, user in owners(usual).items() if user == USER}
    assert theirs == {"disk.qcow2", "data1.qcow2", "config.iso", "nvram.fd", BLANK.rpartition("/")[2]}

    second = usual.as_predicted(ROUTER)
    assert (ok(second), second["vms"][0]["needs_restart"]) == ([], [])
    ok(usual.converge(ROUTER, state="stopped"))
    assert ok(usual.as_predicted(ROUTER)) == [("start", "vm", "lv-r1")]
    assert ("recreate", "disk", "disk.qcow2") in ok(usual.as_predicted(ROUTER, recreate=["r1"]))
    assert usual.state("lv-r1") == "running"
    assert usual.run("sha256sum", BLANK) == image
    ok(usual.converge(ROUTER, state="absent"))
    assert usual.traces() == []


def test_the_rules_that_libvirt_writes_for_apparmor_name_all_that_a_machine_opens(vms: VmServer) -> None:
    ok(vms.converge(ROUTER))
    asked = vms.run(
        "sh", "-c", f"virsh -q dumpxml lv-r1 | {HELPER} --create --dryrun --uuid libvirt-{vms.xml('lv-r1').findtext('uuid')} 2>&1"
    )
    rules = dict(re.findall(r'^ +"([^"]+)" (\w+),', asked, re.MULTILINE))
    opened = vms.run("readlink", *vms.run("find", f"/proc/{vms.pid('lv-r1')}/fd", "-lname", "/*").split()).split()
    files = {path for path in opened if path.startswith("/var/lib/libvirt/")}
    assert {path.rpartition("/")[2].partition("-")[0] for path in files} >= {"disk.qcow2", "data1.qcow2", "config", "nvram.fd", "lv"}
    assert {path: rules.get(path) for path in files} == {path: "rwk" if writes(path) else "rk" for path in files}


def writes(path: str) -> bool:
    return path.endswith((".fd", ".qcow2")) and path != BLANK
