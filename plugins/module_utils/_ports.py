# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The ports layer: devices of nodes on the bridge, with the other end of a veth in the node's sandbox.

Per run: one read of Open vSwitch, one of the server's devices, one look into every sandbox concerned; then one batch of netlink
requests and one transaction; then the same read again, which must leave nothing to plan.
"""

from __future__ import annotations

import os
import typing as t
from dataclasses import asdict, replace

from ansible_collections.archetype.lab.plugins.module_utils._declared import Port
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import (
    OWN_NETNS,
    Device,
    DropAddress,
    DropDevice,
    DropQdisc,
    DropRoute,
    NetOp,
    NewInside,
    NewTap,
    NewVeth,
    PutAddress,
    PutQdisc,
    PutRoute,
    SetDevice,
    SetTapOwner,
)
from ansible_collections.archetype.lab.plugins.module_utils._ovsdb._port import DropPort, OvsOp, PutPort
from ansible_collections.archetype.lab.plugins.module_utils._ownership import IFINDEX
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import INSIDE, OUTSIDE, PAIRS, Have, Plan, Request, Sandbox, Work
from ansible_collections.archetype.lab.plugins.module_utils._ports_owned import interface_of
from ansible_collections.archetype.lab.plugins.module_utils._ports_plan import make_plan, spared_of

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

_STAGES = (NewVeth, NewTap, NewInside, SetTapOwner, SetDevice, DropRoute, DropAddress, PutAddress, PutRoute, DropQdisc, PutQdisc)
"""What is done before what, for all ports together: so each sort is one batch, and a sandbox is entered once for all that is set in it."""


def read(server: Server, want: Request) -> Have:
    """What is there. Raises ReadError when any of it cannot be read."""
    paths = netns_paths(server, _sandboxes(want))
    inside = server.net.read_netns(tuple(dict.fromkeys(paths.values()))) if paths else {}
    return Have(
        ovs=server.ovs.read(),
        devices=server.net.read(),
        sandboxes={name: Sandbox(path, inside[path]) for name, path in paths.items()},
    )


def _sandboxes(want: Request) -> list[str]:
    """Those to look into. A pair goes by its end on the server: what is unwanted is looked for inside only where there is none."""
    ports = [port for port in want.ports if port.device not in OUTSIDE and not (want.absent and port.device in PAIRS)]
    return list(dict.fromkeys([*(port.sandbox for port in ports), *want.sandboxes]))


def netns_paths(server: Server, sandboxes: t.Sequence[str]) -> dict[str, str]:
    """The network namespaces of those sandboxes that run. A sandbox may also be given as the path of a namespace; none is the server."""
    paths = {name: name or OWN_NETNS for name in sandboxes if not name or (name.startswith("/") and os.path.exists(name))}
    containers = [name for name in sandboxes if name and not name.startswith("/")]
    if containers:
        paths.update({name: one.netns for name, one in server.docker.inspect(containers).items() if one.running and one.netns})
    return paths


def plan(want: Request, have: Have) -> Plan:
    """What has to be done; pure. Raises what must stop the run before the server is touched."""
    return make_plan(want, have)


def converge(server: Server, want: Request, *, check: bool = False) -> LayerResult:
    """Make the ports of this server what is wanted; in check mode only say what would be done."""
    have = read(server, want)
    todo = plan(want, have).sparing(spared_of(want))
    if check:
        return LayerResult(changes=todo.changes, errors=todo.foreseen, objects=_objects(want, have))
    return apply(server, want, todo, have)


def apply(server: Server, want: Request, todo: Plan, have: Have) -> LayerResult:
    """Carry out the plan but for what is spared, read back, and report one error for each port that is not as wanted."""
    todo = todo.sparing(spared_of(want))
    result = LayerResult(errors=list(todo.blocked))
    blocked = {name for error in todo.blocked for name in error.objects}
    works = [work for work in todo.works if work.change.name not in blocked]
    if works:
        failed = _apply_devices(server, works)
        done = [work for work in works if work.change.name not in failed]
        failed.update(_apply_ovs(server, done))
        result.errors += dict.fromkeys(failed.values())
        result.changes = [work.change for work in works if work.change.name not in failed]
        try:
            have = _settled(server, want)
            result.errors += verify(want, have, skip=blocked | set(failed))
        except LabError as error:
            result.errors.append(error)
    result.objects = _objects(want, have)
    return result


def _settled(server: Server, want: Request) -> Have:
    """What is there afterwards. ovs-vswitchd gives a device that it lets go of its old flags back, and knows it by its name alone: one that
    was made anew in its place meanwhile is set down by that. What only has to be set is set once more before it is called an error."""
    have = read(server, want)
    works = [work for work in _left(want, have) if work.net and not work.drops and not work.ovs]
    again = [work for work in works if all(isinstance(op, SetDevice) for op in work.net)]
    if not again:
        return have
    _apply_devices(server, again)
    return read(server, want)


def _left(want: Request, have: Have) -> t.Sequence[Work]:
    """What would still be done."""
    return make_plan(replace(want, anew=()), have).sparing(spared_of(want)).works


def verify(want: Request, have: Have, *, skip: t.Collection[str] = ()) -> list[LabError]:
    """What still differs after everything was carried out, one error per port; skip: ports that have an error already."""
    errors: list[LabError] = []
    for work in _left(want, have):
        change = work.change
        if change.name in skip:
            continue
        found = [f"{name} is {value!r}, wanted {wanted!r}" for name, (value, wanted) in change.fields.items()]
        said = ", ".join(found) or change.reason or ("it is still there" if change.action == "delete" else "it is not there")
        label = f" ({change.label})" if change.label else ""
        errors.append(VerifyError(f"port {change.name}{label} is not as wanted: {said}", hint="run again", objects=(change.name,)))
    return errors


def _apply_devices(server: Server, works: t.Sequence[Work]) -> dict[str, LabError]:
    """All netlink requests in one batch, sort by sort: deletions first, for a device may have to make room for another port's."""
    doomed = {drop: work.change.name for work in works for drop in work.drops}
    due: list[tuple[NetOp, str]] = list(doomed.items())
    due += sorted(((op, work.change.name) for work in works for op in work.net), key=lambda one: _STAGES.index(type(one[0])))
    ops, ports = [op for op, _name in due], [name for _op, name in due]
    failed: dict[str, LabError] = {}
    refused = server.net.apply(ops) if ops else {}
    if refused:
        there = server.net.read()
        for place, said in refused.items():
            op = ops[place]
            if isinstance(op, DropDevice) and op.netns is None and op.name not in there:
                continue  # it went with its sandbox meanwhile, which is what was wanted
            failed.setdefault(ports[place], ApplyError(f"port {ports[place]}: {said}", objects=(ports[place],)))
    return failed


