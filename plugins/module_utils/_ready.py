# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Which nodes of a server are ready: containers and machines, all of them at one look."""

from __future__ import annotations

import contextlib
import re
import socket
import time
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _ready_console, _ready_scan, _ready_state
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access, Probe
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError
from ansible_collections.archetype.lab.plugins.module_utils._libvirt._port import Domain
from ansible_collections.archetype.lab.plugins.module_utils._parallel import fetch
from ansible_collections.archetype.lab.plugins.module_utils._ready_logs import ContainerLog, Log, MachineLog, console_log
from ansible_collections.archetype.lab.plugins.module_utils._ready_owned import foreign
from ansible_collections.archetype.lab.plugins.module_utils._ready_scan import Scan, shown
from ansible_collections.archetype.lab.plugins.module_utils._ready_state import State, port_of, probed, starting, where_to_look

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

INTERVAL = 2.0
"""Seconds between two looks."""
ANSWER = 2.0
"""Seconds that a TCP server has to answer, with all that it says before it is known to be one of SSH."""
SILENT = 5.0
"""Seconds for which a machine must have written nothing before its console is opened."""
AGAIN = 12.0
"""Seconds of silence after a failure, in which a node may start again by itself. A kernel that panicked does it after some seconds."""
BANNER = 4096
"""Bytes of greetings before the one of SSH."""


class _Boot(t.NamedTuple):
    """The present process of a node. identity: what tells it from every other. foreign: why it is none of the lab's."""

    identity: str
    since: float
    found: DockerContainer | Domain
    foreign: str


class Watch:
    """Looks at the same nodes again and again, and reads only what is new. memory: what is known of them; see C(_ready_state.py).

    boots: what tells the present process of each node from every other, at the last look. What is not the lab's is none of them.
    """

    def __init__(self, server: Server, lab: str, access: t.Sequence[Access], *, write: bool = True) -> None:
        _ready_scan.check(one.readiness for one in access)
        self.access = tuple(access)
        self.memory = _ready_state.load(lab, write=write)
        self.boots: dict[str, str] = {}
        self._server = server
        self._lab = lab
        self._reading: dict[str, tuple[str, Log, Scan]] = {}

    def look(self, now: float | None = None) -> list[State]:
        """Every node, in their order. Raises LabError when containers or domains cannot be listed."""
        moment = time.time() if now is None else now
        boots = self._boots()
        self.boots = {node: boot.identity for node, boot in boots.items() if not boot.foreign}
        states = fetch(self.access, lambda one: self._state(one, boots.get(one.node), moment))
        self.memory.ready({state.node: self.boots[state.node] for state in states if self._to_remember(state)}, moment)
        return states

    def _boots(self) -> dict[str, _Boot]:
        """What there is of each node, whether it runs or not."""
        names = {kind: [one.name for one in self.access if one.type == kind] for kind in ("container", "vm")}
        containers = self._server.docker.inspect(names["container"]) if names["container"] else {}
        domains = self._server.virt.domains() if names["vm"] else {}
        found: dict[str, _Boot] = {}
        for one in self.access:
            if one.type == "vm" and one.name in domains:
                domain = domains[one.name]
                found[one.node] = _Boot(domain.boot, domain.started_at, domain, foreign(self._lab, one, domain))
            elif one.type == "container" and one.name in containers:
                container = containers[one.name]
                identity = f"{container.id}@{container.started_at}"
                found[one.node] = _Boot(identity, container.begun_at, container, foreign(self._lab, one, container))
        return found

    def _to_remember(self, state: State) -> bool:
        return state.state == "ready" and any(one.node == state.node and probed(one) for one in self.access)

    def _state(self, one: Access, boot: _Boot | None, now: float) -> State:
        what = "domain" if one.type == "vm" else "container"
        status = boot.found.status if boot else "not there"
        if boot is not None and boot.foreign:
            return State(one.node, one.type, "stopped", timeout=one.readiness.timeout, reason=boot.foreign, foreign=True)
        if boot is None or status != "running":
            code = boot.found.exit_code if boot and isinstance(boot.found, DockerContainer) else None
            told = f"{what} {one.name} is {status}" + ("" if code is None else f", with exit code {code}")
            return State(one.node, one.type, "stopped", timeout=one.readiness.timeout, reason=told)
        if not probed(one) or self.memory.of(one.node, boot.identity).ready_at:
            known = self._reading.get(one.node)
            return _ready(one, boot, now, known[2] if known is not None and known[0] == boot.identity else None)
        try:
            log, scan = self._read_on(one, boot)
            why = self._in_the_way(one, log, scan, now)
            if why is None:
                return _ready(one, boot, now, scan)
            late = now - boot.since > one.readiness.timeout
            over = bool(scan.failure) and (late or not log.written_since(now - AGAIN))
        except LabError as error:
            return starting(one, boot.since, now, why=str(error))
        if over:
            reason = f"its log shows {scan.failure}, after which it does not become ready; {where_to_look(one)}"
            waited = max(0, int(now - boot.since))
            return State(
                one.node, one.type, "failed", boot.since, waited, one.readiness.timeout, reason=reason, last=scan.last, marker=scan.marker
            )
        return starting(one, boot.since, now, last=scan.last, marker=scan.marker, failure=scan.failure, why=why)

    def _in_the_way(self, one: Access, log: Log, scan: Scan, now: float) -> str | None:
        """Why a node is not ready, if there is more to say than that what is waited for did not come; None where it is ready."""
        probe = one.readiness
        if probe.probe == "log":
            return None if scan.ready else ""
        if probe.probe == "console":
            return self._on_console(one, log, scan, now)
        return answer(probe) or None

    def _on_console(self, one: Access, log: Log, scan: Scan, now: float) -> str | None:
        """The same of what its console shows. It is opened only where its log has not that already, and nothing comes any more: somebody
        may be at it, and a key that a machine gets while it starts may be kept, and be the answer to what it asks later.
        """
        pattern, screen = one.readiness.pattern, scan.screen
        if any(re.search(pattern, line) for line in screen):
            return None
        if log.written_since(now - SILENT):
            return ""

        def again() -> list[str]:
            _feed(scan, log)
            return scan.screen

        try:
            with contextlib.closing(self._server.virt.console(one.name)) as stream:
                return None if _ready_console.probe(stream, screen, pattern, again) else ""
        except LabError as error:
            return str(error)

    def _read_on(self, one: Access, boot: _Boot) -> tuple[Log, Scan]:
        """Its log, and what it wrote in this boot up to now."""
        known = self._reading.get(one.node)
        if known is None or known[0] != boot.identity:
            known = self._reading[one.node] = (boot.identity, self._log(one, boot), Scan(one.readiness))
        _identity, log, scan = known
        _feed(scan, log)
        return log, scan

    def _log(self, one: Access, boot: _Boot) -> Log:
        if isinstance(boot.found, DockerContainer):
            return ContainerLog(self._server.docker, boot.found)
        return MachineLog(console_log(self._lab, one.name), boot.since)


