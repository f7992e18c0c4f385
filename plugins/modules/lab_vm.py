#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_vm
short_description: Run nodes that are virtual machines of libvirt
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Makes nodes that are virtual machines. Each is a domain of the server's libvirt, with a disk of its own over an image that all share
    and none writes, and where it is given one, with a medium that brings its configuration.
  - Images are looked at before anything is made. One that is not there, is cut off, is no qcow2 image, or has another SHA-256 than
    O(vms[].sha256) stops the run.
  - A machine that runs is left as it is. What differs is defined for its next start, and the fields are returned as C(needs_restart) until
    it was restarted, which O(restart) asks for.
  - Three things restart a machine by themselves - other NICs (unless O(vms[].link_apply_mode=live)), a tap that was made anew while it ran,
    and that it crashed.
  - The disk of a machine stays when the machine is stopped, defined anew, or undefined by somebody. It is made anew when O(recreate) asks
    for it, and when the image is another one; the diff says so before it is done. A machine that runs is powered off for that.
  - NICs lead to taps, which must be there when a machine is started; see M(archetype.lab.ovs_port_vlan). They outlive the machine.
  - A domain that has a wanted name and does not carry the mark of this lab is an error, and is not touched. A copy of a machine that
    somebody made (C(virt-clone)) has the mark, and another UUID; it is theirs. The folder of a machine stays as long as a copy uses it.
  - A machine that is paused is left, and is an error, as somebody wished it, or its disk is full. O(restart) starts it anew.
  - One process at a time changes machines; another one waits for it, for up to two minutes.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.layer
  - archetype.lab.layer.bridge
  - archetype.lab.machines
options:
  vms:
    description: The virtual machines.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the domain.
        type: str
        required: true
      node:
        description: Name of the node in the topology.
        type: str
        required: true
      image:
        description: Absolute path of the image on the server, in format qcow2. It is never written.
        type: path
        required: true
      kind:
        description: Kind of the node, written on its domain.
        type: str
        default: generic_vm
      sha256:
        description: What the SHA-256 of the image must be. Empty is any.
        type: str
        default: ""
      memory:
        description: Memory in bytes. There must be at least 16 MiB.
        type: int
        default: 0
      cpus:
        description: Number of CPUs.
        type: int
        default: 1
      hardware:
        description: The machine that the guest finds.
        type: dict
        suboptions:
          machine:
            description: Machine type, as QEMU calls it.
            type: str
            default: pc-q35-6.2
          cpu_model:
            description: Model of the CPUs. Empty is the server's own, or where machines are emulated, the most that can be.
            type: str
            default: ""
          cpu_flags_off:
            description: Features that the CPUs must not have.
            type: list
            elements: str
            default: []
          sockets:
            description: Number of sockets that the CPUs are on. V(0) is one for each.
            type: int
            default: 0
          nested:
            description: Whether the guest runs machines itself.
            type: bool
            default: false
          efi:
            description: Empty is BIOS. V(stateless) is UEFI that keeps no variables, V(vars) UEFI with a file of its own for them.
            type: str
            choices: ["", stateless, vars]
            default: ""
          smbios:
            description: What the guest reads of its system, C(manufacturer), C(product), C(serial) and others.
            type: dict
            default: {}
          disk_bus:
            description: Bus of its disks.
            type: str
            choices: [ide, sata, scsi, virtio]
            default: virtio
          nic_model:
            description: Model of its NICs.
            type: str
            default: virtio
          nic_queues:
            description: Queues of each NIC. More than one needs the model V(virtio), and taps with several queues.
            type: int
            default: 1
          serial_type:
            description: V(pty) for C(virsh console), V(tcp) for telnet to O(vms[].serial_ports).
            type: str
            choices: [pty, tcp]
            default: pty
          serial_count:
            description: Number of serial ports. What comes out of each is written to a file as well.
            type: int
            default: 1
          graphics:
            description: V(vnc) gives it a screen, which is shown on 127.0.0.1.
            type: str
            choices: [none, vnc]
            default: none
      data_disks:
        description: Sizes in bytes of further, empty disks.
        type: list
        elements: int
        default: []
      nics:
        description: The NICs, in the order in which the guest finds them.
        type: list
        elements: dict
        default: []
        suboptions:
          mac:
            description: MAC address.
            type: str
            required: true
          tap:
            description: Tap device that it leads to. Without one it leads nowhere, and keeps its place.
            type: str
            default: ""
          role:
            description: What it is for.
            type: str
            choices: [management, reserved, data]
            default: data
          interface:
            description: Linux name that the lab has for it.
            type: str
            default: ""
      serial_ports:
        description: TCP ports of 127.0.0.1, one for each serial port, with O(vms[].hardware.serial_type=tcp).
        type: list
        elements: int
        default: []
      medium:
        description: A small disk that brings the configuration into the guest. Another content is another medium, which needs a restart.
        type: dict
        suboptions:
          type:
            description: V(iso) is a CD-ROM, V(cloud-init) a CD-ROM with the label C(cidata), V(usb) a VFAT disk.
            type: str
            choices: [iso, cloud-init, usb]
            required: true
          label:
            description: Label of the volume.
            type: str
            default: ""
          bus:
            description: Bus that it is on.
            type: str
            choices: [ide, sata, scsi, usb, virtio]
            required: true
          files:
            description: Its files.
            type: list
            elements: dict
            default: []
            suboptions:
              path:
                description: Path below its root.
                type: str
                required: true
              content:
                description: Content, in base64.
                type: str
                required: true
          archive:
            description: Name of a gzipped tar archive that has the files in it. Empty puts them on the medium as they are.
            type: str
            default: ""
      link_apply_mode:
        description: With V(live) a machine that runs is not restarted for other NICs, but waits for a restart by hand.
        type: str
        choices: [live, restart, recreate]
        default: recreate
      wave:
        description: Machines are started wave by wave, each when those of the earlier ones run.
        type: int
        default: 0
      hold:
        description:
          - V(healthy) holds the next wave until the machine is ready. M(archetype.lab.lab_converge) does so, which knows how that is told.
            V(exit) is for containers, and refused.
        type: str
        choices: ["", healthy, exit]
        default: ""
      waits_for:
        description: Nodes without which it is not started. Without the option, these are all nodes of earlier waves.
        type: list
        elements: str
      startup_delay:
        description: Seconds to wait, from the beginning of its wave, before it is started.
        type: int
        default: 0
  recreate:
    description: Nodes whose disks are thrown away and made anew. They begin as at their first start.
    type: list
    elements: str
    default: []
  restart:
    description: Nodes that are powered off and started again, with what was changed since they were started.
    type: list
    elements: str
    default: []
  state:
    description:
      - V(present) makes disks and defines machines, and leaves it as it is whether they run.
      - V(started) also starts them. It fails, before anything is changed, when a machine would be started that lacks a tap.
      - V(stopped) powers them off.
      - V(absent) removes the machines that are named, with their disks, media and variables. With O(prune=true) it removes all of the
        lab's.
    type: str
    choices: [present, started, stopped, absent]
    default: started
