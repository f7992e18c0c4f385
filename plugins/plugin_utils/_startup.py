# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The start-up configuration of a node: the user's, or the kind's own, at the place and in the form that the device reads.

A user's configuration is never searched for our placeholders, since configurations are full of braces. Where the kind says so, fields of
Go templates such as C({{ .ShortName }}) are filled in, as people have them in their files.
"""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._files import FileReader
from ansible_collections.archetype.lab.plugins.plugin_utils._go_template import render
from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import StartupConfig
from ansible_collections.archetype.lab.plugins.plugin_utils._model import Bind, Node
from ansible_collections.archetype.lab.plugins.plugin_utils._placeholders import EACH, PARTIAL, fill, fill_lines, for_each, names
from ansible_collections.archetype.lab.plugins.plugin_utils._recipe_values import Values

FIELDS: t.Mapping[str, str] = {
    "ShortName": "node",
    "LongName": "container",
    "Hostname": "hostname",
    "NodeType": "type",
    "Image": "image",
    "MgmtIPv4Address": "mgmt_ipv4",
    "MgmtIPv4PrefixLength": "mgmt_ipv4_prefix",
    "MgmtIPv4Gateway": "mgmt_ipv4_gateway",
    "MgmtIPv6Address": "mgmt_ipv6",
    "MgmtIPv6PrefixLength": "mgmt_ipv6_prefix",
    "MgmtIPv6Gateway": "mgmt_ipv6_gateway",
}
"""Fields that people's configurations have, and the placeholders that they are."""

_KNOWN = (
    f"Fields are {', '.join(f'.{one}' for one in [*FIELDS, 'Kind', 'Env.NAME'])}; of conditions there are"
    " {{ if .Field }}, {{ if not .Field }}, {{ else }}, {{ end }}"
)


@dataclass(frozen=True)
class Text:
    """A file of the node. again: it is written anew whenever the node is started by a run, whatever the device saved there."""

    path: str
    content: bytes
    mode: str = "0644"
    again: bool = False


@dataclass(frozen=True)
class Startup:
    """files: to deliver. binds: of what is on the server already. exec: what runs when the node has started, before the user's commands."""

    files: tuple[Text, ...] = ()
    binds: tuple[Bind, ...] = ()
    exec: tuple[tuple[str, ...], ...] = ()


def startup_of(node: Node, values: Values, each: t.Sequence[Values], reader: FileReader) -> Startup:
    """How a container gets its configuration. each: the values of every data interface, together with those of the node."""
    config, own = node.profile.startup_config, node.startup_config
    if not config.path or node.suppress_startup_config:
        return Startup()
    if own is not None and not own.local:
        return Startup(binds=(Bind(own.source, config.path, own.options),))
    content = startup_content(node, values, each, reader)
    if not content:
        return Startup()
    if config.accepts and not _fits(config, content):
        apply = tuple(fill(word, values) or "" for word in config.part_apply)
        return Startup(files=(Text(config.part_path, content, config.mode, True),), exec=(apply,) if apply else ())
    return Startup(files=(Text(config.path, content, config.mode, own is not None and node.enforce_startup_config),))


def startup_content(node: Node, values: Values, each: t.Sequence[Values], reader: FileReader) -> bytes:
    """The configuration itself: the user's own, else the kind's default; empty where there is none, or it could not be read."""
    config, own = node.profile.startup_config, node.startup_config
    if node.suppress_startup_config:
        return b""
    content = b""
    if own is not None:
        read = reader.read(node, own, "startup-config")
        if read is None:
            return b""
        content = _with_fields(node, own, read, values, reader) if config.template else read
    if own is None or _is_part(config, own, content):
        inserted = {EACH: for_each(config.each, each), PARTIAL: content.decode(errors="surrogateescape").removesuffix("\n")}
        content = fill_lines(config.default, {**values, **inserted}).encode(errors="surrogateescape")
    return content


def _fits(config: StartupConfig, content: bytes) -> bool:
    return re.match(config.accepts, content.decode(errors="replace")) is not None


def _is_part(config: StartupConfig, own: Bind, content: bytes) -> bool:
    """Whether the user's own goes into the default: it says so by its name, or it is not in the form that the device starts with."""
    if PARTIAL not in names(config.default):
        return False
    named = ".partial" in posixpath.basename(own.source).lower()
    return named or bool(config.accepts and not _fits(config, content))


def _with_fields(node: Node, own: Bind, content: bytes, values: Values, reader: FileReader) -> bytes:
    """With its fields filled in. What else there is of Go templates is a problem: the device would read it as it is."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return content
    filled, faults = render(text, lambda name: _field(node, name, values))
    for fault in faults:
        if own.content is None:
            file, line = own.source, text.count("\n", 0, fault.at) + 1
        else:
            file, line = node.place.file, node.place.line
        what = f"startup-config of node {node.name}: {fault.action} cannot be filled in"
        reader.problems.append(Problem(file, line, 0, what, _KNOWN))
    return filled.encode()


def _field(node: Node, name: str, values: Values) -> str | None:
    if name in FIELDS:
        return values.get(FIELDS[name], "")
    if name.startswith("Env."):
        return values.get("env:" + name.removeprefix("Env."), "")
    return node.kind if name == "Kind" else None
