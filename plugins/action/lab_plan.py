# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of M(archetype.lab.lab_plan): the same plan as the lookup's, whose problems are shown once and as they are."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import holds_lock, render_lock
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan

_SPEC: dict[str, dict[str, t.Any]] = {
    "lab_file": {"type": "path", "required": True},
    "servers": {"type": "dict", "required": True},
    "observation": {"type": "str", "default": "lab_observation"},
    "complete": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _valid, args = self.validate_argument_spec(argument_spec=_SPEC)
        servers = {str(name): ServerFacts(str(address or "")) for name, address in plain(args["servers"]).items()}
        hostvars = (task_vars or {})["hostvars"]
        observed = {server: plain(hostvars.get(server, {}).get(args["observation"]) or {}) for server in servers}
        try:
            plan = make_plan(
                load_lab_file(plain(args["lab_file"])), servers, observed, complete=args["complete"], looking=not args["complete"]
            )
        except LabFileError as error:
            result.update(failed=True, msg=str(error))
        else:
            # A plan holds the files and the environment of nodes, which are not for the screen: -v does not show it.
            result["_ansible_verbose_override"] = True
            result.update(changed=False, plan=plan, lock_writable=_is_writable(plan["lock_file"], render_lock(plan)))
        return result


def _is_writable(path: str, text: str) -> bool:
    """Whether this very user, as whom the controller writes, can put a file there; or need not, as it is there with this text."""
    return holds_lock(path, text) or (os.access(os.path.dirname(path), os.W_OK | os.X_OK) and not os.path.isdir(path))
