# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server in memory: Open vSwitch, network devices in namespaces, containers. They count what is asked of them."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import (
    OWN_NETNS,
    Address,
    Device,
    DeviceRoute,
    DropAddress,
    DropDevice,
    DropGroup,
    DropQdisc,
    DropRoute,
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
    Tap,
)
from ansible_collections.archetype.lab.plugins.module_utils._netlink._tc import wanted
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import (
    DropBridge,
    DropPort,
    OvsBridge,
    OvsInterface,
    OvsOp,
    OvsPort,
    OvsState,
    PutBridge,
    PutPort,
    SetOther,
)


@dataclass
class FakeNet:
    """Devices of the server and of namespaces. The kernel's rules that matter: unique names, a pair goes together."""

    devices: dict[str, Device] = field(default_factory=dict)
    inside: dict[str, dict[str, Device]] = field(default_factory=dict)
    refuse: dict[str, str] = field(default_factory=dict)
    """Name of a device -> what the kernel says to any operation on it."""
    unreadable: bool = False
    calls: list[str] = field(default_factory=list)
    applied: list[NetOp] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._indexes = itertools.count(100)
        self.inside[OWN_NETNS] = self.devices

    def read(self) -> Mapping[str, Device]:
        self.calls.append("read")
        if self.unreadable:
            raise ReadError("cannot read the devices of this server: no")
        return dict(self.devices)

    def read_netns(self, netns: Sequence[str]) -> Mapping[str, Mapping[str, Device]]:
        self.calls.append("read_netns")
        missing = [path for path in netns if path not in self.inside]
        if missing:
            raise ReadError(f"cannot read the devices in {missing[0]}: No such file or directory")
        return {path: dict(self.inside[path]) for path in netns}

    def route(self, address: str) -> Route:
        return Route(source="198.18.0.1", device="eth0", mtu=1500)

    def local_addresses(self) -> Sequence[str]:
        return ["198.18.0.1"]

    def apply(self, ops: Sequence[NetOp]) -> Mapping[int, str]:
        self.calls.append("apply")
        self.applied += ops
        return {place: said for place, op in enumerate(ops) if (said := self._apply(op))}

    def _apply(self, op: NetOp) -> str:
        name = "" if isinstance(op, DropGroup) else op.name
        if name in self.refuse:
            return self.refuse[name]
        if isinstance(op, NewVeth):
            return self._new_veth(op)
        if isinstance(op, NewVxlan):
            self.devices[name] = Device(name, next(self._indexes), "vxlan", op.mtu, up=True, alias=op.alias, group=op.group, vxlan=op.vxlan)
            return ""
        if isinstance(op, NewInside):
            return self._new_inside(op)
        if isinstance(op, NewTap):
            return self._new_tap(op)
        if isinstance(op, SetTapOwner):
            return self._set_owner(op)
        if isinstance(op, SetDevice):
            return self._set(op)
        if isinstance(op, (PutAddress, DropAddress, PutRoute, DropRoute, PutQdisc, DropQdisc)):
            return self._configure(op)
        if isinstance(op, DropDevice) and op.netns is not None:
            return "" if self.inside[op.netns].pop(op.name, None) else f"no device named {op.name} exists"
        doomed = [op.name] if isinstance(op, DropDevice) else [one.name for one in self.devices.values() if one.group == op.group]
        gone = [self.drop(one) for one in doomed]
        return "" if all(gone) else f"no device named {name} exists"

    def _new_veth(self, op: NewVeth) -> str:
        if op.peer_netns not in self.inside:
            return f"cannot open the network namespace {op.peer_netns}: No such file or directory"
        if op.name in self.devices or op.peer_name in self.inside[op.peer_netns]:
            return f"a device named {op.name}, or one named {op.peer_name} in the sandbox, exists"
        out, peer = next(self._indexes), next(self._indexes)
        self.devices[op.name] = Device(op.name, out, "veth", op.mtu, "02:ff:00:00:00:01", op.up, op.up, op.alias, op.group, peer_index=peer)
        self.inside[op.peer_netns][op.peer_name] = Device(
            op.peer_name,
            peer,
            "veth",
            op.mtu,
            op.peer_mac or "02:ff:00:00:00:02",
            up=True,
            carrier=op.up,
            alias=op.peer_alias,
            group=op.group if op.peer_alias else 0,
            peer_index=out,
            tx_checksum=not op.checksum_off,
        )
        return ""

    def _new_tap(self, op: NewTap) -> str:
        if op.name in self.devices:
            return f"a device named {op.name} exists"
        tap = Tap(op.owner, op.queues, persistent=True)
        self.devices[op.name] = Device(
            op.name, next(self._indexes), "tun", op.mtu, "02:ff:00:00:00:03", op.up, alias=op.alias, group=op.group, tap=tap
        )
        return ""

    def _set_owner(self, op: SetTapOwner) -> str:
        device = self.devices[op.name]
        if device.tap is None or device.tap.used or device.tap.queues != op.queues:
            return f"{op.name} is in use"
        self.devices[op.name] = replace(device, tap=replace(device.tap, owner=op.owner))
        return ""

    def _new_inside(self, op: NewInside) -> str:
        if op.name in self.inside[op.netns]:
            return f"a device named {op.name} exists in the sandbox"
        parent = self.devices[op.parent].index if op.parent else 0
        self.inside[op.netns][op.name] = Device(
            op.name,
            next(self._indexes),
            op.kind,
            op.mtu or 1500,
            op.mac,
            up=True,
            carrier=True,
            alias=op.alias,
            parent_index=parent,
            mode=(op.mode or "bridge") if op.kind == "macvlan" else "",
        )
        return ""

    def _configure(self, op: PutAddress | DropAddress | PutRoute | DropRoute | PutQdisc | DropQdisc) -> str:
        """Addresses, routes and queues, with what the kernel does by itself: a gateway's route goes with the address that reaches it."""
        place = self.inside[op.netns] if op.netns else self.devices
        if op.name not in place:
            return f"no device named {op.name} exists"
        device = place[op.name]
        addresses, routes = list(device.addresses), list(device.routes)
        if isinstance(op, PutAddress):
            addresses.append(Address(op.address, ours=True))
        elif isinstance(op, DropAddress):
            addresses = [one for one in addresses if one.text != op.address]
            routes = [one for one in routes if one.family != ipaddress.ip_interface(op.address).version]
        elif isinstance(op, PutRoute):
            family = ipaddress.ip_address(op.via).version
            routes = [one for one in routes if (one.to, one.family) != (op.to, family)]
            routes.append(DeviceRoute(op.to, family, op.via, ours=True))
        elif isinstance(op, DropRoute):
            routes = [one for one in routes if (one.to, one.via) != (op.to, op.via)]
        qdisc = wanted(op.impairment) if isinstance(op, PutQdisc) else None if isinstance(op, DropQdisc) else device.qdisc
        place[op.name] = replace(device, addresses=tuple(addresses), routes=tuple(routes), qdisc=qdisc)
        return ""

    def _set(self, op: SetDevice) -> str:
        place = self.devices if op.netns is None else self.inside[op.netns]
        if op.name not in place:
            return f"no device named {op.name} exists"
        given = {name: getattr(op, name) for name in ("mtu", "mac", "alias", "group", "up") if getattr(op, name) is not None}
        if op.checksum_off:
            given["tx_checksum"] = False
        place[op.name] = replace(place[op.name], **given)
        return ""

    def drop(self, name: str) -> bool:
        """Delete a device of the server, and the other end of it wherever that is."""
        device = self.devices.pop(name, None)
        for place in self.inside.values():
            for one in [one for one in place.values() if device and one.peer_index == device.index]:
                del place[one.name]
        return device is not None

    def close(self) -> None:
        self.calls.append("close")


