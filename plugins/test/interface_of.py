# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: interface_of
short_description: Whether a name is one of an interface of a kind
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - True if a link of a node of this kind can end at an interface of this name. The management interface is none of them.
  - It is an error if the kind is not known.
positional: kind
options:
  _input:
    description: The vendor name or Linux name of an interface.
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
- name: Refuse what cannot be the name of an interface
  ansible.builtin.assert:
    that:
      - "'eth1' is archetype.lab.interface_of('linux')"
      - "'ge-0/0/3' is archetype.lab.interface_of('juniper_vsrx')"
      - "'ge-0/0/3' is not archetype.lab.interface_of('arista_ceos')"

- name: Ask about a kind of your own
  ansible.builtin.assert:
    that: "'port7' is archetype.lab.interface_of('my_switch', kinds_path=['kinds'])"
"""

RETURN = r"""
_value:
  description: Whether it is.
  type: bool
"""

import typing as t

from ansible.errors import AnsibleTemplateError

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault, kind_named, linux_name


def interface_of(name: str, kind: str, kinds_path: list[str] | str | None = None) -> bool:
    """See DOCUMENTATION."""
    try:
        found = kind_named(str(kind), kinds_path)
    except (LabFileError, NameFault) as exc:
        raise AnsibleTemplateError(f"archetype.lab.interface_of: {exc}") from exc
    try:
        linux_name(found, str(name))
    except NameFault:
        return False
    return True


class TestModule:
    """The test of this file."""

    __test__ = False  # not one of pytest's

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"interface_of": interface_of}