def _apply_ovs(server: Server, works: t.Sequence[Work]) -> dict[str, LabError]:
    """One transaction for all ports. It writes down which device each one is, for another may come under the same name."""
    doomed = {op.name: op for work in works for op in work.ovs if isinstance(op, DropPort)}
    ops: list[OvsOp] = [*doomed.values(), *(op for work in works for op in work.ovs if not isinstance(op, DropPort))]
    if not ops:
        return {}
    devices = server.net.read() if any(isinstance(op, PutPort) for op in ops) else {}
    try:
        server.ovs.apply([_with_index(op, devices) for op in ops])
    except ApplyError as error:
        names = tuple(work.change.name for work in works if work.ovs)
        hint = error.hint or "run again"
        return dict.fromkeys(names, ApplyError(error.message, hint=hint, objects=names))
    return {}


def _with_index(op: OvsOp, devices: t.Mapping[str, Device]) -> OvsOp:
    device = devices.get(op.name) if isinstance(op, PutPort) else None
    if device is None or not isinstance(op, PutPort):
        return op
    return replace(op, external_ids={**op.external_ids, IFINDEX: str(device.index)})


def _objects(want: Request, have: Have) -> list[dict[str, t.Any]]:
    """The wanted ports as they are, in the order of the request."""
    return [] if want.absent else [_object(port, want, have) for port in want.ports]


def _object(port: Port, want: Request, have: Have) -> dict[str, t.Any]:
    device = interface_of(port, have)[1] if port.device in INSIDE else have.devices.get(port.name)
    there = have.ovs.ports.get(port.name)
    return {
        **asdict(port),
        "trunks": list(port.trunks),
        "addresses": list(port.addresses),
        "routes": [asdict(route) for route in port.routes],
        "lab": want.lab,
        "carrier": device is not None and device.carrier,
        "ofport": there.ofport if there else None,
    }
