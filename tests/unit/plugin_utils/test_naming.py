# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils._kind_model import InterfaceForm, Interfaces, Kind
from ansible_collections.archetype.lab.plugins.plugin_utils._naming import (
    NameFault,
    check_lab,
    check_node,
    check_prefix,
    container_name,
    link_key,
    linux_name,
    mac_address,
    segment_key,
    vendor_name,
)
from ansible_collections.archetype.lab.plugins.plugin_utils._words import memory_bytes, split_command


def kind(pattern, name, offset, first=1):
    forms = (InterfaceForm(name, re.compile(pattern), offset),)
    return Kind("test", "container", interfaces=Interfaces(first=first, forms=forms, accepted=re.compile(r"eth[1-9]\d*")))


EOS = kind(r"(?:Ethernet|Et)(?P<port>\d+)", "Ethernet{port}", 1)
JUNOS = kind(r"(?:et|xe|ge)-0/0/(?P<port>\d+)", "ge-0/0/{port}", 0)
XRV9K = kind(r"(?:Gi|GigabitEthernet)0/0/0/(?P<port>\d+)", "GigabitEthernet0/0/0/{port}", 0, first=3)


@pytest.mark.parametrize(
    ("one", "vendor", "linux"),
    [
        (EOS, "Ethernet1", "eth1"),
        (EOS, "Et12", "eth12"),
        (JUNOS, "et-0/0/0", "eth1"),
        (JUNOS, "ge-0/0/9", "eth10"),
        (XRV9K, "Gi0/0/0/0", "eth3"),
    ],
)
def test_the_first_data_port_is_eth1_or_what_the_kind_reserves(one, vendor, linux):
    assert linux_name(one, vendor) == linux
    assert linux_name(one, vendor_name(one, linux)) == linux


@given(st.sampled_from([EOS, JUNOS, XRV9K]), st.integers(0, 500))
def test_names_go_round_in_both_directions(one, index):
    linux = f"eth{index + one.interfaces.first}"
    assert linux_name(one, linux) == linux
    assert linux_name(one, vendor_name(one, linux)) == linux


def test_linux_has_one_name_for_an_interface():
    assert linux_name("linux", "swp1.100") == "swp1.100"
    assert vendor_name("linux", "eth7") == "eth7"


@pytest.mark.parametrize("call", [linux_name, vendor_name])
def test_without_a_kind_there_is_no_name(call):
    with pytest.raises(NameFault, match="an interface has no name without a kind"):
        call("", "eth1")
    with pytest.raises(TypeError):
        call("eth1")
    with pytest.raises(NameFault, match=r'unknown kind "lnux"\. Did you mean "linux"'):
        call("lnux", "eth1")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "an interface has an empty name. Write it as node:interface"),
        (".", 'interface "." has a name that the kernel refuses. Give it another name'),
        ("..", 'interface ".." has a name that the kernel refuses. Give it another name'),
        ("a" * 16, 'interface "aaaaaaaaaaaaaaaa" is longer than 15 bytes. Shorten it'),
        ("ä" * 8, 'interface "ääääääää" is longer than 15 bytes. Shorten it'),
        ("eth1/1", "interface \"eth1/1\" has a character that the kernel refuses. Leave out '/', ':' and white space"),
        ("eth1:1", "interface \"eth1:1\" has a character that the kernel refuses. Leave out '/', ':' and white space"),
        ("eth 1", "interface \"eth 1\" has a character that the kernel refuses. Leave out '/', ':' and white space"),
        ("eth\n1", "interface \"eth\\n1\" has a character that the kernel refuses. Leave out '/', ':' and white space"),
        (
            "eth0",
            'interface "eth0" is the management interface of kind linux. The first one is eth1, unless the node has network-mode: none',
        ),
    ],
)
def test_names_that_the_kernel_or_the_kind_refuses(name, message):
    with pytest.raises(NameFault) as caught:
        linux_name("linux", name)
    assert str(caught.value) == message


def test_a_port_before_the_first_one_is_refused():
    with pytest.raises(NameFault, match=r"is before the first one of kind test\. Write it as Ethernet1 or eth1"):
        linux_name(EOS, "Ethernet0")
    with pytest.raises(NameFault, match=r"is none of kind test\. Write it as Ethernet1 or eth1"):
        linux_name(EOS, "Etherne1")


def test_a_link_has_one_key_in_whatever_order():
    assert link_key(["b:eth1", "a:eth1"]) == link_key(["a:eth1", "b:eth1"]) == "a:eth1--b:eth1"
    assert segment_key("br1") == "segment:br1"


@pytest.mark.parametrize(("prefix", "name"), [(None, "clab-l-n"), ("", "n"), ("__lab-name", "l-n"), ("x", "x-l-n")])
def test_container_names_are_those_of_containerlab(prefix, name):
    assert container_name("l", "n", prefix) == name


@pytest.mark.parametrize("name", ["a", "A.b_c-1", "1", "x" * 63])
def test_good_names(name):
    check_lab(name)
    check_node(name)
    check_prefix(name)


@pytest.mark.parametrize("name", ["", "..", ".a", "-a", "_a", "a/b", "../a", "a b", "a\n", "a:b", "ä", "a\0", "x" * 64])
def test_names_that_could_leave_a_path_or_break_a_mark_are_refused(name):
    for check in (check_lab, check_node):
        with pytest.raises(NameFault):
            check(name)


@pytest.mark.parametrize("name", ["host", "Host", "mgmt-net", "macvlan"])
def test_node_names_with_a_meaning_in_links_are_refused(name):
    with pytest.raises(NameFault, match="has a meaning of its own in links"):
        check_node(name)


def test_a_bridge_inside_a_node_is_refused():
    with pytest.raises(NameFault, match="a bridge inside another node is not supported"):
        check_node("br1|n1")


def test_mac_addresses():
    assert mac_address("02-AB-00-00-00-01") == "02:ab:00:00:00:01"
    for bad in ("", "02:00:00:00:00", "01:00:5e:00:00:01", "00:00:00:00:00:00", "zz:00:00:00:00:00"):
        with pytest.raises(NameFault):
            mac_address(bad)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('ash -c "echo $M > /tmp/v && sleep 9"', ("ash", "-c", "echo $M > /tmp/v && sleep 9")),
        ("a 'b c'd e\\ f", ("a", "b cd", "e f")),
        ('echo "\\$HOME"', ("echo", "$HOME")),
        ("a '' b", ("a", "", "b")),
        ("a # b\nc", ("a", "c")),
        ("a#b '#c'", ("a#b", "#c")),
        ("", ()),
    ],
)
def test_commands_are_split_as_containerlab_does(text, words):
    assert split_command(text) == words


@pytest.mark.parametrize("text", ["a 'b", 'a "b', "a \\", 'a "b\\'])
def test_a_command_that_does_not_end_is_refused(text):
    with pytest.raises(ValueError, match=r"quote is not closed|nothing stands after"):
        split_command(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1G", 10**9),
        ("1Gib", 2**30),
        ("512mb", 512 * 10**6),
        ("512 MiB", 512 * 2**20),
        ("1.5k", 1500),
        ("1,024", 1024),
        ("7b", 7),
        ("2Ti", 2**41),
    ],
)
def test_amounts_of_memory_are_read_as_containerlab_does(text, size):
    assert memory_bytes(text) == size


@pytest.mark.parametrize("text", ["", "G", "1X", "-1G", "0", "1e9", "9999999E", "1 G G"])
def test_what_is_no_amount_of_memory(text):
    with pytest.raises(ValueError, match="not an amount of memory"):
        memory_bytes(text)
