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

import time
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.archetype.lab.plugins.module_utils import (
    _bridge,
    _carriers,
    _containers,
    _drift,
    _management,
    _others,
    _ports,
    _server,
    _standing,
    _state,
    _tunnels,
    _vms,
)
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._container_plan import run_again
from ansible_collections.archetype.lab.plugins.module_utils._errors import Errors, LabError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._outcome import Outcome, Run, at_work
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import PAIRS, Request
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import as_dict
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import plan as plan_tunnels
from ansible_collections.archetype.lab.plugins.module_utils._waves import NOT_YET, in_turn

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._bridge import BridgePlan
    from ansible_collections.archetype.lab.plugins.module_utils._container_plan import ContainersPlan
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared
    from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Have as PortsHave
    from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Plan as PortsPlan
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server
    from ansible_collections.archetype.lab.plugins.module_utils._tunnel_marks import Have as TunnelsHave
    from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import TunnelsPlan

_ON_BRIDGE = ("containers", "vms", "ports", "tunnels", "management")
_T = t.TypeVar("_T")


class _Spareable(t.Protocol):
    """A layer's plan: what it would do to some objects can be left out of it."""

    @property
    def changes(self) -> t.Sequence[Change]: ...

    def sparing(self, names: t.Collection[str]) -> t.Any: ...


_P = t.TypeVar("_P", bound=_Spareable)


@dataclass(frozen=True)
class Stages:
    """What each layer would do, planned from one look at the server. state: whether what is declared is another than what is kept."""

    bridge: BridgePlan
    containers: ContainersPlan
    vms: _vms.VmsPlan
    ports: tuple[PortsHave, PortsPlan]
    tunnels: tuple[TunnelsHave, TunnelsPlan]
    management: _management.Plan
    state: t.Sequence[Change] = ()

    def changes(self) -> dict[str, t.Sequence[Change]]:
        return {
            "bridge": self.bridge.changes,
            "containers": self.containers.changes,
            "vms": self.vms.changes,
            "ports": self.ports[1].changes,
            "tunnels": self.tunnels[1].changes,
            "management": self.management.changes,
            "state": self.state,
        }

    def foreseen(self) -> list[LabError]:
        """What is wrong and will not be mended: check mode can tell it."""
        return [
            *_containers.foreseen(self.containers),
            *_vms.foreseen(self.vms),
            *self.ports[1].foreseen,
            *self.tunnels[1].foreseen,
        ]


