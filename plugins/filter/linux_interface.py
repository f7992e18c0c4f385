# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: linux_interface
short_description: The Linux name of an interface
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Gives the name that an interface has in Linux, such as C(eth1), for its vendor name, long or short, or its Linux name.
  - A kind may have several forms, such as C(Ethernet1) and C(Ethernet1/1) for a breakout; all are accepted.
  - It is an error if the name is none of the kind, or if the kind is not known.
positional: kind
options:
  _input:
    description: The vendor name or Linux name of the interface.
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
      - "{{ 'GigabitEthernet0/0/0/1' | archetype.lab.linux_interface('cisco_xrd') }}"  # Gi0-0-0-1
      - "{{ 'Gi0/0/0/1' | archetype.lab.linux_interface('cisco_xrv9k') }}"  # eth2
      - "{{ 'ethernet-1/1' | archetype.lab.linux_interface('nokia_srlinux') }}"  # e1-1
      - "{{ 'Ethernet3/1' | archetype.lab.linux_interface('arista_ceos') }}"  # eth3_1
      - "{{ 'eth1' | archetype.lab.linux_interface('linux') }}"  # eth1, as this kind has one name for an interface

- name: Show the name in a kind of your own
  ansible.builtin.debug:
    msg: "{{ 'port7' | archetype.lab.linux_interface('my_switch', kinds_path=['kinds']) }}"
"""

RETURN = r"""
_value:
  description: The Linux name.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, kind_named, linux_name


def linux_interface(name: str, kind: str, kinds_path: list[str] | str | None = None) -> str:
    """See DOCUMENTATION."""
    try:
        return linux_name(kind_named(str(kind), kinds_path), str(name))
    except (LabFileError, NameFault) as exc:
        raise AnsibleFilterError(f"archetype.lab.linux_interface: {exc}") from None  # Ansible would tell the cause again


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., str]]:
        return {"linux_interface": linux_interface}
