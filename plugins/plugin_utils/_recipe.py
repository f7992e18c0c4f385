# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""How one node is started: what its kind says, with the placeholders filled in, and the node's own settings on top.

The node's own win: variables and sysctls one by one, binds by their target, entrypoint, command and user as a whole. Capabilities and
devices are united. A start-up configuration of the node's own replaces the kind's.
"""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass, replace

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._files import FileReader
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import Boot, Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, ManagementAddresses, Node, NodeInterface
from ansible_collections.archetype.lab.plugins.plugin_utils._placeholders import EACH, ENV, fill, fill_lines, for_each, names
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean, quote
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe_values import (
    OPTIONAL,
    Values,
    interface_values,
    node_values,
    type_of,
    type_values,
)
from ansible_collections.archetype.lab.plugins.plugin_utils._startup import Text, startup_of


@dataclass(frozen=True)
class Abilities:
    """What a server lacks. capabilities: those that it cannot give. devices: of those that were asked for, those that it has not."""

    capabilities: frozenset[str] = frozenset()
    devices: frozenset[str] = frozenset()


ABLE = Abilities()


@dataclass(frozen=True)
class Recipe:
    """binds: C(source:target[:options]). files: in the shape of C(module_utils/_declared.py). commands: before the user's own."""

    entrypoint: tuple[str, ...] | None
    cmd: tuple[str, ...] | None
    user: str
    env: t.Mapping[str, str]
    sysctls: t.Mapping[str, str]
    cap_add: tuple[str, ...]
    devices: tuple[str, ...]
    privileged: bool
    system_paths: str
    security_opts: tuple[str, ...]
    shm_size: int
    binds: tuple[str, ...]
    files: tuple[t.Mapping[str, t.Any], ...]
    commands: tuple[tuple[str, ...], ...]


def make_recipe(
    node: Node,
    interfaces: t.Sequence[NodeInterface],
    reader: FileReader,
    *,
    management: ManagementAddresses | None = None,
    number: int = 1,
    lacking: Abilities = ABLE,
) -> Recipe:
    """interfaces: the data interfaces, in the device's order. number: the node's own among its kind. Faults go to reader.problems."""
    boot = node.profile.boot
    _check_type(node, reader)
    values = node_values(node, reader.lab, len(interfaces), management, number)
    own = [interface_values(node.profile, one) for one in interfaces]
    env = _environment(node, values, [{**values, **one} for one in own])
    values |= {f"env:{name}": value for name, value in env.items()}
    each = [{**values, **one} for one in own]
    startup = startup_of(node, values, each, reader)
    binds, files = _placed(node, values, each, reader, startup.binds, startup.files)
    privileged = boot.privileged and not lacking.capabilities if node.privileged is None else node.privileged
    return Recipe(
        entrypoint=node.entrypoint if node.entrypoint is not None else _words(boot.entrypoint, values, env),
        cmd=node.cmd if node.cmd is not None or node.entrypoint is not None else _words(boot.cmd, values, env),
        user=node.user or boot.user,
        env=env,
        sysctls={**_sysctls(node, _filled(boot.sysctls, values)), **node.sysctls},
        cap_add=tuple(sorted({*_given(boot.capabilities, lacking.capabilities), *_given(node.cap_add, lacking.capabilities)})),
        devices=_devices(node, lacking.devices),
        privileged=privileged,
        system_paths="unconfined" if "unconfined" in (boot.system_paths, node.system_paths) else node.system_paths,
        security_opts=tuple(dict.fromkeys((*boot.security_opts, *node.security_opts))),
        shm_size=node.shm_size or boot.shm_size,
        binds=binds,
        files=files,
        commands=(*startup.exec, *after_boot(node.profile)),
    )


def after_boot(kind: Kind) -> tuple[tuple[str, ...], ...]:
    """The kind's commands for a node that is ready. Those of a machine are for its console, which is not in the container around it."""
    return kind.post_boot if kind.provider == "container" else ()


def _sysctls(node: Node, kinds: t.Mapping[str, str]) -> dict[str, str]:
    """Those of the kind, without those of a network that is not the node's own."""
    own = node.network_mode in ("", "none")
    return {name: value for name, value in kinds.items() if own or not name.startswith("net.")}


def _check_type(node: Node, reader: FileReader) -> None:
    name = type_of(node)
    if type_values(node.profile, name) is None:
        known = sorted(node.profile.boot.types)
        what = f"node {node.name}: kind {node.kind} has no type {quote(name)}"
        remedy = f"{did_you_mean(name, known)} It has {', '.join(known)}".strip()
        reader.problems.append(Problem(node.place.file, node.place.line, node.place.column, what, remedy))


