# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no machine can be made on is refused before anything is there of it: with real images, broken on purpose, and a real qemu-img.

The secrets that images name here are files that the test makes, in its own folder on the testbed's server.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.vm_server import BLANK, BRIDGE, LAB, MIB, Json, VmServer, machine, ok, vm_server, vms

__all__ = ["vm_server", "vms"]

HOME = "/var/lib/libvirt/images/lv-refused"
ELSEWHERE = "/var/lib/libvirt/images/lv-elsewhere"
SECRET = "the secret of somebody else"
MAKE = f"""
set -e
umask 022
rm -rf {HOME} {ELSEWHERE}; mkdir -p {HOME} {ELSEWHERE}; cd {HOME}
create() {{ qemu-img create -q -f qcow2 "$@"; }}
create good.qcow2 8M
qemu-io -c 'write -P 3 0 2M' good.qcow2 >/dev/null
for name in truncated locked dirty corrupt unknown header twice; do cp good.qcow2 $name.qcow2; done
truncate -s 1M truncated.qcow2
truncate -s 60 header.qcow2
truncate -s 8M raw.qcow2; printf '\\125\\252' | dd of=raw.qcow2 bs=1 seek=510 conv=notrunc 2>/dev/null
qemu-img convert -f qcow2 -O vmdk good.qcow2 disk.vmdk
echo 'not a disk' >text.qcow2
: >empty.qcow2
gzip -c good.qcow2 >good.qcow2.gz
tar -cf router.ova good.qcow2
mkdir folder.qcow2; mkfifo pipe.qcow2
echo '{SECRET}' >secret.txt; cp secret.txt {ELSEWHERE}/secret.txt; cp good.qcow2 {ELSEWHERE}/disk.qcow2
create -u -F qcow2 -b gone.qcow2 orphan.qcow2 8M
create -u -F qcow2 -b {ELSEWHERE}/disk.qcow2 outside.qcow2 8M
create -u -F qcow2 -b ../lv-elsewhere/disk.qcow2 above.qcow2 8M
create -u -F raw -b {ELSEWHERE}/secret.txt thief.qcow2 8M
create -u -F raw -b secret.txt thief_beside.qcow2 8M
create -u -F qcow2 -b secret.txt thief_posing.qcow2 8M
create -u -F qcow2 -b good.qcow2 silent.qcow2 8M
create -u -F qcow2 -b 'json:{{"driver":"raw","file":{{"driver":"file","filename":"{ELSEWHERE}/secret.txt"}}}}' json.qcow2 8M
create -u -F raw -b nbd://127.0.0.1:10809/disk nbd.qcow2 8M
create -u -F qcow2 -b two.qcow2 one.qcow2 8M; create -u -F qcow2 -b one.qcow2 two.qcow2 8M
create -u -F qcow2 -b layer00.qcow2 layer01.qcow2 8M
for n in $(seq 2 40); do sed "s/layer00/layer$(printf %02d $((n - 1)))/" layer01.qcow2 >layer$(printf %02d $n).qcow2; done
cp good.qcow2 layer00.qcow2
create -o data_file=secret.data keeps_data.qcow2 1M; echo '{SECRET}' >secret.data
cp truncated.qcow2 broken_base.qcow2; create -u -F qcow2 -b broken_base.qcow2 on_broken.qcow2 8M
mkdir -p deep; cp good.qcow2 deep/base.qcow2; create -u -F qcow2 -b ./base.qcow2 deep/good.qcow2 8M
"""
"""Everything is made without opening what it names."""


@pytest.fixture(scope="module")
def images(vm_server: VmServer) -> Iterator[VmServer]:
    done = vm_server.server.run(["bash", "-c", MAKE])
    assert done.returncode == 0, done.stderr
    _patch(vm_server, "dirty", 72, struct.pack(">Q", 1))
    _patch(vm_server, "dirty", 65536, bytes(64))
    _patch(vm_server, "locked", 32, struct.pack(">I", 2))  # LUKS, whose key qemu-img makes by the clock: it gives up where much is going on
    _patch(vm_server, "corrupt", 72, struct.pack(">Q", 2))
    _patch(vm_server, "unknown", 72, struct.pack(">Q", 1 << 40))
    _patch(vm_server, "twice", 112, 2 * struct.pack(">II8s", 0xE2792ACA, 5, b"qcow2"))
    _patch(vm_server, "silent", 112, bytes(16))
    yield vm_server
    vm_server.run("rm", "-rf", HOME, ELSEWHERE)


def _patch(server: VmServer, name: str, place: int, data: bytes) -> None:
    with Path(f"{server.server.place.root}{HOME}/{name}.qcow2").open("r+b") as file:
        file.seek(place)
        file.write(data)


