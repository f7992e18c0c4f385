# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Small files of a lab that count until the next boot, in C(_server.run_path): read, changed and written by several processes.

What is damaged is no truth that would be missed: whoever reads it is told so once, and it is begun anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import typing as t

from ansible_collections.archetype.lab.plugins.module_utils import _server, _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError

REPORT = "report.json"
"""The last pass, for whoever asks how the lab is: told anew in each pass, so that it needs no disk."""

Content = dict[str, t.Any]


def read(lab: str, name: str) -> tuple[Content, LabError | None]:
    """What is in the file, nothing where there is none; and what is wrong with it, after which it counts as empty."""
    path = _server.run_path(lab, name)
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except FileNotFoundError:
        return {}, None
    except (OSError, ValueError, RecursionError) as error:
        return {}, damaged(path, str(error), lab)
    if not isinstance(content, dict):
        return {}, damaged(path, "it is no mapping", lab)
    return content, None


def damaged(path: str, why: str, lab: str) -> LabError:
    return ReadError(f"{path} is damaged, and is begun anew: {why}", hint="look who else writes to it", objects=(lab,))


def write(lab: str, name: str, content: t.Mapping[str, t.Any]) -> None:
    """In one piece, see C(_whole_files.py). Raises ApplyError."""
    path = _server.run_path(lab, name)
    try:
        _server.make_run_dir(lab)
        _whole_files.write(path, json.dumps(content, sort_keys=True) + "\n")
    except OSError as error:
        raise ApplyError(f"{path} cannot be written: {error.strerror}", hint="see that /run has room", objects=(lab,)) from error


@contextlib.contextmanager
def exclusive(lab: str) -> t.Iterator[None]:
    """One process or thread at a time reads what it then writes. The kernel gives this up when the process dies. Raises ApplyError."""
    try:
        guard = os.open(_server.make_run_dir(lab), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ApplyError(f"{_server.run_path(lab)} cannot be used: {error.strerror}", hint="run as root", objects=(lab,)) from error
    try:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield
    finally:
        os.close(guard)
