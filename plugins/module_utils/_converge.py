# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Converging one server: make what it has equal to what is declared for it. Modules and (later) the watcher call the same.

Order: everything is read and planned first, so that what must stop a run stops it before the server is touched. Then bridge, sandboxes and
machines that must not run any more, ports, tunnels, nodes: the interfaces of a node exist before its first process runs. A stage that
changed what the next ones look at makes them read again; a run with nothing to do reads once.
"""

from __future__ import annotations

import contextlib
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from ansible_collections.archetype.lab.plugins.module_utils import (
    _bridge,
    _containers,
    _lock,
    _management,
    _ports,
    _server,
    _state,
    _tunnels,
    _vms,
)
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change, result_of
from ansible_collections.archetype.lab.plugins.module_utils._container_plan import run_again
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, LabError, LockedError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import PAIRS, Request
from ansible_collections.archetype.lab.plugins.module_utils._runner import PartialResult
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import as_dict
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import plan as plan_tunnels
from ansible_collections.archetype.lab.plugins.module_utils._waves import in_turn

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._bridge import BridgePlan
    from ansible_collections.archetype.lab.plugins.module_utils._container_plan import ContainersPlan
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
    from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Have as PortsHave
    from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Plan as PortsPlan
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server
    from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import Have as TunnelsHave
    from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import TunnelsPlan

_T = t.TypeVar("_T")
_LAYERS = ("bridge", "containers", "vms", "ports", "tunnels", "management", "state")


@dataclass(frozen=True)
class Run:
    """Who runs this. token tells the run from others: the lock that it takes is given back by the same token.

    ended: the token of a run that has ended without giving its lock back.
    wave: nodes of later waves are not started; without it, all are. blocked: nodes that failed in an earlier wave, with the reason.
    recreate, restart: machines that are to get a new disk, or to be started anew.
    patience: seconds that a machine has to become ready where others wait for that; without it, what its kind gives it.
    """

    owner: str
    token: str
    ended: str = ""
    check: bool = False
    diff: bool = False
    wave: int | None = None
    blocked: t.Mapping[str, str] = field(default_factory=dict)
    recreate: t.Collection[str] = ()
    restart: t.Collection[str] = ()
    patience: float | None = None


@dataclass
class _Outcome:
    """What has happened so far, over all layers. Changes are told in one order, whatever order they were made in."""

    layers: dict[str, t.Sequence[Change]] = field(default_factory=dict)
    errors: list[LabError] = field(default_factory=list)
    result: dict[str, t.Any] = field(default_factory=dict)

    def finish(self, run: Run) -> dict[str, t.Any]:
        """The result of the module. Raises PartialResult when something failed."""
        changes = [change for layer in _LAYERS for change in self.layers.get(layer, ())]
        found = {**result_of(changes, diff=run.diff), "predicted": run.check, **self.result}
        if self.errors:
            raise PartialResult(self.errors, found)
        return found


@dataclass(frozen=True)
class _Stages:
    """What each layer would do, planned from one look at the server."""

    bridge: BridgePlan
    containers: ContainersPlan
    vms: _vms.VmsPlan
    ports: tuple[PortsHave, PortsPlan]
    tunnels: tuple[TunnelsHave, TunnelsPlan]
    management: _management.Plan

    def changes(self) -> dict[str, t.Sequence[Change]]:
        return {
            "bridge": self.bridge.changes,
            "containers": self.containers.changes,
            "vms": self.vms.changes,
            "ports": self.ports[1].changes,
            "tunnels": self.tunnels[1].changes,
            "management": self.management.changes,
        }


class _Converger:
    """One pass over one server."""

    def __init__(self, server: Server, declared: Declared, run: Run) -> None:
        self.server = server
        self.declared = declared
        self.run = run
        self.lab = declared.lab
        self.bridge = declared.bridge.name
        sandboxes = tuple(dict.fromkeys(one.sandbox for one in declared.containers if one.sandbox and not one.network))
        self.wanted_ports = Request(lab=self.lab, ports=declared.ports, sandboxes=sandboxes, bridge=self.bridge, prune=True)
        self.outcome = _Outcome()

    def plan(self) -> _Stages:
        """Every layer's plan. Raises all that any of them refuses."""
        errors: list[LabError] = []

        def attempt(step: t.Callable[[], _T]) -> _T | None:
            try:
                return step()
            except Errors as several:
                errors.extend(several.errors)
            except LabError as error:
                errors.append(error)
            return None

        bridge = attempt(lambda: _bridge.plan([self.declared.bridge], _bridge.read(self.server)))
        containers = attempt(self._plan_containers)
        vms = attempt(lambda: self._plan_vms(bridge))
        self._ask_for_taps(vms)
        fresh = containers.fresh_sandboxes if containers else frozenset()
        ports = attempt(lambda: self._plan_ports(fresh))
        tunnels = attempt(self._plan_tunnels)
        remade = {change.name for change in ports[1].changes if change.action in ("create", "recreate")} if ports else set()
        management = attempt(lambda: self._plan_management(remade))
        if containers and ports:
            run_again(containers, {port.sandbox for port in self.declared.ports if port.name in remade})
        raise_all(list(dict.fromkeys(errors)))
        if bridge is None or containers is None or vms is None or ports is None or tunnels is None or management is None:
            raise AssertionError("a layer gave neither a plan nor an error")
        return _Stages(bridge, containers, vms, ports, tunnels, management)

    def _plan_containers(self) -> ContainersPlan:
        have = _containers.read(self.server, self.lab, self.declared.containers)
        return _containers.plan(self.declared.containers, have, lab=self.lab, prune=True)

    def _plan_vms(self, bridge: BridgePlan | None) -> _vms.VmsPlan:
        """What was asked for machines of earlier waves was done in earlier calls of this run."""
        want, run = self.declared.vms, self.run
        offloads = bridge.want[0].datapath_type != "netdev" if bridge and bridge.want else None
        have = _vms.read(self.server, self.lab, want, bridge=self.bridge, offloads=offloads, access=self.declared.access)
        due = {one.node for one in want if run.wave is None or one.wave >= run.wave}
        return _vms.plan(want, have, lab=self.lab, prune=True, recreate=due & {*run.recreate}, restart=due & {*run.restart})

    def _ask_for_taps(self, vms: _vms.VmsPlan | None) -> None:
        """Taps are for QEMU to open, and those of a machine that is ended before may be made anew."""
        if vms is not None and vms.have.host is not None:
            free = _vms.closing(vms, wave=self.run.wave, blocked=self.run.blocked)
            self.wanted_ports = replace(self.wanted_ports, tap_owner=vms.have.host.uid, closing=free)

    def _plan_ports(self, fresh: t.Collection[str] = ()) -> tuple[PortsHave, PortsPlan]:
        """fresh: sandboxes that get a new network namespace, with which the devices of their nodes go."""
        have = _ports.read(self.server, self.wanted_ports)
        if fresh:
            gone = {port.name for port in self.wanted_ports.ports if port.sandbox in fresh and port.device in PAIRS}
            devices = {name: device for name, device in have.devices.items() if name not in gone}
            sandboxes = {name: sandbox for name, sandbox in have.sandboxes.items() if name not in fresh}
            have = replace(have, devices=devices, sandboxes=sandboxes)
        return have, _ports.plan(self.wanted_ports, have)

    def _plan_tunnels(self) -> tuple[TunnelsHave, TunnelsPlan]:
        have = _tunnels.read(self.server)
        return have, plan_tunnels(self.declared.tunnels, have, lab=self.lab, bridge=self.bridge, prune=True)

    def _plan_management(self, remade: t.Collection[str]) -> _management.Plan:
        want = self.declared.management
        own = {port.name for port in self.declared.ports if want and not port.sandbox and port.interface == want.device}
        have = _management.read(self.server, self.lab, want)
        return _management.plan(self.lab, want, have, fresh=not own.isdisjoint(remade))

    def apply(self, stages: _Stages) -> None:
        """Carry the plans out. A stage that fails does not stop the others, except for the bridge, on which all stands."""
        if stages.bridge.ops and not self._apply_bridge(stages.bridge):
            return
        names = _management.apply_names(self.lab, stages.management)  # Docker would make a folder of what is not there
        if names:
            self.outcome.errors += names
            return
        if stages.containers.changes:
            self.outcome.errors += _containers.apply_sandboxes(self.server, stages.containers)
        if stages.vms.busy:
            self.outcome.errors += _vms.clear(self.server, stages.vms, wave=self.run.wave, blocked=self.run.blocked)
            self.outcome.layers["vms"] = stages.vms.changes
        moved = bool(stages.bridge.ops or stages.containers.changes)
        # Without a note of which commands are due again, interfaces are not made anew: their addresses would be lost for good.
        if self._guard(stages.containers.redo):
            self._guard(lambda: self._apply_ports(*(self._plan_ports() if moved else stages.ports)))
            self._guard(lambda: self._apply_tunnels(*(self._plan_tunnels() if moved else stages.tunnels)))
        self.outcome.errors += _management.apply(self.server, self.lab, stages.management)
        self.outcome.layers["management"] = stages.management.changes
        self._apply_nodes(stages.containers, stages.vms)
        self.outcome.result["waiting"] = stages.containers.waiting(self.run.wave) + stages.vms.waiting(self.run.wave)
        self.outcome.result["unmet"] = {**stages.containers.unmet, **stages.vms.unmet}
        self.outcome.result["held"] = stages.vms.held
        self._guard(self._describe_containers)
        self._guard(lambda: self._describe_vms(stages.vms))

    def _apply_nodes(self, containers: ContainersPlan, vms: _vms.VmsPlan) -> None:
        """Wave after wave, containers and machines of each side by side. Machines are waited for last, as they take longest."""
        errors, run = self.outcome.errors, self.run
        if containers.busy:
            self.outcome.layers["containers"] = containers.changes
        if not vms.busy:
            if containers.busy:
                errors += _containers.apply_nodes(self.server, containers, wave=run.wave, blocked=run.blocked)
            return
        after: int | None = None
        for number in sorted({*containers.waves(), *vms.waves()}):
            if not in_turn(number, run.wave, after):
                continue
            blocked = {**run.blocked, **containers.unmet, **vms.unmet}
            errors += _vms.apply(self.server, vms, wave=number, after=after, blocked=blocked)
            if containers.busy:
                errors += _containers.apply_nodes(self.server, containers, wave=number, after=after, blocked=blocked)
            errors += _vms.hold(self.server, vms, self.declared.access, wave=number, after=after, patience=run.patience)
            after = number

    def _guard(self, step: t.Callable[[], None]) -> bool:
        """Whether the step was carried out; what it raised is noted."""
        try:
            step()
        except Errors as several:
            self.outcome.errors += several.errors
        except LabError as error:
            self.outcome.errors.append(error)
        else:
            return True
        return False

    def _apply_bridge(self, todo: BridgePlan) -> bool:
        before = len(self.outcome.errors)
        self._guard(lambda: self.outcome.errors.extend(_bridge.apply(self.server, todo)))
        self.outcome.layers["bridge"] = todo.changes
        return len(self.outcome.errors) == before

    def _apply_ports(self, have: PortsHave, todo: PortsPlan) -> None:
        result = _ports.apply(self.server, self.wanted_ports, todo, have)
        self.outcome.layers["ports"] = result.changes
        self.outcome.errors += result.errors
        self.outcome.result["ports"] = result.objects

    def _apply_tunnels(self, have: TunnelsHave, todo: TunnelsPlan) -> None:
        if todo.changes or todo.blocked:
            self.outcome.errors += _tunnels.apply(self.server, todo, have, lab=self.lab, bridge=self.bridge)
            self.outcome.layers["tunnels"] = todo.changes
        self.outcome.result["tunnels"] = [as_dict(tunnel, self.lab, None) for tunnel in todo.want]

    def _describe_containers(self) -> None:
        want = self.declared.containers
        found = self.server.docker.inspect(_containers.names_of(want))
        self.outcome.result["containers"] = _containers.describe(found, self.lab, want)

    def _describe_vms(self, found: _vms.VmsPlan) -> None:
        want = self.declared.vms
        have = _vms.read_domains(self.server, self.lab, want) if found.busy and want else found.have
        self.outcome.result["vms"] = _vms.describe(have, found, want)


