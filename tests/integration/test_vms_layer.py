# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module lab_vm against a real libvirtd, QEMU and Open vSwitch."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.archetype.lab.plugins.module_utils._vm_model import uuid_of
from tests.integration.vm_server import (
    BLANK,
    BRIDGE,
    FOLDER,
    GUEST,
    LAB,
    MIB,
    Json,
    Step,
    VmServer,
    eventually,
    machine,
    management,
    medium,
    nic,
    ok,
    vm_server,
    vms,
)

__all__ = ["vm_server", "vms"]

PORT = 20431
CUT = "/var/lib/libvirt/images/lv-cut.qcow2"
CLONE = "/var/lib/libvirt/images/lv-clone.qcow2"
EVERYTHING: Json = {
    "cpus": 2,
    "hardware": {
        "efi": "vars",
        "serial_type": "tcp",
        "serial_count": 2,
        "graphics": "vnc",
        "smbios": {"serial": "A1"},
        "cpu_flags_off": ["avx2"],
        "nic_model": "e1000",
        "disk_bus": "sata",
    },
    "serial_ports": [PORT, PORT + 1],
    "data_disks": [MIB],
    "medium": {**medium("hostname r2\n"), "type": "usb", "bus": "usb"},
}


def status(result: Json) -> list[tuple[str, list[str]]]:
    return [(one["status"], one["needs_restart"]) for one in result["vms"]]


def fields(result: Json, kind: str = "vm") -> dict[str, list[str]]:
    return {one["label"]: list(one["fields"]) for one in result["changes"] if one["kind"] == kind}


def reasons(result: Json, kind: str = "vm") -> list[str]:
    return [one["reason"] for one in result["changes"] if one["kind"] == kind]


# -- from nothing to nothing ----------------------------------------------------------------------------------------


def test_machines_are_made_started_stopped_and_leave_nothing(vms: VmServer) -> None:
    both = machine(medium=medium("hostname r1\n")), machine("r2", **EVERYTHING)
    made = ok(first := vms.as_predicted(*both))
    assert [change[:2] for change in made] == [("create", kind) for kind in ("disk", "medium", "vm", "disk", "disk", "medium", "vm")]
    assert status(first) == [("running", [])] * 2
    modes = vms.run("sh", "-c", f"stat -c '%a %n' {FOLDER} {FOLDER}/* {FOLDER}/lv-r2/*").split()
    assert {mode for mode, path in zip(modes[::2], modes[1::2], strict=True) if "." in path} == {"600"}
    assert {mode for mode, path in zip(modes[::2], modes[1::2], strict=True) if "." not in path} == {"711"}
    names = {path.rpartition("/")[2].partition("-")[0] for path in modes[1::2] if "lv-r2/" in path}
    assert names == {"config", "console.log", "console1.log", "data1.qcow2", "disk.json", "disk.qcow2", "nvram.fd"}

    pids = [vms.pid("lv-r1"), vms.pid("lv-r2")]
    second = vms.as_predicted(*both)
    assert ok(second) == []
    assert second["changed"] is False
    assert second["vms"] == first["vms"]
    assert [vms.pid("lv-r1"), vms.pid("lv-r2")] == pids

    assert ok(vms.as_predicted(*both, state="stopped")) == [("stop", "vm", "lv-r1"), ("stop", "vm", "lv-r2")]
    assert ok(vms.converge(*both, state="stopped")) == []
    assert ok(vms.as_predicted(*both)) == [("start", "vm", "lv-r1"), ("start", "vm", "lv-r2")]
    assert ok(vms.as_predicted(*both, state="absent")) == [
        ("delete", "vm", "lv-r1"),
        ("delete", "vm", "lv-r2"),
        ("delete", "disk", "lv-r1"),
        ("delete", "disk", "lv-r2"),
    ]
    assert (vms.domains(), vms.traces()) == ([], [])
    assert ok(vms.converge(*both, state="absent")) == []
    assert "lvt-r1" in vms.run("ovs-vsctl", "list-ports", BRIDGE)


