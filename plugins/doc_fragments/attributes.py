# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module says about check mode, diff and idempotence; a module that differs says so in its own C(attributes)."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode. It then says exactly what a run would change, and writes nothing.
    support: full
  diff_mode:
    description: Returns what has changed (or in check mode, would change), one line per object, field by field.
    support: full
  idempotent:
    description: Run twice in a row with the same arguments, the second run changes nothing.
    support: full
"""

    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode, with the same result, as it changes nothing.
    support: full
  diff_mode:
    description: Changes nothing, so that there is no difference to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
"""

    REPORT = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode, with the same result, as it changes nothing.
    support: full
  diff_mode:
    description: Changes nothing, so that there is no difference to show.
    support: N/A
  idempotent:
    description: Changes nothing.
    support: full
"""

    ACTIONGROUP_LAB = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/archetype.lab.lab) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - archetype.lab.lab
"""
