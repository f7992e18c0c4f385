# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Environment and labels of a node."""

from __future__ import annotations

import re

from ansible_collections.archetype.lab.plugins.plugin_utils._binds import BindReader
from ansible_collections.archetype.lab.plugins.plugin_utils._env_file import EnvFault, parse_env
from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import Settings
from ansible_collections.archetype.lab.plugins.plugin_utils._read import quote
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import Problems, Scalar

OWN_LABELS = "archetype-"
LABEL_VARIABLE = "CLAB_LABEL_"
"""What stands before the name of a label where containerlab gives it to the node as a variable."""

_UNFIT = re.compile(r"[^A-Za-z0-9_]")


class EnvReader:
    """binds: reads the files. A file that many nodes name is read once."""

    def __init__(self, problems: Problems, binds: BindReader) -> None:
        self.problems = problems
        self.binds = binds
        self._files: dict[str, dict[str, str]] = {}

    def env(self, name: str, settings: Settings) -> dict[str, str]:
        """Variables of files, of which a later file wins; on top of them those of C(env), whatever level they are of; then the labels."""
        found: dict[str, str] = {}
        for item in settings.items("env-files"):
            found.update(self._file(item, name))
        env = settings.mapping("env")
        for key, value in env.items():
            if not key or "=" in key:
                self.problems.add(value, f"node {name}: {quote(key)} cannot be the name of a variable", "Leave out '='")
        found.update((key, value.text) for key, value in env.items())
        for key, value in settings.mapping("labels").items():
            found[LABEL_VARIABLE + _UNFIT.sub("_", key).upper()] = value.text
        return found

    def _file(self, item: Scalar, node: str) -> dict[str, str]:
        if item.text not in self._files:
            text = self.binds.text(item, "env-file", node)
            self._files[item.text] = self._parse(item, text, node) if text is not None else {}
        return self._files[item.text]

    def _parse(self, item: Scalar, text: str, node: str) -> dict[str, str]:
        try:
            found = parse_env(text)
        except EnvFault as exc:
            self.problems.add(item, f"node {node}: env-file {quote(item.text)}, line {exc.line}: {exc}", "Write it as NAME=value")
            return {}
        for key, value in found.items():
            if "\0" in value:
                self.problems.add(item, f"node {node}: env-file {quote(item.text)}: {key} has a NUL character", "Take it out")
        return found

    def labels(self, name: str, settings: Settings) -> dict[str, str]:
        labels = settings.mapping("labels")
        for key, value in labels.items():
            if key.startswith(OWN_LABELS):
                self.problems.add(
                    value, f"node {name}: label {quote(key)} is a mark of ownership of the lab", "Give the label another name"
                )
        return {key: value.text for key, value in labels.items()}