def test_what_a_guest_wrote_stays_until_it_is_made_anew(vms: VmServer, guest_image: str) -> None:
    """A guest counts on its disk how often it was started."""
    router = machine(**GUEST, medium=medium("hostname r1\n"))
    image = vms.run("sha256sum", guest_image)

    def boots(number: int) -> None:
        look = ["sh", "-c", f"grep -ao 'guest: boot [0-9]*' {FOLDER}/lv-r1/console.log || true"]
        eventually(lambda: vms.run(*look).strip(), f"guest: boot {number}", 60.0)

    ok(vms.converge(router))
    boots(1)
    ok(vms.converge(router, state="stopped"))
    ok(vms.converge(router))
    boots(2)
    vms.virsh("destroy", "lv-r1")
    vms.virsh("undefine", "lv-r1")
    assert ok(vms.as_predicted(router, state="stopped")) == [("create", "vm", "lv-r1")]
    anew = vms.as_predicted(router, recreate=["r1"])
    assert ok(anew) == [("recreate", "disk", "disk.qcow2"), ("recreate", "vm", "lv-r1")]
    assert anew["diff"]["prepared"].splitlines()[1] == "~ vm lv-r1 (r1) recreate: it was asked for"
    boots(1)
    assert vms.run("sha256sum", guest_image) == image


# -- whose a domain is ----------------------------------------------------------------------------------------------


def foreign(name: str, uuid: str, mark: str = "") -> str:
    return f"""<domain type='qemu'><name>{name}</name><uuid>{uuid}</uuid><metadata>{mark}</metadata><memory unit='MiB'>16</memory>
    <os><type arch='x86_64'>hvm</type></os></domain>"""


def mark(lab: str, node: str) -> str:
    return f"<x:domain xmlns:x='https://archetype-lab.example/xmlns/1' lab='{lab}' node='{node}' kind='' image='' backing=''/>"


def test_domains_of_others_are_refused_and_left_as_they_are(vms: VmServer) -> None:
    vms.define(foreign("lv-r1", uuid_of("else", "x")))
    vms.define(foreign("lv-r2", uuid_of("lw", "r2"), mark("lw", "r2")))
    vms.define(foreign("lv-r3", uuid_of("else", "r3"), mark(LAB, "r3")))
    vms.define(foreign("lv-mine", uuid_of(LAB, "r4")))
    vms.virsh("start", "--paused", "lv-r1")
    before = [vms.virsh("dumpxml", name) + vms.virsh("dumpxml", name, "--inactive") for name in vms.domains()]
    wanted = [machine(node, nics=[management(node)]) for node in ("r1", "r2", "r3", "r4", "r5")]
    for check_mode in (True, False):
        refused = vms.converge(*wanted, prune=True, check_mode=check_mode)
        assert [(one["type"], one["objects"][-1]) for one in refused["errors"]] == [
            ("ForeignError", name) for name in ("lv-r1", "lv-r2", "lv-r3", "lv-mine")
        ]
        for said in ("foreign (it has no mark)", "but is lab lw", "and not its UUID, as a copy does", "domain lv-mine has the UUID"):
            assert said in refused["msg"]
    assert ok(vms.converge(*wanted, state="absent", prune=True)) == []
    assert vms.domains() == ["lv-mine", "lv-r1", "lv-r2", "lv-r3"]
    assert [vms.virsh("dumpxml", name) + vms.virsh("dumpxml", name, "--inactive") for name in vms.domains()] == before
    assert vms.files() == []


