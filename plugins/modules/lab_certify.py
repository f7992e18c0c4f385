#!/usr/bin/python
# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_certify
short_description: Prove every link of a lab with real frames
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Sends frames into the bridge at every port of the lab, as if its node had sent them, and sees on which ports they leave.
    Unicast, broadcast, LLDP, LACP, STP, 802.1Q, QinQ and frames of the full MTU are sent, from every endpoint of every link.
  - Needs nothing in the nodes, which may still be booting. All frames carry a local experimental EtherType, so that no node takes
    one for a message of its neighbour.
  - For links between servers it takes three tasks, each on all servers, with the same O(token) - O(step=listen), O(step=send) and
    O(step=collect). One server alone does it with O(step=all).
  - Reports what was seen, and does not fail because of a broken link; M(archetype.lab.lab_report) decides.
  - Where a lab was deployed, the server remembers until its next boot which links were proven when; see M(archetype.lab.lab_info).
extends_documentation_fragment:
  - archetype.lab.attributes
  - archetype.lab.attributes.actiongroup_lab
  - archetype.lab.layer.ovs
attributes:
  check_mode:
    description: Can run in check mode.
    details: Sends nothing in check mode, and returns only RV(skipped) and RV(msg).
    support: partial
  diff_mode:
    description: Changes nothing, so that there is no difference to show.
    support: N/A
options:
  lab:
    description: Name of the lab.
    type: str
    required: true
  server:
    description: Name of this server, as O(links[].endpoints[].server) has it.
    type: str
    required: true
  bridge:
    description: Name of the Open vSwitch bridge.
    type: str
    default: arch-ovs
  links:
    description: The links with an endpoint on this server, as a slice of the plan has them. The same in all steps.
    type: list
    elements: dict
    required: true
    suboptions:
      key:
        description: The canonical key of the link.
        type: str
        required: true
      mtu:
        description: MTU of the link in bytes, without Ethernet header.
        type: int
        required: true
      probe:
        description:
          - V(full) sends every kind of frame from every endpoint to every other.
          - V(light) sends one kind, from each endpoint to the next one; for segments with very many endpoints.
          - V(device) sends nothing, and tells whether the device is there and has a carrier. For links whose other end is not the lab's.
        type: str
        choices: [full, light, device]
        default: full
      endpoints:
        description: All endpoints of the link, wherever they are.
        type: list
        elements: dict
        required: true
        suboptions:
          node:
            description: Name of the node.
            type: str
            required: true
          interface:
            description: Linux name of the interface.
            type: str
            required: true
          server:
            description: Name of the server that runs the node.
            type: str
            required: true
          port:
            description: Name of the device on that server.
            type: str
            required: true
          sandbox:
            description: Container that has the interface, where no device of the server leads to it.
            type: str
            default: ""
  step:
    description:
      - V(listen) starts a listener on this server, which lives on after the module has ended.
      - V(send) sends the frames of this server's endpoints. Run it when all servers listen.
      - V(collect) ends the listener and returns what it has seen. Run it when all servers have sent.
      - V(all) does the three in one; for links whose endpoints are all on this server.
    type: str
    choices: [listen, send, collect, all]
    default: all
  token:
    description:
      - What tells this run from others of the same lab; the same in all steps and on all servers, another in every run.
      - Required, except with O(step=all).
    type: str
  timeout:
    description: Seconds that O(step=collect) waits after the last frame, when not all have arrived.
    type: float
    default: 2.0
  lifetime:
    description: Seconds after which a listener ends that nobody collects.
    type: float
    default: 120.0
  unlock:
    description:
      - Whether O(step=collect) gives back the lab's lock on this server, if it is that of the run which O(token) names.
      - For a run that has nothing left to do on this server; else M(archetype.lab.lab_state) gives it back at the end.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Listen on every server
  archetype.lab.lab_certify:
    lab: demo
    server: "{{ inventory_hostname }}"
    links: "{{ lab_plan.slices[inventory_hostname].links }}"
    step: listen
    token: "{{ lab_run.token }}"

- name: Send from every server
  archetype.lab.lab_certify:
    lab: demo
    server: "{{ inventory_hostname }}"
    links: "{{ lab_plan.slices[inventory_hostname].links }}"
    step: send
    token: "{{ lab_run.token }}"

- name: Collect what was seen
  archetype.lab.lab_certify:
    lab: demo
    server: "{{ inventory_hostname }}"
    links: "{{ lab_plan.slices[inventory_hostname].links }}"
    step: collect
    token: "{{ lab_run.token }}"
  register: lab_frames
