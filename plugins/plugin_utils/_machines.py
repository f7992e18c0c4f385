# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""All virtual machines of a lab: their NICs, numbers and configurations, each in the shape of C(module_utils/_declared_vm.py)."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._allocation import Allocation
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_management import Joined
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_medium import configuration_of, declare_lease, declare_medium
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_vm import MachineNic, check_nics, declare_vm
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._files import FileReader
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef, Node, NodeInterface, TopologyLink
from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json
from ansible_collections.archetype.lab.plugins.plugin_utils._vm_nics import nics_of
from ansible_collections.archetype.lab.plugins.plugin_utils._vm_numbers import console_ports, idle_macs

Ends = t.Mapping[str, t.Sequence[tuple[EndpointRef, TopologyLink]]]


class Machines:
    """nodes: all of the lab. interfaces: node -> its ends, in the device's order."""

    def __init__(self, lab: str, nodes: t.Mapping[str, Node], interfaces: Ends, joined: Joined) -> None:
        self.lab = lab
        self.nodes = {name: node for name, node in sorted(nodes.items()) if node.native}
        self.interfaces = interfaces
        self.joined = joined
        self.leases: dict[str, list[Json]] = {}
        """Server -> what its machines are told by DHCP; filled in by declare()."""

    def problems(self) -> list[Problem]:
        """Links that end in no NIC, and what a machine's links cannot do."""
        found: list[Problem] = []
        for name, node in self.nodes.items():
            ends = self.interfaces[name]
            found += check_nics(node, [(end.interface, link) for end, link in ends])
            found += [_impaired(end, link) for end, link in ends if end.impairment]
        return found

    def consoles(self, placement: t.Mapping[str, str], observed: t.Mapping[str, Json]) -> tuple[dict[str, tuple[int, ...]], list[Problem]]:
        """Machine -> TCP ports of its serial ports."""
        return console_ports(self.lab, self.nodes, placement, observed)

    def declare(
        self,
        allocation: Allocation,
        reader: FileReader,
        *,
        claimed_macs: t.Iterable[str] = (),
        consoles: t.Mapping[str, t.Sequence[int]],
        numbers: t.Mapping[str, int],
        waits: t.Mapping[str, t.Sequence[str]],
    ) -> dict[str, dict[str, t.Any]]:
        """Machine -> as it is declared. claimed_macs: what is in use elsewhere. waits: node -> all that it waits for."""
        nics = self._nics(allocation, claimed_macs)
        return {
            name: self._machine(node, nics[name], reader, numbers[name], consoles.get(name, ()), waits.get(name, ()))
            for name, node in self.nodes.items()
        }

    def _nics(self, allocation: Allocation, claimed: t.Iterable[str]) -> dict[str, list[MachineNic]]:
        places = {
            name: nics_of(node.profile.interfaces, [end.interface for end, _link in self.interfaces[name]])
            for name, node in self.nodes.items()
        }
        idle = {name: [one.interface for one in some if f"{name}:{one.interface}" not in allocation.ports] for name, some in places.items()}
        macs = idle_macs(self.lab, idle, {*allocation.macs.values(), *claimed})
        macs |= {(end.node, end.interface): allocation.macs[end.name] for name in self.nodes for end, _link in self.interfaces[name]}
        return {
            name: [MachineNic(one, macs[name, one.interface], allocation.ports.get(f"{name}:{one.interface}", "")) for one in some]
            for name, some in places.items()
        }

    def _machine(
        self, node: Node, nics: t.Sequence[MachineNic], reader: FileReader, number: int, consoles: t.Sequence[int], waits: t.Sequence[str]
    ) -> dict[str, t.Any]:
        macs = {one.place.interface: one.mac for one in nics}
        data = [end for end, _link in self.interfaces[node.name] if not self.joined.is_management(end)]
        interfaces = [
            NodeInterface(end.interface, end.vendor_name or end.interface, macs[end.interface], end.ipv4, end.ipv6) for end in data
        ]
        management = self.joined.addresses(node.name, nics[0].mac)
        content = configuration_of(node, interfaces, reader, management=management, number=number)
        if management is not None and management.ipv4:
            self.leases.setdefault(self.joined.homes[node.name], []).append(declare_lease(node, management, content))
        medium = declare_medium(node, content, interfaces, self.lab, management=management, mac=nics[0].mac)
        return declare_vm(node, nics, medium=medium, serial_ports=consoles, waits_for=waits)


def _impaired(end: EndpointRef, link: TopologyLink) -> Problem:
    what = f"link {link.key}: tc cannot hold for what {end.name} sends, as {end.node} is a virtual machine, in which the lab sets nothing"
    remedy = "Write tc at the other end of the link, for what that sends, or take it out"
    return Problem(link.place.file, link.place.line, link.place.column, what, remedy)