class Converger:
    """One pass over one server. keep: what the server is to remember as declared from now on; None leaves what it remembers.

    left: layer -> changes that are due, and are not made, as their objects are left alone. stopped: nodes that do not run, and will not
    after this. starting: nodes of other servers are started by the same run, so that what was told of them does not count any more.
    """

    def __init__(
        self, server: Server, declared: Declared, run: Run, keep: t.Mapping[str, t.Any] | None = None, *, starting: bool = False
    ) -> None:
        self.server = server
        self.declared = declared
        self.run = run
        self.keep = keep
        self.lab = declared.lab
        self.bridge = declared.bridge.name
        self.spared = frozenset(run.spare) | declared.held()
        self.left: dict[str, list[Change]] = {}
        own = {*(one.node for one in declared.containers), *(one.node for one in declared.vms)}
        far = {node for node, runs in _carriers.load_far(self.lab).items() if not runs and node not in own}
        self.stopped = frozenset(far & set(declared.hold) if starting else far)
        self.outcome = Outcome()
        self._ask_for_ports(declared)

    def _ask_for_ports(self, declared: Declared) -> None:
        sandboxes = tuple(dict.fromkeys(one.sandbox for one in declared.containers if one.sandbox and not one.network))
        self.wanted_ports = Request(
            lab=self.lab,
            ports=declared.ports,
            sandboxes=sandboxes,
            bridge=self.bridge,
            prune=True,
            anew=frozenset(self.run.anew),
            spared=self.spared,
        )

    def plan(self) -> Stages:
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
        vms = self._cut_carriers(containers, vms)
        self._ask_for_taps(vms)
        fresh = containers.fresh_sandboxes if containers else frozenset()
        ports = attempt(lambda: self._plan_ports(fresh))
        tunnels = attempt(self._plan_tunnels)
        remade = {change.name for change in ports[1].changes if change.action in ("create", "recreate")} if ports else set()
        management = attempt(lambda: self._plan_management(remade))
        state = attempt(lambda: _state.save(self.lab, self.keep, check=True) if self.keep is not None else [])
        if state:  # what is kept already was looked at when it came to be kept
            attempt(lambda: _others.refuse_clashes(self.keep or {}))
        if containers and ports:
            run_again(containers, {port.sandbox for port in self.declared.ports if port.name in remade})
        raise_all(list(dict.fromkeys(errors)))
        if None in (bridge, containers, vms, ports, tunnels, management, state):
            raise AssertionError("a layer gave neither a plan nor an error")
        return Stages(
            t.cast("BridgePlan", bridge),
            t.cast("ContainersPlan", containers),
            t.cast("_vms.VmsPlan", vms),
            t.cast("tuple[PortsHave, PortsPlan]", ports),
            t.cast("tuple[TunnelsHave, TunnelsPlan]", tunnels),
            t.cast("_management.Plan", management),
            t.cast("list[Change]", state),
        )

    def _sparing(self, layer: str, found: _P) -> _P:
        """A layer's plan without what is left alone."""
        if not self.spared:
            return found
        spared = found.sparing(self.spared)
        self.left[layer] = [change for change in found.changes if change not in spared.changes]
        return t.cast("_P", spared)

    def _plan_containers(self) -> ContainersPlan:
        have = _containers.read(self.server, self.lab, self.declared.containers)

        def plan(spared: t.Collection[str]) -> ContainersPlan:
            return _containers.plan(self.declared.containers, have, lab=self.lab, prune=True, spared=spared)

        return self._planned("containers", plan)

    def _plan_vms(self, bridge: BridgePlan | None) -> _vms.VmsPlan:
        """What was asked for machines of earlier waves was done in earlier calls of this run."""
        want, run = self.declared.vms, self.run
        offloads = bridge.want[0].datapath_type != "netdev" if bridge and bridge.want else None
        have = _vms.read(self.server, self.lab, want, bridge=self.bridge, offloads=offloads, access=self.declared.access)
        due = {one.node for one in want if run.wave is None or one.wave >= run.wave}
        recreate, restart = due & {*run.recreate}, due & {*run.restart}

        def plan(spared: t.Collection[str]) -> _vms.VmsPlan:
            return _vms.plan(want, have, lab=self.lab, prune=True, recreate=recreate, restart=restart, spared=spared)

        return self._planned("vms", plan)

    def _planned(self, layer: str, plan: t.Callable[[t.Collection[str]], _P]) -> _P:
        """A layer's plan without what is left alone. Of that is told what would be done, unless it is what cannot be planned."""
        try:
            return self._sparing(layer, plan(()))
        except LabError:
            if not self.spared:
                raise
        return plan(self.spared)

    def _cut_carriers(self, containers: ContainersPlan | None, vms: _vms.VmsPlan | None) -> _vms.VmsPlan | None:
        """The near end of a link has no carrier while the node at its far end does not run, and nobody is about to start it.

        A container sees that its port is down; a guest has to be told.
        """
        if containers is not None and vms is not None:
            self.stopped |= _containers.stopped(containers, self.run.doubted) | _vms.stopped(vms, self.run.doubted)
        if self.stopped:
            self._ask_for_ports(_carriers.overlay(self.declared, self.stopped))
        return vms and vms.cutting({port.name for port in self.wanted_ports.ports if not port.enabled})

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
        return have, self._sparing("ports", _ports.plan(self.wanted_ports, have))

    def _plan_tunnels(self) -> tuple[TunnelsHave, TunnelsPlan]:
        have = _tunnels.read(self.server)
        want, anew = self.declared.tunnels, frozenset(self.run.anew)
        return have, self._sparing("tunnels", plan_tunnels(want, have, lab=self.lab, bridge=self.bridge, prune=True, anew=anew))

    def _plan_management(self, remade: t.Collection[str]) -> _management.Plan:
        want = self.declared.management
        own = {port.name for port in self.declared.ports if want and not port.sandbox and port.interface == want.device}
        have = _management.read(self.server, self.lab, want)
        return _management.plan(self.lab, want, have, fresh=not own.isdisjoint(remade))

    @property
    def due(self) -> list[Change]:
        """What is due and was not done, other than what failed: it is left alone, or something that it stands on failed."""
        return [change for changes in self.left.values() for change in changes]

    def _leave(self, stages: Stages, layers: t.Iterable[str]) -> None:
        planned = stages.changes()
        for layer in layers:
            self.left[layer] = [*self.left.get(layer, ()), *planned[layer]]

    def apply(self, stages: Stages) -> None:
        """Carry the plans out. A stage that fails does not stop the others, except for the bridge, on which all stands.

        What is declared is kept before anything is changed: a run that is killed is completed by whoever comes next.
        """
        if stages.state and self.keep is not None:
            _state.save(self.lab, self.keep)
            self.outcome.layers["state"] = stages.state
        if stages.bridge.ops and not self._apply_bridge(stages.bridge):
            self._leave(stages, _ON_BRIDGE)
            return
        names = _management.apply_names(self.lab, stages.management)  # Docker would make a folder of what is not there
        if names:
            self.outcome.errors += names
            self._leave(stages, _ON_BRIDGE)
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
        else:
            self._leave(stages, ("ports", "tunnels"))
        self.outcome.errors += _management.apply(self.server, self.lab, stages.management)
        self.outcome.layers["management"] = stages.management.changes
        self._apply_nodes(stages.containers, stages.vms)
        if not self.run.waits:
            self._put_off("containers", stages.containers)
            self._put_off("vms", stages.vms)
        self.outcome.result["waiting"] = stages.containers.waiting(self.run.wave) + stages.vms.waiting(self.run.wave)
        self.outcome.result["unmet"] = {**stages.containers.unmet, **stages.vms.unmet}
        self.outcome.result["coming"] = list(dict.fromkeys([*stages.containers.coming, *stages.vms.coming]))
        self._guard(self._describe_containers)
        self._guard(lambda: self._describe_vms(stages.vms))

    def _apply_nodes(self, containers: ContainersPlan, vms: _vms.VmsPlan) -> None:
        """Wave after wave, containers and machines of each side by side. Machines are waited for last, as they take longest."""
        errors, run = self.outcome.errors, self.run
        if containers.busy:
            self.outcome.layers["containers"] = containers.changes
        if not vms.busy:
            if containers.busy:
                errors += _containers.apply_nodes(self.server, containers, wave=run.wave, blocked=run.blocked, waits=run.waits)
            return
        after: int | None = None
        for number in sorted({*containers.waves(), *vms.waves()}):
            if not in_turn(number, run.wave, after):
                continue
            blocked = {**run.blocked, **containers.unmet, **vms.unmet}
            if run.wave is None:
                blocked.update(dict.fromkeys((*containers.coming, *vms.coming), NOT_YET))
            errors += _vms.apply(self.server, vms, wave=number, after=after, blocked=blocked, waits=run.waits)
            if containers.busy:
                errors += _containers.apply_nodes(self.server, containers, wave=number, after=after, blocked=blocked, waits=run.waits)
            errors += _vms.hold(self.server, vms, self.declared.access, wave=number, after=after, patience=run.patience)
            after = number

    def _put_off(self, layer: str, found: ContainersPlan | _vms.VmsPlan) -> None:
        """What is left to a later pass was not done: nodes that wait for others, and commands of nodes that are on their way."""
        names = {name for one in found.nodes if one.want.node in found.put_off for name in (one.want.node, one.want.name)}

        def is_later(change: Change) -> bool:
            return (change.label in names and change.kind != "sandbox") or (change.label in found.coming and change.kind == "exec")

        changes = self.outcome.layers.get(layer, ())
        later = [one for one in changes if is_later(one)]
        if later:
            self.left[layer] = [*self.left.get(layer, ()), *later]
            self.outcome.layers[layer] = [one for one in changes if one not in later]

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


