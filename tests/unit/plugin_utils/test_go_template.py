# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._go_template import render

VALUES = {"A": "a", "B": "b", "None": "", "Env.X": "x"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('no action {x} {"a":{"b":1}}', 'no action {x} {"a":{"b":1}}'),
        ("{{ .A }}{{.B}} {{ .Env.X }}[{{ .None }}]", "ab x[]"),
        ("{{ if .A }}yes{{ end }}{{ if .None }}no{{ end }}", "yes"),
        ("{{ if .None }}no{{ else }}yes{{end}}", "yes"),
        ("{{ if not .None }}yes{{ end }}{{ if not .A }}no{{ end }}", "yes"),
        ("{{ if .None }}1{{ else if .A }}2{{ else if .B }}3{{ else }}4{{ end }}", "2"),
        ("{{ if .None }}1{{ else if .None }}2{{ else }}4{{ end }}", "4"),
        ("{{ if .None }}{{ if .A }}no{{ else }}no{{ end }}{{ .B }}{{ end }}.", "."),
        ("{{ if .A }}{{ if .None }}no{{ else }}yes{{ end }}{{ else }}no{{ end }}", "yes"),
        ("one\n{{- if .A }}\ntwo\n{{- end }}\nthree", "one\ntwo\nthree"),
        ("one\n{{- if .None }}\ntwo\n{{- end }}\nthree", "one\nthree"),
        ("one  {{- .A -}}  two", "oneatwo"),
        ("one{{/* nothing */}} two", "one two"),
        ("{{ .A -}} \n", "a"),
    ],
)
def test_what_people_write_is_filled_in(text, expected):
    assert render(text, VALUES.get) == (expected, [])


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("x {{ .C }}", [(2, "{{ .C }}")]),
        ("{{ end }}", [(0, "{{ end }}")]),
        ("{{ else }}", [(0, "{{ else }}")]),
        ("{{ else if .A }}", [(0, "{{ else if .A }}")]),
        ("{{ if .A }}{{ else }}{{ else }}{{ end }}", [(21, "{{ else }}")]),
        ("{{ if .A }}", [(0, "{{ if .A }}")]),
        ("{{ if .C }}x{{ end }}", [(0, "{{ if .C }}")]),
        ("{{ range .A }}{{ .A }}{{ end }}", [(0, "{{ range .A }}")]),
        ("{{ .A | upper }}{{ if .A }}", [(0, "{{ .A | upper }}"), (16, "{{ if .A }}")]),
        ("{{ if .None }}{{ .C }}{{ end }}", [(14, "{{ .C }}")]),
    ],
)
def test_what_cannot_be_filled_in_is_told_once_and_in_its_order(text, faults):
    assert [(one.at, one.action) for one in render(text, VALUES.get)[1]] == faults


def test_a_long_line_of_braces_takes_no_time():
    text = "{{" * 200_000
    assert render(text, VALUES.get) == (text, [])
