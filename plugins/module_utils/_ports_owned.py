# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Whose ports and devices are, as far as ports are concerned, and what of others stands in the way. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._errors import AGAIN, MEND_TOO, ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsPort
from ansible_collections.archetype.lab.plugins.module_utils._ownership import LINK, ROLE, Alias, describe_owner, owner_of, parse_alias
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import (
    DEVICE_ROLES,
    END_ROLE,
    HOST_ROLE,
    INSIDE,
    MADE,
    OUTSIDE,
    PAIRS,
    PORT_ROLE,
    Have,
    Request,
    Sandbox,
    described,
    endpoint_of,
    tags_of,
)


class Owned:
    """What of everything that is there is the lab's."""

    def __init__(self, want: Request, have: Have) -> None:
        self.want = want
        self.have = have
        self.lab = want.lab
        self.by_index = {device.index: device for device in have.devices.values()}

    def names(self) -> list[str]:
        """The names of all ports of this lab: those with its mark in Open vSwitch, on a device, or on both. In stable order."""
        found = {name for name, port in self.have.ovs.ports.items() if self.has_port(port)}
        found |= {name for name, device in self.have.devices.items() if self.has_device(device)}
        return sorted(found)

    def has_port(self, port: OvsPort) -> bool:
        """Ours by its mark; or, where that was cleared, by the mark on its device."""
        if owner_of(port.external_ids) is not None:
            return owner_of(port.external_ids) == self.lab and port.external_ids.get(ROLE) == PORT_ROLE
        device = self.have.devices.get(port.name)
        return device is not None and self.has_device(device)

    def has_device(self, device: Device) -> bool:
        """Ours, and the device of a port: not the other end of one."""
        mark = parse_alias(device.alias)
        return mark is not None and mark.lab == self.lab and mark.kind in DEVICE_ROLES

    def alias(self, port: Port) -> str:
        return str(Alias(self.lab, HOST_ROLE if port.device == "host" else PORT_ROLE, endpoint_of(port)))

    def end_alias(self, port: Port) -> str:
        return str(Alias(self.lab, END_ROLE, endpoint_of(port)))

    def inside(self) -> t.Iterator[tuple[str, Device]]:
        """The lab's own devices in sandboxes: sandbox, device."""
        for name, sandbox in sorted(self.have.sandboxes.items()):
            if name:
                yield from ((name, device) for _name, device in sorted(sandbox.devices.items()) if self.has_device(device))

    def outside_of(self, inside: Device) -> Device | None:
        """The server's device that this one is the other end of."""
        outside = self.by_index.get(inside.peer_index or 0)
        return outside if outside is not None and connected(outside, inside) else None

    # what is not ours

    def foreign(self, name: str, *, device_too: bool = True) -> list[LabError]:
        """What has this name and is not ours."""
        errors: list[LabError] = []
        port = self.have.ovs.ports.get(name)
        if port is not None and not self.has_port(port):
            owner = describe_owner(port.external_ids)
            if owner_of(port.external_ids) == self.lab:
                owner = f"a {port.external_ids.get(ROLE) or 'port of another sort'} of this lab"
            errors.append(_in_the_way(f"an OVS port named {name} is on bridge {port.bridge}", owner, name))
        device = self.have.devices.get(name)
        if device is not None and device_too and not errors and not self.has_device(device):
            errors.append(_in_the_way(f"a network device named {name} exists", device_owner(device, self.lab), name))
        return errors

    def conflicts(self, port: Port, owned: list[str]) -> list[LabError]:
        """Everything that stops the run before it begins."""
        device = self.have.devices.get(port.name)
        marked = device is not None and parse_alias(device.alias) is not None
        if port.device not in INSIDE:
            errors = self.foreign(port.name, device_too=port.device in MADE or marked)
            if errors:
                return errors
        errors = self._no_parent(port) if port.device == "macvlan" else []
        if port.device not in OUTSIDE:
            errors += self._foreign_interface(port)
        if port.enabled:
            errors += self._taken_tags(port, set(owned))
        return errors

    def _no_parent(self, port: Port) -> list[LabError]:
        """A macvlan needs its device now, or that it is made in this run."""
        made = {name for one in self.want.ports if one.device in PAIRS for name in (one.name, "" if one.sandbox else one.interface)}
        if port.parent in self.have.devices or port.parent in made:
            return []
        there = ", ".join(sorted(name for name, device in self.have.devices.items() if name != "lo" and not parse_alias(device.alias)))
        text = f"{described(port)}: the server has no device {port.parent} for a macvlan"
        return [LabError(text, hint=f"name one that it has ({there or 'there is none'}), or make it first", objects=(port.name,))]

    def _foreign_interface(self, port: Port) -> list[LabError]:
        """An interface of the wanted name in the sandbox that is not the lab's."""
        sandbox = self.have.sandboxes.get(port.sandbox)
        inside = sandbox.devices.get(port.interface) if sandbox else None
        if inside is None or (port.sandbox and self.has_device(inside)):
            return []
        outside = self.outside_of(inside)
        if outside is not None and self.has_device(outside):
            return []
        if not port.sandbox:
            return [_in_the_way(f"a network device named {port.interface} exists", device_owner(inside, self.lab), port.interface)]
        where = f"sandbox {port.sandbox} has an interface {port.interface} that does not lead to a port of this lab"
        if outside is not None:
            where += f" but to {outside.name}; that belongs to: {device_owner(outside, self.lab)}"
        return [ForeignError(where, hint=f"remove it, or remove container {port.sandbox} and {AGAIN}", objects=(port.name,))]

    def _taken_tags(self, port: Port, owned: set[str]) -> list[LabError]:
        """Tags that a port which is not of this lab uses, as the bridge has them now."""
        errors: list[LabError] = []
        tags = tags_of(port)
        for other in self.have.ovs.ports.values() if tags else ():
            if other.bridge != self.want.bridge or other.name == port.name:
                continue
            ours = other.name in owned or owner_of(other.external_ids) == self.lab
            if ours and (other.name not in self.want.spared or other.external_ids.get(LINK, "") == port.link):
                continue
            for tag in sorted(tags & {*other.trunks, *([] if other.tag is None else [other.tag])}):
                what = f"tag {tag} of {described(port)} is used on bridge {other.bridge} by port {other.name}"
                owner = "this lab, and is left alone" if ours else describe_owner(other.external_ids)
                objects = (port.name,) if ours else (port.name, other.name)
                hint = MEND_TOO if ours else f"remove {other.name}, or deploy again so that another tag is chosen"
                errors.append(ForeignError(f"{what}; it belongs to: {owner}", hint=hint, objects=objects))
        return errors


