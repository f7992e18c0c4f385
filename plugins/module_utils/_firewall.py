# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""The packet filter of a lab on one server: a table of its own, and what other people's filters must let through. Pure.

The table keeps nodes from what is beyond their server, translates addresses where that is asked for, and publishes ports. It is compared
rule by rule, and replaced as a whole. Docker drops what it does not know; the chain that it leaves to the administrator gets rules that let
the lab's device through, marked as the lab's.
"""

from __future__ import annotations

import hashlib
import ipaddress
import typing as t
from dataclasses import dataclass, field

from ansible_collections.archetype.lab.plugins.module_utils._changes import Change
from ansible_collections.archetype.lab.plugins.module_utils._nft._port import Json

if t.TYPE_CHECKING:
    from ansible_collections.archetype.lab.plugins.module_utils._declared import Management, PublishedPort

LINK = "management"
"""The link key of the management network, by which a report finds what is said of it."""
PREFIX = "archetype-lab-"
FAMILY = "inet"
_MARK = "archetype-lab:"
_MARK_LENGTH = 100
"""nftables has room for 128 bytes in a comment."""
_DOCKER_CHAIN, _DOCKER_TABLE = "DOCKER-USER", "filter"
_FAMILIES = {4: "ip", 6: "ip6"}
_IN: Json = {"meta": {"key": "iifname"}}
_OUT: Json = {"meta": {"key": "oifname"}}
_CHAINS: dict[str, tuple[str, str, int]] = {
    "loopback": ("filter", "prerouting", -300),
    "published": ("nat", "prerouting", -100),
    "published-here": ("nat", "output", -100),
    "forward": ("filter", "forward", 0),
    "postrouting": ("nat", "postrouting", 100),
}
"""Name -> type, hook, priority. The first is before the kernel translates addresses back, so that it sees what was on the wire."""


class Rule(t.NamedTuple):
    chain: str
    expressions: tuple[Json, ...]


@dataclass(frozen=True)
class Have:
    """What there is. table: its rules, None where there is no table of the lab. chains: of the table, as C(_CHAINS).

    let_through: family (C(ip), C(ip6)) -> handle -> expressions of the lab's rules in Docker's chain, for families that have the chain.
    published: (protocol, port, address) -> the other lab that publishes it.
    """

    table: tuple[Rule, ...] | None = None
    chains: t.Mapping[str, tuple[str, str, int]] = field(default_factory=dict)
    let_through: t.Mapping[str, t.Mapping[int, tuple[Json, ...]]] = field(default_factory=dict)
    published: t.Mapping[tuple[str, int, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    commands: tuple[Json, ...] = ()
    changes: tuple[Change, ...] = ()


def table_name(lab: str) -> str:
    return f"{PREFIX}{lab}"


def mark(lab: str) -> str:
    """The comment of the lab's rules in a chain that is not its own."""
    text = _MARK + lab
    return text if len(text.encode()) <= _MARK_LENGTH else _MARK + hashlib.sha256(lab.encode()).hexdigest()[:32]


# what is there


def parse(lab: str, ruleset: t.Sequence[Json]) -> Have:
    table, exists = table_name(lab), False
    rules: list[Rule] = []
    chains: dict[str, tuple[str, str, int]] = {}
    let_through: dict[str, dict[int, tuple[Json, ...]]] = {}
    published: dict[tuple[str, int, str], str] = {}
    for one in ruleset:
        if "table" in one and (one["table"]["family"], one["table"]["name"]) == (FAMILY, table):
            exists = True
        chain = one.get("chain") or {}
        if (chain.get("family"), chain.get("table")) == (FAMILY, table):
            chains[chain["name"]] = (chain.get("type", ""), chain.get("hook", ""), chain.get("prio", 0))
        elif chain.get("table") == _DOCKER_TABLE and chain.get("name") == _DOCKER_CHAIN and chain["family"] in _FAMILIES.values():
            let_through.setdefault(chain["family"], {})
    for rule in (one["rule"] for one in ruleset if "rule" in one):
        if (rule["family"], rule["table"]) == (FAMILY, table):
            rules.append(Rule(rule["chain"], _normal(rule["expr"])))
        elif rule["family"] == FAMILY and rule["table"].startswith(PREFIX) and rule["chain"] == "published":
            key = _published_by(rule["expr"])
            if key is not None:
                published[key] = rule["table"].removeprefix(PREFIX)
        elif rule["chain"] == _DOCKER_CHAIN and rule["family"] in let_through and rule.get("comment") == mark(lab):
            let_through[rule["family"]][rule["handle"]] = _normal(rule["expr"])
    return Have(tuple(rules) if exists else None, chains, let_through, published)


