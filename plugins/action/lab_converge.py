# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of the modules that are given machines: it keeps what is declared of them out of results and logs, as passwords and
configurations are in it. The rest is as Ansible does it for every module."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._quiet import QuietAction


class ActionModule(QuietAction):
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        apart = bool(self._task.async_val) and not self._connection.has_native_async
        result.update(self.call(task_vars, wrap_async=apart))
        if not apart:
            self._remove_tmp_path(self._connection._shell.tmpdir)  # noqa: SLF001 - as Ansible's own does
        return result
