# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind that can be a machine from a disk, on the way that it takes in a lab: file, plan, values, XML, libvirtd, QEMU."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _vm_xml
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Host
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms, spec_of
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import DomainSpec, as_built, differences
from ansible_collections.archetype.lab.plugins.plugin_utils import _kinds
from ansible_collections.archetype.lab.plugins.plugin_utils._catalog import Catalog
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan
from tests.integration import domains
from tests.testbed.testbed import Server, Testbed

LAB = "vx"
CATALOG = Catalog()
KINDS = [
    path.stem
    for path in sorted(set(_kinds.kind_files().values()))
    if not _kinds.why_not_native(CATALOG.resolve(_kinds.find_kind(path.stem), "x.qcow2"))  # type: ignore[arg-type]
]
NODES = {kind: f"n{number}" for number, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Machine:
    vm: Vm
    spec: DomainSpec
    inactive: str


def plan(folder: Path) -> dict[str, Any]:
    """A ring of all kinds: each has two links, and a configuration."""
    (folder / "start.cfg").write_text("hostname x\n")
    nodes = {node: {"kind": kind, "image": "x.qcow2", "startup-config": "start.cfg"} for kind, node in NODES.items()}
    names = list(nodes)
    links = [{"endpoints": [f"{one}:eth1", f"{other}:eth2"]} for one, other in zip(names, names[1:] + names[:1], strict=True)]
    (folder / "t.clab.yml").write_text(json.dumps({"name": LAB, "topology": {"nodes": nodes, "links": links}}))
    path = folder / "t.lab.yml"
    path.write_text("plugin: archetype.lab.topology\ntopology: t.clab.yml\n")
    return make_plan(load_lab_file(str(path), {}), {"srv1": ServerFacts("198.18.0.1")}, {})


@pytest.fixture(scope="module")
def server(testbed: Testbed) -> Server:
    return testbed.servers[0]


@pytest.fixture(scope="module")
def defined(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Machine]:
    """Kind -> its machine, as it was asked for and as libvirtd has it."""
    declared = Declared.from_params(plan(tmp_path_factory.mktemp("kinds"))["slices"]["srv1"])
    host = Host("9.0.0", "7.2.0", kvm=False, machines=domains.machines(server), firmware={domains.FIRMWARE: domains.TEMPLATE})
    specs = {vm.kind: spec_of(LAB, vm, HaveVms(), host) for vm in declared.vms}
    answers = domains.define(server, {kind: _vm_xml.build(spec) for kind, spec in specs.items()})
    vms = {vm.kind: vm for vm in declared.vms}
    refused = {kind: one["error"] for kind, one in answers.items() if "error" in one}
    assert refused == {}
    return {kind: Machine(vms[kind], specs[kind], answers[kind]["inactive"]) for kind in specs}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_defined_and_reads_back_as_it_was_asked_for(defined: dict[str, Machine], kind: str) -> None:
    machine = defined[kind]
    found = _vm_xml.read(machine.inactive)
    assert found is not None
    assert differences(found, machine.spec) == {}
    assert found == as_built(machine.spec)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_medium_its_disks_and_its_nics_in_order(defined: dict[str, Machine], kind: str) -> None:
    profile, machine = CATALOG.resolve(_kinds.find_kind(kind), "x.qcow2"), defined[kind]  # type: ignore[arg-type]
    roles = [disk.role for disk in machine.spec.disks]
    data = profile.hardware.get("data_disks") or []
    assert roles == ["system"] + ["data"] * len(data) + ["config"] * bool(profile.startup_config.medium)
    assert [nic.role for nic in machine.vm.nics] == ["management"] + ["reserved"] * profile.interfaces.reserved + ["data"] * 2
    assert [bool(nic.tap) for nic in machine.spec.nics] == [True, *[False] * profile.interfaces.reserved, True, True]
    macs = [nic.mac for nic in machine.spec.nics]
    assert domains.as_guests_count(machine.inactive) == {"across": macs, "down": macs}


def test_nic_3_of_an_xrv9000_is_its_first_data_port(defined: dict[str, Machine]) -> None:
    machine = defined["cisco_xrv9k"]
    (first,) = [nic for nic in machine.vm.nics if nic.interface == "eth1"]
    for order in domains.as_guests_count(machine.inactive).values():
        assert order.index(first.mac) == 3


def test_no_machine_has_ide_on_a_q35_as_qemu_refuses_it(server: Server, defined: dict[str, Machine]) -> None:
    """Nothing builds it; where somebody writes it by hand, libvirt says what our message says."""
    spec = defined["cisco_vios"].spec
    with pytest.raises(LabError, match=r"machine pc-q35-6\.2 has no IDE"):
        _vm_xml.build(replace(spec, machine="pc-q35-6.2"))
    by_hand = _vm_xml.build(spec).replace('machine="pc-i440fx-6.2"', 'machine="pc-q35-6.2"')
    assert "IDE controllers are unsupported" in domains.define(server, {"x": by_hand})["x"]["error"]
    on_q35 = {kind for kind, one in defined.items() if "q35" in one.spec.machine}
    assert {"cisco_csr1000v", "cisco_c8000v"} <= on_q35
    assert {disk.bus for kind in on_q35 for disk in defined[kind].spec.disks} == {"virtio", "sata", "usb"}


# -- QEMU itself ------------------------------------------------------------------------------------------------------


def shape(machine: Machine) -> set[tuple[Any, ...]]:
    """What of a machine is another command line of QEMU, and not only another number in it."""
    hardware = machine.vm.hardware
    ours = {(key, getattr(hardware, key)) for key in ("serial_type", "serial_count", "graphics", "nested", "cpu_flags_off")}
    ours |= {("sockets", bool(hardware.sockets)), *(("smbios", key) for key in hardware.smbios)}
    with_machine = [("efi", hardware.efi), ("nic", hardware.nic_model), *((one.role, one.bus, one.cdrom) for one in machine.spec.disks)]
    return ours | {(hardware.machine, *one) for one in with_machine}


def of_every_shape(machines: dict[str, Machine]) -> list[str]:
    """Few kinds that have all there is among them."""
    missing = set().union(*(shape(one) for one in machines.values()))
    found: list[str] = []
    while missing:
        found.append(max(sorted(machines), key=lambda kind: len(missing & shape(machines[kind]))))
        missing -= shape(machines[found[-1]])
    return found


@pytest.fixture
def on_disk(server: Server, defined: dict[str, Machine]) -> Iterator[dict[str, DomainSpec]]:
    """Machines of every shape, with little memory, and with disks, media and taps that are there."""
    specs = {kind: _small(defined[kind].spec) for kind in of_every_shape(defined)}
    taps = sorted({nic.tap for spec in specs.values() for nic in spec.nics if nic.tap})
    files = [f"qemu-img create -q -f qcow2 {domains.FOLDER}/{name}.qcow2 64M" for name in ("disk", "data1")]
    server.run(["sh", "-ec", "; ".join([f"mkdir -p {domains.FOLDER}", *files, f"truncate -s 1M {domains.FOLDER}/config"])], check=True)
    server.run(["sh", "-ec", "; ".join(f"ip tuntap add dev {tap} mode tap vnet_hdr" for tap in taps)], check=True)
    yield specs
    server.run(["sh", "-c", "; ".join(f"ip link delete {tap}" for tap in taps) + f"; rm -rf {domains.FOLDER}"], check=True)


def _small(spec: DomainSpec) -> DomainSpec:
    names = {"system": "disk.qcow2", "data": "data1.qcow2", "config": "config"}
    return replace(
        spec,
        memory=64 * 2**20,
        log=f"{domains.FOLDER}/console.log",
        disks=tuple(replace(disk, path=f"{domains.FOLDER}/{names[disk.role]}") for disk in spec.disks),
        nvram=spec.nvram and f"{domains.FOLDER}/nvram.fd",
    )


def test_qemu_takes_the_machine_of_every_shape(server: Server, on_disk: dict[str, DomainSpec]) -> None:
    """What libvirt wrote of it is what was asked for, too, and each NIC has its own tap or none."""
    assert {"cisco_xrv9k", "cisco_n9kv", "juniper_vjunosevolved"} <= set(on_disk), "each has what no other kind has"
    started = domains.start(server, {kind: (_vm_xml.build(spec), spec.log) for kind, spec in on_disk.items()})
    assert {kind: one["error"] for kind, one in started.items() if "error" in one} == {}
    for kind, spec in on_disk.items():
        found = _vm_xml.read(started[kind]["live"])
        assert found is not None
        assert differences(found, spec) == {}
        macs = [nic.mac for nic in spec.nics]
        assert domains.as_guests_count(started[kind]["live"]) == {"across": macs, "down": macs}
        assert started[kind]["qemu"].count("type=tap") == 3
