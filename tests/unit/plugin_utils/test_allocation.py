# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags, VNIs, MAC addresses and device names: unique, steady, and clear of what others have."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.archetype.lab.plugins.plugin_utils import _identifiers as ids
from ansible_collections.archetype.lab.plugins.plugin_utils._allocation import Settings, allocate
from ansible_collections.archetype.lab.plugins.plugin_utils._errors import LabFileError
from ansible_collections.archetype.lab.plugins.plugin_utils._model import EndpointRef
from ansible_collections.archetype.lab.plugins.plugin_utils._placement import place
from ansible_collections.archetype.lab.plugins.plugin_utils._plan import make_plan
from ansible_collections.archetype.lab.tests.unit.plugin_utils.planning import (
    claims_after,
    lab_file,
    link,
    nothing_observed,
    observed_after,
    random_links,
    servers,
    shuffled,
    topology,
)

LOCAL = link("a:eth1", "b:eth1")
CROSS = link("a:eth2", "c:eth1")
MADE = topology([LOCAL, CROSS])
WHERE = {"a": "srv1", "b": "srv1", "c": "srv2"}
TWO = ("srv1", "srv2")
SHARED = Settings(overlay_mode="shared")
MODES = st.sampled_from(["per_link", "shared"])

SAME_VNI = ("a2300:eth1--b2300:eth1", "a9630:eth1--b9630:eth1")
SAME_TAG = ("a54:eth1--b54:eth1", "a58:eth1--b58:eth1")


def port(key, name, node, interface, tag, **fields):
    return {"lab": "x", "name": name, "link": key, "node": node, "interface": interface, "tag": tag, "mac": "", **fields}


def seen(**layers):
    return {**nothing_observed(), **layers}


def of_keys(keys):
    return topology([link(*key.split("--")) for key in keys])


def test_local_and_cross_links_have_tags_of_their_own_ranges():
    given_out = allocate(MADE, WHERE, TWO, {})
    assert given_out.tags[LOCAL.key] == {"srv1": ids.preferred_tag("x", LOCAL.key, (100, 2999))}
    assert given_out.tags[CROSS.key] == dict.fromkeys(TWO, ids.preferred_tag("x", CROSS.key, (3000, 4094)))
    assert given_out.vnis == {CROSS.key: ids.preferred_vni("x", CROSS.key)}
    assert LOCAL.key not in given_out.carriers


def test_two_links_whose_vni_hash_collides_get_different_ones():
    made = of_keys(SAME_VNI)
    assert len({ids.preferred_vni("x", key) for key in SAME_VNI}) == 1
    where = {name: "srv1" if name.startswith("a") else "srv2" for name in made.nodes}
    vnis = allocate(made, where, TWO, {}).vnis
    assert vnis == {SAME_VNI[0]: 16130512, SAME_VNI[1]: 16130513}


def test_two_links_whose_tag_hash_collides_get_different_ones_and_the_loser_takes_nobodys_preferred():
    third = "a7529:eth1--b7529:eth1"
    made = of_keys([*SAME_TAG, third])
    preferred = ids.preferred_tag("x", SAME_TAG[0], (100, 2999))
    assert ids.preferred_tag("x", third, (100, 2999)) == preferred + 1
    tags = allocate(made, dict.fromkeys(made.nodes, "srv1"), TWO, {}).tags
    assert [tags[key]["srv1"] for key in (*SAME_TAG, third)] == [preferred, preferred + 2, preferred + 1]


def test_claims_of_others_are_avoided_on_their_server_only():
    tag, vni = ids.preferred_tag("x", CROSS.key, (3000, 4094)), ids.preferred_vni("x", CROSS.key)
    observed = {"srv2": nothing_observed(tags={str(tag): "lab other"}, vnis={str(vni): "lab other"})}
    given_out = allocate(MADE, WHERE, TWO, observed)
    assert given_out.tags[CROSS.key] == {"srv1": tag, "srv2": tag + 1}
    assert given_out.vnis[CROSS.key] == vni + 1
    both = allocate(MADE, WHERE, TWO, observed, SHARED)
    assert both.tags[CROSS.key] == {"srv1": tag + 1, "srv2": tag + 1}


