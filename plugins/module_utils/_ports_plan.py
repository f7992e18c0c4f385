# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What has to be done for the ports of one lab on one server: pure, from what is wanted and what is there.

A pair is right when the server's device carries our mark and its other end is the interface of the right name in the right sandbox. Which
device belongs to which interface is told by the indexes of both ends, never by names or their order. A device that is in a sandbox only is
right when it has our mark there.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils._changes import UNMENDED, Change, differences
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._errors import AGAIN, MAKE_BRIDGE, ApplyError, BlockedError, LabError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, DropDevice, NetOp, NewInside, NewVeth, SetDevice
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import DropPort, OvsOp, OvsPort, PutPort
from ansible_collections.archetype.lab.plugins.module_utils._ownership import IFINDEX, INTERFACE, LAB, LINK, NODE, ROLE, parse_alias
from ansible_collections.archetype.lab.plugins.module_utils._ports_inside import Fields, in_the_way, settings
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import (
    BRIDGED,
    INSIDE,
    MADE,
    OUTSIDE,
    PAIRS,
    PORT_ROLE,
    Have,
    Plan,
    Request,
    Sandbox,
    Work,
    check_request,
    described,
    endpoint_of,
)
from ansible_collections.archetype.lab.plugins.module_utils._ports_owned import Owned, connected, interface_of, why_not
from ansible_collections.archetype.lab.plugins.module_utils._ports_taps import Taps


def make_plan(want: Request, have: Have) -> Plan:
    """The plan. Raises, before anything is touched, every error there is: bad input, foreign objects in the way, taken tags.

    What is wrong with ports that are spared stops nothing. What would be done to them is in the plan, for C(Plan.sparing) to take out.
    """
    raise_all(check_request(want))
    want = replace(want, spared=spared_of(want))
    if want.absent:
        return _Planner(want, have).removal()
    return _Planner(want, have).everything()


def spared_of(want: Request) -> frozenset[str]:
    """Names of the ports that are left as they are, whichever way they were named, and those names."""
    return frozenset({*want.spared, *(port.name for port in want.ports if endpoint_of(port) in want.spared)})