def _take_lock(lab: str, run: Run) -> None:
    """Raises PartialResult, with the lock of the other run, when another run works on this server."""
    try:
        _lock.acquire(lab, run.owner, run.token, ended=run.ended)
    except LockedError as error:
        held = _lock.current()
        raise PartialResult([error], {"lock": held.to_dict() if held else None}) from error


@contextlib.contextmanager
def _at_work(lab: str, run: Run) -> t.Iterator[None]:
    """With the lock, and after what a run that was killed left at work here. Check mode only looks, and needs neither."""
    if run.check:
        yield
        return
    _take_lock(lab, run)
    with _lock.at_work(lab):
        yield


def converge(server: Server, declared: Declared, run: Run) -> dict[str, t.Any]:
    """Make the server have its part of the lab, and nothing else of the lab. Raises LabError, and PartialResult with what was done."""
    _server.lab_path(declared.lab)
    with _at_work(declared.lab, run):
        converger = _Converger(server, declared, run)
        stages = converger.plan()
        if run.check:
            converger.outcome.layers = stages.changes()
            foreseen = [*_containers.foreseen(stages.containers), *_vms.foreseen(stages.vms), *stages.ports[1].foreseen]
            converger.outcome.errors += foreseen
            converger.outcome.result["vms"] = _vms.describe(stages.vms.have, stages.vms, declared.vms)
        else:
            converger.apply(stages)
        return converger.outcome.finish(run)