"""

RETURN = r"""
frames:
  description: What arrived at each local endpoint from each other endpoint of its link.
  returned: when O(step=collect) or O(step=all)
  type: list
  elements: dict
  sample: [{link: "a:eth1--b:eth1", source: "a:eth1", target: "b:eth1", kinds: [broadcast, unicast]}]
kinds:
  description: All kinds of frames that are sent.
  returned: when O(step=collect) or O(step=all)
  type: list
  elements: str
  sample: [broadcast, unicast, lldp, lacp, stp, dot1q, qinq, full_mtu]
leaks:
  description: Frames that were seen on a port of another link.
  returned: when O(step=collect) or O(step=all)
  type: list
  elements: dict
  sample: [{link: "a:eth1--b:eth1", source: "a:eth1", kind: broadcast, seen_on: "c:eth1"}]
duplicates:
  description: Frames that arrived more than once, or came back to their source; a loop.
  returned: when O(step=collect) or O(step=all)
  type: list
  elements: dict
  sample: [{link: "a:eth1--b:eth1", source: "a:eth1", target: "b:eth1", kind: broadcast, count: 2}]
relays:
  description:
    - Frames that a node of this server sent on out of another of its interfaces, as a node that is a switch does.
    - A leak or duplicate of such a frame on that link is the node's doing. Those that show on this server are left out already.
  returned: when O(step=collect) or O(step=all)
  type: list
  elements: dict
  sample: [{link: "a:eth1--b:eth1", source: "a:eth1", kind: broadcast, seen_on: "b:eth2"}]
damaged:
  description: How many frames arrived with other tags than they were sent with.
  returned: when O(step=collect) or O(step=all)
  type: int
  sample: 0
dropped:
  description: How many frames the kernel dropped because the listener was too slow. If not 0, missing frames prove nothing.
  returned: when O(step=collect) or O(step=all)
  type: int
  sample: 0
ports:
  description: State of each local endpoint's port, and why its frames could not be sent, if so.
  returned: when O(step=collect) or O(step=all)
  type: dict
  sample: {"a:eth1": {carrier: true, error: ""}}
listening:
  description: That the listener listens.
  returned: when O(step=listen)
  type: bool
  sample: true
sent:
  description: How many frames were sent.
  returned: when O(step=send)
  type: int
  sample: 16
unsent:
  description: The endpoints whose frames could not enter the bridge, with the reason.
  returned: when O(step=send)
  type: dict
  sample: {}
released:
  description: Whether the lock was this run's and was given back.
  returned: when O(step=collect) and O(unlock=true)
  type: bool
  sample: true
skipped:
  description: That nothing was done.
  returned: in check mode
  type: bool
  sample: true
msg:
  description: What would be done.
  returned: in check mode
  type: str
  sample: "check mode: step send is not run, no frame is sent"
"""

import os
import secrets
import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.archetype.lab.plugins.module_utils import _argspec, _lock, _server, _standing
from ansible_collections.archetype.lab.plugins.module_utils._certify import run as certify
from ansible_collections.archetype.lab.plugins.module_utils._certify.proofs import proofs
from ansible_collections.archetype.lab.plugins.module_utils._declared import Link
from ansible_collections.archetype.lab.plugins.module_utils._runner import run_module
from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_argspec.lab_option(),
            **_argspec.layer_options(),
            "server": {"type": "str", "required": True},
            "links": {"type": "list", "elements": "dict", "required": True, "options": _argspec.link_options()},
            "step": {"type": "str", "choices": ["listen", "send", "collect", "all"], "default": "all"},
            "token": {"type": "str", "no_log": False},
            "timeout": {"type": "float", "default": 2.0},
            "lifetime": {"type": "float", "default": 120.0},
            "unlock": {"type": "bool", "default": False},
        },
        required_if=[("step", step, ["token"]) for step in ("listen", "send", "collect")],
        supports_check_mode=True,
    )
    params = module.params
    step = params["step"]

    def work() -> dict[str, object]:
        if module.check_mode:
            return {"changed": False, "skipped": True, "msg": f"check mode: step {step} is not run, no frame is sent"}
        run = certify.Run(
            lab=params["lab"],
            token=params["token"] or secrets.token_hex(8),
            server=params["server"],
            bridge=params["bridge"],
            links=tuple(Link.from_params(link) for link in params["links"]),
            timeout=params["timeout"],
            lifetime=params["lifetime"],
        )
        with Server() as server:
            done = certify.STEPS[step](run, server)
        if step in ("collect", "all") and os.path.isdir(_server.run_path(run.lab)):
            _standing.prove(run.lab, proofs(run.links, run.server, done), time.time())
        released = {"released": _lock.release(run.lab, run.token)} if step == "collect" and params["unlock"] else {}
        return {"changed": False, **done, **released}

    run_module(module, work)


if __name__ == "__main__":
    main()
