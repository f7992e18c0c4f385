# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Files that nodes name: bind mounts, start-up configurations, licenses. Which file of which machine appears where in the node."""

from __future__ import annotations

import os
import re
import stat
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._magic import GENERATED, Magic, has_folder
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind
from ansible_collections.archetype.lab.plugins.plugin_utils._read import quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

_OPTIONS = re.compile(r"[a-zA-Z]+(?:,[a-zA-Z]+)*")
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class BindReader:
    """Reads files. missing: what is not there on the controller; it stops a plan, but nobody who only looks at the topology."""

    def __init__(self, problems: Problems, missing: Problems, magic: Magic) -> None:
        self.problems = problems
        self.missing = missing
        self.magic = magic

    def binds(self, items: list[Scalar], node: str) -> tuple[dict[str, Bind], list[str]]:
        """Target -> bind, and volumes. As in containerlab, a more specific level's bind replaces one with the same target.

        A bind without a source is a volume that Docker makes for this node alone.
        """
        found: dict[str, Bind] = {}
        volumes: list[str] = []
        for item in items:
            if ":" not in item.text and item.text.startswith("/"):
                target = self._target(item, item.text, node)
                volumes += [target] if target else []
                continue
            bind = self._bind(item, node)
            if bind:
                found[bind.target] = bind
        return found, [target for target in volumes if target not in found]

    def _bind(self, item: Scalar, node: str) -> Bind | None:
        parts = item.text.split(":")
        if len(parts) not in (2, 3) or not parts[0]:
            what = f"node {node}: {quote(item.text)} is not a bind"
            self.problems.add(item, what, "Write it as source:target or source:target:options")
            return None
        target, options = self._target(item, self.magic.text(parts[1], node), node), parts[2] if len(parts) == 3 else ""
        if options and not _OPTIONS.fullmatch(options):
            self.problems.add(item, f"node {node}: {quote(options)} are not options of a bind", "Use ro or rw")
            return None
        if target is None:
            return None
        if has_folder(parts[0]):
            return self._in_folder(item, parts[0], target, options, node)
        source = self.magic.text(parts[0], node)
        if os.path.isabs(source):
            return Bind(os.path.normpath(source), target, options)
        path = self._local(item, source, f"node {node}: missing bind source")
        return Bind(path, target, options, local=True) if path else None

    def _in_folder(self, item: Scalar, source: str, target: str, options: str, node: str) -> Bind | None:
        """A source in containerlab's folder of the lab: the user's own beside the topology, else one that is kept on the server."""
        here = os.path.normpath(self.magic.path(source, node))
        if os.path.exists(here):
            path = self._local(item, here, f"node {node}: missing bind source")
            return Bind(path, target, options, local=True) if path else None
        if os.path.basename(here) in GENERATED:
            what = f"node {node}: {os.path.basename(here)} is a file that containerlab writes, and nobody here"
            self.missing.add(item, what, f"Put one at {here}, or take the bind out")
            return None
        there = os.path.normpath(self.magic.text(source, node))
        folder = os.path.normpath(self.magic.text("__clabDir__", node))
        if there != folder and not there.startswith(folder + "/"):
            self.problems.add(item, f"node {node}: bind source {quote(source)} leads out of its folder", "Leave out '..'")
            return None
        return Bind(there, target, options, made=True)

    def _target(self, item: Scalar, target: str, node: str) -> str | None:
        clean = os.path.normpath(target)
        if not target.startswith("/") or ".." in target.split("/") or clean.strip("/") == "":
            self.problems.add(
                item, f"node {node}: bind target {quote(target)} is not an absolute path", "Write the path in the node, without '..'"
            )
            return None
        return "/" + clean.lstrip("/")

    def volumes(self, items: list[Scalar], node: str) -> list[str]:
        """Volumes in Docker's short form: C(/path), or C(name:/path[:options])."""
        found: list[str] = []
        for item in items:
            name, colon, rest = item.text.rpartition(":") if ":" not in item.text else item.text.partition(":")
            target, _colon, options = rest.partition(":")
            if name.startswith("/"):
                self.problems.add(item, f"node {node}: volume {quote(item.text)} names a path of the server", "Write it under binds")
            elif (colon and not _VOLUME.fullmatch(name)) or (options and not _OPTIONS.fullmatch(options)):
                self.problems.add(item, f"node {node}: {quote(item.text)} is not a volume", "Write it as name:/path or /path")
            elif self._target(item, target, node):
                found.append(item.text)
        return found

    def _local(self, at: Scalar, source: str, missing: str) -> str | None:
        """The absolute path of a file or folder on the controller that is there."""
        path = os.path.normpath(os.path.join(self.magic.folder, os.path.expanduser(source)))
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError) as exc:
            why = "" if isinstance(exc, FileNotFoundError) else f" ({getattr(exc, 'strerror', None) or exc})"
            self.missing.add(at, f"{missing} {quote(source)}{why}", self._looked_for(source))
            return None
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            self.problems.add(at, f"{missing} {quote(source)}: it is neither a file nor a folder", "Name a file or a folder")
            return None
        return path

    def _looked_for(self, source: str) -> str:
        if os.path.isabs(os.path.expanduser(source)):
            return "Put it there, on the controller, or correct the path"
        return f"Relative paths are looked for in {self.magic.folder}"

    def file(self, value: Scalar, key: str, node: str) -> Bind | None:
        """The file of a key such as C(license): a text of several lines is its content itself, else it is a path on the controller."""
        if "\n" in value.text:
            return Bind("", "", local=True, content=self.magic.text(value.text, node))
        text = self.magic.path(value.text, node)
        if "://" in text:
            self.missing.add(value, f"node {node}: {key} from {quote(text)} is not supported", "Download it beside the topology")
            return None
        path = self._local(value, text, f"node {node}: missing {key}")
        if path and os.path.isdir(path):
            self.problems.add(value, f"node {node}: {key} {quote(text)} is a folder", "Name a file")
            return None
        return Bind(path, "", local=True) if path else None

    def text(self, value: Scalar, key: str, node: str) -> str | None:
        """The text of a file on the controller; None where there is none."""
        path = self._local(value, value.text, f"node {node}: missing {key}")
        if path is None:
            return None
        try:
            with open(path, encoding="utf-8") as stream:
                return stream.read()
        except (OSError, UnicodeDecodeError) as exc:
            why = getattr(exc, "strerror", None) or "it is not UTF-8 text"
            self.problems.add(value, f"node {node}: {key} {quote(value.text)} cannot be read: {why}", "Name a file of text")
            return None

    def paths(self, values: t.Iterable[Scalar], key: str, node: str) -> list[str]:
        """Paths of files on the controller, as C(extras) has them."""
        found = (self._local(one, self.magic.path(one.text, node), f"node {node}: missing file of {key}") for one in values)
        return [path for path in found if path]
