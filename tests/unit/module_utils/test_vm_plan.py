# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is decided for virtual machines, from values alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks, _vm_media, _vm_xml
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Hardware, Medium, MediumFile, Nic, Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, Tap
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms, VmsPlan, spec_of, uuid_of
from ansible_collections.archetype.lab.plugins.module_utils._vm_plan import plan
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import DiskSpec, DomainSpec, Mark
from tests.unit.module_utils.libvirt_fake import HOST

LAB = "demo"
IMAGE = "/images/guest.qcow2"
GIB = 1024**3
MEDIUM = Medium("iso", "config", "sata", (MediumFile("a.cfg", "YQ=="),))
OTHER = Medium("iso", "config", "sata", (MediumFile("a.cfg", "Yg=="),))


def machine(node: str = "r1", **fields: Any) -> Vm:
    given: dict[str, Any] = {
        "name": f"demo-{node}",
        "node": node,
        "image": IMAGE,
        "memory": GIB,
        "nics": (Nic("02:00:00:00:00:01"), Nic("02:00:00:00:00:02", f"tap-{node}", interface="eth1")),
        "medium": MEDIUM,
    }
    return Vm(**{**given, **fields})


def empty(**fields: Any) -> HaveVms:
    return HaveVms(host=HOST, digests={IMAGE: "a" * 64}, memory=8 * GIB, cpus=2, **fields)


def tap(name: str, *, used: bool = True) -> Device:
    return Device(name, 7, "tun", up=True, carrier=used, tap=Tap(owner=64055, persistent=True, used=used))


def there(*machines: Vm, status: Any = "running", live: DomainSpec | None = None, **fields: Any) -> HaveVms:
    """A server that has these machines, as they are declared. live: what runs, where it is something else."""
    have = empty()
    specs = {one.name: spec_of(LAB, one, have, HOST) for one in machines}
    lives = {name: live or spec for name, spec in specs.items() if status in ("running", "paused")}
    domains = {
        name: Domain(name, spec.uuid, status, _vm_xml.build(spec), started="1" if name in lives else "") for name, spec in specs.items()
    }
    paths = {disk.path for spec in (*specs.values(), *lives.values()) for disk in spec.disks}
    found: dict[str, Any] = {
        "domains": domains,
        "marks": {name: spec.mark for name, spec in specs.items()},
        "specs": specs,
        "lives": lives,
        "files": frozenset(paths),
        "overlays": dict.fromkeys(specs, "a" * 64),
        "folders": frozenset(specs),
        "devices": {nic.tap: tap(nic.tap) for one in machines for nic in one.nics if nic.tap},
    }
    return replace(have, **{**found, **fields})


def told(found: VmsPlan) -> list[tuple[str, str, str]]:
    return [(change.action, change.kind, change.name.rpartition("/")[2]) for change in found.changes]


def decide(want: Vm, have: HaveVms, **options: Any) -> VmsPlan:
    return plan([want], have, lab=LAB, **options)


def medium_name(medium: Medium = MEDIUM) -> str:
    return _vm_media.path_of(LAB, machine(medium=medium)).rpartition("/")[2]


# -- what becomes of a machine --------------------------------------------------------------------------------------


def test_a_new_machine_gets_its_disks_its_medium_and_is_started() -> None:
    found = decide(machine(data_disks=(GIB,)), empty())
    assert told(found) == [
        ("create", "disk", "disk.qcow2"),
        ("create", "disk", "data1.qcow2"),
        ("create", "medium", medium_name()),
        ("create", "vm", "demo-r1"),
    ]
    (one,) = found.nodes
    assert (one.define, one.starts, one.off, one.fresh) == (True, True, False, False)


@pytest.mark.parametrize(("state", "starts"), [("present", False), ("stopped", False), ("started", True)])
def test_whether_it_is_started_is_its_state(state: Any, starts: bool) -> None:
    (one,) = decide(machine(), empty(), state=state).nodes
    assert (one.step, one.starts) == ("create", starts)


def test_a_machine_that_is_as_declared_is_left() -> None:
    found = decide(machine(), there(machine()))
    assert told(found) == []
    assert not found.busy
    assert found.nodes[0].needs_restart == ()