@dataclass
class FakeOvs:
    """A database whose ovs-vswitchd opens the devices of a FakeNet."""

    net: FakeNet
    bridges: dict[str, OvsBridge] = field(default_factory=lambda: {"arch-ovs": OvsBridge("arch-ovs", "netdev", "standalone")})
    ports: dict[str, OvsPort] = field(default_factory=dict)
    other_config: dict[str, str] = field(default_factory=dict)
    unreadable: bool = False
    broken: bool = False
    """Accepts transactions, and opens no device."""
    refuse: str = ""
    calls: list[str] = field(default_factory=list)
    applied: list[OvsOp] = field(default_factory=list)

    def read(self) -> OvsState:
        self.calls.append("read")
        if self.unreadable:
            raise ReadError("the connection to ovsdb-server was lost")
        return OvsState(dict(self.bridges), dict(self.ports), dict(self.other_config), "3.1.0")

    def check(self) -> None:
        """It always runs."""

    def apply(self, ops: Sequence[OvsOp], *, wait: bool = True, timeout: float = 30.0) -> None:
        self.calls.append("apply")
        if self.refuse:
            raise ApplyError(self.refuse)
        self.applied += ops
        for op in ops:
            self._apply(op)

    def _apply(self, op: OvsOp) -> None:
        if isinstance(op, PutPort):
            ids = dict(self.ports[op.name].external_ids) if op.name in self.ports else {}
            ids = {key: value for key, value in {**ids, **op.external_ids}.items() if key not in op.drop_external_ids}
            there = op.name in self.net.devices and not self.broken
            interface = OvsInterface(op.name, "", 7 if there else -1, "" if there else f"could not open network device {op.name}")
            self.ports[op.name] = OvsPort(op.name, op.bridge, op.tag, op.trunks, op.vlan_mode, ids, {}, (interface,))
        elif isinstance(op, DropPort):
            self.ports.pop(op.name, None)
        elif isinstance(op, PutBridge):
            self.bridges[op.name] = OvsBridge(op.name, op.datapath_type or "", op.fail_mode, op.external_ids, op.other_config)
        elif isinstance(op, DropBridge):
            self.bridges.pop(op.name, None)
        elif isinstance(op, SetOther):
            self.other_config.update(op.values)

    def close(self) -> None:
        self.calls.append("close")


@dataclass
class FakeDocker:
    """Containers that only have a state; nothing can be done with them here."""

    containers: dict[str, DockerContainer] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def inspect(self, names: Sequence[str]) -> Mapping[str, DockerContainer]:
        self.calls.append("inspect")
        return {name: self.containers[name] for name in names if name in self.containers}

    def close(self) -> None:
        self.calls.append("close")
