# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lesson 4: two links whose VNIs would clash get different ones before a server is touched, and both are wires."""

from __future__ import annotations

import itertools

import pytest

from ansible_collections.archetype.lab.plugins.plugin_utils._identifiers import preferred_vni
from tests.integration.acceptance import World, make_lab

LAB = "lesson4"


def two_links_that_clash() -> list[tuple[str, str]]:
    """Two links between a and b, without a common interface, whose keys have one and the same preferred VNI."""
    seen: dict[int, tuple[int, int]] = {}
    for one, other in itertools.product(range(1, 200), repeat=2):
        vni = preferred_vni(LAB, f"a:eth{one}--b:eth{other}")
        first = seen.setdefault(vni, (one, other))
        if first[0] != one and first[1] != other:
            return [(f"a:eth{first[0]}", f"b:eth{first[1]}"), (f"a:eth{one}", f"b:eth{other}")]
    pytest.fail("no two of 40,000 links clash: the hash is not what it was")


def test_links_whose_vnis_clash_are_told_apart_and_proven(world: World) -> None:
    links = two_links_that_clash()
    lab = make_lab(world.folder / LAB, LAB, {"a": "srv1", "b": "srv2"}, links)
    try:
        report = world.deploy(lab).green().report
        assert len({preferred_vni(LAB, link["key"]) for link in report["links"]}) == 1
        assert len({link["vni"] for link in report["links"]}) == 2
        for server in ("srv1", "srv2"):
            devices = world.devices(server).values()
            vnis = {one["linkinfo"]["info_data"]["id"] for one in devices if one.get("linkinfo", {}).get("info_kind") == "vxlan"}
            assert vnis == {link["vni"] for link in report["links"]}
    finally:
        world.forget(LAB)
