# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller half of M(archetype.lab.lab_validate): it reads files on the controller, and touches no server."""

from __future__ import annotations

import glob
import os
import typing as t

from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import SUFFIXES
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._validate import validate
from ansible_collections.archetype.lab.plugins.plugin_utils._validate_text import complaint, render_checked

_SPEC: dict[str, dict[str, t.Any]] = {
    "files": {"type": "list", "elements": "str", "default": []},
    "show": {"type": "bool", "default": True},
    "fail": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):  # type: ignore[misc]
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _valid, args = self.validate_argument_spec(argument_spec=_SPEC)
        variables, folder = task_vars or {}, os.getcwd()
        groups = plain(variables.get("groups") or {})
        named = [os.path.expanduser(one) for one in plain(args["files"]) if one]
        paths = _expanded(named) if named else _of_inventory(variables)
        checked = [validate(path, lambda group: groups.get(group, [])) for path in paths]
        text = render_checked(checked, folder)
        if args["show"] and checked:
            Display().display(text)
        result.update(changed=False, ok=not any(one.problems for one in checked), files=[one.as_json() for one in checked], text=text)
        result["complaint"] = complaint(checked, folder) if checked else _NOTHING
        if args["fail"] and result["complaint"]:
            result.update(failed=True, msg=result["complaint"])
        return result


_NOTHING = (
    "there is nothing to check: name files with -e topology=PATH (topologies or lab files; several with commas, patterns such as"
    " labs/*.clab.yml), or give lab files as inventory, with -i demo.lab.yml"
)


def _expanded(names: t.Sequence[str]) -> list[str]:
    """Paths, each once, with patterns replaced by what they match. One that matches nothing stays: it is told that it is not there."""
    found: list[str] = []
    for name in names:
        matching = [] if os.path.exists(name) else sorted(glob.glob(name, recursive=True))
        found += matching or [name]
    return list(dict.fromkeys(os.path.abspath(path) for path in found))


def _of_inventory(variables: t.Mapping[str, t.Any]) -> list[str]:
    """The lab files of the inventory, and those among its sources that could not be read: why is what is asked here."""
    hostvars = variables.get("hostvars") or {}
    servers = (variables.get("groups") or {}).get("lab_servers") or []
    read = {path for server in servers[:1] for path in plain(hostvars[server].get("lab_files") or {}).values()}
    return sorted(read.union(os.path.abspath(path) for source in _sources() for path in _lab_files(source)))


def _sources() -> list[str]:
    given = context.CLIARGS.get("inventory") or ()
    return [str(one) for one in ([given] if isinstance(given, str) else given)]


def _lab_files(source: str) -> t.Iterator[str]:
    """A source of the inventory, or what is in it where it is a folder, as far as it is called like a lab file."""
    names = [os.path.join(source, name) for name in os.listdir(source)] if os.path.isdir(source) else [source]
    yield from (name for name in names if name.endswith(SUFFIXES) and os.path.isfile(name))
