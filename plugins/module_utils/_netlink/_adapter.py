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
import itertools
import os
import random
import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink import _messages
from ansible_collections.archetype.lab.plugins.module_utils._netlink._details import with_details
from ansible_collections.archetype.lab.plugins.module_utils._netlink._inside import make_inside
from ansible_collections.archetype.lab.plugins.module_utils._netlink._namespaces import in_namespaces
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import (
    Device,
    DropAddress,
    DropDevice,
    DropGroup,
    DropQdisc,
    DropRoute,
    Netlink,
    NetOp,
    NewInside,
    NewTap,
    NewVeth,
    NewVxlan,
    PutAddress,
    PutQdisc,
    PutRoute,
    Route,
    SetDevice,
    SetTapOwner,
)
from ansible_collections.archetype.lab.plugins.module_utils._netlink._reading import (
    read_addresses,
    read_devices,
    read_route,
    tx_checksum,
)
from ansible_collections.archetype.lab.plugins.module_utils._netlink._settings import InsideOp, control, set_here
from ansible_collections.archetype.lab.plugins.module_utils._netlink._taps import make_taps, set_owners
from ansible_collections.archetype.lab.plugins.module_utils._netlink._wire import Wire
from ansible_collections.archetype.lab.plugins.module_utils._netlink._words import words_of

_OWN_INDEXES = 1 << 24
"""Indexes of our devices begin here, far from those that the kernel gives by itself."""

Errors = dict[int, str]
_Op = t.TypeVar("_Op")
_Run = list[tuple[int, _Op]]
"""Operations of one sort that follow each other, each with its position in the whole list."""
_SETTINGS = (SetDevice, PutAddress, DropAddress, PutRoute, DropRoute, PutQdisc, DropQdisc)


