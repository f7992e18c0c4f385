# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Which commands ran for which boot of a node, in C(/var/lib/archetype-lab/<lab>/boots.json).

A boot of a node's network is one node container in one process of its sandbox: a restart of the node alone keeps addresses
and routes, a new container or a new sandbox process has none. Each declared command runs once per boot, in order. Where an
interface of a running node had to be made anew, what the commands did to it is gone, and those in the node run once more.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import threading
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.archetype.lab.plugins.module_utils import _server, _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError
from ansible_collections.archetype.lab.plugins.module_utils._steps import Step

FORMAT = 1


@dataclass(frozen=True)
class Boot:
    """container: id of the node's container. sandbox: C(<id>@<time at which its process started>). done: digests of commands.

    again: digests of commands that ran, or may have run, and may fail now, as part of what they do is there still: those from before
    an interface of the node was lost, those of an earlier container in the same network, and one during which a run was killed.
    """

    container: str
    sandbox: str
    done: tuple[str, ...] = ()
    again: tuple[str, ...] = ()


def sandbox_process(identity: str, started_at: str) -> str:
    """What tells one process of a sandbox from the next."""
    return f"{identity}@{started_at}"


def pending(steps: t.Sequence[Step], boot: Boot | None) -> tuple[Step, ...]:
    """The commands that have not run in this boot, in their order; one that is listed twice runs twice."""
    left = collections.Counter(boot.done if boot else ())
    found = []
    for step in steps:
        if left[step.digest] > 0:
            left[step.digest] -= 1
        else:
            found.append(step)
    return tuple(found)


def path_of(lab: str) -> str:
    return _server.lab_path(lab, "boots.json")


def load(lab: str) -> dict[str, Boot]:
    """Node -> its last boot. A file that is not there means no boots; one that cannot be understood raises ReadError."""
    path = path_of(lab)
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
        if found["format"] != FORMAT:
            raise ReadError(f"{path} has format {found['format']}, not {FORMAT}", hint="use the version of the collection that wrote it")
        return {
            node: Boot(one["container"], one["sandbox"], tuple(one["done"]), tuple(one.get("again", ())))
            for node, one in found["nodes"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReadError(
            f"{path} cannot be read: {error}", hint="remove it; the exec commands of running nodes then run again", objects=(path,)
        ) from error


def _without(digests: tuple[str, ...], digest: str) -> tuple[str, ...]:
    return tuple(one for one in digests if one != digest)


def _due_again(boot: Boot, kept: t.Collection[str]) -> Boot:
    done = tuple(one for one in boot.done if one in kept)
    return replace(boot, done=done, again=tuple(one for one in boot.done if one not in kept) + boot.again)


class Journal:
    """The boots of a lab while they change. Every step is on disk before the next one is done; safe to use from threads."""

    def __init__(self, lab: str, boots: t.Mapping[str, Boot]) -> None:
        self._lab = lab
        self._boots = dict(boots)
        self._lock = threading.Lock()

    def begin(self, node: str, container: str, sandbox: str) -> Boot:
        """The node's present boot: the one that is known, or a new one with nothing done."""
        with self._lock:
            known = self._boots.get(node)
            if known and (known.container, known.sandbox) == (container, sandbox):
                return known
            before = known.done + known.again if known and known.sandbox == sandbox else ()
            boot = Boot(container, sandbox, again=before)
            self._store({**self._boots, node: boot})
            return boot

    def started(self, node: str, step: Step) -> None:
        """A command is about to run. If this run is killed before it can tell how it ended, the next one knows that it may have."""
        with self._lock:
            boot = self._boots[node]
            self._store({**self._boots, node: replace(boot, again=(*boot.again, step.digest))})

    def failed(self, node: str, step: Step) -> None:
        """It ended, and not well: the next time it has to."""
        with self._lock:
            boot = self._boots[node]
            self._store({**self._boots, node: replace(boot, again=_without(boot.again, step.digest))})

    def done(self, node: str, step: Step) -> None:
        with self._lock:
            boot = self._boots[node]
            again = _without(boot.again, step.digest)
            self._store({**self._boots, node: Boot(boot.container, boot.sandbox, (*boot.done, step.digest), again)})

    def redo(self, nodes: t.Iterable[str], kept: t.Collection[str] = ()) -> None:
        """The commands of these nodes are due again, but for those in C(kept). Told before the interfaces are made: a run that is killed
        is caught up."""
        with self._lock:
            known = {node: self._boots[node] for node in nodes if node in self._boots}
            fresh = {node: _due_again(boot, kept) for node, boot in known.items() if set(boot.done) - set(kept)}
            if fresh:
                self._store({**self._boots, **fresh})

    def forget(self, nodes: t.Iterable[str]) -> None:
        gone = set(nodes)
        with self._lock:
            if gone & set(self._boots):
                self._store({node: boot for node, boot in self._boots.items() if node not in gone})

    def _store(self, boots: dict[str, Boot]) -> None:
        path = path_of(self._lab)
        try:
            if boots:
                _write(path, boots)
            else:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        except OSError as error:
            raise ApplyError(
                f"{path} cannot be written: {error.strerror}", hint="look at its folder's mode and at the disk", objects=(path,)
            ) from error
        self._boots = boots


def _write(path: str, boots: t.Mapping[str, Boot]) -> None:
    _server.make_state_dir()
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    nodes = {
        node: {"container": boot.container, "sandbox": boot.sandbox, "done": boot.done, "again": boot.again}
        for node, boot in sorted(boots.items())
    }
    _whole_files.write(path, json.dumps({"format": FORMAT, "nodes": nodes}))