def footprint(server: VmServer) -> list[str]:
    """All that a run could have left: domains, files, devices, ports."""
    look = """ls /sys/class/net /var/lib/archetype-lab; ovs-vsctl --bare --columns=name list port
    find /etc/libvirt /var/lib/libvirt /run/libvirt /var/log/libvirt 2>/dev/null || true"""
    return [*server.domains(), *server.run("sh", "-c", look).split()]


def bare(node: str, image: str, **fields: Any) -> Json:
    path = image if image.startswith("/") else f"{HOME}/{image}"
    return machine(node, **{"image": path, "nics": [], **fields})


IMAGES = {
    "truncated.qcow2": ("is cut off or damaged", "copy it to the server again"),
    "header.qcow2": ("is damaged: its header is cut off", "copy it to the server again"),
    "raw.qcow2": ("is not a qcow2 image: it is a raw disk", f"qemu-img convert -f raw -O qcow2 {HOME}/raw.qcow2 {HOME}/raw.qcow2.qcow2"),
    "disk.vmdk": ("it is a VMware disk (vmdk)", f"qemu-img convert -f vmdk -O qcow2 {HOME}/disk.vmdk {HOME}/disk.qcow2"),
    "text.qcow2": ("it is of no format that is known", "convert what is in it"),
    "empty.qcow2": ("it is empty", "copy it to the server again"),
    "good.qcow2.gz": ("it is packed with gzip", "unpack it"),
    "router.ova": ("perhaps an OVA", "unpack it"),
    "folder.qcow2": ("is not a file", "give the path of a qcow2 image"),
    "pipe.qcow2": ("is not a file", "give the path of a qcow2 image"),
    "nowhere.qcow2": ("is not on this server", "scp IMAGE"),
    "locked.qcow2": ("is encrypted", "decrypt it"),
    "corrupt.qcow2": ("is marked as corrupt", f"qemu-img check -r all {HOME}/corrupt.qcow2"),
    "dirty.qcow2": ("was not closed by what wrote it last, and is damaged", "qemu-img check -r all"),
    "unknown.qcow2": ("Unsupported qcow2 feature", "copy it to the server again"),
    "twice.qcow2": ("its header says the same thing twice", "copy it"),
    "orphan.qcow2": (f"{HOME}/gone.qcow2, which image {HOME}/orphan.qcow2 is based on, is not on this server", "copy it there too"),
    "outside.qcow2": (f"is based on {ELSEWHERE}/disk.qcow2, which is not in the folder of the image", "rebase -u -F qcow2 -b disk.qcow2"),
    "above.qcow2": ("which is not in the folder of the image", "rebase"),
    "thief.qcow2": (f"is based on {ELSEWHERE}/secret.txt as raw, and not on a qcow2 image", "qemu-img convert"),
    "thief_beside.qcow2": ("is based on secret.txt as raw", "qemu-img convert"),
    "thief_posing.qcow2": (f"{HOME}/secret.txt, which image {HOME}/thief_posing.qcow2 is based on, is not a qcow2 image", "convert"),
    "silent.qcow2": ("is based on good.qcow2 without saying its format", "rebase -u -F qcow2 -b good.qcow2"),
    "json.qcow2": ("which is no file", "qemu-img convert"),
    "nbd.qcow2": ("is based on nbd://127.0.0.1:10809/disk, which is no file", "qemu-img convert"),
    "one.qcow2": ("is based on itself, or on too many files", "qemu-img convert"),
    "layer40.qcow2": ("is based on itself, or on too many files", "qemu-img convert"),
    "keeps_data.qcow2": ("has its data in another file", "qemu-img convert"),
    "on_broken.qcow2": (f"image {HOME}/broken_base.qcow2 is cut off or damaged", "copy it"),
    "odd;name\n.qcow2": ("without control characters", "rename it"),
}
"""Image -> what is said of it, and what to do."""


@pytest.mark.parametrize("check_mode", [True, False])
def test_everything_that_is_wrong_is_told_at_once_before_anything_is_made(vms: VmServer, images: VmServer, check_mode: bool) -> None:
    before = footprint(vms)
    broken = [bare(f"b{number}", image) for number, image in enumerate(IMAGES)]
    others = [
        bare("wrong", "good.qcow2", sha256="0" * 64),
        bare("small", BLANK, memory=2048),
        bare("large", BLANK, memory=2**50),
        bare("machine", BLANK, hardware={"machine": "pc-q35-99.9"}),
        bare("disks", BLANK, data_disks=[0]),
        bare("path", BLANK, medium=_medium("../../../evil")),
    ]
    result = vms.converge(*broken, *others, check_mode=check_mode)
    assert result["failed"]
    told = [(one["msg"], one["hint"]) for one in result["errors"]]
    for image, (message, hint) in IMAGES.items():
        about = [said for said in told if image in said[0] or message in said[0]]
        assert [said for said in about if message in said[0] and hint in said[1]], f"{image}: {about}"
    (wrong,) = [said for said in told if "and not " + "0" * 64 in said[0]]
    assert vms.run("sha256sum", f"{HOME}/good.qcow2").split()[0] in wrong[0]
    assert "@sha256:" in wrong[1]
    for message, hint in (
        ("node small has 2048 bytes of memory", "with a unit"),
        ("this server has", "give them less memory"),
        ("has no machine type pc-q35-99.9", "it has pc-q35-"),
        ("data disk 1 of node disks has 0 bytes", "give it a size"),
        ("no file can be called '../../../evil'", "startup-config"),
        ("odd;name\\n.qcow2' has control characters", ""),
    ):
        assert [said for said in told if message in said[0] and hint in said[1]], (message, told)
    assert len(told) == len(broken) + len(others) + 1  # of the name with a line break the domain tells as well
    assert all(one["objects"] for one in result["errors"])
    assert SECRET not in str(result)
    assert footprint(vms) == before


