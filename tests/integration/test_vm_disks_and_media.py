# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks and media of machines with a real qemu-img, libvirtd and QEMU: what is shared, what stays, what is never half made or shown."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.vm_server import (
    BLANK,
    FOLDER,
    GUEST,
    LAB,
    MIB,
    Json,
    VmServer,
    machine,
    medium,
    ok,
    vm_server,
    vms,
)
from tests.testbed import guest

__all__ = ["vm_server", "vms"]

IMAGE = "/var/lib/libvirt/images/lv-image.qcow2"
CACHE = "/var/lib/archetype-lab/.images"
CONF = "/etc/libvirt/qemu.conf"


@pytest.fixture
def image(vms: VmServer) -> Iterator[str]:
    """An image of these tests' own, to be changed."""
    write_image(vms, 1)
    yield IMAGE
    vms.run("sh", "-c", f"rm -rf {IMAGE}* {CACHE}")


def write_image(vms: VmServer, number: int) -> None:
    """Put another image in its place, as somebody does who copies it there."""
    made = f"qemu-img create -q -f qcow2 {IMAGE}.new 8M && qemu-io -c 'write -P {number} 0 1M' {IMAGE}.new"
    vms.run("sh", "-c", f"rm -f {IMAGE}.new; {made} >/dev/null && mv {IMAGE}.new {IMAGE}")


def bare(node: str = "r1", **fields: Any) -> Json:
    return machine(node, **{"nics": [], **fields})


def disk(node: str, name: str = "disk.qcow2") -> str:
    return f"{FOLDER}/{LAB}-{node}/{name}"


def write(vms: VmServer, path: str, pattern: int) -> None:
    """Write to a disk of a machine that is off, as its guest would."""
    vms.run("qemu-io", "-c", f"write -P {pattern} 2M 1M", path)


def holds(vms: VmServer, path: str, pattern: int) -> bool:
    done = vms.server.run(["qemu-io", "-r", "-c", f"read -P {pattern} 2M 1M", path])
    assert "read 1048576/1048576 bytes" in done.stdout, done.stderr
    return "Pattern verification failed" not in done.stdout


def info(vms: VmServer, path: str) -> Json:
    return dict(json.loads(vms.run("qemu-img", "info", "-U", "--output=json", path)))


def waits(result: Json) -> list[list[str]]:
    return [one["needs_restart"] for one in result["vms"]]


def reasons(result: Json) -> list[str]:
    return [one["reason"] for one in result["changes"] if one["kind"] == "vm"]


