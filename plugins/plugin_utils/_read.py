# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""Values of a file as Python values. What is of another type becomes a problem that says what is wanted, and None."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import ListValue, MapValue, Problems, Scalar, Value, is_null

_INT = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,2})?")
_TRUE = frozenset({"true", "yes", "on", "y"})
_FALSE = frozenset({"false", "no", "off", "n"})
_SHOWN = 60
_LONGEST = 40
"""Longest name for which a near one is looked for."""
_MOST_GUESSES = 50
"""Most mistakes of one reader for which a near name is looked for."""
_MOST_LOOKS = 60
"""Most names that one name is compared with letter by letter."""


def quote(text: str) -> str:
    """A user's text for a message: in quotes, unprintable characters as escapes, not too long."""
    return json.dumps(text if len(text) <= _SHOWN else text[:_SHOWN] + "...", ensure_ascii=not text.isprintable())


def word(name: str) -> str:
    """A name for a message: as it is when it is a word, else as quote shows it."""
    return name if re.fullmatch(r"[\w.:|-]{1,128}", name) else quote(name)


def did_you_mean(name: str, known: t.Iterable[str]) -> str:
    """A sentence that proposes the nearest known name, or nothing."""
    near = nearest(name, known)
    return f"Did you mean {quote(near)}?" if near else ""


def nearest(name: str, known: t.Iterable[str]) -> str:
    """The known name that is most likely meant; empty where none is near.

    The one with the fewest letters to change, before it one that is longer and has the name in it, as C(nokia_srlinux) has C(srlinux).
    What it costs is bounded, however many names there are and however long they are.
    """
    wanted = _folded(name)
    most = 0 if len(wanted) < 3 or len(wanted) > _LONGEST else 1 if len(wanted) < 4 else 2 if len(wanted) < 9 else 3
    best, least, looks = "", most + 0.8, _MOST_LOOKS
    for one in sorted(known):
        candidate = _folded(one)
        cost = float(most) + 1
        if candidate == wanted:
            return one
        if most and wanted in candidate:
            cost = min(1.5, 0.9 * (len(candidate) - len(wanted)))
        elif most and len(candidate) > 2 and wanted.startswith(candidate):
            cost = min(1.7, 0.9 * (len(wanted) - len(candidate)))
        elif abs(len(candidate) - len(wanted)) <= most and looks and _shares_a_letter(wanted, candidate):
            looks -= 1
            cost = _changes(wanted, candidate, most)
        if cost < least or (cost == least and best and len(one) < len(best)):
            best, least = one, cost
    return best


def _folded(name: str) -> str:
    return name[: _LONGEST + 1].lower().replace("_", "-")


def _shares_a_letter(one: str, other: str) -> bool:
    """Whether one of the first two letters or the last one is the same, as it is with most slips of the pen."""
    return one[:1] == other[:1] or one[-1:] == other[-1:] or one[1:2] == other[1:2]


def _changes(one: str, other: str, most: int) -> int:
    """How many letters must be changed, added, taken out or exchanged with their neighbour; more than C(most) where it is more."""
    far = most + 1
    before: list[int] = []
    row = [min(far, place) for place in range(len(other) + 1)]
    for line, letter in enumerate(one, 1):
        earlier, before, row = before, row, [far] * (len(other) + 1)
        row[0] = min(line, far)
        for place in range(max(1, line - most), min(len(other), line + most) + 1):
            there = other[place - 1]
            cost = min(before[place] + 1, row[place - 1] + 1, before[place - 1] + (letter != there))
            if earlier and place > 1 and letter == other[place - 2] and one[line - 2] == there:
                cost = min(cost, earlier[place - 2] + 1)
            row[place] = min(cost, far)
        if min(row) == far:
            return far
    return row[-1]


def describe(value: Value | None) -> str:
    """What a value is, for a message."""
    if isinstance(value, MapValue):
        return "a mapping"
    if isinstance(value, ListValue):
        return "a list"
    if is_null(value):
        return "nothing"
    return quote(value.text) if isinstance(value, Scalar) else "something else"


_FORMS = (
    ("a mapping", "Write it as {key: value}, or with a line 'key: value' for each below it"),
    ("a list", "Write it as [one, two], or with a line '- one' for each below it"),
    ("text", "Write it as one word or line, such as name: some text"),
    ("a whole number", "Write it in digits, such as {low}"),
    ("a number", "Write it in digits, such as 1.5"),
    ("true or false", "Write true or false, without quotes"),
    ("the name of a group", "Write it as servers: lab_servers, or as servers: {srv1: {}, srv2: {}}"),
)
"""What a value is to be, by its first words -> how that is written."""


