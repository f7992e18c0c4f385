# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection, can break at any time
"""What a report needs of a plan, out of the declared states that servers keep: what was deployed last, whatever the topology says today.

Names of vendors, shells and consoles are in no slice, and are left empty.
"""

from __future__ import annotations

import typing as t

from ansible_collections.archetype.lab.plugins.plugin_utils._seen import Json

Slices = t.Mapping[str, Json | None]
"""Server -> what it keeps; None where that is not known, as the server did not answer."""

_LAYERS = ("links", "ports", "tunnels", "containers", "vms", "access")


def plan_of(lab: str, slices: Slices) -> dict[str, t.Any]:
    """A plan as far as a report looks at it.

    With C(differences): C({links: {key: text}, nodes: {name: text}}), of what servers keep of one another that does not fit, as one of them
    was left out of a deployment; and with C(untold), the servers that did not tell what they keep.
    """
    reader = _Reader(slices)
    bridges = [str(one["bridge"]) for one in reader.known.values() if one.get("bridge")]
    return {
        "format": 1,
        "lab": lab,
        "lock_file": "",
        "bridge": {"name": bridges[0] if bridges else "arch-ovs"},
        "placement": {name: node["server"] for name, node in reader.nodes.items()},
        "nodes": reader.nodes,
        "links": reader.links(),
        "management": None,
        "slices": {
            server: {**(reader.known.get(server) or {}), **{layer: reader.layer(server, layer) for layer in _LAYERS}}
            for server in sorted(slices)
        },
        "notes": [],
        "untold": [server for server in sorted(slices) if slices[server] is None],
        "differences": {"links": reader.differing_links(), "nodes": reader.differing_nodes},
    }


