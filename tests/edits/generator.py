# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random edits of a topology. All follows from the seed: the same seed gives the same edits, in the same order.

Each edit names what it touches, and nothing else may notice it. A node that is made anew is a new device: its links are named with it.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator, Mapping

from tests.edits.topology import CROSS, IMAGES, LOCAL, Link, Node, Topology

FEWEST_NODES, MOST_NODES = 5, 9
FEWEST_LINKS, MOST_LINKS = 5, 12
SPAN = (30, 400)
"""How many tags a range has: sometimes few, so that links that would like the same one meet."""


@dataclasses.dataclass(frozen=True)
class Edit:
    """What was edited. nodes, links: those that it names, by their names and keys before and after. tags: ranges that are others now.

    Which links a range moves is seen when their tags are known: those whose tag is not in it (C(named_by_tags)).
    """

    sort: str
    text: str
    nodes: frozenset[str] = frozenset()
    links: frozenset[str] = frozenset()

    def named_by_tags(self, after: Topology, tags: Mapping[str, Mapping[str, int]]) -> frozenset[str]:
        """With the links whose live tags (key -> server -> tag) are outside of what the file now allows."""
        if self.sort != "tag range":
            return self.links
        moved = set()
        for key, link in after.by_key.items():
            low, high = after.range_of(link)
            if any(not low <= tag <= high for tag in tags.get(key, {}).values()):
                moved.add(key)
        return self.links | moved


Made = tuple[Edit, Topology] | None


def edits(start: Topology, seed: str) -> Iterator[tuple[Edit, Topology]]:
    """Edit after edit, without end, each with the topology that it leads to. Every sort comes once before one comes again."""
    chance = random.Random(seed)
    now, spare = start, _Spare(start)
    while True:
        deck = sorted(SORTS)
        chance.shuffle(deck)
        for sort in deck:
            made = SORTS[sort](chance, now, spare)
            if made is not None:
                now = made[1]
                yield made


class _Spare:
    """Names and numbers that nothing had before. Some names come back, as a user's do."""

    def __init__(self, start: Topology) -> None:
        self.node = len(start.nodes)
        self.link = max(one.number for one in start.links)
        self.gone: list[str] = []

    def name(self, chance: random.Random) -> str:
        if self.gone and chance.random() < 0.5:
            return self.gone.pop(chance.randrange(len(self.gone)))
        self.node += 1
        return f"n{self.node}"

    def number(self) -> int:
        self.link += 1
        return self.link


def _add_node(chance: random.Random, now: Topology, spare: _Spare) -> Made:
    if len(now.nodes) >= MOST_NODES or len(now.links) >= MOST_LINKS - 1:
        return None
    server = chance.choice(sorted({one.server for one in now.nodes.values()}))
    name = spare.name(chance)
    after = dataclasses.replace(now, nodes={**now.nodes, name: Node(server)})
    for peer in chance.sample(sorted(now.nodes), 2):
        after = _linked(after, spare, name, peer)
    links = frozenset(one.key for one in after.of(name))
    return Edit("add node", f"add node {name} on {server} with {_list(links)}", frozenset({name}), links), after


def _remove_node(chance: random.Random, now: Topology, spare: _Spare) -> Made:
    left = [name for name in sorted(now.nodes) if len(now.links) - len(now.of(name)) >= FEWEST_LINKS]
    if len(now.nodes) <= FEWEST_NODES or not left:
        return None
    name = chance.choice(left)
    spare.gone.append(name)
    keys = frozenset(one.key for one in now.of(name))
    nodes = {one: node for one, node in now.nodes.items() if one != name}
    after = dataclasses.replace(now, nodes=nodes, links=tuple(one for one in now.links if one.key not in keys))
    return Edit("remove node", f"remove node {name} with {_list(keys)}", frozenset({name}), keys), after


def _rename_node(chance: random.Random, now: Topology, spare: _Spare) -> Made:
    old = chance.choice(sorted(now.nodes))
    new = spare.name(chance)
    spare.gone.append(old)
    nodes = {new if name == old else name: node for name, node in now.nodes.items()}
    links = tuple(dataclasses.replace(one, ends=_ends(one, old, new)) for one in now.links)
    after = dataclasses.replace(now, nodes=nodes, links=links)
    keys = frozenset(one.key for one in (*now.of(old), *after.of(new)))
    return Edit("rename node", f"rename node {old} to {new}", frozenset({old, new}), keys), after


def _ends(link: Link, old: str, new: str) -> tuple[tuple[str, str], tuple[str, str]]:
    (a, at_a), (b, at_b) = link.ends
    return (new if a == old else a, at_a), (new if b == old else b, at_b)


