# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""containerlab's magic variables: where it puts in names and folders, so do we.

It has one machine, and one folder of the lab, C(clab-<lab>) beside the topology, with one of each node in it. Here this folder is in two
places. What a user put into it before is on the controller; what nodes keep in it is on their servers.
"""

from __future__ import annotations

import os
import re

from ansible_collections.archetype.lab.plugins.plugin_utils._git import GitFault, WorkingCopy
from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import lab_folder, node_folder
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import NameFault

FOLDERS = ("__clabDir__", "__clabNodeDir__")
GENERATED = ("ansible-inventory.yml", "nornir-simple-inventory.yml", "topology-data.json")
"""Files that containerlab writes into its folder of the lab, and that nobody writes here."""

_VARIABLE = re.compile(r"__clab(?:Dir|NodeDir|NodeName|LabName)__")
_GIT = re.compile(r"__git(?:Branch|Hash)__")
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")


class Magic:
    """lab: its name. folder: where the topology is."""

    def __init__(self, lab: str, folder: str) -> None:
        self.lab = lab
        self.base = f"clab-{lab}"
        self.folder = folder

    def text(self, text: str, node: str) -> str:
        """A text for the node, or for its server: folders are those on the server."""
        return self._fill(text, node, lab_folder(self.lab), node_folder(self.lab, node))

    def path(self, text: str, node: str) -> str:
        """A path on the controller: folders are those beside the topology."""
        here = os.path.join(self.folder, self.base)
        return self._fill(text, node, here, os.path.join(here, node))

    def _fill(self, text: str, node: str, lab: str, own: str) -> str:
        if "__clab" not in text:
            return text
        values = {"__clabDir__": lab, "__clabNodeDir__": own, "__clabNodeName__": node, "__clabLabName__": self.base}
        return _VARIABLE.sub(lambda found: values[found.group()], text)


def has_folder(text: str) -> bool:
    """Whether a text names a folder of the lab or of a node."""
    return any(one in text for one in FOLDERS)


def lab_name(text: str, folder: str) -> str:
    """The name of a lab with branch and commit put in. folder: where the topology is. Raises NameFault."""
    if not _GIT.search(text):
        return text
    remedy = "Write the name out, or keep the topology in a working copy of git"
    try:
        copy = WorkingCopy(folder)
        values = {"__gitBranch__": _UNFIT.sub("-", copy.branch)}
        if "__gitHash__" in text:
            values["__gitHash__"] = copy.commit
    except GitFault as exc:
        raise NameFault(f"the name of the lab has a variable of git, and {exc}", remedy) from exc
    return _GIT.sub(lambda found: values[found.group()], text)
