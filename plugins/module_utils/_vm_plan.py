# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What has to be done to have the virtual machines that are declared. Nothing is touched here.

A name that is wanted is sorted into absent, ours, stale (ours, but defined otherwise, not running, on a disk of another image, or not
holding its taps) and foreign. What runs is left as it is: a difference is defined for the next start, and told as "needs restart", until
somebody asks for one. Three things do not wait for that: other NICs, as a link that is declared must come to be; a tap that was made anew,
which cut the machine off; and another backing image, on which the old disk is worth nothing.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _vm_disks, _vm_links, _vm_media
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Vm
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, ReadError, VerifyError, raise_all
from ansible_collections.archetype.lab.plugins.module_utils._vm_checks import check
from ansible_collections.archetype.lab.plugins.module_utils._vm_drops import in_use, plan_drop
from ansible_collections.archetype.lab.plugins.module_utils._vm_model import HaveVms, State, Step, VmPlan, VmsPlan, spec_of
from ansible_collections.archetype.lab.plugins.module_utils._vm_spec import MARKS, Differences, DomainSpec, differences

ASKED = "it was asked for"


def plan(
    want: t.Sequence[Vm],
    have: HaveVms,
    *,
    lab: str,
    state: State = "started",
    prune: bool = False,
    recreate: t.Collection[str] = (),
    restart: t.Collection[str] = (),
    spared: t.Collection[str] = (),
    down: t.Collection[str] = (),
) -> VmsPlan:
    """All that has to change. Raises what must stop the run, for all machines at once, before anything is touched.

    recreate, restart: nodes for which that was asked, be they in the list or not.
    spared: nodes and domains to which nothing is done, and that nothing wrong with them stops the run for; taps whose links are left.
    down: taps whose NICs have no carrier; all others have one.
    """
    found = VmsPlan(lab, state, have, down=frozenset(down), spared=_spared_of(want, have, lab, spared))
    _plan(found, want, prune, recreate, restart)

    def replan(names: t.Collection[str], taps: t.Collection[str]) -> VmsPlan:
        left = {*spared, *names}
        return plan(want, have, lab=lab, state=state, prune=prune, recreate=recreate, restart=restart, spared=left, down=taps)

    found.replan = replan
    return found


def _spared_of(want: t.Sequence[Vm], have: HaveVms, lab: str, names: t.Collection[str]) -> frozenset[str]:
    """All names of what is left alone: a node and its domain go together, whichever is named."""
    pairs = [(one.node, one.name) for one in want] + [(mark.node, name) for name, mark in have.marks.items() if have.ours(name, lab)]
    return frozenset({*names, *(one for pair in pairs if not {*pair}.isdisjoint(names) for one in pair)})


def _plan(found: VmsPlan, want: t.Sequence[Vm], prune: bool, recreate: t.Collection[str], restart: t.Collection[str]) -> None:
    have, lab, spared = found.have, found.lab, found.spared
    names = {one.name for one in want}
    if found.state == "absent":
        nodes = {one.node for one in want}
        renamed = {name for name in have.domains if have.ours(name, lab) and have.marks[name].node in nodes}
        plan_drop(found, lambda name: name not in spared and (prune or name in names | renamed))
        return
    if prune:
        plan_drop(found, lambda name: name not in names | spared)
    for one in want:
        planner = _Planner(one, found, anew=one.node in recreate, again=one.node in restart)
        found.nodes.append(planner.left() if one.name in spared else planner.decide())
    ended = {*found.drops, *(one.want.name for one in found.nodes if one.off)}
    errors = check(want, have, lab, starts=found.state == "started", dropped=found.drops, ended=ended, anew=recreate, spared=spared)
    raise_all([*errors, *in_use(found)])
    for decided in found.nodes:
        found.changes += _changes_of(decided, found)


def needs_restart(live: DomainSpec, want: DomainSpec) -> Differences:
    """What a guest would find otherwise after a restart."""
    return {name: values for name, values in differences(live, want).items() if name not in MARKS}


