# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: take_back
short_description: Find the halves of links that must be taken back
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - A link whose far half failed must not stay as a half. This tells, for each server, the links to take back there, for
    O(archetype.lab.lab_converge#module:take_back).

positional: _input, results
options:
  _input:
    description: The plan, as P(archetype.lab.plan#lookup) made it.
    type: dict
    required: true
  results:
    description:
      - Server to its results - C(converge), C(certify) and C(info), each as M(archetype.lab.lab_converge), the last step of
        M(archetype.lab.lab_certify) and M(archetype.lab.lab_info) returned it, and C(unreachable), a message.
      - What did not run on a server is left out.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Take back the near half of links whose far half failed
  archetype.lab.lab_converge:
    declared: "{{ lab_plan.slices[inventory_hostname] }}"
    take_back: "{{ (lab_plan | archetype.lab.take_back(lab_results))[inventory_hostname] }}"
"""

RETURN = r"""
_value:
  description: Server to link keys; every server of the plan is there.
  type: dict
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._report import failed_links


def _take_back(plan: t.Mapping[str, t.Any], results: t.Mapping[str, t.Any]) -> dict[str, list[str]]:
    return failed_links(plain(plan), plain(results))


class FilterModule:
    """C(archetype.lab.take_back)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"take_back": _take_back}
