# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What has to be done for the tunnels of one lab on one server: pure, from what is wanted and what is there.

A VXLAN device cannot be given another VNI, remote, local address or UDP port: it is deleted and made anew. Its port is then
deleted first and added last, so that a run that dies in between leaves something that the next run sees.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.archetype.lab.plugins.module_utils._changes import UNMENDED, Action, Change, differences
from ansible_collections.archetype.lab.plugins.module_utils._declared import Tunnel, TunnelLink
from ansible_collections.archetype.lab.plugins.module_utils._errors import MAKE_BRIDGE, ApplyError, ForeignError, LabError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, DropDevice, NewVxlan, SetDevice
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import DropPort, OvsPort, PutPort
from ansible_collections.archetype.lab.plugins.module_utils._ownership import IFINDEX, LAB, LINK
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_checks import Clashes, check_among, check_lab, check_names, check_values
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import (
    Found,
    Have,
    alias_of,
    found_at,
    marks_of,
    mode_of,
    normal,
    owned,
    stale_marks,
    tags_of,
    vxlan_of,
)
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_model import TunnelsPlan

__all__ = ["TunnelsPlan", "plan"]

Fields = dict[str, t.Any]

DEVICE_FIELDS = ("vni", "local", "remotes", "dst_port", "learning", "df")
"""What a device is made with, and cannot be changed."""
_PORT_FIELDS = {"bridge", "tag", "trunks", "vlan_mode", "link", "links", "owner"}
_NEWS = ("vni", "local", "remotes", "mtu", "bridge", "tag", "trunks", "links")
"""What is told of a device or port that was not there; of one that was, everything that differs is told."""


def plan(
    want: t.Sequence[Tunnel],
    have: Have,
    *,
    lab: str,
    bridge: str = "arch-ovs",
    state: str = "present",
    prune: bool = False,
    anew: t.Collection[str] = (),
) -> TunnelsPlan:
    """Raises, before anything is touched, every error there is: bad input, foreign objects in the way, tags and VNIs that are taken.

    anew: names of tunnels, or of their links, that are made anew whatever they look like.
    """
    raise_all(check_lab(lab) + check_names(want))
    planner = _Planner(have, lab, bridge, anew)
    if state == "absent":
        planner.absent(want, prune=prune)
    else:
        planner.present(want, prune=prune)
    return planner.result()


