# Copyright (c) 2026, archetype.lab contributors
# GNU General Public License v3.0 or later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers really have of a lab, in a form in which two deployments of one file are equal.

Asked of the programs that a person would ask, not of the collection. What a process, a device or a row is called by the kernel or by its
daemon is left out; so are tags, as they may stay what they were (C(tags.py) judges them), and the servers' addresses.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from tests.integration.acceptance import World
from tests.testbed.testbed import Server

Json = dict[str, Any]
_PORT = ("name", "vlan_mode", "trunks", "cvlans", "other_config", "external_ids", "qos", "protected")
_INTERFACE = (
    "name",
    "type",
    "options",
    "mtu",
    "mtu_request",
    "admin_state",
    "link_state",
    "error",
    "mac",
    "external_ids",
    "ofport_request",
)
_DEVICE = ("ifname", "flags", "mtu", "operstate", "group", "linkinfo", "ifalias", "qdisc", "inet6_addr_gen_mode")
_ADDRESS = ("family", "local", "prefixlen", "scope", "protocol")
_STATE = ("Status", "ExitCode", "OOMKilled", "Error")
_MOVING = re.compile(r"[0-9a-f]{64}")


def observe(world: World, lab: str) -> dict[str, Json]:
    """Server -> all of it."""
    places = {one.address: one.name for one in world.testbed.servers}
    found = world.each(lambda server: of_server(server, lab))
    text = json.dumps(found)
    for address, name in sorted(places.items(), reverse=True):
        text = re.sub(rf"\b{re.escape(address)}\b", name, text)
    return dict(json.loads(text))


def different(one: Json, other: Json, where: str = "") -> list[str]:
    """Where two of them differ, a line for each place."""
    lines = []
    for key in sorted({*one, *other}):
        path = f"{where}/{key}"
        if key not in one or key not in other:
            lines.append(f"{path}: only in the {'second' if key not in one else 'first'}")
        elif isinstance(one[key], dict) and isinstance(other[key], dict):
            lines += different(one[key], other[key], path)
        elif one[key] != other[key]:
            lines.append(f"{path}: {one[key]!r} is not {other[key]!r}")
    return lines


def of_server(server: Server, lab: str) -> Json:
    containers = _containers(server, lab)
    ids = {one["Id"]: name for name, one in containers.items()}
    listed = _ask(server, "docker", "images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}").splitlines()
    images = dict(line.split() for line in listed)
    running = {name: one["State"]["Pid"] for name, one in containers.items() if one["State"]["Running"]}
    marked = {row["name"]: row for row in _table(server, "Port") if dict(row["external_ids"][1]).get("archetype-lab") == lab}
    devices = [one for one in _links(server) if one.get("ifalias", "").startswith(f"archetype-lab:{lab}:")]
    names = {*marked, *(one["ifname"] for one in devices)}
    return {
        "containers": {name: _container(one, ids, images) for name, one in containers.items()},
        "inside": {name: _inside(server, pid) for name, pid in sorted(running.items()) if name.endswith("-sandbox")},
        "ports": {name: _port(row) for name, row in marked.items()},
        "interfaces": {row["name"]: _chosen(row, _INTERFACE) for row in _table(server, "Interface") if row["name"] in names},
        "devices": {one["ifname"]: _device(one) for one in devices},
        "bridge": sorted(set(_ask(server, "ovs-vsctl", "list-ports", "arch-ovs").split()) & names),
        "kept": _without_tags(json.loads(_ask(server, "cat", f"/var/lib/archetype-lab/{lab}.json"))),
        "files": _files(server, lab),
    }


def _ask(server: Server, *words: str) -> str:
    return str(server.run(list(words), check=True).stdout)


def _table(server: Server, name: str) -> list[Json]:
    table = json.loads(_ask(server, "ovs-vsctl", "--format=json", "list", name))
    return [dict(zip(table["headings"], row, strict=True)) for row in table["data"]]


def _links(server: Server) -> list[Json]:
    return list(json.loads(_ask(server, "ip", "-json", "-details", "link")))


def _containers(server: Server, lab: str) -> dict[str, Json]:
    ids = _ask(server, "docker", "ps", "-aq", "--no-trunc", "--filter", f"label=archetype-lab={lab}").split()
    found = json.loads(_ask(server, "docker", "inspect", *ids)) if ids else []
    return {one["Name"].lstrip("/"): one for one in found}


def _chosen(row: Json, keys: Iterable[str]) -> Json:
    return {key: row[key] for key in keys if key in row}


def _container(one: Json, ids: dict[str, str], images: dict[str, str]) -> Json:
    """With the names of the image and of the containers that it knows by their numbers."""
    found = {
        "image": images.get(one["Image"]),
        "config": one["Config"],
        "host": one["HostConfig"],
        "mounts": one["Mounts"],
        "state": _chosen(one["State"], _STATE),
    }
    return dict(json.loads(_MOVING.sub(lambda number: ids.get(number.group(), number.group()), json.dumps(found))))


def _port(row: Json) -> Json:
    marks = {key: value for key, value in row["external_ids"][1] if key != "archetype-ifindex"}
    return {**_chosen(row, _PORT), "external_ids": marks}


def _device(one: Json) -> Json:
    return {**_chosen(one, _DEVICE), "flags": sorted(one["flags"])}


def _inside(server: Server, pid: int) -> Json:
    """The network of a node: its devices, addresses and routes."""
    enter = ("nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-json")
    devices = {}
    for one in json.loads(_ask(server, *enter, "-details", "address")):
        found = [_chosen(address, _ADDRESS) for address in one["addr_info"]]
        devices[one["ifname"]] = {**_device(one), "mac": one["address"], "addresses": sorted(found, key=json.dumps)}
    routes = json.loads(_ask(server, *enter, "route"))
    return {"devices": devices, "routes": sorted(json.dumps(one, sort_keys=True) for one in routes)}


def _without_tags(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_tags(one) for key, one in value.items() if key != "tag"}
    return [_without_tags(one) for one in value] if isinstance(value, list) else value


def _files(server: Server, lab: str) -> Json:
    """What each file of the lab holds, in digests; but for what names processes and moments, of which it counts that they are there."""
    found: Json = {}
    for path in _ask(server, "find", "/var/lib/archetype-lab", "-path", f"*/{lab}/*", "-type", "f").split("\n"):
        if path.endswith("/boots.json"):
            found[path] = sorted(json.loads(_ask(server, "cat", path))["nodes"])
        elif path:
            found[path] = hashlib.sha256(_ask(server, "cat", path).encode()).hexdigest()
    return found
