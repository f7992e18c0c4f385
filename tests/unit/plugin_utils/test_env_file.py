# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of environment variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils._env_file import EnvFault, parse_env

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
FORMS = [
    ("A=b", {"A": "b"}),
    ("A=b\n", {"A": "b"}),
    ("", {}),
    ("\n\n  \n# A=b\n   # C=d\n", {}),
    ("A=b\r\nC=d\r\n", {"A": "b", "C": "d"}),
    ("\ufeffA=b", {"A": "b"}),
    ("export A=b", {"A": "b"}),
    ("  A = b c  ", {"A": "b c"}),
    ("A: b", {"A": "b"}),
    ("A=", {"A": ""}),
    ("A=\nB=c", {"A": "", "B": "c"}),
    ("A=b # comment", {"A": "b"}),
    ("A=b#c", {"A": "b#c"}),
    ("A=# comment", {"A": ""}),
    ("A=b=c", {"A": "b=c"}),
    ("A=http://x:80/?y=z", {"A": "http://x:80/?y=z"}),
    ("A='b # $C \\n'", {"A": "b # $C \\n"}),
    ('A="b # c"  # comment', {"A": "b # c"}),
    (r'A="b\nc\"d\\e\$F"', {"A": 'b\nc"d\\e$F'}),
    ("A='one\ntwo'\nB=c", {"A": "one\ntwo", "B": "c"}),
    ('A="one\ntwo"\nB=c', {"A": "one\ntwo", "B": "c"}),
    ("A=1\nA=2", {"A": "2"}),
    ("A=1\nB=$A${A}x$NO", {"A": "1", "B": "11x"}),
    (r"A=1" + "\n" + r"B=\$A", {"A": "1", "B": "$A"}),
    ("A='\\n'\nB=\"$A\"", {"A": "\\n", "B": "\\n"}),
    ("a.b=c", {"a.b": "c"}),
]


@pytest.mark.parametrize(("text", "expected"), FORMS, ids=[repr(text) for text, _expected in FORMS])
def test_forms_are_read_as_containerlab_does(text, expected):
    assert parse_env(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("A=1\n\nNAME\n", 3, "this is not NAME=value"),
        ("1A=b", 1, "this is not NAME=value"),
        ("=b", 1, "this is not NAME=value"),
        ("A=1\nB='c\nd", 2, "a quote is not closed"),
        ('A="b\\"', 1, "a quote is not closed"),
        ("A='b' c", 1, "something stands behind the closing quote"),
        ("A='b\nc' d", 2, "something stands behind the closing quote"),
        ("A='x\ny'\nwhat", 3, "this is not NAME=value"),
    ],
)
def test_what_is_no_variable_is_told_with_its_line(text, line, what):
    with pytest.raises(EnvFault) as caught:
        parse_env(text)
    assert (caught.value.line, str(caught.value)) == (line, what)


@given(st.dictionaries(NAMES, st.text(st.characters(codec="utf-8", exclude_characters="'\r"), max_size=30), max_size=8))
def test_values_in_single_quotes_are_themselves(values):
    assert parse_env("".join(f"{name}='{value}'\n" for name, value in values.items())) == values


@given(st.dictionaries(NAMES, st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=30), max_size=8))
def test_values_in_double_quotes_are_themselves_once_they_are_escaped(values):
    def escaped(value):
        return "".join(f"\\{char}" if char in '"\\$' else char for char in value)

    assert parse_env("".join(f'export {name}="{escaped(value)}" # x\n' for name, value in values.items())) == values


@given(st.dictionaries(NAMES, st.text("abc=:/.-_0 1", max_size=20), max_size=8))
def test_plain_values_are_themselves_without_white_space_around_them(values):
    assert parse_env("".join(f"{name}={value}\n" for name, value in values.items())) == {
        name: value.strip() for name, value in values.items()
    }


@given(st.text(st.characters(codec="utf-8"), max_size=120))
def test_any_text_is_variables_or_a_fault_with_a_line_of_it(text):
    lines = []
    try:
        found = parse_env(text)
    except EnvFault as fault:
        found, lines = {}, [fault.line]
    assert all(name and "=" not in name for name in found)
    assert all(0 < line <= text.count("\n") + text.count("\r") + 1 for line in lines)