class _Planner:
    def __init__(self, want: Request, have: Have) -> None:
        self.want = want
        self.have = have
        self.lab = want.lab
        self.owned = Owned(want, have)
        self.taps = Taps(want)
        bridge = have.ovs.bridges.get(want.bridge)
        self.bridge_exists = bridge is not None
        self.checksum_off = bridge is not None and bridge.datapath_type == "netdev"
        self.names = {port.name for port in want.ports}
        self.spared = want.spared

    def everything(self) -> Plan:
        owned = self.owned.names()
        raise_all([error for port in self.want.ports if port.name not in self.spared for error in self.owned.conflicts(port, owned)])
        blocked: list[LabError] = []
        works: list[Work] = []
        if self.want.prune:
            works += [self.remove(name, "not declared") for name in owned if name not in self.names]
            works += self.remove_inside("not declared")
        on_bridge = tuple(sorted(port.name for port in self.want.ports if port.device in BRIDGED))
        if on_bridge and not self.bridge_exists:
            blocked.append(ApplyError(f"there is no bridge {self.want.bridge} on this server", hint=MAKE_BRIDGE, objects=on_bridge))
        for port in self.want.ports:
            work = self.inside_work(port) if port.device in INSIDE else self.work_for(port)
            if work is not None:
                works.append(work)
            blocked += self.missing(port)
        return Plan(tuple(works), tuple(blocked))

    def removal(self) -> Plan:
        """The named ports; with prune all that the lab has."""
        owned = self.owned.names()
        ports = [port for port in self.want.ports if port.name not in self.spared]
        strange = [port for port in ports if port.name not in owned and port.device not in INSIDE]
        raise_all([error for port in strange for error in self.owned.foreign(port.name, device_too=port.device in MADE)])
        wanted = [name for name in owned if name in self.names or self.want.prune]
        return Plan((*(self.remove(name, "") for name in wanted), *self.remove_inside("")))

    # what is done

    def missing(self, port: Port) -> list[LabError]:
        """What must be there, or not be there, before this port can be right."""
        if port.device == "none":
            if port.name in self.have.devices:
                return []
            return [BlockedError(f"{described(port)}: there is no device of this name", hint="make it first", objects=(port.name,))]
        if port.device in OUTSIDE:
            return []
        if port.sandbox and port.sandbox not in self.have.sandboxes:
            hint = f"{AGAIN}, or start it with archetype.lab.lab_container"
            return [BlockedError(f"{described(port)}: its sandbox {port.sandbox} does not run", hint=hint, objects=(port.name,))]
        return in_the_way(port, interface_of(port, self.have)[1])

    def remove(self, name: str, reason: str) -> Work:
        port = self.have.ovs.ports.get(name)
        device = self.have.devices.get(name)
        mark = parse_alias(device.alias) if device else None
        label = mark.key if mark else _label(port.external_ids if port else {})
        return Work(
            Change("delete", "port", name, label, reason=reason),
            drops=(DropDevice(name),) if device is not None and self.owned.has_device(device) else (),
            ovs=(DropPort(name, port.bridge),) if port is not None and self.owned.has_port(port) else (),
            link=port.external_ids.get(LINK, "") if port is not None else "",
        )

    def remove_inside(self, reason: str) -> list[Work]:
        """Devices of the lab in sandboxes: those that no port is declared for; where they are unwanted, those of the named ports."""
        ends = {(port.sandbox, port.interface): port for port in self.want.ports if port.device not in OUTSIDE}
        works = []
        for sandbox, device in self.owned.inside():
            port = ends.get((sandbox, device.name))
            mark = parse_alias(device.alias)
            if mark is not None and ((self.want.absent and port) or (self.want.prune and not port)):
                change = Change("delete", "port", port.name if port else mark.key, mark.key if port else "", reason=reason)
                works.append(Work(change, drops=(DropDevice(device.name, self.have.sandboxes[sandbox].netns),)))
        return works

    # devices in a sandbox only

    def inside_work(self, port: Port) -> Work | None:
        """What has to be done for a port that is one device in the sandbox. What had its name on the server before goes."""
        sandbox, inside = interface_of(port, self.have)
        alias = self.owned.alias(port)
        reason = why_not(port, alias, inside, self.have) if inside is not None else ""
        if inside is not None and not reason and port.name in self.want.anew:
            reason = UNMENDED
        before = self.remove(port.name, "") if port.name in self.owned.names() else None
        drops = before.drops if before else ()
        ovs = before.ovs if before else ()
        if inside is not None and sandbox is not None and not reason:
            net, fields = self.adjusted_inside(port, sandbox, inside)
            if not (net or drops or ovs):
                return None
            return Work(Change("update", "port", port.name, endpoint_of(port), fields=fields), drops, tuple(net), ovs)
        if inside is not None and sandbox is not None:
            drops = (*drops, *self.doomed(inside, sandbox))
        net = []
        if sandbox is not None:
            new = NewInside(port.interface, sandbox.netns, port.device, alias, port.parent, port.mode, port.mac, port.mtu)
            net = [new, *settings(port, sandbox, None)[0]]
        action: t.Literal["create", "recreate"] = "recreate" if drops or reason else "create"
        return Work(Change(action, "port", port.name, endpoint_of(port), reason=reason), drops, tuple(net), ovs)

    def doomed(self, inside: Device, sandbox: Sandbox) -> tuple[DropDevice, ...]:
        """What has to go so that an interface can be made anew: a pair by the server's end, whatever else where it is."""
        outside = self.owned.outside_of(inside)
        return (DropDevice(outside.name) if outside is not None else DropDevice(inside.name, sandbox.netns),)

    # devices of the server

    def work_for(self, port: Port) -> Work | None:
        device = self.have.devices.get(port.name)
        there = self.have.ovs.ports.get(port.name)
        reason = self.why_anew(port, device)
        fresh = bool(reason) or device is None
        drops, net, fields = self.anew(port, device) if fresh else self.adjusted(port, t.cast("Device", device))
        ovs, ovs_fields = self.on_bridge(port, there, device, fresh=fresh)
        ovs = (*self.left_over(drops), *ovs)
        made = port.device in MADE
        if not (drops or net or ovs or (fresh and made)):
            return None
        if fresh and made and there is None and device is None:
            return Work(Change("create", "port", port.name, endpoint_of(port)), drops, net, ovs)
        if fresh and made:
            why = reason or "the device is missing"
            return Work(Change("recreate", "port", port.name, endpoint_of(port), reason=why, fields=ovs_fields), drops, net, ovs)
        if there is None and port.enabled and port.device == "none":
            return Work(Change("create", "port", port.name, endpoint_of(port), fields=fields), drops, net, ovs)
        why = UNMENDED if port.name in self.want.anew else ""
        return Work(Change("update", "port", port.name, endpoint_of(port), {**fields, **ovs_fields}, why), drops, net, ovs)

    def why_anew(self, port: Port, device: Device | None) -> str:
        """Why a device that is there has to be made again, or nothing."""
        if port.device == "tap" and device is not None:
            return self.taps.why_anew(port, device)
        if port.device not in PAIRS or device is None:
            return ""
        inside = interface_of(port, self.have)[1]
        if inside is not None and connected(device, inside):
            return UNMENDED if port.name in self.want.anew else ""
        where = f"sandbox {port.sandbox}" if port.sandbox else "this server"
        return f"its other end is not {port.interface} of {where}"

    def anew(self, port: Port, device: Device | None) -> tuple[tuple[DropDevice, ...], tuple[NetOp, ...], Fields]:
        """Make the pair, after deleting what is in its place: our device of the name, and our device at its far end."""
        if port.device == "tap":
            return (DropDevice(device.name),) if device else (), (self.taps.new(port, self.owned.alias(port)),), {}
        if port.device not in PAIRS:
            return (), (), {}
        sandbox, inside = interface_of(port, self.have)
        doomed = [DropDevice(device.name)] if device else []
        if inside is not None and sandbox is not None:
            doomed += self.doomed(inside, sandbox)
        drops = tuple(dict.fromkeys(doomed))
        if sandbox is None:
            return drops, (), {}
        pair = NewVeth(
            name=port.name,
            peer_name=port.interface,
            peer_netns=sandbox.netns,
            peer_mac=port.mac,
            mtu=port.mtu or 1500,
            alias=self.owned.alias(port),
            group=port.group,
            up=port.enabled,
            checksum_off=self.checksum_off and port.device in BRIDGED,
            peer_alias="" if port.sandbox else self.owned.end_alias(port),
            quiet=port.device in BRIDGED,
        )
        return drops, (pair, *settings(port, sandbox, None)[0]), {}

    def left_over(self, drops: tuple[DropDevice, ...]) -> tuple[DropPort, ...]:
        """What Open vSwitch has of a device that has to go because its interface is wanted for another port."""
        names = [op.name for op in drops if op.netns is None and op.name not in self.names and op.name in self.have.ovs.ports]
        return tuple(DropPort(name, self.have.ovs.ports[name].bridge) for name in names)

    def adjusted(self, port: Port, device: Device) -> tuple[tuple[DropDevice, ...], tuple[NetOp, ...], Fields]:
        """Bring what differs on a device that is the right one."""
        want: dict[str, t.Any] = {"up": port.enabled}
        if port.mtu is not None:
            want["mtu"] = port.mtu
        if port.device in MADE:
            want.update(group=port.group, alias=self.owned.alias(port))
        fields = differences(vars(device), want)
        ops: list[NetOp] = [SetDevice(port.name, **{name: value for name, (_have, value) in fields.items()})] if fields else []
        if port.device == "tap":
            more, tap_fields = self.taps.adjusted(port, device)
            return (), (*more, *ops), {**fields, **tap_fields}
        sandbox, inside = interface_of(port, self.have)
        if port.device in PAIRS and sandbox is not None and inside is not None:
            inner, inner_fields = self.adjusted_inside(port, sandbox, inside)
            ops += inner
            fields.update(inner_fields)
        return (), tuple(ops), fields

    def adjusted_inside(self, port: Port, sandbox: Sandbox, inside: Device) -> tuple[list[NetOp], Fields]:
        """The same for the node's end. Its MAC is left to a bond or bridge that the node has put it into.

        Whether it is up is the node's business; where it is the server's own interface, there is no node.
        """
        want: dict[str, t.Any] = {}
        if port.mtu is not None:
            want["mtu"] = port.mtu
        if port.mac and not inside.master and port.mode != "passthru":
            want["mac"] = port.mac.lower()
        if not port.sandbox:
            want.update(up=True, group=port.group, alias=self.owned.end_alias(port))
        fields = differences(vars(inside), want)
        checksum = self.checksum_off and port.device in BRIDGED and inside.tx_checksum is True
        ops: list[NetOp] = []
        if fields or checksum:
            change = {name: value for name, (_have, value) in fields.items()}
            ops.append(SetDevice(port.interface, netns=sandbox.netns, checksum_off=checksum, **change))
        named = {f"{name} inside": pair for name, pair in fields.items()}
        if checksum:
            named["checksum offload inside"] = ("on", "off")
        more, more_fields = settings(port, sandbox, inside)
        return [*ops, *more], {**named, **more_fields}

    def on_bridge(self, port: Port, there: OvsPort | None, device: Device | None, *, fresh: bool) -> tuple[tuple[OvsOp, ...], Fields]:
        """The port in Open vSwitch: off the bridge when it is not enabled or not to be there, else with exactly these columns and marks."""
        if not port.enabled or port.device not in BRIDGED:
            return ((DropPort(port.name, there.bridge),), {"bridge": (there.bridge, None)}) if there else ((), {})
        marks = self.marks(port)
        columns = {"bridge": self.want.bridge, "tag": port.tag, "trunks": port.trunks, "vlan_mode": port.vlan_mode}
        fields: Fields = {}
        surplus: tuple[str, ...] = ()
        if there is not None:
            fields = differences(vars(there), columns)
            surplus = tuple(key for key in (LINK, NODE, INTERFACE) if key in there.external_ids and key not in marks)
            fields.update(differences(there.external_ids, marks))
            fields.update({key: (there.external_ids[key], None) for key in surplus})
        else:
            fields["bridge"] = (None, self.want.bridge)
        stale = there is not None and (fresh or self.is_stale(there, device))
        if stale and there is not None and not fresh:
            fields["ofport"] = (_found_ofport(there, device), "assigned")
        stale = stale or (there is not None and port.name in self.want.anew)
        if not fields and not stale:
            return (), {}
        put = PutPort(
            port.name,
            self.want.bridge,
            tag=port.tag,
            trunks=port.trunks,
            vlan_mode=port.vlan_mode,
            external_ids=marks,
            drop_external_ids=surplus,
            recreate=stale,
        )
        return (put,), fields

    def marks(self, port: Port) -> dict[str, str]:
        marks = {LAB: self.lab, ROLE: PORT_ROLE, LINK: port.link, NODE: port.node, INTERFACE: port.interface}
        return {key: value for key, value in marks.items() if value}

    @staticmethod
    def is_stale(there: OvsPort, device: Device | None) -> bool:
        """Open vSwitch does not have the device of this name: it could not open it, or opened one that is gone."""
        failed = there.ofport is None or there.ofport < 1 or any(one.error for one in there.interfaces)
        return failed or (device is not None and there.external_ids.get(IFINDEX) != str(device.index))


def _found_ofport(there: OvsPort, device: Device | None) -> str:
    error = next((one.error for one in there.interfaces if one.error), "")
    if error or there.ofport is None or there.ofport < 1:
        return error or "none"
    index = device.index if device else 0
    return f"that of a device with index {there.external_ids.get(IFINDEX, '(unknown)')}, which is now {index}"


def _label(marks: t.Mapping[str, str]) -> str:
    return ":".join(marks[key] for key in (NODE, INTERFACE) if key in marks)
