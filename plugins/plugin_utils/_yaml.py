# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""YAML with the place of every value, for error messages that name file, line and column.

It is built from the parser's events and not by PyYAML's constructor: so nothing is instantiated, every scalar keeps the
text it was written with (C(1.50) stays C(1.50), as containerlab has it), duplicate keys are seen, and nesting and
aliases are bounded while reading. Everything wrong becomes a C(Problem); the caller gets a C(LabFileError).
"""

from __future__ import annotations

import json
import os
import re
import typing as t

import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils._envsubst import TooLongError, substitute
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError, Problem
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml_faults import bad_character, shortened, syntax_fault

MAX_BYTES = 4 * 1024 * 1024
"""Largest file that is read."""

MAX_DEPTH = 64
"""Deepest nesting of lists and mappings."""

MAX_VALUES = 750_000
"""Most values in a file once its aliases are expanded."""

MAX_TEXT = 2 * MAX_BYTES
"""Most characters of all values together once the environment's variables are in them."""

MAX_PROBLEMS = 500
"""Most problems of a file that are told. Nobody reads more, and looking for what was meant instead takes time for each."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq"))
_STR = "tag:yaml.org,2002:str"
_MERGE = "<<"
_JSON_PAIR = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_LOADER: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Value:
    """Anything in a file; line and column count from 1. size, depth: number of values in it and how deep they nest, aliases expanded."""

    __slots__ = ("column", "depth", "line", "size")

    def __init__(self, line: int, column: int) -> None:
        self.line = line
        self.column = column
        self.size = 1
        self.depth = 0


class Scalar(Value):
    """A scalar as it was written. plain: without quotes, so that it may mean a number, a boolean or null."""

    __slots__ = ("plain", "text")

    def __init__(self, text: str, line: int, column: int, *, plain: bool = False) -> None:
        self.line = line  # what Value sets, without calling it: most values of a file are scalars
        self.column = column
        self.size = 1
        self.depth = 0
        self.text = text
        self.plain = plain

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS


class ListValue(Value):
    __slots__ = ("items",)

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.items: list[Value] = []


class Entry(t.NamedTuple):
    key: Scalar
    value: Value


class MapValue(Value):
    """A mapping; keys are the text they were written with."""

    __slots__ = ("entries",)

    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.entries: dict[str, Entry] = {}

    def get(self, key: str) -> Value | None:
        """The value of a key; None where it is absent or null."""
        entry = self.entries.get(key)
        return None if entry is None or is_null(entry.value) else entry.value


def is_null(value: Value | None) -> bool:
    return value is None or (isinstance(value, Scalar) and value.is_null)


class Problems:
    """Collects what is wrong with one file, so that all of it can be told at once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.found: list[Problem] = []

    def add(self, at: Value | None, what: str, remedy: str = "") -> None:
        """Note a problem. Raises LabFileError with all of them where there are too many."""
        line, column = (at.line, at.column) if at is not None else (0, 0)
        self.found.append(Problem(self.file, line, column, what, remedy))
        if len(self.found) >= MAX_PROBLEMS:
            self.found.append(
                Problem(self.file, 0, 0, f"{MAX_PROBLEMS} problems; what comes after them was not read", "Correct these first")
            )
            raise LabFileError(self.found)

    def raise_if_any(self) -> None:
        if self.found:
            raise LabFileError(self.found)


class _Frame:
    """A list or mapping that is being read."""

    __slots__ = ("anchor", "key", "merges", "value")

    def __init__(self, value: ListValue | MapValue, anchor: str | None) -> None:
        self.value = value
        self.anchor = anchor
        self.key: Scalar | None = None
        self.merges: list[Value] = []


