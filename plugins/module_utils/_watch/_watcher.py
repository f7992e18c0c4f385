# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The watcher at work: labs come and go, events come in, passes are made one after another."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _metrics, _server
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._ownership import LAB
from ansible_collections.archetype.lab.plugins.module_utils._watch import _instance, _pass
from ansible_collections.archetype.lab.plugins.module_utils._watch._backends import Backends, warm_up
from ansible_collections.archetype.lab.plugins.module_utils._watch._counts import Counts
from ansible_collections.archetype.lab.plugins.module_utils._watch._events import Event, Inbox, follow
from ansible_collections.archetype.lab.plugins.module_utils._watch._labs import Labs
from ansible_collections.archetype.lab.plugins.module_utils._watch._loop import DECLARED, Loop, Pass
from ansible_collections.archetype.lab.plugins.module_utils._watch._peers import Peers

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Declared

LOOK = 0.5
"""Seconds between two looks at which labs are there."""

_TOLD = ("at", "ms", "links", "nodes", "orphans", "waiting")
"""Of a report, for metrics."""
Json = dict[str, t.Any]


class Watcher:
    """say: where a line for people goes."""

    def __init__(self, say: t.Callable[[str], None]) -> None:
        self.inbox = Inbox()
        self.ending = False
        self.all_now = False
        self._say = say
        self._labs = Labs()
        self._loop = Loop()
        self._backends = Backends()
        self._counts = Counts(_instance.version())
        self._peers = Peers(lambda lab: self.inbox.put(Event("peers", lab)), say)
        self._reports: dict[str, Json] = {}
        self._said: dict[str, tuple[str, ...]] = {}
        self._anew: set[str] = set()
        """Labs whose next pass tries what failed, as a daemon is back."""
        self._looked = -LOOK
        self._libvirt = False

    def end(self) -> None:
        """Of handlers of signals: end when the pass under way has ended."""
        self.ending = True
        self.inbox.wake()

    def now(self) -> None:
        """Of handlers of signals: a pass over every lab."""
        self.all_now = True
        self.inbox.wake()

    def listen(self) -> None:
        """Start the sources that every server has."""
        from ansible_collections.archetype.lab.plugins.module_utils._docker import _events as docker
        from ansible_collections.archetype.lab.plugins.module_utils._netlink import _monitor as netlink
        from ansible_collections.archetype.lab.plugins.module_utils._ovsdb import _monitor as ovsdb

        follow("ovsdb", lambda: ovsdb.changes(_server.OVSDB_SOCKET), self.inbox, self._say)
        follow("netlink", netlink.changes, self.inbox, self._say)
        follow("docker", lambda: docker.changes(LAB), self.inbox, self._say)
        self._peers.begin()

    def run(self) -> None:
        """Until it is told to end."""
        self.listen()
        threading.Thread(target=warm_up, name="warm up", daemon=True).start()
        while not self.ending:
            self._look()
            todo = self._loop.next(time.monotonic())
            if isinstance(todo, Pass):
                self._make_pass(todo)
                todo = 0.0
            self._backends.idle(time.monotonic())
            until_look = self._looked + LOOK - time.monotonic()
            self._hear(min(todo, until_look))
        self._peers.close()
        self._backends.close()

    def once(self) -> bool:
        """One pass over all labs that no run works on; whether all are as declared in the end."""
        self._look()
        good = not self._labs.refused
        for lab in self._loop.labs:
            if _pass.locked(lab):
                self._say(f"lab {lab}: a run works on it")
                good = False
                continue
            outcome = _pass.make(self._backends.open, lab, "once")
            self._tell(lab, outcome, "once")
            good = good and not outcome.errors and not outcome.busy
        self._backends.close()
        return good

    def _hear(self, seconds: float) -> None:
        for event in self.inbox.take(seconds):
            self._loop.event(event.source, event.lab, time.monotonic())
            if event.back:
                self._backends.close()  # what is open may be a connection to a daemon that has ended, which takes its time to find that out
                self._anew.update(self._loop.labs)
        if self.all_now:
            self.all_now = False
            self._loop.event("asked for", "", time.monotonic())

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        try:
            look = self._labs.look()
        except (LabError, OSError) as error:
            self._say_once("labs", (f"they cannot be listed: {error}",))
            return
        self._say_once("labs", ())
        for lab, why in look.refused.items():
            self._say(f"lab {lab} is left alone: {why}")
            _pass.note_failure(lab, "declared state", (why,))
        for lab in look.gone:
            self._forget(lab)
        for lab, declared in look.fresh.items():
            self._add(lab, declared)
        if look.gone:
            self._tell_metrics()
        if self._labs.machines and not self._libvirt:
            self._libvirt = True
            self._listen_to_libvirt()

    def _add(self, lab: str, declared: Declared) -> None:
        known = lab in self._loop.labs
        self._say(f"lab {lab}: declared anew" if known else f"lab {lab} is watched")
        self._loop.add(lab, DECLARED if known else "start", time.monotonic())
        try:
            self._peers.declare(declared)
        except (LabError, ValueError) as error:  # what is no address is an error of its tunnel, which a pass tells
            self._say(f"lab {lab}: nothing is known of nodes on other servers: {error}")

    def _forget(self, lab: str) -> None:
        if lab in self._loop.labs:
            self._say(f"lab {lab} is no longer watched")
        self._loop.forget(lab)
        self._peers.forget(lab)
        self._counts.forget(lab)
        self._reports.pop(lab, None)
        self._said.pop(f"lab {lab}", None)
        self._anew.discard(lab)

    def _listen_to_libvirt(self) -> None:
        """Only where a lab has machines: many servers have no libvirt."""
        from ansible_collections.archetype.lab.plugins.module_utils._libvirt import _events as libvirt

        follow("libvirt", libvirt.changes, self.inbox, self._say)

    def _make_pass(self, todo: Pass) -> None:
        lab, trigger = todo
        if _pass.locked(lab):
            self._loop.locked(lab, time.monotonic())
            return
        self._loop.began(lab, time.monotonic())
        outcome = _pass.make(self._backends.open, lab, trigger, anew=lab in self._anew)
        now = time.monotonic()
        if outcome.busy:
            if _pass.locked(lab):
                self._loop.locked(lab, now)
            else:
                self._loop.busy(lab, trigger, now)
            return
        self._anew.discard(lab)
        self._backends.passed(now, failed=bool(outcome.errors))
        self._loop.done(lab, now, changed=bool(outcome.changes), failed=outcome.failed, wait=outcome.wait)
        if outcome.report is not None:
            self._reports[lab] = {name: outcome.report.get(name) for name in _TOLD}
            self._peers.tell(lab, outcome.running)
        self._counts.passed(lab, trigger, repairs=len(outcome.changes), failures=len(outcome.errors))
        self._tell(lab, outcome, trigger)
        self._tell_metrics()

    def _tell_metrics(self) -> None:
        try:
            _metrics.write(_metrics.render(self._reports, self._counts.facts(self._peers.dropped(), self._labs.refused)))
        except LabError as error:
            self._say_once("metrics", (str(error),))
        else:
            self._say_once("metrics", ())

    def _tell(self, lab: str, outcome: _pass.Outcome, trigger: str) -> None:
        """What was changed, each time; what is wrong, when it is something else than before."""
        if outcome.changes:
            took = (outcome.report or {}).get("ms", 0)
            self._say(f"lab {lab}: {len(outcome.changes)} changed in {took} ms ({trigger}): {', '.join(outcome.changes[:5])}")
        self._say_once(f"lab {lab}", outcome.errors)

    def _say_once(self, about: str, errors: tuple[str, ...]) -> None:
        if errors == self._said.get(about, ()):
            return
        self._said[about] = errors
        for error in errors:
            self._say(f"{about}: {error}")
        if not errors:
            self._say(f"{about}: no more errors")
