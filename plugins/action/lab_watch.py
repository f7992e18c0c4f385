# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of M(archetype.lab.lab_watch): it says which library the collection has, and sends it where a server lacks it.

The alternative was that the module takes the library out of its own package (AnsiballZ). That has only those files which Ansible finds to
be imported, is sent with every run, and how it is made is Ansible's own affair. Here a run that has nothing to do sends a list of digests.
The archive is an argument and no file beside the module, so that nothing is written on the server before the module looked, and
becoming another user needs no shared folder.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._library import read_library
from ansible_collections.archetype.lab.plugins.plugin_utils._quiet import QuietAction


class ActionModule(QuietAction):
    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        args = dict(self._task.args)
        if args.get("state", "present") == "present":
            try:
                library = read_library()
            except OSError as error:
                return {**result, "failed": True, "msg": f"the library of the collection cannot be read on the controller: {error}"}
            args.update(version=library.version, files=library.files)
            told = self.call(task_vars, module_args=args)
            if told.get("needs_library"):
                told = self.call(task_vars, module_args={**args, "archive": library.archive})
        else:
            told = self.call(task_vars, module_args=args)
        result.update(told)
        result.pop("needs_library", None)
        self._remove_tmp_path(self._connection._shell.tmpdir)  # noqa: SLF001 - as Ansible's own does
        return result
