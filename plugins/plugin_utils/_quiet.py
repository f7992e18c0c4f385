# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the controller halves of modules have in common that are given secrets: those are neither logged nor shown."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


class QuietAction(ActionBase):  # type: ignore[misc]
    TRANSFERS_FILES = False
    _supports_check_mode = True

    def call(self, task_vars: t.Mapping[str, t.Any] | None, **how: t.Any) -> dict[str, t.Any]:
        """What a module returned, without what it was given. C(how) is as C(_execute_module) takes it."""
        # The server's system log would get the arguments.
        found: dict[str, t.Any] = self._execute_module(task_vars={**(task_vars or {}), "ansible_no_target_syslog": True}, **how)
        found.pop("invocation", None)
        return found
