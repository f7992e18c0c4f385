# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Nodes of any kind, and how they are declared."""

from __future__ import annotations

import base64
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils import _kinds
from ansible_collections.archetype.lab.plugins.plugin_utils._declare_container import declare_container
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._files import FileReader
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, ManagementAddresses, Node, NodeInterface, Place
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import vendor_name

FOLDER = "/var/lib/archetype-lab/lab/files/r1"
MANAGED = ManagementAddresses("198.51.100.7", 24, "198.51.100.1", "2001:db8::7", 64, "2001:db8::1", "02:00:00:00:00:07")
ONLY_IPV4 = ManagementAddresses("198.51.100.7", 24, "198.51.100.1", mac="02:00:00:00:00:07")


def kind(name: str) -> Kind:
    found = _kinds.find_kind(name)
    assert found is not None, name
    return found


def node(of: str | Kind, **fields: t.Any) -> Node:
    one = kind(of) if isinstance(of, str) else of
    return Node(
        **{
            "name": "r1",
            "kind": one.name,
            "image": "x:1",
            "place": Place("t.clab.yml", 3, 5),
            "container": "clab-lab-r1",
            "profile": one,
            **fields,
        }
    )


def config(text: str, name: str = "") -> Bind:
    """A start-up configuration that the topology has in itself; with a name, one in a file of this name (which is not read)."""
    return Bind(name, "", local=True, content=text)


def _text(content: str) -> str:
    return base64.b64decode(content).decode(errors="surrogateescape")


class Made:
    """A node as it is declared. files: path in the node -> content."""

    def __init__(self, one: Node, linux: t.Sequence[str] = (), management: ManagementAddresses | None = MANAGED, **options: t.Any) -> None:
        self.reader = FileReader("lab")
        interfaces = [
            NodeInterface(name, vendor_name(one.profile, name), f"02:00:00:00:01:{place:02x}") for place, name in enumerate(linux)
        ]
        interfaces = options.pop("interfaces", interfaces)
        self.declared = declare_container(one, interfaces, self.reader, management=management, **{"number": 7, **options})
        self.files = {file["path"].removeprefix(FOLDER): _text(file["content"]) for file in self.declared["files"]}
        self.enforced = {file["path"].removeprefix(FOLDER) for file in self.declared["files"] if file["enforce"]}

    def __getitem__(self, key: str) -> t.Any:
        return self.declared[key]

    @property
    def problems(self) -> list[Problem]:
        return self.reader.problems

    @property
    def own_binds(self) -> set[str]:
        """Targets of the binds whose sources are in the node's own folder."""
        pairs = [bind.split(":") for bind in self.declared["binds"]]
        assert all(source == FOLDER + target for source, target, *_options in pairs if source.startswith(FOLDER))
        return {target for source, target, *_options in pairs if source.startswith(FOLDER)}