def test_machines_that_are_not_declared_any_more_go_when_that_is_asked_for(vms: VmServer) -> None:
    """Two are used by others: a copy, and a domain whose disk is made on one of theirs. These go on, with the disks that they need.

    Without its folder, a machine is still found.
    """
    ok(vms.converge(machine(), machine("r2"), machine("r3"), machine("r4"), state="present"))
    vms.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", f"{FOLDER}/lv-r4/disk.qcow2", CLONE)
    disk = f"<devices><disk type='file'><source file='{CLONE}'/><target dev='vda' bus='virtio'/></disk></devices></domain>"
    vms.define(foreign("lv-clone", uuid_of("else", "r4")).replace("</domain>", disk))
    copy = vms.virsh("dumpxml", "lv-r3").replace("<name>lv-r3", "<name>lv-copy").replace(uuid_of(LAB, "r3"), uuid_of("else", "r3"))
    vms.define(copy)
    assert ok(vms.converge(machine(), state="present")) == []
    gone = vms.as_predicted(machine(), state="present", prune=True)
    assert [(one["action"], one["name"]) for one in gone["changes"]] == [
        ("delete", "lv-r2"),
        ("delete", "lv-r3"),
        ("delete", "lv-r4"),
        ("delete", f"{FOLDER}/lv-r2"),
    ]
    assert f"{FOLDER}/lv-r3 is left, as it is used by domain lv-copy, which is foreign" in gone["msg"]
    assert f"{FOLDER}/lv-r4 is left, as it is used by domain lv-clone, which is foreign" in gone["msg"]
    assert vms.domains() == ["lv-clone", "lv-copy", "lv-r1"]
    assert vms.files() == [f"./lv-{node}/{name}" for node in ("r1", "r3", "r4") for name in ("disk.json", "disk.qcow2")]
    vms.virsh("undefine", "lv-copy")
    vms.virsh("undefine", "lv-clone")
    vms.run("rm", CLONE)
    vms.run("rm", "-r", FOLDER)
    assert ok(vms.as_predicted(state="absent", prune=True)) == [("delete", "vm", "lv-r1")]
    assert (vms.domains(), vms.traces()) == ([], [])


# -- what differs ---------------------------------------------------------------------------------------------------


def test_what_runs_goes_on_and_is_told_to_need_a_restart(vms: VmServer) -> None:
    cpu: Json = {"cpu_model": "Nehalem", "cpu_flags_off": ["avx2"], "nested": True}
    before = machine(medium=medium("a"), hardware=cpu)
    after = machine(memory=48 * MIB, cpus=2, medium=medium("b"), data_disks=[MIB], hardware={"cpu_model": "Nehalem"})
    assert status(vms.converge(before)) == [("running", [])]
    pid, media = vms.pid("lv-r1"), [name for name in vms.files() if "config-" in name]
    found = vms.as_predicted(after)
    named = ["memory", "cpus", "cpu flags off", "nested virtualization", "config medium", "data disk 1"]
    assert (fields(found), reasons(found)) == ({"r1": named}, ["it needs a restart"])
    assert "update" in found["plan"]
    for again in (found, vms.as_predicted(after)):
        assert status(again) == [("running", named)]
    assert ok(again) == []
    vms.virsh("attach-disk", "lv-r1", BLANK, "vdz", "--live", "--mode", "readonly", "--subdriver", "qcow2")
    plugged = vms.as_predicted(after)
    assert (ok(plugged), status(plugged)) == ([], [("running", [*named, "other disk"])])
    assert vms.pid("lv-r1") == pid
    assert len([name for name in vms.files() if "config-" in name]) == 2

    asked = vms.as_predicted(after, restart=["r1"])
    assert ok(asked)[1:] == [("restart", "vm", "lv-r1")]
    assert ok(asked)[0][:2] == ("delete", "medium")
    assert (fields(asked), reasons(asked)) == ({"r1": [*named, "other disk"]}, ["it was asked for"])
    assert status(asked) == [("running", [])]
    assert vms.pid("lv-r1") != pid
    assert vms.xml("lv-r1").findtext("memory") == str(48 * 1024)
    assert len(left := [name for name in vms.files() if "config-" in name]) == 1
    assert left != media
    assert ok(vms.converge(after)) == []


