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
  - Gives the name that an interface has in Linux, such as C(eth1), for its vendor name or its Linux name.
  - It is an error if the name is none of the kind, or if the kind is not known.
positional: kind
options:
  _input:
    description: The vendor name or Linux name of the interface.
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
    msg: "{{ 'eth1' | archetype.lab.linux_interface('linux') }}"  # eth1, as this kind has one name for an interface
"""

RETURN = r"""
_value:
  description: The Linux name.
  type: str
"""

import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, linux_name


def linux_interface(name: str, kind: str) -> str:
    """See DOCUMENTATION."""
    try:
        return linux_name(str(kind), str(name))
    except NameFault as exc:
        raise AnsibleFilterError(f"archetype.lab.linux_interface: {exc}") from exc


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., str]]:
        return {"linux_interface": linux_interface}
