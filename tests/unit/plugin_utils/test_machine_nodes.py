# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a topology says of a virtual machine: its image, its size, and keys that are of containers."""

from __future__ import annotations

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._node_machine import UNUSED
from ansible_collections.archetype.lab.tests.unit.plugin_utils.machines import HEAD, IMAGES, Lab, one_node

GENERIC = "kind: generic_vm, image: vm.qcow2"
DIGEST = "0123456789abcdef" * 4


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def image_of(lab, image, head=HEAD):
    node = lab.load(one_node(f"kind: generic_vm, image: '{image}'"), head).topology.nodes["vm"]
    return node.image, node.sha256, node.native


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("vm.qcow2", f"{IMAGES}/vm.qcow2"),
        ("VM 1.QCOW2", f"{IMAGES}/VM 1.QCOW2"),
        ("/srv/images//a/../vm.img", "/srv/images/vm.img"),
        ("//srv/vm.raw", "/srv/vm.raw"),
    ],
)
def test_an_image_is_a_path_on_the_servers(lab, written, path):
    assert image_of(lab, written) == (path, "", True)
    assert image_of(lab, f"{written}@sha256:{DIGEST.upper()}") == (path, DIGEST, True)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("~/vm.qcow2", f"is in a home folder, where QEMU may not read. Put it into {IMAGES} of the servers, and write its name alone"),
        (
            "images/vm.qcow2",
            (
                f"is a relative path, but disk images are on the servers. Put it into {IMAGES} of the servers and write its name alone, or"
                " write its absolute path there"
            ),
        ),
        (
            "vm.qcow2@sha256:12",
            "has no SHA-256 behind @sha256:. Write the 64 hexadecimal digits that sha256sum prints, or take it out",
        ),
    ],
)
def test_an_image_that_cannot_be(lab, written, message):
    assert lab.errors(one_node(f"kind: generic_vm, image: {written}")) == [
        f't.clab.yml:4:35: node vm: the disk image "{written}" {message}'
    ]


def test_an_image_is_replaced_whichever_sort_it_is(lab):
    replaced = HEAD + f"images: {{'vrnetlab/xr:7': '/srv/xr.qcow2@sha256:{DIGEST}', xr.qcow2: 'vrnetlab/xr:8'}}\n"
    assert image_of(lab, "vrnetlab/xr:7", replaced) == ("/srv/xr.qcow2", DIGEST, True)
    assert image_of(lab, "xr.qcow2", replaced) == ("vrnetlab/xr:8", "", False)
    notes = lab.load(one_node("kind: generic_vm, image: 'vrnetlab/xr:7'"), replaced).topology.notes
    assert notes == ('images: no node has the image "xr.qcow2".',)


def test_a_kind_of_containers_may_run_from_a_disk_too(lab):
    node = lab.load(one_node("kind: linux, image: debian.qcow2")).topology.nodes["vm"]
    assert (node.native, node.kind, node.profile.provider, node.profile.startup_config.medium) == (True, "linux", "vm", "cloud-init")


def test_the_size_of_a_machine(lab):
    vm = lab.vm(one_node(GENERIC + ", memory: 3Gib, cpu: 1.5"))
    assert (vm["memory"], vm["cpus"]) == (3 * 2**30, 2)
    vm = lab.vm(one_node(GENERIC), HEAD + "kind_settings: {generic_vm: {memory: 5Gib, cpu: 7}}\n")
    assert (vm["memory"], vm["cpus"]) == (5 * 2**30, 7)


def test_a_machine_that_is_too_small_for_its_kind(lab):
    least = "kind_settings: {generic_vm: {hardware: {minimum_memory: 4Gib, minimum_cpu: 4}}}\n"
    assert lab.errors(one_node(GENERIC + ", memory: 3500Mib, cpu: 1.5"), HEAD + least) == [
        "t.clab.yml:4:53: node vm has 3500Mib of memory, and kind generic_vm does not start with less than 4Gib. Give it memory: 4Gib",
        "t.clab.yml:4:67: node vm has 2 CPUs, and kind generic_vm does not start with less than 4. Give it cpu: 4",
    ]
    assert [one.split(".")[0] for one in lab.errors(one_node(GENERIC), HEAD + least)] == ["t", "t"]
    assert lab.vm(one_node(GENERIC + ", memory: 4Gib, cpu: 4"), HEAD + least)


