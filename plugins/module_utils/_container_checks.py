# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What stops a run before it touches the server's containers: all of it, told at once."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _container_settings as settings
from ansible_collections.archetype.lab.plugins.module_utils import _container_spec as spec
from ansible_collections.archetype.lab.plugins.module_utils import _files, _steps
from ansible_collections.archetype.lab.plugins.module_utils import _ownership as marks
from ansible_collections.archetype.lab.plugins.module_utils._container_order import Order
from ansible_collections.archetype.lab.plugins.module_utils._container_read import HaveContainers
from ansible_collections.archetype.lab.plugins.module_utils._declared import Container
from ansible_collections.archetype.lab.plugins.module_utils._errors import ForeignError, LabError, raise_all

_WHOSE = {"host": "the server's", "container": "that of a container which is not the lab's", "node": "another node's"}


def check(want: t.Sequence[Container], have: HaveContainers, lab: str, spared: t.Collection[str] = ()) -> None:
    """Raises what is wrong with this list on this server. spared: names of containers that are left alone, whatever is wrong with them."""
    order = Order(want)
    errors = [*_duplicates(want), *_circles(order)]
    for one in want:
        if one.name in spared:
            continue
        errors += [*_foreign(one, have, lab), *_lacking(one, have), *_files.check(lab, one)]
        errors += [*_joined(one, have, lab, order), *_of_the_network(one), *_commands(one, have), *_volumes(one, have, lab)]
    if any(one.owns_sandbox and one.name not in spared for one in want) and have.images.get(spec.SANDBOX_IMAGE) is None:
        errors.append(
            LabError(
                f"image {spec.SANDBOX_IMAGE} of the sandboxes is not on this server",
                hint="run archetype.lab.prepare_servers, which builds it",
                objects=(spec.SANDBOX_IMAGE,),
            )
        )
    raise_all(errors)


def _duplicates(want: t.Sequence[Container]) -> t.Iterator[LabError]:
    """A sandbox has exactly one owner; those that join it are not counted."""
    first: dict[str, int] = {}
    for index, one in enumerate(want):
        for name in (f"container {one.name}", *([f"container {one.sandbox}"] if one.owns_sandbox else []), f"node {one.node}"):
            if name in first:
                yield LabError(
                    f"{name} is in containers[{first[name]}] and in containers[{index}]", hint="give each its own name", objects=(one.name,)
                )
            first.setdefault(name, index)


def _circles(order: Order) -> t.Iterator[LabError]:
    found = order.circle()
    if found:
        yield LabError(
            f"nodes {', '.join(found)} join the network or the processes of one another in a circle",
            hint="let one of them have its own",
            objects=tuple(found),
        )


def _foreign(want: Container, have: HaveContainers, lab: str) -> t.Iterator[LabError]:
    for name in (want.name, *([want.sandbox] if want.owns_sandbox else [])):
        labels = have.owners.get(name)
        if labels is not None and marks.owner_of(labels) != lab:
            yield ForeignError(
                f"container {name} is wanted for node {want.node} of lab {lab}, but is {marks.describe_owner(labels)}",
                hint="remove or rename it, or give the lab another name",
                objects=(name,),
            )


def _lacking(want: Container, have: HaveContainers) -> t.Iterator[LabError]:
    if have.images.get(want.image) is None:
        yield LabError(
            f"image {want.image} of node {want.node} is not on this server",
            hint="pull, load or build it there, or replace it under images: in the lab file",
            objects=(want.name, want.image),
        )
    for source, _target, _options in map(spec.parse_bind, want.binds):
        if source in have.missing_binds:
            yield LabError(
                f"bind source {source} of node {want.node} is not on this server",
                hint="create it there, or correct binds",
                objects=(want.name,),
            )


def _joined(want: Container, have: HaveContainers, lab: str, order: Order) -> t.Iterator[LabError]:
    """What a node joins must be there: a node of the lab on this server, or a container that runs and is not the lab's."""
    if want.network == "node" and not order.owner_of(want):
        yield LabError(
            f"node {want.node} joins sandbox {want.sandbox}, which no node of the lab on this server has",
            hint="put both nodes on the same server",
            objects=(want.name,),
        )
    if want.network == "container":
        yield from _joined_foreign(want, have, lab, want.sandbox, "network")
    leader = order.process_leader(want)
    if leader and not order.leaders(want):
        yield from _joined_foreign(want, have, lab, leader, "processes")


def _joined_foreign(want: Container, have: HaveContainers, lab: str, name: str, what: str) -> t.Iterator[LabError]:
    labels = have.owners.get(name)
    if labels is not None and marks.owner_of(labels) == lab:
        yield LabError(
            f"node {want.node} joins the {what} of container {name}, which is the lab's own",
            hint="name the node instead of its container",
            objects=(want.name,),
        )
        return
    found = have.containers.get(name)
    if found is None or not found.running:
        how = f"is {found.status}" if found else "is not on this server"
        yield LabError(
            f"node {want.node} joins the {what} of container {name}, which {how}",
            hint="start that container first; it is not the lab's, and is never touched",
            objects=(want.name,),
        )


def _of_the_network(want: Container) -> t.Iterator[LabError]:
    """What belongs to a network is declared for the node that has it."""
    if want.owns_sandbox:
        return
    told = [name for name in ("interfaces", "dns", "dns_search", "dns_options") if getattr(want, name)]
    if want.network == "host":
        told = [name for name in told if name == "interfaces"]
    if want.network != "node":
        told += [f"sysctl {name}" for name in sorted(want.sysctls) if spec.is_network_sysctl(name)]
    if told:
        yield LabError(
            f"node {want.node} has {', '.join(told)}, but its network is {_WHOSE[want.network]}",
            hint="leave it out, or give it to the node that has the network",
            objects=(want.name,),
        )


def _commands(want: Container, have: HaveContainers) -> t.Iterator[LabError]:
    for text in _steps.impossible(want):
        yield LabError(f"node {want.node}: {text}", hint="correct it under stages, or in the kind", objects=(want.name,))
    image = have.images.get(want.image)
    if _steps.awaits_health(want) and image is not None and not settings.has_health(want, image):
        yield LabError(
            f"node {want.node} is waited for until it is healthy, but neither it nor its image {want.image} has a health check",
            hint="give it a healthcheck, or wait for another stage of it",
            objects=(want.name,),
        )


def _volumes(want: Container, have: HaveContainers, lab: str) -> t.Iterator[LabError]:
    for volume in want.volumes:
        if volume.startswith("/") and ":" in volume:
            yield LabError(
                f"volume {volume} of node {want.node} begins with a path of the server",
                hint="write it under binds, or begin it with a name",
                objects=(want.name,),
            )
    for name in settings.volume_names(want):
        owner = marks.owner_of(have.volumes.get(name))
        if owner and owner != lab:
            yield ForeignError(
                f"volume {name} of node {want.node} of lab {lab} is lab {owner}, and goes with it",
                hint="give it another name, or make one for both with docker volume create",
                objects=(want.name,),
            )
