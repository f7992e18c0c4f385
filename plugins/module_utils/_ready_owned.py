# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whose it is what has the name of a node. What is not the lab's gets no key, no command and no password."""

from __future__ import annotations

from ansible_collections.archetype.lab.plugins.module_utils import _vm_xml
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain
from ansible_collections.archetype.lab.plugins.module_utils._ownership import describe_owner, owner_of
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms, uuid_of


def foreign(lab: str, one: Access, found: DockerContainer | Domain) -> str:
    """Why what was found is not this node of the lab, and what to do about it; empty where it is the node."""
    if isinstance(found, DockerContainer):
        what, whose = "container", "" if owner_of(found.labels) == lab else describe_owner(found.labels)
    else:
        what, whose = "domain", _whose(lab, one, found)
    return whose and f"{what} {one.name} is {whose}, not node {one.node} of lab {lab}; remove or rename it, or give the lab another name"


def _whose(lab: str, one: Access, domain: Domain) -> str:
    spec = _vm_xml.read(domain.xml)
    have = HaveVms(domains={one.name: domain}, marks={one.name: spec.mark} if spec else {})
    if not have.ours(one.name, lab) or spec is None:
        return have.whose(one.name)
    return "" if domain.uuid == uuid_of(lab, one.node) else f"node {spec.mark.node}"
