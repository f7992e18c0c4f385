# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A link is one link however it is written: vendor names, long and short, Linux names, brief and extended, either end first."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._topology import load_topology

KINDS = {
    "arista_ceos": ("eth3", ["Ethernet3", "Et3", "eth3"]),
    "ceos": ("eth1", ["Ethernet1", "Et1", "eth1"]),
    "nokia_srlinux": ("e1-2", ["ethernet-1/2", "e1-2"]),
    "nokia_srsim": ("e1-1-c2-1", ["1/1/c2/1", "e1-1-c2-1"]),
    "cisco_iol": ("eth5", ["Ethernet1/1", "e1/1", "eth5"]),
    "cisco_xrd": ("Gi0-0-0-1", ["GigabitEthernet0/0/0/1", "Gi0/0/0/1", "Gi0-0-0-1"]),
    "cisco_xrv9k": ("eth2", ["GigabitEthernet0/0/0/1", "Gi0/0/0/1", "eth2"]),
    "cisco_csr1000v": ("eth1", ["GigabitEthernet2", "Gi2", "eth1"]),
    "cisco_n9kv": ("eth4", ["Ethernet1/4", "Et1/4", "eth4"]),
    "juniper_vmx": ("eth3", ["ge-0/0/2", "eth3"]),
    "juniper_vjunosswitch": ("eth1", ["ge-0/0/0", "eth1"]),
    "fortinet_fortigate": ("eth1", ["port2", "eth1"]),
    "sonic-vs": ("eth2", ["Ethernet4", "eth2"]),
    "linux": ("eth1", ["eth1"]),
}
"""Kind -> the Linux name of an interface, and all names that it may be written with."""


def written(name: str) -> list[str]:
    """All ways to write the link from that interface of node a to eth1 of node b."""
    extended = f"{{node: a, interface: '{name}'}}"
    return [
        f"endpoints: ['a:{name}', 'b:eth1']",
        f"endpoints: ['b:eth1', 'a:{name}']",
        f"{{type: veth, endpoints: [{extended}, {{node: b, interface: eth1}}]}}",
        f"{{endpoints: ['b:eth1', {extended}]}}",
    ]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., list[str]]:
    """The keys of the links of a file with these links, the first of which is on line 6."""

    def call(kind: str, *links: str) -> list[str]:
        path = tmp_path / "x.clab.yml"
        head = f"name: x\ntopology:\n  defaults: {{kind: linux, image: i}}\n  nodes: {{a: {{kind: {kind}, image: i}}, b: {{}}}}\n  links:\n"
        path.write_text(head + "".join(f"    - {link}\n" for link in links))
        return list(load_topology(str(path), {}).links)

    return call


@pytest.mark.parametrize("kind", KINDS)
def test_every_way_of_writing_a_link_gives_one_key(kind: str, load: Callable[..., list[str]]) -> None:
    linux, names = KINDS[kind]
    assert {key for name in names for link in written(name) for key in load(kind, link)} == {f"a:{linux}--b:eth1"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_is_written_twice_is_an_error_that_names_both_lines(kind: str, load: Callable[..., list[str]]) -> None:
    linux, names = KINDS[kind]
    ways = [link for name in names for link in written(name)]
    for one, other in itertools.islice(itertools.product(ways, ways), 0, None, 5):
        with pytest.raises(LabFileError) as caught:
            load(kind, one, other)
        (problem,) = caught.value.problems
        assert problem.line == 7
        assert problem.what.startswith(f"link a:{linux}--b:eth1 is there twice, here as ")
        assert " and on line 6 as " in problem.what


def test_both_ways_that_it_was_written_are_shown(load: Callable[..., list[str]]) -> None:
    with pytest.raises(LabFileError) as caught:
        load("arista_ceos", written("Ethernet3")[0], written("Et3")[1])
    assert str(caught.value).split(": ", 1)[1] == (
        'link a:eth3--b:eth1 is there twice, here as "b:eth1, a:Et3" and on line 6 as "a:Ethernet3, b:eth1". Keep one of the two'
    )
