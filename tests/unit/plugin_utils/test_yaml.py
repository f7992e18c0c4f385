# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest
import yaml

from ansible_collections.archetype.lab.plugins.plugin_utils import _yaml
from ansible_collections.archetype.lab.plugins.plugin_utils._envsubst import substitute
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._read import plain_data


def read(text, environment=None):
    return _yaml.parse_yaml(text, "f.yml", environment)


def errors(call, *args):
    with pytest.raises(LabFileError) as caught:
        call(*args)
    return [str(problem) for problem in caught.value.problems]


def test_every_key_value_and_item_has_its_place():
    root = read("a:\n  - one\n  - {b: two}\n")
    key, items = root.entries["a"]
    assert (key.line, key.column) == (1, 1)
    assert [(item.line, item.column) for item in items.items] == [(2, 5), (3, 5)]
    inner = items.items[1].entries["b"]
    assert (inner.key.line, inner.key.column, inner.value.line, inner.value.column) == (3, 6, 3, 9)


@pytest.mark.parametrize("text", ["1", "1.50", "0x10", "true", "yes", "1e3", "2024-01-01", "012"])
def test_a_scalar_keeps_the_text_it_was_written_with(text):
    assert read(f"a: {text}\n").entries["a"].value.text == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", 1),
        ("a: '1'", "1"),
        ("a: 1.5", 1.5),
        ("a: yes", True),
        ("a: 'yes'", "yes"),
        ("a: ~", None),
        ("a: ''", ""),
        ("a: 007", "007"),
        ("a: [x, {b: 2}]", ["x", {"b": 2}]),
        ("a: !!str 1", "1"),
    ],
)
def test_plain_data_has_the_types_that_yaml_gives(text, value):
    assert plain_data(read(text)) == {"a": value}


def test_aliases_and_merge_keys_are_followed_and_own_keys_win():
    root = read("base: &b {x: 1, y: 2}\nnode: {<<: *b, y: 3}\nmany: {<<: [*b, {z: 4}]}\n")
    assert plain_data(root)["node"] == {"y": 3, "x": 1}
    assert plain_data(root)["many"] == {"x": 1, "y": 2, "z": 4}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
CHAIN = "- &a0 [x]\n" + "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(1, 200))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 'f.yml:3:1: duplicate key "a", first written on line 1. Keep one of the two'),
        ("x: {a: 1, a: 2}\n", 'f.yml:1:11: duplicate key "a", first written on line 1. Keep one of the two'),
        ("[" * 100 + "]" * 100, "f.yml:1:65: nested more than 64 levels deep. Make it flatter"),
        (CHAIN, "f.yml:64:9: nested more than 64 levels deep. Make it flatter"),
        (BOMB, "f.yml:6:35: more than 750000 values once its aliases are expanded. Give it fewer values or aliases"),
        ("a: &x [*x]\n", "f.yml:1:8: alias *x stands inside what it names. Write the value out"),
        ("a: *x\n", "f.yml:1:4: alias *x has no anchor before it. Put &x before the value that is meant"),
        ("[a]: 1\n", "f.yml:1:1: a list or mapping cannot be a key. Quote the key if text is meant"),
        ("a: {<<: 3}\n", "f.yml:1:9: only mappings can be merged with <<. Give an alias of a mapping"),
        ("a: !vault x\n", 'f.yml:1:4: tag "!vault" is not allowed. Write the plain value'),
        (
            "!!python/object:os.system {}\n",
            'f.yml:1:1: tag "tag:yaml.org,2002:python/object:os.system" is not allowed. Write the plain value',
        ),
        ("", "f.yml: the file is empty. One document is expected"),
        ("a: 1\n---\nb: 2\n", "f.yml:3:1: more than one YAML document. One document is expected"),
        ('a: "x\\0y"\n', "f.yml:1:4: NUL character in a string. Take it out"),
    ],
)
def test_what_is_refused_is_said_with_its_place(text, message):
    assert message in errors(read, text)


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: [1\nb: 2\n", 2), ("a: 'x\n", 1), ("\tb: 1\n", 1), ("a:\n  b: 1\n c: 2\n", 3), ("a: @x\n", 1), ("a: \x01\n", 1)],
)
def test_a_syntax_error_names_its_line(text, line):
    (message,) = errors(read, text)
    assert message.startswith(f"f.yml:{line}:")


def test_a_tab_and_an_open_quote_are_told_as_such():
    assert errors(read, "a:\n\tb: 1\n") == ["f.yml:2:1: not valid YAML: a line is indented with a tab. Indent with spaces"]
    (message,) = errors(read, "a: 1\nb: 'x\nc: 2\n")
    assert message.startswith("f.yml:2:4: not valid YAML: ")
    assert message.endswith(". Close the quote that is opened there")


def test_all_duplicate_keys_are_told_at_once():
    assert len(errors(read, "a: 1\na: 2\nb: 1\nb: 2\n")) == 2


def test_text_that_is_not_utf8_names_the_byte(tmp_path):
    path = tmp_path / "f.yml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    assert errors(_yaml.load_yaml, str(path)) == [f"{path}:2:4: not UTF-8 text. Save the file as UTF-8"]


