# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Placeholders: what is filled in, what stays as it is, what is left out, and what is a mistake where it is written."""

from __future__ import annotations

import re

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils import _catalog
from ansible_collections.archetype.lab.plugins.plugin_utils._placeholders import fill, fill_lines, for_each

VALUES = {"node": "r1", "mgmt_ipv4": "198.51.100.7", "mgmt_ipv6": "", "env:RAM": "4096"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("hostname {node}", "hostname r1"),
        ("{node}{node}", "r1r1"),
        ("--ram {env:RAM}", "--ram 4096"),
        ("{env:NONE}|", "|"),
        ('{"name": {"host-name": "{node}"}}', '{"name": {"host-name": "r1"}}'),
        ("system { services { ssh; } }", "system { services { ssh; } }"),
        ("{}{ node }{Node}{1}", "{}{ node }{Node}{1}"),
        ("echo ${node} $node", "echo ${node} $node"),
        ("{{node}} {{env:RAM}}", "{node} {env:RAM}"),
        ("{other}", "{other}"),
        ("{?mgmt_ipv4}ip address {mgmt_ipv4}", "ip address 198.51.100.7"),
        ("{?mgmt_ipv6}ip address {mgmt_ipv6}", None),
        ("{!mgmt_ipv6}no ipv6", "no ipv6"),
        ("{!mgmt_ipv4}no ip", None),
        ("{?mgmt_ipv4}{?mgmt_ipv6}both", None),
        ("{?mgmt_ipv4}{!mgmt_ipv6}one", "one"),
        ("{?env:RAM}ram", "ram"),
        ("{?env:CPU}cpu", None),
        ("{?unheard}x", None),
    ],
)
def test_a_line(text, filled):
    assert fill(text, VALUES) == filled


def test_a_filled_in_value_is_not_searched_again():
    assert fill("{node} {type}", {"node": "{type}", "type": "x"}) == "{type} x"


def test_lines_that_are_left_out_leave_no_gap():
    text = "interface Management0\n{?mgmt_ipv4}   ip {mgmt_ipv4}\n{?mgmt_ipv6}   ipv6 {mgmt_ipv6}\n{each}\n{partial}\n!\n\nend\n"
    values = {**VALUES, "each": "", "partial": "a\nb"}
    assert fill_lines(text, values) == "interface Management0\n   ip 198.51.100.7\na\nb\n!\n\nend\n"


def test_lines_end_where_lines_end_and_nowhere_else():
    assert fill_lines("a\x0bb\u2028{node}\r\n", VALUES) == "a\x0bb\u2028r1\r\n"


def test_a_block_for_each():
    each = [{"linux": "eth1", "ipv4": "198.51.100.1/30"}, {"linux": "eth2", "ipv4": ""}]
    assert for_each("[{linux}]\n{?ipv4} {ipv4}\n", each) == "[eth1]\n 198.51.100.1/30\n[eth2]"
    assert for_each("", each) == ""
    assert for_each("{?ipv4}{linux}", each) == "eth1"


KIND = """\
name: own
provider: container
boot:
  types: {{big: {{card: "7"}}}}
{boot}
"""


@pytest.mark.parametrize(
    ("boot", "what"),
    [
        ('  env: {A: "{hostnam}"}', "{hostnam} is no placeholder"),
        ('  cmd: ["{linux}"]', "{linux} is no placeholder"),
        ('  env_each: {A: {text: "{linux} {carrd}"}}', "{carrd} is no placeholder"),
        ('  folders: ["/x/{env}"]', "{env} is no placeholder"),
        ('  files: [{path: /x, content: "{partial}"}]', "{partial} is no placeholder"),
        ('  files: [{path: /x, content: "a", each: "{each}"}]', "{each} is no placeholder"),
        ('startup_config: {path: /x, default: "{nod}"}', "{nod} is no placeholder"),
        ('startup_config: {path: /x, default: "a {?node}"}', "{?node} is not at the start of its line"),
        ('startup_config: {path: /x, part_apply: [sh, "{each}"]}', "{each} is no placeholder"),
    ],
)
def test_a_placeholder_that_nobody_knows_is_told_where_it_is_written(tmp_path, boot, what):
    (tmp_path / "own.yml").write_text(KIND.format(boot=boot))
    (problem,) = _catalog.Catalog([str(tmp_path)]).problems
    written = [match for match in re.finditer(r'"[^"]*"', boot) if what.split(" ")[0] in match.group()]
    assert (problem.file, problem.line, problem.column) == (str(tmp_path / "own.yml"), 5, written[-1].start() + 1)
    assert problem.what == what
    assert problem.remedy


@pytest.mark.parametrize(
    "boot",
    [
        '  env: {A: "{card} {env:B} {hostname} {mgmt_ipv4_subnet}"}\n  cmd: ["-e", "{env}"]',
        '  env_each: {A: {text: "{linux} {card} {node} {slot}/{port}"}}',
        '  files: [{path: "/x/{node}", content: "{each}\\n{{x}}{ x }${x}", each: "{?ipv4}{vendor}"}]',
        'startup_config: {path: /x, default: "{each}{partial}{?card}", each: "{mac}"}'.replace("{?card}", "{card}"),
    ],
)
def test_those_that_are_known_are_not(tmp_path, boot):
    (tmp_path / "own.yml").write_text(KIND.format(boot=boot))
    assert not _catalog.Catalog([str(tmp_path)]).problems


def test_a_kind_may_be_like_a_shape_or_another_kind_and_a_wrong_name_is_told(tmp_path):
    (tmp_path / "own.yml").write_text("name: own\nprovider: vm\nlike: vrnetlab\nboot: {env: {RAM: '1'}}\n")
    (tmp_path / "ceos2.yml").write_text("name: ceos2\nprovider: container\nlike: arista_ceos\nboot: {env: {INTFTYPE: et}}\n")
    catalog = _catalog.Catalog([str(tmp_path)])
    own, ceos2 = catalog.find("own"), catalog.find("ceos2")
    assert own
    assert ceos2
    assert (own.boot.env["RAM"], own.boot.env["CONNECTION_MODE"]) == ("1", "tc")
    assert (ceos2.boot.env["INTFTYPE"], ceos2.boot.env["CEOS"], ceos2.aliases, ceos2.boot.privileged) == ("et", "1", (), True)
    (tmp_path / "own.yml").write_text("name: own\nprovider: vm\nlike: vrnetlob\n")
    (problem,) = _catalog.Catalog([str(tmp_path)]).problems
    assert (problem.line, problem.column) == (3, 7)
    assert 'like names "vrnetlob"' in problem.what
    assert 'Did you mean "vrnetlab"?' in problem.remedy
