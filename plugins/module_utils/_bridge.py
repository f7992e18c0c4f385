# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The bridge layer: the one bridge of a server, and what Open vSwitch must be told so that a link on it is a wire.

The bridge is shared by all labs; its mark names no lab. fail_mode is asserted on every run: a bridge that somebody set to
C(secure) forwards nothing, and shows nothing.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.module_utils._changes import Action, Change
from ansible_collections.archetype.lab.plugins.module_utils._declared import Bridge
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError, VerifyError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import DropBridge, OvsOp, OvsState, PutBridge, SetOther
from ansible_collections.archetype.lab.plugins.module_utils._ownership import BRIDGE

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

MARK = "1"
_VLAN_LIMIT = "vlan-limit"
_FORWARD_BPDU = "forward-bpdu"
_NAMED = 10


@dataclass(frozen=True)
class Have:
    """ovs: the database. kernel: whether the kernel has a datapath; asked only when something depends on it."""

    ovs: OvsState
    kernel: t.Callable[[], bool]


@dataclass(frozen=True)
class BridgePlan:
    """changes: what is reported. ops: what does it. want: the bridges as they shall be, datapath_type decided. gone: names."""

    changes: tuple[Change, ...] = ()
    ops: tuple[OvsOp, ...] = ()
    want: tuple[Bridge, ...] = ()
    gone: tuple[str, ...] = ()


def read(server: Server) -> Have:
    from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._datapath import has_kernel_datapath

    return Have(server.ovs.read(), has_kernel_datapath)


def observe(ovs: OvsState, name: str) -> Bridge | None:
    """A bridge in the shape of the declared state; None when there is none of this name."""
    bridge = ovs.bridges.get(name)
    if bridge is None:
        return None
    return Bridge(
        name=name,
        datapath_type=bridge.datapath_type or "system",
        fail_mode=bridge.fail_mode or "standalone",
        forward_bpdu=bridge.other_config.get(_FORWARD_BPDU) == "true",
        vlan_limit=_vlan_limit(ovs),
    )


def _vlan_limit(ovs: OvsState) -> int:
    """How many tags Open vSwitch looks at; 1 when nobody said anything, 0 is without a limit."""
    text = ovs.other_config.get(_VLAN_LIMIT, "1")
    return int(text) if text.isdigit() else 1


def plan(want: t.Sequence[Bridge], have: Have, *, state: str = "present") -> BridgePlan:
    """Raises LabError for what must stop the run: a foreign bridge, a datapath that is not there, ports of others."""
    errors: list[LabError] = []
    changes: list[Change] = []
    ops: list[OvsOp] = []
    decided: list[Bridge] = []
    _check_list(want)
    for bridge in want:
        try:
            _check_ours(bridge.name, have.ovs)
            if state == "absent":
                _plan_absent(bridge.name, have.ovs, changes, ops)
            else:
                decided.append(_plan_present(bridge, have, changes, ops))
        except LabError as error:
            errors.append(error)
    raise_all(errors)
    gone = tuple(bridge.name for bridge in want) if state == "absent" else ()
    return BridgePlan(tuple(changes), tuple(ops), tuple(decided), gone)


def _check_list(want: t.Sequence[Bridge]) -> None:
    names = [bridge.name for bridge in want]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise LabError(f"bridge {name} is declared twice", hint="name each bridge once", objects=(name,))
    if len({bridge.vlan_limit for bridge in want}) > 1:
        raise LabError(
            "the bridges are declared with different values of vlan_limit, which is one setting of the whole server",
            hint="give all bridges the same vlan_limit",
            objects=tuple(names),
        )


def _check_ours(name: str, ovs: OvsState) -> None:
    bridge = ovs.bridges.get(name)
    if bridge is not None and bridge.external_ids.get(BRIDGE) != MARK:
        raise ForeignError(
            f"bridge {name} is foreign (it has no {BRIDGE} mark)",
            hint=f"use another bridge name, or give it to the labs: ovs-vsctl set Bridge {name} external_ids:{BRIDGE}={MARK}",
            objects=(name,),
        )
    port = ovs.ports.get(name)
    if bridge is None and port is not None:
        raise ForeignError(
            f"bridge {name} cannot be made: bridge {port.bridge} has a port of that name", hint="use another bridge name", objects=(name,)
        )


def _plan_absent(name: str, ovs: OvsState, changes: list[Change], ops: list[OvsOp]) -> None:
    if name not in ovs.bridges:
        return
    left = sorted(port.name for port in ovs.ports.values() if port.bridge == name and port.name != name)
    if left:
        shown = ", ".join(left[:_NAMED]) + (f" and {len(left) - _NAMED} more" if len(left) > _NAMED else "")
        raise LabError(f"bridge {name} still has ports: {shown}", hint="remove the labs that they belong to first", objects=(name,))
    changes.append(Change("delete", "bridge", name))
    ops.append(DropBridge(name))


