# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The packet filter of a lab: what its rules are, that they are compared one by one, and that other people's stay."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.archetype.lab.plugins.module_utils import _firewall
from ansible_collections.archetype.lab.plugins.module_utils._declared import Management, PublishedPort
from tests.unit.module_utils.nft_fake import FakeNft

SUBNETS = ("198.51.100.0/24", "3fff:1::/64")
PLAIN = Management("am1", SUBNETS)
OPEN = Management("am1", SUBNETS, masquerade=True)
WEB = PublishedPort(8080, "198.51.100.7", 80)
FULL = Management("am1", SUBNETS, masquerade=True, ports=(WEB, PublishedPort(53, "3fff:1::7", 53, "udp", "3fff:9::1")))
DOCKER = (
    {"table": {"family": "ip", "name": "filter"}},
    {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER"}},
    {"rule": {"family": "ip", "table": "filter", "chain": "DOCKER-USER", "handle": 7, "expr": [{"return": None}]}},
)
FOREIGN = (
    {"table": {"family": "inet", "name": "mine"}},
    {"chain": {"family": "inet", "table": "mine", "name": "published", "type": "nat", "hook": "prerouting", "prio": -100}},
    {
        "rule": {
            "family": "inet",
            "table": "mine",
            "chain": "published",
            "handle": 1,
            "comment": "archetype-lab:demo",
            "expr": [{"drop": None}],
        }
    },
)


def converge(nft: FakeNft, management: Management | None, lab: str = "demo") -> list[str]:
    """What was changed; a second time nothing is."""
    todo = _firewall.plan(lab, management, _firewall.parse(lab, nft.read()))
    if todo.commands:
        nft.apply(todo.commands)
    assert _firewall.plan(lab, management, _firewall.parse(lab, nft.read())) == _firewall.Plan()
    return [change.to_line() for change in todo.changes]


def said(management: Management, chain: str) -> list[str]:
    """The rules of a chain, as people write them."""
    return [" ".join(_words(one) for one in rule.expressions) for rule in _firewall.rules(management) if rule.chain == chain]


def _words(expression: Any) -> str:
    ((kind, value),) = expression.items()
    if kind != "match":
        return f"dnat to {value['addr']} {value['port']}" if kind == "dnat" else str(kind)
    left = value["left"]
    ((sort, inner),) = left.items()
    name = inner["key"] if "key" in inner else " ".join((inner["protocol"], inner["field"])) if sort == "payload" else "fib daddr type"
    right = value["right"]
    right = f"{right['prefix']['addr']}/{right['prefix']['len']}" if isinstance(right, dict) else right
    return f"{name} {'' if value['op'] in ('==', 'in') else value['op'] + ' '}{right}"


def test_nodes_stay_on_their_server_unless_more_is_asked_for() -> None:
    assert said(PLAIN, "forward") == [
        "oifname am1 state ['established', 'related'] accept",
        "iifname am1 state ['established', 'related'] accept",
        "iifname am1 drop",
        "oifname am1 drop",
    ]
    assert said(PLAIN, "postrouting") == said(PLAIN, "published") == []


def test_external_access_translates_the_nodes_own_addresses_only() -> None:
    assert said(OPEN, "forward")[2:] == [
        "iifname am1 ip saddr 198.51.100.0/24 accept",
        "iifname am1 ip6 saddr 3fff:1::/64 accept",
        "iifname am1 drop",
        "oifname am1 drop",
    ]
    assert said(OPEN, "postrouting") == [
        "ip saddr 198.51.100.0/24 oifname != am1 masquerade",
        "ip6 saddr 3fff:1::/64 oifname != am1 masquerade",
    ]


def test_ports_are_published_to_others_and_to_the_server_itself() -> None:
    assert said(FULL, "published") == [
        "nfproto ipv4 fib daddr type local tcp dport 8080 dnat to 198.51.100.7 80",
        "ip6 daddr 3fff:9::1 udp dport 53 dnat to 3fff:1::7 53",
    ]
    assert said(FULL, "published-here") == said(FULL, "published")
    assert "oifname am1 status dnat accept" in said(FULL, "forward")
    assert "ip saddr 127.0.0.0/8 oifname am1 masquerade" in said(FULL, "postrouting")


def test_nodes_never_come_to_the_servers_loopback() -> None:
    for management in (PLAIN, OPEN, FULL):
        assert said(management, "loopback") == ["iifname am1 ip daddr 127.0.0.0/8 drop"]


def test_a_table_is_made_once_changed_when_it_must_and_removed() -> None:
    nft = FakeNft(*FOREIGN)
    assert converge(nft, PLAIN) == ["+ firewall archetype-lab-demo (management)"]
    assert converge(nft, PLAIN) == []
    assert converge(nft, FULL) == ["~ firewall archetype-lab-demo (management): 12 rules are missing"]
    assert converge(nft, PLAIN) == ["~ firewall archetype-lab-demo (management): 12 rules are not ours"]
    assert nft.tables() == ["mine", "archetype-lab-demo"]
    assert converge(nft, None) == ["- firewall archetype-lab-demo (management)"]
    assert nft.objects == list(FOREIGN)
    assert converge(nft, None) == []


@pytest.mark.parametrize("change", ["drop a rule", "add a rule", "swap rules", "edit a rule", "drop a chain"])
def test_what_somebody_did_to_the_rules_is_seen_and_mended(change: str) -> None:
    nft = FakeNft()
    converge(nft, FULL)
    whole = copy.deepcopy(nft.rules("archetype-lab-demo"))
    places = [place for place, one in enumerate(nft.objects) if "rule" in one and one["rule"]["chain"] == "forward"]
    if change == "drop a rule":
        del nft.objects[places[1]]
    elif change == "add a rule":
        nft.objects.append({"rule": {**whole[0], "handle": 1, "expr": [{"accept": None}]}})
    elif change == "swap rules":
        one, two = places[0], places[-1]
        nft.objects[one], nft.objects[two] = nft.objects[two], nft.objects[one]
    elif change == "edit a rule":
        nft.objects[places[-1]]["rule"]["expr"][-1] = {"accept": None}
    else:
        nft.objects = [one for one in nft.objects if one.get("chain", {}).get("name") != "loopback"]
    assert len(converge(nft, FULL)) == 1
    assert [rule["expr"] for rule in nft.rules("archetype-lab-demo")] == [rule["expr"] for rule in whole]


def test_versions_of_nft_that_write_the_same_otherwise_are_understood() -> None:
    nft = FakeNft()
    converge(nft, FULL)
    for one in nft.objects:
        for expression in one.get("rule", {}).get("expr", ()):
            if "match" in expression and "ct" in expression["match"]["left"]:
                right = expression["match"]["right"]
                expression["match"].update(op="in", right={"set": [right] if isinstance(right, str) else right[::-1]})
        if "rule" in one:
            one["rule"]["expr"].insert(0, {"counter": {"packets": 7, "bytes": 9}})
    assert converge(nft, FULL) == []


def test_dockers_filter_lets_through_what_crosses_and_nothing_else() -> None:
    nft = FakeNft(*DOCKER)
    converge(nft, PLAIN)
    assert nft.rules("filter") == [DOCKER[2]["rule"]]
    assert "+ firewall ip filter DOCKER-USER (management)" in converge(nft, FULL)
    assert [(rule.get("comment"), rule["expr"][-1]) for rule in nft.rules("filter")] == [
        ("archetype-lab:demo", {"accept": None}),
        ("archetype-lab:demo", {"accept": None}),
        (None, {"return": None}),
    ]
    converge(nft, FULL, "other")
    del nft.objects[next(place for place, one in enumerate(nft.objects) if one.get("rule", {}).get("comment") == "archetype-lab:demo")]
    assert converge(nft, FULL) == ["~ firewall ip filter DOCKER-USER (management)"]
    converge(nft, None)
    assert [rule.get("comment") for rule in nft.rules("filter")] == ["archetype-lab:other"] * 2 + [None]
    converge(nft, None, "other")
    assert nft.objects == list(DOCKER)


def test_a_long_name_of_a_lab_fits_into_a_comment() -> None:
    one, two = "x" * 200 + "1", "x" * 200 + "2"
    assert len(_firewall.mark(one)) < 128
    assert _firewall.mark(one) != _firewall.mark(two)
    nft = FakeNft(*DOCKER)
    converge(nft, FULL, one)
    converge(nft, FULL, two)
    converge(nft, None, one)
    assert {rule.get("comment") for rule in nft.rules("filter")} == {_firewall.mark(two), None}


def test_what_other_labs_publish_is_told_with_their_names() -> None:
    nft = FakeNft(*FOREIGN)
    converge(nft, FULL, "other")
    converge(nft, Management("am2", SUBNETS, ports=(PublishedPort(22, "198.51.100.9", 22, "tcp", "198.51.7.1"),)), "third")
    found = _firewall.parse("demo", nft.read()).published
    assert found == {("tcp", 8080, ""): "other", ("udp", 53, "3fff:9::1"): "other", ("tcp", 22, "198.51.7.1"): "third"}
    assert _firewall.parse("other", nft.read()).published == {("tcp", 22, "198.51.7.1"): "third"}


def test_forwarding_is_needed_for_what_crosses_only() -> None:
    def versions(management: Management | None) -> list[int]:
        return [version for version in (4, 6) if _firewall.crosses(management, version)]

    assert versions(None) == versions(PLAIN) == []
    assert versions(OPEN) == versions(FULL) == [4, 6]
    assert versions(Management("am1", SUBNETS, ports=(WEB,))) == [4]
    assert versions(Management("am1", SUBNETS[1:], masquerade=True)) == [6]