seealso:
  - module: archetype.lab.ovs_port_vlan
  - module: archetype.lab.lab_ready
  - module: archetype.lab.lab_converge
"""

EXAMPLES = r"""
- name: Make the tap of a machine's second NIC
  archetype.lab.ovs_port_vlan:
    lab: demo
    ports:
      - name: ap-demo-r1
        device: tap
        node: r1
        interface: eth1
        tag: 112

- name: Run the machine, whose first NIC leads nowhere
  archetype.lab.lab_vm:
    lab: demo
    vms: &machines
      - name: demo-r1
        node: r1
        image: /var/lib/libvirt/images/router.qcow2
        memory: 1073741824
        hardware:
          machine: pc
        nics:
          - mac: 02:00:00:00:01:00
            role: management
          - mac: 02:00:00:00:01:01
            tap: ap-demo-r1
            interface: eth1
        medium:
          type: iso
          label: config
          bus: ide
          files:
            - path: router.cfg
              content: "{{ 'hostname r1' | b64encode }}"

- name: Restart it, with what was changed since it was started
  archetype.lab.lab_vm:
    lab: demo
    vms: *machines
    restart: [r1]

- name: Remove every machine of the lab
  archetype.lab.lab_vm:
    lab: demo
    state: absent
    prune: true
"""

RETURN = r"""
vms:
  description: The machines of the list, with their status after the run; in check mode, before it.
  returned: always
  type: list
  elements: dict
  sample:
    - lab: demo
      name: demo-r1
      node: r1
      kind: generic_vm
      image: /var/lib/libvirt/images/router.qcow2
      status: running
      started_at: "2026-01-01T10:00:00+00:00"
      needs_restart: [memory]
plan:
  description: How many objects are changed, by action.
  returned: always
  type: dict
  sample: {create: 3}
changes:
  description: Every object that is changed, with the fields that differ.
  returned: always
  type: list
  elements: dict
  sample: [{action: update, kind: vm, name: demo-r1, label: r1, fields: {cpus: {have: 1, want: 2}}, reason: it needs a restart}]
errors:
  description: Every error, with the objects that it concerns.
  returned: on failure
  type: list
  elements: dict
  sample: [{type: ForeignError, msg: domain demo-r1 is wanted, hint: remove or rename it, objects: [demo-r1]}]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils import _vms
from ansible_collections.archetype.lab.plugins.module_utils._argspec import lab_option, layer_options, state_options, vm_options
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "vms": {"type": "list", "elements": "dict", "default": [], "options": vm_options()},
            "recreate": {"type": "list", "elements": "str", "default": []},
            "restart": {"type": "list", "elements": "str", "default": []},
            **lab_option(),
            **layer_options(),
            **state_options("present", "started", "stopped", "absent", default="started"),
        },
        supports_check_mode=True,
    )
    params = module.params
    asked: dict[str, t.Any] = {name: params[name] for name in ("state", "prune", "recreate", "restart", "bridge")}

    def work() -> dict[str, t.Any]:
        want = [Vm.from_params(one) for one in params["vms"]]
        with Server() as server:
            result = _vms.converge(server, params["lab"], want, **asked, check_mode=module.check_mode)
        return result.to_result("vms", diff=module._diff)  # noqa: SLF001

    run_module(module, work)


if __name__ == "__main__":
    main()