def test_other_nics_restart_a_machine_unless_it_is_to_wait(vms: VmServer) -> None:
    def pair(tap: str) -> list[Json]:
        more = [] if not tap else [{"mac": "02:00:00:00:00:77", "tap": tap, "interface": "eth2"}]
        return [
            machine(nics=[management("r1"), nic("r1"), *more], link_apply_mode="restart"),
            machine("r2", nics=[management("r2"), nic("r2", "lvt-r3" if tap else "")], link_apply_mode="live"),
        ]

    ok(vms.converge(*pair("")))
    pids = vms.pid("lv-r1"), vms.pid("lv-r2")
    found = vms.as_predicted(*pair("lvt-r4"))
    assert ok(found) == [("restart", "vm", "lv-r1"), ("update", "vm", "lv-r2")]
    assert fields(found) == {"r1": ["nics"], "r2": ["nic 1 tap"]}
    assert reasons(found) == ["its NICs are other ones (nics)", "it needs a restart"]
    assert status(found) == [("running", []), ("running", ["nic 1 tap"])]
    assert vms.pid("lv-r1") != pids[0]
    assert vms.pid("lv-r2") == pids[1]
    assert "lvt-r4" in vms.virsh("domiflist", "lv-r1")
    assert ok(vms.converge(*pair("lvt-r4"))) == []


def test_what_somebody_changed_is_mended_and_named(vms: VmServer) -> None:
    ok(vms.converge(machine()))
    pid = vms.pid("lv-r1")
    xml = vms.virsh("dumpxml", "lv-r1", "--inactive")
    vms.define(xml.replace("02:00:00:00:01:01", "02:00:00:00:01:99").replace(">32768<", ">65536<"))
    mended = vms.as_predicted(machine())
    assert mended["diff"]["prepared"] == (
        f"~ vm lv-r1 (r1): memory {64 * MIB} -> {32 * MIB}, nic 1 mac 02:00:00:00:01:99 -> 02:00:00:00:01:01\n"
    )
    assert status(mended) == [("running", [])]
    assert vms.virsh("dumpxml", "lv-r1", "--inactive") == xml
    vms.virsh("undefine", "lv-r1")
    found = vms.as_predicted(machine())
    assert (ok(found), fields(found)) == ([("update", "vm", "lv-r1")], {"r1": ["persistent"]})
    assert vms.pid("lv-r1") == pid

    vms.virsh("snapshot-create-as", "lv-r1", "s1", "--disk-only", "--no-metadata")
    moved = vms.as_predicted(machine())
    assert f"has a disk in {FOLDER}/lv-r1/disk.s1, as somebody made a snapshot of it" in moved["msg"]
    advice = moved["msg"].partition("virsh -c qemu:///system ")[2].partition(" where it runs")[0]
    assert advice == f"blockcommit lv-r1 {FOLDER}/lv-r1/disk.s1 --base {FOLDER}/lv-r1/disk.qcow2 --active --pivot"
    vms.virsh(*advice.split(), "--wait")
    assert ok(vms.converge(machine())) == []
    assert vms.pid("lv-r1") == pid
    assert [change[:2] for change in ok(vms.converge(machine(), state="absent"))] == [("delete", "vm"), ("delete", "disk")]
    assert vms.traces() == []


def test_a_port_that_was_removed_comes_back_and_a_tap_that_was_made_anew_restarts(vms: VmServer) -> None:
    ok(vms.converge(machine()))
    pid = vms.pid("lv-r1")
    vms.run("ovs-vsctl", "del-port", "lvt-r1")
    assert [change[:2] for change in ok(vms.taps("r1"))] == [("update", "port")]
    assert ok(vms.converge(machine())) == []
    vms.run("ip", "link", "delete", "lvt-r1")
    lacking = vms.as_predicted(machine())
    assert lacking["msg"] == (
        "node r1 cannot be started: this server has no tap lvt-r1; run deploy_lab or reconcile_lab again, or make it with"
        " archetype.lab.ovs_port_vlan and device=tap"
    )
    assert vms.pid("lv-r1") == pid
    ok(vms.taps("r1"))
    found = vms.as_predicted(machine())
    assert reasons(found) == ["it does not hold tap lvt-r1, which was made anew while it ran"]
    assert vms.pid("lv-r1") != pid
    assert vms.run("cat", "/sys/class/net/lvt-r1/carrier").strip() == "1"
    assert ok(vms.converge(machine())) == []


