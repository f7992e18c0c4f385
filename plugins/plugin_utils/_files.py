# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Bind mounts: files and folders beside the topology are read here and travel in the declared state; others must be on the server."""

from __future__ import annotations

import base64
import os
import posixpath
import stat
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, Node

FILES_DIR = "/var/lib/archetype-lab"
MAX_TOTAL = 8 * 1024 * 1024
"""Bytes of all files of a lab together; they travel with each run."""


@dataclass
class FileReader:
    """Reads the bind sources of one lab. problems: what could not be read, each with the place of its node."""

    lab: str
    limit: int = MAX_TOTAL
    total: int = 0
    problems: list[Problem] = field(default_factory=list)
    _contents: dict[str, tuple[str, str]] = field(default_factory=dict)

    def binds_of(self, node: Node) -> tuple[list[str], list[dict[str, str]]]:
        """The binds of a container (C(source:target[:options])), and the files that they need, by path.

        Where a file is also inside of a folder that is bound around it, its own bind wins, as it does in the container.
        """
        binds = []
        files: dict[str, dict[str, str]] = {}
        for bind in sorted(node.binds, key=lambda bind: posixpath.normpath(bind.target)):
            if bind.local:
                source = self.place(node, bind.target)
                for file in self._tree(node, bind, source):
                    files[file["path"]] = file
            else:
                source = bind.source
            binds.append(":".join(part for part in (source, bind.target, bind.options) if part))
        return binds, [files[path] for path in sorted(files)]

    def place(self, node: Node, target: str) -> str:
        """Where on its server a node's own file or folder is, by its path in the node."""
        return f"{FILES_DIR}/{self.lab}/files/{node.name}{posixpath.normpath('/' + target.lstrip('/'))}"

    def deliver(self, node: Node, target: str, content: bytes, mode: str) -> dict[str, str]:
        """A file that the node gets, in the shape of C(module_utils/_declared.py)."""
        self.total += len(content)
        return {"path": self.place(node, target), "content": base64.b64encode(content).decode(), "mode": mode}

    def read(self, node: Node, bind: Bind, what: str) -> bytes | None:
        """The content of one file of the controller; None where it cannot be read, or is beyond the limit."""
        if bind.content is not None:
            return bind.content.encode()
        try:
            status = os.stat(bind.source)
            if self.total + status.st_size > self.limit:
                self.total += status.st_size
                return None
            with open(bind.source, "rb") as stream:
                return stream.read()
        except OSError as error:
            reason = error.strerror or str(error)
            self._problem(node, f"node {node.name}: the {what} {bind.source} cannot be read: {reason}", "Create it, or correct the path")
            return None

    def check_limit(self, file: str) -> None:
        if self.total > self.limit:
            size, limit = f"{self.total / 2**20:.1f} MiB", f"{self.limit / 2**20:g} MiB"
            what = f"the files that nodes bind are {size}, more than the {limit} that travel with a run"
            self.problems.append(Problem(file, 0, 0, what, "Put the large ones on the servers, and bind them by their absolute path there"))

    def _tree(self, node: Node, bind: Bind, path: str) -> t.Iterator[dict[str, str]]:
        found: list[tuple[str, str]] = []
        if bind.content is not None:
            raw = bind.content.encode()
            self.total += len(raw)
            yield {"path": path, "content": base64.b64encode(raw).decode(), "mode": "0644"}
            return
        try:
            self._walk(bind.source, path, (), found)
        except OSError as error:
            reason = error.strerror or str(error)
            what = f"node {node.name}: the bind source {error.filename or bind.source} cannot be read: {reason}"
            self._problem(node, what, "Create it, or correct the path; it is relative to the topology file")
            return
        for source, name in sorted(found):
            content, mode = self._contents[source]
            yield {"path": name, "content": content, "mode": mode}

    def _walk(self, source: str, path: str, above: tuple[str, ...], found: list[tuple[str, str]]) -> None:
        """All files under source. A link to a folder that it is in is passed over, as it would never end."""
        status = os.stat(source)
        if stat.S_ISDIR(status.st_mode):
            real = os.path.realpath(source)
            if real not in above:
                for name in sorted(os.listdir(source)):
                    self._walk(os.path.join(source, name), f"{path}/{name}", (*above, real), found)
        elif stat.S_ISREG(status.st_mode):
            self._read(source, status)
            found.append((source, path))
        else:
            raise OSError(0, "it is neither a file nor a folder", source)

    def _read(self, source: str, status: os.stat_result) -> None:
        """Once per file, however many nodes bind it; but it counts for each. Nothing is read beyond the limit."""
        self.total += status.st_size
        if source not in self._contents:
            content = b""
            if self.total <= self.limit:
                with open(source, "rb") as stream:
                    content = stream.read()
            mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
            if not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):  # private, such as a key: programs refuse one that others can read
                mode &= 0o700
            self._contents[source] = (base64.b64encode(content).decode(), f"{mode:04o}")

    def _problem(self, node: Node, what: str, remedy: str) -> None:
        self.problems.append(Problem(node.place.file, node.place.line, node.place.column, what, remedy))
