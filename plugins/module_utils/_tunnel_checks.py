# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What stops a run before it touches a server: tunnels declared wrongly, and tags and VNIs that somebody else has."""

from __future__ import annotations

import ipaddress
import typing as t
from collections import Counter

from ansible_collections.archetype.lab.plugins.module_utils._declared import Tunnel
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsPort
from ansible_collections.archetype.lab.plugins.module_utils._ownership import LAB, LINK, ROLE
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import TUNNEL, Have, family_of, found_at, tags_of

NAME_LENGTH = 15
MAX_VNI = (1 << 24) - 1
MIN_MTU = {4: 68, 6: 1280}
MAX_MTU = 65535
_T = t.TypeVar("_T", int, str)


def check_lab(lab: str) -> list[LabError]:
    if not lab or ":" in lab:
        return [LabError(f"{lab!r} cannot be the name of a lab", hint="it must not be empty, and must not hold a colon")]
    return []


def check_names(want: t.Sequence[Tunnel]) -> list[LabError]:
    """What must be right for a removal too."""
    errors: list[LabError] = []
    names = [tunnel.name for tunnel in want]
    for place, name in enumerate(names):
        if names.index(name) != place:
            errors.append(LabError(f"tunnel {name} is listed twice: at {names.index(name)} and {place} of tunnels", objects=(name,)))
        if not name or len(name.encode()) > NAME_LENGTH or "/" in name or any(one.isspace() for one in name) or name in (".", ".."):
            hint = f"use at most {NAME_LENGTH} bytes, without slash and space"
            errors.append(LabError(f"{name!r} cannot be the name of a tunnel's device", hint=hint, objects=(name,)))
    return errors


def check_values(tunnel: Tunnel) -> list[LabError]:
    """What is wrong with one tunnel that is to be present."""
    wrong = _wrong_addresses(tunnel)
    if not 1 <= tunnel.vni <= MAX_VNI:
        wrong.append(f"vni {tunnel.vni} is not in 1-{MAX_VNI}")
    if not 1 <= tunnel.dst_port <= 65535:
        wrong.append(f"dst_port {tunnel.dst_port} is not in 1-65535")
    wrong += [f"tag {tag} is not in 1-4094" for tag in tags_of(tunnel) if not 1 <= tag <= 4094]
    if tunnel.shared and (tunnel.link or tunnel.tag is not None):
        wrong.append("it has links, and also link or tag: a shared tunnel has links only")
    if not tunnel.shared and tunnel.tag is None:
        wrong.append("it has neither tag nor links")
    wrong += [f"tag {tag} is twice in its links" for tag in _twice(link.tag for link in tunnel.links)]
    wrong += [f"link {key} is twice in its links" for key in _twice(link.key for link in tunnel.links)]
    return [LabError(f"tunnel {tunnel.name}: {text}", objects=(tunnel.name,)) for text in wrong]


def _twice(values: t.Iterable[_T]) -> list[_T]:
    return [value for value, count in Counter(values).items() if count > 1]


def _wrong_addresses(tunnel: Tunnel) -> list[str]:
    wrong: list[str] = []
    families: set[int] = set()
    for address in (tunnel.local, *tunnel.remotes):
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            wrong.append(f"{address!r} is not an IP address")
            continue
        families.add(ip.version)
        if ip.is_multicast or ip.is_unspecified:
            wrong.append(f"{address} is not the address of a server")
    if not tunnel.remotes:
        wrong.append("it has no remotes")
    if wrong:
        return wrong
    if len(families) > 1:
        wrong.append(f"local {tunnel.local} and remotes {', '.join(tunnel.remotes)} are not all IPv4 or all IPv6")
    if tunnel.local in tunnel.remotes:
        wrong.append(f"{tunnel.local} is local and also a remote")
    lowest = MIN_MTU[max(families)]
    if not lowest <= tunnel.mtu <= MAX_MTU:
        wrong.append(f"mtu {tunnel.mtu} is not in {lowest}-{MAX_MTU}")
    return wrong


