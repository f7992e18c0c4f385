# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: plan
short_description: Decide everything about a lab before any server is touched
version_added: 0.1.0
author: archetype.lab contributors (@archetype-lab)
description:
  - Reads a lab file and the topology it names, places the nodes on servers, and gives every link its tags, its VNI, and every interface
    its device and MAC address.
  - A pure function - it touches no server, and the same lab file, servers and observations give the same plan.
  - What the lab has on the servers already keeps its numbers; what others have there is avoided.
  - Everything that is wrong is told at once - in the files, with names, with missing images, with servers that could not be observed.
options:
  _terms:
    description: Path of the lab file (C(*.lab.yml)).
    type: list
    elements: path
    required: true
  servers:
    description: Server to underlay address, the address at which the other servers reach it.
    type: dict
    required: true
  observed:
    description:
      - Server to what M(archetype.lab.lab_info) returned for it.
      - If nothing is given, the plan is a preview, which knows of nothing that is there already.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show where the nodes of a lab would run
  ansible.builtin.debug:
    msg: "{{ lookup('archetype.lab.plan', 'demo.lab.yml', servers={'srv1': '198.51.100.1', 'srv2': '198.51.100.2'}).placement }}"
"""

RETURN = r"""
_raw:
  description: One plan for each lab file.
  type: list
  elements: dict
  contains:
    format: {description: Version of the plan., type: int}
    lab: {description: Name of the lab., type: str}
    lock_file: {description: Path of the lock file on the controller., type: str}
    bridge: {description: The bridge of every server., type: dict}
    overlay_mode: {description: V(per_link) or V(shared)., type: str}
    device_group: {description: The link group of the lab's devices., type: int}
    placement: {description: Node to server., type: dict}
    nodes: {description: 'Node to its kind, server, container, image, shell command and interfaces.', type: dict}
    links: {description: 'Link key to its scope, MTU, VNI, tags, tunnels and endpoints.', type: dict}
    slices: {description: Server to its declared state., type: dict}
    notes: {description: What the user should know., type: list, elements: str}
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._plain import plain
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import ServerFacts, make_plan


class LookupModule(LookupBase):  # type: ignore[misc]
    """C(lookup('archetype.lab.plan', ...))."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[dict[str, t.Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        servers = {name: ServerFacts(str(address or "")) for name, address in plain(self.get_option("servers")).items()}
        observed = plain(self.get_option("observed") or {})
        try:
            return [make_plan(load_lab_file(plain(term)), servers, observed) for term in terms]
        except LabFileError as error:
            raise AnsibleLookupError(str(error)) from None  # the problems are whole; a chain would repeat them
