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
  - It is an error if the name is none of the kind, or if the kind is not known.
positional: kind
options:
  _input:
    description: The Linux name or vendor name of the interface.
    type: str
    required: true
  kind:
    description: The kind of the node, such as V(linux).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show a name
  ansible.builtin.debug:
    msg: "{{ 'eth1' | archetype.lab.vendor_interface('linux') }}"  # eth1, as this kind has one name for an interface
"""

RETURN = r"""
_value:
  description: The vendor name; the Linux name where the vendor has no other.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, linux_name, vendor_name


def vendor_interface(name: str, kind: str) -> str:
    """See DOCUMENTATION."""
    try:
        return vendor_name(str(kind), linux_name(str(kind), str(name)))
    except NameFault as exc:
        raise AnsibleFilterError(f"archetype.lab.vendor_interface: {exc}") from exc


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., str]]:
        return {"vendor_interface": vendor_interface}
