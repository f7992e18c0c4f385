# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: after_wave
short_description: Take the results of two waves on a server together
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - A lab whose nodes wait for one another is started by several calls of M(archetype.lab.lab_converge) on each server. This makes one
    result of two.

positional: _input, later
options:
  _input:
    description: What the earlier calls returned.
    type: dict
    required: true
  later:
    description: What the call for the next wave returned.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Take the waves together
  ansible.builtin.set_fact:
    lab_convergence: "{{ lab_convergence | archetype.lab.after_wave(lab_wave) }}"
"""

RETURN = r"""
_value:
  description: A result as M(archetype.lab.lab_converge) returns it.
  type: dict
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._waves import after_wave


def _after_wave(earlier: t.Mapping[str, t.Any], later: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return after_wave(plain(earlier), plain(later))


class FilterModule:
    """C(archetype.lab.after_wave)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"after_wave": _after_wave}
