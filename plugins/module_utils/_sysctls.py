# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The kernel's settings (sysctls) that a management network needs, and how they become again what they were.

Forwarding is of the whole server: labs share it. What it was before the first lab that needs it is written down, with the labs that do;
when the last of them goes, it is what it was. The note is lost in a reboot, as the settings are.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.archetype.lab.plugins.module_utils import _server, _whole_files
from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._errors import ApplyError, LabError, ReadError

PROC = "/proc/sys"
IPV6_ROUTES = "/proc/net/ipv6_route"
_DEFAULT, _ADVERTISED = 0x00010000, 0x00040000
"""Flags of a route: it is a default route; a router's advertisement made it (RTF_DEFAULT, RTF_ADDRCONF)."""

FORWARDING = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}


@dataclass(frozen=True)
class Held:
    """A setting that labs changed. was: before; value: what they need."""

    was: str
    value: str
    labs: tuple[str, ...]


Note = t.Mapping[str, Held]


@dataclass(frozen=True)
class Have:
    """values: name (below /proc/sys) -> value, None where there is no such setting. note: of the settings that labs share."""

    values: t.Mapping[str, str | None] = field(default_factory=dict)
    note: Note = field(default_factory=dict)
    advertised: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """note: to be written; None where it is as it is."""

    writes: tuple[tuple[str, str], ...] = ()
    note: Note | None = None
    changes: tuple[Change, ...] = ()


def note_path() -> Path:
    return Path(_server.RUN_DIR, "sysctls.json")


def read_value(name: str) -> str | None:
    try:
        return Path(PROC, name).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ReadError(f"{PROC}/{name} cannot be read: {error.strerror}") from error


def has_device(name: str) -> bool:
    """Whether there is a device that settings could be of."""
    return Path(PROC, "net/ipv4/conf", name).is_dir()


def read_note() -> dict[str, Held]:
    path = note_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): Held(str(one["was"]), str(one["value"]), tuple(one["labs"])) for name, one in content.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = f"remove {path}; then it is not known what to set back when labs go"
        raise ReadError(f"{path} cannot be read: {error}", hint=hint) from error


def advertised() -> tuple[str, ...]:
    """The devices over which a router's advertisement is the server's way out: forwarding would end it, unless they are told otherwise."""
    try:
        text = Path(IPV6_ROUTES).read_text(encoding="ascii")
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise ReadError(f"{IPV6_ROUTES} cannot be read: {error.strerror}") from error
    found = set()
    for words in (line.split() for line in text.splitlines()):
        flags = int(words[8], 16)
        if flags & _DEFAULT and flags & _ADVERTISED:
            found.add(words[9])
    return tuple(sorted(found))


def shared(versions: t.Iterable[int], have: Have) -> dict[str, str]:
    """What labs need of the server itself, to forward packets of these IP versions."""
    wanted: dict[str, str] = {}
    for version in versions:
        wanted[FORWARDING[version]] = "1"
        if version == 6:
            for device in have.advertised:
                name = accept_ra(device)
                if have.values.get(name) == "1" or name in have.note:
                    wanted[name] = "2"
    return wanted


def accept_ra(device: str) -> str:
    return f"net/ipv6/conf/{device}/accept_ra"


def read(names: t.Iterable[str], *, ipv6: bool = False) -> Have:
    """The settings of these names, those in the note, and what forwarding IPv6 touches. Raises ReadError."""
    note, devices = read_note(), advertised() if ipv6 else ()
    wanted = {*names, *note, *map(accept_ra, devices)}
    return Have({name: read_value(name) for name in sorted(wanted)}, note, devices)


def plan(lab: str, label: str, own: t.Mapping[str, str], needed: t.Mapping[str, str], have: Have) -> Plan:
    """own: settings of the lab's own devices. needed: those that it shares with other labs."""
    writes: list[tuple[str, str]] = []
    changes: list[Change] = []
    note = dict(have.note)

    def write(name: str, value: str, reason: str = "") -> None:
        writes.append((name, value))
        changes.append(Change("update", "sysctl", name.replace("/", "."), label, {"value": (have.values.get(name), value)}, reason))

    for name, value in own.items():
        if have.values.get(name) != value:
            write(name, value)
    for name, value in needed.items():
        there, held = have.values.get(name), note.get(name)
        if there != value:
            write(name, value)
            held = held or Held(there or "", value, ())
        if held:
            note[name] = Held(held.was, value, tuple(sorted({*held.labs, lab})))
    for name, held in have.note.items():
        if name in needed or lab not in held.labs:
            continue
        others = tuple(one for one in held.labs if one != lab)
        if others:
            note[name] = Held(held.was, held.value, others)
            continue
        del note[name]
        if have.values.get(name) == held.value:
            write(name, held.was, "no lab needs it any more")
    return Plan(tuple(writes), None if note == dict(have.note) else note, tuple(changes))


def apply(todo: Plan) -> list[LabError]:
    """The note first: what it says was changed can be set back after a run that was killed."""
    errors: list[LabError] = []
    if todo.note is not None:
        try:
            _write_note(todo.note)
        except OSError as error:
            return [ApplyError(f"{note_path()} cannot be written: {error.strerror}", hint="see that /run has room")]
    for name, value in todo.writes:
        try:
            Path(PROC, name).write_text(value, encoding="ascii")
        except OSError as error:
            errors.append(ApplyError(f"{name.replace('/', '.')} cannot be set to {value}: {error.strerror}"))
    return errors


def _write_note(note: Note) -> None:
    path = note_path()
    if not note:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps({name: {"was": one.was, "value": one.value, "labs": list(one.labs)} for name, one in note.items()}, sort_keys=True)
    _whole_files.write(path, text)
