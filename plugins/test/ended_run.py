# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ended_run
short_description: Whether a run of a playbook on this machine has ended
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - True if the token is that of a run on this very machine whose process is there no more, so that nobody holds the locks it took.
  - False for runs on other machines, of which nothing is known, and for anything that is no token of a run.
options:
  _input:
    description: A token of P(archetype.lab.run#lookup).
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Wait for nobody
  ansible.builtin.assert:
    that: lab_observation.observed.lock.token is archetype.lab.ended_run
"""

RETURN = r"""
_value:
  description: Whether it has.
  type: bool
"""

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._runs import has_ended


def ended_run(token: str) -> bool:
    """See DOCUMENTATION."""
    return has_ended(str(token))


class TestModule:
    """The test of this file."""

    __test__ = False  # not one of pytest's

    def tests(self) -> dict[str, t.Callable[..., bool]]:
        return {"ended_run": ended_run}
