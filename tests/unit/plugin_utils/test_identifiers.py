# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identifiers are the same on every machine and in every version: changing one renumbers every lab."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils import _identifiers as ids

KEY = "PC1:eth1--router1:eth3"
NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("found", "golden"),
    [
        (lambda: ids.preferred_tag("frr01", KEY, (100, 2999)), 1806),
        (lambda: ids.preferred_tag("frr01", KEY, (3000, 4094)), 3126),
        (lambda: ids.preferred_tag("demo", KEY, (3000, 4094)), 3576),
        (lambda: ids.preferred_vni("frr01", KEY), 12980000),
        (lambda: ids.preferred_vni("frr01", "segment:lan"), 1652864),
        (lambda: ids.link_group("frr01"), 327486077),
        (lambda: ids.port_name("frr01", "PC1", "eth1"), "ap7jo3mwdvfc77t"),
        (lambda: ids.port_name("frr01", "PC1", "eth1", 1), "ap77dm5l7xq7adi"),
        (lambda: ids.tunnel_name("frr01", KEY), "atzceh2nq27tlg7"),
        (lambda: ids.tunnel_name("frr01", ids.shared_key(("srv2", "srv1"))), "athqsdfkeunggs5"),
        (lambda: ids.mac_address("frr01", "PC1", "eth1"), "02:1c:cb:14:68:ba"),
        (lambda: ids.mac_address("frr01", "PC1", "eth1", 2), "02:99:72:a6:64:53"),
        (lambda: ids.shared_key(("srv2", "srv1")), "shared:srv1--srv2"),
        (lambda: ids.sandbox_name("clab-frr01-PC1"), "clab-frr01-PC1-sandbox"),
    ],
)
def test_golden_vector(found, golden):
    assert found() == golden


def test_the_algorithm_is_the_one_that_is_documented():
    digest = hashlib.sha256(b"vni\0frr01\0" + KEY.encode()).digest()
    assert ids.preferred_vni("frr01", KEY) == 1 + int.from_bytes(digest[:8], "big") % (2**24 - 1)
    digest = hashlib.sha256(b"port\0frr01\0PC1\0eth1").digest()
    assert ids.port_name("frr01", "PC1", "eth1") == "ap" + base64.b32encode(digest).decode().lower()[:13]


def test_parts_do_not_run_into_each_other():
    assert ids.port_name("a", "bc", "d") != ids.port_name("ab", "c", "d")
    assert ids.mac_address("a", "b", "c") != ids.mac_address("a", "b", "c", 1)


@given(NAMES, NAMES, NAMES, st.integers(0, 7))
def test_names_and_numbers_fit_where_they_go(lab, one, other, attempt):
    for name in (ids.port_name(lab, one, other, attempt), ids.tunnel_name(lab, one, attempt)):
        assert len(name.encode()) == ids.NAME_LENGTH
        assert re.fullmatch(r"a[pt][a-z2-7]{13}", name)
    assert re.fullmatch(r"02(:[0-9a-f]{2}){5}", ids.mac_address(lab, one, other, attempt))
    assert 100 <= ids.preferred_tag(lab, one, (100, 2999)) <= 2999
    assert 1 <= ids.preferred_vni(lab, one) < 2**24
    assert 2**16 <= ids.link_group(lab) < 2**31


def test_the_order_of_two_servers_does_not_matter_for_what_they_share():
    assert ids.shared_key(("a", "b")) == ids.shared_key(("b", "a"))