def connect() -> Netlink:
    """The devices of the namespace that the calling thread is in. Raises ReadError."""
    try:
        return KernelNetlink(Wire(), os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise ReadError(f"cannot open a netlink socket: {error.strerror}") from error


class KernelNetlink:
    """The C(Netlink) of C(_port.py)."""

    def __init__(self, wire: Wire, netns: int) -> None:
        """netns: an open file of the namespace of the socket, which this closes."""
        self._wire = wire
        self._netns = netns

    def close(self) -> None:
        self._wire.close()
        if self._netns >= 0:
            os.close(self._netns)
            self._netns = -1

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
        """Operations of a sort that follow each other go in one batch, and so do all that change what is there."""
        errors: Errors = {}
        for way, run in itertools.groupby(enumerate(ops), key=lambda one: self._way(one[1])):
            errors.update(way(list(run)))
        return errors

    def _way(self, op: NetOp) -> t.Callable[[_Run[t.Any]], Errors]:
        if isinstance(op, _SETTINGS):
            return self._set_devices
        ways: dict[type[NetOp], t.Callable[[_Run[t.Any]], Errors]] = {
            NewVeth: self._make_veths,
            NewVxlan: self._make_vxlans,
            NewInside: self._make_inside,
            NewTap: self._make_taps,
            SetTapOwner: self._set_owners,
            DropDevice: self._drop_devices,
            DropGroup: self._drop_groups,
        }
        return ways[type(op)]

    def _send(self, run: _Run[t.Any], requests: list[bytearray]) -> Errors:
        """One request per operation of the run; errors in words."""
        return {run[place][0]: words_of(refusal, run[place][1]) for place, refusal in self._wire.send(requests).items()}

    def _make_veths(self, run: _Run[NewVeth]) -> Errors:
        with contextlib.ExitStack() as stack:
            handles, errors = _open_namespaces(run, stack)
            run = [one for one in run if one[0] not in errors]
            errors.update(self._create(run, lambda op, index: _pair(op, handles[op.peer_netns], index)))
        made = [one for one in run if one[0] not in errors]
        self._silence([one for one in made if one[1].quiet])
        late = _bring_up_peers(made)
        return {**errors, **self._take_back(made, late)}

    def _make_vxlans(self, run: _Run[NewVxlan]) -> Errors:
        errors = self._create(run, lambda op, index: [_messages.new_vxlan(op, index), _messages.mark(index, op.alias)])
        made = [one for one in run if one[0] not in errors]
        self._silence(made)
        late = self._flood([one for one in made if len(one[1].vxlan.remotes) > 1])
        late.update(self._send(made, [_messages.named(op.name, up=True) for _index, op in made]))
        return {**errors, **self._take_back(made, late)}

    def _flood(self, made: _Run[NewVxlan]) -> Errors:
        """Several remotes are entries of the device; for all devices in one batch."""
        if not made:
            return {}
        devices = self.read()
        entries = [(index, op, remote) for index, op in made for remote in op.vxlan.remotes if op.name in devices]
        refused = self._wire.send([_messages.flood_entry(devices[op.name].index, remote) for _index, op, remote in entries])
        return {entries[place][0]: words_of(refusal, entries[place][1]) for place, refusal in refused.items()}

    def _make_inside(self, run: _Run[NewInside]) -> Errors:
        """Devices of sandboxes. The one below a macvlan is the server's, and is found here."""
        devices = self.read()
        errors: Errors = {
            position: f"there is no device named {op.parent} on this server"
            for position, op in run
            if op.parent and op.parent not in devices
        }
        inside: dict[str, _Run[NewInside]] = {}
        for position, op in run:
            if position not in errors:
                inside.setdefault(op.netns, []).append((position, op))

        def work(path: str) -> Errors:
            with Wire() as wire:
                first = _free_indexes(read_devices(wire, f"devices in {path}"), len(inside[path]))
                return make_inside(wire, inside[path], first, {name: one.index for name, one in devices.items()}, self._netns)

        for path, result in in_namespaces(inside, work).items():
            errors.update(_of_all(inside[path], path, result))
        return errors

    def _make_taps(self, run: _Run[NewTap]) -> Errors:
        first = _free_indexes(self.read(), len(run))
        return self._in_own(run, lambda: make_taps(self._wire, run, first))

    def _set_owners(self, run: _Run[SetTapOwner]) -> Errors:
        return self._in_own(run, lambda: set_owners(run))

    def _in_own(self, run: _Run[t.Any], work: t.Callable[[], Errors]) -> Errors:
        """Do what belongs to the namespace of the thread that does it in that of the socket."""
        path = f"/proc/self/fd/{self._netns}"
        return _of_all(run, "of this server", in_namespaces([path], lambda _path: work())[path])

    def _create(self, run: _Run[t.Any], requests: t.Callable[[t.Any, int], list[bytearray]]) -> Errors:
        """Make each device and say in the same breath whose it is: a run that is killed leaves no device without our mark.

        The kernel takes no alias with a new device, but carries out all requests of one message before a signal counts. The mark goes
        to an index that we chose, not to a name: where the device cannot be made, somebody else's of that name is not touched.
        requests: what makes the device of an operation, first, and marks it.
        """
        first = _free_indexes(self.read(), 2 * len(run))
        batch: list[bytearray] = []
        places: list[tuple[int, bool]] = []
        for place, (_position, op) in enumerate(run):
            asked = requests(op, first + 2 * place)
            batch += asked
            places += [(place, number == 0) for number in range(len(asked))]
        refused = self._wire.send(batch)
        errors: Errors = {}
        for number, refusal in sorted(refused.items()):
            position, op = run[places[number][0]]
            errors.setdefault(position, words_of(refusal, op))
        not_made = {places[number][0] for number in refused if places[number][1]}
        unmarked = [run[place] for place in sorted({places[number][0] for number in refused} - not_made)]
        return {**errors, **self._take_back(unmarked, {position: errors[position] for position, _op in unmarked})}

    def _silence(self, made: _Run[t.Any]) -> None:
        """Where the kernel does not know IPv6 at all, it refuses."""
        self._wire.send([request for _index, op in made for request in _messages.silence(op.name)])

    def _take_back(self, made: _Run[t.Any], errors: Errors) -> Errors:
        """Delete what was made only by half."""
        self._drop_devices([(index, DropDevice(op.name)) for index, op in made if index in errors])
        return errors

    def _set_devices(self, run: _Run[InsideOp]) -> Errors:
        """Here, and in each namespace in one go."""
        return {**set_here(self._wire, [one for one in run if one[1].netns is None]), **_set_inside(run)}

    def _drop_devices(self, run: _Run[DropDevice]) -> Errors:
        """Several devices are moved to a group of their own first: deleting a group takes as long as deleting one device."""
        errors = _set_inside(run)
        run = [one for one in run if one[1].netns is None]
        if len(run) < 2:
            return {**errors, **self._send(run, [_drop(op.name) for _index, op in run])}
        used = {device.group for device in self.read().values()}
        group = next(number for number in iter(lambda: random.randrange(1 << 30, 1 << 31), 0) if number not in used)  # noqa: S311
        errors.update(self._send(run, [_messages.named(op.name, ("IFLA_GROUP", group)) for _index, op in run]))
        rest = [one for one in run if one[0] not in errors]
        if rest and self._wire.send([_messages.link(_messages.RTM_DELLINK, [("IFLA_GROUP", group)])]):
            errors.update(self._send(rest, [_drop(op.name) for _index, op in rest]))
        return errors

    def _drop_groups(self, run: _Run[DropGroup]) -> Errors:
        return self._send(run, [_messages.link(_messages.RTM_DELLINK, [("IFLA_GROUP", op.group)]) for _index, op in run])


def _drop(name: str) -> bytearray:
    return _messages.link(_messages.RTM_DELLINK, [("IFLA_IFNAME", name)])


def _pair(op: NewVeth, netns: int, index: int) -> list[bytearray]:
    """A pair, and the marks of those of its ends that are in this namespace."""
    requests = [_messages.new_veth(op, netns, index), _messages.mark(index, op.alias)]
    return [*requests, _messages.mark(index + 1, op.peer_alias)] if op.peer_alias else requests


def _free_indexes(devices: t.Mapping[str, Device], count: int) -> int:
    """The first of so many indexes in a row that no device has."""
    used = {device.index for device in devices.values()}
    firsts = iter(lambda: random.randrange(_OWN_INDEXES, 1 << 30), 0)  # noqa: S311
    return next(number for number in firsts if used.isdisjoint(range(number, number + count)))


def _set_inside(run: t.Sequence[tuple[int, InsideOp]]) -> Errors:
    """The operations of a run that are for other namespaces."""
    inside: dict[str, list[tuple[int, InsideOp]]] = {}
    for position, op in run:
        if op.netns is not None:
            inside.setdefault(op.netns, []).append((position, op))

    def work(path: str) -> Errors:
        with Wire() as wire:
            return set_here(wire, inside[path])

    errors: Errors = {}
    for path, result in in_namespaces(inside, work).items():
        errors.update(_of_all(inside[path], path, result))
    return errors


def _read_inside(path: str) -> dict[str, Device]:
    with Wire() as wire, control() as sock:
        devices = with_details(wire, read_devices(wire, f"devices in {path}"), path)
        return {
            name: replace(device, tx_checksum=tx_checksum(sock, name)) if device.kind == "veth" else device
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
    return _set_inside([(position, SetDevice(op.peer_name, op.peer_netns, up=True, checksum_off=op.checksum_off)) for position, op in made])


def _of_all(run: t.Sequence[tuple[int, t.Any]], path: str, result: Errors | OSError | LabError) -> Errors:
    """The errors of a run in a namespace; when it could not even be entered, the same one for all."""
    if isinstance(result, dict):
        return result
    said = result.strerror if isinstance(result, OSError) else str(result)
    return {index: f"cannot work in the network namespace {path}: {said}" for index, _op in run}