def connected(outside: Device, inside: Device) -> bool:
    """Whether these two, in their two namespaces, are the ends of one pair."""
    return outside.peer_index == inside.index and inside.peer_index == outside.index


def why_not(port: Port, alias: str, inside: Device, have: Have) -> str:
    """Why a device in a sandbox is not the one that is wanted there, or nothing."""
    if inside.kind != port.device or inside.alias != alias:
        return f"{port.interface} of sandbox {port.sandbox} is no {port.device} of this port"
    parent = have.devices.get(port.parent)
    if port.device == "macvlan" and (parent is None or inside.parent_index != parent.index):
        return f"it is not on {port.parent}"
    if port.device == "macvlan" and inside.mode != (port.mode or "bridge"):
        return f"its mode is {inside.mode} and not {port.mode or 'bridge'}"
    return ""


def interface_of(port: Port, have: Have) -> tuple[Sandbox | None, Device | None]:
    """The sandbox of a port where it runs, and what has the interface's name there."""
    if port.device in OUTSIDE:
        return None, None
    sandbox = have.sandboxes.get(port.sandbox)
    return sandbox, sandbox.devices.get(port.interface) if sandbox else None


def device_owner(device: Device, lab: str) -> str:
    mark = parse_alias(device.alias)
    if mark is None:
        return describe_owner(None)
    return f"lab {mark.lab}" if mark.lab != lab else f"a {mark.kind} of this lab"


def _in_the_way(what: str, owner: str, name: str) -> ForeignError:
    return ForeignError(f"{what}; it belongs to: {owner}", hint="remove or rename it; it was not touched", objects=(name,))
