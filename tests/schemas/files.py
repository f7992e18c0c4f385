# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two files: a topology, and a lab file."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.archetype.lab.plugins.plugin_utils._kinds import kind_files
from tests.schemas.links import link_schema, name_of
from tests.schemas.node import STAGE, level_properties, node_properties
from tests.schemas.types import Schema, anything, boolean, integer, items, mapping, named, needing, one_of, suggested, text, text_map, texts

TOPOLOGY = "topology.schema.json"
LAB = "lab.schema.json"
_DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that editors know."""
_NODE = {"$ref": "#/definitions/node"}
_LEVEL = {"$ref": "#/definitions/level"}
_NODE_NAME = r"[a-zA-Z0-9][a-zA-Z0-9._|-]*"

MGMT: Schema = {
    "network": text("name of the network"),
    "bridge": text("name of the bridge"),
    "ipv4-subnet": text("CIDR, or auto"),
    "ipv6-subnet": text("CIDR, or auto"),
    "ipv4-gw": text("address of the gateway"),
    "ipv6-gw": text("address of the gateway"),
    "ipv4-range": text("CIDR within the subnet, from which nodes get addresses"),
    "ipv6-range": text("CIDR within the subnet, from which nodes get addresses"),
    "ipv4_subnet": text("old name of ipv4-subnet"),
    "ipv6_subnet": text("old name of ipv6-subnet"),
    "mtu": integer("MTU of the network", 0, 65535),
    "external-access": boolean("whether nodes reach what their server reaches"),
    "skip-when-unused": boolean("leave the network out where no node uses it"),
    "driver-opts": text_map("options of Docker's network driver"),
}


def topology_schema() -> dict[str, Any]:
    about = "A topology of archetype.lab: a containerlab file, and what is allowed beyond it"
    kinds = sorted(kind_files())
    node = mapping("settings; what is not said is inherited from group, kind and defaults", node_properties(kinds))
    level = mapping("settings of nodes that say nothing else", level_properties(kinds))
    topology = mapping(
        "what the lab consists of",
        {
            "defaults": {**_LEVEL, "description": "settings of all nodes"},
            "kinds": named("settings of all nodes of a kind", _LEVEL),
            "groups": named("settings of all nodes of a group; may say their kind", _LEVEL),
            "nodes": {**named("the nodes, by name", _NODE, _NODE_NAME), "type": "object", "minProperties": 1},
            "links": items("the wires", {"$ref": "#/definitions/link"}),
        },
        type="object",
        required=["nodes"],
    )
    file = mapping(
        about,
        {
            "name": name_of("name of the lab"),
            "prefix": text('of container names: clab without it; "" for none; __lab-name for the name of the lab'),
            "mgmt": mapping("the management network", MGMT),
            "settings": {"description": "settings of containerlab, without effect"},
            "debug": {"description": "debugging of containerlab, without effect"},
            "topology": topology,
        },
        type="object",
        required=["name", "topology"],
    )
    return {
        "$comment": "SPDX-License-Identifier: GPL-3.0-or-later. Written by python -m tests.schemas",
        "$schema": _DRAFT,
        "title": "archetype.lab topology",
        **file,
        "definitions": {"node": node, "level": level, "stage": STAGE, "link": link_schema()},
    }


def lab_schema() -> dict[str, Any]:
    span = {"type": ["array", "null"], "minItems": 2, "maxItems": 2, "items": integer("VLAN tag", 1, 4094)}
    file = mapping(
        "A lab file of archetype.lab: a topology, and how it is laid over servers",
        {
            "plugin": {"description": "marks the file as one for this inventory plugin", "const": "archetype.lab.topology"},
            "topology": text("path of the topology, beside the lab file"),
            "lab": {
                "description": "the content of a topology, in the place of its path",
                "anyOf": [{"$ref": TOPOLOGY}, {"type": "null"}],
            },
            "servers": {
                "description": "group of the inventory whose hosts are the servers, or server to host variables",
                "anyOf": [suggested("a group", ("lab_servers",)), named("server to host variables", anything("host variables"))],
                "default": "lab_servers",
            },
            "placement": text_map("node to the server that it is to run on"),
            "images": text_map("image of the topology, a reference or a disk, to the one that is used in its place"),
            "kinds_path": texts("folders with kinds of your own, beside the lab file"),
            "kind_settings": named("kind to a part of a kind file: what this lab changes of the kind", anything("part of a kind file")),
            "image_settings": named("image to a part of a kind file: what the image changes of its kind", anything("part of a kind file")),
            "overlay_mode": one_of("one tunnel for each link between servers, or one for each pair of servers", ("per_link", "shared")),
            "tags": mapping(
                "the VLAN tags that links may use, from lowest to highest",
                {"local": {**span, "description": "inside a server"}, "cross": {**span, "description": "between servers"}},
            ),
            "link_mtu": integer("MTU of links for which the topology gives none", 68, 65535),
            "links_down": texts("keys of links that are down, as if their cable were pulled"),
            "management": boolean("whether there is a management network", default=True),
        },
        type="object",
    )
    return {
        "$comment": "SPDX-License-Identifier: GPL-3.0-or-later. Written by python -m tests.schemas",
        "$schema": _DRAFT,
        "title": "archetype.lab lab file",
        **needing(file, ["plugin"]),
        "anyOf": [{"required": ["topology"]}, {"required": ["lab"]}],
    }


def written() -> dict[str, str]:
    """File name -> its content."""
    return {name: json.dumps(schema, indent=2) + "\n" for name, schema in ((TOPOLOGY, topology_schema()), (LAB, lab_schema()))}
