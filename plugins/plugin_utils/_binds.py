# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Bind mounts and start-up configurations of nodes: which file of which machine appears where in the node."""

from __future__ import annotations

import os
import re
import stat

from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind
from ansible_collections.archetype.lab.plugins.plugin_utils._read import quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

NODE_NAME = "__clabNodeName__"
_MAGIC = re.compile(r"__(?:clab(?:Dir|NodeDir|LabName)|git(?:Branch|Hash))__")
_OPTIONS = re.compile(r"[a-zA-Z]+(?:,[a-zA-Z]+)*")


def without_magic(problems: Problems, text: Scalar, node: str) -> str | None:
    """The text with the node's name put in; None and a problem where it has another of containerlab's magic variables."""
    magic = _MAGIC.search(text.text)
    if magic:
        problems.add(text, f"node {node}: {magic.group()} is not supported", "Write the path or the name out")
        return None
    return text.text.replace(NODE_NAME, node)


class BindReader:
    """Reads binds. folder: where the topology file is; relative sources are beside it."""

    def __init__(self, problems: Problems, folder: str) -> None:
        self.problems = problems
        self.folder = folder

    def binds(self, items: list[Scalar], node: str) -> dict[str, Bind]:
        """Target -> bind. As in containerlab, a more specific level's bind replaces one with the same target."""
        found: dict[str, Bind] = {}
        for item in items:
            bind = self._bind(item, node)
            if bind:
                found[bind.target] = bind
        return found

    def _bind(self, item: Scalar, node: str) -> Bind | None:
        text = without_magic(self.problems, item, node)
        if text is None:
            return None
        parts = text.split(":")
        if len(parts) not in (2, 3) or not parts[0]:
            self.problems.add(item, f"node {node}: {quote(text)} is not a bind", "Write it as source:target or source:target:options")
            return None
        source, target, options = parts[0], self._target(item, parts[1], node), parts[2] if len(parts) == 3 else ""
        if options and not _OPTIONS.fullmatch(options):
            self.problems.add(item, f"node {node}: {quote(options)} are not options of a bind", "Use ro or rw")
            return None
        if target is None:
            return None
        if os.path.isabs(source):
            return Bind(os.path.normpath(source), target, options)
        path = self._local(item, source, f"node {node}: missing bind source")
        return Bind(path, target, options, local=True) if path else None

    def _target(self, item: Scalar, target: str, node: str) -> str | None:
        clean = os.path.normpath(target)
        if not target.startswith("/") or ".." in target.split("/") or clean.strip("/") == "":
            self.problems.add(
                item, f"node {node}: bind target {quote(target)} is not an absolute path", "Write the path in the node, without '..'"
            )
            return None
        return "/" + clean.lstrip("/")

    def _local(self, at: Scalar, source: str, missing: str) -> str | None:
        """The absolute path of a file or folder on the controller that is there."""
        path = os.path.normpath(os.path.join(self.folder, os.path.expanduser(source)))
        try:
            mode = os.stat(path).st_mode
        except (OSError, ValueError) as exc:
            why = "" if isinstance(exc, FileNotFoundError) else f" ({getattr(exc, 'strerror', None) or exc})"
            self.problems.add(at, f"{missing} {quote(source)}{why}", f"Relative paths are looked for in {self.folder}")
            return None
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            self.problems.add(at, f"{missing} {quote(source)}: it is neither a file nor a folder", "Name a file or a folder")
            return None
        return path

    def startup_config(self, value: Scalar, target: str, node: str) -> Bind | None:
        """The start-up configuration: a text of several lines is the configuration itself, else it is a path on the controller."""
        if "\n" in value.text:
            return Bind("", target, local=True, content=value.text)
        text = without_magic(self.problems, value, node)
        if text is None:
            return None
        if "://" in text:
            self.problems.add(value, f"node {node}: startup-config from {quote(text)} is not supported", "Download it beside the topology")
            return None
        path = self._local(value, text, f"node {node}: missing startup-config")
        if path and os.path.isdir(path):
            self.problems.add(value, f"node {node}: startup-config {quote(text)} is a folder", "Name a file")
            return None
        return Bind(path, target, local=True) if path else None