class _Builder:
    """Turns the parser's events into values, one after the other, without recursion."""

    def __init__(self, problems: Problems, environment: t.Mapping[str, str] | None) -> None:
        self.problems = problems
        self.environment = environment
        self.frames: list[_Frame] = []
        self.anchors: dict[str, Value] = {}
        self.total = 0
        self.characters = 0
        self.roots: list[Value] = []
        self.of: dict[t.Any, t.Callable[[t.Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._open,
            yaml.SequenceStartEvent: self._open,
            yaml.MappingEndEvent: self._close,
            yaml.SequenceEndEvent: self._close,
        }

    def feed(self, event: t.Any) -> None:
        handle = self.of.get(type(event))
        if handle is not None:
            handle(event)

    def _scalar(self, event: t.Any) -> None:
        mark, text, tag = event.start_mark, event.value, event.tag
        line, column = mark.line + 1, mark.column + 1
        if self.environment is not None and "$" in text:
            text = self._substituted(text, line, column)
        value = Scalar(text, line, column, plain=bool(event.implicit[0]))
        if tag is not None:
            value.plain = value.plain or (tag in _TAGS and tag != _STR)
            self._check_tag(event, value)
        if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
            self.problems.add(value, "half of a surrogate pair in a string", "Write the character itself")
            value.text = ""
        if "\0" in text:
            self.problems.add(value, "NUL character in a string", "Take it out")
            value.text = text.replace("\0", "")
        if event.anchor:
            self.anchors[event.anchor] = value
        self._put(value)

    def _substituted(self, text: str, line: int, column: int) -> str:
        try:
            text = substitute(text, self.environment or {})
        except TooLongError:
            self.characters = MAX_TEXT
        self.characters += len(text)
        if self.characters > MAX_TEXT:
            at = Scalar("", line, column)
            self.problems.add(at, "the environment's variables make the file too long", f"Stay below {MAX_TEXT // 1024 // 1024} MiB in all")
            raise LabFileError(self.problems.found)
        return text

    def _alias(self, event: t.Any) -> None:
        here = Scalar("", event.start_mark.line + 1, event.start_mark.column + 1, plain=True)
        target = self.anchors.get(event.anchor)
        if target is None:
            inside = any(frame.anchor == event.anchor for frame in self.frames)
            name = shortened(event.anchor)
            what = f"alias *{name} stands inside what it names" if inside else f"alias *{name} has no anchor before it"
            self.problems.add(here, what, "Write the value out" if inside else f"Put &{name} before the value that is meant")
        if target is not None:
            if target.depth + len(self.frames) > MAX_DEPTH:
                self._too_deep(here)
            self._count(here, target.size - 1)
        self._put(target or here)

    def _open(self, event: t.Any) -> None:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        value = MapValue(line, column) if isinstance(event, yaml.MappingStartEvent) else ListValue(line, column)
        if len(self.frames) >= MAX_DEPTH:
            self._too_deep(value)
        self._check_tag(event, value)
        self.frames.append(_Frame(value, event.anchor))

    def _too_deep(self, at: Value) -> t.NoReturn:
        self.problems.add(at, f"nested more than {MAX_DEPTH} levels deep", "Make it flatter")
        raise LabFileError(self.problems.found)

    def _close(self, _event: t.Any) -> None:
        frame = self.frames.pop()
        if isinstance(frame.value, MapValue):
            for merged in frame.merges:
                self._merge(frame.value, merged)
        if frame.anchor:
            self.anchors[frame.anchor] = frame.value
        self._put(frame.value)

    def _check_tag(self, event: t.Any, value: Value) -> None:
        if event.tag is not None and event.tag not in _TAGS and event.tag != "!":
            self.problems.add(value, f"tag {json.dumps(shortened(event.tag))} is not allowed", "Write the plain value")

    def _count(self, at: Value, count: int) -> None:
        self.total += count
        if self.total > MAX_VALUES:
            self.problems.add(at, f"more than {MAX_VALUES} values once its aliases are expanded", "Give it fewer values or aliases")
            raise LabFileError(self.problems.found)

    def _put(self, value: Value) -> None:
        self.total += 1
        if self.total > MAX_VALUES:
            self._count(value, 0)
        if not self.frames:
            self.roots.append(value)
            return
        frame = self.frames[-1]
        into = frame.value
        into.size += value.size
        if value.depth >= into.depth:
            into.depth = value.depth + 1
        if isinstance(into, ListValue):
            into.items.append(value)
        elif frame.key is None:
            frame.key = self._key(value)
        else:
            key, frame.key = frame.key, None
            self._enter(frame, key, value)

    def _key(self, value: Value) -> Scalar:
        if isinstance(value, Scalar):
            return value
        self.problems.add(value, "a list or mapping cannot be a key", "Quote the key if text is meant")
        return Scalar("", value.line, value.column)

    def _enter(self, frame: _Frame, key: Scalar, value: Value) -> None:
        entries = t.cast(MapValue, frame.value).entries
        if key.plain and key.text == _MERGE:
            frame.merges.append(value)
            return
        first = entries.get(key.text)
        if first is None:
            entries[key.text] = Entry(key, value)
        else:
            self.problems.add(
                key, f"duplicate key {json.dumps(shortened(key.text))}, first written on line {first.key.line}", "Keep one of the two"
            )

    def _merge(self, into: MapValue, merged: Value) -> None:
        for source in merged.items if isinstance(merged, ListValue) else [merged]:
            if not isinstance(source, MapValue):
                self.problems.add(source, "only mappings can be merged with <<", "Give an alias of a mapping")
                continue
            for name, entry in source.entries.items():
                into.entries.setdefault(name, entry)


def _joined(text: str) -> str:
    """JSON has two escapes for a character beyond the first 65,536, of which YAML can read neither: with one in their place."""

    def one(found: re.Match[str]) -> str:
        return f"{found[1]}\\U{ord(bytes.fromhex(found[2] + found[3]).decode('utf-16-be')):08x}"

    return _JSON_PAIR.sub(one, text) if text.lstrip()[:1] in ("{", "[") and "\\u" in text else text


def parse_yaml(text: str, file: str, environment: t.Mapping[str, str] | None = None) -> Value:
    """The only document in a text. environment: C($NAME) forms are replaced from it, as containerlab does; None leaves them."""
    problems = Problems(file)
    builder = _Builder(problems, environment)
    try:
        for event in yaml.parse(_joined(text), Loader=_LOADER):
            builder.feed(event)
    except yaml.reader.ReaderError as exc:
        problems.found.append(Problem(file, *bad_character(exc, text)))
    except yaml.MarkedYAMLError as exc:
        problems.found.append(Problem(file, *syntax_fault(exc, text)))
    except yaml.YAMLError as exc:
        problems.add(None, f"not valid YAML: {shortened(str(exc))}")
    if not problems.found and len(builder.roots) != 1:
        second = builder.roots[1] if builder.roots else None
        problems.add(second, "more than one YAML document" if second else "the file is empty", "One document is expected")
    problems.raise_if_any()
    return builder.roots[0]


def load_yaml(path: str, environment: t.Mapping[str, str] | None = None) -> Value:
    """The document in a file. See parse_yaml."""
    problems = Problems(path)
    try:
        with open(path, "rb") as stream:
            if os.fstat(stream.fileno()).st_size > MAX_BYTES:
                raise _too_large(path)
            raw = stream.read(MAX_BYTES + 1)
    except OSError as exc:
        problems.add(None, f"cannot be read: {exc.strerror or exc}", "Check the path and its permissions")
        raise LabFileError(problems.found) from exc
    if len(raw) > MAX_BYTES:
        raise _too_large(path)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = raw[: exc.start]
        at = Scalar("", before.count(b"\n") + 1, exc.start - (before.rfind(b"\n") + 1) + 1)
        problems.add(at, "not UTF-8 text", "Save the file as UTF-8")
        raise LabFileError(problems.found) from exc
    return parse_yaml(text, path, environment)


def _too_large(path: str) -> LabFileError:
    return LabFileError(
        [Problem(path, 0, 0, f"larger than {MAX_BYTES // 1024 // 1024} MiB", "A topology is text; is this the right file?")]
    )