# -- what a machine does by itself, or somebody with it -------------------------------------------------------------


def test_crashed_saved_and_paused_machines(vms: VmServer) -> None:
    three = machine(), machine("r2"), machine("r3")
    ok(vms.converge(*three))
    vms.run("kill", "-9", str(vms.pid("lv-r1")))
    vms.virsh("managedsave", "lv-r2")
    vms.virsh("suspend", "lv-r3")
    paused = vms.pid("lv-r3")
    eventually(lambda: vms.state("lv-r1"), "shut off")
    found = vms.as_predicted(*three)
    assert [change["action"] for change in found["changes"]] == ["restart", "start"]
    assert reasons(found) == ["it is crashed", "what was saved of it is thrown away"]
    assert status(found) == [("running", []), ("running", []), ("paused", [])]
    assert [one["objects"] for one in found["errors"]] == [["lv-r3"]]
    assert "domain lv-r3 of node r3 is paused" in found["msg"]
    assert vms.pid("lv-r3") == paused
    assert "yes" not in vms.run("sh", "-c", "virsh dominfo lv-r2 | grep 'Managed save'")
    assert ok(vms.as_predicted(*three, restart=["r3"])) == [("restart", "vm", "lv-r3")]
    assert ok(vms.converge(*three)) == []


def test_nothing_is_deleted_because_libvirt_does_not_answer(vms: VmServer) -> None:
    ok(vms.converge(machine()))
    pid, files = vms.pid("lv-r1"), vms.files()
    vms.server.daemon("kill", "libvirtd")
    try:
        for want, options in (([machine()], {}), ([machine()], {"state": "absent"}), ([], {"state": "absent", "prune": True})):
            found = vms.as_predicted(*want, **options)
            assert [one["type"] for one in found["errors"]] == ["ReadError"]
            assert "libvirt on this server does not answer" in found["msg"]
            assert "changes" not in found
    finally:
        vms.server.daemon("start", "libvirtd")
    assert (vms.pid("lv-r1"), vms.files()) == (pid, files)
    assert ok(vms.converge(machine())) == []


# -- runs that are killed, or that meet -----------------------------------------------------------------------------

MAKING: list[Step] = [
    ("_vm_files", "settle", "before"),
    ("_vm_files", "settle", "after"),
    ("_vm_disks", "make", "after"),
    ("_vm_files", "settle", "before"),
    ("_vm_media", "make", "after"),
    ("libvirt", "define", "after"),
    ("libvirt", "start", "after"),
]
ANEW: list[Step] = [
    ("libvirt", "destroy", "after"),
    ("libvirt", "undefine", "after"),
    ("_vm_files", "settle", "before"),
    ("_vm_disks", "make", "after"),
    ("libvirt", "define", "after"),
]
REMOVING: list[Step] = [("libvirt", "destroy", "after"), ("libvirt", "undefine", "after"), ("_vm_apply", "_remove_logs", "after")]


def test_runs_that_are_killed_are_gone_on_with(vms: VmServer) -> None:
    """At one step after the other. Making it anew is for an image that was replaced, which is known as long as it takes."""
    want = machine(medium=medium("a"))
    for step in MAKING:
        vms.killed(step, want)
    assert ok(vms.converge(want)) == []
    assert vms.state("lv-r1") == "running"
    wanted = vms.files()
    assert [name.partition("-r1/")[2].partition("-")[0] for name in wanted] == ["config", "console.log", "disk.json", "disk.qcow2"]

    vms.run("mv", BLANK, f"{BLANK}.kept")
    try:
        vms.run("qemu-img", "create", "-q", "-f", "qcow2", BLANK, "2M")
        said = vms.converge(want, check_mode=True)
        assert ok(said) == [("recreate", "disk", "disk.qcow2"), ("recreate", "vm", "lv-r1")]
        assert "its backing image is another one (SHA-256 " in reasons(said)[0]
        for step in ANEW:
            vms.killed(step, want)
        assert ok(vms.as_predicted(want)) == [("start", "vm", "lv-r1")]
        assert ok(vms.converge(want)) == []
        assert vms.files() == wanted
    finally:
        vms.run("mv", f"{BLANK}.kept", BLANK)

    for step in REMOVING:
        vms.killed(step, want, state="absent")
    assert ok(vms.as_predicted(want, state="absent")) == [("delete", "disk", "lv-r1")]
    assert (vms.domains(), vms.traces()) == ([], [])