def test_another_memory_is_defined_for_the_next_start_and_told_until_then() -> None:
    before, after = machine(), machine(memory=2 * GIB)
    found = decide(after, there(before))
    assert told(found) == [("update", "vm", "demo-r1")]
    assert found.changes[0].fields == {"memory": (GIB, 2 * GIB)}
    assert found.changes[0].reason == "it needs a restart"
    (one,) = found.nodes
    assert (one.off, one.define, one.starts, one.needs_restart) == (False, True, False, ("memory",))

    live = spec_of(LAB, before, empty(), HOST)
    again = decide(after, there(after, live=live))
    assert told(again) == []
    assert not again.busy
    assert again.nodes[0].needs_restart == ("memory",)

    asked = decide(after, there(after, live=live), restart=["r1"])
    assert told(asked) == [("restart", "vm", "demo-r1")]
    assert asked.changes[0].fields == {"memory": (GIB, 2 * GIB)}
    assert (asked.nodes[0].off, asked.nodes[0].define, asked.nodes[0].starts) == (True, False, True)


def test_what_no_guest_sees_needs_no_restart() -> None:
    found = decide(machine(kind="other"), there(machine()))
    assert told(found) == [("update", "vm", "demo-r1")]
    assert found.nodes[0].needs_restart == ()
    assert found.changes[0].reason == ""


def test_another_configuration_waits_and_the_old_medium_stays_until_then() -> None:
    found = decide(machine(medium=OTHER), there(machine()))
    assert told(found) == [("create", "medium", medium_name(OTHER)), ("update", "vm", "demo-r1")]
    assert found.nodes[0].needs_restart == ("config medium",)
    now = decide(machine(medium=OTHER), there(machine()), restart=["r1"])
    assert told(now) == [("create", "medium", medium_name(OTHER)), ("delete", "medium", medium_name()), ("restart", "vm", "demo-r1")]


@pytest.mark.parametrize(("mode", "action"), [("recreate", "restart"), ("restart", "restart"), ("live", "update")])
def test_other_nics_restart_it_unless_they_are_to_wait(mode: str, action: str) -> None:
    more = (*machine().nics, Nic("02:00:00:00:00:03", "tap-r1-2", interface="eth2"))
    found = decide(machine(nics=more, link_apply_mode=mode), there(machine()))
    assert told(found) == [(action, "vm", "demo-r1")]
    assert found.nodes[0].needs_restart == (("nics",) if mode == "live" else ())


@pytest.mark.parametrize("devices", [{}, {"tap-r1": tap("tap-r1", used=False)}, {"tap-r1": Device("tap-r1", 8, "veth")}])
def test_a_tap_that_was_made_anew_while_it_runs_restarts_it(devices: dict[str, Device]) -> None:
    found = decide(machine(), there(machine(), devices=devices))
    assert told(found) == [("restart", "vm", "demo-r1")]
    assert found.changes[0].reason == "it does not hold tap tap-r1, which was made anew while it ran"
    assert told(decide(machine(link_apply_mode="live"), there(machine(), devices=devices))) == [("restart", "vm", "demo-r1")]


@pytest.mark.parametrize(
    ("status", "state", "changes"),
    [
        ("shutoff", "started", [("start", "vm", "demo-r1")]),
        ("crashed", "started", [("restart", "vm", "demo-r1")]),
        ("running", "stopped", [("stop", "vm", "demo-r1")]),
        ("paused", "stopped", [("stop", "vm", "demo-r1")]),
        ("crashed", "stopped", []),
        ("shutoff", "stopped", []),
        ("shutoff", "present", []),
        ("running", "present", []),
    ],
)
def test_what_is_done_about_its_status(status: str, state: Any, changes: list[tuple[str, str, str]]) -> None:
    found = decide(machine(), there(machine(), status=status), state=state)
    assert told(found) == changes
    assert found.nodes[0].off == (status != "shutoff" and bool(changes))


def test_a_paused_machine_is_left_and_told_unless_its_restart_is_asked_for() -> None:
    found = decide(machine(), there(machine(), status="paused"))
    assert told(found) == []
    assert found.busy
    assert "is paused" in str(found.nodes[0].stuck)
    assert "virsh -c qemu:///system resume demo-r1, or restart it with -e lab_restart=r1" in str(found.nodes[0].stuck)
    asked = decide(machine(), there(machine(), status="paused"), restart=["r1"])
    assert told(asked) == [("restart", "vm", "demo-r1")]
    assert asked.nodes[0].stuck is None


