# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: needs
short_description: What must be observed on the servers before a lab is planned
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Reads a lab file and the topology it names, and returns what M(archetype.lab.lab_info) has to look for.
options:
  _terms:
    description: Path of the lab file (C(*.lab.yml)).
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: See which images a lab needs
  ansible.builtin.debug:
    msg: "{{ lookup('archetype.lab.needs', 'demo.lab.yml').images }}"
"""

RETURN = r"""
_raw:
  description: One entry for each lab file.
  type: list
  elements: dict
  contains:
    lab: {description: Name of the lab., type: str}
    images: {description: Image references., type: list, elements: str}
    disks: {description: Paths of disk images on the servers., type: list, elements: str}
    binds: {description: Paths that must exist on the servers., type: list, elements: str}
    containers: {description: Container names., type: list, elements: str}
    management: {description: Whether the lab has a management network., type: bool}
    vms: {description: Whether nodes of the lab are virtual machines., type: bool}
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._needs import needs_of
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain


class LookupModule(LookupBase):  # type: ignore[misc]
    """C(lookup('archetype.lab.needs', ...))."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [needs_of(load_lab_file(plain(term))) for term in terms]
        except LabFileError as error:
            raise AnsibleLookupError(str(error)) from None  # the problems are whole; a chain would repeat them
