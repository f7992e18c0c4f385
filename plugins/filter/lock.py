# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: lock
short_description: Write the lock file of a lab
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - The lock file records on which server each node is. It lies beside the topology; committed, it makes the placement last.

positional: _input
options:
  _input:
    description: The plan, as P(archetype.lab.plan#lookup) made it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Write down where the nodes are
  ansible.builtin.copy:
    content: "{{ lab_plan | archetype.lab.lock }}"
    dest: "{{ lab_plan.lock_file }}"
    mode: "0644"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
_value:
  description: The content of the lock file, YAML; the same plan gives the same text.
  type: str
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._placement import render_lock
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain


def _lock(plan: t.Mapping[str, t.Any]) -> str:
    return render_lock(plain(plan))


class FilterModule:
    """C(archetype.lab.lock)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"lock": _lock}