@dataclass
class _Planner:
    have: Have
    lab: str
    bridge: str
    anew: t.Collection[str] = ()
    changes: list[Change] = field(default_factory=list)
    drop_ports: list[DropPort] = field(default_factory=list)
    drop_devices: list[DropDevice] = field(default_factory=list)
    new_devices: list[NewVxlan] = field(default_factory=list)
    set_devices: list[SetDevice] = field(default_factory=list)
    put_ports: list[PutPort] = field(default_factory=list)
    want: list[Tunnel] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    room: dict[str, frozenset[str]] = field(default_factory=dict)

    def result(self) -> TunnelsPlan:
        blocked: list[LabError] = []
        if self.want and self.bridge not in self.have.ovs.bridges:
            blocked.append(ApplyError(f"there is no bridge {self.bridge} for the tunnels", hint=MAKE_BRIDGE, objects=(self.bridge,)))
        return TunnelsPlan(
            tuple(self.changes),
            tuple(self.drop_ports),
            tuple(self.drop_devices),
            tuple(self.new_devices),
            tuple(self.set_devices),
            tuple(self.put_ports),
            tuple(self.want),
            tuple(self.gone),
            tuple(blocked),
            self.room,
        )

    def absent(self, want: t.Sequence[Tunnel], *, prune: bool) -> None:
        """A tunnel that is shared stays while it carries a link that is not named. Of others' objects nothing is touched."""
        names = {tunnel.name for tunnel in want}
        for tunnel in want:
            found = found_at(tunnel.name, self.have)
            if found.nothing or not found.belongs_to(self.lab):
                continue
            taken = {link.key for link in tunnel.links}
            left = tuple(link for link in found.links() if link.key not in taken) if taken and not prune else ()
            if left and found.port is not None:
                self._take_links(tunnel, found.port, left)
            else:
                self._remove(found, "")
        if prune:
            for found in owned(self.lab, self.have):
                if found.name not in names:
                    self._remove(found, "")

    def present(self, want: t.Sequence[Tunnel], *, prune: bool) -> None:
        errors = [error for tunnel in want for error in check_values(tunnel)]
        raise_all(errors)
        merged = [self._merged(normal(tunnel), prune=prune) for tunnel in want]
        errors = [error for tunnel in merged for error in check_values(tunnel)] or check_among(merged)
        wanted = {tunnel.name for tunnel in merged}
        doomed: dict[str, str] = {}
        if prune:
            doomed = {found.name: "it is not declared" for found in owned(self.lab, self.have) if found.name not in wanted}
        clashes = Clashes(self.have, self.lab, self.bridge)
        for tunnel in merged:
            names, strays, taken = clashes.of(tunnel)
            errors += taken + self._in_the_way(tunnel)
            if names or strays:
                self.room[tunnel.name] = frozenset(names | strays)
            for name in sorted(names - wanted):
                doomed.setdefault(name, f"it has the tag or the VNI of {tunnel.name}")
        raise_all(errors)
        for name, reason in sorted(doomed.items()):
            self._remove(found_at(name, self.have), reason)
        for tunnel in merged:
            self._make(tunnel, found_at(tunnel.name, self.have))

    def _merged(self, tunnel: Tunnel, *, prune: bool) -> Tunnel:
        """A shared tunnel with the links that it carries already; one that is declared again has its new tag."""
        found = found_at(tunnel.name, self.have)
        if prune or not tunnel.shared or not found.belongs_to(self.lab):
            return tunnel
        named = {link.key for link in tunnel.links}
        links = [*tunnel.links, *(link for link in found.links() if link.key not in named)]
        return replace(tunnel, links=tuple(sorted(links, key=lambda link: link.tag)))

    def _in_the_way(self, tunnel: Tunnel) -> list[LabError]:
        found = found_at(tunnel.name, self.have)
        if found.nothing or (found.belongs_to(self.lab) and not found.stranger):
            return []
        what = "device" if found.device is not None else "port"
        whose = "foreign (it has no mark, and is no tunnel)" if found.stranger else found.owner()
        return [
            ForeignError(
                f"tunnel {tunnel.name} cannot be made: a {what} of that name is there, and it is {whose}",
                hint=f"remove {tunnel.name} or rename it, if nobody needs it",
                objects=(tunnel.name,),
            )
        ]

    def _remove(self, found: Found, reason: str) -> None:
        label = _label_of(found.links()) or (found.port.external_ids.get(LINK, "") if found.port is not None else "")
        if found.port is None:
            reason = reason or "its device was left without a port"
        elif found.device is None:
            reason = reason or "its port was left without a device"
        self.changes.append(Change("delete", "tunnel", found.name, label, reason=reason))
        self._drop(found)
        self.gone.append(found.name)

    def _drop(self, found: Found) -> None:
        if found.port is not None:
            self.drop_ports.append(DropPort(found.name, found.port.bridge))
        if found.device is not None and not found.stranger:
            self.drop_devices.append(DropDevice(found.name))

    def _take_links(self, tunnel: Tunnel, port: OvsPort, left: tuple[TunnelLink, ...]) -> None:
        """Only the port is changed; the device is as it was, whatever the caller declares."""
        carried = links_text(found_at(tunnel.name, self.have).links())
        if links_text(left) == carried:
            return
        smaller = replace(tunnel, links=left)
        marks = marks_of(smaller, self.lab)
        self.changes.append(Change("update", "tunnel", tunnel.name, _label_of(left), {"links": (carried, links_text(left))}))
        self.put_ports.append(
            PutPort(
                tunnel.name,
                port.bridge,
                trunks=tags_of(smaller),
                vlan_mode=mode_of(smaller),
                external_ids=marks,
                drop_external_ids=stale_marks(port, marks),
            )
        )

    def _make(self, tunnel: Tunnel, found: Found) -> None:
        self.want.append(tunnel)
        fields = differences(have_fields(found), want_fields(tunnel, self.lab, self.bridge))
        asked = not found.nothing and (tunnel.name in self.anew or (bool(tunnel.link) and tunnel.link in self.anew))
        remade = asked or found.device is None or any(name in fields for name in DEVICE_FIELDS)
        reason = "" if remade or found.port is None or found.device is None else dead_port(found.port, found.device)
        if not fields and not remade and not reason:
            return
        action: Action = "update"
        if remade:
            action, reason = self._remake(tunnel, found, asked=asked)
        else:
            self._set_device(tunnel, fields)
        if remade or reason or _PORT_FIELDS & set(fields):
            self.put_ports.append(self._put(tunnel, found, dead=bool(reason) and not remade))
        label = tunnel.link or _label_of(tunnel.links)
        self.changes.append(Change(action, "tunnel", tunnel.name, label, _told(fields, found), reason))

    def _remake(self, tunnel: Tunnel, found: Found, *, asked: bool) -> tuple[Action, str]:
        self._drop(found)
        self.new_devices.append(NewVxlan(tunnel.name, vxlan_of(tunnel), tunnel.mtu, alias_of(tunnel, self.lab), tunnel.group))
        if found.nothing:
            return "create", ""
        reason = UNMENDED if asked else ""
        return "recreate", "its device was gone" if found.device is None else reason

    def _set_device(self, tunnel: Tunnel, fields: t.Mapping[str, t.Any]) -> None:
        op = SetDevice(
            tunnel.name,
            mtu=tunnel.mtu if "mtu" in fields else None,
            alias=alias_of(tunnel, self.lab) if "mark" in fields else None,
            group=tunnel.group if "group" in fields else None,
            up=True if "up" in fields else None,
        )
        if op != SetDevice(tunnel.name):
            self.set_devices.append(op)

    def _put(self, tunnel: Tunnel, found: Found, *, dead: bool) -> PutPort:
        marks = marks_of(tunnel, self.lab)
        # The index is known only when the device is there; its place is kept for it.
        return PutPort(
            tunnel.name,
            self.bridge,
            tag=None if tunnel.shared else tunnel.tag,
            trunks=tags_of(tunnel) if tunnel.shared else (),
            vlan_mode=mode_of(tunnel),
            external_ids={**marks, IFINDEX: ""},
            drop_external_ids=stale_marks(found.port, marks) if found.port is not None else (),
            recreate=dead,
        )