def _of_nics(fields: Differences) -> Differences:
    return {name: values for name, values in fields.items() if name == "nics" or name.startswith("nic ")}


class _Planner:
    """The decisions for one machine. anew, again: that it is recreated, or restarted, was asked for."""

    def __init__(self, want: Vm, found: VmsPlan, *, anew: bool, again: bool) -> None:
        have = found.have
        if have.host is None:
            raise ReadError("libvirt of this server was not asked", objects=(want.name,))
        self.want = want
        self.lab = found.lab
        self.have = have
        self.state = found.state
        self.anew = anew
        self.again = again
        self.spec = spec_of(found.lab, want, have, have.host)
        self.domain = have.domains.get(want.name)
        self.defined = have.specs.get(want.name)
        self.live = have.lives.get(want.name)
        self.outdated = have.outdated.get(want.name, ())
        self.running = self.domain is not None and self.domain.running
        self.down = found.down
        self.spared = found.spared

    def left(self) -> VmPlan:
        """Nothing is done to it; nor does it run on for those that wait for it, where it does not."""
        idle = ""
        if self.state == "started" and (self.domain is None or self.domain.status != "running"):
            idle = "is left alone, and does not run"
        elif self.state == "started" and self.want.hold == "healthy" and not self._ready():
            idle = "is left alone, and is not ready"
        return VmPlan(self.want, self.spec, run=False, idle=idle)

    def decide(self) -> VmPlan:
        fields = self._differences()
        ends = needs_restart(self.live, self.spec) if self.live and self.running else {}
        step, reason = self._step(fields, ends)
        stays = self.running and step in ("keep", "update")
        lost = self._gone() if stays else []
        off = self.domain is not None and self.domain.status != "shutoff" and step in ("recreate", "restart", "stop")
        fresh = step == "recreate"
        return VmPlan(
            self.want,
            self.spec,
            step,
            reason=reason,
            fields=ends if step == "restart" and ends else fields,
            run=self.state == "started",
            off=off,
            define=self.domain is None or fresh or bool(fields),
            fresh=fresh,
            disks=tuple(path for path in self._disks(fresh=fresh) if path not in lost),
            medium=self._medium(),
            mend=not stays and not fresh and bool(self.outdated),
            discard=() if stays and ends else self._discard(),
            opens=self._opens(step),
            stuck=self._stuck(step),
            links=self._links() if stays and not self._stuck(step) else (),
            needs_restart=(*ends, *self._sizes(), *(["data disk file"] if lost else [])) if stays else (),
        )

    def _links(self) -> tuple[_vm_links.Link, ...]:
        return _vm_links.wrong(self.want, self.domain.live_xml, self.down, self.spared) if self.domain is not None else ()

    def _sizes(self) -> list[str]:
        """What is mended about its disks when it is off."""
        return [f"disk {name}" for change in self.outdated for name in change.fields]

    def _differences(self) -> Differences:
        """Why it has to be defined anew; nothing when it is not there."""
        if self.domain is None or self.defined is None:
            return {}
        found = differences(self.defined, self.spec)
        if not self.domain.persistent:
            found["persistent"] = (False, True)
        return found

    def _step(self, fields: Differences, ends: Differences) -> tuple[Step, str]:
        if self.domain is None:
            return "create", ASKED if self.anew and self.want.name in {*self.have.overlays, *self.have.damaged} else ""
        why = self._why_anew()
        if why:
            return "recreate", why
        if self.state == "stopped":
            return self._stopped(fields)
        if self.state == "present" or (self.running and self.domain.status == "paused" and not self.again):
            return ("update" if fields else "keep"), ""
        if self.domain.status == "crashed":
            return "restart", "it is crashed"
        if not self.running:
            return "start", "what was saved of it is thrown away" if self.domain.managed_save else ""
        why = self._why_again(ends)
        if why:
            return "restart", why
        return ("update" if fields else "keep"), "it needs a restart" if fields and ends else ""

    def _stopped(self, fields: Differences) -> tuple[Step, str]:
        if self.running:
            return "stop", ""
        return ("update" if fields else "keep"), ""

    def _why_anew(self) -> str:
        """Why its disk is thrown away."""
        if self.anew:
            return ASKED
        gone = self.spec.disks[0].path in self._gone()
        return self._other_image() or ("the file of its disk is gone while it runs" if gone else "")

    def _other_image(self) -> str:
        """Why what it wrote is worth nothing."""
        before, after = self.have.overlays.get(self.want.name, ""), self.have.digests.get(self.want.image, "")
        if not before or not after or before == after:
            return ""
        return f"its backing image is another one (SHA-256 {before[:8]} -> {after[:8]})"

    def _gone(self) -> list[str]:
        """Its own disks that it has open, and that have no file any more. What somebody plugged into it is theirs, and no reason."""
        held = [disk.path for disk in self.live.disks if disk.role in ("system", "data")] if self.live else []
        return [path for path in held if path not in self.have.files and _vm_disks.is_disk(self.lab, self.want.name, path)]

    def _why_again(self, ends: Differences) -> str:
        """Why it does not run on."""
        if self.again:
            return ASKED
        if self.want.link_apply_mode != "live" and _of_nics(ends):
            return f"its NICs are other ones ({', '.join(_of_nics(ends))})"
        lost = [nic.tap for nic in self.live.nics if nic.tap and self._is_lost(nic.tap)] if self.live else []
        return f"it does not hold tap {', '.join(lost)}, which was made anew while it ran" if lost else ""

    def _is_lost(self, tap: str) -> bool:
        device = self.have.devices.get(tap)
        return device is None or device.tap is None or not device.tap.used

    def _files(self) -> list[str]:
        return [disk.path for disk in self.spec.disks if disk.role != "config"]

    def _disks(self, *, fresh: bool) -> tuple[str, ...]:
        """The disks to be made; one that was left by a domain that is gone is used again, where it is on the right image."""
        stale = (self.domain is None or fresh) and bool(self.anew or self._other_image())
        return tuple(path for path in self._files() if stale or path not in self.have.files)

    def _medium(self) -> bool:
        return any(disk.role == "config" and disk.path not in self.have.files for disk in self.spec.disks)

    def _discard(self) -> tuple[str, ...]:
        """Media of earlier configurations, also of such that a run which was killed never came to define."""
        wanted = {disk.path for disk in self.spec.disks}
        return tuple(sorted(path for path in self.have.files - wanted if _vm_media.is_medium(self.lab, self.want.name, path)))

    def _opens(self, step: Step) -> bool:
        return self.state == "started" and self.running and step in ("keep", "update") and self.want.hold == "healthy" and not self._ready()

    def _ready(self) -> bool:
        return self.want.node in self.have.ready

    def _stuck(self, step: Step) -> LabError | None:
        """A machine that is paused is left: somebody wished it, or its disk cannot be written, and a restart would lose what it wrote."""
        if self.state != "started" or self.domain is None or self.domain.status != "paused" or step not in ("keep", "update"):
            return None
        return VerifyError(
            f"domain {self.want.name} of node {self.want.node} is paused",
            hint=f"libvirt pauses a machine when its disk is full, see virsh -c qemu:///system domstate --reason {self.want.name};"
            f" let it go on with virsh -c qemu:///system resume {self.want.name}, or restart it with -e lab_restart={self.want.node}",
            objects=(self.want.name,),
        )


def _changes_of(decided: VmPlan, found: VmsPlan) -> t.Iterator[Change]:
    want = decided.want
    for path in decided.disks:
        yield Change("recreate" if path in found.have.files else "create", "disk", path, want.node)
    if decided.mend:
        yield from found.have.outdated[want.name]
    if decided.medium:
        yield from (Change("create", "medium", disk.path, want.node) for disk in decided.spec.disks if disk.role == "config")
    for path in decided.discard:
        yield Change("delete", "medium", path, want.node)
    if decided.step != "keep":
        yield Change(decided.step, "vm", want.name, want.node, decided.fields, decided.reason)
    if decided.links:
        yield _vm_links.change_of(want, decided.links)
