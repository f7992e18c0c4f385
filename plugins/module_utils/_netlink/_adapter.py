# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The kernel's network devices. pyroute2 encodes the requests that change them; they are sent and answered in batches.

A request that makes a device and one that changes it are never in the same batch: had the first failed because the name is
taken, the second would change a device that is somebody else's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import random
import socket
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, MissingLibraryError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._namespaces import in_namespaces
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import (
    Device,
    DropDevice,
    DropGroup,
    Netlink,
    NetOp,
    NewVeth,
    NewVxlan,
    Route,
    SetDevice,
)
from ansible_collections.archetype.lab.plugins.module_utils._netlink._reading import (
    read_addresses,
    read_devices,
    read_route,
    set_tx_checksum,
    tx_checksum,
)
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import NLM_F_ACK, NLM_F_REQUEST, Wire
from ansible_collections.archetype.lab.plugins.module_utils._netlink._words import words_of

_RTM_NEWLINK, _RTM_DELLINK, _RTM_SETLINK, _RTM_NEWNEIGH = 16, 17, 19, 28
_NLM_F_EXCL, _NLM_F_CREATE, _NLM_F_APPEND = 0x200, 0x400, 0x800
_NEW = _NLM_F_CREATE | _NLM_F_EXCL
_IFF_UP = 1
_OWN_INDEXES = 1 << 24
"""Indexes of our devices begin here, far from those that the kernel gives by itself."""
_AF_BRIDGE = 7
_NUD_PERMANENT, _NUD_NOARP, _NTF_SELF = 0x80, 0x40, 0x02
_DF = {"unset": 0, "set": 1, "inherit": 2}
_NO_MAC = "00:00:00:00:00:00"
_ADDR_GEN_MODE_NONE = 1

Attributes = list[tuple[str, t.Any]]
Errors = dict[int, str]
_Op = t.TypeVar("_Op")
_Run = list[tuple[int, _Op]]
"""Operations of one sort that follow each other, each with its position in the whole list."""


def connect() -> Netlink:
    """The devices of the namespace that the calling thread is in. Raises ReadError."""
    try:
        return KernelNetlink(Wire())
    except OSError as error:
        raise ReadError(f"cannot open a netlink socket: {error.strerror}") from error


class _Library(t.NamedTuple):
    link: t.Any
    neighbour: t.Any


def _library() -> _Library:
    """pyroute2's message classes. Imported when the first change is made: the import takes longer than reading everything."""
    try:
        from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
        from pyroute2.netlink.rtnl.ndmsg import ndmsg
    except ImportError as error:
        raise MissingLibraryError("pyroute2", str(error)) from error
    return _Library(ifinfmsg, ndmsg)


def _encoded(request: t.Any, kind: int, flags: int) -> bytearray:
    request["header"]["type"] = kind
    request["header"]["flags"] = flags | NLM_F_REQUEST | NLM_F_ACK
    request.encode()
    return bytearray(request.data)


def _link(kind: int, attrs: Attributes, *, flags: int = 0, up: bool | None = None, index: int = 0) -> bytearray:
    """A request about a device, which its attributes name, or its index."""
    request = _library().link()
    request["index"] = index
    if up is not None:
        request["flags"] = _IFF_UP if up else 0
        request["change"] = _IFF_UP
    request["attrs"] = attrs
    return _encoded(request, kind, flags)


def _named(name: str, *attrs: tuple[str, t.Any], up: bool | None = None) -> bytearray:
    return _link(_RTM_SETLINK, [("IFLA_IFNAME", name), *attrs], up=up)


