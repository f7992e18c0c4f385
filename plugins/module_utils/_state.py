# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The declared state that a server keeps, so that it can converge by itself, and the lab's folder beside it."""

from __future__ import annotations

import json
import os
import shutil
import typing as t
from pathlib import Path

from ansible_collections.archetype.lab.plugins.module_utils import _server, _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, ReadError


def path(lab: str) -> Path:
    """The file of a lab's declared state. Raises LabError for a name that is none."""
    return Path(f"{_server.lab_path(lab)}.json")


def folder(lab: str) -> Path:
    """Where the files of a lab's nodes are."""
    return path(lab).with_name(lab)


def load(lab: str) -> dict[str, t.Any] | None:
    """The declared state of the last full run, or None when there was none. Raises ReadError."""
    try:
        declared: dict[str, t.Any] = json.loads(path(lab).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise ReadError(f"{path(lab)} cannot be read: {error}", hint="deploy the lab again", objects=(lab,)) from error
    return declared


def kept_of(
    known: t.Mapping[str, t.Any] | None, declared: t.Mapping[str, t.Any], *, hold: t.Collection[str] | None, taken_back: t.Collection[str]
) -> dict[str, t.Any]:
    """What is kept of a run: its slice, and what it said beside that. hold: None leaves held what is held in known, kept before."""
    held = (known or {}).get("hold") or () if hold is None else hold
    told = {"hold": sorted(set(held)), "taken_back": sorted(set(taken_back))}
    kept = {name: value for name, value in declared.items() if name not in told}
    return {**kept, **{name: values for name, values in told.items() if values}}


def labs() -> list[str]:
    """The labs that have declared state here. Raises ReadError: a folder that cannot be read is not empty."""
    try:
        names = os.listdir(_server.STATE_DIR)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ReadError(f"{_server.STATE_DIR} cannot be read: {error}", hint="run the module as root (become: true)") from error
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))


def _text(declared: t.Mapping[str, t.Any]) -> str:
    return json.dumps(declared, sort_keys=True, indent=1) + "\n"


def _kept(target: Path, lab: str) -> str | None:
    try:
        return target.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ReadError(f"{target} cannot be read: {error}", objects=(lab,)) from error


def save(lab: str, declared: t.Mapping[str, t.Any], *, check: bool = False) -> list[Change]:
    """Keep the declared state, if it is another than what is kept. Its content may hold secrets, and is in no diff."""
    target = path(lab)
    text = _text(declared)
    have = _kept(target, lab)
    if have == text:
        return []
    if not check:
        _write(target, text)
    return [Change("create" if have is None else "update", "state", str(target), label=lab)]


def _write(target: Path, text: str) -> None:
    try:
        _server.make_state_dir()
        _whole_files.write(target, text, sync=True)
    except OSError as error:
        raise ApplyError(f"{target} cannot be written: {error}", hint="see that the disk has room", objects=(str(target),)) from error


def forget(lab: str, *, check: bool = False) -> list[Change]:
    """Remove the declared state of a lab, so that nobody mends it any more."""
    return _remove(lab, [path(lab)], check=check)


def remove(lab: str, *, check: bool = False) -> list[Change]:
    """Remove the declared state of a lab, what a run that was killed had half written of it, and the folder with all files of its nodes."""
    return _remove(lab, [path(lab), Path(_whole_files.unfinished(path(lab))), folder(lab)], check=check)


def _remove(lab: str, places: t.Sequence[Path], *, check: bool) -> list[Change]:
    gone = [one for one in places if one.exists()]
    for one in gone:
        if check:
            continue
        try:
            if one.is_dir():
                shutil.rmtree(one)
            else:
                one.unlink()
        except OSError as error:
            raise ApplyError(f"{one} cannot be removed: {error}", objects=(str(one),)) from error
    return [Change("delete", "state", str(one), label=lab) for one in gone]
