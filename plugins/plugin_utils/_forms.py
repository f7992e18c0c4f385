# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The arithmetic of interface names: from one form of a vendor name to the Linux name, and back. Kinds and their words are elsewhere."""

from __future__ import annotations

import functools
import re
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import InterfaceForm, Interfaces

MAX_VENDOR = 64
"""No interface has a longer name; it bounds the numbers in one."""
INDEX = "index"
PORT = "port"
SLOT = "slot"
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_NUMBER = "0|[1-9][0-9]{0,8}"


class FormFault(ValueError):
    """A name that has the look of a form, and is no interface: why not, as the end of a sentence about it."""


def parse(names: Interfaces, form: InterfaceForm, text: str) -> str | None:
    """The Linux name of a vendor name, None where it is not of this form. Raises FormFault."""
    found = form.pattern.fullmatch(text) if len(text) <= MAX_VENDOR else None
    if found is None:
        return None
    values = {name: int(number) for name, number in found.groupdict().items() if number is not None}
    if form.linux:
        _check_count(form, values[PORT] - form.offset)
        return form.linux.format(**values)
    return names.linux.format(index=names.first + _count(names, form, values))


def _count(names: Interfaces, form: InterfaceForm, values: t.Mapping[str, int]) -> int:
    """How many data interfaces are before this one."""
    port = values[PORT]
    if form.slots and port >= form.slots:
        raise FormFault(f"has a port that is not there: a slot has {form.slots}, and the first is 0,")
    before = values.get(SLOT, 0) * form.slots + port - form.offset
    _check_count(form, before)
    if before % form.step:
        raise FormFault(f"is between two interfaces, which are {form.step} apart,")
    if names.maximum and before // form.step >= names.maximum:
        raise FormFault(f"is behind the last of the {names.maximum}")
    return before // form.step


def _check_count(form: InterfaceForm, before: int) -> None:
    if before < 0:
        raise FormFault("is before the first one")
    if form.count and before // form.step >= form.count:
        raise FormFault(f"is behind the last one, as there are {form.count},")


def write(names: Interfaces, form: InterfaceForm, linux: str) -> str | None:
    """The vendor name of a Linux name in this form, None where it has none."""
    found = _template(form.linux or names.linux).fullmatch(linux)
    if found is None:
        return None
    values = {name: int(number) for name, number in found.groupdict().items()}
    if not form.linux:
        port = (values[INDEX] - names.first) * form.step + form.offset
        slot, port = divmod(port, form.slots) if form.slots else (0, port)
        values = {PORT: port, SLOT: slot}
    text = form.name.format(**values)
    try:
        return text if parse(names, form, text) == linux else None
    except FormFault:
        return None


def examples(names: Interfaces) -> tuple[str, ...]:
    """The name of the first interface in every form, and its Linux name."""
    found = [_example(form) for form in names.forms]
    first = names.linux.format(index=names.first)
    return tuple(dict.fromkeys([*found, *([first] if names.accepted.fullmatch(first) else [])]))


def _example(form: InterfaceForm) -> str:
    """The lowest name that fits: slots begin with 0 where ports are counted through them, else with 1, and some kinds leave one out."""
    places, first = _PLACEHOLDER.findall(form.name), max(form.offset, 0)
    found = (
        form.name.format(**{**dict.fromkeys(places, lowest), PORT: port})
        for lowest in ((0, 1) if form.slots else (1,))
        for port in range(first, first + 10)
    )
    return next((text for text in found if form.pattern.fullmatch(text)), form.name)


@functools.cache
def _template(text: str) -> re.Pattern[str]:
    """A pattern for what a template gives."""
    pieces = _PLACEHOLDER.split(text)
    return re.compile("".join(re.escape(piece) if n % 2 == 0 else f"(?P<{piece}>{_NUMBER})" for n, piece in enumerate(pieces)))