class _Reader:
    def __init__(self, slices: Slices) -> None:
        self.servers = sorted(slices)
        self.known: dict[str, Json] = {server: one for server, one in sorted(slices.items()) if one is not None}
        self.declared: dict[str, dict[str, Json]] = {}
        """Link key -> server -> what the server keeps of it."""
        for server in self.known:
            for link in self.layer(server, "links"):
                self.declared.setdefault(link["key"], {})[server] = link
        self.ports = {
            (server, port.get("node", ""), port.get("interface", "")): port for server in self.known for port in self.layer(server, "ports")
        }
        self.tunnels: dict[str, dict[str, Json]] = {}
        """Link key -> server -> the tunnel that carries it."""
        for server in self.known:
            for tunnel in self.layer(server, "tunnels"):
                for key in (tunnel.get("link"), *(one["key"] for one in tunnel.get("links") or ())):
                    if key:
                        self.tunnels.setdefault(key, {})[server] = tunnel
        self.addresses = self._addresses()
        self.differing_nodes: dict[str, str] = {}
        self.nodes = self._nodes()

    def layer(self, server: str, name: str) -> list[Json]:
        return list((self.known.get(server) or {}).get(name) or ())

    # nodes

    def _addresses(self) -> dict[str, dict[str, str]]:
        """Container or domain -> its management addresses, of the lab's hosts file, which is the same on every server."""
        found: dict[str, dict[str, str]] = {}
        for one in self.known.values():
            for host in (one.get("management") or {}).get("hosts") or ():
                family = "ipv6" if ":" in host["address"] else "ipv4"
                for name in host["names"]:
                    found.setdefault(name, {})[family] = host["address"]
        return found

    def _nodes(self) -> dict[str, dict[str, t.Any]]:
        nodes: dict[str, dict[str, t.Any]] = {}
        for server in self.known:
            for layer in ("containers", "vms"):
                for one in self.layer(server, layer):
                    if one["node"] in nodes:
                        self.differing_nodes[one["node"]] = _differently(nodes[one["node"]]["server"], server)
                        continue
                    nodes[one["node"]] = self._node(server, one, machine=layer == "vms")
        for links in self.declared.values():
            for link in links.values():
                for end in link["endpoints"]:
                    own = end["node"] in (end["server"], f"server {end['server']}")  # the server's own end of the management network
                    if end["server"] in self.servers and end["server"] not in self.known and not own:
                        nodes.setdefault(end["node"], self._node(end["server"], {"node": end["node"]}))
        return dict(sorted(nodes.items()))

    def _node(self, server: str, one: Json, *, machine: bool = False) -> dict[str, t.Any]:
        name = str(one.get("name") or "")
        return {
            "kind": str(one.get("kind") or ""),
            "type": "vm" if machine else "container",
            "server": server,
            "container": "" if machine else name,
            "sandbox": "" if machine else str(one.get("sandbox") or ""),
            "domain": name if machine else "",
            "image": str(one.get("image") or ""),
            "shell": "",
            "console": None,
            "interfaces": [],
            "management": {"ipv4": "", "ipv6": "", **self.addresses[name]} if name in self.addresses else None,
        }

    # links

    def links(self) -> dict[str, dict[str, t.Any]]:
        return {key: self._link(key, next(iter(by_server.values()))) for key, by_server in sorted(self.declared.items())}

    def _link(self, key: str, link: Json) -> dict[str, t.Any]:
        ends = [self._end(end) for end in sorted(link["endpoints"], key=lambda end: (end["node"], end["interface"]))]
        servers = sorted({end["server"] for end in ends}.intersection(self.servers))
        framed = link.get("probe", "full") != "device"
        far = self._far(key, ends) if not framed and len(ends) == 1 else None
        tags = {
            server: port["tag"]
            for (server, _node, _interface), port in sorted(self.ports.items())
            if port.get("link") == key and port.get("tag") is not None
        }
        carrying = self.tunnels.get(key, {})
        return {
            "type": "segment" if key.startswith("segment:") else far["type"] if far else "veth",
            "far": far,
            "proof": "frames" if framed else "device",
            "probe": link.get("probe", "full"),
            "servers": servers,
            "segment": key.removeprefix("segment:") if key.startswith("segment:") else "",
            "scope": "cross" if len(servers) > 1 else "local",
            "mtu": link.get("mtu") or None,
            "asked_mtu": None,
            "vni": next((tunnel["vni"] for tunnel in carrying.values()), None),
            "tags": tags,
            "tunnels": {server: tunnel["name"] for server, tunnel in sorted(carrying.items())},
            "endpoints": ends,
        }

    def _end(self, end: Json) -> dict[str, t.Any]:
        port = self.ports.get((end["server"], end["node"], end["interface"]), {})
        return {**{field: end[field] for field in ("node", "interface", "server", "port")}, "mac": port.get("mac") or ""}

    def _far(self, key: str, ends: t.Sequence[Json]) -> dict[str, t.Any]:
        """What a link leads to that is no node; its key says it, and its port or tunnel the rest."""
        kind, _colon, name = key.rpartition("--")[2].partition(":")
        if kind == "vxlan":
            remote, _slash, vni = name.rpartition("/")
            tunnel = next(iter(self.tunnels.get(key, {}).values()), {})
            return {"type": kind, "remote": remote, "vni": int(vni), "dst_port": tunnel.get("dst_port", 4789)}
        port: Json = next((self.ports.get((end["server"], end["node"], end["interface"]), {}) for end in ends), {})
        return {field: value for field, value in (("type", kind), ("interface", name), ("mode", port.get("mode"))) if value}

    def differing_links(self) -> dict[str, str]:
        return {key: text for key in sorted(self.declared) if (text := self._difference(key))}

    def _difference(self, key: str) -> str:
        by_server = self.declared[key]
        first = next(iter(by_server))
        back = [server for server, one in self.known.items() if key in (one.get("taken_back") or ())]
        if back:
            return f"taken back on {', '.join(back)}, as its other half had failed; deploy the lab again"
        for server in by_server:
            if self._facts(key, server) != self._facts(key, first):
                return _differently(first, server)
        wanted = {end["server"] for link in by_server.values() for end in link["endpoints"]}
        for server in sorted(wanted - set(by_server)):
            if server in self.known:
                return f"declared on {first} and not on {server}; deploy the lab again"
            if server not in self.servers:
                return f"its other half is on {server}, which is not among the servers of this run"
        return ""

    def _facts(self, key: str, server: str) -> tuple[t.Any, ...]:
        """What both ends must agree about. How a link is reached is each server's own."""
        link = self.declared[key][server]
        ends = sorted((end["node"], end["interface"], end["server"], end["port"]) for end in link["endpoints"])
        tunnel = self.tunnels.get(key, {}).get(server, {})
        return link.get("mtu") or 0, link.get("probe", "full"), ends, tunnel.get("vni"), tunnel.get("dst_port", 4789) if tunnel else None


def _differently(one: str, other: str) -> str:
    return f"declared differently on {one} and {other}; deploy the lab again"


def as_converged(result: Json) -> dict[str, t.Any]:
    """What lab_reconcile returned, in the shape of what lab_converge returns. The status of nodes is known where it did something."""
    declared, found = result.get("declared") or {}, dict(result)
    status = {one["name"]: one["status"] for one in result.get("nodes") or () if one.get("status")}
    for layer in ("containers", "vms"):
        told = [{"name": one["name"], "status": status[one["node"]]} for one in declared.get(layer) or () if one["node"] in status]
        if status:
            found[layer] = told
    return found
