# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The layer of virtual machines: domains, their disks, and the media that bring their configurations.

It is carried out in two stages, because the ports come between them: C(clear), then the ports layer, then C(apply), and C(hold) where
others wait for a machine until it is ready.
"""

from __future__ import annotations

import contextlib
import typing as t
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils import _lock, _ready
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access, Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import AGAIN, ApplyError, LabError, VerifyError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._layer import LayerResult
from ansible_collections.archetype.lab.plugins.module_utils._ready_state import probed
from ansible_collections.archetype.lab.plugins.module_utils._vm_apply import apply, clear, ending
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms, State, VmPlan, VmsPlan
from ansible_collections.archetype.lab.plugins.module_utils._vm_plan import needs_restart, plan
from ansible_collections.archetype.lab.plugins.module_utils._vm_read import concerned, read, read_domains
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import DomainSpec
from ansible_collections.archetype.lab.plugins.module_utils._waves import in_turn

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

__all__ = [
    "HaveVms",
    "VmPlan",
    "VmsPlan",
    "apply",
    "clear",
    "closing",
    "concerned",
    "converge",
    "describe",
    "foreseen",
    "hold",
    "plan",
    "read",
    "read_domains",
    "stopped",
]

UNREADY = "is not ready"


def describe(have: HaveVms, found: VmsPlan, want: t.Sequence[Vm]) -> list[dict[str, t.Any]]:
    """The observed state of these machines. have: domains as they are now; found: what was planned, which knows what they are to be."""
    plans = {one.want.name: one for one in found.nodes}
    told = []
    for one in want:
        decided = plans.get(one.name)
        state = as_dict(have, found.lab, one.name, one.node, one.kind, one.image, decided.spec if decided else None)
        if decided and state["status"] != "shutoff":
            state["needs_restart"] += [name for name in decided.needs_restart if name not in state["needs_restart"]]
        told.append(state)
    return told


def as_dict(have: HaveVms, lab: str, name: str, node: str, kind: str, image: str, want: DomainSpec | None = None) -> dict[str, t.Any]:
    """One machine. want: what it is to be; where nobody says, that is what it is defined as for its next start."""
    domain = have.domains.get(name)
    live, then = have.lives.get(name), want or have.specs.get(name)
    begun = domain.started_at if domain is not None else 0.0
    return {
        "lab": lab,
        "name": name,
        "node": node,
        "kind": kind,
        "image": image,
        "status": domain.status if domain is not None else "absent",
        "started_at": datetime.fromtimestamp(begun, tz=timezone.utc).isoformat(timespec="seconds") if begun else "",
        "needs_restart": list(needs_restart(live, then)) if live is not None and then is not None else [],
    }


def foreseen(found: VmsPlan) -> list[LabError]:
    """What is wrong now, and nothing would be done about: for check mode."""
    return [*found.kept.values(), *(one.stuck for one in found.nodes if one.stuck is not None)]


def stopped(found: VmsPlan, doubted: t.Collection[str] = ()) -> frozenset[str]:
    """Machines that do not run, and that nobody is about to start. doubted: those whose start failed, so that it is to be seen first."""
    there = found.have.domains
    asked = (one.want for one in found.nodes if not one.run or one.want.node in doubted)
    return frozenset(one.node for one in asked if not (one.name in there and there[one.name].running))


def closing(found: VmsPlan, *, wave: int | None = None, blocked: t.Mapping[str, str] | None = None) -> frozenset[str]:
    """Taps that nobody has open any more after C(clear)."""
    names = [*found.drops, *(one.want.name for one in ending(found, wave=wave, blocked=blocked))]
    return frozenset(nic.tap for name in names if name in found.have.lives for nic in found.have.lives[name].nics if nic.tap)


# -- until others may go on -----------------------------------------------------------------------------------------


def hold(
    server: Server,
    found: VmsPlan,
    access: t.Sequence[Access],
    *,
    wave: int | None = None,
    after: int | None = None,
    patience: float | None = None,
) -> list[LabError]:
    """Wait until machines of these waves are ready, where others wait for that. What is not is in C(found.unmet) afterwards.

    patience: seconds after which those that are on their way are left to the caller, in C(found.coming).
    """
    waited = {
        one.want.node: one
        for one in found.nodes
        if one.want.hold == "healthy"
        and found.state == "started"
        and one.want.name not in found.failed
        and (one.starts or one.opens)
        and in_turn(one.want.wave, wave, after)
    }
    probes = [one for one in access if one.node in waited and probed(one)]
    if not probes:
        return []
    try:
        states = _ready.wait_ready(server, found.lab, probes, patience)
    except LabError as error:
        found.unmet.update({one.node: UNREADY for one in probes})
        return [error]
    errors: list[LabError] = []
    for state in states:
        if not state.settled:
            found.coming.append(state.node)
        elif state.state != "ready":
            one = waited[state.node]
            found.failed.add(one.want.name)
            found.unmet[state.node] = UNREADY
            errors.append(VerifyError(f"node {state.node} is waited for, and is not ready: {state.reason}", objects=(one.want.name,)))
    return errors


# -- all of it ------------------------------------------------------------------------------------------------------


def converge(
    server: Server,
    lab: str,
    want: t.Sequence[Vm],
    *,
    state: State = "started",
    prune: bool = False,
    recreate: t.Collection[str] = (),
    restart: t.Collection[str] = (),
    bridge: str = "arch-ovs",
    check_mode: bool = False,
) -> LayerResult:
    """The whole layer without the ports between its stages: the taps of what is to be started must be there."""
    raise_all(strange([one.node for one in want], recreate=recreate, restart=restart))
    with contextlib.nullcontext() if check_mode else _lock.at_work(lab):
        have = read(server, lab, want, bridge=bridge)
        found = plan(want, have, lab=lab, state=state, prune=prune, recreate=recreate, restart=restart)
        raise_all(_lacking_taps(found))
        errors = foreseen(found) if check_mode else []
        if not check_mode and found.busy:
            errors = clear(server, found)
            errors += apply(server, found)
            try:
                have = read_domains(server, lab, want)
            except LabError as error:
                errors.append(error)
        return LayerResult(found.changes, errors, describe(have, found, want))


def strange(nodes: t.Collection[str], **asked: t.Collection[str]) -> list[LabError]:
    """Nodes for which something is asked, and that are no machines."""
    return [
        LabError(
            f"{option} names {node}, which is no virtual machine",
            hint=f"name one of {', '.join(sorted(nodes)) or '(none)'}",
            objects=(node,),
        )
        for option, names in asked.items()
        for node in sorted({*names} - {*nodes})
    ]


def _lacking_taps(found: VmsPlan) -> list[LabError]:
    """Machines that would be started without a tap, told before anything is touched."""
    errors: list[LabError] = []
    for one in found.nodes:
        lacking = [nic.tap for nic in one.want.nics if nic.tap and nic.tap not in found.have.devices]
        if one.starts and lacking:
            errors.append(
                ApplyError(
                    f"node {one.want.node} cannot be started: this server has no tap {', '.join(lacking)}",
                    hint=f"{AGAIN}, or make it with archetype.lab.ovs_port_vlan and device=tap",
                    objects=(one.want.name,),
                )
            )
    return errors