def _remedy(value: Value | None, what: str, wanted: str) -> str:
    """What to do about a value of another type: about the slip, where it is one that YAML invites, else how the right form is written."""
    if wanted == "text" and what.startswith("an entry of") and isinstance(value, MapValue) and value.entries:
        return "Quote the whole text, as ': ' in it makes a mapping of it"
    if wanted == "true or false" and isinstance(value, Scalar) and not value.plain and value.text.lower() in _TRUE | _FALSE:
        return "Leave out the quotes"
    low = re.search(r"from ([0-9]+) to", wanted)
    form = next((form for words, form in _FORMS if wanted.startswith(words)), "")
    return form.replace("{low}", low[1] if low else "1")


class Reader:
    """Reads typed values and notes what does not fit. what: the words for the value in a message, such as C(mtu of a link)."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems
        self._guesses = 0

    def near(self, name: str, known: t.Iterable[str]) -> str:
        """What did_you_mean says, of the first mistakes: a look through all names of a large lab takes time."""
        self._guesses += 1
        return did_you_mean(name, known) if self._guesses <= _MOST_GUESSES else ""

    def wrong(self, value: Value | None, what: str, wanted: str) -> None:
        self.problems.add(value, f"{what} must be {wanted}, not {describe(value)}", _remedy(value, what, wanted))

    def mapping(self, value: Value | None, what: str) -> MapValue | None:
        if is_null(value):
            return None
        if isinstance(value, MapValue):
            return value
        self.wrong(value, what, "a mapping")
        return None

    def items(self, value: Value | None, what: str) -> list[Value]:
        if is_null(value):
            return []
        if isinstance(value, ListValue):
            return value.items
        self.wrong(value, what, "a list")
        return []

    def text(self, value: Value | None, what: str) -> str | None:
        """The text of any scalar, as it was written; None for null."""
        if is_null(value):
            return None
        if isinstance(value, Scalar):
            return value.text
        self.wrong(value, what, "text")
        return None

    def integer(self, value: Value | None, what: str, low: int, high: int) -> int | None:
        if is_null(value):
            return None
        if isinstance(value, Scalar) and _INT.fullmatch(value.text) and low <= int(value.text) <= high:
            return int(value.text)
        self.wrong(value, what, f"a whole number from {low} to {high}")
        return None

    def number(self, value: Value | None, what: str) -> float | None:
        if is_null(value):
            return None
        if isinstance(value, Scalar) and _FLOAT.fullmatch(value.text):
            return float(value.text)
        self.wrong(value, what, "a number")
        return None

    def boolean(self, value: Value | None, what: str) -> bool | None:
        if is_null(value):
            return None
        if isinstance(value, Scalar) and value.plain and value.text.lower() in _TRUE | _FALSE:
            return value.text.lower() in _TRUE
        self.wrong(value, what, "true or false")
        return None

    def scalars(self, value: Value | None, what: str) -> list[Scalar]:
        """The scalars of a list; null entries are problems."""
        found: list[Scalar] = []
        for item in self.items(value, what):
            if isinstance(item, Scalar) and not item.is_null:
                found.append(item)
            else:
                self.wrong(item, f"an entry of {what}", "text")
        return found

    def scalar_map(self, value: Value | None, what: str) -> dict[str, Scalar]:
        """The scalars of a mapping; null means the empty text, as containerlab has it."""
        found: dict[str, Scalar] = {}
        mapping = self.mapping(value, what)
        for name, entry in mapping.entries.items() if mapping else ():
            if isinstance(entry.value, Scalar):
                found[name] = Scalar("", entry.value.line, entry.value.column) if entry.value.is_null else entry.value
            else:
                self.wrong(entry.value, f"{quote(name)} of {what}", "text")
        return found

    def known_keys(self, value: MapValue, known: t.Collection[str], where: str) -> None:
        for name, entry in value.entries.items():
            if name not in known:
                remedy = did_you_mean(name, known) or f"Known keys are: {', '.join(sorted(known))}"
                self.problems.add(entry.key, f"unknown key {quote(name)} in {where}", remedy)


def plain_data(value: Value) -> t.Any:
    """A value as plain Python: dict, list, str, int, float, bool, None."""
    if isinstance(value, MapValue):
        return {name: plain_data(entry.value) for name, entry in value.entries.items()}
    if isinstance(value, ListValue):
        return [plain_data(item) for item in value.items]
    scalar = t.cast(Scalar, value)
    if not scalar.plain:
        return scalar.text
    if scalar.is_null:
        return None
    if scalar.text in ("true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "no", "No", "on", "On", "off", "Off"):
        return scalar.text.lower() in _TRUE
    if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", scalar.text):
        return int(scalar.text)
    if "." in scalar.text and _FLOAT.fullmatch(scalar.text):
        return float(scalar.text)
    return scalar.text