def test_claimed_devices_and_macs_are_avoided():
    device, tunnel, mac = ids.port_name("x", "a", "eth1"), ids.tunnel_name("x", CROSS.key), ids.mac_address("x", "b", "eth1")
    observed = {
        "srv1": nothing_observed(devices={device: "foreign"}),
        "srv2": nothing_observed(devices={tunnel: "foreign"}, macs={mac.upper(): "lab other"}),
    }
    given_out = allocate(MADE, WHERE, TWO, observed)
    assert given_out.ports["a:eth1"] == ids.port_name("x", "a", "eth1", 1)
    assert given_out.tunnels[CROSS.key] == {"srv1": tunnel, "srv2": ids.tunnel_name("x", CROSS.key, 1)}
    assert given_out.macs["b:eth1"] == ids.mac_address("x", "b", "eth1", 1)


def test_what_the_lab_has_already_stays():
    device, mac = ids.port_name("x", "a", "eth1", 1), ids.mac_address("x", "a", "eth1", 3)
    ports = [port(LOCAL.key, device, "a", "eth1", 777, mac=mac), port(LOCAL.key, "ap2", "b", "eth1", 777)]
    tunnel = {"lab": "x", "name": ids.tunnel_name("x", CROSS.key, 2), "vni": 4711, "link": CROSS.key, "tag": 3001, "links": []}
    given_out = allocate(MADE, WHERE, TWO, {"srv1": seen(ports=ports, tunnels=[tunnel])})
    assert given_out.tags[LOCAL.key] == {"srv1": 777}
    assert given_out.tags[CROSS.key]["srv1"] == 3001
    assert given_out.vnis[CROSS.key] == 4711
    assert given_out.ports["a:eth1"] == device
    assert given_out.macs["a:eth1"] == mac
    assert given_out.tunnels[CROSS.key]["srv1"] == ids.tunnel_name("x", CROSS.key, 2)


def test_what_another_lab_has_is_not_taken_for_ours():
    ports = [port(LOCAL.key, "ap1", "a", "eth1", 777, lab="y")]
    assert allocate(MADE, WHERE, TWO, {"srv1": seen(ports=ports)}).tags[LOCAL.key] != {"srv1": 777}


def test_a_name_or_mac_that_is_none_of_ours_is_not_kept():
    ports = [port(LOCAL.key, "eth9", "a", "eth1", 777, mac="02:00:00:00:00:01")]
    given_out = allocate(MADE, WHERE, TWO, {"srv1": seen(ports=ports)})
    assert given_out.ports["a:eth1"] == ids.port_name("x", "a", "eth1")
    assert given_out.macs["a:eth1"] == ids.mac_address("x", "a", "eth1")


@pytest.mark.parametrize(
    "observed",
    [
        seen(ports=[port(LOCAL.key, "ap1", "a", "eth1", 4000)]),
        {**nothing_observed(tags={"777": "port eth9 (foreign)"}), "ports": [port(LOCAL.key, "ap1", "a", "eth1", 777)]},
    ],
    ids=["outside of the range", "claimed by a foreign port"],
)
def test_a_live_tag_that_cannot_be_right_is_given_up(observed):
    assert allocate(MADE, WHERE, TWO, {"srv1": observed}).tags[LOCAL.key] == {"srv1": ids.preferred_tag("x", LOCAL.key, (100, 2999))}


def test_of_two_links_with_one_live_tag_the_second_gives_way():
    made = of_keys(["a:eth1--b:eth1", "a:eth2--b:eth2"])
    ports = [port("a:eth2--b:eth2", "ap1", "a", "eth2", 777), port("a:eth1--b:eth1", "ap2", "a", "eth1", 777)]
    tags = allocate(made, dict.fromkeys(made.nodes, "srv1"), TWO, {"srv1": seen(ports=ports)}).tags
    assert tags["a:eth1--b:eth1"] == {"srv1": 777}
    assert tags["a:eth2--b:eth2"] == {"srv1": ids.preferred_tag("x", "a:eth2--b:eth2", (100, 2999))}


