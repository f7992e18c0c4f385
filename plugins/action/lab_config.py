# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of M(archetype.lab.lab_config): it writes what the server's half read, and keeps secrets out of results and logs."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._config_files import FileProblem, keep
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._quiet import QuietAction

MODULE = "archetype.lab.lab_config"


class ActionModule(QuietAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        result.update(plain(self.call(task_vars, module_name=MODULE, module_args=dict(self._task.args))))
        dest = self._task.args.get("dest")
        if dest and not result.get("failed"):
            self._write(result, os.path.realpath(os.path.expanduser(str(dest))))
        return result

    def _write(self, result: dict[str, t.Any], folder: str) -> None:
        """Put a path in place of each configuration, which is in a file then."""
        differences = []
        for one in result["configs"]:
            content = one.pop("config", "")
            if one["error"]:
                continue
            try:
                kept = keep(folder, one["node"], content, write=not self._task.check_mode)
            except FileProblem as error:
                one.update(error=error.what, hint=error.remedy)
                continue
            one.update(path=kept.path, changed=kept.changed)
            if kept.changed and self._task.diff:
                differences.append({"before": kept.before, "after": content, "before_header": kept.path, "after_header": kept.path})
        result["changed"] = any(one.get("changed") for one in result["configs"])
        if differences:
            result["diff"] = differences
