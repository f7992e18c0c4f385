# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain as values, as XML, and back. What libvirt and QEMU say to it is in tests/integration/test_vm_definitions.py."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _vm_xml
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import (
    MARKS,
    DiskSpec,
    DomainSpec,
    Mark,
    NicSpec,
    as_built,
    differences,
    faults,
)

SPEC = DomainSpec(
    name="clab-t-r1",
    uuid="6f1b1b2c-0000-5000-8000-000000000001",
    mark=Mark("t", "r1", "cisco_xrv9k", "/img/x.qcow2", "ab" * 32),
    virt="qemu",
    machine="pc-i440fx-7.2",
    memory=512 * 2**20,
    cpus=4,
    log="/v/console.log",
    cpu_flags_off=("smep", "umip"),
    sockets=1,
    nested=True,
    efi="/fw/code.fd",
    nvram="/v/nvram.fd",
    nvram_template="/fw/vars.fd",
    smbios={"product": "A & <B>", "serial": "x=1,y", "bios_vendor": "Bochs"},
    disks=(
        DiskSpec("/v/disk.qcow2", "system", "virtio"),
        DiskSpec("/v/data1.qcow2", "data", "scsi"),
        DiskSpec("/v/config.iso", "config", "ide", "raw", cdrom=True, read_only=True),
    ),
    nics=(NicSpec("02:00:00:00:00:01", "t1"), NicSpec("02:00:00:00:00:02"), NicSpec("02:00:00:00:00:03", "t2", queues=4, offloads=False)),
    serial_count=2,
    serial_ports=(5001, 5002),
    graphics="vnc",
)
ISO = SPEC.disks[2]


def root(spec: DomainSpec) -> ElementTree.Element:
    return ElementTree.fromstring(_vm_xml.build(spec))


def test_what_is_written_reads_back_as_it_was_and_is_the_same_text_each_time() -> None:
    assert _vm_xml.read(_vm_xml.build(SPEC)) == SPEC
    assert _vm_xml.build(SPEC) == _vm_xml.build(replace(SPEC, smbios=dict(reversed(list(SPEC.smbios.items())))))


def test_a_domain_without_the_mark_is_foreign() -> None:
    xml = _vm_xml.build(SPEC)
    assert _vm_xml.read(xml.replace("archetype-lab.example", "other.example")) is None
    assert _vm_xml.read("<domain type='kvm'><name>x</name></domain>") is None
    with pytest.raises(ReadError):
        _vm_xml.read("<domain")


def test_a_mark_alone_is_ours_whatever_else_was_taken_away() -> None:
    found = _vm_xml.read("<domain><metadata><a:domain xmlns:a='https://archetype-lab.example/xmlns/1' lab='t'/></metadata></domain>")
    assert found is not None
    assert (found.mark.lab, found.memory, found.nics) == ("t", 0, ())


def test_disks_are_written_through_and_the_system_s_is_the_only_one_to_boot_from() -> None:
    system, data, medium = root(SPEC).findall("devices/disk")
    driver = {"name": "qemu", "type": "qcow2", "cache": "none", "io": "native", "discard": "unmap"}
    assert [one.find("driver").attrib for one in (system, data)] == [driver, driver]  # type: ignore[union-attr]
    assert medium.find("driver").attrib == {"name": "qemu", "type": "raw"}  # type: ignore[union-attr]
    assert [one.find("boot") is not None for one in (system, data, medium)] == [True, False, False]
    assert [one.find("target").get("dev") for one in (system, data, medium)] == ["vda", "sda", "hdc"]  # type: ignore[union-attr]
    assert medium.find("readonly") is not None


def test_names_of_disks_on_one_bus_follow_their_order() -> None:
    disks = tuple(DiskSpec(f"/v/{place}", "data", bus) for place, bus in enumerate(("ide", "ide", "sata", "usb", "virtio", "ide")))
    names = [one.get("dev") for one in root(replace(SPEC, disks=(*disks, ISO))).iterfind("devices/disk/target")]
    assert names == ["hda", "hdb", "sda", "sdb", "vda", "hdd", "hdc"]
    assert len(set(names)) == len(names)


def test_usb_is_there_for_a_medium_only() -> None:
    def usb(spec: DomainSpec) -> list[str | None]:
        return [one.get("model") for one in root(spec).findall("devices/controller[@type='usb']")]

    assert usb(SPEC) == ["none"]
    stick = replace(SPEC, disks=(*SPEC.disks[:1], DiskSpec("/v/c.img", "config", "usb", "raw", read_only=True)))
    assert usb(stick) == ["qemu-xhci"]
    assert root(stick).find("devices/disk/target[@removable='on']") is not None