def content(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# -- what guests do to disks, and find on media ---------------------------------------------------------------------


def test_guests_write_to_their_overlays_only_and_each_takes_its_configuration(vms: VmServer, guest_image: str) -> None:
    """Three guests on one image, with the three sorts of media; two of them write."""
    before = vms.run("sha256sum", guest_image)
    archive = {"type": "usb", "label": "vmm-data", "bus": "scsi", "archive": "vmm-config.tgz"}
    configured = {
        "r1": medium("hostname one\n"),
        "r2": {**archive, "files": [{"path": "config/guest.cfg", "content": content("hostname two\n")}]},
        "r3": {"type": "cloud-init", "bus": "scsi", "files": [{"path": "user-data", "content": content("hostname: three\n")}]},
    }
    machines = [bare(node, **GUEST, medium=one) for node, one in configured.items()]
    ok(vms.converge(*machines))
    hashes = set()
    for node, name in (("r1", "one"), ("r2", "two"), ("r3", "three")):
        with guest.Console(vms.server, f"{LAB}-{node}") as console:
            console.login()
            assert console.run("shell hostname").strip() == name
            if node != "r3":
                assert "wrote 40 blocks" in console.run("write 40")
            hashes.add(console.run("shell dd if=$DISK bs=64k skip=640 count=40 2>/dev/null | md5sum").strip())
    assert len(hashes) == 3
    sizes = [info(vms, disk(node))["actual-size"] for node in configured]
    assert min(sizes[:2]) > 40 * 65536 > sizes[2]
    assert vms.run("sha256sum", guest_image) == before
    modes = vms.run("sh", "-c", f"stat -c '%a %U' {FOLDER}/*/*.qcow2 {FOLDER}/*/config-*")
    assert set(modes.splitlines()) == {"600 root"}  # whom QEMU runs as here

    ok(vms.converge(*machines, state="stopped"))
    hashed = [vms.run("sha256sum", disk(node)) for node in configured]
    assert ok(vms.as_predicted(*machines, state="stopped")) == []
    assert [vms.run("sha256sum", disk(node)) for node in configured] == hashed
    assert vms.run("sha256sum", guest_image) == before


# -- images that change ---------------------------------------------------------------------------------------------


def test_a_disk_outlives_all_but_another_image_which_is_said_before(vms: VmServer, image: str) -> None:
    router = bare(image=image)
    ok(vms.converge(router, state="present"))
    write(vms, disk("r1"), 7)
    ok(vms.converge(router))

    vms.run("touch", image)
    vms.run("sh", "-c", f"cp {image} {image}.new && mv {image}.new {image}")
    assert ok(vms.as_predicted(router)) == []
    pid = vms.pid("lv-r1")

    write_image(vms, 2)
    said = vms.converge(router, check_mode=True)
    assert ok(said) == [("recreate", "disk", "disk.qcow2"), ("recreate", "vm", "lv-r1")]
    (why,) = reasons(said)
    then, now = vms.run("sh", "-c", f"cat {disk('r1', 'disk.json')} {CACHE}"), vms.run("sha256sum", image)
    assert why == f"its backing image is another one (SHA-256 {json.loads(then.partition('}')[0] + '}')['digest'][:8]} -> {now[:8]})"
    assert vms.pid("lv-r1") == pid
    assert vms.converge(router)["changes"] == said["changes"]
    assert vms.pid("lv-r1") != pid
    ok(vms.converge(router, state="stopped"))
    assert not holds(vms, disk("r1"), 7)
    assert ok(vms.as_predicted(router)) == [("start", "vm", "lv-r1")]


def test_an_image_that_is_the_same_elsewhere_keeps_what_was_written(vms: VmServer, image: str) -> None:
    router, moved = bare(image=image), bare(image=f"{image}.moved.qcow2")
    ok(vms.converge(router, state="present"))
    write(vms, disk("r1"), 7)
    ok(vms.converge(router))
    vms.run("mv", image, f"{image}.moved.qcow2")
    (gone,) = vms.converge(router)["errors"]
    assert "is not on this server" in gone["msg"]
    waiting = vms.as_predicted(moved)
    assert ok(waiting) == [("update", "vm", "lv-r1")]
    assert waits(waiting) == [["disk image"]]
    assert info(vms, disk("r1"))["backing-filename"] == image
    assert ok(vms.converge(moved)) == []
    assert ok(vms.as_predicted(moved, restart=["r1"])) == [("update", "disk", "disk.qcow2"), ("restart", "vm", "lv-r1")]
    assert info(vms, disk("r1"))["backing-filename"] == f"{image}.moved.qcow2"
    assert waits(vms.converge(moved)) == [[]]
    ok(vms.converge(moved, state="stopped"))
    assert holds(vms, disk("r1"), 7)


def test_the_memory_of_images_may_be_lost_or_spoilt_at_any_time(vms: VmServer, image: str) -> None:
    router = bare(image=image)
    ok(vms.converge(router, state="present"))
    whole = vms.run("cat", CACHE)
    digest = vms.run("sha256sum", image).split()[0]
    assert json.loads(whole)["images"][image][1] == digest
    for spoilt in ("", whole[: len(whole) // 2], "null", "[[", "\\0\\0", '{"format": 1, "images": {"x": [1, 2]}}', '{"format": 99}'):
        vms.run("sh", "-c", f"printf '%b' \"$0\" >{CACHE}; echo half >{CACHE}.new", spoilt)
        assert ok(vms.converge(router, state="present")) == []
        assert json.loads(vms.run("cat", CACHE))["images"][image][1] == digest
    assert vms.run("sh", "-c", f"stat -c %a {CACHE}; ls -a {CACHE}*").split() == ["600", CACHE]
    # the same size and time is not enough to be the same image: it is another file
    vms.run("sh", "-c", f"cp -p {image} {image}.old")
    write_image(vms, 2)
    vms.run("touch", "-r", f"{image}.old", image)
    assert reasons(vms.converge(router, state="present", check_mode=True))[0].startswith("its backing image is another one")


# -- disks that do not fit ------------------------------------------------------------------------------------------


def test_data_disks_grow_when_the_machine_is_off_and_never_shrink(vms: VmServer) -> None:
    path = disk("r1", "data1.qcow2")
    small, large = bare(data_disks=[4 * MIB]), bare(data_disks=[8 * MIB, 2 * MIB + 1])
    ok(vms.converge(small, state="present"))
    assert info(vms, path)["virtual-size"] == 4 * MIB
    write(vms, path, 9)
    ok(vms.converge(small))
    grows = vms.as_predicted(large)
    assert ok(grows) == [("create", "disk", "data2.qcow2"), ("update", "vm", "lv-r1")]
    assert waits(grows) == [["data disk 2", "disk size"]]
    assert info(vms, path)["virtual-size"] == 4 * MIB
    assert ok(vms.converge(large)) == []
    assert ok(vms.as_predicted(large, restart=["r1"])) == [("update", "disk", "data1.qcow2"), ("restart", "vm", "lv-r1")]
    assert [info(vms, disk("r1", f"data{number}.qcow2"))["virtual-size"] for number in (1, 2)] == [8 * MIB, 2 * MIB + 512]
    before = vms.files()
    (error,) = vms.converge(small)["errors"]
    assert f"data disk {path} has {8 * MIB} bytes, and cannot shrink to {4 * MIB}" in error["msg"]
    assert "lab_recreate" in error["hint"]
    assert vms.files() == before
    ok(vms.converge(large, state="stopped"))
    assert holds(vms, path, 9)
    # a disk that is not declared any more is taken out of the machine; what is on it stays, and is there when it is declared again
    ok(vms.converge(bare(data_disks=[8 * MIB]), state="stopped"))
    assert vms.files() == before
    assert ok(vms.converge(large, state="stopped")) == [("update", "vm", "lv-r1")]


@pytest.mark.parametrize(("room", "left"), [("64k", ["disk.json"]), ("260k", ["disk.json", "disk.qcow2"])])
def test_a_full_disk_leaves_nothing_half_made(vms: VmServer, room: str, left: list[str]) -> None:
    """First there is no room for the overlay, then none for the medium."""
    router = bare(medium=medium("hostname r1\n" * 3000))
    vms.run("mkdir", "-m", "711", "-p", FOLDER)
    vms.run("mount", "-t", "tmpfs", "-o", f"size={room},mode=711", "tmpfs", FOLDER)
    try:
        failed = vms.converge(router)
        assert failed["failed"]
        assert "see that the disk has room" in failed["errors"][0]["hint"]
        assert "No space left on device" in failed["errors"][0]["msg"]
        assert vms.domains() == []
        assert [path.rpartition("/")[2] for path in vms.files() if path.count("/") > 1] == left
        vms.run("mount", "-o", "remount,size=8m", FOLDER)
        made = ok(vms.as_predicted(router))
        assert [kind for _action, kind, _name in made] == ([] if "disk.qcow2" in left else ["disk"]) + ["medium", "vm"]
        assert vms.state("lv-r1") == "running"
        vms.virsh("destroy", "lv-r1")
    finally:
        vms.run("umount", "-l", FOLDER)


def test_a_disk_that_is_not_the_one_that_was_made_is_told_and_can_be_made_anew_or_removed(vms: VmServer, image: str) -> None:
    routers = [bare("r1", image=image), bare("r2", image=image), bare("r3", image=image)]
    ok(vms.converge(*routers, state="present"))
    vms.run("qemu-img", "rebase", "-u", "-F", "qcow2", "-b", BLANK, disk("r1"))
    vms.run("truncate", "-s", "10", disk("r2"))
    vms.run("sh", "-c", f"echo >{disk('r3', 'disk.json')}")
    before = vms.files(), vms.run("sha256sum", disk("r1"))
    errors = vms.converge(*routers)["errors"]
    assert [one["objects"] for one in errors] == [["lv-r1"], ["lv-r2"], ["lv-r3"]]
    assert f"it is based on {BLANK}, and {image} is what is written" in errors[0]["msg"]
    assert "its header is cut off" in errors[1]["msg"]
    assert "disk.json cannot be read" in errors[2]["msg"]
    assert all("which loses what it wrote" in one["hint"] for one in errors)
    assert (vms.files(), vms.run("sha256sum", disk("r1"))) == before
    anew = ok(vms.as_predicted(*routers[:2], state="present", recreate=["r1", "r2"]))
    assert [change[:2] for change in anew] == [("recreate", "disk"), ("recreate", "vm")] * 2
    assert ok(vms.converge(*routers[:2], state="present")) == []
    assert [change[:2] for change in ok(vms.as_predicted(*routers, state="absent"))] == [("delete", "vm")] * 3 + [("delete", "disk")] * 3
    assert (vms.domains(), vms.files()) == ([], [])


def test_a_copy_of_the_folder_of_a_machine_is_left_and_told(vms: VmServer) -> None:
    """As somebody makes it before an upgrade; also when the lab is gone."""
    router = bare()
    ok(vms.converge(router, state="present"))
    vms.run("cp", "-a", f"{FOLDER}/lv-r1", f"{FOLDER}/lv-r1.bak")
    kept = vms.as_predicted(router, state="present", prune=True)
    assert kept["changes"] == []
    (error,) = kept["errors"]
    assert f"{FOLDER}/lv-r1.bak is left, as it is of domain lv-r1 of lab {LAB}, or a copy of that" in error["msg"]
    assert "move it elsewhere" in error["hint"]
    (error,) = vms.as_predicted(state="absent", prune=True)["errors"]
    assert error["objects"] == ["lv-r1.bak"]
    assert vms.files() == ["./lv-r1.bak/disk.json", "./lv-r1.bak/disk.qcow2"]
    # and put back, it is the machine's again
    vms.run("mv", f"{FOLDER}/lv-r1.bak", f"{FOLDER}/lv-r1")
    assert ok(vms.as_predicted(router, state="present", prune=True)) == [("create", "vm", "lv-r1")]


# -- media ----------------------------------------------------------------------------------------------------------


def media(vms: VmServer, node: str = "r1") -> dict[str, str]:
    """Name -> what tells the file from every other, and what is in it."""
    listed = vms.run(
        "sh", "-c", f"cd {FOLDER}/{LAB}-{node}; for one in config-*; do echo $one $(stat -c %i_%Y $one) $(sha256sum <$one); done"
    )
    return {line.split()[0]: line for line in listed.splitlines()}


def test_a_changed_configuration_waits_for_a_restart_and_its_medium_with_it(vms: VmServer) -> None:
    old, new, newer = (bare(medium=medium(f"hostname r{number}\npassword geheim{number}\n")) for number in (1, 2, 3))
    results = [vms.converge(old)]
    (first,) = media(vms)
    held = media(vms)[first]
    for changed in (new, newer):
        results.append(vms.as_predicted(changed))
        assert waits(results[-1]) == [["config medium"]]
        assert [change[:2] for change in ok(results[-1])] == [("create", "medium"), ("update", "vm")]
        assert vms.run("readlink", "-f", f"/proc/{vms.pid('lv-r1')}/cwd")  # it runs on
        assert media(vms)[first] == held
        assert ok(vms.converge(changed)) == []
    assert first in vms.run("sh", "-c", f"ls -l /proc/{vms.pid('lv-r1')}/fd")
    restarted = vms.as_predicted(newer, restart=["r1"])
    assert {change[:2] for change in ok(restarted)} == {("delete", "medium"), ("restart", "vm")}
    (last,) = media(vms)
    assert last != first
    assert last in vms.run("sh", "-c", f"ls -l /proc/{vms.pid('lv-r1')}/fd")
    # and back again: the same content is the same file, byte by byte
    back = vms.converge(old, restart=["r1"])
    assert media(vms)[first].split()[2] == held.split()[2]
    results += [restarted, back]
    assert "geheim" not in (said := json.dumps(results))
    assert all(content(f"hostname r{number}\npassword geheim{number}\n") not in said for number in (1, 2, 3))
    assert "geheim" not in vms.virsh("dumpxml", "lv-r1")


HOSTILE = ["../evil", "/evil", "a/../../evil", "a\nb", "a;1", "a*", "c:\\evil", "", ".", "a//b", "a\x00", "b" * 65, "\u202egfc"]


def test_hostile_names_on_media_are_refused_before_anything_is_made(vms: VmServer) -> None:
    wrong = [bare(f"h{number}", medium={**medium(""), "files": [{"path": path, "content": ""}]}) for number, path in enumerate(HOSTILE)]
    usb = {"type": "usb", "label": "vmm-data", "bus": "scsi", "files": [{"path": "a", "content": "YQ=="}]}
    wrong += [
        bare("archive", medium={**usb, "archive": "../../evil.tgz"}),
        bare("label", medium={**usb, "label": "much too long a label"}),
        bare("alike", medium={**usb, "files": [{"path": name, "content": ""} for name in ("A.cfg", "a.cfg")]}),
        bare("both", medium={**usb, "files": [{"path": name, "content": ""} for name in ("a", "a/b")]}),
        bare("twice", medium={**usb, "files": usb["files"] * 2}),
        bare("base64", medium={**usb, "files": [{"path": "a", "content": "not base64!"}]}),
    ]
    before = vms.run("find", "/var/lib/libvirt", "/var/lib/archetype-lab", "-name", "*evil*")
    for check_mode in (True, False):
        result = vms.converge(*wrong, check_mode=check_mode)
        assert sorted(one["objects"] for one in result["errors"]) == sorted([one["name"]] for one in wrong)
        assert all("cannot be made" in one["msg"] for one in result["errors"])
        assert (vms.domains(), vms.files()) == ([], [])
    assert vms.run("find", "/var/lib/libvirt", "/var/lib/archetype-lab", "-name", "*evil*") == before == ""


# -- QEMU as a user of its own --------------------------------------------------------------------------------------


KVM_FOR_ALL = "[ ! -c /dev/kvm ] || { mknod -m 666 /run/lv-kvm c 10 232 && mount --bind /run/lv-kvm /dev/kvm; }"
"""On this server only. Where QEMU's user may not open it, and root may, libvirt looks at QEMU anew whenever it is asked, for seconds."""


@pytest.fixture
def as_on_debian(vms: VmServer) -> Iterator[VmServer]:
    """libvirt as a server has it that nobody configured: QEMU is a user of its own."""
    path = Path(f"{vms.server.place.root}{CONF}")
    text = path.read_text()

    def configure(wanted: str) -> None:
        path.write_text(wanted)
        vms.server.daemon("stop", "libvirtd")
        vms.server.daemon("start", "libvirtd")

    vms.run("sh", "-c", KVM_FOR_ALL)
    configure(text.replace('"root"', '"libvirt-qemu"'))
    yield vms
    vms.reset()
    vms.run("sh", "-c", "[ ! -e /run/lv-kvm ] || { umount /dev/kvm && rm /run/lv-kvm; }")
    configure(text)


def test_qemu_as_a_user_of_its_own_gets_its_files_and_nobody_else(as_on_debian: VmServer, image: str) -> None:
    server, hidden = as_on_debian, "/var/lib/libvirt/images/lv-hidden"
    server.run("sh", "-c", f"mkdir -p -m 700 {hidden}; cp {image} {hidden}/image.qcow2")
    try:
        (refused,) = server.converge(bare("r2", image=f"{hidden}/image.qcow2"))["errors"]
        assert f"QEMU, which is libvirt-qemu on this server, may not enter {hidden}" in refused["msg"]
        assert f"setfacl -m u:libvirt-qemu:x {hidden}" in refused["hint"]
        assert (server.domains(), server.files()) == ([], [])
    finally:
        server.run("rm", "-rf", hidden)
    before = server.run("sha256sum", image)
    router = bare(image=image, medium=medium("hostname r1\n"), data_disks=[MIB])
    server.run("sh", "-c", f"echo 'dynamic_ownership = 0' >>{CONF}")
    (ungiven,) = server.converge(router, check_mode=True)["errors"]
    assert "QEMU, which is libvirt-qemu on this server, is given no disks" in ungiven["msg"]
    server.run("sed", "-i", "/^dynamic_ownership/d", CONF)
    ok(server.converge(router))
    assert server.state("lv-r1") == "running"
    assert server.run("stat", "-c", "%U", f"/proc/{server.pid('lv-r1')}").strip() == "libvirt-qemu"
    owners = server.run("sh", "-c", f"stat -c '%a %U' {FOLDER}/*/*.qcow2 {FOLDER}/*/config-*")
    assert owners.splitlines() == ["600 libvirt-qemu"] * 3
    assert server.run("sha256sum", image) == before
    assert ok(server.converge(router)) == []
    assert ok(server.converge(router, restart=["r1"])) == [("restart", "vm", "lv-r1")]
