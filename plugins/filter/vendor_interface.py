# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vendor_interface
short_description: The vendor's name of an interface
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Gives the name that the vendor of a device has for an interface, for its Linux name or its vendor name.
  - Of several forms it is the usual one in its long spelling, such as C(Ethernet1) for C(eth1).
  - It is an error if the name is none of the kind, or if the kind is not known.
positional: kind
options:
  _input:
    description: The Linux name or vendor name of the interface.
    type: str
    required: true
  kind:
    description: The kind of the node, or an alias of it, such as V(arista_ceos).
    type: str
    required: true
  kinds_path:
    description: Folders with kinds of your own, as in a lab file. Relative paths are beside the folder that Ansible was started in.
    type: list
    elements: path
    required: false
"""

EXAMPLES = r"""
- name: Show a name
  ansible.builtin.debug:
    msg:
      - "{{ 'eth1' | archetype.lab.vendor_interface('juniper_vsrx') }}"  # ge-0/0/0
      - "{{ 'Gi0/0/0/1' | archetype.lab.vendor_interface('cisco_xrd') }}"  # GigabitEthernet0/0/0/1
      - "{{ 'eth1_2' | archetype.lab.vendor_interface('arista_ceos') }}"  # Ethernet1/2
      - "{{ 'eth5' | archetype.lab.vendor_interface('cisco_iol') }}"  # Ethernet1/1
      - "{{ 'eth1' | archetype.lab.vendor_interface('linux') }}"  # eth1, as this kind has one name for an interface
"""

RETURN = r"""
_value:
  description: The vendor name; the Linux name where the vendor has no other.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, kind_named, linux_name, vendor_name


def vendor_interface(name: str, kind: str, kinds_path: list[str] | str | None = None) -> str:
    """See DOCUMENTATION."""
    try:
        of = kind_named(str(kind), kinds_path)
        return vendor_name(of, linux_name(of, str(name)))
    except (LabFileError, NameFault) as exc:
        raise AnsibleFilterError(f"archetype.lab.vendor_interface: {exc}") from None  # Ansible would tell the cause again


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., str]]:
        return {"vendor_interface": vendor_interface}