def _feed(scan: Scan, log: Log) -> None:
    for piece in log.news():
        scan.feed(piece)


def _ready(one: Access, boot: _Boot, now: float, scan: Scan | None = None) -> State:
    waited = max(0, int(now - boot.since))
    last, marker = (scan.last, scan.marker) if scan else ("", "")
    return State(one.node, one.type, "ready", boot.since, waited, one.readiness.timeout, last=last, marker=marker)


def answer(probe: Probe) -> str:
    """Why nothing answers as it should at the address, or nothing."""
    if not probe.address:
        return "it has no address on the management network"
    deadline = time.monotonic() + ANSWER
    try:
        with socket.create_connection((probe.address, port_of(probe)), ANSWER) as connection:
            return "" if probe.probe == "tcp" else _greeting(connection, deadline)
    except OSError as error:
        return f"it does not answer there ({error.strerror or error})"


def _greeting(connection: socket.socket, deadline: float) -> str:
    """Who says a little now and then is not waited for any longer than who says nothing."""
    said = b""
    while len(said) < BANNER and time.monotonic() < deadline:
        connection.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            piece = connection.recv(BANNER)
        except TimeoutError:
            if not said:
                raise
            break
        said += piece
        if any(line.startswith(b"SSH-") for line in said.splitlines()):
            return ""
        if not piece:
            break
    return f"what answers there is no SSH: {shown(said.decode(errors='replace'))}" if said else "it ends the connection"


def look(server: Server, lab: str, access: t.Sequence[Access], now: float | None = None, *, write: bool = True) -> list[State]:
    """One look at these nodes. write: whether it is noted which ones are ready."""
    return Watch(server, lab, access, write=write).look(now)


def wait_ready(
    server: Server, lab: str, access: t.Sequence[Access], limit: float | None = None, *, interval: float = INTERVAL
) -> list[State]:
    """Look until all are ready, or waiting is of no use (failed, stopped, late), or the limit in seconds is over; what was seen last."""
    return wait(Watch(server, lab, access), limit, interval)


def wait(watch: Watch, limit: float | None, interval: float = INTERVAL) -> list[State]:
    begun = time.monotonic()
    while True:
        states = watch.look()
        left = None if limit is None else limit - (time.monotonic() - begun)
        if all(one.settled for one in states) or (left is not None and left <= 0):
            return states
        time.sleep(interval if left is None else min(interval, left))
