# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What came of checking files, as text for the terminal: for each file its problems, its notes, and what is in it.

A problem begins with C(file:line:column:), as compilers have it, so that editors and terminals jump there; what to do stands below it.
"""

from __future__ import annotations

import os
import textwrap
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._validate import Checked

_INDENT = "    "


def render_checked(files: t.Sequence[Checked], folder: str = "", width: int = 120) -> str:
    """One paragraph for each file, and a line that sums up where there are several. folder: paths below it are shown without it."""
    parts = ["\n".join(_file(one, folder, width)) for one in files]
    if len(files) > 1:
        parts.append(complaint(files, folder) or f"{len(files)} files, all good")
    return "\n\n".join(parts) + "\n"


def complaint(files: t.Sequence[Checked], folder: str = "") -> str:
    """Which files are bad, in a line; empty where none is."""
    bad = [one for one in files if one.problems]
    if not bad:
        return ""
    named = ", ".join(shown(one.path, folder) for one in bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
    count = sum(len(one.problems) for one in bad)
    return f"{count} {'problem' if count == 1 else 'problems'} in {named}"


def shown(path: str, folder: str) -> str:
    """A path, relative where it is below the folder."""
    return os.path.relpath(path, folder) if folder and path.startswith(folder.rstrip("/") + "/") else path


def _file(one: Checked, folder: str, width: int) -> t.Iterator[str]:
    name = shown(one.path, folder)
    if one.problems:
        count = len(one.problems)
        yield f"{name}: {count} {'problem' if count == 1 else 'problems'}"
        for problem in one.problems:
            yield from _problem(problem, folder)
    else:
        yield f"{name}: good, {one.sort} of lab {one.lab}"
        yield from _table(one)
    for note in one.notes:
        yield from _wrapped("  note: ", note, width)
    for what in one.unchecked:
        yield from _wrapped("  not checked: ", what, width)


def _problem(problem: Problem, folder: str) -> t.Iterator[str]:
    where = ":".join([shown(problem.file, folder), *(str(number) for number in (problem.line, problem.column) if number)])
    yield f"  {where}: {problem.what}"
    if problem.remedy:
        yield f"  {_INDENT}{problem.remedy}"


def _table(one: Checked) -> t.Iterator[str]:
    for name, counts in (("nodes", one.nodes), ("links", one.links), ("servers", one.servers)):
        if name == "servers" and not counts:
            continue
        total = len(counts) if name == "servers" else sum(counts.values())
        listed = ", ".join(f"{key} {count}" for key, count in counts.items())
        yield f"  {name:<8}{total:>4}   {listed}".rstrip()


def _wrapped(head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=head, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False)
