# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one server remembers as proven: all that was to come to it came, by every kind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.archetype.lab.plugins.module_utils._certify.frames import KINDS
from ansible_collections.archetype.lab.plugins.module_utils._certify.proofs import proofs
from ansible_collections.archetype.lab.plugins.module_utils._declared import Endpoint, Link

KEY = "a:eth1--b:eth1"
LINK = Link(KEY, 1500, (Endpoint("a", "eth1", "s1", "pa"), Endpoint("b", "eth1", "s2", "pb")))
ALL = list(KINDS)


def seen(kinds=None, *, carrier=True, error=""):
    frames = [{"link": KEY, "source": "b:eth1", "target": "a:eth1", "kinds": ALL if kinds is None else kinds}]
    return {"frames": frames, "ports": {"a:eth1": {"carrier": carrier, "error": error}}}


def test_a_link_is_proven_when_every_kind_came():
    assert proofs([LINK], "s1", seen()) == {KEY: (True, "frames", "")}


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (seen([]), "no frames from b:eth1 to a:eth1"),
        (seen([one for one in ALL if one != "lacp"]), "no lacp frames from b:eth1 to a:eth1"),
        (seen(carrier=False), "no carrier at a:eth1"),
        (seen(error="device pa does not exist"), "device pa does not exist"),
    ],
)
def test_what_is_missing_is_the_reason(what, reason):
    assert proofs([LINK], "s1", what) == {KEY: (False, "frames", reason)}


def test_a_light_link_needs_what_is_sent_on_it():
    assert proofs([replace(LINK, probe="light")], "s1", seen(["unicast"])) == {KEY: (True, "frames", "")}
    assert proofs([LINK], "s1", seen(["unicast"]))[KEY][0] is False


def test_a_link_to_elsewhere_is_proven_by_its_device():
    far = Link("a:eth1--host:eth5", 1500, LINK.endpoints[:1], probe="device")
    nothing = {**seen(), "frames": []}
    assert proofs([far], "s1", nothing) == {far.key: (True, "device", "")}
    assert proofs([far], "s1", {**seen(carrier=False), "frames": []}) == {far.key: (False, "device", "no carrier at a:eth1")}


def test_of_a_link_with_one_end_nothing_is_said():
    alone = replace(LINK, endpoints=LINK.endpoints[:1])
    assert proofs([alone], "s1", {**seen(), "frames": []}) == {}


def test_a_long_list_of_faults_is_cut():
    ends = tuple(Endpoint(f"n{number}", "eth1", "s2", f"p{number}") for number in range(9))
    lan = Link("segment:lan", 1500, (LINK.endpoints[0], *ends))
    frames = [{"link": lan.key, "source": end.name, "target": "a:eth1", "kinds": []} for end in ends]
    proven, _by, reason = proofs([lan], "s1", {**seen(), "frames": frames})[lan.key]
    assert not proven
    assert reason.endswith("; and 6 more")
