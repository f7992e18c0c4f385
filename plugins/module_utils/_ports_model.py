# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is asked of the ports layer, what it read, and what it will do; and what can be wrong with the request itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, DropDevice, NetOp
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsOp, OvsState

PORT_ROLE = "port"
"""The role mark of a port, and the kind in the mark of its device."""

NAME_LENGTH = 15
"""The longest name of a network device."""


@dataclass(frozen=True)
class Request:
    """What is asked for. prune: the list is complete, and what else the lab has is removed; with absent that is everything."""

    lab: str
    ports: tuple[Port, ...] = ()
    bridge: str = "arch-ovs"
    absent: bool = False
    prune: bool = False


@dataclass(frozen=True)
class Sandbox:
    """The network namespace of a node: the path that leads to it, and the devices inside."""

    netns: str
    devices: t.Mapping[str, Device] = field(default_factory=dict)


@dataclass(frozen=True)
class Have:
    """Everything that was read. sandboxes: only those that run."""

    ovs: OvsState
    devices: t.Mapping[str, Device] = field(default_factory=dict)
    sandboxes: t.Mapping[str, Sandbox] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """What is done for one port. net is carried out before ovs; deletions of all ports come first."""

    change: Change
    drops: tuple[DropDevice, ...] = ()
    net: tuple[NetOp, ...] = ()
    ovs: tuple[OvsOp, ...] = ()


@dataclass(frozen=True)
class Plan:
    """blocked: what cannot be done yet because something it builds on is missing; an error in a real run only."""

    works: tuple[Work, ...] = ()
    blocked: tuple[LabError, ...] = ()

    @property
    def changes(self) -> list[Change]:
        return [work.change for work in self.works]


def endpoint_of(port: Port) -> str:
    """What a human calls a port: C(r1:eth1)."""
    return f"{port.node or port.sandbox}:{port.interface}" if port.interface else port.node


def described(port: Port) -> str:
    endpoint = endpoint_of(port)
    return f"port {port.name} ({endpoint})" if endpoint else f"port {port.name}"


def check_request(want: Request) -> list[LabError]:
    """What is wrong with the request itself."""
    errors: list[LabError] = []
    if ":" in want.lab or not want.lab:
        errors.append(LabError(f"{want.lab!r} cannot be the name of a lab", hint="it must not be empty and must not hold a colon"))
    names: dict[str, int] = {}
    ends: dict[tuple[str, str], str] = {}
    for place, port in enumerate(want.ports):
        if port.name in names:
            errors.append(LabError(f"port {port.name} is listed twice: at {names[port.name]} and {place} of ports", objects=(port.name,)))
        names.setdefault(port.name, place)
        if port.device == "veth" and not want.absent:
            end = (port.sandbox, port.interface)
            if end in ends:
                errors.append(
                    LabError(
                        f"interface {port.interface} of sandbox {port.sandbox} is listed twice: for ports {ends[end]} and {port.name}",
                        objects=(ends[end], port.name),
                    )
                )
            ends.setdefault(end, port.name)
        errors += _check_port(port, absent=want.absent)
    return errors


def _check_port(port: Port, *, absent: bool) -> list[LabError]:
    rule = f"at most {NAME_LENGTH} bytes, no slash, no space"
    wrong = [f"{name!r} cannot be the name of a device ({rule})" for name in (port.name, port.interface) if not _is_name(name)]
    if not port.name:
        wrong.append("it has no name")
    if port.device == "veth" and not absent and not (port.sandbox and port.interface):
        wrong.append("device=veth needs sandbox and interface")
    wrong += [f"{tag} is not a VLAN tag (1 to 4094)" for tag in sorted(tags_of(port)) if not 1 <= tag <= 4094]
    return [LabError(f"{described(port)}: {one}", objects=(port.name,)) for one in wrong]


def _is_name(name: str) -> bool:
    return len(name.encode()) <= NAME_LENGTH and "/" not in name and name not in (".", "..") and not any(one.isspace() for one in name)


def tags_of(port: Port) -> set[int]:
    return {*port.trunks, *([] if port.tag is None else [port.tag])}
