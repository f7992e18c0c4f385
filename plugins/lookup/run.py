# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: run
short_description: Tell which run of a playbook this is
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - A name for this run that no other run has, for the locks of servers. Keep it with M(ansible.builtin.set_fact); each call gives another.
  - The test P(archetype.lab.ended_run#test) tells by it whether the run has ended without giving its locks back.
options:
  _terms:
    description: Nothing.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Name this run
  ansible.builtin.set_fact:
    my_run: "{{ lookup('archetype.lab.run') }}"
  run_once: true
"""

RETURN = r"""
_raw:
  description: One entry.
  type: list
  elements: dict
  contains:
    token: {description: What tells this run from all others., type: str}
    owner: {description: 'Who runs it, where, for people.', type: str}
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.archetype.lab.plugins.plugin_utils._runs import this_run


class LookupModule(LookupBase):  # type: ignore[misc]
    """C(lookup('archetype.lab.run'))."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[dict[str, str]]:
        self.set_options(var_options=variables, direct=kwargs)
        if terms:
            raise AnsibleLookupError("archetype.lab.run takes no terms")
        return [this_run()]
