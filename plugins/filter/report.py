# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: report
short_description: Tell the state of every link and node from the results of a run
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - A link is C(up) when frames of every kind came from each of its endpoints to every other, and nothing of it came anywhere else;
    C(error) with a reason, C(down) when a node of it is stopped, C(pending) when nothing was done.

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
  predicted:
    description: Whether C(converge) ran in check mode, so that its changes are differences that are still there.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Show which links are up
  ansible.builtin.debug:
    msg: "{{ (lab_plan | archetype.lab.report(lab_results)).summary.links }}"
"""

RETURN = r"""
_value:
  description: The report, with C(lab), C(ok), C(summary), C(links), C(nodes), C(notes) and C(servers).
  type: dict
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._report import make_report


def _report(plan: t.Mapping[str, t.Any], results: t.Mapping[str, t.Any], predicted: bool = False) -> dict[str, t.Any]:
    return make_report(plain(plan), plain(results), predicted=predicted)


class FilterModule:
    """C(archetype.lab.report)."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"report": _report}