def test_a_domain_that_somebody_undefined_while_it_runs_is_defined_again() -> None:
    have = there(machine())
    have = replace(have, domains={name: replace(one, persistent=False) for name, one in have.domains.items()})
    found = decide(machine(), have)
    assert [(change.action, change.fields) for change in found.changes] == [("update", {"persistent": (False, True)})]
    assert found.nodes[0].needs_restart == ()


# -- disks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["running", "shutoff", "paused"])
def test_another_image_makes_the_disk_anew_and_says_so(status: str) -> None:
    found = decide(machine(), there(machine(), status=status, overlays={"demo-r1": "b" * 64}))
    assert told(found) == [("recreate", "disk", "disk.qcow2"), ("recreate", "vm", "demo-r1")]
    assert found.changes[-1].reason == "its backing image is another one (SHA-256 bbbbbbbb -> aaaaaaaa)"
    (one,) = found.nodes
    assert (one.off, one.fresh, one.define, one.starts) == (status != "shutoff", True, True, True)


def test_recreating_on_request_is_for_the_node_that_was_named() -> None:
    have = there(machine(), machine("r2"))
    found = plan([machine(), machine("r2")], have, lab=LAB, recreate=["r2", "elsewhere"])
    assert [(change.action, change.kind, change.label) for change in found.changes] == [
        ("recreate", "disk", "r2"),
        ("recreate", "vm", "r2"),
    ]
    assert found.changes[-1].reason == "it was asked for"


def test_an_overlay_outlives_its_domain() -> None:
    have = there(machine(), status="shutoff")
    have = replace(have, domains={}, marks={}, specs={})
    assert told(decide(machine(), have)) == [("create", "vm", "demo-r1")]
    other = replace(have, overlays={"demo-r1": "b" * 64})
    assert told(decide(machine(), other)) == [("recreate", "disk", "disk.qcow2"), ("create", "vm", "demo-r1")]
    asked = decide(machine(), have, recreate=["r1"])
    assert told(asked) == [("recreate", "disk", "disk.qcow2"), ("create", "vm", "demo-r1")]


def test_a_disk_that_is_gone_is_made_anew() -> None:
    stopped = there(machine(), status="shutoff", files=frozenset({_vm_media.path_of(LAB, machine())}), overlays={})
    assert told(decide(machine(), stopped)) == [("create", "disk", "disk.qcow2"), ("start", "vm", "demo-r1")]
    running = there(machine(), files=frozenset({_vm_media.path_of(LAB, machine())}), overlays={})
    assert told(decide(machine(), running)) == [("create", "disk", "disk.qcow2"), ("recreate", "vm", "demo-r1")]


@pytest.mark.parametrize("path", ["/somewhere/extra.qcow2", "", "/somewhere/tools.iso"])
def test_what_somebody_plugged_in_is_theirs_and_never_a_reason_to_throw_away_a_disk(path: str) -> None:
    spec = spec_of(LAB, machine(), empty(), HOST)
    live = replace(spec, disks=(*spec.disks, DiskSpec(path, "other", "virtio", cdrom=not path)))
    have = there(machine(), live=live)
    found = decide(machine(), replace(have, files=have.files - {path}))
    assert told(found) == []
    assert found.nodes[0].needs_restart == ("other disk",)


def test_a_medium_that_somebody_took_out_or_whose_file_is_gone_costs_no_disk() -> None:
    spec = spec_of(LAB, machine(), empty(), HOST)
    ejected = replace(spec, disks=tuple(replace(disk, path="") if disk.role == "config" else disk for disk in spec.disks))
    found = decide(machine(), there(machine(), live=ejected))
    assert (told(found), found.nodes[0].needs_restart) == ([], ("config medium",))
    have = there(machine())
    found = decide(machine(), replace(have, files=have.files - {_vm_media.path_of(LAB, machine())}))
    assert told(found) == [("create", "medium", medium_name())]


def test_a_data_disk_that_is_gone_costs_no_other_and_is_still_read_until_somebody_asks() -> None:
    want = machine(data_disks=(GIB,))
    have = there(want)
    have = replace(have, files=frozenset(path for path in have.files if not path.endswith("/data1.qcow2")))
    found = decide(want, have)
    assert (told(found), found.nodes[0].needs_restart) == ([], ("data disk file",))
    assert told(decide(want, have, restart=["r1"])) == [("create", "disk", "data1.qcow2"), ("restart", "vm", "demo-r1")]


