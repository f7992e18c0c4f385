# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The tunnels layer: VXLAN devices of the kernel, as ports of the bridge.

They are devices of the kernel, and not Open vSwitch's own tunnels, because only these have a DF policy that can be relied on.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.archetype.lab.plugins.module_utils._declared import Tunnel
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError, VerifyError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device, NetOp
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import OvsOp, OvsState, PutPort
from ansible_collections.archetype.lab.plugins.module_utils._ownership import IFINDEX, parse_alias
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import Have, as_dict, found_at
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import (
    TunnelsPlan,
    dead_port,
    have_fields,
    plan,
    want_fields,
)

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server


def read(server: Server) -> Have:
    """Raises ReadError when any part of it cannot be read."""
    return Have(server.ovs.read(), server.net.read())


def apply(server: Server, todo: TunnelsPlan, have: Have, *, lab: str, bridge: str = "arch-ovs") -> list[LabError]:
    """Carry out a plan, then read back and verify. One error per tunnel that failed; the others are done."""
    raise_all([error for error in todo.blocked if error not in todo.foreseen])
    return [*todo.foreseen, *(_carry_out(server, todo, have, lab, bridge) if todo.changes else ())]


def _carry_out(server: Server, todo: TunnelsPlan, have: Have, lab: str, bridge: str) -> list[LabError]:
    try:
        if todo.drop_ports:
            server.ovs.apply(todo.drop_ports)
    except ApplyError as error:
        names = tuple(change.name for change in todo.changes)
        return [ApplyError(f"nothing was done, as ports cannot be deleted: {error.message}", hint=error.hint, objects=names)]
    net: list[NetOp] = [*todo.drop_devices, *todo.new_devices, *todo.set_devices]
    errors = _net_errors(net, server.net.apply(net)) if net else {}
    try:
        devices = server.net.read() if net else have.devices
        back = _known_by_port(todo, devices)
        _put_ports(server, [op for op in todo.put_ports if op.name not in errors or op.name in back], devices, errors)
        now = Have(server.ovs.read(), devices)
    except ReadError as error:
        return [*errors.values(), error]
    errors.update(verify(todo, now, lab=lab, bridge=bridge, skip=errors))
    return list(errors.values())


def _known_by_port(todo: TunnelsPlan, devices: t.Mapping[str, Device]) -> set[str]:
    """Tunnels that somebody made by hand while theirs was made anew. The next run knows by the mark of its port that it is the lab's."""
    made = (devices.get(op.name) for op in todo.drop_ports)
    return {device.name for device in made if device is not None and device.vxlan is not None and parse_alias(device.alias) is None}


def _net_errors(ops: t.Sequence[NetOp], said: t.Mapping[int, str]) -> dict[str, LabError]:
    errors: dict[str, LabError] = {}
    for index, text in said.items():
        name = getattr(ops[index], "name", "")
        errors.setdefault(name, ApplyError(f"tunnel {name}: {text}", objects=(name,)))
    return errors


def _put_ports(server: Server, ops: t.Sequence[PutPort], devices: t.Mapping[str, Device], errors: dict[str, LabError]) -> None:
    """Add the ports with the index of the device that each one stands for. One transaction: if it fails, it fails for all."""
    puts: list[OvsOp] = []
    names: list[str] = []
    for op in ops:
        if IFINDEX not in op.external_ids:
            puts.append(op)
        elif op.name in devices:
            puts.append(replace(op, external_ids={**op.external_ids, IFINDEX: str(devices[op.name].index)}))
        else:
            errors[op.name] = VerifyError(f"tunnel {op.name}: its device is gone again", hint="run again", objects=(op.name,))
            continue
        names.append(op.name)
    try:
        if puts:
            server.ovs.apply(puts)
    except ApplyError as error:
        errors.update({name: ApplyError(f"tunnel {name}: {error.message}", hint=error.hint, objects=(name,)) for name in names})


def verify(todo: TunnelsPlan, now: Have, *, lab: str, bridge: str, skip: t.Container[str] = ()) -> dict[str, LabError]:
    """What is not as planned, by tunnel; all fields of a tunnel in one error."""
    errors: dict[str, LabError] = {}
    for name in todo.gone:
        found = found_at(name, now)
        if not found.nothing and name not in skip:
            left = "device" if found.device is not None else "port"
            errors[name] = VerifyError(f"tunnel {name} was deleted, but its {left} is still there", objects=(name,))
    wanted = {tunnel.name for tunnel in todo.want}
    for op in todo.put_ports:
        port = now.ovs.ports.get(op.name)
        if op.name not in wanted and op.name not in skip and (port is None or port.trunks != op.trunks):
            found_trunks = "gone" if port is None else f"a port with trunks {port.trunks}"
            errors[op.name] = VerifyError(f"tunnel {op.name}: is {found_trunks}, wanted {op.trunks}", hint="run again", objects=(op.name,))
    for tunnel in todo.want:
        wrong = [] if tunnel.name in skip else _wrong(tunnel, now, lab, bridge)
        if wrong:
            errors[tunnel.name] = VerifyError(f"tunnel {tunnel.name}: {', '.join(wrong)}", hint="run again", objects=(tunnel.name,))
    return errors


def _wrong(tunnel: Tunnel, now: Have, lab: str, bridge: str) -> list[str]:
    found = found_at(tunnel.name, now)
    if found.device is None or found.port is None:
        return [f"its {'device' if found.device is None else 'port'} is not there"]
    fields = have_fields(found)
    wanted = want_fields(tunnel, lab, bridge)
    wrong = [f"{name} is {fields.get(name)}, wanted {value}" for name, value in wanted.items() if fields.get(name) != value]
    dead = dead_port(found.port, found.device)
    return [*wrong, dead] if dead else wrong


def converge(
    server: Server,
    want: t.Sequence[Tunnel],
    *,
    lab: str,
    bridge: str = "arch-ovs",
    state: str = "present",
    prune: bool = False,
    check_mode: bool = False,
) -> LayerResult:
    """read, plan, apply (unless in check mode)."""
    have = read(server)
    todo = plan(want, have, lab=lab, bridge=bridge, state=state, prune=prune)
    result = LayerResult(changes=list(todo.changes))
    ovs = have.ovs
    if not check_mode and (todo.changes or todo.blocked):
        result.errors = apply(server, todo, have, lab=lab, bridge=bridge)
        ovs = _last_state(server, have.ovs)
    result.objects = [as_dict(tunnel, lab, _ofport(ovs, tunnel.name)) for tunnel in todo.want]
    return result


def _last_state(server: Server, before: OvsState) -> OvsState:
    """For the result only; that it cannot be read is among the errors already."""
    try:
        return server.ovs.read()
    except ReadError:
        return before


def _ofport(ovs: OvsState, name: str) -> int | None:
    return ovs.ports[name].ofport if name in ovs.ports else None
