# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a tunnel is on a server: a VXLAN device and a port of the same name, either of which may be missing, and their marks.

A tunnel with one link has its key in C(archetype-link). One that is shared has C(archetype-link-<tag>) for every link that it
carries: that is how it is counted, with no file or number to get out of step.
"""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.archetype.lab.plugins.module_utils._declared import Tunnel, TunnelLink
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, Vxlan
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsPort, OvsState
from ansible_collections.archetype.lab.plugins.module_utils._ownership import LAB, LINK, ROLE, Alias, owner_of, parse_alias

TUNNEL = "tunnel"
"""The role mark of a tunnel's port, and the kind in the mark of its device."""


@dataclass(frozen=True)
class Have:
    """Everything that was read, at one moment."""

    ovs: OvsState
    devices: t.Mapping[str, Device] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What has a tunnel's name on this server: a device, a port, both or neither."""

    name: str
    device: Device | None = None
    port: OvsPort | None = None

    @property
    def nothing(self) -> bool:
        return self.device is None and self.port is None

    @property
    def stranger(self) -> bool:
        """Whether its device is somebody else's: it has no mark, and is no tunnel either.

        Each of ours got its mark as it was made. A tunnel without one, on a port of ours, is ours made anew by hand.
        """
        return self.device is not None and self.device.vxlan is None and parse_alias(self.device.alias) is None

    def belongs_to(self, lab: str) -> bool:
        """One mark of the lab is enough, so that what was left by half is known again; a mark of anybody else is not."""
        marks = self._marks()
        return bool(marks) and all(mark == (lab, TUNNEL) for mark in marks)

    def owner(self) -> str:
        """Words for an error about whose it is."""
        for lab, role in self._marks():
            return f"lab {lab}" if role == TUNNEL else f"a {role} of lab {lab}"
        return f"foreign (no {LAB} mark)"

    def _marks(self) -> list[tuple[str, str]]:
        marks: list[tuple[str, str]] = []
        alias = parse_alias(self.device.alias) if self.device is not None else None
        if alias is not None:
            marks.append((alias.lab, alias.kind))
        lab = owner_of(self.port.external_ids) if self.port is not None else None
        if lab is not None and self.port is not None:
            marks.append((lab, self.port.external_ids.get(ROLE, "port")))
        return marks

    def links(self) -> tuple[TunnelLink, ...]:
        """The links that a shared tunnel carries, by tag."""
        return links_of(self.port.external_ids) if self.port is not None else ()


def found_at(name: str, have: Have) -> Found:
    return Found(name, have.devices.get(name), have.ovs.ports.get(name))


def owned(lab: str, have: Have) -> list[Found]:
    """All tunnels of a lab, whole or by half, by name."""
    names = [name for name, device in have.devices.items() if device.alias]
    names += [name for name, port in have.ovs.ports.items() if owner_of(port.external_ids)]
    every = (found_at(name, have) for name in sorted(set(names)))
    return [one for one in every if one.belongs_to(lab)]


def links_of(marks: t.Mapping[str, str]) -> tuple[TunnelLink, ...]:
    links = [TunnelLink(key=key, tag=int(name[len(LINK) + 1 :])) for name, key in marks.items() if _is_link_mark(name)]
    return tuple(sorted(links, key=lambda link: link.tag))


def _is_link_mark(name: str) -> bool:
    return name.startswith(LINK + "-") and name[len(LINK) + 1 :].isdigit()


def marks_of(tunnel: Tunnel, lab: str) -> dict[str, str]:
    """The external_ids of a tunnel's port, but for the index of the device."""
    marks = {LAB: lab, ROLE: TUNNEL}
    if tunnel.shared:
        marks.update({f"{LINK}-{link.tag}": link.key for link in tunnel.links})
    elif tunnel.link:
        marks[LINK] = tunnel.link
    return marks


def stale_marks(port: OvsPort, marks: t.Mapping[str, str]) -> tuple[str, ...]:
    """The link marks on a port that are not wanted any more."""
    return tuple(name for name in sorted(port.external_ids) if (name == LINK or _is_link_mark(name)) and name not in marks)


def alias_of(tunnel: Tunnel, lab: str) -> str:
    return str(Alias(lab, TUNNEL, tunnel.link or tunnel.name))


def tags_of(tunnel: Tunnel) -> tuple[int, ...]:
    if tunnel.shared:
        return tuple(sorted(link.tag for link in tunnel.links))
    return () if tunnel.tag is None else (tunnel.tag,)


def mode_of(tunnel: Tunnel) -> str:
    return "trunk" if tunnel.shared else "dot1q-tunnel"


def vxlan_of(tunnel: Tunnel) -> Vxlan:
    return Vxlan(tunnel.vni, tunnel.local, tunnel.remotes, tunnel.dst_port, tunnel.learning)


def family_of(address: str) -> int:
    """4 or 6. A device without any address has an IPv4 socket."""
    return ipaddress.ip_address(address).version if address else 4


def normal(tunnel: Tunnel) -> Tunnel:
    """The same with its addresses as the kernel writes them, and its links by tag. Raises ValueError for what is no address."""
    return replace(
        tunnel,
        local=ipaddress.ip_address(tunnel.local).compressed,
        remotes=tuple(sorted({ipaddress.ip_address(remote).compressed for remote in tunnel.remotes})),
        links=tuple(sorted(tunnel.links, key=lambda link: link.tag)),
    )


def as_dict(tunnel: Tunnel, lab: str, ofport: int | None) -> dict[str, t.Any]:
    """A tunnel as it is returned: as declared, and C(lab), C(ofport)."""
    return {
        "name": tunnel.name,
        "vni": tunnel.vni,
        "local": tunnel.local,
        "remotes": list(tunnel.remotes),
        "mtu": tunnel.mtu,
        "link": tunnel.link,
        "tag": tunnel.tag,
        "links": [{"key": link.key, "tag": link.tag} for link in tunnel.links],
        "dst_port": tunnel.dst_port,
        "group": tunnel.group,
        "lab": lab,
        "ofport": ofport,
    }


def observe(have: Have, lab: str) -> list[dict[str, t.Any]]:
    """The tunnels of a lab in the shape of the declared state. What is there by half has 0 and empty text for what it lacks."""
    return [_observed(one, lab) for one in owned(lab, have)]


def _observed(found: Found, lab: str) -> dict[str, t.Any]:
    device, port = found.device, found.port
    vxlan = device.vxlan if device is not None and device.vxlan is not None else Vxlan(0, "", ())
    alias = parse_alias(device.alias) if device is not None else None
    link = port.external_ids.get(LINK, "") if port is not None else ""
    if not link and port is None and alias is not None and alias.key != found.name:
        link = alias.key
    tunnel = Tunnel(
        name=found.name,
        vni=vxlan.vni,
        local=vxlan.local,
        remotes=vxlan.remotes,
        mtu=device.mtu if device is not None else 0,
        link=link,
        tag=port.tag if port is not None else None,
        links=found.links(),
        dst_port=vxlan.dst_port,
        group=device.group if device is not None else 0,
    )
    return as_dict(tunnel, lab, port.ofport if port is not None else None)