def test_what_is_of_containers_is_noted_once_and_left_out(lab):
    above = "  defaults: {exec: [ip a], binds: ['/x:/x']}\n"
    text = one_node(GENERIC + ", env: {A: b}, privileged: true", above).replace("h1: {", f"vm2: {{{GENERIC}}}\n    h1: {{")
    made = lab.load(text).topology
    assert made.notes == (
        "binds of vm, vm2 has no effect: a virtual machine has what is on its disk",
        "env of vm has no effect: a virtual machine has no environment; memory and cpu say how large it is",
        "exec of vm, vm2 has no effect: no command is run in a virtual machine; its startup-config can have what it does",
        "privileged of vm has no effect: it is of containers",
    )
    assert (made.nodes["vm"].exec, made.nodes["vm"].binds, made.nodes["h1"].exec) == ((), (), (("ip", "a"),))


VALUES = {
    "binds": "['/x:/x']", "cap-add": "[NET_ADMIN]", "cgroup-parent": "x", "cgroupns-mode": "host", "cmd": "x", "cpu-set": "'0'",
    "devices": "[/dev/x]", "dns": "{servers: [198.51.100.1]}", "enforce-startup-config": "true", "entrypoint": "x", "env": "{A: b}",
    "env-files": "[x.env]", "exec": "[x]", "healthcheck": "{test: [CMD, x]}", "license": "x.env", "pid-mode": "host", "privileged": "true",
    "runtime": "kata", "security-opts": "[x=y]", "shm-size": "1Mib", "stages (exec)": "", "sysctls": "{net.x: '1'}", "tmpfs": "{/x: ''}",
    "user": "x", "volumes": "[/x]",
}  # fmt: skip


@pytest.mark.parametrize("key", sorted(UNUSED))
def test_every_key_without_effect_is_noted(lab, key):
    (lab.folder / "x.env").write_text("A=b\n")
    given = f"{key}: {VALUES[key]}" if key != "stages (exec)" else "stages: {configure: {exec: [{command: x}]}}"
    assert lab.load(one_node(f"{GENERIC}, {given}")).topology.notes == (f"{key} of vm has no effect: {UNUSED[key]}",)


@pytest.mark.parametrize(
    "key", ["enforce-startup-config: false", "privileged: false", "runtime: docker", "link-apply-mode: restart", "env: {}"]
)
def test_what_says_nothing_is_not_noted(lab, key):
    assert lab.load(one_node(f"{GENERIC}, {key}")).topology.notes == ()


def test_a_startup_config_that_no_medium_brings_is_noted(lab):
    notes = lab.load(one_node('kind: openbsd, image: x.qcow2, startup-config: "a\\nb"')).topology.notes
    assert notes == ("node vm: startup-config has no effect with kind openbsd",)


@pytest.mark.parametrize("mode", ["host", "container:h1", "container:other"])
def test_a_machine_has_a_network_of_its_own(lab, mode):
    (error,) = lab.errors(one_node(f"{GENERIC}, network-mode: {mode}"))
    assert error == (
        f't.clab.yml:4:59: node vm: network-mode is "{mode}", but the node is a virtual machine, which has a network of its own. Write none'
        " for a node without management interface, or take it out"
    )


@pytest.mark.parametrize("key", ["network-mode", "pid-mode"])
def test_a_machine_shares_nothing(lab, key):
    text = one_node(GENERIC).replace("busybox:1}", f"busybox:1, {key}: 'container:vm'}}")
    what = "node h1 wants the network or the processes of node vm, a virtual machine, which shares neither"
    assert lab.errors(text) == [f"t.clab.yml:5:5: {what}. Give it a network of its own, and link the two"]


def test_link_apply_mode_is_the_nodes_or_its_kinds(lab):
    assert lab.vm(one_node(GENERIC + ", link-apply-mode: live"))["link_apply_mode"] == "live"
    assert "link_apply_mode" not in lab.vm(one_node(GENERIC))
