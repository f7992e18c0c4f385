# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What is on a server, as far as its containers go: read once, before anything is planned."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils import _boots, _files, _server
from ansible_collections.archetype.lab.plugins.module_utils import _container_settings as settings
from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils import _ownership as marks
from ansible_collections.archetype.lab.plugins.module_utils._boots import Boot
from ansible_collections.archetype.lab.plugins.module_utils._container_order import Order
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._docker._port import DockerContainer, Image

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

IPV6_PATH = "/proc/sys/net/ipv6"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True)
class HaveContainers:
    """What is on the server, read once.

    owners: every container of the server -> its labels. containers: those of the lab, those with a wanted name, and those that are joined.
    folders: nodes that have delivered files. missing_files, missing_binds: wanted paths that are not on the disk.
    volumes: every volume -> its labels, where the lab has any to do with volumes. cgroupns: what Docker gives a node that does not say.
    network: what tells the server's own network from that of an earlier boot.
    """

    owners: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    containers: t.Mapping[str, DockerContainer] = field(default_factory=dict)
    images: t.Mapping[str, Image | None] = field(default_factory=dict)
    boots: t.Mapping[str, Boot] = field(default_factory=dict)
    folders: frozenset[str] = frozenset()
    missing_files: frozenset[str] = frozenset()
    missing_binds: frozenset[str] = frozenset()
    volumes: t.Mapping[str, t.Mapping[str, str]] = field(default_factory=dict)
    ipv6: bool = True
    cgroupns: str = "host"
    network: str = ""


def read(server: Server, lab: str, want: t.Sequence[Container]) -> HaveContainers:
    """Everything that planning looks at. Raises ReadError."""
    docker = server.docker
    order = Order(want)
    owners = docker.list_names()
    wanted = {name for one in want for name in (one.name, one.namespace_of, order.process_leader(one))}
    names = sorted(name for name, labels in owners.items() if name in wanted or marks.owner_of(labels) == lab)
    references = {one.image for one in want} | ({spec.SANDBOX_IMAGE} if any(one.owns_sandbox for one in want) else set())
    containers = docker.inspect(names)
    return HaveContainers(
        owners=owners,
        containers=containers,
        images=docker.images(sorted(references)),
        boots=_boots.load(lab),
        folders=_files.folders(lab),
        missing_files=_files.missing(want),
        missing_binds=frozenset(path for one in want for path in _missing_binds(one, lab)),
        volumes=docker.volumes() if _about_volumes(want, containers) else {},
        ipv6=os.path.isdir(IPV6_PATH),
        cgroupns=settings.default_cgroupns(),
        network=_own_network() if any(one.network == "host" for one in want) else "",
    )


def _about_volumes(want: t.Sequence[Container], containers: t.Mapping[str, DockerContainer]) -> bool:
    """Whether volumes have to be looked at: nodes have some, or had, or everything of the lab is to go."""
    has = (settings.mounted_volumes(one.raw.get("HostConfig") or {}) for one in containers.values())
    return not want or any(map(settings.volume_names, want)) or any(has)


def _own_network() -> str:
    """The server's own network namespace, in this boot of it."""
    try:
        found = os.stat("/proc/self/ns/net")
        with open(_BOOT_ID, encoding="ascii") as stream:
            boot = stream.read().strip()
    except OSError:
        return ""
    return f"{boot}:{found.st_dev}:{found.st_ino}"


def _missing_binds(want: Container, lab: str) -> t.Iterator[str]:
    """Sources of binds that are neither on the disk nor delivered; Docker would make empty folders of them.

    In the node's own folder that is what is wanted: there, a source without a file is a folder that was empty on the controller.
    """
    own = _files.folder_of(lab, want.node) + "/"
    hosts = _server.lab_path(lab, "hosts")  # comes with the management network, before any node is made
    for source, _target, _options in map(spec.parse_bind, want.binds):
        comes = any(file.path == source or file.path.startswith(source + "/") for file in want.files)
        if source.startswith("/") and not source.startswith(own) and source != hosts and not comes and not os.path.exists(source):
            yield source
