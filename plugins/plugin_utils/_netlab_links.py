# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""netlab's links as links of a containerlab file: wires, segments, and ends without another."""

from __future__ import annotations

import typing as t
from collections import Counter

from ansible_collections.archetype.lab.plugins.plugin_utils._netlab_nodes import Device, KnownNode
from ansible_collections.archetype.lab.plugins.plugin_utils._netlab_tree import made_list, made_map, made_text
from ansible_collections.archetype.lab.plugins.plugin_utils._read import Reader, quote, word
from ansible_collections.archetype.lab.plugins.plugin_utils._yaml import MapValue, Problems, Scalar, Value

_VIRTUAL = frozenset({"loopback", "tunnel", "vlan_member", "lag"})
"""Types of links that are no wires: what a device makes of itself, or of other links."""
_AGAIN = "Let netlab write the file again"
_TC = ("delay", "jitter", "loss", "corrupt", "duplicate", "reorder", "rate")


class LinkConverter(Reader):
    """unnumbered: whether an interface borrows its address."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(problems)
        self.notes: list[str] = []
        self.unnumbered = False
        self.nodes: t.Mapping[str, KnownNode] = {}
        self.left_out: t.Collection[str] = ()
        self.segments: dict[str, Value] = {}

    def convert(
        self, links: t.Sequence[Value], nodes: t.Mapping[str, KnownNode], left_out: t.Collection[str]
    ) -> tuple[list[Value], dict[str, Value]]:
        """The links, and the nodes that stand for segments."""
        self.nodes, self.left_out = nodes, left_out
        known = [link for item in links if (link := self.mapping(item, "a link")) is not None]
        bridges = Counter(self.text(link.get("bridge"), "bridge of a link") for link in known)
        wires: list[Value] = []
        for link in known:
            wires += self._link(link, bridges)
        for bridge in self.segments:
            if bridges[bridge] > 1:
                self.notes.append(f"segment {bridge}: {bridges[bridge]} links of netlab's name this bridge; they are one segment")
        return wires, self.segments

    def _link(self, link: MapValue, bridges: Counter[str | None]) -> list[Value]:
        name = self._name(link)
        if self.text(link.get("type"), "type of a link") in _VIRTUAL:
            self.notes.append(f"{name}: it is no wire but something that a device makes, and is left to netlab initial")
            return []
        ends = self._ends(link, name)
        if not ends:
            self.notes.append(f"{name}: none of its nodes is in the lab, and it is left out")
            return []
        common = {"mtu": link.get("mtu") or self._mtu(link)}
        special = self._special(link, name, ends, common)
        if special:
            return special
        bridge = self.text(link.get("bridge"), "bridge of a link")
        if len(ends) > 2 or (bridge and bridges[bridge] > 1):
            return self._segment(link, bridge or f"netlab-{self._number(link)}", ends, common)
        if len(ends) == 1:
            return [made_map(link, {"type": made_text(link, "dummy"), "endpoint": ends[0], **common})]
        return [made_map(link, {"type": made_text(link, "veth"), "endpoints": made_list(link, ends), **common})]

    def _number(self, link: MapValue) -> str:
        return self.text(link.get("linkindex"), "linkindex of a link") or ""

    def _name(self, link: MapValue) -> str:
        return self.text(link.get("_linkname"), "_linkname of a link") or f"link {self._number(link)}"

    def _special(self, link: MapValue, name: str, ends: list[Value], common: dict[str, Value | None]) -> list[Value]:
        """What netlab leaves to containerlab: ends at a server's own device, and tunnels to somewhere else."""
        clab, libvirt = link.get("clab"), link.get("libvirt")
        if isinstance(libvirt, MapValue) and libvirt.get("public") is not None:
            self.notes.append(f"{name}: libvirt's public network is not honoured")
        if not isinstance(clab, MapValue):
            return []
        uplink, vxlan = clab.get("uplink"), clab.get("vxlan")
        if uplink is not None:
            kind: dict[str, Value | None] = {"type": made_text(link, "macvlan"), "host-interface": uplink}
            return [made_map(link, {**kind, "endpoint": end, **common}) for end in ends]
        if isinstance(vxlan, MapValue):
            kind = {"type": made_text(link, "vxlan"), "remote": vxlan.get("remote"), "vni": vxlan.get("vni")}
            return [made_map(link, {**kind, "dst-port": vxlan.get("dstport"), "endpoint": end, **common}) for end in ends]
        return []

    def _segment(self, link: MapValue, bridge: str, ends: list[Value], common: dict[str, Value | None]) -> list[Value]:
        """A link to the bridge for each end; its name at the bridge follows from netlab's numbers, which are not used twice."""
        at = link.get("bridge") or link
        if bridge in self.nodes or bridge in self.left_out:
            self.problems.add(
                at, f"the bridge {word(bridge)} of {self._name(link)} has the name of a node", "Rename the node or the bridge"
            )
        self.segments[bridge] = made_map(at, {"kind": made_text(at, "bridge")})
        wires: list[Value] = []
        for place, end in enumerate(ends):
            port = made_map(at, {"node": made_text(at, bridge, plain=False), "interface": made_text(at, f"l{self._number(link)}n{place}")})
            wires.append(made_map(end, {"type": made_text(at, "veth"), "endpoints": made_list(end, [end, port]), **common}))
        return wires

    # ends

    def _ends(self, link: MapValue, name: str) -> list[Value]:
        ends: list[Value] = []
        for item in self.items(link.get("interfaces"), f"interfaces of {name}"):
            one = self.mapping(item, f"an interface of {name}")
            node = self.text(one.get("node"), f"node of an interface of {name}") if one else None
            if one is None or node is None:
                self.problems.add(item, f"an interface of {name} has no node", _AGAIN)
            elif node in self.left_out:
                self.notes.append(f"{name}: its end at {node} is left out")
            elif node not in self.nodes:
                self.problems.add(one.get("node"), f"{name} has an interface of {quote(node)}, which is not among the nodes", _AGAIN)
            else:
                ends += self._end(link, name, one, node)
        return ends

    def _end(self, link: MapValue, name: str, one: MapValue, node: str) -> list[Value]:
        """The node knows more of an interface than the link does: an address that is on a VLAN's interface is not on it."""
        index = self.text(one.get("ifindex"), f"ifindex of an interface of {name}") or ""
        known = self.nodes[node].interfaces.get((self._number(link), index))
        if known is None:
            self.problems.add(one, f"{name} has an interface of node {word(node)} that the node does not have", _AGAIN)
            return []
        values = {
            "node": one.get("node"),
            "interface": self._interface(known, self.nodes[node].device, index),
            **{family: self._address(known.get(family)) for family in ("ipv4", "ipv6")},
            "tc": self._impairment(known.get("tc"), name),
        }
        return [made_map(known, values)]

    def _mtu(self, link: MapValue) -> Value | None:
        """Where the link has none: what all of its interfaces are set to, as the wire would be checked against."""
        found: list[Scalar] = []
        for one in self.items(link.get("interfaces"), "interfaces of a link"):
            node, index = (one.get(key) if isinstance(one, MapValue) else None for key in ("node", "ifindex"))
            if not isinstance(node, Scalar) or not isinstance(index, Scalar) or node.text not in self.nodes:
                continue
            known = self.nodes[node.text].interfaces.get((self._number(link), index.text))
            mtu = known.get("mtu") if known else None
            if not isinstance(mtu, Scalar):
                return None
            found.append(mtu)
        return found[0] if len({mtu.text for mtu in found}) == 1 else None

    def _interface(self, known: MapValue, device: Device | None, index: str) -> Value | None:
        clab = known.get("clab")
        if isinstance(clab, MapValue) and clab.get("name") is not None:
            return clab.get("name")
        if device and device.interface and index.isdecimal():
            return made_text(known, device.interface.format(index=int(index) + device.add))
        return known.get("ifname")

    def _address(self, value: Value | None) -> Value | None:
        """An address with its prefix. netlab writes true where the interface borrows one, false where it has none."""
        if isinstance(value, Scalar) and value.text.lower() in ("true", "false"):
            self.unnumbered = self.unnumbered or value.text.lower() == "true"
            return None
        return value

    def _impairment(self, value: Value | None, name: str) -> Value | None:
        if not isinstance(value, MapValue):
            return value
        keys = {key: value.get(key) for key in _TC}
        if keys["delay"] is None:
            for key in ("jitter", "reorder"):
                if keys[key] is not None:
                    self.notes.append(f"{name}: {key} without a delay has no effect")
                    keys[key] = None
        return made_map(value, {**{key: entry.value for key, entry in value.entries.items()}, **keys}) if any(keys.values()) else None
