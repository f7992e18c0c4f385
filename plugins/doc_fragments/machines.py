# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that handle virtual machines need."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
requirements:
  - libvirt-python, pycdlib
  - QEMU, with libvirtd
  - the programs qemu-img, mtools and dnsmasq
notes:
  - Talks to the C(libvirtd) of the machine that it runs on, over its own socket; it needs to be root there. What is needed for it is put
    on a server by the playbook C(archetype.lab.prepare_servers) with C(lab_server_vms=true).
"""
