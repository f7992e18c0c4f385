# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labs with virtual machines, from the text of their files to their plans."""

from __future__ import annotations

import base64
import typing as t
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._labfile import load_lab_file
from ansible_collections.archetype.lab.plugins.plugin_utils._model import LabFile
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import servers

IMAGES = "/var/lib/libvirt/images"
HEAD = "plugin: archetype.lab.topology\ntopology: t.clab.yml\n"
XR = """name: t
topology:
  nodes:
    xr: {kind: cisco_xrv9k, image: xrv9k.qcow2}
    h1: {kind: linux, image: "busybox:1"}
  links:
    - endpoints: ["xr:GigabitEthernet0/0/0/0", "h1:eth1"]
    - endpoints: ["xr:Gi0/0/0/2", "h1:eth2"]
"""


def one_node(settings: str, rest: str = "", links: str = "") -> str:
    """A topology with a node vm of these settings. rest: further lines under topology; links: under links, each with its dash."""
    lines = "".join(f"    {line}\n" for line in links.splitlines())
    head = f"name: t\ntopology:\n{rest}  nodes:\n    vm: {{{settings}}}\n    h1: {{kind: linux, image: busybox:1}}\n"
    return head + (f"  links:\n{lines}" if links else "")


class Lab:
    """A folder with a topology and a lab file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, topology: str = XR, lab: str = HEAD) -> LabFile:
        (self.folder / "t.clab.yml").write_text(topology)
        (self.folder / "t.lab.yml").write_text(lab)
        return load_lab_file(str(self.folder / "t.lab.yml"), {})

    def plan(self, topology: str = XR, lab: str = HEAD, observed: t.Any = None, count: int = 1) -> dict[str, t.Any]:
        return make_plan(self.load(topology, lab), servers(count), observed or {})

    def errors(self, *arguments: t.Any, **options: t.Any) -> list[str]:
        with pytest.raises(LabFileError) as caught:
            self.plan(*arguments, **options)
        return [str(problem).replace(f"{self.folder}/", "") for problem in caught.value.problems]

    def vm(self, *arguments: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """The only machine of a plan."""
        (found,) = machines_of(self.plan(*arguments, **options))
        return found

    def access(self, node: str, *arguments: t.Any, **options: t.Any) -> dict[str, t.Any]:
        found = [one for declared in self.plan(*arguments, **options)["slices"].values() for one in declared["access"]]
        return next((one for one in found if one["node"] == node), {})


def machines_of(plan: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    return [one for declared in plan["slices"].values() for one in declared["vms"]]


def files_of(medium: t.Mapping[str, t.Any]) -> dict[str, str]:
    """What is on a medium, or told by a lease: path -> text."""
    return {one["path"]: base64.b64decode(one["content"]).decode() for one in medium["files"]}