def test_a_nic_that_leads_nowhere_keeps_its_place_and_has_no_link() -> None:
    first, second, third = root(SPEC).findall("devices/interface")
    assert [one.get("type") for one in (first, second, third)] == ["ethernet", "udp", "ethernet"]
    assert first.find("target").attrib == {"dev": "t1", "managed": "no"}  # type: ignore[union-attr]
    assert second.find("link").attrib == {"state": "down"}  # type: ignore[union-attr]
    assert third.find("driver").attrib == {"queues": "4"}  # type: ignore[union-attr]
    assert {*third.find("driver/host").attrib.values(), *third.find("driver/guest").attrib.values()} == {"off"}  # type: ignore[union-attr]


@pytest.mark.parametrize(("asked", "built"), [("vmxnet3", "virtio"), ("vmxnet2", "e1000"), ("vmxnet", "e1000"), ("e1000", "e1000")])
def test_nic_models_of_other_hypervisors_are_substituted_and_are_no_difference(asked: str, built: str) -> None:
    spec = replace(SPEC, nics=(NicSpec("02:00:00:00:00:0A", "t1", asked),))
    found = _vm_xml.read(_vm_xml.build(spec))
    assert found is not None
    assert found.nics[0].model == built
    assert differences(found, spec) == {}


def test_processors() -> None:
    def cpu(**values: object) -> dict[str, str]:
        return root(replace(SPEC, **values)).find("cpu").attrib  # type: ignore[union-attr,arg-type]

    assert cpu()["mode"] == "maximum"
    assert cpu(virt="kvm") == {"mode": "host-passthrough", "check": "none", "migratable": "off"}
    assert cpu(cpu_model="Nehalem")["mode"] == "custom"
    assert root(SPEC).find("cpu/topology").attrib == {"sockets": "1", "dies": "1", "cores": "4", "threads": "1"}  # type: ignore[union-attr]
    assert root(replace(SPEC, sockets=0)).find("cpu/topology") is None


def test_what_qemu_made_of_a_cpu_is_not_taken_for_what_was_asked_for() -> None:
    """Of one with a model that runs, libvirt tells all features that were had or not (seen with libvirt 9 and QEMU 7.2)."""
    spec = replace(SPEC, cpu_model="Nehalem")
    live = _vm_xml.build(spec).replace('check="none"', 'check="full"')
    live = live.replace("</cpu>", '<feature policy="disable" name="vme"/></cpu>').replace(
        'policy="optional" name="vmx"', 'policy="disable" name="vmx"'
    )
    assert _vm_xml.read(live) == spec
    assert _vm_xml.read(live.replace("-smep -umip nested", "-smep")) == replace(spec, cpu_flags_off=("smep",), nested=False)


def test_firmware() -> None:
    kept, stateless, bios = SPEC, replace(SPEC, nvram="", nvram_template=""), replace(SPEC, efi="", nvram="", nvram_template="")
    assert root(kept).find("os/nvram").attrib == {"template": "/fw/vars.fd"}  # type: ignore[union-attr]
    assert root(stateless).find("os/loader").attrib == {"readonly": "yes", "type": "pflash", "stateless": "yes"}  # type: ignore[union-attr]
    assert root(stateless).find("os/nvram") is None
    assert root(bios).find("os/loader") is None
    assert [root(one).find("features/smm") is not None for one in (kept, stateless, bios)] == [True, True, False]
    for spec in (stateless, bios):
        assert _vm_xml.read(_vm_xml.build(spec)) == spec