def _carry_out(converger: Converger, stages: Stages) -> None:
    """With what is noted of links: what was proven before they are changed counts no more, also where this does not come to its end."""
    declared, outcome = converger.declared, converger.outcome
    down = _carriers.down_links(declared, converger.stopped)
    links = links_of(declared, stages.changes())
    _standing.changing(declared.lab, links - down.keys(), time.time())
    converger.apply(stages)
    after = _drift.drift(declared, converger.due, outcome.errors)
    links |= links_of(declared, outcome.layers)
    try:
        _standing.after_pass(declared.lab, after, links, outcome.errors, down, time.time())
    except LabError as error:  # what was done is told nevertheless
        outcome.errors.append(error)


def links_of(declared: Declared, layers: t.Mapping[str, t.Sequence[Change]]) -> set[str]:
    """The declared links that changes are of."""
    changes = [change for layer, some in layers.items() if layer != "state" for change in some]
    items = _drift.drift(declared, changes, ())
    return {one.name for one in items if one.sort == "link" and one.word not in (_drift.IN_SYNC, _drift.ORPHAN)}


def converge(server: Server, declared: Declared, run: Run, keep: t.Mapping[str, t.Any] | None = None) -> dict[str, t.Any]:
    """Make the server have its part of the lab, and nothing else of the lab. Raises LabError, and PartialResult with what was done.

    keep: what the server remembers as declared from now on.
    """
    _server.lab_path(declared.lab)
    begun = time.monotonic()
    with at_work(declared.lab, run):
        converger = Converger(server, declared, run, keep, starting=True)
        stages = converger.plan()
        if run.check:
            converger.outcome.layers = stages.changes()
            converger.outcome.errors += stages.foreseen()
            converger.outcome.result["vms"] = _vms.describe(stages.vms.have, stages.vms, declared.vms)
            converger.outcome.result["drift"] = _drift.as_dicts(declared, stages.changes(), converger.left, stages.foreseen())
        else:
            _carry_out(converger, stages)
            converger.outcome.note(run, declared.lab, declared.server, "deployed", time.monotonic() - begun)
        return converger.outcome.finish(run)