def test_two_runs_at_once_do_it_once(vms: VmServer) -> None:
    want = [machine(), machine("r2")]
    with ThreadPoolExecutor(2) as both:
        results = [run.result() for run in [both.submit(vms.converge, *want, state="present") for _turn in range(2)]]
    made = [[("create", "disk", "disk.qcow2"), ("create", "vm", f"lv-{node}")] for node in ("r1", "r2")]
    assert sorted(map(ok, results)) == [[], made[0] + made[1]]


# -- what cannot be -------------------------------------------------------------------------------------------------


def test_what_the_server_cannot_do_is_told_at_once_before_anything_is_made(vms: VmServer) -> None:
    wrong: list[tuple[Json, str]] = [
        ({"hardware": {"machine": "pc-q35-6.21"}}, "has no machine type pc-q35-6.21, which node n0 is to be; it has pc-q35-6.2"),
        ({"image": "/var/lib/libvirt/images/lv-none.qcow2"}, "/var/lib/libvirt/images/lv-none.qcow2"),
        ({"sha256": "0" * 64}, "SHA-256"),
        ({"memory": 512}, "node n3 has 512 bytes of memory"),
        ({"memory": 2**45}, "be started with 335"),
        ({"hardware": {"disk_bus": "ide"}}, "machine pc-q35-6.2 has no IDE"),
        ({"hardware": {"serial_type": "tcp"}}, "node n6 has serial consoles over TCP, and no TCP ports for them"),
        ({"hardware": {"serial_type": "tcp"}, "serial_ports": [22]}, "TCP port 22 of 127.0.0.1, for a serial console of node n7"),
        ({"image": CUT}, "is cut off or damaged"),
        (
            {"hardware": {"nic_model": "e1001"}, "nics": [management("n9")]},
            "QEMU has no NIC of model 'e1001'; set nic_model to e1000",
        ),
        ({"hardware": {"cpu_model": "Nehalam"}}, "knows no CPU Nehalam, which node n10 is to have; it knows Nehalem"),
        ({"hardware": {"smbios": {"serial": "abc "}}}, "domain lv-n11: SMBIOS serial is 'abc '"),
    ]
    vms.run("sh", "-c", f"head -c 70000 {BLANK} >{CUT}")
    want = [machine("r1"), *(machine(f"n{number}", **{"nics": [], **one}) for number, (one, _said) in enumerate(wrong))]
    for check_mode in (True, False):
        found = vms.converge(*want, check_mode=check_mode)
        assert found["failed"]
        for _fields, said in wrong:
            assert said in found["msg"]
    vms.run("rm", CUT)
    for option in ("restart", "recreate"):
        assert f"{option} names r9, which is no virtual machine" in vms.converge(machine(), **{option: ["r9"]})["msg"]
    assert (vms.domains(), vms.traces()) == ([], [])


def test_a_machine_that_does_not_start_is_told_with_qemus_words(vms: VmServer) -> None:
    """Somebody else has its tap; the other machine is not kept from starting."""
    ok(vms.converge(machine()))
    thief: Any = machine("r2", nics=[management("r2"), nic("r2", "lvt-r1")])
    found = vms.converge(thief, machine("r3"))
    assert "domain lv-r2 does not start" in found["msg"]
    assert "busy" in found["msg"]
    assert status(found) == [("shutoff", []), ("running", [])]
