# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Removing all that a lab has on one server, by its marks: nothing needs to be declared for that."""

from __future__ import annotations

import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.archetype.lab.plugins.module_utils import (
    _containers,
    _lock,
    _management,
    _ports,
    _server,
    _state,
    _tunnels,
    _vms,
)
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._outcome import Outcome, Run, at_work, errors_of
from ansible_collections.archetype.lab.plugins.module_utils._ports_model import Request
from ansible_collections.archetype.lab.plugins.module_utils._tunnel_plan import plan as plan_tunnels

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server


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
        self.outcome = Outcome()

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
            containers = beside.submit(errors_of, self._drop_containers)
            machines = beside.submit(errors_of, self._drop_vms)
            wires = errors_of(self._drop_ports) + errors_of(self._drop_tunnels) + errors_of(self._drop_management)
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


def remove(server: Server, lab: str, run: Run) -> dict[str, t.Any]:
    """Remove all that belongs to the lab on this server: ports, tunnels, containers, machines, files. Needs the lab's name only."""
    _server.lab_path(lab)
    try:
        with at_work(lab, run):
            begun = time.monotonic()
            remover = _Remover(server, lab)
            # At first what is declared: from then on nobody mends what is removed here, even if this does not come to its end.
            state = [] if run.check else _state.forget(lab)
            if run.check:
                remover.predict()
            else:
                remover.apply()
            if not remover.outcome.errors:
                state += _state.remove(lab, check=run.check)
                if not run.check:
                    _lock.forget(lab, run.token)
            remover.outcome.layers["state"] = state
            remover.outcome.note(run, lab, "", "removed", time.monotonic() - begun)
            return remover.outcome.finish(run)
    finally:
        if not run.check:
            _lock.release(lab, run.token)
