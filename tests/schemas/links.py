# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links: two endpoints, or one and a far end."""

from __future__ import annotations

from tests.schemas.types import Schema, anything, integer, mapping, needing, one_of, text, text_map, word

JOINING = ("brief", "veth", "veth-stitch")
ONE_ENDED = ("dummy", "host", "macvlan", "mgmt-net", "vxlan", "vxlan-stitch")
MODES = ("bridge", "passthru", "private", "source", "vepa")

_TC = mapping(
    "what the link does to frames",
    {
        "delay": text("such as 10ms"),
        "jitter": text("such as 2ms; needs delay"),
        "loss": text("percent"),
        "corrupt": text("percent"),
        "duplicate": text("percent"),
        "reorder": text("percent; needs delay"),
        "rate": text("such as 10mbit"),
    },
)
_ENDPOINT = needing(
    mapping(
        "an endpoint",
        {
            "node": text("name of a node"),
            "interface": text("interface of the node: vendor name, short or long, or Linux name"),
            "mac": text("MAC address of the interface; one of its own without"),
            "ipv4": text("address with prefix"),
            "ipv6": text("address with prefix"),
            "tc": _TC,
            "vars": anything("variables for configuration templates"),
        },
        type="object",
    ),
    ["node", "interface"],
)
_BRIEF: Schema = {
    "type": "string",
    "pattern": r"^[^:]+:[\s\S]+$|\$",
    "description": "node:interface; in place of a node also host, mgmt-net or macvlan, with a device of the server",
}


def _pair(about: str) -> Schema:
    return {"description": about, "type": ["array", "null"], "maxItems": 2, "items": text("address with prefix, or nothing")}


def link_schema() -> Schema:
    properties: Schema = {
        "type": one_of("veth without one", (*JOINING, *ONE_ENDED)),
        "endpoints": {
            "description": "two endpoints",
            "type": ["array", "null"],
            "minItems": 2,
            "maxItems": 2,
            "items": {"anyOf": [_BRIEF, _ENDPOINT]},
        },
        "endpoint": {**_ENDPOINT, "type": ["object", "string", "null"]},
        "mtu": integer("MTU of both ends", 68, 65535),
        "ipv4": _pair("addresses of the two ends, in their order"),
        "ipv6": _pair("addresses of the two ends, in their order"),
        "tc": _TC,
        "vars": anything("variables for configuration templates"),
        "labels": text_map("words for people and tools"),
        "host-interface": text("device of the server"),
        "mode": one_of("mode of a macvlan device", MODES),
        "remote": text("address of the far VTEP"),
        "vni": integer("VNI", 1, 2**24 - 1),
        "dst-port": integer("UDP port of the far VTEP", 1, 65535),
        "src-port": integer("not honoured", 1, 65535),
        "udp-port": integer("old name of dst-port", 1, 65535),
        "parent-interface": text("device of the server that the tunnel goes through"),
    }
    far = {"required": ["type"], "properties": {"type": {"enum": [*ONE_ENDED]}}}
    return {
        "description": "a wire between two nodes, or between a node and something else",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "if": far,
        "then": {"required": ["endpoint"]},
    }


def name_of(what: str) -> Schema:
    return word(what, r"[a-zA-Z0-9][a-zA-Z0-9._-]*", null=False)
