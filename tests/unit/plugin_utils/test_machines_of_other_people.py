# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other people's topologies with packed machines are planned with disk images in their place, by C(images) of the lab file alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import find_kind, kind_files
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import servers
from ansible_collections.archetype.lab.tests.unit.plugin_utils.test_other_peoples_topologies import FILES, SHARED, needs_shared

MACHINES = sorted({path.stem for path in kind_files().values() if find_kind(path.stem).provider == "vm"})
FROM_A_DISK = [name for name in MACHINES if not find_kind(name).packed_only]


def _written(folder: Path, topology: str, images: dict[str, str]) -> str:
    path = folder / "other.lab.yml"
    path.write_text(yaml.safe_dump({"plugin": "archetype.lab.topology", "topology": topology, "images": images}))
    return str(path)


def _packed(topology):
    return {node.reference for node in topology.nodes.values() if node.profile.provider == "vm" and not node.profile.packed_only}


@needs_shared
@pytest.mark.parametrize("file", FILES)
def test_packed_machines_are_planned_from_disks(file, tmp_path):
    source = str(SHARED / file)
    packed = _packed(load_topology(source, {}))
    images = {reference: f"disk{number}.qcow2" for number, reference in enumerate(sorted(packed))}
    lab = load_lab_file(_written(tmp_path, source, images), {})
    lab = replace(lab, lock_file="", topology=replace(lab.topology, missing=()))
    machines = {name for name, node in lab.topology.nodes.items() if node.native}
    assert machines == {name for name, node in lab.topology.nodes.items() if node.reference in packed}
    plan = make_plan(lab, servers(3), {})
    assert {one["node"] for slice_ in plan["slices"].values() for one in slice_["vms"]} == machines
    assert json.dumps(plan) == json.dumps(make_plan(lab, servers(3), {}))
    for name in machines:
        declared = Declared.from_params(plan["slices"][plan["placement"][name]])
        (vm,) = (one for one in declared.vms if one.node == name)
        taps = {one.name for one in declared.ports if one.node == name}
        assert taps == {nic.tap for nic in vm.nics if nic.tap}
        assert all(one.device == "tap" for one in declared.ports if one.node == name)
        assert len({nic.mac for nic in vm.nics}) == len(vm.nics)


def test_there_are_topologies_with_packed_machines():
    assert not FILES or sum(bool(_packed(load_topology(str(SHARED / file), {}))) for file in FILES) >= 3


@pytest.mark.parametrize("kind", MACHINES)
def test_every_kind_of_machines_is_planned_from_a_disk_or_says_why_not(kind, tmp_path):
    first = find_kind(kind).interfaces.first
    (tmp_path / "t.clab.yml").write_text(f"""name: t
topology:
  nodes:
    r1: {{kind: {kind}, image: "disk.qcow2@sha256:{"0f" * 32}"}}
    r2: {{kind: {kind}, image: disk.qcow2}}
  links:
    - endpoints: ["r1:eth{first}", "r2:eth{first + 1}"]
""")
    path = _written(tmp_path, "t.clab.yml", {})
    if kind not in FROM_A_DISK:
        with pytest.raises(Exception, match="is the disk of a virtual machine, and kind"):
            load_lab_file(path, {})
        return
    plan = make_plan(load_lab_file(path, {}), servers(1), {})
    one, other = Declared.from_params(plan["slices"]["srv1"]).vms
    assert (one.sha256, other.sha256, one.image, one.kind) == ("0f" * 32, "", "/var/lib/libvirt/images/disk.qcow2", kind)
    reserved = find_kind(kind).interfaces.reserved
    assert [nic.role for nic in other.nics] == ["management", *["reserved"] * reserved, "data", "data"]
    assert [bool(nic.tap) for nic in one.nics] == [True, *[False] * reserved, True]
    assert [bool(nic.tap) for nic in other.nics] == [True, *[False] * reserved, False, True]
    assert one.memory >= 2**27
    assert len(one.serial_ports) == (one.hardware.serial_count if one.hardware.serial_type == "tcp" else 0)
