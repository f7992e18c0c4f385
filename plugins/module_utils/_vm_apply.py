# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Carrying out a plan for virtual machines, in two stages, because the ports come between them.

C(clear) ends what must not run any more, so that its taps can be made anew or go. C(apply) makes disks and media, defines, starts, and sees
whether the machines stay. A run that is killed between any two steps leaves what the next one goes on with.
"""

from __future__ import annotations

import os
import re
import time
import typing as t
from itertools import groupby

from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks, _vm_links, _vm_media, _vm_xml
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import LOG_DIR, Domain
from ansible_collections.archetype.lab.plugins.module_utils._netlink._port import Device
from ansible_collections.archetype.lab.plugins.module_utils._parallel import attempt
from ansible_collections.archetype.lab.plugins.module_utils._ready_logs import console_log
from ansible_collections.archetype.lab.plugins.module_utils._ready_scan import shown
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import VmPlan, VmsPlan
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import differences
from ansible_collections.archetype.lab.plugins.module_utils._waves import BROKEN, Workers, in_turn

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

SETTLE = 0.5
"""Seconds for which a machine must have run before it is called running."""
_TOLD_BYTES = 4096
_TOLD_LINES = 4

Blocked = t.Union[t.Mapping[str, str], None]


def clear(server: Server, found: VmsPlan, *, wave: int | None = None, blocked: Blocked = None) -> list[LabError]:
    """Remove what is not wanted, and end what is to be started anew. One error per object that failed.

    wave, blocked: as for C(apply); what is left alone there is not ended here.
    """
    worker = Workers[VmPlan](found.failed)
    worker.errors += attempt(found.drops, lambda name: _drop(server, name))
    failed = {name for error in worker.errors for name in error.objects}
    gone = sorted({*found.drops, *found.folders} - failed - {*found.kept})
    worker.errors += attempt(gone, lambda name: _forget(found, name))
    worker.errors += found.kept.values()
    due = ending(found, wave=wave, blocked=blocked)
    worker.refuse(due, blocked or {})
    worker.on_nodes(worker.alive(due), lambda one: _end(server, one, found.have.domains.get(one.want.name)))
    return worker.errors


def _end(server: Server, node: VmPlan, domain: Domain | None) -> None:
    """Power off. What it is to be is defined before, where it runs: if libvirt refuses that, it goes on as it was."""
    if node.define and domain is not None and domain.running:
        server.virt.define(_vm_xml.build(node.spec))
    server.virt.destroy(node.want.name)


def ending(found: VmsPlan, *, wave: int | None = None, blocked: Blocked = None) -> list[VmPlan]:
    """The machines that C(clear) powers off."""
    return [one for one in found.nodes if one.off and in_turn(one.want.wave, wave, None) and one.want.node not in (blocked or {})]


def _drop(server: Server, name: str) -> None:
    """What it leaves is removed afterwards, so that a run that is killed before finds its folder, which says that it was there."""
    server.virt.destroy(name)
    server.virt.undefine(name)


def _forget(found: VmsPlan, name: str) -> None:
    """What is left of a machine: what QEMU said, and its folder."""
    if name not in found.have.domains or found.have.ours(name, found.lab):
        _remove_logs(name)
    _vm_disks.remove(found.lab, name)


def apply(
    server: Server,
    found: VmsPlan,
    *,
    wave: int | None = None,
    blocked: Blocked = None,
    after: int | None = None,
    waits: bool = True,
) -> list[LabError]:
    """Make disks and media, define, start, and see that the machines stay. One error per object that failed.

    wave: machines of later waves are left alone; after: those up to this one were done already. blocked: nodes that failed in an earlier
    wave, with the reason: they are not tried again, and who waits for one of them is not started.
    """
    worker = Workers[VmPlan](found.failed, found.coming, waits=waits)
    before = dict(blocked or {})
    found.failed.update(one.want.name for one in found.nodes if one.want.node in before)
    with worker.collecting():
        for number in found.waves():
            if not in_turn(number, wave, after):
                continue
            nodes = [one for one in found.nodes if one.want.wave == number and one.want.node not in before]
            worker.refuse(nodes, {**before, **found.unmet})
            _Wave(server, found, worker).work(nodes)
            found.unmet.update({one.want.node: worker.told(one) for one in nodes if one.want.name in found.failed})
            found.unmet.update({one.want.node: one.idle for one in nodes if one.idle})
    found.put_off |= worker.put_off
    if worker.broken:
        found.unmet.update({one.want.node: BROKEN for one in found.nodes if one.want.node not in {**before, **found.unmet}})
    return worker.errors


class _Wave:
    """The machines of one wave: all of them defined and looked at together, and started side by side."""

    def __init__(self, server: Server, found: VmsPlan, worker: Workers[VmPlan]) -> None:
        self.server = server
        self.found = found
        self.lab = found.lab
        self.worker = worker

    def work(self, nodes: t.Sequence[VmPlan]) -> None:
        for one in self.worker.alive(nodes, lambda one: one.stuck is not None):
            self.worker.fail(one, one.stuck or LabError("it is paused"), "is paused")
        begun = time.monotonic()
        self.worker.on_nodes(self.worker.alive(nodes, lambda one: one.works), self._prepare)
        self._verify_defined(self.worker.alive(nodes, lambda one: one.define))
        starting = self.worker.alive(nodes, lambda one: one.starts)
        for delay, group in groupby(sorted(starting, key=_delay), _delay):
            if self.worker.waits:
                time.sleep(max(0.0, begun + delay - time.monotonic()))
            self.worker.on_nodes(list(group), lambda one: self.server.virt.start(one.want.name))
        self.worker.on_nodes(self.worker.alive(nodes, lambda one: bool(one.discard)), self._discard)
        self._set_links(self.worker.alive(nodes, lambda one: bool(one.links)), self.worker.alive(starting))
        self._verify_runs(self.worker.alive(starting))

    def _prepare(self, node: VmPlan) -> None:
        """What it has on disk, and its definition. One that is made anew keeps neither variables of UEFI nor a saved state."""
        if node.fresh:
            self.server.virt.undefine(node.want.name)
        _vm_disks.make(self.lab, node.want, node.spec.mark.backing, node.disks)
        if node.mend:
            _vm_disks.mend(self.lab, node.want)
        if node.medium:
            _vm_media.make(self.lab, node.want)
        if node.define:
            self.server.virt.define(_vm_xml.build(node.spec))

    def _discard(self, node: VmPlan) -> None:
        for path in node.discard:
            _vm_media.discard(self.lab, node.want.name, path)

    def _verify_defined(self, nodes: t.Sequence[VmPlan]) -> None:
        """libvirt leaves out what it does not know; a machine that is not what was declared is not started."""
        if not nodes:
            return
        domains = self.server.virt.domains()
        for one in nodes:
            domain = domains.get(one.want.name)
            spec = _vm_xml.read(domain.xml) if domain is not None else None
            lost = differences(spec, one.spec) if spec is not None else {}
            if spec is None:
                self.worker.fail(one, _gone(one, "right after it was defined"))
            elif lost:
                told = ", ".join(f"{name} is {have!r}, not {want!r}" for name, (have, want) in lost.items())
                error = VerifyError(
                    f"libvirt did not take what domain {one.want.name} of node {one.want.node} declares: {told}",
                    hint="this server's libvirt cannot do it; declare it otherwise",
                    objects=(one.want.name,),
                )
                self.worker.fail(one, error)

    def _set_links(self, nodes: t.Sequence[VmPlan], started: t.Sequence[VmPlan]) -> None:
        """Links of machines that run on; and of those that were started just now, before their guests come to look."""
        down, spared = self.found.down, self.found.spared
        cut = [one for one in started if any(nic.tap in down for nic in one.want.nics)]
        due = {one.want.name: one.links for one in nodes}
        if cut:
            domains = self.server.virt.domains()
            there = {one.want.name: domains[one.want.name] for one in cut if one.want.name in domains}
            due.update(
                (one.want.name, _vm_links.wrong(one.want, there[one.want.name].live_xml, down, spared))
                for one in cut
                if one.want.name in there
            )
        concerned = [one for one in (*nodes, *cut) if due.get(one.want.name)]
        if not concerned:
            return
        self.worker.on_nodes(concerned, lambda one: _vm_links.apply(self.server.virt, one.want, due[one.want.name]))
        now = self.server.virt.domains()
        for one in self.worker.alive(concerned):
            error = _vm_links.verify(one.want, now.get(one.want.name), down, spared)
            if error is not None:
                self.worker.fail(one, error)

    def _verify_runs(self, nodes: t.Sequence[VmPlan]) -> None:
        """Every machine that was started runs a moment later, and holds its taps."""
        if not nodes:
            return
        time.sleep(SETTLE)
        domains, devices = self.server.virt.domains(), self.server.net.read()
        for one in nodes:
            error = _not_running(self.lab, one, domains.get(one.want.name)) or _not_wired(one, devices)
            if error is not None:
                self.worker.fail(one, error)


def _delay(node: VmPlan) -> int:
    return node.want.startup_delay


def _gone(node: VmPlan, when: str) -> LabError:
    return VerifyError(
        f"domain {node.want.name} of node {node.want.node} is gone {when}", hint="look who removes it", objects=(node.want.name,)
    )


def _not_running(lab: str, node: VmPlan, domain: Domain | None) -> LabError | None:
    if domain is None:
        return _gone(node, "right after its start")
    if domain.status == "running":
        return None
    return VerifyError(
        f"domain {domain.name} of node {node.want.node} is {domain.status} right after its start; {last_words(lab, domain.name)}",
        hint="look at its image and its hardware",
        objects=(domain.name,),
    )


def _not_wired(node: VmPlan, devices: t.Mapping[str, Device]) -> LabError | None:
    taps = [nic.tap for nic in node.spec.nics if nic.tap]
    lost = [tap for tap in taps if (device := devices.get(tap)) is None or device.tap is None or not device.tap.used]
    if not lost:
        return None
    return VerifyError(
        f"node {node.want.node} runs, but does not hold tap {', '.join(lost)}, so that its links are down",
        hint="run again; it is restarted",
        objects=(node.want.name,),
    )


def _remove_logs(name: str) -> None:
    """What QEMU said, and what virtlogd moved aside of it."""
    try:
        for one in os.listdir(LOG_DIR):
            if re.fullmatch(re.escape(name) + r"\.log(\.[0-9]+)?", one):
                os.unlink(os.path.join(LOG_DIR, one))
    except FileNotFoundError:
        return
    except OSError as error:
        raise ApplyError(f"the log of {name} in {LOG_DIR} cannot be removed: {error.strerror}", objects=(name,)) from error


def last_words(lab: str, name: str) -> str:
    """The last lines of its console, and of QEMU itself."""
    found = [("console", console_log(lab, name)), ("QEMU", os.path.join(LOG_DIR, f"{name}.log"))]
    return "; ".join(f"the last lines of its {what}: {_tail(path)}" for what, path in found)


def _tail(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TOLD_BYTES))
            lines = [shown(line) for line in stream.read().decode(errors="replace").splitlines()]
    except OSError as error:
        return f"(no log: {error.strerror})"
    return " / ".join([line for line in lines if line][-_TOLD_LINES:]) or "(nothing)"