class _Remover:
    """One pass over one server, on which nothing of the lab is to be left. All is read and planned before anything is touched."""

    def __init__(self, server: Server, lab: str) -> None:
        self.server = server
        self.lab = lab
        self.unwanted = Request(lab=lab, absent=True, prune=True)
        self.ports_have = _ports.read(server, self.unwanted)
        self.ports = _ports.plan(self.unwanted, self.ports_have)
        self.tunnels_have = _tunnels.read(server)
        self.tunnels = plan_tunnels((), self.tunnels_have, lab=lab, state="absent", prune=True)
        self.containers = _containers.plan((), _containers.read(server, lab, ()), lab=lab, state="absent", prune=True)
        self.vms = _vms.plan((), _vms.read(server, lab, ()), lab=lab, state="absent", prune=True)
        self.management = _management.plan(lab, None, _management.read(server, lab, None, everything=True), whole=True)
        self.outcome = _Outcome()

    def predict(self) -> None:
        self.outcome.layers = {
            "ports": self.ports.changes,
            "tunnels": self.tunnels.changes,
            "containers": self.containers.changes,
            "vms": self.vms.changes,
            "management": self.management.changes,
        }
        self.outcome.errors = _vms.foreseen(self.vms)

    def apply(self) -> None:
        """Wires, containers and machines at once: one waits for ovs-vswitchd, the others for dockerd and libvirtd."""
        with ThreadPoolExecutor(2) as beside:
            containers = beside.submit(_errors_of, self._drop_containers)
            machines = beside.submit(_errors_of, self._drop_vms)
            wires = _errors_of(self._drop_ports) + _errors_of(self._drop_tunnels) + _errors_of(self._drop_management)
        self.outcome.errors = wires + containers.result() + machines.result()

    def _drop_ports(self) -> list[LabError]:
        result = _ports.apply(self.server, self.unwanted, self.ports, self.ports_have)
        self.outcome.layers["ports"] = result.changes
        return result.errors

    def _drop_tunnels(self) -> list[LabError]:
        if not (self.tunnels.changes or self.tunnels.blocked):
            return []
        self.outcome.layers["tunnels"] = self.tunnels.changes
        return _tunnels.apply(self.server, self.tunnels, self.tunnels_have, lab=self.lab)

    def _drop_management(self) -> list[LabError]:
        self.outcome.layers["management"] = self.management.changes
        return _management.apply(self.server, self.lab, self.management)

    def _drop_containers(self) -> list[LabError]:
        self.outcome.layers["containers"] = self.containers.changes
        return _containers.apply_sandboxes(self.server, self.containers) if self.containers.changes else []

    def _drop_vms(self) -> list[LabError]:
        self.outcome.layers["vms"] = self.vms.changes
        return _vms.clear(self.server, self.vms) if self.vms.busy else []


def _errors_of(step: t.Callable[[], list[LabError]]) -> list[LabError]:
    """What went wrong, whether it was raised or returned."""
    try:
        return step()
    except Errors as several:
        return several.errors
    except LabError as error:
        return [error]


def remove(server: Server, lab: str, run: Run) -> dict[str, t.Any]:
    """Remove all that belongs to the lab on this server: ports, tunnels, containers, machines, files. Needs the lab's name only."""
    _server.lab_path(lab)
    try:
        with _at_work(lab, run):
            remover = _Remover(server, lab)
            if run.check:
                remover.predict()
            else:
                remover.apply()
            if not remover.outcome.errors:
                remover.outcome.layers["state"] = _state.remove(lab, check=run.check)
            return remover.outcome.finish(run)
    finally:
        if not run.check:
            _lock.release(run.token)
