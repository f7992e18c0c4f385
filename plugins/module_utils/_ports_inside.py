# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is set on a node's interface: its addresses, the routes over it, and what it does with what it sends. Pure.

What the lab put there is told by a mark of its own (C(_netlink._wire.OURS), C(_netlink._tc.HANDLE)), and goes when it is not
declared any more. What the node or its user put there stays. That holds for routes too: where the node has a way to the same prefix by
itself, the lab's is not forced on it.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._netlink import _tc
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import (
    Device,
    DeviceRoute,
    DropAddress,
    DropQdisc,
    DropRoute,
    PutAddress,
    PutQdisc,
    PutRoute,
    Qdisc,
    Setting,
)
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import described

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
    from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Sandbox

Fields = dict[str, tuple[t.Any, t.Any]]
_MTU = 9500


def settings(port: Port, sandbox: Sandbox, inside: Device | None) -> tuple[list[Setting], Fields]:
    """What has to be done to an interface, and the fields that differ. inside: None where the interface is only about to be made."""
    addresses, address_fields = _addresses(port, sandbox, inside)
    gone = any(isinstance(op, DropAddress) for op in addresses)
    routes, route_fields = _routes(port, sandbox, inside, again=gone)
    qdisc, qdisc_fields = _qdisc(port, sandbox, inside)
    return [*addresses, *routes, *qdisc], {**address_fields, **route_fields, **qdisc_fields}


def canonical(addresses: t.Iterable[str]) -> tuple[str, ...]:
    """Addresses as the kernel's are told."""
    return tuple(dict.fromkeys(str(ipaddress.ip_interface(address)) for address in addresses))


def _addresses(port: Port, sandbox: Sandbox, inside: Device | None) -> tuple[list[Setting], Fields]:
    want = canonical(port.addresses)
    have = inside.addresses if inside else ()
    ours = tuple(address.text for address in have if address.ours)
    there = {address.text for address in have}
    ops: list[Setting] = [DropAddress(port.interface, address, sandbox.netns) for address in ours if address not in want]
    ops += [PutAddress(port.interface, address, sandbox.netns) for address in want if address not in there]
    return ops, {"addresses inside": (ours, want)} if ops else {}


def _wanted_routes(port: Port) -> list[DeviceRoute]:
    routes = []
    for route in port.routes:
        via = ipaddress.ip_address(route.via)
        prefix = None if route.to == "default" else ipaddress.ip_network(route.to, strict=False)
        to = str(prefix) if prefix is not None and prefix.prefixlen else "default"
        routes.append(DeviceRoute(to, via.version, str(via), ours=True))
    return routes


def _routes(port: Port, sandbox: Sandbox, inside: Device | None, *, again: bool) -> tuple[list[Setting], Fields]:
    """again: an address goes, and the kernel takes the routes that it was needed for away with it.

    An interface that the node has down has no routes and can get none: they are put again when it is up.
    """
    if inside is not None and not inside.up and port.sandbox:
        return [], {}
    want = _wanted_routes(port)
    ours = [route for route in (inside.routes if inside else ()) if route.ours]
    foreign = {(route.to, route.family) for device in sandbox.devices.values() for route in device.routes if not route.ours}
    wanted = {(route.to, route.family) for route in want}
    gone = [route for route in ours if (route.to, route.family) not in wanted]
    due = [route for route in want if again or route not in ours]
    due = [route for route in due if route in ours or (route.to, route.family) not in foreign]
    ops: list[Setting] = [DropRoute(port.interface, route.to, route.via, sandbox.netns) for route in gone]
    ops += [PutRoute(port.interface, route.to, route.via, sandbox.netns) for route in due]
    changed = gone or any(route not in ours for route in due)
    return ops, {"routes inside": (_told(ours), _told(want))} if changed else {}


def _told(routes: t.Sequence[DeviceRoute]) -> tuple[str, ...]:
    return tuple(f"{route.to} via {route.via}" for route in routes)


def _qdisc(port: Port, sandbox: Sandbox, inside: Device | None) -> tuple[list[Setting], Fields]:
    have = inside.qdisc if inside else None
    have = have if have and have.ours else None
    want = _tc.wanted(port.impairment) if port.impairment else None
    if have == want:
        return [], {}
    ops: list[Setting] = [DropQdisc(port.interface, sandbox.netns)] if have else []
    if port.impairment and want:
        ops.append(PutQdisc(port.interface, port.impairment, sandbox.netns, mtu=port.mtu or _MTU))
    return ops, {"tc inside": (_words(have), _words(want))}


def _words(qdisc: Qdisc | None) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in _tc.in_words(qdisc).items()) if qdisc else ""


def in_the_way(port: Port, inside: Device | None) -> list[LabError]:
    """What the node or its user did to the interface that leaves no room for what is declared."""
    if inside is None or not port.impairment or inside.qdisc is None or inside.qdisc.ours:
        return []
    text = f"{described(port)}: the node has a queueing discipline of its own ({inside.qdisc.kind}) on {port.interface}, in the way of tc"
    return [ForeignError(text, hint="delete it in the node (tc qdisc del root), or take tc out of the link", objects=(port.name,))]