def test_a_system_disk_that_is_gone_costs_no_data_disk() -> None:
    want = machine(data_disks=(GIB,))
    have = there(want, overlays={})
    have = replace(have, files=frozenset(path for path in have.files if not path.endswith("/disk.qcow2")))
    assert told(decide(want, have)) == [("create", "disk", "disk.qcow2"), ("recreate", "vm", "demo-r1")]


def test_an_image_whose_digest_nobody_knows_is_no_other_one() -> None:
    assert told(decide(machine(), there(machine(), digests={}))) == [("update", "vm", "demo-r1")]


def test_a_further_data_disk_is_made_at_once_and_found_after_a_restart() -> None:
    found = decide(machine(data_disks=(GIB,)), there(machine()))
    assert told(found) == [("create", "disk", "data1.qcow2"), ("update", "vm", "demo-r1")]
    assert found.nodes[0].needs_restart == ("data disk 1",)


def test_a_larger_data_disk_waits_until_the_machine_is_off() -> None:
    want = machine(data_disks=(GIB,))
    grow = Change("update", "disk", "data1.qcow2", "r1", {"size": (GIB, 2 * GIB)})
    found = decide(want, there(want, outdated={"demo-r1": (grow,)}))
    assert told(found) == []
    assert found.nodes[0].needs_restart == ("disk size",)
    assert not found.nodes[0].mend
    asked = decide(want, there(want, outdated={"demo-r1": (grow,)}), restart=["r1"])
    assert told(asked) == [("update", "disk", "data1.qcow2"), ("restart", "vm", "demo-r1")]
    assert asked.nodes[0].mend


# -- whose it is ----------------------------------------------------------------------------------------------------


def test_a_foreign_domain_of_a_wanted_name_is_refused() -> None:
    have = empty(domains={"demo-r1": Domain("demo-r1", "1", "running", "<domain/>")})
    with pytest.raises(ForeignError, match=r"domain demo-r1 is wanted for node r1 of lab demo, but is foreign"):
        decide(machine(), have)
    other = empty(
        domains={"demo-r1": Domain("demo-r1", uuid_of("other", "x"), "running", "<domain/>")}, marks={"demo-r1": Mark("other", "x")}
    )
    with pytest.raises(ForeignError, match="but is lab other"):
        decide(machine(), other)
    assert told(decide(machine(), other, state="absent", prune=True)) == []


def test_a_copy_of_a_machine_is_not_the_labs_though_it_has_its_mark() -> None:
    """virt-clone takes the mark with it, and gives another UUID."""
    copy = Domain("mine", "1", "running", f"<domain><source file='{_vm_disks.folder_of(LAB, 'demo-r1')}/disk.qcow2'/></domain>")
    have = there(machine(), status="shutoff")
    have = replace(have, domains={**have.domains, "mine": copy}, marks={**have.marks, "mine": Mark(LAB, "r1")})
    assert told(decide(machine(), have, prune=True, state="stopped")) == []
    gone = decide(machine(), have, prune=True, state="absent")
    assert told(gone) == [("delete", "vm", "demo-r1")]
    assert "is used by domain mine, which is foreign (it has the mark of node r1" in str(gone.kept["demo-r1"])
    have = replace(have, domains={"demo-r1": replace(copy, name="demo-r1")})
    with pytest.raises(ForeignError, match=r"but is foreign \(it has the mark of node r1 of lab demo, and not its UUID"):
        decide(machine(), have)


def test_a_disk_that_somebody_elses_is_made_on_stays() -> None:
    """The definition of a domain that is off does not name it."""
    have = there(machine(), machine("r2"), status="shutoff")
    clone = Domain("mine", "1", "shutoff", "<domain/>")
    have = replace(have, domains={**have.domains, "mine": clone}, used={"mine": frozenset({"demo-r1"})})
    found = plan((), have, lab=LAB, state="absent", prune=True)
    assert (found.drops, found.folders) == (["demo-r1", "demo-r2"], ["demo-r2"])
    assert "demo-r1 is left, as it is used by domain mine, which is foreign" in str(found.kept["demo-r1"])
    with pytest.raises(ForeignError, match="the disk of node r1 would be made anew, and is used by domain mine"):
        decide(machine(), have, recreate=["r1"])
    assert decide(machine("r2"), have, recreate=["r2"]).nodes[0].fresh