def _add_link(chance: random.Random, now: Topology, spare: _Spare) -> Made:
    if len(now.links) >= MOST_LINKS:
        return None
    one, other = chance.sample(sorted(now.nodes), 2)
    after = _linked(now, spare, one, other)
    key = after.links[-1].key
    return Edit("add link", f"add link {key}", links=frozenset({key})), after


def _remove_link(chance: random.Random, now: Topology, _spare: _Spare) -> Made:
    if len(now.links) <= FEWEST_LINKS:
        return None
    gone = chance.choice(now.links)
    after = dataclasses.replace(now, links=tuple(one for one in now.links if one != gone))
    return Edit("remove link", f"remove link {gone.key}", links=frozenset({gone.key})), after


def _retarget_link(chance: random.Random, now: Topology, _spare: _Spare) -> Made:
    """One end goes to another node, or to another interface of the same."""
    link = chance.choice(now.links)
    end = chance.randrange(2)
    target = chance.choice(sorted(set(now.nodes) - {link.nodes[1 - end]}))
    moved = (target, now.free_interface(target))
    ends = (moved, link.ends[1]) if end == 0 else (link.ends[0], moved)
    after = _with(now, link, dataclasses.replace(link, ends=ends))
    new = dataclasses.replace(link, ends=ends).key
    return Edit("retarget link", f"retarget link {link.key} to {new}", links=frozenset({link.key, new})), after


def _change_mtu(chance: random.Random, now: Topology, _spare: _Spare) -> Made:
    """Below what a tunnel carries, so that each value is another MTU than the last."""
    link = chance.choice(now.links)
    mtu = chance.choice([one for one in (0, 1280, 1300, 1342, 1400) if one != link.mtu])
    after = _with(now, link, dataclasses.replace(link, mtu=mtu))
    text = f"change mtu of link {link.key} from {link.mtu or 'none'} to {mtu or 'none'}"
    return Edit("mtu", text, links=frozenset({link.key})), after


def _change_image(chance: random.Random, now: Topology, _spare: _Spare) -> Made:
    name = chance.choice(sorted(now.nodes))
    node = now.nodes[name]
    image = chance.choice([one for one in IMAGES if one != node.image])
    return _renewed(now, name, dataclasses.replace(node, image=image), "image", f"change image of node {name} to {image}")


def _change_env(chance: random.Random, now: Topology, _spare: _Spare) -> Made:
    """A variable comes, changes or goes."""
    name = chance.choice(sorted(now.nodes))
    env = dict(now.nodes[name].env)
    if env and chance.random() < 0.4:
        gone = chance.choice(sorted(env))
        del env[gone]
        text = f"without {gone}"
    else:
        variable = chance.choice(["LEVEL", "MODE", "AREA"])
        env[variable] = f"{env.get(variable, '')}{chance.randrange(1, 10)}"
        text = f"{variable}={env[variable]}"
    node = dataclasses.replace(now.nodes[name], env=tuple(sorted(env.items())))
    return _renewed(now, name, node, "env", f"change env of node {name}: {text}")


def _change_range(chance: random.Random, now: Topology, _spare: _Spare) -> Made:
    """One range moves; the two never meet."""
    which = chance.choice(["local", "cross"])
    size = chance.randint(*SPAN)
    first, last = LOCAL if which == "local" else CROSS
    low = chance.randint(first, last - size + 1)
    span = (low, low + size - 1)
    after = dataclasses.replace(now, local=span) if which == "local" else dataclasses.replace(now, cross=span)
    return Edit("tag range", f"change tag range {which} to {span[0]}-{span[1]}"), after


def _renewed(now: Topology, name: str, node: Node, sort: str, text: str) -> Made:
    """A node that is made anew, and all its links with it."""
    after = dataclasses.replace(now, nodes={**now.nodes, name: node})
    return Edit(sort, text, frozenset({name}), frozenset(one.key for one in now.of(name))), after


def _linked(now: Topology, spare: _Spare, one: str, other: str) -> Topology:
    link = Link(spare.number(), ((one, now.free_interface(one)), (other, now.free_interface(other))))
    return dataclasses.replace(now, links=(*now.links, link))


def _with(now: Topology, old: Link, new: Link) -> Topology:
    return dataclasses.replace(now, links=tuple(new if one == old else one for one in now.links))


def _list(keys: frozenset[str]) -> str:
    return ", ".join(sorted(keys))


SORTS: Mapping[str, Callable[[random.Random, Topology, _Spare], Made]] = {
    "add node": _add_node,
    "remove node": _remove_node,
    "rename node": _rename_node,
    "add link": _add_link,
    "remove link": _remove_link,
    "retarget link": _retarget_link,
    "mtu": _change_mtu,
    "image": _change_image,
    "env": _change_env,
    "tag range": _change_range,
}