def _environment(node: Node, values: Values, each: t.Sequence[Values]) -> dict[str, str]:
    boot = node.profile.boot
    joined: dict[str, str] = {}
    for name, (piece, separator) in boot.env_each.items():
        pieces = (fill(piece, one) for one in each)
        joined[name] = separator.join(one for one in pieces if one is not None)
    return dict(sorted({**_filled(boot.env, values), **joined, **node.env}.items()))


def _filled(texts: t.Mapping[str, str], values: Values) -> dict[str, str]:
    """Without those whose condition does not hold."""
    found = {name: fill(text, values) for name, text in texts.items()}
    return {name: text for name, text in found.items() if text is not None}


def _words(words: tuple[str, ...] | None, values: Values, env: Values) -> tuple[str, ...] | None:
    if words is None:
        return None
    found: list[str | None] = []
    for word in words:
        if ENV in names(word):
            found += [fill(word, {**values, ENV: f"{name}={value}"}) for name, value in env.items()]
        else:
            found.append(fill(word, values))
    return tuple(word for word in found if word is not None)


def _given(capabilities: t.Iterable[str], lacking: t.Container[str]) -> t.Iterator[str]:
    for one in capabilities:
        if not one.endswith(OPTIONAL):
            yield one
        elif one.removesuffix(OPTIONAL) not in lacking:
            yield one.removesuffix(OPTIONAL)


def _devices(node: Node, missing: t.Container[str]) -> tuple[str, ...]:
    """The kind's before the node's own; one that the node has itself is not there twice."""
    own = {one.partition(":")[0] for one in node.devices}
    found: list[str] = []
    for one in node.profile.boot.devices:
        device = one.removesuffix(OPTIONAL)
        path = device.partition(":")[0]
        if path not in own and not (one.endswith(OPTIONAL) and path in missing):
            found.append(device)
    return (*found, *node.devices)


# -- binds, folders and files ---------------------------------------------------------------------------------------


def _placed(
    node: Node, values: Values, each: t.Sequence[Values], reader: FileReader, binds: t.Sequence[Bind], texts: t.Sequence[Text]
) -> tuple[tuple[str, ...], tuple[t.Mapping[str, t.Any], ...]]:
    """All binds and files of a node. What the user binds to a place wins over what the kind has there."""
    boot = node.profile.boot
    taken = {posixpath.normpath(bind.target) for bind in node.binds}
    wanted = [*_kind_files(boot, values, each), *_extras(node, reader), *texts]
    own_binds = [*binds]
    license_text = _license(node, reader, own_binds)
    wanted += [license_text] if license_text else []
    folders = [one for one in (posixpath.normpath(fill(one, values) or "/") for one in boot.folders) if one not in taken]
    kept = [Bind(reader.place(node, one), one) for one in folders]
    kept += [bind for bind in _kind_binds(boot, values) if posixpath.normpath(bind.target) not in taken]
    kept += [bind for bind in own_binds if posixpath.normpath(bind.target) not in taken]
    files: dict[str, dict[str, t.Any]] = {}
    for text in wanted:
        if text.path in taken:
            continue
        file = reader.deliver(node, text.path, text.content, text.mode)
        files[file["path"]] = {**file, "enforce": text.again}
        if not any(text.path.startswith(f"{folder}/") for folder in folders):
            kept.append(Bind(file["path"], text.path))
    all_binds, user_files = reader.binds_of(replace(node, binds=(*node.binds, *kept)))
    for file in user_files:
        files[file["path"]] = {**file, "enforce": False}
    return tuple(all_binds), tuple(files[path] for path in sorted(files))


def _kind_files(boot: Boot, values: Values, each: t.Sequence[Values]) -> t.Iterator[Text]:
    for file in boot.files:
        path = fill(file.path, values)
        if path is None:
            continue
        content = fill_lines(file.content, {**values, EACH: for_each(file.each, each)})
        yield Text(posixpath.normpath(path), content.encode(), file.mode)


def _extras(node: Node, reader: FileReader) -> t.Iterator[Text]:
    """Files of C(extras), under their own names."""
    for key, folder in sorted(node.profile.boot.extras.items()):
        for path in node.extras.get(key) or ():
            content = reader.read(node, Bind(path, "", local=True), f"file of extras, {key}")
            if content is not None:
                yield Text(posixpath.join(folder, posixpath.basename(path)), content)


def _kind_binds(boot: Boot, values: Values) -> t.Iterator[Bind]:
    for text in boot.binds:
        filled = fill(text, values)
        if filled is not None:
            source, target, *options = filled.split(":")
            yield Bind(source, target, ":".join(options))


def _license(node: Node, reader: FileReader, binds: list[Bind]) -> Text | None:
    """The license at its place; one that is on the server is bound there."""
    path = node.profile.license_path
    if not path or node.license is None:
        return None
    if not node.license.local:
        binds.append(Bind(node.license.source, path, "ro"))
        return None
    content = reader.read(node, node.license, "license")
    return None if content is None else Text(path, content)