def test_a_machine_that_stays_keeps_the_disk_of_one_that_goes() -> None:
    have = replace(there(machine(), machine("r2"), status="shutoff"), used={"demo-r2": frozenset({"demo-r1", "demo-r2"})})
    found = decide(machine("r2"), have, prune=True)
    assert (found.drops, found.folders) == (["demo-r1"], [])
    assert "is used by domain demo-r2, which is lab demo" in str(found.kept["demo-r1"])


def test_nothing_is_removed_that_a_disk_nobody_can_read_may_be_made_on() -> None:
    have = there(machine(), status="shutoff")
    have = replace(have, domains={**have.domains, "mine": Domain("mine", "1", "shutoff", "<domain/>")}, unread={"mine": ("/a (damaged)",)})
    found = decide(machine(), have, state="absent")
    assert (found.drops, found.folders) == (["demo-r1"], [])
    said = "disks that may be made on it cannot be read, of domain mine, which is foreign (it has no mark): /a (damaged)"
    assert said in str(found.kept["demo-r1"])
    own = replace(have, unread={"demo-r1": ("/a (damaged)",)})
    assert decide(machine(), own, state="absent").folders == ["demo-r1"]


def test_a_domain_of_another_name_with_the_uuid_is_refused_unless_it_goes() -> None:
    domain = Domain("mine", uuid_of(LAB, "r1"), "shutoff", "<domain/>")
    with pytest.raises(ForeignError, match="domain mine has the UUID"):
        decide(machine(), empty(domains={"mine": domain}))
    found = decide(machine(), empty(domains={"mine": domain}, marks={"mine": Mark(LAB, "r1")}), prune=True)
    assert found.drops == ["mine"]


def test_a_machine_that_somebody_renamed_goes_with_its_node() -> None:
    have = there(machine(), status="shutoff")
    renamed = replace(have.domains["demo-r1"], name="mine")
    have = replace(have, domains={"mine": renamed}, marks={"mine": Mark(LAB, "r1")})
    found = decide(machine(), have, state="absent")
    assert (found.drops, found.folders, found.kept) == (["mine"], ["demo-r1"], {})
    assert decide(machine("r2"), have, state="absent").drops == []


def test_only_the_labs_own_machines_go() -> None:
    have = there(machine(), machine("r2"))
    alien = Domain("alien", "1", "running", "<domain/>")
    have = replace(have, domains={**have.domains, "alien": alien}, folders=have.folders | {"half"})
    pruned = plan([machine()], have, lab=LAB, prune=True)
    assert told(pruned) == [("delete", "vm", "demo-r2"), ("delete", "disk", "demo-r2"), ("delete", "disk", "half")]
    assert (pruned.drops, pruned.folders) == (["demo-r2"], ["demo-r2", "half"])
    assert told(plan([machine()], have, lab=LAB)) == []
    gone = plan([machine()], have, lab=LAB, state="absent")
    assert (gone.drops, gone.folders) == (["demo-r1"], ["demo-r1"])
    everything = plan((), have, lab=LAB, state="absent", prune=True)
    assert everything.drops == ["demo-r1", "demo-r2"]


def test_a_medium_that_nobody_came_to_define_is_removed() -> None:
    lost = _vm_media.path_of(LAB, machine(medium=OTHER))
    have = there(machine())
    found = decide(machine(), replace(have, files=have.files | {lost}))
    assert told(found) == [("delete", "medium", medium_name(OTHER))]
    assert found.nodes[0].discard == (lost,)