def want_fields(tunnel: Tunnel, lab: str, bridge: str) -> Fields:
    """What a tunnel is compared by. Those of C(DEVICE_FIELDS) first, then what can be changed on a device, then its port."""
    vxlan = vxlan_of(tunnel)
    return {
        **{name: getattr(vxlan, name) for name in DEVICE_FIELDS},
        "mtu": tunnel.mtu,
        "group": tunnel.group,
        "mark": alias_of(tunnel, lab),
        "up": True,
        "bridge": bridge,
        "tag": None if tunnel.shared else tunnel.tag,
        "trunks": tags_of(tunnel) if tunnel.shared else (),
        "vlan_mode": mode_of(tunnel),
        "link": tunnel.link,
        "links": links_text(tunnel.links),
        "owner": lab,
    }


def have_fields(found: Found) -> Fields:
    """The same of what is there. What is missing has no value."""
    fields: Fields = {}
    if found.device is not None:
        vxlan = found.device.vxlan
        fields = {name: getattr(vxlan, name) for name in DEVICE_FIELDS} if vxlan is not None else {}
        fields.update(mtu=found.device.mtu, group=found.device.group, mark=found.device.alias, up=found.device.up)
    if found.port is not None:
        port = found.port
        fields.update(bridge=port.bridge, tag=port.tag, trunks=port.trunks, vlan_mode=port.vlan_mode)
        fields.update(link=port.external_ids.get(LINK, ""), links=links_text(found.links()))
        fields.update(owner=port.external_ids.get(LAB, ""))
    return fields


def _told(fields: t.Mapping[str, tuple[t.Any, t.Any]], found: Found) -> dict[str, tuple[t.Any, t.Any]]:
    known = have_fields(found)
    return {name: pair for name, pair in fields.items() if name in known or (name in _NEWS and pair[1])}


def links_text(links: t.Sequence[TunnelLink]) -> tuple[str, ...]:
    return tuple(f"{link.key} ({link.tag})" for link in sorted(links, key=lambda link: link.tag))


def _label_of(links: t.Sequence[TunnelLink]) -> str:
    if len(links) == 1:
        return links[0].key
    return f"{len(links)} links" if links else ""


def dead_port(port: OvsPort, device: Device) -> str:
    """Why Open vSwitch does not use the device that is there now, although it has a port for it; empty when it does."""
    said = next((one.error for one in port.interfaces if one.error), "")
    if said:
        return f"Open vSwitch says: {said}"
    if port.ofport is None or port.ofport < 0:
        return "Open vSwitch gave it no port number"
    if port.external_ids.get(IFINDEX) != str(device.index):
        return "its device was made anew behind Open vSwitch's back"
    return ""
