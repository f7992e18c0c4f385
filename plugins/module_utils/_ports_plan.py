# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What has to be done for the ports of one lab on one server: pure, from what is wanted and what is there.

A veth port is right when the server's device carries our mark and its other end is the interface of the right name in the
right sandbox. Which device belongs to which interface is told by the indexes of both ends, never by names or their order.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change, differences
from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ForeignError, LabError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, DropDevice, NetOp, NewVeth, SetDevice
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import DropPort, OvsOp, OvsPort, PutPort
from ansible_collections.archetype.lab.plugins.module_utils._ownership import (
    IFINDEX,
    INTERFACE,
    LAB,
    LINK,
    NODE,
    ROLE,
    Alias,
    describe_owner,
    owner_of,
    parse_alias,
)
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import (
    PORT_ROLE,
    Have,
    Plan,
    Request,
    Sandbox,
    Work,
    check_request,
    described,
    endpoint_of,
    tags_of,
)


def make_plan(want: Request, have: Have) -> Plan:
    """The plan. Raises, before anything is touched, every error there is: bad input, foreign objects in the way, taken tags."""
    raise_all(check_request(want))
    if want.absent:
        return _Planner(want, have).removal()
    return _Planner(want, have).everything()


class _Planner:
    def __init__(self, want: Request, have: Have) -> None:
        self.want = want
        self.have = have
        self.lab = want.lab
        bridge = have.ovs.bridges.get(want.bridge)
        self.bridge_exists = bridge is not None
        self.checksum_off = bridge is not None and bridge.datapath_type == "netdev"
        self.by_index = {device.index: device for device in have.devices.values()}

    def everything(self) -> Plan:
        names = {port.name for port in self.want.ports}
        owned = self.owned()
        raise_all([error for port in self.want.ports for error in self.conflicts(port, owned)])
        blocked: list[LabError] = []
        works: list[Work] = []
        if self.want.prune:
            works += [self.remove(name, "not declared") for name in owned if name not in names]
        if self.want.ports and not self.bridge_exists:
            hint = "make it with archetype.lab.ovs_bridge"
            blocked.append(ApplyError(f"there is no bridge {self.want.bridge} on this server", hint=hint, objects=tuple(sorted(names))))
        for port in self.want.ports:
            work = self.work_for(port)
            if work is not None:
                works.append(work)
            error = self.missing(port)
            if error is not None:
                blocked.append(error)
        return Plan(tuple(works), tuple(blocked))

    def removal(self) -> Plan:
        """The named ports; with prune all that the lab has."""
        owned = self.owned()
        strange = [port for port in self.want.ports if port.name not in owned]
        raise_all([error for port in strange for error in self.foreign(port.name, device_too=port.device == "veth")])
        names = {port.name for port in self.want.ports}
        wanted = [name for name in owned if name in names or self.want.prune]
        return Plan(tuple(self.remove(name, "") for name in wanted))

    # whose things are

    def owned(self) -> list[str]:
        """The names of all ports of this lab: those with its mark in Open vSwitch, on a device, or on both. In stable order."""
        found = {name for name, port in self.have.ovs.ports.items() if self.owns_port(port)}
        found |= {name for name, device in self.have.devices.items() if self.owns_device(device)}
        return sorted(found)

    def owns_port(self, port: OvsPort) -> bool:
        """Ours by its mark; or, where that was cleared, by the mark on its device."""
        if owner_of(port.external_ids) is not None:
            return owner_of(port.external_ids) == self.lab and port.external_ids.get(ROLE) == PORT_ROLE
        device = self.have.devices.get(port.name)
        return device is not None and self.owns_device(device)

    def owns_device(self, device: Device) -> bool:
        mark = parse_alias(device.alias)
        return mark is not None and mark.lab == self.lab and mark.kind == PORT_ROLE

    def foreign(self, name: str, *, device_too: bool = True) -> list[LabError]:
        """What has this name and is not ours."""
        errors: list[LabError] = []
        port = self.have.ovs.ports.get(name)
        if port is not None and not self.owns_port(port):
            owner = describe_owner(port.external_ids)
            if owner_of(port.external_ids) == self.lab:
                owner = f"a {port.external_ids.get(ROLE) or 'port of another sort'} of this lab"
            errors.append(self.in_the_way(f"an OVS port named {name} is on bridge {port.bridge}", owner, name))
        device = self.have.devices.get(name)
        if device is not None and device_too and not errors and not self.owns_device(device):
            errors.append(self.in_the_way(f"a network device named {name} exists", _device_owner(device, self.lab), name))
        return errors

    @staticmethod
    def in_the_way(what: str, owner: str, name: str) -> ForeignError:
        return ForeignError(f"{what}; it belongs to: {owner}", hint="remove or rename it; it was not touched", objects=(name,))

    def conflicts(self, port: Port, owned: list[str]) -> list[LabError]:
        """Everything that stops the run before it begins."""
        device = self.have.devices.get(port.name)
        marked = device is not None and parse_alias(device.alias) is not None
        errors = self.foreign(port.name, device_too=port.device == "veth" or marked)
        if errors:
            return errors
        if port.device == "veth":
            errors += self.foreign_interface(port)
        if port.enabled:
            errors += self.taken_tags(port, set(owned))
        return errors

    def foreign_interface(self, port: Port) -> list[LabError]:
        """An interface of the wanted name in the sandbox that is not the other end of a device of this lab."""
        sandbox = self.have.sandboxes.get(port.sandbox)
        inside = sandbox.devices.get(port.interface) if sandbox else None
        if inside is None:
            return []
        outside = self.by_index.get(inside.peer_index or 0)
        if outside is not None and connected(outside, inside) and self.owns_device(outside):
            return []
        where = f"sandbox {port.sandbox} has an interface {port.interface} that does not lead to a port of this lab"
        if outside is not None and connected(outside, inside):
            where += f" but to {outside.name}; that belongs to: {_device_owner(outside, self.lab)}"
        return [ForeignError(where, hint="remove it, or make the sandbox again", objects=(port.name,))]

    def taken_tags(self, port: Port, owned: set[str]) -> list[LabError]:
        """Tags that a port which is not of this lab uses, as the bridge has them now."""
        errors: list[LabError] = []
        tags = tags_of(port)
        for other in self.have.ovs.ports.values():
            if other.bridge != self.want.bridge or other.name in owned or owner_of(other.external_ids) == self.lab:
                continue
            for tag in sorted(tags & {*other.trunks, *([] if other.tag is None else [other.tag])}):
                what = f"tag {tag} of {described(port)} is used on bridge {other.bridge} by port {other.name}"
                owner = describe_owner(other.external_ids)
                errors.append(ForeignError(f"{what}; it belongs to: {owner}", hint="plan again", objects=(port.name, other.name)))
        return errors

    # what is done

    def missing(self, port: Port) -> LabError | None:
        """What must be there before this port can be right."""
        if port.device == "veth" and port.sandbox not in self.have.sandboxes:
            hint = "start it with archetype.lab.lab_container"
            return ApplyError(f"{described(port)}: its sandbox {port.sandbox} does not run", hint=hint, objects=(port.name,))
        if port.device == "none" and port.name not in self.have.devices:
            return ApplyError(f"{described(port)}: there is no device of this name", hint="make it first", objects=(port.name,))
        return None

    def remove(self, name: str, reason: str) -> Work:
        port = self.have.ovs.ports.get(name)
        device = self.have.devices.get(name)
        mark = parse_alias(device.alias) if device else None
        label = mark.key if mark else _label(port.external_ids if port else {})
        return Work(
            Change("delete", "port", name, label, reason=reason),
            drops=(DropDevice(name),) if device is not None and self.owns_device(device) else (),
            ovs=(DropPort(name, port.bridge),) if port is not None and self.owns_port(port) else (),
        )

    def work_for(self, port: Port) -> Work | None:
        device = self.have.devices.get(port.name)
        there = self.have.ovs.ports.get(port.name)
        reason = self.why_anew(port, device)
        fresh = bool(reason) or device is None
        drops, net, fields = self.anew(port, device) if fresh else self.adjusted(port, t.cast("Device", device))
        ovs, ovs_fields = self.on_bridge(port, there, device, fresh=fresh)
        ovs = (*self.left_over(drops), *ovs)
        if not (drops or net or ovs or (fresh and port.device == "veth")):
            return None
        if fresh and port.device == "veth" and there is None and device is None:
            return Work(Change("create", "port", port.name, endpoint_of(port)), drops, net, ovs)
        if fresh and port.device == "veth":
            why = reason or "the device is missing"
            return Work(Change("recreate", "port", port.name, endpoint_of(port), reason=why, fields=ovs_fields), drops, net, ovs)
        if there is None and port.enabled and port.device == "none":
            return Work(Change("create", "port", port.name, endpoint_of(port), fields=fields), drops, net, ovs)
        return Work(Change("update", "port", port.name, endpoint_of(port), fields={**fields, **ovs_fields}), drops, net, ovs)

    def why_anew(self, port: Port, device: Device | None) -> str:
        """Why a device that is there has to be made again, or nothing."""
        if port.device != "veth" or device is None:
            return ""
        sandbox = self.have.sandboxes.get(port.sandbox)
        inside = sandbox.devices.get(port.interface) if sandbox else None
        if inside is not None and connected(device, inside):
            return ""
        return f"its other end is not {port.interface} of sandbox {port.sandbox}"

    def anew(self, port: Port, device: Device | None) -> tuple[tuple[DropDevice, ...], tuple[NetOp, ...], dict[str, t.Any]]:
        """Make the pair, after deleting what is in its place: our device of the name, and our device at its far end."""
        if port.device != "veth":
            return (), (), {}
        sandbox = self.have.sandboxes.get(port.sandbox)
        doomed = [device.name] if device else []
        inside = sandbox.devices.get(port.interface) if sandbox else None
        if inside is not None:
            doomed.append(self.by_index[inside.peer_index or 0].name)
        drops = tuple(DropDevice(name) for name in dict.fromkeys(doomed))
        if sandbox is None:
            return drops, (), {}
        pair = NewVeth(
            name=port.name,
            peer_name=port.interface,
            peer_netns=sandbox.netns,
            peer_mac=port.mac,
            mtu=port.mtu or 1500,
            alias=self.alias(port),
            group=port.group,
            up=port.enabled,
            checksum_off=self.checksum_off,
        )
        return drops, (pair,), {}

    def left_over(self, drops: tuple[DropDevice, ...]) -> tuple[DropPort, ...]:
        """What Open vSwitch has of a device that has to go because its interface is wanted for another port."""
        names = {port.name for port in self.want.ports}
        gone = [self.have.ovs.ports[op.name] for op in drops if op.name not in names and op.name in self.have.ovs.ports]
        return tuple(DropPort(port.name, port.bridge) for port in gone)

    def alias(self, port: Port) -> str:
        return str(Alias(self.lab, PORT_ROLE, endpoint_of(port)))

    def adjusted(self, port: Port, device: Device) -> tuple[tuple[DropDevice, ...], tuple[NetOp, ...], dict[str, t.Any]]:
        """Bring what differs on a device that is the right one."""
        want: dict[str, t.Any] = {"up": port.enabled}
        if port.mtu is not None:
            want["mtu"] = port.mtu
        if port.device == "veth":
            want.update(group=port.group, alias=self.alias(port))
        fields = differences(vars(device), want)
        ops: list[NetOp] = [SetDevice(port.name, **{name: value for name, (_have, value) in fields.items()})] if fields else []
        if port.device == "veth":
            inner, inner_fields = self.adjusted_inside(port, self.have.sandboxes[port.sandbox])
            ops += inner
            fields.update(inner_fields)
        return (), tuple(ops), fields

    def adjusted_inside(self, port: Port, sandbox: Sandbox) -> tuple[list[NetOp], dict[str, t.Any]]:
        """The same for the node's end. Its MAC is left to a bond or bridge that the node has put it into."""
        inside = sandbox.devices[port.interface]
        want: dict[str, t.Any] = {}
        if port.mtu is not None:
            want["mtu"] = port.mtu
        if port.mac and not inside.master:
            want["mac"] = port.mac.lower()
        fields = differences(vars(inside), want)
        checksum = self.checksum_off and inside.tx_checksum is True
        if not fields and not checksum:
            return [], {}
        change = {name: value for name, (_have, value) in fields.items()}
        op = SetDevice(port.interface, netns=sandbox.netns, checksum_off=checksum, **change)
        named = {f"{name} inside": pair for name, pair in fields.items()}
        if checksum:
            named["checksum offload inside"] = ("on", "off")
        return [op], named

    def on_bridge(
        self, port: Port, there: OvsPort | None, device: Device | None, *, fresh: bool
    ) -> tuple[tuple[OvsOp, ...], dict[str, t.Any]]:
        """The port in Open vSwitch: off the bridge when it is not enabled, else with exactly these columns and marks."""
        if not port.enabled:
            return ((DropPort(port.name, there.bridge),), {"bridge": (there.bridge, None)}) if there else ((), {})
        marks = self.marks(port)
        columns = {"bridge": self.want.bridge, "tag": port.tag, "trunks": port.trunks, "vlan_mode": port.vlan_mode}
        fields: dict[str, t.Any] = {}
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


def connected(outside: Device, inside: Device) -> bool:
    """Whether these two, in their two namespaces, are the ends of one pair."""
    return outside.peer_index == inside.index and inside.peer_index == outside.index


def _found_ofport(there: OvsPort, device: Device | None) -> str:
    error = next((one.error for one in there.interfaces if one.error), "")
    if error or there.ofport is None or there.ofport < 1:
        return error or "none"
    index = device.index if device else 0
    return f"that of a device with index {there.external_ids.get(IFINDEX, '(unknown)')}, which is now {index}"


def _device_owner(device: Device, lab: str) -> str:
    mark = parse_alias(device.alias)
    if mark is None:
        return describe_owner(None)
    return f"lab {mark.lab}" if mark.lab != lab else f"a {mark.kind} of this lab"


def _label(marks: t.Mapping[str, str]) -> str:
    return ":".join(marks[key] for key in (NODE, INTERFACE) if key in marks)