# -- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"memory": 512}, "512 bytes of memory"),
        ({"memory": 9 * GIB}, "9216 MiB of memory together, and this server has 8192 MiB left"),
        ({"cpus": 0}, "has 0 CPUs"),
        ({"hardware": Hardware(machine="pc-q35-99.0")}, "has no machine type pc-q35-99.0.*it has pc-q35-6.2"),
        ({"hardware": Hardware(disk_bus="ide")}, "has no IDE"),
        ({"medium": replace(MEDIUM, bus="ide")}, "has no IDE"),
        ({"hardware": Hardware(nic_model="e1001")}, "has no NIC of model 'e1001'; set nic_model to e1000"),
        ({"hardware": Hardware(nic_model="")}, "has no NIC of model ''; set nic_model to virtio or e1000"),
        ({"hardware": Hardware(cpu_model="Nehalam")}, "knows no CPU Nehalam, which node r1 is to have; it knows Nehalem"),
        ({"hold": "exit"}, "a virtual machine does not"),
        ({"nics": tuple(Nic(f"02:00:00:00:00:{n:02x}") for n in range(250))}, "250 NICs"),
    ],
)
def test_what_the_server_cannot_do_is_refused_before_anything_is_done(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(LabError, match=said):
        decide(machine(**fields), empty(cpu_models=frozenset({"Nehalem"})))


def test_hardware_that_is_known_is_taken() -> None:
    for model in ("virtio", "e1000e", "vmxnet3", "vmxnet"):
        assert decide(machine(hardware=Hardware(nic_model=model, cpu_model="Nehalem")), empty(cpu_models=frozenset({"Nehalem"}))).busy
    assert decide(machine(hardware=Hardware(cpu_model="Nehalam")), empty()).busy


def test_uefi_needs_its_code() -> None:
    want = machine(hardware=Hardware(efi="vars"))
    assert decide(want, empty()).nodes[0].spec.nvram.endswith("/nvram.fd")
    with pytest.raises(LabError, match=r"boots with UEFI.*ovmf"):
        decide(want, replace(empty(), host=replace(HOST, firmware={})))


def test_code_that_boots_what_is_signed_only_is_passed_over() -> None:
    firmware = {"/a/OVMF_CODE_4M.secboot.fd": "/a/S.fd", "/a/OVMF_CODE.fd": "/a/V.fd", "/a/OVMF_CODE_4M.fd": "/a/V4.fd"}
    spec = decide(machine(hardware=Hardware(efi="vars")), replace(empty(), host=replace(HOST, firmware=firmware))).nodes[0].spec
    assert (spec.efi, spec.nvram_template) == ("/a/OVMF_CODE_4M.fd", "/a/V4.fd")


def test_memory_is_counted_over_those_that_are_started() -> None:
    want = [machine(f"r{number}", memory=3 * GIB) for number in range(3)]
    with pytest.raises(LabError, match="r0, r1, r2 would be started with 9216 MiB"):
        plan(want, empty(), lab=LAB)
    assert plan(want, there(want[0]), lab=LAB).busy
    assert plan(want, empty(), lab=LAB, state="present").busy


def test_memory_of_machines_that_go_can_be_had() -> None:
    old = machine("old", memory=4 * GIB)
    have = replace(there(old), memory=2 * GIB)
    assert plan([machine(memory=4 * GIB)], have, lab=LAB, prune=True).drops == ["demo-old"]


def test_a_console_on_a_tcp_port_of_somebody_else_is_refused() -> None:
    want = machine(hardware=Hardware(serial_type="tcp"), serial_ports=(4001,))
    with pytest.raises(LabError, match=r"TCP port 4001 of 127.0.0.1, for a serial console of node r1, is in use"):
        decide(want, empty(listeners=frozenset({4001})))
    assert told(decide(want, there(want, listeners=frozenset({4001})))) == []


def with_console(node: str, port: int) -> Vm:
    return machine(node, hardware=Hardware(serial_type="tcp"), serial_ports=(port,))


def test_a_console_gets_the_port_that_this_run_frees() -> None:
    have = there(with_console("r1", 4001), listeners=frozenset({4001}))
    assert plan([with_console("r2", 4001)], have, lab=LAB, prune=True).drops == ["demo-r1"]
    both = [with_console("r1", 4002), with_console("r2", 4001)]
    assert plan(both, have, lab=LAB, restart=["r1"]).nodes[0].off
    assert plan(both, have, lab=LAB, recreate=["r1"]).nodes[0].off


def test_a_console_does_not_get_the_port_of_a_machine_that_runs_on() -> None:
    have = there(with_console("r1", 4001), listeners=frozenset({4001}))
    for want in ([with_console("r2", 4001)], [with_console("r1", 4002), with_console("r2", 4001)]):
        with pytest.raises(
            LabError, match=r"port 4001 .* of node r2, is .*, by node r1 of the lab, .*; restart node r1 with -e lab_restart=r1,"
        ):
            plan(want, have, lab=LAB)


def test_all_that_is_wrong_is_told_at_once() -> None:
    refused = (LabError("image is not there"),)
    with pytest.raises(LabError) as caught:
        plan([machine(cpus=0), machine("r2", memory=1)], empty(refused=refused), lab=LAB)
    assert all(said in str(caught.value) for said in ("has 0 CPUs", "has 1 bytes of memory", "image is not there"))


def test_what_is_in_the_list_twice_is_refused() -> None:
    with pytest.raises(LabError, match=r"tap tap-r1 is in vms\[0\] and in vms\[1\]"):
        plan([machine(), machine("r2", nics=machine().nics)], empty(), lab=LAB)


# -- what it is to be -----------------------------------------------------------------------------------------------


def test_a_userspace_bridge_is_given_whole_frames_and_what_leads_nowhere_is_not_compared() -> None:
    nics = decide(machine(), replace(empty(), offloads=False)).nodes[0].spec.nics
    assert [(nic.tap, nic.offloads) for nic in nics] == [("", True), ("tap-r1", False)]
    intel = machine(hardware=Hardware(nic_model="e1000"))
    assert [nic.offloads for nic in decide(intel, replace(empty(), offloads=False)).nodes[0].spec.nics] == [True, True]


def test_queues_are_for_virtio_that_leads_somewhere() -> None:
    want = machine(hardware=Hardware(nic_queues=4))
    assert [nic.queues for nic in decide(want, empty()).nodes[0].spec.nics] == [1, 4]


def test_the_same_machine_is_the_same_domain() -> None:
    spec = decide(machine(), empty()).nodes[0].spec
    assert spec == decide(machine(), empty()).nodes[0].spec
    assert spec.uuid == uuid_of(LAB, "r1") != uuid_of("other", "r1")
    assert spec.machine == "pc-q35-6.2"
    assert decide(machine(hardware=Hardware(machine="pc")), empty()).nodes[0].spec.machine == "pc-i440fx-7.2"
    assert spec.log == f"{_vm_disks.folder_of(LAB, 'demo-r1')}/console.log"
    assert spec.virt == "qemu"
    assert decide(machine(), replace(empty(), host=replace(HOST, kvm=True))).nodes[0].spec.virt == "kvm"


def test_waves_are_told_that_wait_for_later_calls() -> None:
    found = plan([machine(), machine("r2", wave=1)], empty(), lab=LAB)
    assert (found.waves(), found.waiting(0), found.waiting(None)) == ([0, 1], ["r2"], [])


def test_who_is_waited_for_is_open_until_it_is_ready() -> None:
    want = machine(hold="healthy")
    assert decide(want, there(want)).nodes[0].opens
    assert not decide(want, there(want, ready=frozenset({"r1"}))).busy


# -- copies, and disks that cannot be read --------------------------------------------------------------------------


def test_a_copy_of_a_machines_folder_is_kept_and_told() -> None:
    names = ("demo-r1", "demo-r1.bak", "demo-gone")
    error = ForeignError("/vms/demo/demo-r1.bak is left, as it is a copy", objects=("demo-r1.bak",))
    have = there(machine(), folders=frozenset(names), copies={"demo-r1.bak": error})
    found = decide(machine(), have, prune=True)
    assert told(found) == [("delete", "disk", "demo-gone")]
    assert found.kept == {"demo-r1.bak": error}
    assert decide(machine(), have).kept == {}
    ended = plan([], have, lab=LAB, state="absent", prune=True)
    assert (ended.drops, ended.folders, ended.kept) == (["demo-r1"], ["demo-gone", "demo-r1"], {"demo-r1.bak": error})


def test_what_is_in_the_folder_of_a_domain_goes_with_it() -> None:
    """Its record may be spoilt."""
    have = there(machine(), copies={"demo-r1": ForeignError("nobody knows whose it is", objects=("demo-r1",))})
    found = decide(machine(), have, state="absent")
    assert (found.drops, found.folders, found.kept) == (["demo-r1"], ["demo-r1"], {})


@pytest.mark.parametrize("defined", [True, False])
def test_a_disk_that_cannot_be_read_stops_the_run_unless_it_is_made_anew(defined: bool) -> None:
    error = LabError("it is damaged", objects=("demo-r1",))
    have = there(machine(), status="shutoff", overlays={}, damaged={"demo-r1": error})
    have = have if defined else replace(have, domains={}, marks={}, specs={})
    with pytest.raises(LabError, match="it is damaged"):
        decide(machine(), have)
    with pytest.raises(LabError, match="it is damaged"):
        decide(machine(), have, recreate=["r2"])
    found = decide(machine(), have, recreate=["r1"])
    assert told(found) == [("recreate", "disk", "disk.qcow2"), ("recreate" if defined else "create", "vm", "demo-r1")]
    assert found.changes[-1].reason == "it was asked for"


# -- machines that are left alone -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo-r1", "r1"])
def test_a_spared_machine_is_neither_made_nor_mended_and_others_are(name: str) -> None:
    want = [machine(), machine("r2")]
    assert told(plan(want, empty(), lab=LAB).sparing({name})) == told(plan(want[1:], empty(), lab=LAB))
    have = there(machine(), machine("r2"), status="shutoff")
    found = plan(want, have, lab=LAB, recreate=["r1"]).sparing({name})
    assert told(found) == [("start", "vm", "demo-r2")]
    assert [(one.want.node, one.run, one.idle) for one in found.nodes] == [
        ("r1", False, "is left alone, and does not run"),
        ("r2", True, ""),
    ]
    assert found.waiting(-1) == ["r2"]


@pytest.mark.parametrize("name", ["demo-r1", "r1"])
def test_a_spared_machine_that_is_not_declared_stays_with_its_folder(name: str) -> None:
    found = plan([], there(machine(), machine("r2")), lab=LAB, prune=True).sparing({name})
    assert (found.drops, found.folders) == (["demo-r2"], ["demo-r2"])
    assert [change.name for change in found.changes] == ["demo-r2", _vm_disks.folder_of(LAB, "demo-r2")]


def test_the_folder_that_a_spared_machine_uses_stays_with_it() -> None:
    """Its disk may have been made on that of another machine of the lab."""
    have = there(machine(), machine("r2"), used={"demo-r1": frozenset({"demo-r2"})})
    assert plan([], have, lab=LAB, prune=True).folders == ["demo-r1", "demo-r2"]
    found = plan([], have, lab=LAB, prune=True).sparing({"r1"})
    assert (found.drops, found.folders, list(found.kept)) == (["demo-r2"], [], ["demo-r2"])


def test_what_is_wrong_with_a_spared_machine_stops_nothing() -> None:
    small, other = machine(memory=1, image="/images/none.qcow2"), machine("r2")
    have = replace(empty(), refused=(LabError("no image", objects=("/images/none.qcow2",)), LabError("no pool", objects=("demo-r1",))))
    with pytest.raises(LabError, match="no image"):
        plan([small, other], have, lab=LAB)
    assert told(plan([small, other], have, lab=LAB, spared={"r1"})) == told(plan([other], empty(), lab=LAB))
    refused = replace(have, refused=(LabError("it is not readable", objects=(IMAGE,)),))
    with pytest.raises(LabError, match="it is not readable"):
        plan([small, other], refused, lab=LAB, spared={"r1"})


def test_the_memory_of_a_spared_machine_is_nobodys() -> None:
    want = [machine(memory=7 * GIB), machine("r2", memory=7 * GIB)]
    with pytest.raises(LabError, match="would be started with"):
        plan(want, empty(), lab=LAB)
    assert plan(want, empty(), lab=LAB, spared={"r1"}).nodes[1].starts


@pytest.mark.parametrize(("ready", "idle"), [(set(), "is left alone, and is not ready"), ({"r1"}, "")])
def test_a_spared_machine_that_is_waited_for_counts_when_it_is_ready(ready: set[str], idle: str) -> None:
    have = there(machine(hold="healthy"), ready=frozenset(ready))
    (one,) = plan([machine(hold="healthy")], have, lab=LAB).sparing({"r1"}).nodes
    assert (one.idle, one.opens, one.works) == (idle, False, False)


def test_names_of_other_things_spare_no_machine() -> None:
    found = decide(machine(), empty())
    assert told(found.sparing({"tap-r1", "r1:eth1--r2:eth1"})) == told(found)
    assert found.sparing(()) is found


def test_a_machine_of_another_lab_is_no_machine_that_is_spared() -> None:
    """Its node may have the same name."""
    have = there(machine(), machine("r2"))
    marks = {**have.marks, "demo-r2": replace(have.marks["demo-r2"], lab="other", node="r1")}
    found = plan([], replace(have, marks=marks), lab=LAB, prune=True).sparing({"r1"})
    assert found.drops == []
