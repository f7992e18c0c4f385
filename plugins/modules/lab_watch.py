#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_watch
short_description: Install the watcher of labs on a server
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Installs C(archetype-lab-watch), which keeps labs as they were declared without a controller, with the library of this collection.
  - The library is put into C(/usr/local/lib/archetype-lab), the program into C(/usr/local/sbin), the key into C(/etc/archetype-lab/key).
    The library is sent only where the server has another one.
  - A new library is complete before it counts; until then the old one works. The old one is removed by the first run after the watcher was
    started again.
  - Neither starts nor stops the watcher; the role C(lab_server) does. RV(stale) tells that it has to be started again.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
options:
  state:
    description: V(absent) removes the watcher, its key and its metrics. It must have been stopped before.
    type: str
    choices: [present, absent]
    default: present
  python:
    description: The interpreter that has the libraries of the labs. Without it, it is the one that runs this module.
    type: path
  key:
    description: What watchers know each other by, 64 hexadecimal digits, the same on all servers. Without it, the key is left as it is.
    type: str
  made_of:
    description: Further files that the watcher depends on. Where one is newer than the watcher that runs, RV(stale) is true.
    type: list
    elements: path
    default: []
  version:
    description: Set by the controller.
    type: str
  files:
    description: Set by the controller.
    type: dict
    default: {}
  archive:
    description: Set by the controller.
    type: str
"""

EXAMPLES = r"""
- name: Install the watcher
  archetype.lab.lab_watch:
    python: /opt/archetype-lab/venv/bin/python
  register: watcher

- name: Start it again
  ansible.builtin.systemd_service:
    name: archetype-lab-watch
    state: restarted
  when: watcher.stale
"""

RETURN = r"""
stale:
  description: Whether a watcher runs that was started before something that it is made of was changed.
  returned: success
  type: bool
  sample: false
plan:
  description: How many things are changed, by action.
  returned: success
  type: dict
  sample: {create: 3}
changes:
  description: Everything that is changed.
  returned: success
  type: list
  elements: dict
  sample:
    - action: update
      kind: library
      name: /usr/local/lib/archetype-lab
      label: ""
      fields: {version: {have: 3f0c5d7a9b1e2468, want: 8a6b4c2d0e1f3579}}
      reason: ""
"""

import base64
import binascii
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils import _installed
from ansible_collections.archetype.lab.plugins.module_utils._changes import result_of
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module


def _decoded(archive: str | None) -> bytes | None:
    try:
        return None if archive is None else base64.b64decode(archive, validate=True)
    except binascii.Error as error:
        raise LabError(f"the archive is not base64: {error}", hint="it is set by the controller: leave it out") from error


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "python": {"type": "path"},
            "key": {"type": "str", "no_log": True},
            "made_of": {"type": "list", "elements": "path", "default": []},
            "version": {"type": "str"},
            "files": {"type": "dict", "default": {}},
            "archive": {"type": "str"},
        },
        supports_check_mode=True,
    )
    params, check = module.params, module.check_mode

    def work() -> dict[str, t.Any]:
        if params["state"] == "absent":
            done = _installed.Done(_installed.remove(check=check))
        else:
            want = _installed.Want(
                version=params["version"] or "",
                files=params["files"],
                python=params["python"] or sys.executable,
                key=params["key"],
                made_of=params["made_of"],
            )
            done = _installed.install(want, _decoded(params["archive"]), check=check)
        told = {"needs_library": True} if done.needs_library else {}
        return {**result_of(done.changes, diff=module._diff), "stale": done.stale, **told}  # noqa: SLF001

    run_module(module, work)


if __name__ == "__main__":
    main()
