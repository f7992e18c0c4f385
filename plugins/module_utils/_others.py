# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What other labs are declared to have on this server, whether it is there at the moment or not.

A port that somebody deleted, or a server that has just booted, must not free a tag: its lab is mended sooner or later, and both would
have it. So a plan avoids what is declared as it avoids what is there; and a run that was planned meanwhile is refused before it touches
anything. Names of containers and machines are not among it: users choose them, and another plan would choose
no other.
"""

from __future__ import annotations

import ipaddress
import os
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.module_utils import _state
from ansible_collections.archetype.lab.plugins.module_utils._declared import FORMAT, Declared
from ansible_collections.archetype.lab.plugins.module_utils._errors import ClashError, LabError, ReadError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import INSIDE, PAIRS
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import tags_of as tags_of_port
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import family_of, tags_of

_Signature = tuple[int, int, int]
_Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


@dataclass(frozen=True)
class Vni:
    """What the kernel tells VXLAN devices apart by."""

    number: int
    port: int
    family: int


@dataclass(frozen=True)
class Published:
    """A port of the server. address: empty is all of them."""

    protocol: str
    number: int
    address: str

    def meets(self, other: Published) -> bool:
        same = (self.protocol, self.number) == (other.protocol, other.number)
        return same and (self.address == other.address or not self.address or not other.address)


@dataclass(frozen=True)
class Taken:
    """What a lab is declared to have on a server, each with the names of its objects that have it. tags are those of bridge."""

    lab: str
    bridge: str
    tags: t.Mapping[int, tuple[str, ...]]
    vnis: t.Mapping[Vni, tuple[str, ...]]
    devices: t.Mapping[str, tuple[str, ...]]
    consoles: t.Mapping[int, tuple[str, ...]]
    subnets: t.Mapping[_Network, tuple[str, ...]]
    published: t.Mapping[Published, tuple[str, ...]]


def taken_of(declared: Declared) -> Taken:
    """Raises ValueError for what is no address."""
    tags: dict[int, tuple[str, ...]] = {}
    vnis: dict[Vni, tuple[str, ...]] = {}
    devices: dict[str, tuple[str, ...]] = {}
    for port in declared.ports:
        for tag in sorted(tags_of_port(port)):
            tags[tag] = (*tags.get(tag, ()), port.name)
        outside = () if port.device in INSIDE else (port.name,)
        at_server = (port.interface,) if port.device in PAIRS and not port.sandbox else ()
        for device in (*outside, *at_server):
            devices[device] = (port.name,)
    for tunnel in declared.tunnels:
        for tag in tags_of(tunnel):
            tags[tag] = (*tags.get(tag, ()), tunnel.name)
        vnis[Vni(tunnel.vni, tunnel.dst_port, family_of(tunnel.local))] = (tunnel.name,)
        devices[tunnel.name] = (tunnel.name,)
    management = declared.management
    return Taken(
        declared.lab,
        declared.bridge.name,
        tags,
        vnis,
        devices,
        {number: (one.name,) for one in declared.vms for number in one.serial_ports},
        {ipaddress.ip_network(one, strict=False): (management.device,) for one in management.subnets} if management else {},
        {Published(one.protocol, one.server_port, one.address): (management.device,) for one in management.ports} if management else {},
    )


_known: dict[str, tuple[_Signature, Taken]] = {}
"""By path: a watcher asks at each pass, and declared states seldom change."""


def read(lab: str) -> tuple[Taken, ...]:
    """Of every other lab that this server keeps a declared state of. Raises all that cannot be read: it is never nothing."""
    found: list[Taken] = []
    errors: list[LabError] = []
    others = [one for one in _state.labs() if one != lab]
    for other in others:
        try:
            found += _read(other)
        except LabError as error:
            errors.append(error)
    raise_all(errors)
    return tuple(found)


def _read(lab: str) -> list[Taken]:
    path = str(_state.path(lab))
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(lab, str(error)) from error
    signature = (there.st_mtime_ns, there.st_ino, there.st_size)
    known = _known.get(path)
    if known is None or known[0] != signature:
        taken = _parse(lab)
        if taken is None:
            return []
        known = _known[path] = (signature, taken)
    return [known[1]]


def _parse(lab: str) -> Taken | None:
    try:
        kept = _state.load(lab)
    except ReadError as error:
        raise _unreadable(lab, error.message) from error
    if kept is None:  # it was destroyed meanwhile
        return None
    try:
        if kept.get("format", FORMAT) != FORMAT:
            raise _unreadable(lab, f"{_state.path(lab)} has format {kept['format']!r}, of another version of the collection")
        declared = Declared.from_params({"server": "", **kept})
        if declared.lab != lab:
            raise _unreadable(lab, f"{_state.path(lab)} is of lab {declared.lab}")
        return taken_of(declared)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unreadable(lab, f"{_state.path(lab)} is no declared state: {error!r}") from error


def _unreadable(lab: str, why: str) -> ReadError:
    what = f"what lab {lab} is declared to have on this server is not known: {why}"
    return ReadError(what, hint=f"deploy lab {lab} again, or destroy it", objects=(lab,))


def add_claims(claims: dict[str, dict[str, str]], bridge: str, others: t.Iterable[Taken], *, management: bool) -> None:
    """Add what others are declared to have to what they were seen to have. management: with what a management network could clash with."""
    for other in others:
        who = f"lab {other.lab}"
        sorts: dict[str, t.Iterable[str]] = {
            "tags": (str(tag) for tag in sorted(other.tags) if other.bridge == bridge),
            "vnis": (str(vni.number) for vni in other.vnis),
            "devices": other.devices,
            "consoles": map(str, other.consoles),
        }
        if management:
            sorts["subnets"] = map(str, other.subnets)
            sorts["published"] = (f"{one.protocol}:{one.number}:{one.address or '*'}" for one in other.published)
        for sort, values in sorts.items():
            for value in values:
                claims.setdefault(sort, {}).setdefault(value, who)


def refuse_clashes(keep: t.Mapping[str, t.Any]) -> None:
    """Raises all that clashes of what a server is to keep as declared from now on, whatever of it is left alone at the moment."""
    declared = Declared.from_params(keep)
    raise_all(clashes(declared, read(declared.lab)))


def clashes(declared: Declared, others: t.Sequence[Taken]) -> list[LabError]:
    """Everything of a lab that another lab is declared to have. Of a slice with what is no address, the layers tell."""
    if not others:
        return []
    try:
        own = taken_of(declared)
    except ValueError:
        return []
    errors: list[LabError] = []
    for other in others:
        if own.bridge == other.bridge:
            errors += [_clash(f"tag {tag}", own.tags[tag], other) for tag in sorted(own.tags.keys() & other.tags.keys())]
        errors += [_clash(f"VNI {vni.number}", names, other) for vni, names in own.vnis.items() if vni in other.vnis]
        errors += [_clash(f"name {name}", names, other) for name, names in own.devices.items() if name in other.devices]
        errors += [_clash(f"TCP port {port}", names, other) for port, names in own.consoles.items() if port in other.consoles]
        errors += [
            _clash(f"subnet {one}", names, other) for one, names in own.subnets.items() if any(_overlap(one, two) for two in other.subnets)
        ]
        errors += [
            _clash(f"published {one.protocol} port {one.number}", names, other)
            for one, names in own.published.items()
            if any(one.meets(two) for two in other.published)
        ]
    return errors


def _overlap(one: _Network, two: _Network) -> bool:
    return one.version == two.version and one.overlaps(t.cast(t.Any, two))


def _clash(what: str, names: tuple[str, ...], other: Taken) -> ClashError:
    return ClashError(
        f"{what} is declared on this server for lab {other.lab} since this was planned",
        hint=f"deploy again, so that another is chosen; or destroy lab {other.lab}, if it is not wanted any more",
        objects=names,
    )