def test_a_port_that_was_retagged_by_hand_does_not_move_the_link():
    right = ids.preferred_tag("x", LOCAL.key, (100, 2999))
    ports = [port(LOCAL.key, "ap1", "a", "eth1", 101), port(LOCAL.key, "ap2", "b", "eth1", right)]
    assert allocate(MADE, WHERE, TWO, {"srv1": seen(ports=ports)}).tags[LOCAL.key] == {"srv1": right}


def test_a_tag_that_is_about_to_be_free_is_a_last_resort():
    preferred = ids.preferred_tag("x", LOCAL.key, (100, 2999))
    stale = seen(ports=[port("gone:eth1--gone:eth2", "ap9", "gone", "eth1", preferred)])
    assert allocate(MADE, WHERE, TWO, {"srv1": stale}).tags[LOCAL.key] == {"srv1": preferred + 1}
    narrow = Settings(local_tags=(preferred, preferred))
    assert allocate(MADE, WHERE, TWO, {"srv1": stale}, narrow).tags[LOCAL.key] == {"srv1": preferred}


def test_a_range_that_runs_out_names_server_range_and_count():
    made = of_keys([f"a:eth{number}--b:eth{number}" for number in range(1, 6)])
    where = dict.fromkeys(made.nodes, "srv2")
    with pytest.raises(LabFileError) as error:
        allocate(made, where, TWO, {"srv2": nothing_observed(tags={"101": "lab other"})}, Settings(local_tags=(100, 103)))
    said = "server srv2 has no tag left: 5 links want one of 100-103 (4 tags, 1 of them in use by others)"
    assert said in str(error.value)
    assert "Widen local under tags" in str(error.value)


def test_a_range_may_be_used_to_the_last_tag():
    made = of_keys([f"a:eth{number}--b:eth{number}" for number in range(1, 6)])
    tags = allocate(made, dict.fromkeys(made.nodes, "srv1"), TWO, {}, Settings(local_tags=(100, 104))).tags
    assert {one["srv1"] for one in tags.values()} == {100, 101, 102, 103, 104}


def test_shared_mode_has_one_tunnel_per_pair_and_segments_over_three_servers_their_own():
    made = topology([CROSS, link("a:eth3", "c:eth3"), link("a:eth4", "c:eth4", "d:eth4", segment="lan")])
    given_out = allocate(made, {**WHERE, "d": "srv3"}, ("srv1", "srv2", "srv3"), {}, SHARED)
    pair = ids.shared_key(TWO)
    assert given_out.carriers == {CROSS.key: pair, "a:eth3--c:eth3": pair, "segment:lan": "segment:lan"}
    assert given_out.members == {pair: TWO, "segment:lan": ("srv1", "srv2", "srv3")}
    assert len(set(given_out.tags["segment:lan"].values())) == 1
    assert len(set(given_out.vnis.values())) == 2


def test_a_shared_tunnel_keeps_its_vni_and_name():
    name = ids.tunnel_name("x", ids.shared_key(TWO), 1)
    tunnel = {"lab": "x", "name": name, "vni": 4711, "link": "", "tag": None, "links": [{"key": CROSS.key, "tag": 3500}]}
    given_out = allocate(MADE, WHERE, TWO, {"srv2": seen(tunnels=[tunnel])}, SHARED)
    assert given_out.vnis == {ids.shared_key(TWO): 4711}
    assert given_out.tunnels[ids.shared_key(TWO)]["srv2"] == name
    assert given_out.tags[CROSS.key] == {"srv1": 3500, "srv2": 3500}


def test_macs_that_the_user_fixed_win_and_twins_are_a_problem():
    fixed = EndpointRef("a", "eth1", mac=ids.mac_address("x", "b", "eth1").upper())
    macs = allocate(topology([link(fixed, "b:eth1")]), {"a": "srv1", "b": "srv1"}, TWO, {}).macs
    assert macs == {"a:eth1": fixed.mac.lower(), "b:eth1": ids.mac_address("x", "b", "eth1", 1)}
    twins = topology([link(fixed, EndpointRef("b", "eth1", mac=fixed.mac.lower()))])
    with pytest.raises(LabFileError, match=r"x.clab.yml:9:1: b:eth1 and a:eth1 have the same MAC address"):
        allocate(twins, {"a": "srv1", "b": "srv1"}, TWO, {})


