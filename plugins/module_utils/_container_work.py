# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What the stages of carrying out a plan for containers share: who is still worked on, what failed, and words for failures."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils._container_model import ContainersPlan, NodePlan
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer
from ansible_collections.archetype.lab.plugins.module_utils._errors import AGAIN, ApplyError, LabError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._waves import Workers

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

LOG_LINES = 10
OUTPUT_LENGTH = 2000


class Worker(Workers[NodePlan]):
    """Work on the nodes of a plan for containers."""

    def __init__(self, server: Server, found: ContainersPlan, *, waits: bool = True) -> None:
        super().__init__(found.failed, found.coming, waits=waits)
        self.server = server
        self.docker = server.docker
        self.plan = found

    def last_words(self, name: str) -> str:
        try:
            return cut(self.docker.logs(name, lines=LOG_LINES))
        except LabError as error:
            return f"(no log: {error.message})"


def cut(text: str) -> str:
    """The end of an output, where the error is."""
    text = text.strip() or "(no output)"
    return text if len(text) <= OUTPUT_LENGTH else "... " + text[-OUTPUT_LENGTH:]


def ended(worker: Worker, what: str, name: str, node: str, found: DockerContainer | None, when: str = "right after its start") -> LabError:
    """A container that should run and does not, with what is known of its end."""
    if found is None:
        return VerifyError(f"{what} {name} of node {node} is gone {when}", hint="look who removes it", objects=(name,))
    state = found.raw.get("State") or {}
    message = f"{what} {name} of node {node} is {found.status} {when}, with exit code {state.get('ExitCode')}"
    if state.get("OOMKilled"):
        message += " (out of memory)"
    if what == "sandbox":
        return VerifyError(message, hint=f"rebuild image {spec.SANDBOX_IMAGE} with archetype.lab.prepare_servers", objects=(name,))
    return VerifyError(
        f"{message}; its last lines: {worker.last_words(name)}", hint="look at its image, cmd and entrypoint", objects=(name,)
    )


def check_interfaces(server: Server, nodes: t.Sequence[NodePlan], containers: t.Mapping[str, DockerContainer]) -> list[LabError]:
    """An error for each node whose sandbox lacks an interface. Raises ReadError."""
    paths = {one.want.name: containers[one.want.sandbox].netns for one in nodes if one.want.sandbox in containers}
    present = server.net.read_netns(sorted({path for path in paths.values() if path})) if nodes else {}
    errors: list[LabError] = []
    for one in nodes:
        devices = present.get(paths.get(one.want.name, ""), {})
        absent = [name for name in one.want.interfaces if name not in devices]
        if absent:
            errors.append(no_interface(one, absent))
    return errors


def no_interface(node: NodePlan, names: t.Iterable[str]) -> LabError:
    return ApplyError(
        f"node {node.want.node} cannot be started: its sandbox {node.want.sandbox} has no interface {', '.join(names)}",
        hint=f"{AGAIN}; with modules alone: lab_container with state=present, ovs_port_vlan, then state=started",
        objects=(node.want.name,),
    )