def _new_veth(op: NewVeth, netns: int, index: int) -> bytearray:
    """A pair whose other end is made where it belongs. That end cannot be up yet: it has no peer when it is made."""
    peer: Attributes = [("IFLA_IFNAME", op.peer_name), ("IFLA_MTU", op.mtu), ("IFLA_NET_NS_FD", netns)]
    if op.peer_mac:
        peer.append(("IFLA_ADDRESS", op.peer_mac))
    data = {"attrs": [("VETH_INFO_PEER", {"attrs": peer})]}
    info = {"attrs": [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", data)]}
    attrs: Attributes = [("IFLA_IFNAME", op.name), ("IFLA_MTU", op.mtu), ("IFLA_GROUP", op.group), ("IFLA_LINKINFO", info)]
    return _link(_RTM_NEWLINK, attrs, flags=_NEW, up=op.up, index=index)


def _new_vxlan(op: NewVxlan, index: int) -> bytearray:
    vxlan = op.vxlan
    six = "6" if ipaddress.ip_address(vxlan.local).version == 6 else ""
    data: Attributes = [
        ("IFLA_VXLAN_ID", vxlan.vni),
        (f"IFLA_VXLAN_LOCAL{six}", vxlan.local),
        ("IFLA_VXLAN_PORT", vxlan.dst_port),
        ("IFLA_VXLAN_LEARNING", int(vxlan.learning)),
    ]
    if vxlan.df != "unset":
        data.append(("IFLA_VXLAN_DF", _DF[vxlan.df]))
    if len(vxlan.remotes) == 1:
        data.append((f"IFLA_VXLAN_GROUP{six}", vxlan.remotes[0]))
    info = {"attrs": [("IFLA_INFO_KIND", "vxlan"), ("IFLA_INFO_DATA", {"attrs": data})]}
    attrs: Attributes = [("IFLA_IFNAME", op.name), ("IFLA_MTU", op.mtu), ("IFLA_GROUP", op.group), ("IFLA_LINKINFO", info)]
    return _link(_RTM_NEWLINK, attrs, flags=_NEW, index=index)


def _flood_entry(index: int, remote: str) -> bytearray:
    """One more remote that gets what the device has no entry for."""
    request = _library().neighbour()
    request["family"] = _AF_BRIDGE
    request["ifindex"] = index
    request["state"] = _NUD_PERMANENT | _NUD_NOARP
    request["flags"] = _NTF_SELF
    request["attrs"] = [("NDA_LLADDR", _NO_MAC), ("NDA_DST", remote)]
    return _encoded(request, _RTM_NEWNEIGH, _NLM_F_CREATE | _NLM_F_APPEND)


def _no_addresses(name: str) -> bytearray:
    """No link-local address on the server's end: the server's own neighbour discovery is not to be seen on the wire."""
    inet6 = {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", _ADDR_GEN_MODE_NONE)]}
    return _named(name, ("IFLA_AF_SPEC", {"attrs": [("AF_INET6", inet6)]}))


class KernelNetlink:
    """The C(Netlink) of C(_port.py)."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def close(self) -> None:
        self._wire.close()

    # reading

    def read(self) -> t.Mapping[str, Device]:
        return read_devices(self._wire, "devices of this server")

    def read_netns(self, netns: t.Sequence[str]) -> t.Mapping[str, t.Mapping[str, Device]]:
        devices: dict[str, t.Mapping[str, Device]] = {}
        for path, result in in_namespaces(netns, _read_inside).items():
            if isinstance(result, LabError):
                raise result
            if isinstance(result, OSError):
                raise ReadError(f"cannot read the devices in {path}: {result.strerror or result}") from result
            devices[path] = result
        return devices

    def route(self, address: str) -> Route:
        return read_route(self._wire, address, self.read())

    def local_addresses(self) -> t.Sequence[str]:
        return read_addresses(self._wire)

    # changing

    def apply(self, ops: t.Sequence[NetOp]) -> t.Mapping[int, str]:
        errors: Errors = {}
        for sort, run in itertools.groupby(enumerate(ops), key=lambda one: type(one[1])):
            errors.update(self._ways()[sort](list(run)))
        return errors

    def _ways(self) -> dict[type[NetOp], t.Callable[[_Run[t.Any]], Errors]]:
        return {
            NewVeth: self._make_veths,
            NewVxlan: self._make_vxlans,
            SetDevice: self._set_devices,
            DropDevice: self._drop_devices,
            DropGroup: self._drop_groups,
        }

    def _send(self, run: _Run[t.Any], requests: list[bytearray]) -> Errors:
        """One request per operation of the run; errors in words."""
        return {run[place][0]: words_of(refusal, run[place][1]) for place, refusal in self._wire.send(requests).items()}

    def _make_veths(self, run: _Run[NewVeth]) -> Errors:
        with contextlib.ExitStack() as stack:
            handles, errors = _open_namespaces(run, stack)
            run = [one for one in run if one[0] not in errors]
            errors.update(self._create(run, lambda op, index: _new_veth(op, handles[op.peer_netns], index)))
        made = [one for one in run if one[0] not in errors]
        self._no_addresses(made)
        late = _bring_up_peers(made)
        return {**errors, **self._take_back(made, late)}

    def _make_vxlans(self, run: _Run[NewVxlan]) -> Errors:
        errors = self._create(run, _new_vxlan)
        made = [one for one in run if one[0] not in errors]
        self._no_addresses(made)
        late = self._flood([one for one in made if len(one[1].vxlan.remotes) > 1])
        late.update(self._send(made, [_named(op.name, up=True) for _index, op in made]))
        return {**errors, **self._take_back(made, late)}

    def _flood(self, made: _Run[NewVxlan]) -> Errors:
        """Several remotes are entries of the device; for all devices in one batch."""
        if not made:
            return {}
        devices = self.read()
        entries = [(index, op, remote) for index, op in made for remote in op.vxlan.remotes if op.name in devices]
        refused = self._wire.send([_flood_entry(devices[op.name].index, remote) for _index, op, remote in entries])
        return {entries[place][0]: words_of(refusal, entries[place][1]) for place, refusal in refused.items()}

    def _create(self, run: _Run[t.Any], request: t.Callable[[t.Any, int], bytearray]) -> Errors:
        """Make each device and say in the same breath whose it is: a run that is killed leaves no device without our mark.

        The kernel takes no alias with a new device, but carries out all requests of one message before a signal counts. The mark goes
        to an index that we chose, not to a name: where the device cannot be made, somebody else's of that name is not touched.
        """
        used = {device.index for device in self.read().values()}
        firsts = iter(lambda: random.randrange(_OWN_INDEXES, 1 << 30), 0)  # noqa: S311
        first = next(number for number in firsts if used.isdisjoint(range(number, number + len(run))))
        requests: list[bytearray] = []
        for place, (_index, op) in enumerate(run):
            requests += [request(op, first + place), _link(_RTM_SETLINK, [("IFLA_IFALIAS", op.alias)], index=first + place)]
        refused = self._wire.send(requests)
        errors: Errors = {}
        for place, refusal in sorted(refused.items()):
            errors.setdefault(run[place // 2][0], words_of(refusal, run[place // 2][1]))
        unmarked = [run[place // 2] for place in refused if place % 2 and place - 1 not in refused]
        return {**errors, **self._take_back(unmarked, {index: errors[index] for index, _op in unmarked})}

    def _no_addresses(self, made: _Run[t.Any]) -> None:
        """The new devices take no addresses, where the kernel knows IPv6 at all; where it does not, it refuses."""
        self._wire.send([_no_addresses(op.name) for _index, op in made])

    def _take_back(self, made: _Run[t.Any], errors: Errors) -> Errors:
        """Delete what was made only by half."""
        self._drop_devices([(index, DropDevice(op.name)) for index, op in made if index in errors])
        return errors

    def _set_devices(self, run: _Run[SetDevice]) -> Errors:
        errors = _set_here(self._wire, [one for one in run if one[1].netns is None])
        inside: dict[str, _Run[SetDevice]] = {}
        for index, op in run:
            if op.netns is not None:
                inside.setdefault(op.netns, []).append((index, op))

        def work(path: str) -> Errors:
            with Wire() as wire:
                return _set_here(wire, inside[path])

        for path, result in in_namespaces(inside, work).items():
            errors.update(_of_all(inside[path], path, result))
        return errors

    def _drop_devices(self, run: _Run[DropDevice]) -> Errors:
        """Several devices are moved to a group of their own first: deleting a group takes as long as deleting one device."""
        if len(run) < 2:
            return self._send(run, [_drop(op.name) for _index, op in run])
        used = {device.group for device in self.read().values()}
        group = next(number for number in iter(lambda: random.randrange(1 << 30, 1 << 31), 0) if number not in used)  # noqa: S311
        errors = self._send(run, [_named(op.name, ("IFLA_GROUP", group)) for _index, op in run])
        rest = [one for one in run if one[0] not in errors]
        if rest and self._wire.send([_link(_RTM_DELLINK, [("IFLA_GROUP", group)])]):
            errors.update(self._send(rest, [_drop(op.name) for _index, op in rest]))
        return errors

    def _drop_groups(self, run: _Run[DropGroup]) -> Errors:
        return self._send(run, [_link(_RTM_DELLINK, [("IFLA_GROUP", op.group)]) for _index, op in run])


def _drop(name: str) -> bytearray:
    return _link(_RTM_DELLINK, [("IFLA_IFNAME", name)])


def _control() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)


def _read_inside(path: str) -> dict[str, Device]:
    with Wire() as wire, _control() as control:
        devices = read_devices(wire, f"devices in {path}")
        return {
            name: replace(device, tx_checksum=tx_checksum(control, name)) if device.kind == "veth" else device
            for name, device in devices.items()
        }


def _open_namespaces(run: _Run[NewVeth], stack: contextlib.ExitStack) -> tuple[dict[str, int], Errors]:
    handles: dict[str, int] = {}
    errors: Errors = {}
    for index, op in run:
        try:
            if op.peer_netns not in handles:
                handles[op.peer_netns] = os.open(op.peer_netns, os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, handles[op.peer_netns])
        except OSError as error:
            errors[index] = f"cannot open the network namespace {op.peer_netns}: {error.strerror}"
    return handles, errors


def _bring_up_peers(made: _Run[NewVeth]) -> Errors:
    """Set the other ends up, in their namespaces, and turn their checksum offload off where that is asked."""
    ends: dict[str, _Run[SetDevice]] = {}
    for index, op in made:
        ends.setdefault(op.peer_netns, []).append((index, SetDevice(op.peer_name, up=True, checksum_off=op.checksum_off)))

    def work(path: str) -> Errors:
        with Wire() as wire:
            return _set_here(wire, ends[path])

    errors: Errors = {}
    for path, result in in_namespaces(ends, work).items():
        errors.update(_of_all(ends[path], path, result))
    return errors


def _of_all(run: _Run[t.Any], path: str, result: Errors | OSError | LabError) -> Errors:
    """The errors of a run in a namespace; when it could not even be entered, the same one for all."""
    if isinstance(result, dict):
        return result
    said = result.strerror if isinstance(result, OSError) else str(result)
    return {index: f"cannot work in the network namespace {path}: {said}" for index, _op in run}


def _set_here(wire: Wire, run: _Run[SetDevice]) -> Errors:
    """Change devices of the namespace that the calling thread, and the socket, are in."""
    errors: Errors = {}
    requests: list[bytearray] = []
    sent: _Run[SetDevice] = []
    for index, op in run:
        try:
            request = _set_request(op)
        except OSError as error:
            errors[index] = f"no device named {op.name}: {error.strerror}"
            continue
        if request is not None:
            requests.append(request)
            sent.append((index, op))
    for place, refusal in wire.send(requests).items():
        errors[sent[place][0]] = words_of(refusal, sent[place][1])
    with _control() as control:
        for index, op in run:
            if op.checksum_off and index not in errors:
                try:
                    set_tx_checksum(control, op.rename or op.name, on=False)
                except OSError as error:
                    errors[index] = f"cannot turn the checksum offload of {op.name} off: {error.strerror}"
    return errors


def _set_request(op: SetDevice) -> bytearray | None:
    """The one request for all fields; None when none is given. Raises OSError when a device to rename is not there."""
    given = {"IFLA_MTU": op.mtu, "IFLA_ADDRESS": op.mac, "IFLA_IFALIAS": op.alias, "IFLA_GROUP": op.group}
    attrs: Attributes = [(name, value) for name, value in given.items() if value is not None]
    if op.rename is not None:
        index = socket.if_nametoindex(op.name)
        return _link(_RTM_SETLINK, [("IFLA_IFNAME", op.rename), *attrs], up=op.up, index=index)
    if attrs or op.up is not None:
        return _named(op.name, *attrs, up=op.up)
    return None