def test_consoles_are_logged_afresh_at_every_start() -> None:
    serials = root(SPEC).findall("devices/serial")
    assert [one.find("log").attrib for one in serials] == [  # type: ignore[union-attr]
        {"file": "/v/console.log", "append": "off"},
        {"file": "/v/console1.log", "append": "off"},
    ]
    assert [one.find("source").attrib for one in serials] == [  # type: ignore[union-attr]
        {"mode": "bind", "host": "127.0.0.1", "service": str(port)} for port in (5001, 5002)
    ]
    assert {one.get("type") for one in root(replace(SPEC, serial_ports=())).findall("devices/serial")} == {"pty"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"machine": "pc-q35-6.2"}, "machine pc-q35-6.2 has no IDE"),
        ({"disks": (ISO,) * 5}, "5 disks and CD-ROMs are on IDE, which has 4"),
        ({"disks": (replace(ISO, bus="virtio"),)}, "a CD-ROM cannot be on virtio"),
        ({"disks": (DiskSpec("/v/c.img", "config", "sata", "raw", read_only=True),)}, "a disk on sata cannot be read only"),
        ({"sockets": 3}, "4 CPUs do not fit evenly on 3 sockets"),
        ({"nics": (NicSpec("02:00:00:00:00:01", "t", "e1000", queues=2),)}, "NIC 0 has 2 queues, and its model e1000 has one"),
        ({"serial_count": 5, "serial_ports": ()}, "5 serial ports are wanted"),
        ({"serial_ports": (1,)}, "2 serial ports have 1 TCP ports"),
        ({"smbios": {"chassis_colour": "x"}}, "SMBIOS has no chassis_colour"),
        ({"smbios": {"serial": "abc "}}, "SMBIOS serial is 'abc '"),
        ({"smbios": {"serial": "\x01"}}, r"SMBIOS serial is '\\x01'"),
        ({"smbios": {"serial": ""}}, "SMBIOS serial is ''"),
        ({"smbios": {"serial": "a\nb"}}, "SMBIOS serial is"),
        ({"mark": replace(SPEC.mark, kind="a\x01b")}, r"'a\\x01b' has control characters"),
        ({"mark": replace(SPEC.mark, image="/i\n.qcow2")}, "has control characters"),
        ({"disks": (replace(SPEC.disks[0], path="/v/\ud800"),)}, "has control characters"),
        ({"cpu_flags_off": ("\x7f",)}, "has control characters"),
        ({"nics": (NicSpec("02:00:00:00:00:01", "t", "e1001"),)}, "no NIC of model 'e1001'"),
    ],
)
def test_what_qemu_could_not_have_is_never_built(changes: dict[str, object], told: str) -> None:
    spec = replace(SPEC, **changes)  # type: ignore[arg-type]
    with pytest.raises(LabError, match=told) as raised:
        _vm_xml.build(spec)
    assert raised.value.hint
    assert raised.value.objects == (SPEC.name,)


def test_all_that_qemu_could_not_have_is_told_at_once() -> None:
    with pytest.raises(Errors) as raised:
        _vm_xml.build(replace(SPEC, machine="pc-q35-6.2", sockets=3))
    assert len(raised.value.errors) == 2
    assert faults(SPEC) == []
    assert faults(replace(SPEC, smbios={"serial": 'é 7, "a" <b>'}, mark=replace(SPEC.mark, image="/bilder/größe\xa0ü 1.qcow2"))) == []


def test_differences_have_names_that_people_read() -> None:
    want = replace(
        SPEC,
        mark=replace(SPEC.mark, image="/img/y.qcow2", backing="cd" * 32),
        memory=1024 * 2**20,
        machine="pc-q35-6.2",
        disks=(SPEC.disks[0], replace(SPEC.disks[1], bus="virtio"), replace(ISO, path="/v/other.iso")),
        nics=(*SPEC.nics[:2], replace(SPEC.nics[2], model="e1000"), NicSpec("02:00:00:00:00:09")),
    )
    assert differences(SPEC, want) == {
        "image": ("/img/x.qcow2", "/img/y.qcow2"),
        "backing image": ("ab" * 32, "cd" * 32),
        "machine": ("pc-i440fx-7.2", "pc-q35-6.2"),
        "memory": (512 * 2**20, 1024 * 2**20),
        "data disk 1 bus": ("scsi", "virtio"),
        "config medium": ("/v/config.iso", "/v/other.iso"),
        "nics": (3, 4),
        "nic 2 model": ("virtio", "e1000"),
    }
    assert set(differences(SPEC, replace(SPEC, mark=Mark("u", "r2")))) == MARKS


def test_a_medium_that_comes_or_goes_is_a_difference_and_an_uneven_amount_of_memory_is_none() -> None:
    assert differences(SPEC, replace(SPEC, disks=SPEC.disks[:2])) == {"config medium": ("/v/config.iso", None)}
    assert differences(SPEC, replace(SPEC, memory=SPEC.memory - 1)) == {}
    assert as_built(replace(SPEC, memory=1)).memory == 2**20


def test_what_somebody_else_gave_the_machine_is_a_difference() -> None:
    xml = _vm_xml.build(SPEC).replace('<interface type="udp">', '<interface type="network">')
    changed = _vm_xml.read(xml.replace("ua-disk1-data", "virtio-disk1"))
    assert changed is not None
    found = differences(changed, SPEC)
    assert found["nic 1 tap"] == ("(network)", "")
    assert found["data disk 1"] == (None, "/v/data1.qcow2")