def check_among(want: t.Sequence[Tunnel]) -> list[LabError]:
    """Tunnels of the list that cannot be on one server together."""
    errors: list[LabError] = []
    vnis: dict[tuple[int, int, int], str] = {}
    tags: dict[int, str] = {}
    for tunnel in want:
        other = vnis.setdefault((tunnel.vni, tunnel.dst_port, family_of(tunnel.local)), tunnel.name)
        if other != tunnel.name:
            errors.append(
                LabError(f"tunnels {other} and {tunnel.name} are both declared with vni {tunnel.vni}", objects=(other, tunnel.name))
            )
        for tag in tags_of(tunnel):
            other = tags.setdefault(tag, tunnel.name)
            if other != tunnel.name:
                text = f"tunnels {other} and {tunnel.name} are both declared with tag {tag}"
                errors.append(LabError(text, hint="every link needs a tag of its own on a server", objects=(other, tunnel.name)))
    return errors


class Clashes:
    """Who else has the VNI or a tag of a tunnel, found in one pass over what is there."""

    def __init__(self, have: Have, lab: str, bridge: str) -> None:
        self._have = have
        self._lab = lab
        self._vnis: dict[tuple[int, int], list[Device]] = {}
        self._tags: dict[int, list[OvsPort]] = {}
        for device in have.devices.values():
            if device.vxlan is not None:
                self._vnis.setdefault((device.vxlan.vni, device.vxlan.dst_port), []).append(device)
        for port in have.ovs.ports.values():
            if port.bridge == bridge:
                for tag in {port.tag, *port.trunks} - {None}:
                    self._tags.setdefault(t.cast("int", tag), []).append(port)

    def of(self, tunnel: Tunnel) -> tuple[set[str], set[str], list[LabError]]:
        """Names of our own tunnels that are in the way as they are, and of our ports of other links; errors for what is not ours."""
        doomed: set[str] = set()
        strays: set[str] = set()
        errors: list[LabError] = []
        for device in self._vni_holders(tunnel):
            if not found_at(device.name, self._have).belongs_to(self._lab):
                errors.append(self._taken(tunnel, f"vni {tunnel.vni} (port {tunnel.dst_port})", device.name))
            else:
                doomed.add(device.name)
        for tag in tags_of(tunnel):
            for port in self._tags.get(tag, ()):
                if port.name == tunnel.name:
                    continue
                if self._is_a_port_of_ours(port):
                    strays |= {port.name} if port.external_ids.get(LINK, "") not in _links_with(tunnel, tag) else set()
                elif not found_at(port.name, self._have).belongs_to(self._lab):
                    errors.append(self._taken(tunnel, f"tag {tag}", port.name))
                else:
                    doomed.add(port.name)
        return doomed, strays, errors

    def _vni_holders(self, tunnel: Tunnel) -> list[Device]:
        """The kernel has one device per VNI, UDP port and address family, whatever the addresses are."""
        return [
            device
            for device in self._vnis.get((tunnel.vni, tunnel.dst_port), ())
            if device.name != tunnel.name and device.vxlan is not None and _family(device) == family_of(tunnel.local)
        ]

    def _is_a_port_of_ours(self, port: OvsPort) -> bool:
        """A node's port of this lab: the other end of the link, or stale, which is the business of the ports layer."""
        return port.external_ids.get(LAB) == self._lab and port.external_ids.get(ROLE) != TUNNEL

    def _taken(self, tunnel: Tunnel, what: str, name: str) -> LabError:
        return ForeignError(
            f"tunnel {tunnel.name}: {what} is taken by {name}, {found_at(name, self._have).owner()}",
            hint=f"remove {name}, or deploy again so that another value is chosen",
            objects=(tunnel.name, name),
        )


def _links_with(tunnel: Tunnel, tag: int) -> set[str]:
    return {link.key for link in tunnel.links if link.tag == tag} if tunnel.shared else {tunnel.link}


def _family(device: Device) -> int:
    vxlan = device.vxlan
    return family_of(next((one for one in (vxlan.local, *vxlan.remotes) if one), "")) if vxlan is not None else 4