def _normal(expressions: t.Iterable[Json]) -> tuple[Json, ...]:
    """Expressions as versions of nft agree on them: without counts, alternatives in one order."""
    return tuple(_match(one["match"]) if "match" in one else one for one in expressions if "counter" not in one)


def _match(match: Json) -> Json:
    right = match["right"]
    if isinstance(right, dict) and set(right) == {"set"}:
        right = right["set"]
    if isinstance(right, list):
        right = right[0] if len(right) == 1 else sorted(right, key=str)
    return {"match": {"op": "==" if match["op"] == "in" else match["op"], "left": match["left"], "right": right}}


def _published_by(expressions: t.Iterable[Json]) -> tuple[str, int, str] | None:
    """The protocol, port and address (empty for all) that a rule of ours publishes."""
    protocol, port, address = "", 0, ""
    for match in (one["match"] for one in expressions if "match" in one):
        payload = match["left"].get("payload") or {} if isinstance(match["left"], dict) else {}
        if payload.get("field") == "dport" and isinstance(match["right"], int):
            protocol, port = payload["protocol"], match["right"]
        elif payload.get("field") == "daddr":
            address = str(match["right"])
    return (protocol, port, address) if port else None


# what is wanted


def _is(left: Json, right: t.Any, op: str = "==") -> Json:
    return {"match": {"op": op, "left": left, "right": right}}


def _field(version: int, name: str) -> Json:
    return {"payload": {"protocol": _FAMILIES[version], "field": name}}


def _subnet(text: str) -> tuple[int, Json]:
    network = ipaddress.ip_network(text)
    return network.version, {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}}


_LOOPBACK = _subnet("127.0.0.0/8")[1]
_ANSWERS = _is({"ct": {"key": "state"}}, ["established", "related"], "in")
_PUBLISHED = _is({"ct": {"key": "status"}}, "dnat", "in")


def rules(management: Management) -> list[Rule]:
    """The rules of the lab's table, in order."""
    enter, leave = _is(_IN, management.device), _is(_OUT, management.device)
    subnets = [_subnet(text) for text in management.subnets]
    inside = [_is(_field(version, "saddr"), network) for version, network in subnets]
    accept, drop, masquerade = {"accept": None}, {"drop": None}, {"masquerade": None}
    found = [
        Rule("loopback", (enter, _is(_field(4, "daddr"), _LOOPBACK), drop)),
        Rule("forward", (leave, _ANSWERS, accept)),
        Rule("forward", (enter, _ANSWERS, accept)),
    ]
    if management.ports:
        found.append(Rule("forward", (leave, _PUBLISHED, accept)))
    if management.masquerade:
        found += [Rule("forward", (enter, source, accept)) for source in inside]
        found += [Rule("postrouting", (source, _is(_OUT, management.device, "!="), masquerade)) for source in inside]
    found += [Rule("forward", (enter, drop)), Rule("forward", (leave, drop))]
    for port in management.ports:
        found += [Rule(chain, _publish(port)) for chain in ("published", "published-here")]
    if management.ports:
        found += [Rule("postrouting", (source, leave, _PUBLISHED, masquerade)) for source in inside]
        found.append(Rule("postrouting", (_is(_field(4, "saddr"), _LOOPBACK), leave, masquerade)))
    return found


def _publish(port: PublishedPort) -> tuple[Json, ...]:
    version = ipaddress.ip_address(port.target).version
    where = (
        [_is(_field(version, "daddr"), port.address)]
        if port.address
        else [_is({"meta": {"key": "nfproto"}}, f"ipv{version}"), _is({"fib": {"flags": ["daddr"], "result": "type"}}, "local")]
    )
    target = {"dnat": {"family": _FAMILIES[version], "addr": port.target, "port": port.node_port}}
    return (*where, _is({"payload": {"protocol": port.protocol, "field": "dport"}}, port.server_port), target)


