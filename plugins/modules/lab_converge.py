#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_converge
short_description: Make one server have its part of a lab
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Makes what one server has equal to what is declared for it - bridge, sandboxes, ports, tunnels, and nodes (containers and virtual
    machines), in this order, so that the interfaces of a node exist before its first process runs.
  - The declared state is one slice of the plan that P(archetype.lab.plan#lookup) makes.
  - Everything that can be known beforehand (foreign objects in the way, tags that are taken, missing images) stops the run before the
    server is touched. What fails afterwards is returned per object, and the rest is done.
  - What belongs to the lab and is not declared is removed.
  - The declared state is kept on the server, in C(/var/lib/archetype-lab), before anything is changed.
  - Takes the lab's lock on the server, and keeps it until M(archetype.lab.lab_state) or M(archetype.lab.lab_certify) gives it back.
    With O(state=absent) it gives it back itself.
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
options:
  lab:
    description: Name of the lab. Needed with O(state=absent), otherwise part of O(declared).
    type: str
  declared:
    description: The slice of the plan for this server. Needed with O(state=present).
    type: dict
  state:
    description: V(absent) removes everything on this server that belongs to the lab.
    type: str
    choices: [present, absent]
    default: present
  take_back:
    description:
      - Keys of links whose far half failed.
      - Their tunnels are removed, and their ports taken off the bridge, so that the nodes here see no carrier.
    type: list
    elements: str
    default: []
  hold:
    description:
      - Keys of links, and nodes, that are left alone from now on, by this and by M(archetype.lab.lab_reconcile), until a call that does not
        name them.
      - Without it, what is held stays held.
    type: list
    elements: str
  wave:
    description:
      - Nodes of later waves are not started in this call; they are named in RV(waiting). With V(-1) no node is started.
      - Without it all waves of this server are done, one after the other. Waves of several servers need a call for each of them, so that a
        wave begins on all servers when the one before it is over on all.
    type: int
  blocked:
    description:
      - Nodes that failed in an earlier wave, on any server, each with the reason. It is RV(unmet) of all servers, taken together.
      - They are not tried again, and nodes that wait for one of them are errors and are not started.
    type: dict
    default: {}
  patience:
    description:
      - Seconds that virtual machines that others wait for may take to become ready. Those that are on their way still are returned as
        RV(coming); M(archetype.lab.lab_ready) can go on waiting for them, and tells meanwhile who is waited for.
      - With V(-1) each has the time that its kind gives it.
    type: int
    default: -1
  recreate:
    description:
      - Nodes that are virtual machines, whose disks are thrown away and made anew; nodes of other servers may be among them.
      - What is asked for a node is done in the call that does its wave, and not again in calls for later waves.
    type: list
    elements: str
    default: []
  restart:
    description: Nodes that are virtual machines, which are powered off and started again, with what was changed since they were started.
    type: list
    elements: str
    default: []
  owner:
    description: Who runs this, for the lock; shown to whoever runs into it.
    type: str
    default: someone
  token:
    description: What tells this run from others, for the lock; see P(archetype.lab.run#lookup).
    type: str
    default: ""
  ended:
    description: Token of a run that has ended without giving back its lock, which is taken over; see P(archetype.lab.ended_run#test).
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Make every server have its part of the lab
  archetype.lab.lab_converge:
    declared: "{{ lab_plan.slices[inventory_hostname] }}"

- name: Make every server have its part of the lab, and start the nodes that wait for no other
  archetype.lab.lab_converge:
    declared: "{{ lab_plan.slices[inventory_hostname] }}"
    wave: 0

- name: Remove a lab from a server
  archetype.lab.lab_converge:
    lab: demo
    state: absent
"""

RETURN = r"""
plan:
  description: How many objects are changed, by action.
  returned: always
  type: dict
  sample: {create: 12}
changes:
  description: Every object that is changed, in order.
  returned: always
  type: list
  elements: dict
  sample: [{action: update, kind: port, name: ap5x2m, label: "r1:eth1", fields: {tag: {have: 112, want: 118}}, reason: ""}]
containers:
  description: The containers, as they are afterwards.
  returned: when O(state=present)
  type: list
  elements: dict
vms:
  description:
    - The virtual machines, as they are afterwards, and what each needs a restart for; see M(archetype.lab.lab_vm). In check mode, as
      they are now.
  returned: when O(state=present)
  type: list
  elements: dict
  sample: [{lab: demo, name: clab-demo-r1, node: r1, kind: generic_vm, status: running, needs_restart: [memory]}]
ports:
  description: The ports, as they are afterwards.
  returned: when O(state=present)
  type: list
  elements: dict
tunnels:
  description: The tunnels, as they are afterwards.
  returned: when O(state=present)
  type: list
  elements: dict
waiting:
  description: Nodes of later waves that still have to be started, or to become healthy or to end as the wave after them needs it.
  returned: when O(state=present)
  type: list
  elements: str
unmet:
  description: Nodes that others cannot go on waiting for, each with the reason.
  returned: when O(state=present)
  type: dict
  sample: {r1: is not healthy}
coming:
  description: Virtual machines that others wait for, and that are on their way still. Only with O(patience).
  returned: when O(state=present)
  type: list
  elements: str
drift:
  description:
    - Every declared link and node, and what is there undeclared, each with C(sort), C(name), C(word) (C(in sync), C(missing), C(wrong),
      C(orphan), C(foreign), C(unreadable)) and C(detail).
  returned: in check mode, when O(state=present)
  type: list
  elements: dict
lock:
  description: The lock of another run (C(owner), C(lab), C(since), C(token)), because of which nothing was done.
  returned: failure, when another run works on this lab
  type: dict
errors:
  description: Everything that failed.
  returned: failure
  type: list
  elements: dict
  contains:
    type: {description: Sort of error., type: str}
    msg: {description: What is wrong., type: str}
    hint: {description: What to do., type: str}
    objects: {description: Names of the objects concerned., type: list, elements: str}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils import _state
from ansible_collections.archetype.lab.plugins.module_utils._argspec import lab_option, run_options
from ansible_collections.archetype.lab.plugins.module_utils._converge import converge
from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
from ansible_collections.archetype.lab.plugins.module_utils._outcome import Run
from ansible_collections.archetype.lab.plugins.module_utils._remove import remove
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **lab_option(required=False),
            **run_options(),
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "take_back": {"type": "list", "elements": "str", "default": []},
            "wave": {"type": "int"},
            "blocked": {"type": "dict", "default": {}},
            "patience": {"type": "int", "default": -1},
            "recreate": {"type": "list", "elements": "str", "default": []},
            "restart": {"type": "list", "elements": "str", "default": []},
            "ended": {"type": "str", "default": ""},
        },
        required_if=[("state", "present", ["declared"]), ("state", "absent", ["lab"])],
        supports_check_mode=True,
    )
    params = module.params
    run = Run(
        params["owner"],
        params["token"],
        params["ended"],
        check=module.check_mode,
        diff=module._diff,  # noqa: SLF001
        wave=params["wave"],
        blocked={str(node): str(reason) for node, reason in params["blocked"].items()},
        recreate=tuple(params["recreate"]),
        restart=tuple(params["restart"]),
        patience=params["patience"] if params["patience"] >= 0 else None,
    )

    def work() -> dict[str, object]:
        with Server() as server:
            if params["state"] == "absent":
                return remove(server, params["lab"], run)
            given = params["declared"]
            hold = params["hold"]
            known = _state.load(str(given.get("lab"))) if hold is None else None  # one that is damaged is then made anew
            keep = _state.kept_of(known, given, hold=hold, taken_back=params["take_back"])
            declared = Declared.from_params(keep)
            return converge(server, declared.without_links(declared.taken_back), run, keep)

    run_module(module, work)


if __name__ == "__main__":
    main()
