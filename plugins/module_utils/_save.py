# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The running configurations of nodes, as a device can be given them again: without what its own display puts around them."""

from __future__ import annotations

import re
import shlex
import typing as t
from dataclasses import dataclass

from ansible_collections.archetype.lab.plugins.module_utils import _ready
from ansible_collections.archetype.lab.plugins.module_utils._console import _dialog
from ansible_collections.archetype.lab.plugins.module_utils._console._session import LIMIT
from ansible_collections.archetype.lab.plugins.module_utils._console._text import plain
from ansible_collections.archetype.lab.plugins.module_utils._declared_vm import Access, Save
from ansible_collections.archetype.lab.plugins.module_utils._errors import LabError, VerifyError
from ansible_collections.archetype.lab.plugins.module_utils._parallel import fetch
from ansible_collections.archetype.lab.plugins.module_utils._talk import talk

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._ready_state import State
    from ansible_collections.archetype.lab.plugins.module_utils._server import Server

TIMEOUT = 180.0
"""Seconds that a device has to show its configuration."""


@dataclass(frozen=True)
class Configuration:
    """error: why there is no configuration; empty where there is one."""

    node: str
    config: str = ""
    error: str = ""
    hint: str = ""


def configurations(server: Server, lab: str, access: t.Sequence[Access], timeout: float = TIMEOUT) -> list[Configuration]:
    """Those of all nodes, in their order; what goes wrong with one does not stop the others. What is not ready, or not ours, is left."""
    states = {state.node: state for state in _ready.look(server, lab, access, write=False)}
    return fetch(access, lambda one: _of_node(server, lab, one, states[one.node], timeout))


def _of_node(server: Server, lab: str, one: Access, state: State, timeout: float) -> Configuration:
    try:
        if state.state != "ready":
            hint = "" if state.foreign else "run deploy_lab, which waits until it is ready"
            raise VerifyError(f"it is {state.state}: {state.reason}", hint=hint)
        return Configuration(one.node, config=cleaned(_read(server, lab, one, timeout), one.save))
    except LabError as error:
        return Configuration(one.node, error=error.message, hint=error.hint)


def _read(server: Server, lab: str, one: Access, timeout: float) -> str:
    if one.save.method == "console" and one.type == "vm":
        return _over_console(server, lab, one, timeout)
    if one.save.method == "file" and one.type == "container":
        return plain(server.docker.read_file(one.name, one.save.command, limit=LIMIT))
    if one.save.method == "exec" and one.type == "container":
        return _by_command(server, one, timeout)
    raise VerifyError(f"its configuration cannot be read by {one.save.method} of a {one.type}", hint="see save_config of its kind")


def _over_console(server: Server, lab: str, one: Access, timeout: float) -> str:
    with talk(server, lab, one, "its configuration is saved") as session:
        if one.save.pager_off:
            session.run(one.save.pager_off, timeout=timeout)
        return session.run(one.save.command, timeout=timeout)


def _by_command(server: Server, one: Access, timeout: float) -> str:
    command = split(one.save.command)
    done = server.docker.execute(one.name, command, timeout=timeout, keep=LIMIT)
    if done.exit_code:
        said = [line.strip() for line in done.output.splitlines() if line.strip()]
        # Of more lines than these some may be the configuration, with secrets in it.
        told = f": {said[-1][:200]}" if 0 < len(said) <= 5 else ""
        raise VerifyError(f"{command[0]} ended with {done.exit_code}{told}", hint="see save_config of its kind")
    return plain(done.written)


def split(command: str) -> list[str]:
    """The words of a command, quoted as in a shell, which there is none of. Raises LabError for one that has no words."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise LabError(f"the command {command!r} cannot be split into words: {error}", hint="see save_config of its kind") from error
    if not words:
        raise LabError("there is no command that shows its configuration", hint="see save_config of its kind")
    return words


def cleaned(text: str, save: Save) -> str:
    """Without blanks at the ends of lines, empty lines around it, and what its kind says is no part of it. Raises VerifyError for none."""
    lines = [line.rstrip() for line in text.splitlines()]
    refused = _dialog.failed(lines)
    if refused:
        raise VerifyError(f"{save.command!r} was refused: {refused}", hint="see save_config of its kind")
    volatile = [_expression(one) for one in save.volatile]
    lines = [line for line in lines if not any(one.search(line) for one in volatile)]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise VerifyError(f"{save.command!r} showed nothing", hint="look at the node itself; it may have no configuration")
    return "".join(f"{line}\n" for line in lines)


def _expression(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise LabError(f"{text} is not a regular expression: {error}", hint="mend save_config of its kind") from error