@pytest.mark.parametrize("mode", ["per_link", "shared"])
def test_ten_thousand_links_never_clash_and_take_seconds_at_most(mode):
    made = topology(random_links(10_000, 5_000, 7))
    where = place(made, sorted(servers(40)), {}, {})
    begin = time.process_time()
    given_out = allocate(made, where, sorted(servers(40)), {}, Settings(mode, (1, 1999), (2000, 4094)))
    assert time.process_time() - begin < 10
    assert len(set(given_out.macs.values())) == 20_000
    assert len(set(given_out.vnis.values())) == len(given_out.vnis)
    taken = [(server, tag) for tags in given_out.tags.values() for server, tag in tags.items()]
    assert len(set(taken)) == len(taken)
    devices = [(where[end.split(":")[0]], name) for end, name in given_out.ports.items()]
    devices += [(server, name) for names in given_out.tunnels.values() for server, name in names.items()]
    assert len(set(devices)) == len(devices)


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(2, 12), st.integers(1, 4), st.integers(0, 99), MODES)
def test_order_of_the_file_does_not_matter(count, nodes, places, seed, mode):
    made = topology(random_links(count, nodes, seed))
    if made.nodes:
        one = make_plan(lab_file(made, overlay_mode=mode), servers(places), {})
        assert make_plan(lab_file(shuffled(made, seed), overlay_mode=mode), servers(places), {}) == one


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(3, 10), st.integers(1, 4), st.integers(0, 99), MODES, st.data())
def test_editing_one_link_renumbers_no_other(count, nodes, places, seed, mode, data):
    """Ranges so small that most links get their tags by probing, which is where renumbering would come from."""
    links = random_links(count, nodes, seed)
    tight = {"overlay_mode": mode, "local_tags": (100, 100 + 3 * count), "cross_tags": (2000, 2000 + 3 * count)}
    before = make_plan(lab_file(topology(links), **tight), servers(places), {})
    victim = data.draw(st.sampled_from(links))
    kept = [one for one in links if one.key != victim.key]
    edit = data.draw(st.sampled_from(["remove", "add", "replace", "mtu"]))
    edited = {
        "remove": kept,
        "add": [*links, link(f"{victim.endpoints[0].node}:new1", f"{victim.endpoints[1].node}:new1")],
        "replace": [*kept, link(victim.endpoints[0].name, f"{victim.endpoints[1].node}:new1")],
        "mtu": [*kept, replace(victim, mtu=1400)],
    }[edit]
    names = {end.node for one in links for end in one.endpoints}
    made = topology(edited, nodes=[one for name, one in topology(links).nodes.items() if name in names])
    after = make_plan(lab_file(made, **tight), servers(places), observed_after(before))
    steady = ("tags", "vni", "tunnels", "endpoints")
    for one in kept:
        assert {field: after["links"][one.key][field] for field in steady} == {field: before["links"][one.key][field] for field in steady}


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(2, 10), st.integers(1, 4), st.integers(0, 99), MODES, MODES)
def test_two_labs_on_the_same_servers_share_nothing(count, nodes, places, seed, mode, other_mode):
    tight = {"local_tags": (100, 100 + 5 * count), "cross_tags": (2000, 2000 + 5 * count)}
    one = make_plan(lab_file(topology(random_links(count, nodes, seed)), overlay_mode=mode, **tight), servers(places), {})
    second = topology(random_links(count, nodes, seed + 1), lab="y")
    other = make_plan(lab_file(second, overlay_mode=other_mode, **tight), servers(places), claims_after(one))
    here, there = claims_after(one), claims_after(other)
    for server in here:
        for sort, claimed in here[server]["claims"].items():
            assert not set(claimed) & set(there[server]["claims"][sort]), sort