def crosses(management: Management | None, version: int) -> bool:
    """Whether packets of an IP version go between the management network and what is beyond the server."""
    if management is None:
        return False
    translated = management.masquerade and any(_subnet(text)[0] == version for text in management.subnets)
    return translated or any(ipaddress.ip_address(port.target).version == version for port in management.ports)


def _through(management: Management) -> list[tuple[Json, ...]]:
    accept = {"accept": None}
    return [_normal((_is(one, management.device), accept)) for one in (_IN, _OUT)]


# from one to the other


def plan(lab: str, management: Management | None, have: Have) -> Plan:
    """management: None where nothing of the lab is to be left."""
    commands: list[Json] = []
    changes: list[Change] = []
    wanted = rules(management) if management else None
    if wanted is None and have.table is not None:
        commands.append({"delete": {"table": {"family": FAMILY, "name": table_name(lab)}}})
        changes.append(Change("delete", "firewall", table_name(lab), LINK))
    elif wanted is not None:
        reason = "" if have.table is None else _difference(wanted, have)
        if have.table is None or reason:
            commands += _replace(lab, wanted)
            changes.append(Change("create" if have.table is None else "update", "firewall", table_name(lab), LINK, reason=reason))
    for version, family in _FAMILIES.items():
        if family not in have.let_through:
            continue
        there = have.let_through[family]
        through = _through(management) if management and crosses(management, version) else []
        if list(there.values()) != through:
            commands += _let_through(lab, family, through, there)
            action: t.Literal["create", "update", "delete"] = "update" if there and through else "create" if through else "delete"
            changes.append(Change(action, "firewall", f"{family} {_DOCKER_TABLE} {_DOCKER_CHAIN}", LINK))
    return Plan(tuple(commands), tuple(changes))


def _difference(asked: t.Sequence[Rule], have: Have) -> str:
    """What is wrong with the table, in words, or nothing. Chains have their order each; that of one to another means nothing."""
    there = list(have.table or ())
    wanted = [Rule(chain, _normal(expressions)) for chain, expressions in asked]
    if have.chains != _CHAINS:
        return "its chains are others"
    missing = sum(rule not in there for rule in wanted)
    strange = sum(rule not in wanted for rule in there)
    said = [f"{count} rules are {words}" for count, words in ((missing, "missing"), (strange, "not ours")) if count]
    ordered = all([one for one in there if one.chain == chain] == [one for one in wanted if one.chain == chain] for chain in _CHAINS)
    return ", ".join(said) or ("" if ordered else "its rules are in another order")


def _replace(lab: str, wanted: t.Iterable[Rule]) -> list[Json]:
    """One transaction: adding the table first makes that deleting it cannot fail."""
    name = table_name(lab)
    table: Json = {"table": {"family": FAMILY, "name": name}}
    commands: list[Json] = [{"add": table}, {"delete": table}, {"add": table}]
    for chain, (sort, hook, priority) in _CHAINS.items():
        settings = {"type": sort, "hook": hook, "prio": priority, "policy": "accept"}
        commands.append({"add": {"chain": {"family": FAMILY, "table": name, "name": chain, **settings}}})
    commands += [
        {"add": {"rule": {"family": FAMILY, "table": name, "chain": chain, "expr": list(expressions)}}} for chain, expressions in wanted
    ]
    return commands


def _let_through(lab: str, family: str, through: t.Sequence[tuple[Json, ...]], there: t.Iterable[int]) -> list[Json]:
    """At the head of the chain, in order: what the administrator drops there is not for a lab."""
    chain = {"family": family, "table": _DOCKER_TABLE, "chain": _DOCKER_CHAIN}
    commands: list[Json] = [{"delete": {"rule": {**chain, "handle": handle}}} for handle in there]
    commands += [{"insert": {"rule": {**chain, "comment": mark(lab), "expr": list(expressions)}}} for expressions in reversed(through)]
    return commands
