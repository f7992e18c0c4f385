# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is on a server and is not the lab's: tags, VNIs, names of devices and containers that the lab must not take.

Where a management network is planned: subnets, and ports that are published or listened on, too.
MAC addresses are not among it: they are digests of lab and endpoint, and no wire joins two labs.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsPort, OvsState
from ansible_collections.archetype.lab.plugins.module_utils._ownership import describe_owner, owner_of, parse_alias
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import links_of

Claims = dict[str, dict[str, str]]
Published = tuple[str, int, str]
"""Protocol, port, and address; the address of all is empty."""


@dataclass(frozen=True)
class Network:
    """The server's own network. devices: with addresses and routes. published: -> the other lab."""

    devices: t.Mapping[str, Device] = field(default_factory=dict)
    listeners: t.Collection[Published] = ()
    published: t.Mapping[Published, str] = field(default_factory=dict)


def claims(
    lab: str,
    bridge: str,
    ovs: OvsState,
    devices: t.Mapping[str, Device],
    containers: t.Mapping[str, t.Mapping[str, str]],
    asked: t.Collection[str] = (),
    network: Network | None = None,
) -> Claims:
    """Each claim -> whose it is, in words. containers: name -> labels. asked: the container names that matter; none is all.

    network: what a management network could clash with; None where there is to be none.
    """
    return {
        "tags": _tags(lab, bridge, ovs, devices),
        "vnis": _vnis(lab, ovs, devices),
        "devices": _names(lab, ovs, devices),
        "macs": {},
        "containers": {
            name: describe_owner(labels)
            for name, labels in sorted(containers.items())
            if owner_of(labels) != lab and (not asked or name in asked)
        },
        "subnets": _subnets(lab, network.devices) if network else {},
        "published": _published(network) if network else {},
    }


def _subnets(lab: str, devices: t.Mapping[str, Device]) -> dict[str, str]:
    """Where this server has addresses or routes of somebody else, in CIDR form."""
    found: dict[str, str] = {}
    for name, device in sorted(devices.items()):
        mark = parse_alias(device.alias)
        if mark is not None and mark.lab == lab:
            continue
        texts = [*(one.text for one in device.addresses), *(one.to for one in device.routes if one.to != "default")]
        for text in texts:
            network = ipaddress.ip_network(text, strict=False)
            if not (network.is_loopback or network.is_link_local or network.is_multicast):
                found.setdefault(str(network), _words("device", name, mark.lab if mark else None))
    return found


def _published(network: Network) -> dict[str, str]:
    """C(protocol:port:address) -> whose; the address of all is an asterisk."""
    found = dict.fromkeys(network.listeners, "a program listens on it")
    found.update({one: f"lab {lab}" for one, lab in network.published.items()})
    return {f"{protocol}:{port}:{address or '*'}": who for (protocol, port, address), who in sorted(found.items())}


def owner(name: str, ovs: OvsState, devices: t.Mapping[str, Device]) -> str | None:
    """The lab that a port or device of this name belongs to, or None when it is foreign. The device's mark is as good as the port's."""
    port, device = ovs.ports.get(name), devices.get(name)
    mark = parse_alias(device.alias) if device is not None else None
    return (owner_of(port.external_ids) if port is not None else None) or (mark.lab if mark else None)


def _words(what: str, name: str, whose: str | None) -> str:
    return f"lab {whose}" if whose else f"{what} {name} (foreign)"


def _tags(lab: str, bridge: str, ovs: OvsState, devices: t.Mapping[str, Device]) -> dict[str, str]:
    found: dict[int, str] = {}
    for name, port in sorted(ovs.ports.items()):
        whose = owner(name, ovs, devices)
        if port.bridge == bridge and whose != lab:
            for tag in _tags_of(port):
                found.setdefault(tag, _words("port", name, whose))
    return {str(tag): found[tag] for tag in sorted(found)}


def _tags_of(port: OvsPort) -> set[int]:
    """The tags that a port uses. A trunk without a list carries all, which claims none."""
    own = set() if port.tag is None else {port.tag}
    return own | set(port.trunks) | {link.tag for link in links_of(port.external_ids)}


def _vnis(lab: str, ovs: OvsState, devices: t.Mapping[str, Device]) -> dict[str, str]:
    found = {
        device.vxlan.vni: _words("device", name, whose)
        for name, device in sorted(devices.items())
        if device.vxlan is not None and (whose := owner(name, ovs, devices)) != lab
    }
    return {str(vni): found[vni] for vni in sorted(found)}


def _names(lab: str, ovs: OvsState, devices: t.Mapping[str, Device]) -> dict[str, str]:
    """All names that a device cannot take, those of records of ports without a device included."""
    found = {name: _words("device", name, whose) for name in devices if (whose := owner(name, ovs, devices)) != lab}
    found.update({name: _words("port", name, whose) for name in ovs.ports if (whose := owner(name, ovs, devices)) != lab})
    return dict(sorted(found.items()))
