# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What certification proved of each link, and in words what it did not."""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

KINDS = ("unicast", "broadcast", "lldp", "lacp", "stp", "dot1q", "qinq", "full_mtu")
"""The kinds of frames that must pass, where no server says which it sent."""

LIGHT = ("unicast",)
"""The kind that must pass on a light link."""

_MOST_DIRECTIONS = 3


class Proof:
    """certified: server -> what lab_certify collected there (docs/design.md, section 4)."""

    def __init__(self, plan: Json, certified: t.Mapping[str, Json]) -> None:
        self.links: Json = plan["links"]
        self.kinds = next((tuple(one["kinds"]) for one in certified.values() if one.get("kinds")), KINDS)
        self.arrived: dict[tuple[str, str, str], set[str]] = {}
        self.ports: dict[str, Json] = {}
        self.strays: dict[str, list[str]] = {}
        self.notes: list[str] = []
        self._link_of: dict[str, str] = {}
        for key, link in self.links.items():
            for end in link["endpoints"]:
                self._link_of[_name(end)] = self._link_of[end["port"]] = key
        self._relayed = {self._path(relay) for result in certified.values() for relay in result.get("relays") or ()}
        for server, result in certified.items():
            self._add(server, result)

    def _add(self, server: str, result: Json) -> None:
        for frame in result["frames"]:
            self.arrived.setdefault((frame["link"], frame["source"], frame["target"]), set()).update(frame["kinds"])
        self.ports.update(result.get("ports") or {})
        for leak in result.get("leaks") or ():
            if self._path(leak) not in self._relayed:
                self._leak(leak)
        for twin in result.get("duplicates") or ():
            if (twin["link"], twin["source"], twin["kind"], twin["link"]) not in self._relayed:
                what = f"{twin['kind']} frames of {twin['source']} arrive {twin['count']} times at {twin['target']}"
                self.strays.setdefault(twin["link"], []).append(what)
        if result.get("dropped"):
            self.notes.append(f"{server} was too slow for {result['dropped']} frames of certification; what is missing may be among them")

    def _path(self, stray: Json) -> tuple[str, str, str, str]:
        """What a node that is a switch did: it sent a frame on into the link of seen_on, where that is nobody's fault."""
        return stray["link"], stray["source"], stray["kind"], self._link_of.get(str(stray["seen_on"]), "")

    def faults(self, key: str, but: t.Collection[str] = (), silent_nodes: t.Collection[str] = ()) -> list[str]:
        """What is not proven of a link, leaving out what would have arrived at the servers C(but), and all from and to C(silent_nodes)."""
        ends = self.links[key]["endpoints"]
        framed = self.links[key]["proof"] == "frames"
        faults = []
        silent = set()
        for end in ends:
            port = self.ports.get(_name(end), {})
            if end["node"] in silent_nodes:
                pass
            elif port.get("error"):
                faults.append(f"{end['server']}: {port['error']}")
            elif port.get("carrier") is False and framed:
                faults.append(f"no carrier: interface {end['interface']} is down inside node {end['node']}")
            else:
                continue
            silent.add(_name(end))
        if framed:
            faults += self._directions(key, {_name(end) for end in ends if end["node"] not in silent_nodes} - silent, but)
        return [*faults, *sorted(set(self.strays.get(key, ())))]

    def without_carrier(self, key: str) -> str:
        """Which ends of a link have no carrier, in words; empty where all have one."""
        ends = [end for end in self.links[key]["endpoints"] if self.ports.get(_name(end), {}).get("carrier") is False]
        return "; ".join(
            f"no carrier: interface {end['interface']} of node {end['node']}, or what is at its far end, is down" for end in ends
        )

    def _directions(self, key: str, ends: t.Collection[str], but: t.Collection[str]) -> list[str]:
        """What did not arrive between these ends, of what was sent: on a light link one kind, from each end to the next."""
        link = self.links[key]
        sent = self.kinds if link["probe"] == "full" else LIGHT
        missing: dict[tuple[str, str], tuple[str, ...]] = {}
        for source, target, server in _paths(link):
            if source in ends and target in ends and server not in but:
                arrived = self.arrived.get((key, source, target), set())
                kinds = tuple(kind for kind in sent if kind not in arrived)
                if kinds:
                    missing[source, target] = kinds
        faults = []
        for (source_name, target_name), kinds in missing.items():
            both = missing.get((target_name, source_name)) == kinds
            if both and source_name > target_name:
                continue
            what = "no frames" if kinds == sent else f"no {', '.join(kinds)} frames"
            faults.append(f"{what} {'between' if both else 'from'} {source_name} {'and' if both else 'to'} {target_name}")
        more = len(faults) - _MOST_DIRECTIONS
        return [*faults[:_MOST_DIRECTIONS], f"and {more} more directions"] if more > 0 else faults

    def _leak(self, leak: Json) -> None:
        """A leak is a fault of the link that lost the frame, and of the link that got it."""
        place = str(leak["seen_on"])
        victim = self._link_of.get(place, "")
        where = f"link {victim} ({place})" if victim else place
        self.strays.setdefault(leak["link"], []).append(f"{leak['kind']} frames of {leak['source']} leaked into {where}")
        if victim and victim != leak["link"]:
            self.strays.setdefault(victim, []).append(f"frames of link {leak['link']} leaked into it at {place}")


def _paths(link: Json) -> t.Iterator[tuple[str, str, str]]:
    """Where frames must go: source, target, and the target's server. On a light link each end sends to the one before it."""
    ends = link["endpoints"]
    if link["probe"] == "full":
        yield from ((_name(one), _name(two), two["server"]) for one in ends for two in ends if one is not two)
        return
    ring = sorted(ends, key=lambda end: (end["server"], _name(end)))
    for place, end in enumerate(ring if len(ring) > 1 else ()):
        yield _name(ring[(place + 1) % len(ring)]), _name(end), end["server"]


def _name(end: Json) -> str:
    return f"{end['node']}:{end['interface']}"