def _medium(path: str, **fields: Any) -> Json:
    files = [{"path": path, "content": base64.b64encode(b"hostname r1").decode()}]
    return {"type": "iso", "label": "config", "bus": "scsi", "files": files, **fields}


def test_a_lab_with_such_an_image_gets_no_tap_either(vms: VmServer, images: VmServer) -> None:
    before = footprint(vms)
    port = {"name": "lvt-new", "device": "tap", "node": "r1", "interface": "eth1", "mtu": 1500, "tag": 101}
    broken = bare("r1", "truncated.qcow2", nics=[{"mac": "02:00:00:00:00:01", "tap": "lvt-new"}])
    declared = {"lab": LAB, "server": "srv1", "bridge": {"name": BRIDGE}, "ports": [port], "vms": [broken]}
    for check_mode in (True, False):
        result = vms.module("lab_converge", declared=declared, check_mode=check_mode)
        assert [one["objects"] for one in result["errors"]] == [[f"{HOME}/truncated.qcow2"]]
        assert footprint(vms) == before


def test_what_only_looks_odd_is_taken(vms: VmServer, images: VmServer) -> None:
    """A chain in one folder, and a name that shells and QEMU's options would take apart."""
    odd = f'{HOME}/Jörg\'s, "best" $(router):1.qcow2'
    vms.run("cp", f"{HOME}/good.qcow2", odd)
    digest = vms.run("sha256sum", f"{HOME}/good.qcow2").split()[0]
    result = vms.converge(bare("r1", odd, sha256=digest.upper()), bare("r2", "deep/good.qcow2"))
    assert ok(result)
    assert [vms.state(f"{LAB}-{node}") for node in ("r1", "r2")] == ["running", "running"]
    assert odd in vms.run("qemu-img", "info", "-U", f"/var/lib/libvirt/archetype-lab/{LAB}/{LAB}-r1/disk.qcow2")


def test_an_image_that_somebody_writes_is_not_taken(vms: VmServer, images: VmServer) -> None:
    """Somebody runs a machine on the image itself."""
    vms.run("cp", f"{HOME}/good.qcow2", f"{HOME}/used.qcow2")
    xml = f"""<domain type='qemu'><name>{LAB}-user</name><memory unit='MiB'>16</memory><os><type arch='x86_64'>hvm</type></os>
    <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{HOME}/used.qcow2'/>
    <target dev='vda' bus='virtio'/></disk></devices></domain>"""
    vms.define(xml)
    vms.virsh("start", f"{LAB}-user")
    (error,) = vms.converge(bare("r1", "used.qcow2"))["errors"]
    assert "is open for writing elsewhere" in error["msg"]
    assert "must have overlays on it" in error["hint"]
    assert vms.domains() == [f"{LAB}-user"]
    assert vms.files() == []


def test_an_image_that_changed_since_it_was_found_sound_is_looked_at_again(vms: VmServer, images: VmServer) -> None:
    path = f"{HOME}/later.qcow2"
    vms.run("cp", f"{HOME}/good.qcow2", path)
    assert ok(vms.converge(bare("r1", path), state="present"))
    ok(vms.converge(bare("r1", path), state="absent"))
    vms.run("truncate", "-s", "1M", path)
    (error,) = vms.converge(bare("r1", path))["errors"]
    assert "is cut off or damaged" in error["msg"]
    assert (vms.domains(), vms.files()) == ([], [])


def test_memory_that_machines_need_together_is_told(vms: VmServer) -> None:
    free = 1024 * int(vms.run("sh", "-c", "awk '/MemAvailable/ {print $2}' /proc/meminfo"))
    each = free * 2 // 3
    result = vms.converge(bare("r1", BLANK, memory=each), bare("r2", BLANK, memory=each))
    (error,) = result["errors"]
    assert f"machines r1, r2 would be started with {2 * each // MIB} MiB" in error["msg"]
    assert (vms.domains(), vms.files()) == ([], [])
    assert ok(vms.converge(bare("r1", BLANK, memory=each), state="present", check_mode=True))
