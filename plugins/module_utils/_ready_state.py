# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""How ready nodes are, in words; and which ones were found to be, in C(/var/lib/archetype-lab/<lab>/ready.json).

What is ready stays ready for its boot: a log may be rotated away, and who is logged in on a console need not be disturbed. A boot is one
process: of a container, or the QEMU of a machine. What a guest restarts by itself is the same boot.
"""

from __future__ import annotations

import json
import os
import threading
import typing as t
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils import _server
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access, Probe
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError

FORMAT = 1
Verdict = t.Literal["ready", "starting", "failed", "stopped"]


@dataclass(frozen=True)
class State:
    """A node at one look. since: when it was started, in seconds since 1970, 0.0 where it does not run. waited: seconds since then.

    timeout: seconds that it has. late: it took longer, and is not ready. last: the last line of its log or console.
    marker: the text that was seen last of those that the markers of its kind are for. foreign: what has its name is not the lab's.
    """

    node: str
    type: str
    state: Verdict
    since: float = 0.0
    waited: int = 0
    timeout: int = 0
    late: bool = False
    reason: str = ""
    last: str = ""
    marker: str = ""
    foreign: bool = False

    @property
    def settled(self) -> bool:
        """Whether waiting would change nothing that anybody can expect."""
        return self.state != "starting" or self.late

    def to_dict(self) -> dict[str, t.Any]:
        since = datetime.fromtimestamp(self.since, tz=timezone.utc).isoformat(timespec="seconds") if self.since else ""
        return {**asdict(self), "since": since}


def subject(probe: Probe) -> str:
    """What is waited for, in words."""
    if probe.probe in ("tcp", "ssh"):
        return f"{'SSH' if probe.probe == 'ssh' else 'TCP'} at {probe.address} port {port_of(probe)}"
    return f"'{probe.pattern}'"


def port_of(probe: Probe) -> int:
    return probe.port or 22


def probed(one: Access) -> bool:
    """Whether there is anything to wait for but that the node runs. A log without a pattern tells nothing."""
    return one.readiness.probe in ("tcp", "ssh") or (one.readiness.probe != "none" and bool(one.readiness.pattern))


def where_to_look(one: Access) -> str:
    """What a person does next about a node that is not ready."""
    return f"look at it: virsh console {one.name}" if one.type == "vm" else f"look at it: docker logs {one.name}"


def starting(one: Access, since: float, now: float, *, last: str = "", marker: str = "", failure: str = "", why: str = "") -> State:
    """A node that is not ready yet; late, when it should be by now. failure: the line that shows one. why: what is in the way."""
    waited, limit = max(0, int(now - since)), one.readiness.timeout
    late = waited > limit
    words = f"waits for {subject(one.readiness)} since {waited} s of {limit} s"
    if late:
        words = f"is not ready after {waited} s, its kind gives it {limit} s: it waits for {subject(one.readiness)}"
    seen = f"its log shows {failure}, after which it may start again" if failure else f"seen: {marker}" if marker else ""
    told = [words, why, seen, f"last: {last}" if last else "", where_to_look(one) if late else ""]
    return State(one.node, one.type, "starting", since, waited, limit, late, "; ".join(part for part in told if part), last, marker)


@dataclass(frozen=True)
class Known:
    """What is known of a node's last boot. ready_at: 0.0 where it is not known to be ready. done: digests of commands that ran."""

    boot: str
    ready_at: float = 0.0
    done: tuple[str, ...] = ()


@dataclass
class Memory:
    """What is known of a lab's nodes. Every step is on disk before the next one is done; safe to use from threads.

    write: False where nothing may be written: then it only remembers by itself.
    """

    lab: str
    nodes: dict[str, Known] = field(default_factory=dict)
    write: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, node: str, boot: str) -> Known:
        """What is known of this boot of a node."""
        known = self.nodes.get(node)
        return known if known is not None and known.boot == boot else Known(boot)

    def ready(self, boots: t.Mapping[str, str], now: float) -> None:
        """These nodes are ready, in these boots."""
        fresh = {node: replace(self.of(node, boot), ready_at=now) for node, boot in boots.items() if not self.of(node, boot).ready_at}
        self._keep(fresh)

    def ran(self, node: str, boot: str, digest: str) -> None:
        """A command ran in this boot of a node."""
        known = self.of(node, boot)
        self._keep({node: replace(known, done=(*known.done, digest))})

    def _keep(self, fresh: t.Mapping[str, Known]) -> None:
        with self._lock:
            if fresh:
                self.nodes = {**self.nodes, **fresh}
                if self.write:
                    _store(self.lab, self.nodes)


def path_of(lab: str) -> str:
    return _server.lab_path(lab, "ready.json")


def load(lab: str, *, write: bool = True) -> Memory:
    """Raises ReadError for a file that cannot be understood."""
    path = path_of(lab)
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
        if found["format"] != FORMAT:
            raise ReadError(f"{path} has format {found['format']}, not {FORMAT}", hint="use the version of the collection that wrote it")
        nodes = {node: Known(str(one["boot"]), float(one["ready_at"]), tuple(one["done"])) for node, one in found["nodes"].items()}
    except FileNotFoundError:
        nodes = {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(f"{path} cannot be read: {error}", hint="remove it; nodes are then looked at anew", objects=(path,)) from error
    return Memory(lab, nodes, write)


def _store(lab: str, nodes: t.Mapping[str, Known]) -> None:
    path = path_of(lab)
    values = {node: {"boot": one.boot, "ready_at": one.ready_at, "done": one.done} for node, one in sorted(nodes.items())}
    made = f"{path}.new"
    try:
        _server.make_state_dir()
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(made, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as stream:
            json.dump({"format": FORMAT, "nodes": values}, stream)
        os.replace(made, path)
    except OSError as error:
        raise ApplyError(
            f"{path} cannot be written: {error.strerror}", hint="look at its folder's mode and at the disk", objects=(path,)
        ) from error
