#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_state
short_description: Keep the declared state of a lab on a server, and give back its lock there
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Keeps the declared state of a lab in C(/var/lib/archetype-lab), so that the server can converge by itself after a reboot.
  - With O(state=absent) removes it, with all files of the lab's nodes.
  - Gives back the lock that M(archetype.lab.lab_converge) took. The lock of another run is left alone.
  - Without O(declared) and O(release) it only tells who holds the lab's lock.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  state:
    description: Whether the declared state is kept or removed.
    type: str
    choices: [present, absent]
    default: present
  declared:
    description: The slice of the plan for this server. Without it, what is kept is left as it is.
    type: dict
  release:
    description: The token of the run whose lock is given back. Without it the lock is left alone.
    type: str
"""

EXAMPLES = r"""
- name: Keep the declared state, and give back the lock
  archetype.lab.lab_state:
    lab: demo
    declared: "{{ lab_plan.slices[inventory_hostname] }}"
    release: "{{ lab_run.token }}"

- name: Forget a lab
  archetype.lab.lab_state:
    lab: demo
    state: absent
"""

RETURN = r"""
plan:
  description: How many files are changed, by action.
  returned: always
  type: dict
  sample: {create: 1}
changes:
  description: Every file that is changed.
  returned: always
  type: list
  elements: dict
  sample: [{action: create, kind: state, name: /var/lib/archetype-lab/demo.json, label: demo, fields: {}, reason: ""}]
released:
  description: Whether the lock was this run's and was given back.
  returned: always
  type: bool
  sample: true
lock:
  description: Who holds the lock of the lab on this server afterwards (C(owner), C(lab), C(since), C(token)), or null.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils import _lock, _state
from ansible_collections.archetype.lab.plugins.module_utils._argspec import lab_option
from ansible_collections.archetype.lab.plugins.module_utils._changes import result_of
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **lab_option(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "declared": {"type": "dict"},
            "release": {"type": "str"},
        },
        supports_check_mode=True,
    )
    lab, declared, token, check = module.params["lab"], module.params["declared"], module.params["release"], module.check_mode

    def work() -> dict[str, object]:
        changes = []
        if module.params["state"] == "absent":
            changes = _state.remove(lab, check=check)
        elif declared is not None:
            changes = _state.save(lab, declared, check=check)
        released = token is not None and not check and _lock.release(lab, token)
        held = _lock.current(lab)
        return {**result_of(changes, diff=module._diff), "released": released, "lock": held.to_dict() if held else None}  # noqa: SLF001

    run_module(module, work)


if __name__ == "__main__":
    main()
