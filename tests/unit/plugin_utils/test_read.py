# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is proposed instead of a name that is not known."""

from __future__ import annotations

import time

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._inherit import KEYS
from ansible_collections.archetype.lab.plugins.plugin_utils._read import did_you_mean, nearest

KINDS = ("linux", "bridge", "nokia_srlinux", "srl", "arista_ceos", "ceos", "cisco_iol", "cisco_xrd", "juniper_crpd", "crpd", "generic_vm")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lnux", "linux"),
        ("Linux", "linux"),
        ("linuxx", "linux"),
        ("ilnux", "linux"),
        ("nokia_srl", "nokia_srlinux"),
        ("srlinux", "nokia_srlinux"),
        ("nokia-srlinux", "nokia_srlinux"),
        ("aristaceos", "arista_ceos"),
        ("xrd", "cisco_xrd"),
        ("crdp", "crpd"),
        ("iol", "cisco_iol"),
        ("x", ""),
        ("", ""),
        ("windows", ""),
        ("x" * 10_000, ""),
    ],
)
def test_the_kind_that_is_meant_is_found(name: str, meant: str) -> None:
    assert nearest(name, KINDS) == meant


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("bind", "binds"),
        ("port", "ports"),
        ("imgae", "image"),
        ("images", "image"),
        ("environment", "env"),
        ("startup_config", "startup-config"),
        ("startupconfig", "startup-config"),
        ("mgmt_ipv4", "mgmt-ipv4"),
        ("cap_add", "cap-add"),
        ("hostnames", "hostname"),
        ("depends_on", ""),
    ],
)
def test_the_key_that_is_meant_is_found(name: str, meant: str) -> None:
    assert nearest(name, KEYS) == meant


def test_a_short_name_is_only_found_in_another_case() -> None:
    assert nearest("B", ["a", "b"]) == "b"
    assert nearest("d", ["a", "b"]) == ""
    assert nearest("r9", ["r1", "r2"]) == ""


def test_the_order_of_the_names_does_not_matter() -> None:
    assert nearest("leaf", ["leaf2", "leaf1"]) == nearest("leaf", ["leaf1", "leaf2"]) == "leaf1"


def test_a_sentence_is_made_of_it() -> None:
    assert did_you_mean("lnux", KINDS) == 'Did you mean "linux"?'
    assert did_you_mean("qqq", KINDS) == ""


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("node12345x", [f"node{number}" for number in range(10_000)]),
        ("a" * 40, ["a" * 37 + str(number) for number in range(1000)]),
        ("a" * 40, ["a" * 4_000_000] * 3),
        ("a" * 4_000_000, ["a" * 38]),
    ],
)
def test_looking_for_a_near_name_takes_little_time_whatever_the_names_are(name: str, known: list[str]) -> None:
    start = time.process_time()
    for _round in range(10):
        nearest(name, known)
    assert time.process_time() - start < 1