def test_a_byte_order_mark_is_accepted(tmp_path):
    path = tmp_path / "f.yml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert plain_data(_yaml.load_yaml(str(path))) == {"a": 1}


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "f.yml"
    path.write_bytes(b"#" * (_yaml.MAX_BYTES + 1))
    assert errors(_yaml.load_yaml, str(path)) == [f"{path}: larger than 4 MiB. A topology is text; is this the right file?"]


def test_a_missing_file_and_a_folder_are_problems(tmp_path):
    assert errors(_yaml.load_yaml, str(tmp_path / "no.yml")) == [
        f"{tmp_path}/no.yml: cannot be read: No such file or directory. Check the path and its permissions"
    ]
    assert "Is a directory" in errors(_yaml.load_yaml, str(tmp_path))[0]


def test_the_pure_python_parser_gives_the_same(monkeypatch):
    text = "a: &x {b: [1, 'y']}\nc: *x\n"
    expected = plain_data(read(text))
    monkeypatch.setattr(_yaml, "_LOADER", yaml.SafeLoader)
    assert plain_data(read(text)) == expected
    assert errors(read, "a: 1\na: 2\n") == ['f.yml:2:1: duplicate key "a", first written on line 1. Keep one of the two']
    assert errors(read, "a: 1\nb: \x01\n") == [
        "f.yml:2:4: a character that YAML does not allow. Take it out, or write it as an escape in quotes"
    ]
    assert "half of a surrogate pair" in errors(read, 'a: "\\ud800"\n')[0]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("$A", "1"),
        ("${A}x", "1x"),
        ("$NO ${NO}", "$NO ${NO}"),
        ("${NO:-d} ${NO:=d} ${NO-d} ${NO=d}", "d d d d"),
        ("${EMPTY:-d}|${EMPTY-d}|$EMPTY", "d||"),
        ("${A:+o}|${NO:+o}|${EMPTY:+o}|${EMPTY+o}", "o|||o"),
        ("${NO:-${A}}", "1"),
        ("$$A $1 $ ${", "$A $1 $ ${"),
        ("${A?x}", "${A?x}"),
        ("${}", "${}"),
    ],
)
def test_variables_of_the_environment_are_replaced_as_containerlab_does(text, result):
    assert substitute(text, {"A": "1", "EMPTY": ""}) == result


def test_a_variable_cannot_bring_yaml_in_and_moves_no_line():
    root = read("a: $X\nb: 2\n", {"X": "1\nc: 3"})
    assert plain_data(root) == {"a": "1\nc: 3", "b": 2}
    assert root.entries["b"].key.line == 2


def test_without_an_environment_nothing_is_replaced():
    assert plain_data(read("a: $A\n")) == {"a": "$A"}


@pytest.mark.parametrize("text", ["${A:-" * 200_000, "${" * 500_000, "${A:-" * 100_000 + "}" * 100_000, "$" * 1_000_000, "}" * 1_000_000])
def test_many_braces_take_time_in_proportion(text):
    start = time.process_time()
    substitute(text, {"A": ""})
    assert time.process_time() - start < 2


def test_a_variable_that_is_named_often_does_not_fill_the_memory():
    assert errors(read, "a: 1\nb: " + "$X " * 10_000, {"X": "x" * 1000}) == [
        "f.yml:2:4: the environment's variables make the file too long. Stay below 8 MiB in all"
    ]
    lines = "".join(f"a{number}: $X\n" for number in range(10))
    assert errors(read, lines, {"X": "x" * 1_000_000}) == [
        "f.yml:9:5: the environment's variables make the file too long. Stay below 8 MiB in all"
    ]
    assert len(plain_data(read("a: $X\n", {"X": "x" * 1_000_000}))["a"]) == 1_000_000


def test_a_file_with_very_many_problems_shows_the_first_and_says_so():
    found = errors(read, "".join(f"k{number}: 1\n" for number in (*range(1000), *range(1000))))
    assert found[0] == "f.yml: 500 problems; what comes after them was not read. Correct these first"
    assert len(found) == _yaml.MAX_PROBLEMS + 1
    assert found[1].startswith('f.yml:1001:1: duplicate key "k0"')


def test_what_a_message_shows_of_a_file_is_not_long():
    long = "x" * 100_000
    for text in (
        f"a: *{long}\n",
        f"a: !{long} b\n",
        f"{long}: 1\n{long}: 2\n",
        f"{long}: [x\n",
        f"%{long}\n---\na: 1\n",
        f"!h{long}!x y\n",
    ):
        assert all(len(message) < 400 for message in errors(read, text))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r'{"a": "x \ud83d\ude00\uD83D\uDE01 \u00e9"}', "x \U0001f600\U0001f601 é"),
        (r'  {"a": "\\\ud83d\ude00"}', "\\\U0001f600"),
        (r'{"a": "\\ud83d\\ude00"}', r"\ud83d\ude00"),
    ],
)
def test_the_escapes_of_json_for_one_character_are_that_character(text, wanted):
    assert plain_data(_yaml.parse_yaml(text, "x.json")) == {"a": wanted}


def test_half_of_such_an_escape_is_a_problem_and_yaml_texts_are_left_alone():
    with pytest.raises(LabFileError, match=r"x\.json:1:\d+: not valid YAML"):
        _yaml.parse_yaml(r'{"a": "\ud83d"}', "x.json")
    assert plain_data(_yaml.parse_yaml(r"a: '\ud83d\ude00'", "x.yml")) == {"a": r"\ud83d\ude00"}
