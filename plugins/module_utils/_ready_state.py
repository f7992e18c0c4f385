# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""How ready nodes are, in words; and which ones were found to be, in C(/var/lib/archetype-lab/<lab>/ready.json).

What is ready stays ready for its boot: a log may be rotated away, and who is logged in on a console need not be disturbed. A boot is one
process: of a container, or the QEMU of a machine. What a guest restarts by itself is the same boot.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import typing as t
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone

from ansible_collections.archetype.lab.plugins.module_utils import _server, _whole_files
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
    return f"look at it: virsh -c qemu:///system console {one.name}" if one.type == "vm" else f"look at it: docker logs {one.name}"


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
    """What is known of a lab's nodes. Every step is on disk before the next one is done; safe to use from threads and processes.

    write: False where nothing may be written: then it only remembers by itself. told: what became of a file that was broken.
    """

    lab: str
    nodes: dict[str, Known] = field(default_factory=dict)
    write: bool = True
    told: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, node: str, boot: str) -> Known:
        """What is known of this boot of a node."""
        known = self.nodes.get(node)
        return known if known is not None and known.boot == boot else Known(boot)

    def ready(self, boots: t.Mapping[str, str], now: float) -> None:
        """These nodes are ready, in these boots."""
        self._keep({node: Known(boot, now) for node, boot in boots.items() if not self.of(node, boot).ready_at})

    def ran(self, node: str, boot: str, digest: str) -> None:
        """A command ran in this boot of a node."""
        self._keep({node: Known(boot, done=(digest,))})

    def refresh(self) -> None:
        """Learn what others found out meanwhile. All that is known here is in the file."""
        if self.write:
            with self._lock:
                self.nodes = _read(self.lab)[0]

    def _keep(self, fresh: t.Mapping[str, Known]) -> None:
        """What others wrote meanwhile stays: it is read anew, and nobody writes in between."""
        with self._lock:
            if fresh and self.write:
                with _alone(self.lab):
                    self.nodes = _merged(_read(self.lab)[0], fresh)
                    _store(self.lab, self.nodes)
            elif fresh:
                self.nodes = _merged(self.nodes, fresh)


def _merged(known: t.Mapping[str, Known], fresh: t.Mapping[str, Known]) -> dict[str, Known]:
    """Of the same boot of a node both are true; of two boots the fresh one is the present one."""
    found = dict(known)
    for node, one in fresh.items():
        old = found.get(node)
        if old is None or old.boot != one.boot:
            found[node] = one
        else:
            found[node] = Known(one.boot, old.ready_at or one.ready_at, tuple(dict.fromkeys((*old.done, *one.done))))
    return found


def path_of(lab: str) -> str:
    return _server.lab_path(lab, "ready.json")


def load(lab: str, *, write: bool = True) -> Memory:
    """Raises ReadError for a file that cannot be read. One that is broken is an empty one: all that is lost is memory."""
    nodes, told = _read(lab)
    return Memory(lab, nodes, write, told)


def _read(lab: str) -> tuple[dict[str, Known], str]:
    """What is in the file, and what is to be told of it."""
    path = path_of(lab)
    try:
        with open(path, "rb") as stream:
            text = stream.read()
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        raise ReadError(
            f"{path} cannot be read: {error.strerror}", hint="run the module as root (become: true)", objects=(path,)
        ) from error
    try:
        found = json.loads(text)
        if found["format"] != FORMAT:
            return {}, f"{path} has format {found['format']}, not {FORMAT}: nodes are looked at anew, and it is written anew"
        return {node: Known(str(one["boot"]), float(one["ready_at"]), tuple(one["done"])) for node, one in found["nodes"].items()}, ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return {}, f"{path} is broken ({error}): nodes are looked at anew, and it is written anew"


@contextlib.contextmanager
def _alone(lab: str) -> t.Iterator[None]:
    """One process at a time writes what is known of a lab: who has its folder. The kernel gives it up when the process dies."""
    folder = os.path.dirname(path_of(lab))
    try:
        _server.make_state_dir()
        os.makedirs(folder, mode=0o755, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritable(lab, error) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _store(lab: str, nodes: t.Mapping[str, Known]) -> None:
    values = {node: {"boot": one.boot, "ready_at": one.ready_at, "done": one.done} for node, one in sorted(nodes.items())}
    try:
        _whole_files.write(path_of(lab), json.dumps({"format": FORMAT, "nodes": values}), sync=True)
    except OSError as error:
        raise _unwritable(lab, error) from error


def _unwritable(lab: str, error: OSError) -> ApplyError:
    path = path_of(lab)
    return ApplyError(f"{path} cannot be written: {error.strerror}", hint="look at its folder's mode and at the disk", objects=(path,))
