# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules of the layers share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  lab:
    description:
      - Name of the lab that owns the objects. It is written on each of them.
      - Only objects with the mark of this lab are ever changed or deleted.
    type: str
    required: true
  prune:
    description:
      - Also delete what the lab owns and the list does not name.
      - Set it only when the list is complete. Without it the list is merged into what is there.
    type: bool
    default: false
"""

    BRIDGE = r"""
options:
  bridge:
    description: Name of the Open vSwitch bridge, as made by M(archetype.lab.ovs_bridge).
    type: str
    default: arch-ovs
"""

    OVS = r"""
options: {}
requirements:
  - ovsdbapp >= 2.9
  - ovs >= 3.3
notes:
  - Talks to the C(ovsdb-server) of the machine that it runs on, over C(/var/run/openvswitch/db.sock); it needs to be root there.
"""

    NETLINK = r"""
options: {}
requirements:
  - pyroute2 >= 0.9.4
"""