def _plan_present(bridge: Bridge, have: Have, changes: list[Change], ops: list[OvsOp]) -> Bridge:
    """The bridge with its datapath_type decided; what it takes is added to C(changes) and C(ops)."""
    there = observe(have.ovs, bridge.name)
    datapath_type = _datapath_type(bridge, there, have)
    fields: dict[str, tuple[t.Any, t.Any]] = {}
    for name, wanted in (("datapath_type", datapath_type), ("fail_mode", bridge.fail_mode), ("forward_bpdu", bridge.forward_bpdu)):
        found = getattr(there, name) if there is not None else None
        if found != wanted:
            fields[name] = (found, wanted)
    unset = have.ovs.bridges[bridge.name].fail_mode is None if there is not None else False
    if unset:
        fields["fail_mode"] = (None, bridge.fail_mode)
    reason = ""
    if have.ovs.other_config.get(_VLAN_LIMIT) != str(bridge.vlan_limit) and not any(isinstance(op, SetOther) for op in ops):
        found = have.ovs.other_config.get(_VLAN_LIMIT)
        fields["vlan_limit"] = (found, str(bridge.vlan_limit))
        if found is not None:
            reason = f"vlan-limit is one setting for all bridges of the server, and was set to {found} before"
        ops.append(SetOther({_VLAN_LIMIT: str(bridge.vlan_limit)}))
    if fields:
        action: Action = "create" if there is None else "update"
        changes.append(Change(action, "bridge", bridge.name, fields=fields, reason=reason))
        ops.append(_put(bridge, datapath_type))
    return Bridge(bridge.name, datapath_type, bridge.fail_mode, bridge.forward_bpdu, bridge.vlan_limit)


def _put(bridge: Bridge, datapath_type: str) -> PutBridge:
    return PutBridge(
        bridge.name,
        datapath_type=datapath_type,
        fail_mode=bridge.fail_mode,
        other_config={_FORWARD_BPDU: str(bridge.forward_bpdu).lower()},
        external_ids={BRIDGE: MARK},
    )


def _datapath_type(bridge: Bridge, there: Bridge | None, have: Have) -> str:
    if bridge.datapath_type == "auto":
        if there is not None:
            return there.datapath_type
        return "system" if have.kernel() else "netdev"
    if bridge.datapath_type == "system" and (there is None or there.datapath_type != "system") and not have.kernel():
        raise LabError(
            f"bridge {bridge.name} is declared with datapath_type system, but this server's kernel has no Open vSwitch datapath",
            hint="use datapath_type auto or netdev, or install the kernel module openvswitch",
            objects=(bridge.name,),
        )
    return bridge.datapath_type


def apply(server: Server, todo: BridgePlan) -> list[LabError]:
    """Carry out a plan in one transaction and read it back. What the database refuses is raised; what is wrong afterwards returned."""
    server.ovs.apply(todo.ops)
    return verify(todo, server.ovs.read())


def verify(todo: BridgePlan, ovs: OvsState) -> list[LabError]:
    errors: list[LabError] = [
        VerifyError(f"bridge {name} was deleted, but it is still there", objects=(name,)) for name in todo.gone if name in ovs.bridges
    ]
    for want in todo.want:
        found = observe(ovs, want.name)
        if found is None:
            errors.append(VerifyError(f"bridge {want.name} was made, but it is not there", objects=(want.name,)))
            continue
        for name in ("datapath_type", "fail_mode", "forward_bpdu", "vlan_limit"):
            if getattr(found, name) != getattr(want, name):
                text = f"bridge {want.name}: {name} is {getattr(found, name)}, wanted {getattr(want, name)}"
                errors.append(VerifyError(text, objects=(want.name,)))
        port = ovs.ports.get(want.name)
        said = next((one.error for one in port.interfaces if one.error), "") if port is not None else "it has no port of its own"
        if said or port is None or port.ofport is None or port.ofport < 0:
            errors.append(
                VerifyError(
                    f"bridge {want.name} does not work: {said or 'ovs-vswitchd gave it no port number'}",
                    hint=f"datapath_type is {want.datapath_type}; see the log of ovs-vswitchd",
                    objects=(want.name,),
                )
            )
    return errors


def converge(server: Server, want: t.Sequence[Bridge], *, state: str = "present", check_mode: bool = False) -> LayerResult:
    """read, plan, apply (unless in check mode). A bridge that is as declared, and does not work, is an error too."""
    have = read(server)
    todo = plan(want, have, state=state)
    result = LayerResult(changes=list(todo.changes), objects=[as_dict(bridge) for bridge in todo.want])
    if not todo.ops:
        result.errors = verify(todo, have.ovs)
    elif not check_mode:
        result.errors = apply(server, todo)
    return result


def as_dict(bridge: Bridge) -> dict[str, t.Any]:
    return {
        "name": bridge.name,
        "datapath_type": bridge.datapath_type,
        "fail_mode": bridge.fail_mode,
        "forward_bpdu": bridge.forward_bpdu,
        "vlan_limit": bridge.vlan_limit,
    }
